"""Fairness plugins, one folder each; a folder with a `SPEC` is found without registration."""
