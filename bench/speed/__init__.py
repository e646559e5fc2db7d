"""The asv suite: how stored numbers and bare calls move from commit to commit. Not part of the wheel.

    asv machine --yes
    asv run -E existing:python --set-commit-hash "$(git rev-parse HEAD)"
    python -m earmark.bench.speed.scrub results/asv

``stored.py`` tracks what the result tables say, ``streaming.py`` times models outside the harness. asv is the trend
layer; the tables stay the truth. Every tracked number is one of which less is better, since asv assumes so. A
benchmark keeps its history for as long as its ``version`` stays the same.

EARMARK_RESULTS names other tables to read, EARMARK_COMMIT another commit whose rows to track.
"""
