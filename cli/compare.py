"""`turnout audit --against-hubspot`: who HubSpot holds at an event, and is not known here."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

import orjson
import typer

from cli.accounts import check
from cli.output import fail, print_json, say, written
from cli.resources import open_process
from models.counted import counted

if TYPE_CHECKING:
    from models.message import Address
    from worker.accounts.destination import Destination
    from worker.context import Context
    from worker.operations.compare import Compared, Unknown

SHOWN: Final = 100
"""Of those who are not known, so many are printed; a file has all."""


def compare(named: str, account: str | None, out: Path | None, *, as_json: bool) -> None:
    """Compare an event; exit status 1 where HubSpot holds what is not known here."""
    from worker.operations.audit_log import at_the_terminal
    from worker.operations.compare import Compared, compare as compared

    process = open_process()
    address, to = _event(process, named, account)
    counts, unknown = Compared(), 0
    first: list[Unknown] = []
    with _opened(out) as file:
        for unknown, row in enumerate(compared(process, at_the_terminal(), to, address, counts), 1):
            if file is not None:
                file.write(orjson.dumps(row.line(to.account, address)).decode() + "\n")
            if unknown <= SHOWN:
                first.append(row)
                if not as_json:
                    say(f"not known: {_described(row)}")
    if as_json:
        facts = {"event": str(address), "account": to.account, **asdict(counts), "unknown": unknown, "first": first}
        print_json(facts)
    else:
        _say_counts(f"event {address}, account {to.account}", counts, unknown)
        if unknown and out is not None:
            say(f"take them in: turnout enqueue {out}")
    if unknown:
        raise typer.Exit(1)


def _event(process: "Context", named: str, account: str | None) -> "tuple[Address, Destination]":
    """Find the event and the account that is asked for it, or say why there is none."""
    from worker.accounts.destination import NoDestination, destination
    from worker.operations.compare import addressed

    check(process.engine, account)
    found = addressed(process.engine, named, account)
    if len(found) > 1:
        fail(f"several accounts have an event {named} ({', '.join(name for name, _ in found)}): --account says which")
    ((name, address),) = found
    try:
        return address, destination(process.engine, process.settings, name)
    except NoDestination:
        fail(f"account {name} cannot be read for now: `turnout accounts list` says why")


def _say_counts(event: str, counts: "Compared", unknown: int) -> None:
    if unknown > SHOWN:
        say(f"and {unknown - SHOWN:,} more: --out FILE writes all")
    say(f"{event}: HubSpot shows {counted(counts.shown, 'participation')}")
    say(f"  known      {counts.known:>12,}")
    if counts.waiting:
        say(f"  of these   {counts.waiting:>12,} still wait to be sent: HubSpot's answer will show that it has them")
    say(f"  not known  {unknown:>12,}")


def _described(row: "Unknown") -> str:
    who = f"{row.email or 'no e-mail address'} (contact {row.contact_id or 'unknown'})"
    return f"{who}, {row.state}, {written(datetime.fromtimestamp(row.occurred_at / 1000, UTC))}"


@contextmanager
def _opened(path: Path | None) -> Iterator[TextIO | None]:
    """Open the file to write, which must not be there yet: its owner alone may read it, as it names people."""
    if path is None:
        yield None
        return
    try:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(
            f"{path} cannot be written ({error.strerror}): name a file that is not there"
        ) from None
    with file:
        yield file
