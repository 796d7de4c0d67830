"""How long a file takes to be read for its questions and its records, and the memory of the process that reads it.

    .venv/bin/python -m bench.read_file [ROWS]

Each format is written and read in processes of their own; the memory is the most that the reading one ever held
(`ru_maxrss`, in which a process also has what its parent held when it started it: so this one writes nothing).
"""

import io
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import xlsxwriter

from models.words import State
from worker.files.options import Options, SharedAddress
from worker.files.reader import Reading

ROWS = 1_000_000
TITLES = ("Name (Original Name)", "User Email", "Join Time", "Leave Time", "Duration (Minutes)", "Guest")


def rows(number: int) -> Iterator[tuple[str, ...]]:
    for n in range(number):
        who = n // 2  # everybody joins twice
        joined, left = f"05/20/2026 06:{n % 30:02}:00 PM", f"05/20/2026 07:{n % 30:02}:00 PM"
        yield (f"Person {who}", f"person{who}@example.com", joined, left, "60", "Yes")


def write_csv(path: Path, number: int) -> None:
    with path.open("w") as file:
        file.write(",".join(TITLES) + "\n")
        file.writelines(",".join(row) + "\n" for row in rows(number))


def write_json(path: Path, number: int) -> None:
    with path.open("w") as file:
        file.write('{"participants": [')
        for n in range(number):
            times = f'"join_time": "2026-05-20T18:{n % 30:02}:00Z", "leave_time": "2026-05-20T19:{n % 30:02}:00Z"'
            file.write(
                ("," if n else "") + f'{{"user_email": "person{n // 2}@example.com", {times}, "duration": 3600}}'
            )
        file.write("]}")


def write_xlsx(path: Path, number: int) -> None:
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Attendees")
        for place, row in enumerate([TITLES, *rows(number)]):
            sheet.write_row(place, 0, row)


WRITERS = {"csv": write_csv, "json": write_json, "xlsx": write_xlsx}


def measure(path: Path) -> None:
    options = Options.read(
        state=State.ATTEND, object_id="7", time_zone="Europe/Berlin", shared_address=SharedAddress.ONE_PERSON
    )
    began = time.monotonic()
    with path.open("rb") as file:
        reading = Reading(io.BufferedReader(file), options)
        records = sum(1 for _ in reading.items())
    took = time.monotonic() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{path.suffix[1:]:5} {reading.facts.rows:>9,} rows {records:>9,} records {took:6.0f} s {most:6.0f} MiB")


def main() -> None:
    if len(sys.argv) > 2:
        path = Path(sys.argv[2])
        if path.exists():
            measure(path)
        else:
            WRITERS[path.suffix[1:]](path, int(sys.argv[1]))
        return
    number = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        for name in WRITERS:
            for size in (number // 100, number):
                path = Path(folder) / f"report-{size}.{name}"
                for _ in ("written", "read"):
                    subprocess.run([sys.executable, "-m", "bench.read_file", str(size), str(path)], check=True)


if __name__ == "__main__":
    main()
