"""`python -m earmark` is the `earmark` command."""

from __future__ import annotations

from earmark.bench.cli import main

if __name__ == "__main__":
    main()
