"""Each package's docstring is the map of its folder."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(
    path.parent.relative_to(ROOT).as_posix()
    for top in ("cli", "hubspot_api", "migrations", "models", "sandbox", "tasks", "tests/support", "web", "worker")
    for path in (ROOT / top).rglob("__init__.py")
    if path.parent.name != "versions"
)


def test_every_package_is_looked_at() -> None:
    assert len(PACKAGES) >= 19


@pytest.mark.parametrize("package", PACKAGES)
def test_the_docstring_of_a_package_is_the_map_of_its_folder(package: str) -> None:
    folder = ROOT / package
    there = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__"}
    there |= {path.parent.name for path in folder.glob("*/__init__.py")}
    bullets = re.findall(
        r"^- .*(?:\n  .*)*", ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or "", re.MULTILINE
    )
    assert set(re.findall(r"`(\w+)`", "".join(bullets))) == there
