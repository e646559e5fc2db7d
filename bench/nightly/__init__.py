"""Unattended nights: run a suite anew, compare it with the last good night, say on one screen what got worse.

:func:`night` does it all; :func:`accept` tells that what was found in a night is meant to be so. ``docs/nightly.md``
says what is compared, what is kept and for how long.
"""

from earmark.bench.nightly.records import accept
from earmark.bench.nightly.watch import Wish, night, wish

__all__ = ["Wish", "accept", "night", "wish"]
