"""Cards on the page: what a README says as trees, of which nothing is markup."""

from __future__ import annotations

from typing import Any

import pytest

from earmark.bench.board.cards import cards, trees

HOSTILE = """# T <script>alert(1)</script>

<img src=x onerror=alert(1)> and <b>bold</b>

![picture](https://example.org/x.png) [here](https://example.org/y) [there](other.md) <https://example.org/z>
"""


def flat(tree: Any) -> list[str]:
    return [tree] if isinstance(tree, str) else [text for part in tree[1:] for text in flat(part)]


def elements(tree: Any) -> set[str]:
    return set() if isinstance(tree, str) else {tree[0]}.union(*map(elements, tree[1:]))


def test_a_card_is_headings_paragraphs_lists_tables_and_code() -> None:
    text = "# A\n\nb *c* **d** `e`\n\n- f\n- g\n\n| h | i |\n|---|---|\n| 1 | 2 |\n\n```bash\nj <k>\n```\n"
    found = trees(text)
    assert [tree[0] for tree in found] == ["h1", "p", "ul", "table", "pre"]
    assert found[1] == ["p", "b ", ["em", "c"], " ", ["strong", "d"], " ", ["code", "e"]]
    assert found[3][2] == ["tbody", ["tr", ["td", "1"], ["td", "2"]]]
    assert found[4] == ["pre", "j <k>\n"]


def test_markup_in_a_card_stays_text_and_links_become_addresses() -> None:
    found = trees(HOSTILE)
    assert set().union(*map(elements, found)) <= {"h1", "p"}
    said = "".join(text for tree in found for text in flat(tree))
    for text in ("<script>", "onerror=alert(1)", "<b>bold</b>", "here (https://example.org/y)", "there "):
        assert text in said
    assert said.count("https://example.org/z") == 1  # an address that is its own text is not said twice
    assert "other.md" not in said


@pytest.mark.parametrize("name", ["amortized", "resnetse"])
def test_an_installed_model_has_its_card(name: str) -> None:
    ((found, card),) = cards([name, "nobody"])
    assert found == name
    assert card[0] == ["h1", name]
