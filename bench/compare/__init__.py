"""Two runs compared: what got better, what got worse, and what nobody can tell. ``docs/compare.md`` says how.

:func:`compare` gives a :class:`Comparison`, :func:`render` puts it on one screen.
"""

from earmark.bench.compare.changes import Change, Verdict
from earmark.bench.compare.comparison import Comparison, compare
from earmark.bench.compare.render import render, summary
from earmark.bench.compare.words import Moved

__all__ = ["Change", "Comparison", "Moved", "Verdict", "compare", "render", "summary"]
