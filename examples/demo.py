"""The main job on example files: `make demo`.

Starts everything on this machine in a folder of its own, submits three files in the shapes that real tools export,
waits until every record has its answer, and compares the books with what HubSpot's test server holds. Exits 0 only if
they agree. Folder and server are gone afterwards, so nothing that it prints needs them.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text
from sqlalchemy import create_engine

from models.escaping import visible
from models.words import Outcome
from worker.local.services import free_port
from worker.queries.events import outcomes_by_event
from worker.setting_sources import running

HERE = Path(__file__).parent
TURNOUT = [sys.executable, "-m", "cli"]
ACME = ("--external-account", "acme-events")
AMERICAN = ("--time-zone", "America/New_York", "--date-order", "mdy")
FILES = (
    ("registrations.csv", [*ACME, "--state", "register", "--time-zone", "Europe/Berlin"]),
    ("cancellations.jsonl", [*ACME, "--state", "cancel"]),
    ("attendees.csv", [*ACME, "--event", "spring-summit-2026", "--state", "attend", *AMERICAN]),
)
SWALLOWED = "hana.o-brien.2@example.org"
ALWAYS = (Outcome.DELIVERED, Outcome.REJECTED, Outcome.UNCONFIRMED)
SHOWN = (*ALWAYS, Outcome.FAILED, Outcome.PENDING)
"""The columns of the table; the last ones only where there are any."""
NEXT = (
    ".venv/bin/turnout up          everything on this machine; then, in another shell here:",
    ".venv/bin/turnout enqueue examples/cancellations.jsonl \\",
    "    --external-account acme-events --state cancel",
    ".venv/bin/turnout status      what waits, why and until when",
    ".venv/bin/turnout errors      what was not delivered, and why",
)
REASONS = 3
"""Of a file's refused rows, the first that are shown."""
WIDEST = 100
"""Columns that a line takes, at most."""
NOT_ACCEPTED = 3
"""How `turnout enqueue` ends where it submitted the file and some of its rows were not accepted."""
PATIENCE = 90.0
"""Seconds until every record must have its answer."""

COLUMNS = min(WIDEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else WIDEST
console = Console(highlight=False, markup=False, emoji=False, width=COLUMNS)


def say(text: str = "", style: str = "", indent: str = "") -> None:
    """Print a line, with what others wrote in it made visible; a longer one goes on below, indented further."""
    lines = textwrap.wrap(
        visible(text), COLUMNS, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )
    console.print(Text("\n".join(lines), style))


def say_command(words: list[str]) -> None:
    """Print a command so that it can be copied, over several lines where it is long."""
    room = COLUMNS - len(" \\")
    lines = textwrap.wrap(f"$ {shlex.join(words)}", room, subsequent_indent="    ", break_on_hyphens=False)
    console.print(Text(" \\\n".join(lines), "bold"))


class Demo:
    """One run: a `turnout up` of its own and what is asked of it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.sandbox_port = free_port()
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
        self.env["TURNOUT_DATA_DIR"] = str(home / "data")

    def turnout(self, *words: str) -> str:
        """Run a command and give its output; the home has no `.env`."""
        done = subprocess.run(
            [*TURNOUT, *words], cwd=self.home, env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode not in {0, NOT_ACCEPTED}:
            sys.exit(f"turnout {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def submit(self, name: str, options: list[str]) -> None:
        """Submit an example, and say what was accepted of it and what was not."""
        say()
        say_command(["turnout", "enqueue", f"examples/{name}", *options])
        refused = ["--refused", str(self.home / f"{name}.refused.csv")]
        found = self.facts("enqueue", str(HERE / name), *options, *refused)
        counts = ", ".join(f"{group['records']:,} {group['state']} {group['event']}" for group in found["groups"])
        say(f"{found['rows']:,} rows, {found['records']:,} records: {counts}", indent="  ")
        numbers = (f"{found[what]:,} {what}" for what in ("accepted", "duplicates", "refused"))
        say(f"{', '.join(numbers)}, the first of these:", indent="  ")
        for reason in found["reasons"][:REASONS]:
            say(reason, indent="    ")

    def facts(self, *words: str) -> Any:
        """Run a command for its facts."""
        return json.loads(self.turnout(*words, "--json"))

    def sandbox(self, path: str, told: dict[str, object] | None = None) -> Any:
        """Ask HubSpot's test server what it holds, or tell it what to do."""
        url = f"http://127.0.0.1:{self.sandbox_port}/_sandbox/{path}"
        answer = requests.get(url, timeout=10) if told is None else requests.post(url, json=told, timeout=10)
        answer.raise_for_status()
        return answer.json()


def main() -> int:
    """Run the demonstration."""
    home = Path(tempfile.mkdtemp(prefix="turnout-demo-"))
    home.chmod(0o755)
    demo = Demo(home)
    begun = time.monotonic()
    say("Starting everything in a folder of its own: up to half a minute.")
    up = subprocess.Popen(
        [*TURNOUT, "up", "--port", str(free_port()), "--sandbox-port", str(demo.sandbox_port)],
        cwd=home,
        env=demo.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert up.stdout is not None
        for line in up.stdout:
            say(line.rstrip(), "dim")
            if line.startswith("ready"):
                break
        else:
            return 1
        return _run(demo, begun)
    finally:
        up.terminate()
        with suppress(subprocess.TimeoutExpired):
            up.wait(45)
        up.kill()
        shutil.rmtree(home, ignore_errors=True)


def _run(demo: Demo, begun: float) -> int:
    # At times HubSpot answers 200 and stores nothing. Here it will, for one person, and Turnout must say so.
    demo.sandbox("faults", {"match": SWALLOWED, "drop": True, "count": 1})
    for name, options in FILES:
        demo.submit(name, options)
    books = _wait(demo)
    engine = create_engine(running(demo.home / "data")["database_url"])
    counts = outcomes_by_event(engine)
    _show(counts)
    for error in demo.facts("errors"):
        say(f"{error['outcome']}: {error['contact']}, {error['state']} {error['event']}: {error['message']}")
    held = Counter((row["event"], row["state"]) for row in demo.sandbox("participations"))
    delivered = {key: number[Outcome.DELIVERED] for key, number in counts.items() if number[Outcome.DELIVERED]}
    stats = demo.sandbox("stats")
    same = held == delivered
    ends = [Outcome.DELIVERED, Outcome.REJECTED, Outcome.UNCONFIRMED, Outcome.FAILED]
    # The person whom HubSpot dropped also attended: where she is looked for that late, her registration is superseded.
    ends += [Outcome.CANCELED] if books["canceled"] else []
    if books["unconfirmed"]:
        say("Unconfirmed: HubSpot said neither yes nor no. Turnout looks for the record there, and sends it once more.")
    say()
    say(
        f"The books {'balance' if books['balanced'] else 'DO NOT BALANCE'}: {books['accepted']:,} accepted = "
        + " + ".join(f"{books[end]:,} {end}" for end in ends)
        + f"; besides, {books['duplicates']:,} duplicates and {books['refused']:,} not accepted."
    )
    say(
        f"HubSpot's test server holds {sum(held.values()):,} participations,"
        f" {'the same' if same else 'NOT THE SAME'} per event and state;"
        f" {stats['requests']:,} writes, and at most {stats['max_in_window']} calls in any ten seconds."
    )
    say()
    say(f"That took {time.monotonic() - begun:.0f} s. What ran here is stopped and removed. To try it yourself:")
    for line in NEXT:
        console.print(Text(f"  {line}"))
    return 0 if same and books["balanced"] and not books["pending"] + books["processing"] else 1


def _wait(demo: Demo) -> dict[str, Any]:
    """Watch until every record has its answer."""
    say()
    until = time.monotonic() + PATIENCE
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while True:
            books: dict[str, Any] = demo.facts("audit")
            left = books["pending"] + books["processing"]
            live.update(Text(f"delivered {books['delivered']:,} of {books['accepted']:,}; {left:,} wait"), refresh=True)
            if not left or time.monotonic() > until:
                return books
            time.sleep(0.3)


def _show(counts: dict[tuple[str, str], Counter[str]]) -> None:
    table = Table(title="Results", title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("event")
    table.add_column("state")
    shown = [outcome for outcome in SHOWN if outcome in ALWAYS or any(number[outcome] for number in counts.values())]
    for outcome in shown:
        table.add_column(outcome, justify="right")
    for (event, state), number in sorted(counts.items()):
        table.add_row(visible(event), state, *(f"{number[outcome]:,}" for outcome in shown))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
