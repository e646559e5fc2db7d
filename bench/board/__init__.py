"""The board: stored tables in, a static site out that opens from a disk, offline. Imports no torch."""

from earmark.bench.board.site import build_board

__all__ = ["build_board"]
