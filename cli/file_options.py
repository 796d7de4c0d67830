"""What the command line says of a file: its event, its state, and how to read what is ambiguous."""

from dataclasses import dataclass
from typing import Annotated

import typer

from models.words import State
from worker.files.options import DateOrder, HiddenRows, Options, SharedAddress, SwappedDates


@dataclass(frozen=True)
class FileOptions:
    """The options of `turnout enqueue` that say how its file is read."""

    event: Annotated[str | None, typer.Option(help="The event's external id.")] = None
    external_account: Annotated[str | None, typer.Option(help="The account id the event was created with.")] = None
    object_id: Annotated[str | None, typer.Option(help="The event's object id at HubSpot, instead of these.")] = None
    state: Annotated[State | None, typer.Option(help="What they did.")] = None
    account: Annotated[str | None, typer.Option(help="The HubSpot account; `default` where nothing names one.")] = None
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="TITLE=FIELD", help='What a column holds: "Their column=email". Repeatable.'),
    ] = None
    include_hosts: Annotated[
        bool, typer.Option("--include-hosts", help="Send hosts, panelists, organizers and presenters too.")
    ] = False
    time_zone: Annotated[
        str | None,
        typer.Option(
            help="Whose clock the times show that name no zone: Berlin, “Eastern Time”, GMT-7, Europe/Berlin, UTC. "
            "EST=America/New_York says what an abbreviation in the file stands for."
        ),
    ] = None
    date_order: Annotated[
        DateOrder | None, typer.Option(help="How dates of three numbers are written: 03/04/2026 may be two.")
    ] = None
    swapped_dates: Annotated[
        SwappedDates | None,
        typer.Option(
            help="Whether a spreadsheet exchanged day and month of a column's real dates, where others are text."
        ),
    ] = None
    day: Annotated[str | None, typer.Option(metavar="DAY", help="The day of times that name none: 2026-03-29.")] = None
    start: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="When the event began, where the file says only how long people stayed: 2026-03-29T19:00.",
        ),
    ] = None
    end: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When it ended, where the file does not say when people left."),
    ] = None
    occurrence: Annotated[
        str | None,
        typer.Option(
            metavar="DAY|all",
            help="Which occurrence of a report of several belongs to the event: the day on which it begins, such as "
            "2026-03-29 (where a day has several: 2026-03-29T19:00); or all.",
        ),
    ] = None
    shared_address: Annotated[
        SharedAddress | None, typer.Option(help="Whose the rows are where different names stand under one address.")
    ] = None
    encoding: Annotated[str | None, typer.Option(help="The file's encoding, where it is not UTF-8 or UTF-16.")] = None
    sheet: Annotated[str | None, typer.Option(help="The sheet of a workbook, where several have addresses.")] = None
    hidden_rows: Annotated[
        HiddenRows | None, typer.Option(help="Whether rows count that a sheet hides, or that are struck out.")
    ] = None

    def read(self) -> Options:
        """Check what was typed.

        Raises:
            FileError: naming the option and what would be right.

        """
        return Options.read(**vars(self))
