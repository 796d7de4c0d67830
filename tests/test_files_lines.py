import codecs
import io

import pytest

from worker.files.lines import BLOCK, LONGEST_LINE, FileError, Line, Lines


def lines(content: bytes, encoding: str | None = None) -> list[Line]:
    return list(Lines(io.BytesIO(content), encoding))


@pytest.mark.parametrize(
    "content",
    [
        "Émail,Zeit\nü,1".encode(),
        "Émail,Zeit\r\nü,1\r\n".encode(),
        "Émail,Zeit\rü,1".encode(),
        "\ufeffÉmail,Zeit\nü,1".encode(),
        "\ufeffÉmail,Zeit\nü,1".encode("utf-16-le"),
        "\ufeffÉmail,Zeit\nü,1".encode("utf-16-be"),
        "\ufeffÉmail,Zeit\nü,1".encode("utf-32-le"),
        "Émail,Zeit\nü,1".encode("utf-16-le"),
        "Émail,Zeit\nü,1".encode("utf-16-be"),
    ],
)
def test_the_usual_encodings_and_line_ends_are_told_by_themselves(content: bytes) -> None:
    assert lines(content) == [Line(1, "Émail,Zeit"), Line(2, "ü,1")]


def test_another_encoding_is_read_where_it_is_named() -> None:
    assert lines("Prénom\nRené\n".encode("windows-1252"), "windows-1252")[1] == Line(2, "René")


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        (b"", None, "is empty"),
        (b" \n\n", None, "is empty"),
        (b"\x1f\x8b....", None, "gunzip -c FILE"),
        (b"%PDF-1.7", None, "is a PDF"),
        (b"\x01\x02" + b"\x00" * 9 + b"abc" * 20, None, "is no text"),
        (b"Email\n", "klingon", "--encoding: klingon is unknown"),
    ],
)
def test_a_file_that_is_no_text_is_refused_with_what_would_be_right(
    content: bytes, encoding: str | None, said: str
) -> None:
    with pytest.raises(FileError) as error:
        Lines(io.BytesIO(content), encoding)
    assert said in str(error.value)


def test_a_byte_that_is_no_text_costs_its_own_line_alone() -> None:
    first, bad, last = lines("ä\n".encode() + b"b\xff\n" + "ö\n".encode())
    assert (first, last) == (Line(1, "ä"), Line(3, "ö"))
    assert bad.fault is not None
    assert "line 2: holds the byte 0xff" in str(bad.fault)


def test_a_file_cut_in_the_middle_of_a_character_loses_its_last_line_alone() -> None:
    first, last = lines("\ufeffab\ncd".encode("utf-16-le")[:-1])
    assert first == Line(1, "ab")
    assert last.fault is not None


def test_a_character_across_two_blocks_is_one_character() -> None:
    text = "ü" * BLOCK
    assert lines(text.encode()) == [Line(1, text)]


def test_a_line_without_end_is_refused_without_being_kept() -> None:
    long, last = lines(b"a" * (LONGEST_LINE + BLOCK * 2) + b"\nb")
    assert long.fault is not None
    assert len(long.text) < 100
    assert last == Line(2, "b")


def test_what_has_been_read_is_told_in_bytes() -> None:
    told: list[int] = []
    content = b"abc\n" * BLOCK
    assert sum(1 for _ in Lines(io.BytesIO(content), tick=told.append)) == BLOCK
    assert told[-1] == len(content)
    assert told == sorted(told)


def test_a_mark_is_passed_over_also_where_the_encoding_is_named() -> None:
    assert lines(codecs.BOM_UTF8 + b"a", "utf-8") == [Line(1, "a")]
