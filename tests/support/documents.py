"""The documents, read: their texts, and what stands in back-ticks in them."""

import re
from collections.abc import Iterator

from tests.support.dockerfile import ROOT

PAGES = sorted({"README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))})
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def fences(page: str, language: str) -> list[str]:
    return [body for named, body in FENCE.findall(text_of(page)) if named == language]


def code(text: str) -> Iterator[str]:
    """Give what stands between back-ticks, inline or as a block."""
    yield from (body for _, body in FENCE.findall(text))
    yield from INLINE.findall(FENCE.sub("", text))
