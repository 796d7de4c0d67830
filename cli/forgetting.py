"""Commands that forget: purge what is old, erase a person."""

from dataclasses import asdict
from typing import Annotated

import typer

from cli.showing import AsJson, print_json


def purge(
    *,
    older_than: Annotated[
        float | None, typer.Option(min=0, metavar="DAYS", help="Instead of the setting TURNOUT_RETENTION_DAYS.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete what was settled longer ago than the retention, in small steps; the sweep does so by itself.

    Nothing that waits goes. An error that nobody resolved for so long goes with its record. The books keep the counts.
    """
    from worker.database import make_engine
    from worker.purge import preview, purge as delete
    from worker.settings import load_settings

    settings = load_settings()
    days = settings.retention_days if older_than is None else older_than
    gone = (preview if dry_run else delete)(make_engine(settings), days)
    if as_json:
        shown = ("batches", "records", "refused")
        print_json({name: number for name, number in asdict(gone).items() if not dry_run or name in shown})
    elif not gone:
        typer.echo(f"nothing is older than {days:g} days")
    else:
        verb = "would go" if dry_run else "are purged"
        typer.echo(f"{gone.records:,} records in {gone.batches:,} batches and {gone.refused:,} refused inputs {verb}")
