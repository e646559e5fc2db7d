"""Every plugin in the tree, and every one that is installed beside it, keeps its promises."""

from __future__ import annotations

import pytest

from earmark.bench import contract, registry
from earmark.bench.api import CorpusSpec

PLUGINS = [plugin for plugin in registry.scan().plugins if not isinstance(plugin.spec, CorpusSpec)]


def test_there_is_something_to_check() -> None:
    assert {"pocketsphinx", "resemblyzer"} <= {plugin.spec.name for plugin in PLUGINS}


@pytest.mark.slow
@pytest.mark.parametrize("plugin", PLUGINS, ids=[plugin.spec.name for plugin in PLUGINS])
def test_it_keeps_its_promises(plugin: registry.Plugin) -> None:
    missing = [name for name in plugin.spec.requires if not registry._is_installed(name)]
    if missing:
        pytest.skip(f"{plugin.spec.name} was NOT checked: {', '.join(missing)} is not installed")
    verdicts = contract.check_plugin(plugin, budget_s=5.0)
    assert {v.promise: v.detail for v in verdicts if v.status == "failed"} == {}
    assert any(v.status == "passed" for v in verdicts)
