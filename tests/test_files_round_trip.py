"""What is not accepted of a file of any format is corrected in the file beside it, and submitted once."""

import json
from pathlib import Path
from typing import Any, Protocol

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import Engine

from cli.enqueue import NOT_ACCEPTED
from tasks.intake import intake
from tests.support import report_files
from tests.support.background import beside
from tests.support.fixtures import Turnout
from tests.support.ledger import Ledger, outcomes
from worker.context import Context

TITLES = ["Email", "Join Time", "Leave Time", "Note"]
ROWS = [
    ["ana@example.com", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z", "=1+1"],
    ["bob(at)example.com", "2026-03-01T10:05:00Z", "2026-03-01T11:00:00Z", "Zoë"],
    ["cee@example.com", "2026-03-01T10:05:00Z", "2026-03-01T09:00:00Z", ""],
]
TABLE = [TITLES, *ROWS]
HUBSPOTS = b"\n".join(
    json.dumps(
        {
            "email": email,
            "interactionDateTime": 1772359200000,
            "properties": {"joinedAt": joined, "leftAt": left.replace("T09", "T08")},
        }
    ).encode()
    for email, joined, left, _ in ROWS
)
FILES = {
    "CSV": ("list.csv", report_files.csv(TABLE), ".csv"),
    "CSV of German Excel": ("list.csv", report_files.csv(TABLE, ";", "cp1252"), ".csv"),
    "tabs in UTF-16": ("list.csv", report_files.csv(TABLE, "\t", "utf-16"), ".csv"),
    "xlsx": ("list.xlsx", report_files.xlsx(TABLE), ".xlsx"),
    "xlsb": ("list.xlsb", report_files.xlsb(TABLE), ".xlsx"),
    "xls": ("list.xls", report_files.xls(TABLE), ".xlsx"),
    "ods": ("list.ods", report_files.ods(TABLE), ".xlsx"),
    "a web page": ("list.xls", report_files.html(TABLE), ".xlsx"),
    "Excel's XML": ("list.xls", report_files.excel_xml(TABLE), ".xlsx"),
    "zip": ("list.zip", report_files.zipped(report_files.csv(TABLE)), ".csv"),
    "JSON": ("list.json", report_files.json(TITLES, ROWS), ".jsonl"),
    "JSON Lines of a tool": ("list.jsonl", report_files.jsonl(TITLES, ROWS), ".jsonl"),
    "HubSpot's inputs": ("list.jsonl", HUBSPOTS, ".jsonl"),
}
SAID = ["--object-id", "7", "--state", "attend", "--shared-address", "one-person"]


class Enqueue(Protocol):
    """Submits a file by the command; gives what that prints."""

    def __call__(self, file: Path, *said: str, status: int = 0) -> Any: ...


@pytest.fixture
def enqueued(turnout: Turnout, context: Context) -> Enqueue:
    """Submit a file by the command while it is taken in; give what it prints with --json."""

    def enqueue(file: Path, *said: str, status: int = 0) -> Any:
        with beside(lambda _: intake(context), 0.02, "intake"):
            return json.loads(turnout("enqueue", str(file), *SAID, *said, "--json", status=status).stdout)

    return enqueue


def corrected(file: Path) -> None:
    """Correct the cells as people do: in a spreadsheet, which writes the file anew, or in an editor."""

    def right(text: str) -> str:
        return text.replace("bob(at)", "bob@").replace("T09:00", "T12:00").replace("T08:00", "T12:00")

    if file.suffix == ".xlsx":
        rows = CalamineWorkbook.from_path(file).get_sheet_by_index(0).to_python()
        file.write_bytes(report_files.xlsx([[right(str(cell)) for cell in row] for row in rows]))
        return
    encoding = "utf-16" if file.read_bytes()[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
    file.write_bytes(right(file.read_bytes().decode(encoding)).encode(encoding))


@pytest.mark.parametrize(("name", "content", "suffix"), FILES.values(), ids=FILES)
def test_rows_corrected_in_the_file_of_refused_rows_arrive_once(
    name: str, content: bytes, suffix: str, tmp_path: Path, enqueued: Enqueue, engine: Engine
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    said = ["--encoding", "windows-1252"] if b"Zo\xeb" in content and suffix == ".csv" else []
    first = enqueued(file, *said, status=NOT_ACCEPTED)
    assert (first["accepted"], first["refused"]) == (1, 2)
    refused = tmp_path / f"{name}.refused{suffix}"
    assert first["refused_files"] == [str(refused)]
    corrected(refused)
    second = enqueued(refused)
    assert (second["accepted"], second["refused"]) == (2, 0)
    assert second["corrected"] == {"closed": 2, "still_open": 0}
    assert outcomes(engine) == {"pending": 3}
    again = enqueued(refused)
    assert (again["accepted"], again["duplicates"]) == (0, 2)
    third = enqueued(file, *said, status=NOT_ACCEPTED)
    assert (third["accepted"], third["duplicates"], third["refused"]) == (0, 1, 2)
    assert outcomes(engine) == {"pending": 3}
    assert len(Ledger(engine).records()) == 3
