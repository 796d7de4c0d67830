"""`turnout errors`: what is not delivered and why, one by one or grouped by what they have in common."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.accounts import check
from cli.filters import Before, ErrorOptions, Limit
from cli.option_groups import with_groups
from cli.output import AsJson, print_json, print_table, say, say_more, written
from cli.resources import open_engine
from models.counted import counted

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from worker.queries.error_filter import Filter
    from worker.queries.error_groups import OpenGroup


@with_groups
def errors(  # noqa: PLR0913 - one parameter an option
    *,
    grouped: Annotated[bool, typer.Option("--grouped", help="By what they have in common, with advice.")] = False,
    options: ErrorOptions,
    before: Before = None,
    limit: Limit = 50,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write all of them to this file, to be fixed (turnout correct)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List unresolved errors, the newest first.

    Without --outcome those that are rejected, unconfirmed or failed.
    """
    from worker.queries import error_groups
    from worker.queries.error_filter import OPEN
    from worker.queries.errors import list_errors

    engine = open_engine()
    check(engine, options.account)
    chosen = options.filter(OPEN)
    if grouped:
        if any((options.group, options.record, before, csv)):
            raise typer.BadParameter(
                "--grouped goes with no --group, --record, --before or --csv; a group's: --group ID"
            )
        if chosen.narrowed:
            groups, only_of = error_groups.narrowed(engine, chosen, limit)
        else:
            groups, only_of = error_groups.grouped(engine, chosen.outcomes, limit), None
        _show_groups(groups, only_of, as_json=as_json)
        return
    if csv is not None:
        _write(csv, engine, chosen)
        return
    found = list_errors(engine, chosen, limit, before)
    if as_json:
        from worker.operations.audit_log import EXPORT, at_the_terminal, counting

        print_json(list(counting(engine, at_the_terminal(), EXPORT, found, **chosen.written)))
        return
    columns = ["id", "record_id", "outcome", "category", "contact", "event", "state", "batch_id", "message"]
    print_table("Unresolved errors", found, columns, "no unresolved error matches", ["category", "batch_id"])
    say_more(found, limit)


def _write(path: Path, engine: "Engine", chosen: "Filter") -> None:
    from worker.operations import audit_log, correction_csv

    try:
        written = correction_csv.write(engine, audit_log.at_the_terminal(), chosen, path)
    except OSError as error:
        raise typer.BadParameter(
            f"{path} cannot be written ({error.strerror}): name a file that is not there"
        ) from None
    say(f"{counted(written, 'record')} written to {path}; fix what is wrong in that file, then:")
    say(f"turnout correct --from {path}")


def _show_groups(found: "list[OpenGroup]", only_of: int | None, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    if only_of is not None:
        say(f"of the newest {only_of:,} unresolved errors, which were looked at")
    if not found:
        say("no unresolved errors" + (" among them match" if only_of is not None else ""))
    for group in found:
        heading = f"{group.how_many} {group.outcome}: {group.category} {group.code}"
        say(heading.strip(), "bold")
        say(f"  {group.sample if group.count == 1 else group.gist}")
        if group.event:
            say(f"  all of event {group.event}")
        say(f"  {group.means}; who can fix it: {group.who}")
        for line in group.action.splitlines():
            say(f"  type: {line}" if line.startswith("turnout ") else f"  {line}")
        seen = f"first {written(group.first_seen)}, last {written(group.last_seen)}"
        such_as = f"such as record {group.sample_record}"
        said = "" if group.count == 1 or group.sample == group.gist else f": {group.sample}"
        say(f"  group {group.id}; {seen}; {such_as}{said}")
