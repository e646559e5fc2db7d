"""Plugins are found in the tree, through entry points and in files; trouble in one never hides the others."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from earmark.bench import registry
from earmark.bench.api import FairnessSpec, InputError, ModelSpec, Unsupported
from earmark.bench.provenance import plugin_digest

GOOD = """
    '''Hears nothing. https://example.org'''
    from earmark.bench.api import ModelSpec
    SPEC = ModelSpec({name!r}, "recognition", "{module}:build", ("one",), "MIT", "here")
    def build(preset, *, options, vocabulary, seed, device):
        return preset
"""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test sees its own plugins, and leaves no module behind."""
    before = set(sys.modules)
    registry._installed.cache_clear()
    yield
    for name in set(sys.modules) - before:
        if not name.startswith("earmark"):
            monkeypatch.delitem(sys.modules, name)
    registry._installed.cache_clear()


def write(path: Path, source: str, **values: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(source.format(**values) if values else source))
    return path


def distribute(site: Path, distribution: str, points: dict[str, str], group: str = "earmark.models") -> None:
    """A distribution as an installer leaves it, with entry points."""
    folder = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
    lines = "\n".join(f"{name} = {value}" for name, value in points.items())
    write(folder / "METADATA", f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
    write(folder / "entry_points.txt", f"[{group}]\n{lines}\n")


def test_a_card_is_read_with_a_plugin_but_makes_no_other_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {"__init__": "", "model": GOOD.format(name="told", module="told.model")}.items():
        write(tmp_path / "told" / f"{name}.py", text)
    distribute(tmp_path, "told-dist", {"told": "told.model"})
    monkeypatch.syspath_prepend(str(tmp_path))
    plugin = registry.scan().named("told", "model")
    before = plugin_digest(plugin)
    card = write(tmp_path / "told" / "README.md", "# told")
    assert card in registry.folder_of(plugin)
    assert plugin_digest(plugin) == before
    write(tmp_path / "told" / "table.json", "[]")
    assert plugin_digest(plugin) != before


def test_a_plugin_of_another_distribution_is_found_and_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "far_plugin.py", GOOD, name="far", module="far_plugin")
    distribute(tmp_path, "far-dist", {"far": "far_plugin"})
    monkeypatch.syspath_prepend(str(tmp_path))
    plugin = registry.scan().named("far", "model")
    assert (plugin.origin, plugin.version, plugin.title) == ("far-dist", "1.2", "Hears nothing. https://example.org")
    assert registry.resolve(plugin.spec)("one", options={}, vocabulary=None, seed=0, device="cpu") == "one"
    assert registry.folder_of(plugin) == (tmp_path / "far_plugin.py",)


def test_an_entry_point_may_name_the_spec_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "two_specs.py", GOOD.replace("SPEC =", "OTHER ="), name="second", module="two_specs")
    distribute(tmp_path, "pair", {"second": "two_specs:OTHER"})
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "second" in registry.models(registry.scan())


def test_a_broken_plugin_is_listed_with_its_cause_and_hides_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "sound_plugin.py", GOOD, name="sound", module="sound_plugin")
    write(tmp_path / "crashing_plugin.py", "raise RuntimeError('no license\\nsecond line')\n")
    write(tmp_path / "empty_plugin.py", "\n")
    write(tmp_path / "odd_plugin.py", "SPEC = 'a string'\n")
    points = {"crashing": "crashing_plugin", "empty": "empty_plugin", "odd": "odd_plugin", "gone": "no_such_module"}
    distribute(tmp_path, "mixed", {**points, "sound": "sound_plugin"})
    monkeypatch.syspath_prepend(str(tmp_path))
    found = registry.scan()
    assert "sound" in registry.models(found)
    causes = {broken.name: broken.cause for broken in found.broken if broken.origin == "mixed"}
    assert causes["crashing"] == "RuntimeError: no license"
    assert causes["empty"] == "TypeError: it has no SPEC"
    assert causes["odd"] == "TypeError: its SPEC is str, not ModelSpec"
    assert causes["gone"].startswith("ModuleNotFoundError")
    with pytest.raises(InputError, match="model 'crashing' is broken: RuntimeError: no license"):
        found.named("crashing", "model")


def test_a_duplicate_names_both_origins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        write(tmp_path / f"same_{name}.py", GOOD, name="same", module=f"same_{name}")
        distribute(tmp_path, f"dist-{name}", {"same": f"same_{name}"})
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=r"dist-one \(same_one\) and dist-two \(same_two\)"):
        registry.scan().named("same", "model")


def test_a_model_and_a_fairness_method_may_share_a_name() -> None:
    model = ModelSpec("x", "recognition", "m:b", ("one",), "MIT", "here")
    method = FairnessSpec("x", "finder", "m:b", "here", ("recognition",))
    plugins = (
        registry.Plugin(model, "model", "a", "1", "m", ""),
        registry.Plugin(method, "fairness", "b", "1", "m", ""),
    )
    assert registry.Found(plugins, ()).named("x", "fairness").spec is method


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [("conformr", ["conformer", "rnnt"], "did you mean conformer?"), ("zzz", ["rnnt"], "there is rnnt"),
     ("x", [], "no model is installed")],
)  # fmt: skip
def test_an_unknown_name_is_answered_with_near_ones(name: str, known: list[str], hint: str) -> None:
    assert str(registry.unknown("model", name, known)) == f"unknown model {name!r}; {hint}"


def test_a_single_file_is_a_plugin_twice_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "my_model.py", GOOD, name="mine", module="my_model")
    plugin = registry.scan((path,)).named("mine", "model")
    assert (plugin.origin, plugin.version) == (str(path), "file")
    assert registry.scan((path, path)).named("mine", "model") == plugin
    assert registry.resolve(plugin.spec)("one", options={}, vocabulary=None, seed=0, device="cpu") == "one"


@pytest.mark.parametrize(
    ("file", "source", "complaint"),
    [
        ("gone.py", None, "no such file"),
        ("json.py", "SPEC = 1\n", "a module called 'json' exists already"),
        ("unsound.py", "raise ValueError('no')\n", "ValueError: no"),
        ("specless.py", "x = 1\n", "it has no SPEC"),
        ("notes.txt", "hello\n", "not a Python file"),
    ],
)
def test_a_bad_file_is_the_users_to_mend(tmp_path: Path, file: str, source: str | None, complaint: str) -> None:
    if source is not None:
        write(tmp_path / file, source)
    with pytest.raises(InputError, match=complaint) as caught:
        registry.scan((tmp_path / file,))
    assert str(tmp_path / file) in str(caught.value)


def test_a_missing_requirement_is_unsupported_and_says_how_to_get_it() -> None:
    spec = ModelSpec("x", "recognition", "json:loads", ("one",), "MIT", "here", requires=("no-such-package",))
    with pytest.raises(Unsupported, match="pip install no-such-package"):
        registry.resolve(spec)


@pytest.mark.parametrize("entry", ["json", "json:no_such_function", "json:__name__"])
def test_an_entry_must_name_something_callable(entry: str) -> None:
    with pytest.raises(InputError, match="SPEC"):
        registry.resolve(ModelSpec("x", "recognition", entry, ("one",), "MIT", "here"))


def test_in_tree_plugins_are_sound_and_named_after_their_folder() -> None:
    found = registry.scan()
    in_tree = [plugin for plugin in found.plugins if plugin.origin == "in-tree"]
    assert [broken for broken in found.broken if broken.origin == "in-tree"] == []
    for plugin in in_tree:
        if plugin.kind != "corpus":
            assert plugin.module.rpartition(".")[2] == plugin.spec.name
        assert plugin.title
        assert plugin.spec.source
    assert {"pocketsphinx", "resemblyzer"} <= set(registry.models(found))
    assert "synthetic" in registry.corpora(found)


def test_listing_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'datasets', 'pyarrow', 'scipy', 'pandas'}"
    code = f"import sys; from earmark.bench import registry; registry.scan(); print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
