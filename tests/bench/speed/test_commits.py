"""Worktrees for commits of the past: what a killed run leaves behind is in nobody's way."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from earmark.bench.speed import commits


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one commit, and where its worktrees lie."""
    root = tmp_path / "checkout"
    root.mkdir()
    monkeypatch.setattr(commits, "ROOT", root)
    monkeypatch.setattr(commits, "WORK", root / ".asv" / "commits")
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    for command in (("init", "--quiet"), (*identity, "commit", "--quiet", "--allow-empty", "-m", "first")):
        subprocess.run(["git", "-C", str(root), *command], check=True)
    return root / ".asv" / "commits"


@pytest.mark.parametrize("lost", ["nothing", "its files", "what git knows"])
def test_a_worktree_that_a_killed_run_left_is_made_again(work: Path, lost: str) -> None:
    tree = work / "abcdef12" / "tree"
    commits.git("worktree", "add", "--detach", "--force", str(tree), "HEAD")
    if lost == "its files":
        subprocess.run(["rm", "-r", str(tree)], check=True)
    elif lost == "what git knows":
        subprocess.run(["rm", "-r", str(commits.ROOT / ".git" / "worktrees")], check=True)
    commits._forget(tree)
    assert not tree.exists()
    assert len(commits.git("worktree", "list").splitlines()) == 1
    commits.git("worktree", "add", "--detach", "--force", str(tree), "HEAD")
    assert (tree / ".git").is_file()
