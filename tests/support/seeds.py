"""The seeds of a long proof: as many as `SEEDS` in the environment says."""

import os


def seeds(usual: int, first: int = 0) -> range:
    """Give the seeds from `first` on, `usual` where the environment names no number."""
    return range(first, first + int(os.environ.get("SEEDS", usual)))
