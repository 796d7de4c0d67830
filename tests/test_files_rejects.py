import csv
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest
from python_calamine import CalamineWorkbook

from models.input_check import Reason
from models.words import State
from tests.support import report_files
from worker.files.formats.content import open_content
from worker.files.lines import FileError
from worker.files.options import Options
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow
from worker.submission import rejects_file
from worker.submission.rejects_file import RefusedFile

CONTENT = open_content(io.BytesIO(b"Email,Date\na@example.com,2026-03-01\n"), Options())
OPTIONS = Options(state=State.REGISTER, object_id="7")


def refused_of(content: bytes, path: Path) -> RefusedFile:
    with RefusedFile(path) as rows:
        for item in Reading(io.BytesIO(content), OPTIONS).items():
            if isinstance(item, RejectedRow):
                rows.add(item)
    return rows


def test_refused_rows_are_mended_in_their_file_and_handed_in_again(tmp_path: Path) -> None:
    content = (
        'Email;Date;Note\r\nnobody;2026-03-01T10:00:00Z;"x;\ny"\r\na@example.com;2026-03-01T10:00:00Z;ok\r\n'
        "b@example.com;;late\r\n"
    )
    path = tmp_path / "refused.csv"
    refused_of(content.encode(), path)
    assert path.read_bytes().decode("utf-8-sig") == (
        "reason,line,refused,Email,Date,Note\r\n"
        '"line 2, Email: nobody is no e-mail address (An email address must have an @-sign); '
        'expected an address such as ada@example.com",2,,nobody,2026-03-01T10:00:00Z,"x;\ny"\r\n'
        '"line 5, Date: has no time; expected a time (in another column? --map ""Their column=time"")"'
        ",5,,b@example.com,,late\r\n"
    )
    mended = (
        path.read_text("utf-8-sig").replace(",nobody,", ",c@example.com,").replace(",,late", ",2026-03-02T10:00:00Z,")
    )
    reading = Reading(io.BytesIO(mended.encode()), OPTIONS)
    assert [item.candidate.contact for item in reading.items() if isinstance(item, FileRecord)] == [
        "c@example.com",
        "b@example.com",
    ]
    assert reading.facts.unread == ["Note"]


def test_refused_lines_of_json_can_be_handed_in_again_too(tmp_path: Path) -> None:
    path = tmp_path / "refused.csv"
    refused_of(b'{"email":"nobody","interactionDateTime":1772359200000}\n{"email":"a\n', path)
    mended = path.read_text("utf-8-sig").replace("nobody", "c@example.com")
    items = list(Reading(io.BytesIO(mended.encode()), OPTIONS).items())
    assert [type(item) for item in items] == [FileRecord, RejectedRow]


def test_nothing_is_written_where_nothing_is_refused(tmp_path: Path) -> None:
    rows = refused_of(b"Email,Date\na@example.com,2026-03-01T10:00:00Z\n", tmp_path / "refused.csv")
    assert not rows.written
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_cannot_be_written_is_written_escaped(tmp_path: Path) -> None:
    path = tmp_path / "refused.csv"
    with RefusedFile(path) as rows:
        rows.add(RejectedRow(2, (Reason("line 2", "holds", "x"),), b"", ("Email",), ((2, ["\udcff"]),)))
    assert "\\udcff" in path.read_text("utf-8-sig")


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    source = tmp_path / "list.csv"
    (tmp_path / "list.csv.refused.csv").write_text("being mended")
    assert RefusedFile.beside(str(source), None, CONTENT).path.name == "list.csv.refused-2.csv"
    with pytest.raises(FileError, match="is there already; expected a name that is free"):
        RefusedFile.beside(str(source), tmp_path / "list.csv.refused.csv", CONTENT)


def test_a_place_that_cannot_be_written_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written to; expected --refused FILE"):
        RefusedFile.beside(str(tmp_path / "nowhere" / "list.csv"), None, CONTENT)


def test_rows_from_standard_input_go_to_this_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert RefusedFile.beside("-", None, CONTENT).path == Path("stdin.refused.csv")


def test_a_column_named_by_its_place_is_the_same_in_the_file_of_refused_rows(tmp_path: Path) -> None:
    said = Options(state=State.REGISTER, object_id="7", mapping=(("#3", "email"),))
    content = b"Email,Date,Email\nbuyer@example.com,2026-03-01T10:00:00Z,nobody\n"
    path = tmp_path / "refused.csv"
    with RefusedFile(path) as rows:
        for item in Reading(io.BytesIO(content), said).items():
            assert isinstance(item, RejectedRow)
            rows.add(item)
    fixed = path.read_text("utf-8-sig").replace(",nobody", ",ana@example.com")
    (record,) = Reading(io.BytesIO(fixed.encode()), said).items()
    assert isinstance(record, FileRecord)
    assert record.candidate.contact == "ana@example.com"


def written(content: bytes, name: str, tmp_path: Path, said: Options = OPTIONS) -> Path:
    """Write what is refused of a file beside it."""
    reading = Reading(io.BytesIO(content), said)
    with RefusedFile.beside(str(tmp_path / name), None, reading.content, UUID(int=1)) as rows:
        for item in reading.items():
            if isinstance(item, RejectedRow):
                rows.add(item)
    return rows.path


WRONG = [["Email", "Date", "Note"], ["nobody", "2026-03-01T10:00:00Z", "=1+1"], ["b@example.com", "", "x"]]


def test_rows_of_a_workbook_come_back_as_one_with_the_problem_at_its_cell(tmp_path: Path) -> None:
    path = written(report_files.xlsx(WRONG), "list.xlsx", tmp_path)
    assert path.name == "list.xlsx.refused.xlsx"
    (header, first, second) = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    assert header == ["reason", "line", "refused", "Email", "Date", "Note"]
    assert first[2:] == [f"{UUID(int=1)}/1", "nobody", "2026-03-01T10:00:00Z", "=1+1"]
    assert second[1:4] == ["3", f"{UUID(int=1)}/2", "b@example.com"]
    notes = zipfile.ZipFile(path).read("xl/comments1.xml").decode()
    assert ('ref="D2"' in notes, "nobody is no e-mail address" in notes, 'ref="E3"' in notes) == (True, True, True)
    fixed = [[str(cell).replace("nobody", "a@example.com") for cell in row] for row in (header, first)]
    (record,) = Reading(io.BytesIO(report_files.xlsx(fixed)), OPTIONS).items()
    assert isinstance(record, FileRecord)
    assert record.corrects == (f"{UUID(int=1)}/1",)


@pytest.mark.parametrize(
    ("content", "name", "suffix"),
    [
        (report_files.xls(WRONG), "list.xls", ".xlsx"),
        (report_files.ods(WRONG), "list.ods", ".xlsx"),
        (report_files.html(WRONG), "list.xls", ".xlsx"),
        (report_files.csv(WRONG, ";"), "list.csv", ".csv"),
        (report_files.json(WRONG[0], WRONG[1:]), "list.json", ".jsonl"),
    ],
)
def test_rows_come_back_in_the_format_of_their_file(content: bytes, name: str, suffix: str, tmp_path: Path) -> None:
    path = written(content, name, tmp_path)
    assert path.name == f"{name}.refused{suffix}"
    if suffix == ".csv":
        assert path.read_text("utf-8-sig").startswith("reason;line;refused;Email;Date;Note")
    again = list(Reading(io.BytesIO(path.read_bytes()), OPTIONS).items())
    assert [one.corrects for one in again] == [(f"{UUID(int=1)}/1",), (f"{UUID(int=1)}/2",)]


def test_lines_of_json_come_back_as_lines_of_json(tmp_path: Path) -> None:
    content = b'{"email": "nobody", "interactionDateTime": 1772359200000}\n{"email": "b@example.com", }\n'
    path = written(content, "list.jsonl", tmp_path)
    first, second = (orjson.loads(line) for line in path.read_bytes().splitlines())
    assert (first["email"], first["line"], first["refused"]) == ("nobody", "1", f"{UUID(int=1)}/1")
    assert second["json"] == '{"email": "b@example.com", }'
    again = list(Reading(io.BytesIO(path.read_bytes()), OPTIONS).items())
    assert [(type(one), one.corrects) for one in again] == [
        (RejectedRow, (f"{UUID(int=1)}/1",)),
        (RejectedRow, (f"{UUID(int=1)}/2",)),
    ]
    fixed = path.read_bytes().replace(b"nobody", b"a@example.com")
    record = next(one for one in Reading(io.BytesIO(fixed), OPTIONS).items() if isinstance(one, FileRecord))
    assert (record.candidate.contact, record.corrects) == ("a@example.com", (f"{UUID(int=1)}/1",))


def refused_row(email: str, *, line: int = 2) -> RejectedRow:
    return RejectedRow(line, (Reason(f"line {line}, Email", "is wrong", "x"),), b"", ("Email",), ((line, [email]),))


def test_what_does_not_fit_into_a_workbook_is_in_a_text_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejects_file, "MOST_ROWS", 3)
    long = "x" * (rejects_file.LONGEST_CELL + 1)
    emoji = "\N{PARTY POPPER}" * (rejects_file.LONGEST_CELL // 2 + 1)
    path = tmp_path / "list.xlsx.refused.xlsx"
    (tmp_path / "list.xlsx.refused.csv").write_text("being corrected")
    with RefusedFile(path, UUID(int=1)) as rows:
        for line, email in enumerate(["a", long, emoji, "b", "c"], 2):
            rows.add(refused_row(email, line=line))
    beside = tmp_path / "list.xlsx.refused-2.csv"
    assert rows.written == (path, beside)
    cells = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    assert [(row[2], row[3]) for row in cells[1:]] == [(f"{UUID(int=1)}/1", "a"), (f"{UUID(int=1)}/4", "b")]
    with beside.open(encoding="utf-8-sig", newline="") as file:
        assert [row[3] for row in csv.reader(file)] == ["Email", long, emoji, "c"]


@pytest.mark.parametrize("from_1904", [True, False])
def test_days_that_are_numbers_stay_the_same_in_the_file_of_refused_rows(*, from_1904: bool, tmp_path: Path) -> None:
    table: list[list[report_files.Value]] = [["Email", "Date"], ["nobody", 44620.5]]
    said = replace(OPTIONS, zone=ZoneInfo("UTC"))
    path = written(report_files.xlsx(table, from_1904=from_1904), "list.xlsx", tmp_path, said)
    (record,) = Reading(io.BytesIO(replaced(path, b"nobody", b"a@example.com")), said).items()
    assert isinstance(record, FileRecord)
    assert record.candidate.interaction_date_time == 1772366400000 - (0 if from_1904 else 1462 * 86_400_000)


def replaced(path: Path, old: bytes, new: bytes) -> bytes:
    """Give a workbook with another text in its cells, as a program that leaves the rest alone writes it."""
    file = io.BytesIO()
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(file, "w") as after:
        for name in before.namelist():
            data = before.read(name)
            after.writestr(name, data.replace(old, new) if "/worksheets/" in name else data)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b'{"Email": "nobody", "Date": "2026-03-01T10:00:00Z", "reason": "Curious", "line": "7", "refused": "no"}\n',
        b'{"email": "nobody", "interactionDateTime": 1772359200000, "reason": "Curious", "line": "7"}\n',
    ],
)
def test_own_fields_that_are_called_as_ours_stay_beside_them(content: bytes, tmp_path: Path) -> None:
    path = written(content, "list.jsonl", tmp_path)
    line = orjson.loads(path.read_bytes())
    assert "is no e-mail address" in line["reason"]
    assert (line["line"], line["refused"]) == ("1", f"{UUID(int=1)}/1")
    assert b"Curious" in path.read_bytes()
    again = list(Reading(io.BytesIO(path.read_bytes()), OPTIONS).items())
    assert [one.corrects for one in again] == [(f"{UUID(int=1)}/1",)]
    second = written(path.read_bytes(), "again.jsonl", tmp_path)  # it is still wrong
    assert orjson.loads(second.read_bytes()).keys() == line.keys()
    assert b"Curious" in second.read_bytes()
