"""Names of corpora that are made from others."""

from __future__ import annotations

import pytest

from earmark.bench.api import InputError
from earmark.bench.corpora.naming import CorpusName, label_of, parse


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("conversations:synthetic", CorpusName("conversations", {}, "synthetic")),
        ("libricss(protocol=continuous):/data/css", CorpusName("libricss", {"protocol": "continuous"}, "/data/css")),
        ("conversations( a = 1 , b=x )", CorpusName("conversations", {"a": "1", "b": "x"}, None)),
        ("a-b():c:d", CorpusName("a-b", {}, "c:d")),
    ],
)
def test_parts(text: str, wanted: CorpusName) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize("text", ["synthetic", "/data/calls", "./a:b", "C:\\data", "a/b:c", "", "conversations:"])
def test_what_is_no_such_name(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("settings", ["a", "=1", "a=1,a=2"])
def test_settings_that_are_none(settings: str) -> None:
    with pytest.raises(InputError, match="name\\(key=value"):
        parse(f"conversations({settings}):x")


def test_labels_name_no_folder() -> None:
    assert label_of("conversations(b=2,a=1):/home/me/calls") == "conversations(b=2,a=1):calls"
    assert label_of("./calls") == "calls"
    assert label_of("synthetic") == "synthetic"
