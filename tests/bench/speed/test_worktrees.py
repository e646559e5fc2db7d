"""Worktrees for commits of the past: what a killed run leaves behind is in nobody's way."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import worktrees


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with one commit."""
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    for command in (("init", "--quiet"), (*identity, "commit", "--quiet", "--allow-empty", "-m", "first")):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


@pytest.mark.parametrize("lost", ["nothing", "its files", "what git knows"])
def test_a_worktree_that_a_killed_run_left_is_made_again(root: Path, lost: str) -> None:
    tree = root / ".asv" / "commits" / "abcdef12" / "tree"
    worktrees.make(root, tree, "HEAD")
    if lost == "its files":
        shutil.rmtree(tree)
    elif lost == "what git knows":
        shutil.rmtree(root / ".git" / "worktrees")
    worktrees.make(root, tree, "HEAD")
    assert (tree / ".git").is_file()
    worktrees.forget(root, tree)
    assert not tree.exists()
    assert len(worktrees.git(root, "worktree", "list").splitlines()) == 1
