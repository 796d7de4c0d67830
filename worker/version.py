"""The version of this Turnout: pyproject.toml's, wherever it runs."""

import tomllib
from importlib.metadata import PackageNotFoundError, version as installed
from pathlib import Path


def version() -> str:
    """Give the version that was installed; in the image, which installs only what we need, pyproject.toml has it."""
    try:
        return installed("turnout")
    except PackageNotFoundError:
        project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
        return str(project["project"]["version"])
