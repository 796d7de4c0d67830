"""How long each page of the console takes with ten million records: `python -m bench.pages [--home DIR]`.

The database is built once (`bench.filled`: what is in it) and used again where `--home` names a directory to keep it
in. Then the console is served on loopback, and each page is asked for, one request after the other, with the filters
that are worst for it: the first page, one deep down, what is rare and what is not there at all, the largest event,
batch, group and file, the person with the most records. Of `--times` requests the median and the 95th percentile are
printed, of the whole answer as the client has it, and the first one's time, which found less in memory; beside them the
ratio to the sign-in page, which shows nothing. What took longer than 100 ms is marked. Functions that only commands
call follow in the same way.

To repeat, run it again on a machine that does nothing else. It takes five gigabytes of disk and, the first time,
some minutes. The ratios hold from one machine to another, the times do not.
"""

import argparse
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final
from uuid import UUID

import requests
from sqlalchemy import text

from bench.filled import filled
from bench.installation import seconds
from models.words import Action, Outcome, Role, Status
from web.console.pages import PAGES
from web.server import Server
from worker.auth import keys
from worker.context import Context
from worker.local.services import free_port
from worker.operations import preview
from worker.queries import error_groups
from worker.queries.batches import BatchFilter, list_batches
from worker.queries.error_filter import OPEN, Filter
from worker.queries.errors import list_errors
from worker.queries.person import find_submission, list_records_of
from worker.queries.refusals import RefusalFilter, waiting
from worker.queries.status import read_status

SLOW: Final = 0.1
"""Seconds that no page may take."""

ASKED: Final[Mapping[str, tuple[str, ...]]] = {
    "/": ("",),
    "/batches": (
        "",
        "?before={middle}",
        "?status=PENDING",
        "?status=CANCELED",
        "?status=CANCELED&before={middle}",
        "?errors=1",
        "?errors=1&before={middle}",
        "?errors=1&event=event-1",
        "?errors=1&account=quiet",
        "?state=cancel",
        "?account=quiet",
        "?status=CANCELED&state=cancel&account=quiet",
        "?event=event-1",
        "?event=event-1&before={middle}",
        "?event=event-1&status=CANCELED&state=cancel",
        "?event=event-4987",
        "?event=none",
    ),
    "/batch/{batch}": ("/batch/{middle}", "/batch/{big_batch}", "/batch/{big_batch}?after=700"),
    "/errors": (
        "",
        "?before={middle_error}",
        "?outcome=failed",
        "?outcome=unconfirmed",
        "?category=NONE",
        "?category=NONE&before={middle_error}",
        "?outcome=failed&category=NONE",
        "?event=event-1",
        "?event=event-4987",
        "?event=none",
        "?account=quiet",
        "?state=cancel&account=quiet",
        "?group={group}",
        "?group={group}&account=quiet",
    ),
    "/errors.csv": (),  # a file, of any length
    "/groups": ("", "?outcome=failed", "?outcome=canceled"),
    "/events": ("", "?before=2500", "?event=event-1", "?event=none"),
    "/event/{event}": ("/event/1", "/event/2", "/event/4987"),
    "/accounts": ("",),
    "/person/{contact}": (
        "/person/busy@example.com",
        "/person/busy@example.com?before={middle_record}",
        "/person/none",
    ),
    "/refused": ("", "?before={middle_refused}", "?account=west", "?account=none"),
    "/refused/{refusal}": ("/refused/{refusal}",),
    "/submission/{submission}": ("/submission/{file}", "/submission/{submission}"),
    "/act/{action}": (
        "/act/retry",
        "/act/retry?category=NONE",
        "/act/retry?outcome=rejected&event=event-4987",
        "/act/retry?outcome=failed&account=quiet&state=cancel",
        "/act/retry?group={group}",
        "/act/dismiss?event=event-1",
        "/act/cancel?all=1",
        "/act/cancel?event=event-4987",
        "/act/replay",
        "/act/replay?account=west",
    ),
    "/correct": ("?group={group}", "?group={group}&event=99"),
    "/jobs": ("", "?before=50000"),
    "/job/{job}": ("/job/100000", "/job/100000?after=200000", "/job/100000?skipped=1"),
    "/schedules": ("",),
    "/actions": ("", "?before=50000", "?who=nobody", "?what=pause"),
    "/erase/sure": ("{sure}",),
    "/find": ("?what={middle}", "?what={file}", "?what=event-4987", "?what=none"),
}
"""By page, what is asked for: a query, or a whole path. A page that stands in `PAGES` and not here is asked for as it
is, or, where its path has a variable, listed as not measured."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, help="where the database is kept and used again [a temporary one]")
    parser.add_argument("--records", type=int, default=10_000_000, help="about so many [%(default)s]")
    parser.add_argument("--times", type=int, default=20, help="requests of each [%(default)s]")
    parser.add_argument("--only", default="", help="measure only what contains this")
    asked = parser.parse_args()
    with filled(asked.home, asked.records) as process:
        named = names(process)
        with visitor(process, named) as get:
            show("/sign-in", ground := measured(lambda: get("/sign-in"), asked.times), ground[0])
            for page, path in paths(named):
                if asked.only not in page + path:
                    continue
                if path:
                    show(path, measured(lambda: get(path), asked.times), ground[0])  # noqa: B023 - run at once
                else:
                    print(f"{page}: not measured: give `ASKED` a line")
        for name, work in commands(process, named).items():
            if asked.only in name:
                show(name, measured(work, asked.times), ground[0])


def names(process: Context) -> defaultdict[str, Any]:
    """Say what is large, and where the middle is."""
    with process.engine.connect() as connection:
        row = connection.execute(
            text("""
            SELECT max(b.id) / 2 AS middle, max(b.id) / 3 AS big_batch,
              (SELECT max(id) / 2 FROM errors) AS middle_error, (SELECT max(id) / 2 FROM records) AS middle_record,
              (SELECT max(id) / 2 FROM refused) AS middle_refused,
              (SELECT min(id) FROM refused WHERE replayed_at IS NULL) AS refusal, CAST(md5('file') AS uuid) AS file,
              (SELECT submission FROM submissions WHERE id = 5) AS submission,
              (SELECT group_id FROM errors WHERE resolution IS NULL AND outcome = 'failed' ORDER BY id LIMIT 1)
                AS "group"
            FROM batches b""")
        ).one()
    return defaultdict(str, row._mapping)  # noqa: SLF001 - its public name


def paths(named: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give each page with each path of it that is asked for; an empty one where none is known."""
    for page in PAGES:
        for asked in ASKED.get(page, ("",) if "{" not in page else ()):
            path = asked.format_map(named)
            yield page, path if path.startswith("/") else page + path
        if page not in ASKED and "{" in page:
            yield page, ""


@contextmanager
def visitor(process: Context, named: dict[str, Any]) -> Iterator[Callable[[str], object]]:
    """Serve the console until the block ends; give how an operator who is signed in gets a path.

    A path that only a form leads to, since it holds an encrypted address, is added to what is named.
    """
    server = Server(process, "127.0.0.1", port := free_port())
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    url, session = f"http://127.0.0.1:{port}", requests.Session()
    keys.revoke(process.engine, "bench")
    key = keys.create(process.engine, "bench", Role.OPERATOR)

    def submit(path: str, **fields: str) -> requests.Response:
        form = re.search(r'name="form" value="([0-9a-f]{64})"', session.get(url + path, timeout=60).text)
        assert form is not None
        fields["form"] = form[1]
        answer = session.post(url + path, fields, headers={"Origin": url}, timeout=60, allow_redirects=False)
        answer.raise_for_status()
        return answer

    submit("/sign-in", key=key)
    named["sure"] = submit("/erase", contact="busy@example.com").headers["Location"]

    def get(path: str) -> None:
        with session.get(url + path, timeout=120, allow_redirects=False) as answer:
            assert answer.status_code in {200, 303, 404}, f"{path}: {answer.status_code}"
            assert "/sign-in" not in answer.headers.get("Location", ""), path

    try:
        yield get
    finally:
        server.should_exit = True
        thread.join(30)


def commands(process: Context, named: Mapping[str, Any]) -> dict[str, Callable[[], object]]:
    """Give what commands do that is no page's."""
    engine = process.engine
    rare = Filter(OPEN, category="NONE")
    return {
        "turnout status": lambda: read_status(engine, process.settings),
        "turnout batches": lambda: list_batches(engine, BatchFilter()),
        "turnout batches --errors": lambda: list_batches(engine, BatchFilter(errors=True)),
        "turnout batches --account quiet": lambda: list_batches(
            engine, BatchFilter(account="quiet", status=Status.COMPLETE)
        ),
        "turnout errors": lambda: list_errors(engine, Filter(OPEN)),
        "turnout errors --category NONE": lambda: list_errors(engine, rare),
        "turnout errors --event event-4987": lambda: list_errors(engine, Filter(OPEN, event="event-4987")),
        "turnout errors --group (200,000)": lambda: list_errors(engine, Filter(OPEN, group_id=named["group"])),
        "turnout errors --grouped": lambda: error_groups.grouped(engine, OPEN),
        "turnout errors --grouped --outcome canceled": lambda: error_groups.grouped(engine, [Outcome.CANCELED]),
        "turnout errors --grouped --event event-1": lambda: error_groups.narrowed(
            engine, Filter(OPEN, event="event-1")
        ),
        "turnout errors --grouped --account quiet": lambda: error_groups.narrowed(
            engine, Filter(OPEN, account="quiet")
        ),
        "turnout errors --grouped --category NONE": lambda: error_groups.narrowed(engine, rare),
        "turnout retry, before it asks": lambda: preview.look(process, Action.RETRY, Filter(OPEN)),
        "turnout retry --category NONE, before it asks": lambda: preview.look(process, Action.RETRY, rare),
        "turnout person, 5,000 records": lambda: list_records_of(engine, "busy@example.com"),
        "turnout refused": lambda: list(islice(waiting(engine, RefusalFilter()), 50)),
        "turnout refused --account none": lambda: list(waiting(engine, RefusalFilter(account="none"))),
        "turnout submission, a file of a million": lambda: find_submission(engine, UUID(str(named["file"]))),
    }


def measured(work: Callable[[], object], times: int) -> tuple[float, float, float]:
    """Give the median, the 95th percentile and the first time of so many."""
    first = seconds(work)
    rest = sorted(seconds(work) for _ in range(times))
    return median(rest), rest[int(len(rest) * 0.95) - 1], first


def show(name: str, took: tuple[float, float, float], ground: float) -> None:
    """Say in a line of a table what it took, in milliseconds."""
    middle, high, first = (1000 * one for one in took)
    mark = " **over**" if took[1] > SLOW else ""
    print(f"| `{name}` | {middle:,.1f} | {high:,.1f} | {first:,.1f} | {took[0] / ground:.1f} |{mark}", flush=True)


if __name__ == "__main__":
    main()
