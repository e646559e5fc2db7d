"""What a conversation model says of a recording as it is heard: a lane for each output channel, with marks of turns."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from earmark.bench import clock
from earmark.bench.api import Recognizer, Samples, Token
from earmark.bench.metrics.conversation import Mark, read_turns

FEWEST = 2
"""Lanes that are shown even where nobody speaks."""
OPENED, CLOSED = "▶", "■"
"""Marks of start-of-turn and end-of-turn tokens: those that the model says, none is made up."""


@dataclass(frozen=True, slots=True)
class Lane:
    """The text of a channel with its marks, what may still change, and whether the last update changed it."""

    final: str
    partial: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Talk:
    """All lanes after some audio."""

    audio_s: float
    lanes: tuple[Lane, ...]
    turns: tuple[tuple[int, float, float, str], ...] = ()
    """At the end: channel, audio heard with the first and with the last token, and text of every turn."""
    done: bool = False


def listen(model: Recognizer, samples: Samples, *, chunk: int, rate_hz: int) -> Iterator[Talk]:
    """Yields the lanes each time one changes, and once at the end."""
    stream, marks, shown = model.stream(), list[Mark](), list[tuple[str, str]]()
    tentative: tuple[Token, ...] = ()
    fed = 0
    for part in [*clock.cut(samples, chunk), np.zeros(0, dtype=np.float32)]:
        update = stream.accept(part) if len(part) else stream.finish()
        fed += len(part)
        marks += [Mark(token.channel, token.kind, token.text, fed / rate_hz) for token in update.final]
        tentative = tentative if update.partial is None and len(part) else update.partial or ()
        lanes = _lanes(marks, tentative)
        before, shown = [*shown, *[("", "")] * (len(lanes) - len(shown))], lanes
        if lanes != before or not len(part):
            rows = tuple(Lane(*lane, changed=lane != old) for lane, old in zip(lanes, before, strict=True))
            yield Talk(fed / rate_hz, rows, () if len(part) else _turns(marks), done=not len(part))


def present(talks: Iterable[Talk], *, as_json: bool) -> None:
    """Show the lanes as they grow: rewritten in place on a terminal, elsewhere a line for each that changes."""
    if as_json:
        for talk in talks:
            print(json.dumps(asdict(talk), ensure_ascii=False), flush=True)
    elif sys.stdout.isatty():
        _in_place(talks)
    else:
        for talk in talks:
            for line in plain(talk):
                print(line, flush=True)


def plain(talk: Talk) -> Iterator[str]:
    """Lines for lanes that changed; at the end, a line for each turn."""
    for number, lane in enumerate(talk.lanes, start=1):
        if lane.changed:
            tentative = f" [{lane.partial}]" if lane.partial else ""
            yield f"{talk.audio_s:>7.2f} s  {number}  {lane.final}{tentative}"
    if talk.done:
        yield from _told(talk)


def _told(talk: Talk) -> Iterator[str]:
    yield "turns"
    yield from (f"{first:>7.2f} - {last:.2f} s  {channel + 1}  {text}" for channel, first, last, text in talk.turns)


def _in_place(talks: Iterable[Talk]) -> None:
    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False) as live:
        for talk in talks:
            live.update(_rendered(talk, console.width), refresh=True)
            if talk.done:
                turns = Text("\n".join(_told(talk)))
                live.update(Text("\n").join([_rendered(talk, console.width), turns]), refresh=True)


def _rendered(talk: Talk, width: int) -> Text:
    """The end of every lane that fits into a line."""
    room, lines = max(10, width - 6), []
    for number, lane in enumerate(talk.lanes, start=1):
        final, partial = lane.final[-room:], lane.partial[: max(0, room - len(lane.final))]
        lines.append(Text.assemble((f" {number} ", "reverse"), " ", final, " ", (partial, "dim")))
    return Text("\n").join(lines)


def _lanes(marks: Iterable[Mark], tentative: Iterable[Token]) -> list[tuple[str, str]]:
    """Final and tentative text of every channel."""
    final: dict[int, str] = defaultdict(str)
    partial: dict[int, str] = defaultdict(str)
    signs = {"start_of_turn": f" {OPENED}", "end_of_turn": f" {CLOSED}"}
    for mark in marks:
        final[mark.channel] += signs.get(mark.kind, mark.text)
    for token in tentative:
        partial[token.channel] += token.text
    n = max([FEWEST - 1, *final, *partial]) + 1
    return [(final[channel].strip(), partial[channel].strip()) for channel in range(n)]


def _turns(marks: list[Mark]) -> tuple[tuple[int, float, float, str], ...]:
    found = read_turns(marks)
    return tuple(
        (
            turn.channel,
            turn.first_s if turn.opened_s is None else turn.opened_s,
            turn.last_s if turn.closed_s is None else turn.closed_s,
            turn.text,
        )
        for turn in found
    )
