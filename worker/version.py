"""The version of this Turnout: pyproject.toml's, wherever it runs."""


def version() -> str:
    """Give the version that was installed; in the image, which installs only what we need, pyproject.toml has it."""
    from importlib import metadata  # for `--help` this module is imported too, which asks for no version

    try:
        return metadata.version("turnout")
    except metadata.PackageNotFoundError:
        import tomllib
        from pathlib import Path

        project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
        return str(project["project"]["version"])
