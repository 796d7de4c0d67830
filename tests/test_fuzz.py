"""The fuzz targets, on a few inputs each and on what fuzzing has found: see `tests.fuzz`."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings, strategies as st

from tests.fuzz import answers, files, forms, messages

TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "answers": answers.judge,
    "files": files.judge,
    "forms": forms.judge,
    "messages": messages.judge,
}
FOUND: Final = sorted((Path(__file__).parent / "corpora" / "fuzz").iterdir())
"""Inputs that once broke a target, by its name."""
WORDS: Final = st.sampled_from(
    [
        *(b'"', b"{", b"[", b"]}", b",", b":", b"\n", b"\0", b"\xff", b"%40", b"&#64;", b"=40", b"@"),
        *(b"ada@example.com", b"inputs", b"errors", b"Email,Join Time\n", b"--x\r\n"),
    ]
)


@settings(max_examples=60)
@given(data=st.one_of(st.binary(max_size=200), st.lists(WORDS, max_size=30).map(b"".join)))
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_that_is_read_raises(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.parametrize("found", FOUND, ids=lambda path: path.name)
def test_what_was_found_is_fixed(found: Path) -> None:
    TARGETS[found.name.partition("-")[0]](found.read_bytes())
