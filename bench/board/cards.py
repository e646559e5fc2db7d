"""The cards of models as trees of elements: what a page shows of a README, none of whose text it reads as markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from earmark.bench import registry

NAME = "README.md"
TEXTS = ("text", "html_inline", "html_block", "image")
CODES = {"code_inline": "code", "fence": "pre", "code_block": "pre"}
BREAKS = ("softbreak", "hardbreak")
Tree = list[Any]
"""The name of an element, then what is in it: texts and trees."""


def cards(names: Iterable[str]) -> Iterator[tuple[str, list[Tree]]]:
    """The plugins among ``names`` that are installed with a card, each with what its card says."""
    wanted = set(names)
    for plugin in registry.scan().plugins:
        if plugin.spec.name in wanted:
            texts = [path for path in registry.folder_of(plugin) if path.name == NAME]
            if texts:
                wanted.remove(plugin.spec.name)
                yield plugin.spec.name, trees(min(texts, key=_depth).read_text(encoding="utf-8"))


def _depth(path: Path) -> int:
    return len(path.parts)


def trees(text: str) -> list[Tree]:
    """Markdown (CommonMark with tables) as trees.

    >>> trees("# One\\n\\nA *word* `x`.")
    [['h1', 'One'], ['p', 'A ', ['em', 'word'], ' ', ['code', 'x'], '.']]
    """
    root = SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(text))
    return [tree for node in root.children for tree in _trees(node)]


def _trees(node: SyntaxTreeNode) -> Iterator[Any]:
    """What a node is on the page; a link is its text, with where it leads behind it."""
    if node.type in TEXTS:
        yield node.content
    elif node.type in BREAKS:
        yield " "
    elif node.type in CODES:
        yield [CODES[node.type], node.content]
    else:
        inside = [tree for child in node.children for tree in _trees(child)]
        if node.type == "link":
            yield from inside
            yield from _target(str(node.attrs.get("href", "")), inside)
        elif node.tag:
            yield [node.tag, *inside]
        else:
            yield from inside


def _target(address: str, inside: list[Any]) -> Iterator[str]:
    if "://" in address and [address] != inside:
        yield f" ({address})"
