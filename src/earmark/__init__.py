"""earmark: speech systems measured for accuracy, speed and fairness at once."""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__"]
