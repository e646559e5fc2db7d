"""A tiny honest fake of every plugin family: each keeps the contract, and nothing else."""
