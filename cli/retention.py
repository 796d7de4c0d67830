"""Commands that forget: purge what is old, erase a person."""

from dataclasses import asdict
from typing import Annotated

import typer

from cli.output import AsJson, ask, print_json, say, written
from cli.resources import open_process
from models.counted import counted, is_or_are


def purge(
    *,
    older_than: Annotated[
        float | None, typer.Option(min=0, metavar="DAYS", help="Instead of the setting TURNOUT_RETENTION_DAYS.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete what was finished longer ago than the retention.

    It goes in small steps; the sweep does so by itself. Nothing that waits goes. An error that nobody resolved for so
    long goes with its record. The books keep the counts.
    """
    from worker.operations import audit_log
    from worker.retention.purge import preview, purge_by_hand

    process = open_process()
    engine, settings = process.engine, process.settings
    days = settings.retention_days if older_than is None else older_than
    gone = preview(engine, days) if dry_run else purge_by_hand(engine, audit_log.at_the_terminal(), days)
    if as_json:
        shown = ("batches", "records", "refused")
        print_json({name: number for name, number in asdict(gone).items() if not dry_run or name in shown})
    elif not gone:
        say(f"nothing is older than {days:g} days")
    else:
        verb = "would go" if dry_run else "are purged"
        batches = f"{counted(gone.records, 'record')} in {counted(gone.batches, 'batch', 'batches')}"
        say(f"{batches} and {counted(gone.refused, 'input')} not accepted {verb}")
        if gone.actions:
            actions = f"{counted(gone.actions, 'action')} with {counted(gone.items, 'result')}"
            say(f"{actions} {is_or_are(gone.actions)} purged")


def erase(
    who: Annotated[str, typer.Argument(metavar="EMAIL_OR_ID", help="An e-mail address, or HubSpot's contact id.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds to wait for what is being sent; default: TURNOUT_TIMEOUT and 5."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove a person from everything kept. It cannot be undone.

    Records, errors and what was not accepted go. This deletes nothing in HubSpot: delete the contact there first. The
    books keep their counts, and importing the person's records again counts as duplicates. Exit status 1 where
    something was left for another time; then run it again.
    """
    from models.erasure import Person
    from worker.operations.audit_log import at_the_terminal, noted
    from worker.queries.erasures import COUNTED, contact_ids, known
    from worker.queries.rows import as_said
    from worker.retention.erase import erase as remove

    person = Person.named(who)
    if person is None:
        raise typer.BadParameter("is neither an e-mail address nor a contact id")
    process = open_process()
    engine, settings = process.engine, process.settings
    if not yes:
        records = as_said(known(engine, person.contact), "record", at_most=COUNTED)
        numbers = ", ".join(map(str, contact_ids(engine, person.contact)))
        there = f" (contact id {numbers})" if numbers else ""
        reminder = f"This deletes nothing in HubSpot: delete the contact{there} there first."
        question = f"{person.contact} has {records} here. {reminder} Erase this person here for good?"
        ask(question, on_stderr=True)
    patience = settings.timeout + 5 if wait is None else wait
    with noted(engine, at_the_terminal(), "erase") as action:  # never whom
        erased = remove(process, person, patience)
        action.number = erased.rows["records"]
    if as_json:
        names = ("id", "erased_at", "rows", "complete", "left", "also")
        print_json({name: sorted(erased.also) if name == "also" else getattr(erased, name) for name in names})
    else:
        rows = [(table.replace("_", " "), number) for table, number in sorted(erased.rows.items()) if number]
        told = ", ".join(f"{number:,} in {table}" for table, number in rows)
        came_to = f"rows blanked or changed: {told}" if told else "nothing of this person was kept"
        say(f"erasure {erased.id}, {written(erased.erased_at)}: {came_to}")
        for name in sorted(erased.also):
            say(f"HubSpot's answers say that this is the same person: turnout erase {name}")
        for why in erased.left:
            say(f"NOT COMPLETE: {why}; run it again")
    if not erased.complete:
        raise typer.Exit(1)
