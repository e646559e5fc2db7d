"""The page: stored tables in, one HTML file out, readable offline and without scripts. Imports no torch."""

from earmark.bench.board.page import build_board

__all__ = ["build_board"]
