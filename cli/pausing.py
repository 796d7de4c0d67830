"""`turnout pause` and `turnout resume`: whether an account sends."""

from typing import Annotated

import typer

from cli.accounts import unknown
from cli.output import say
from cli.resources import open_engine, open_process
from models.message import DEFAULT_ACCOUNT


def pause(
    account: Annotated[str, typer.Argument(help="The account's name.")] = DEFAULT_ACCOUNT,
    *,
    because: Annotated[str, typer.Option(help="Why; shown wherever the pause is.")] = "by an operator",
) -> None:
    """Let an account send nothing until `turnout resume`.

    What comes in waits, and no record grows older by that time.
    """
    from worker.accounts import state
    from worker.operations import audit_log

    engine = open_engine()
    account_id = state.find(engine, account)
    if account_id is None:
        unknown(account)
    with audit_log.noted(engine, audit_log.at_the_terminal(), "pause", account=account, because=because) as action:
        state.pause(engine, account_id, because)
        action.number = 1
    say(f"account {account} is paused; to send again: turnout resume {account}")


def resume(account: Annotated[str, typer.Argument(help="The account's name.")] = DEFAULT_ACCOUNT) -> None:
    """Let a paused or waiting account send again.

    It begins with one batch, to see whether HubSpot takes it; then the others follow.
    """
    from worker.accounts import registry, state
    from worker.operations import audit_log

    process = open_process()
    found = registry.listed(process.engine, process.settings, account)
    if not found:
        unknown(account)
    with audit_log.noted(process.engine, audit_log.at_the_terminal(), "resume", account=account) as action:
        action.number = int(state.resume(process.engine, account))
    say(found[0].resumed)
