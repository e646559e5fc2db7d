"""The libraries that a page loads, put beside it with their licences: no page of ours asks a network for anything."""

from __future__ import annotations

from pathlib import Path

from earmark.bench.corpora.cache import cache_dir
from earmark.bench.store import write_text

VENDOR = Path(__file__).parent / "vendor"
PLOTS = "vega.js"
EXPORTS = "window.vegaEmbed = vegaEmbed; window.vega = vega; window.vegaLite = vegaLite;"
"""What the bundle leaves to the page."""
TERMS = ("vega.LICENSES.txt", "tanstack-virtual.LICENSE.txt")


def virtual_rows() -> str:
    """Source of what tells which rows of a long table are on the screen; part of the page itself."""
    return (VENDOR / "tanstack-virtual.js").read_text(encoding="utf-8")


def place(folder: Path) -> None:
    """Write the plotting library and all terms into ``folder``; what is there already is left alone."""
    for name in TERMS:
        _place(folder / name, (VENDOR / name).read_text(encoding="utf-8"))
    version = _version()
    known = folder / PLOTS
    if not (known.is_file() and known.open(encoding="utf-8").readline() == f"// {version}\n"):
        write_text(known, f"// {version}\n{_bundle(version)}")


def _place(path: Path, text: str) -> None:
    if not (path.is_file() and path.read_text(encoding="utf-8") == text):
        write_text(path, text)


def _version() -> str:
    import vl_convert

    made_by = getattr(vl_convert, "__version__", "")
    return (
        f"Vega {vl_convert.get_vega_version()}, Vega-Embed {vl_convert.get_vega_embed_version()}, vl-convert {made_by}"
    )


def _bundle(version: str) -> str:
    """Vega, Vega-Lite and Vega-Embed as one script; bundling takes seconds, so a copy is kept."""
    import vl_convert

    kept = cache_dir() / "board" / f"{''.join(c if c.isalnum() else '-' for c in version)}.js"
    if not kept.is_file():
        write_text(kept, f"(() => {{{vl_convert.javascript_bundle(snippet=EXPORTS)}\n}})();\n")
    return kept.read_text(encoding="utf-8")
