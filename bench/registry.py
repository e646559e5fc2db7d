"""Discovery of plugins, nothing else.

A plugin is a module or package that holds a ``SPEC`` (or several in ``SPECS``). In-tree ones are found by scanning
``earmark.models``, ``earmark.fairness`` and ``earmark.bench.corpora``; those of other distributions through the
entry-point groups ``earmark.models``, ``earmark.fairness`` and ``earmark.corpora``, whose values are such a module
(``package.module``) or the spec itself (``package.module:SPEC``); a single file through ``--plugin FILE.py``.
A plugin that does not import is listed with its cause and hides nobody; two plugins of one name are an error that
names both origins. Listing imports no torch.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from earmark.bench.api import CorpusSpec, FairnessSpec, InputError, ModelSpec, Spec, Unsupported

Kind = Literal["model", "fairness", "corpus"]
_SCANNED: dict[Kind, str] = {
    "model": "earmark.models",
    "fairness": "earmark.fairness",
    "corpus": "earmark.bench.corpora",
}
_GROUPS: dict[Kind, str] = {"model": "earmark.models", "fairness": "earmark.fairness", "corpus": "earmark.corpora"}
_TYPES: dict[Kind, type[Any]] = {"model": ModelSpec, "fairness": FairnessSpec, "corpus": CorpusSpec}


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin that was found: its spec, and where it came from (``in-tree``, a distribution, or a file)."""

    spec: Spec
    kind: Kind
    origin: str
    version: str
    module: str
    title: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A plugin that could not be read, with the cause in one line."""

    name: str
    kind: Kind
    origin: str
    cause: str


@dataclass(frozen=True, slots=True)
class Found:
    plugins: tuple[Plugin, ...]
    broken: tuple[Broken, ...]

    def named(self, name: str, kind: Kind) -> Plugin:
        """The plugin of that name; an :class:`InputError` names near ones, or the cause of a broken one."""
        matches = [plugin for plugin in self.plugins if plugin.kind == kind and plugin.spec.name == name]
        if len(matches) == 1:
            return matches[0]
        if matches:
            origins = " and ".join(sorted(f"{m.origin} ({m.module})" for m in matches))
            raise InputError(f"two plugins are called {name!r}: {origins}", fix="rename or uninstall one of them")
        for broken in self.broken:
            if broken.kind == kind and broken.name == name:
                raise InputError(
                    f"{kind} {name!r} is broken: {broken.cause}", where=broken.origin, fix="mend the plugin"
                )
        known = sorted(plugin.spec.name for plugin in self.plugins if plugin.kind == kind)
        raise unknown(kind, name, known)


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """An error for a name nobody has, with the nearest names, or all of them where none is near."""
    names = sorted(known)
    near = get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        fix = f"did you mean {' or '.join(near)}?"
    else:
        fix = f"there is {', '.join(names)}" if names else f"no {kind} is installed"
    return InputError(f"unknown {kind} {name!r}", fix=fix)


def scan(files: tuple[Path, ...] = ()) -> Found:
    """Everything there is, in name order; ``files`` are single-file plugins."""
    found = [*_installed(), *(item for path in files for item in _from_file(path))]
    plugins = {(p.kind, p.module, p.spec.name): p for p in found if isinstance(p, Plugin)}
    broken = [item for item in found if isinstance(item, Broken)]
    ordered = sorted(plugins.values(), key=lambda p: (p.kind, p.spec.name, p.module))
    return Found(tuple(ordered), tuple(sorted(broken, key=lambda b: (b.kind, b.name))))


def models(found: Found | None = None) -> dict[str, ModelSpec]:
    """Model specs by name."""
    return {s.name: s for s in _specs(found) if isinstance(s, ModelSpec)}


def corpora(found: Found | None = None) -> dict[str, CorpusSpec]:
    """Corpus specs by name."""
    return {s.name: s for s in _specs(found) if isinstance(s, CorpusSpec)}


def resolve(spec: Spec) -> Callable[..., Any]:
    """The callable behind ``spec.entry``; :class:`Unsupported` where a package that it requires is missing."""
    lacking = missing(spec)
    if lacking:
        names = ", ".join(lacking)
        raise Unsupported(
            f"{spec.name} needs the package {names}, which is not installed: pip install {' '.join(lacking)}"
        )
    module_name, _, attribute = spec.entry.partition(":")
    if not attribute:
        raise InputError(
            f"entry {spec.entry!r} is not 'module:callable'", where=spec.name, fix="mend the plugin's SPEC"
        )
    entry = getattr(importlib.import_module(module_name), attribute, None)
    if not callable(entry):
        raise InputError(f"entry {spec.entry!r} names nothing callable", where=spec.name, fix="mend the plugin's SPEC")
    return entry  # type: ignore[no-any-return]


def missing(spec: Spec) -> list[str]:
    """The packages that a plugin requires and that are not installed."""
    return missing_packages(spec.requires)


def missing_packages(names: Iterable[str]) -> list[str]:
    """Those of these distributions that are not installed."""
    return [name for name in names if not _is_installed(name)]


def folder_of(plugin: Plugin) -> tuple[Path, ...]:
    """The files that make up a plugin, for its digest: the modules of SPEC and entry, with the packages they lie in."""
    entry = importlib.util.find_spec(plugin.spec.entry.partition(":")[0])
    origins = {Path(str(sys.modules[plugin.module].__file__))}
    if entry is not None and entry.origin is not None:
        origins.add(Path(entry.origin))
    return tuple(sorted({path.resolve() for origin in origins for path in _around(origin)}))


def _around(origin: Path) -> Iterator[Path]:
    if not (origin.parent / "__init__.py").is_file():
        yield origin
        return
    yield from (p for p in origin.parent.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def _specs(found: Found | None) -> Iterator[Spec]:
    return (plugin.spec for plugin in (found or scan()).plugins)


@cache
def _installed() -> tuple[Plugin | Broken, ...]:
    """In-tree and entry-point plugins; they cannot change while we run."""
    return tuple(item for kind in _SCANNED for item in (*_in_tree(kind), *_entry_points(kind)))


def _in_tree(kind: Kind) -> Iterator[Plugin | Broken]:
    package = importlib.import_module(_SCANNED[kind])
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_") or (kind == "corpus" and not _holds_spec(package, info.name)):
            continue
        yield from _read(f"{package.__name__}.{info.name}", kind, "in-tree", _version("earmark"))


def _holds_spec(package: ModuleType, name: str) -> bool:
    """The corpora package holds helpers too: import only what says SPEC, so that listing stays instant."""
    base = Path(next(iter(package.__path__))) / name
    source = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    text = source.read_text(encoding="utf-8")
    return any(line.startswith(("SPEC ", "SPECS ", "SPEC:", "SPECS:")) for line in text.splitlines())


def _entry_points(kind: Kind) -> Iterator[Plugin | Broken]:
    for point in metadata.entry_points(group=_GROUPS[kind]):
        distribution = point.dist
        origin = distribution.name if distribution else "entry point"
        version = distribution.version if distribution else "unknown"
        yield from _read(point.module, kind, origin, version, name=point.name, attribute=point.attr or None)


def _read(
    module_name: str, kind: Kind, origin: str, version: str, *, name: str | None = None, attribute: str | None = None
) -> Iterator[Plugin | Broken]:
    name = name or module_name.rpartition(".")[2]
    try:
        module = importlib.import_module(module_name)
        yield from _plugins_of(module, kind, origin, version, attribute)
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises must not hide the others
        yield Broken(name, kind, origin, f"{type(error).__name__}: {error}".splitlines()[0])


def _plugins_of(
    module: ModuleType, kind: Kind | None, origin: str, version: str, attribute: str | None = None
) -> list[Plugin]:
    specs = [getattr(module, attribute)] if attribute else [*getattr(module, "SPECS", ())]
    if not attribute and hasattr(module, "SPEC"):
        specs.append(module.SPEC)
    if not specs:
        raise TypeError("it has no SPEC")
    title = (module.__doc__ or "").strip().split("\n")[0]
    return [Plugin(spec, _kind_of(spec, kind), origin, version, module.__name__, title) for spec in specs]


def _kind_of(spec: object, expected: Kind | None) -> Kind:
    for kind, spec_type in _TYPES.items():
        if isinstance(spec, spec_type) and expected in (None, kind):
            return kind
    wanted = _TYPES[expected].__name__ if expected else "a ModelSpec, FairnessSpec or CorpusSpec"
    raise TypeError(f"its SPEC is {type(spec).__name__}, not {wanted}")


def _from_file(path: Path) -> list[Plugin]:
    """A file given by hand must work: what is wrong with it is the user's to mend now."""
    if not path.is_file():
        raise InputError("no such file", where=str(path), fix="give --plugin the path of a Python file with a SPEC")
    try:
        return _plugins_of(_module_of(path), None, str(path), "file")
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"{type(error).__name__}: {error}", where=str(path), fix="mend the plugin") from error


def _module_of(path: Path) -> ModuleType:
    """The file as a module called by its stem, so that an entry ``stem:build`` means this very file."""
    if not path.stem.isidentifier():
        raise InputError(f"{path.stem!r} is no module name", where=str(path), fix="rename the file, e.g. my_model.py")
    known = sys.modules.get(path.stem)
    importable = known.__spec__ if known is not None else importlib.util.find_spec(path.stem)
    if importable is not None:
        if importable.origin is None or Path(importable.origin).resolve() != path.resolve():
            raise InputError(f"a module called {path.stem!r} exists already", where=str(path), fix="rename the file")
        return importlib.import_module(path.stem)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InputError("not a Python file", where=str(path), fix="give --plugin a .py file with a SPEC")
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _version(name: str) -> str:
    return metadata.version(name) if _is_installed(name) else "unknown"
