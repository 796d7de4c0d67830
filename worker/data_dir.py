"""What is kept on this machine in the data directory: nothing that another user may read or enter."""

import os
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o700
"""Of a mode, what its owner may; nobody else may anything."""


def make(data_dir: Path) -> None:
    """Make the directory where it is missing, and private whoever made it."""
    data_dir.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    _tighten(data_dir)


def valkey_home(data_dir: Path) -> Path:
    """Give the directory of the files of `turnout up`'s Valkey."""
    return data_dir.resolve() / "valkey"


def write(path: Path, text: str) -> None:
    """Write a file, which is private before anything stands in it."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
        _tighten(path)
        file.write(text)


def tighten(data_dir: Path, but: Path) -> None:
    """Make private what an earlier release, or another umask, left open; what is below `but` sees to itself."""
    for folder, folders, names in os.walk(data_dir):
        folders[:] = [name for name in folders if Path(folder, name) != but]
        for name in (*folders, *names):
            if not (path := Path(folder, name)).is_symlink():
                _tighten(path)


def _tighten(path: Path) -> None:
    mode = path.stat().st_mode
    if mode & 0o077:
        path.chmod(mode & PRIVATE)
