"""The console's document and its pictures: made by a command, and there."""

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests import screenshots
from tests.support.browser import CHROMIUM

ROOT = Path(__file__).parent.parent
HERE = ROOT / "docs" / "screenshots"


def size_of(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG"), path
    width, height = struct.unpack(">II", head[16:])
    return int(width), int(height)


def test_the_document_shows_each_picture_that_is_made_and_no_other() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(screenshots/([\w-]+)\.png\)", (ROOT / "docs" / "console.md").read_text())
    made = [picture.name for picture in screenshots.PICTURES]
    assert sorted(shown) == sorted(made) == sorted(path.stem for path in HERE.iterdir())


def test_the_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in HERE.iterdir()) < 1_500_000
    assert all(size_of(path)[0] <= 1_200 for path in HERE.iterdir())


@pytest.mark.skipif("CI" not in os.environ and CHROMIUM is None, reason="needs Debian's Chromium")
def test_the_command_makes_a_picture(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.screenshots", "errors", "--to", str(tmp_path / "made")]
    subprocess.run(command, cwd=ROOT, check=True, timeout=110)
    (made,) = (tmp_path / "made").iterdir()
    assert (made.name, size_of(made)) == ("errors.png", (1_200, 800))
    assert made.stat().st_size > 30_000
