"""Worktrees of this checkout: commits of the past, each in a folder for a while."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def git(root: Path, *arguments: str) -> str:
    """What git says in the checkout ``root``; CalledProcessError where it fails."""
    done = subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def make(root: Path, tree: Path, sha: str) -> None:
    """A worktree of a commit, in the place of one that a killed run left."""
    forget(root, tree)
    git(root, "worktree", "add", "--detach", "--force", str(tree), sha)


def forget(root: Path, tree: Path) -> None:
    """No worktree there, neither its files nor what git remembers of it."""
    shutil.rmtree(tree, ignore_errors=True)
    git(root, "worktree", "prune")
