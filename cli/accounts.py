"""`turnout accounts …`: the HubSpot portals."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cli.account_options import AccountOptions, Unset
from cli.option_groups import with_groups
from cli.output import AsJson, fail, print_json, print_table, say, written
from cli.prompts import credential
from cli.resources import open_engine, open_process
from hubspot_api.tiers import Tier
from models.counted import is_or_are
from models.message import DEFAULT_ACCOUNT

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from worker.accounts.registry import ListedAccount

app = typer.Typer(
    help="HubSpot's portals that records are delivered to.",
    epilog="Example: turnout accounts",
)

AccountName = Annotated[str, typer.Argument(help="The account's name, by which messages name it.")]
FromStdin = Annotated[
    bool,
    typer.Option(
        "--token-stdin",
        help="Read the token from standard input; for OAuth a JSON object of client_id, client_secret, refresh_token.",
    ),
]


@app.callback(invoke_without_command=True)
def accounts(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the accounts, as `turnout accounts list` does."""
    if context.invoked_subcommand is None:
        listed(as_json=as_json)


@app.command("add", epilog="Example: turnout accounts add partner --tier professional")
@with_groups
def add(
    name: AccountName,
    *,
    options: AccountOptions,
    oauth: Annotated[bool, typer.Option("--oauth", help="By OAuth; without --tier, of the tier oauth.")] = False,
    token_stdin: FromStdin = False,
) -> None:
    """Add an account; its token is asked for and kept encrypted. What is not set is as the settings say.

    One that was removed comes back with its history.
    """
    from models.ids import NAME
    from worker.accounts import registry
    from worker.operations import audit_log

    if not NAME.fullmatch(name):
        raise typer.BadParameter("a name is 1 to 63 letters, digits, dots, dashes and underscores")
    process = open_process()
    engine, settings = process.engine, process.settings
    chosen = options.columns(Tier.OAUTH if oauth else None)
    options.check_url(settings)
    _check_zone(engine, options.time_zone)
    there_is = f"there is an account {name}: change it with `turnout accounts set` or `turnout accounts rotate`"
    if registry.listed(engine, settings, name):
        fail(there_is)
    token = credential(oauth=oauth, from_stdin=token_stdin)
    with audit_log.noted(engine, audit_log.at_the_terminal(), "add account", account=name, **chosen) as action:
        action.number = int(registry.add(engine, settings, name, chosen, token))
    if not action.number:
        fail(there_is)
    say(f"account {name} is added: messages that name it are accepted from now on")


@app.command("set", epilog="Example: turnout accounts set partner --batch-size 50")
@with_groups
def change(
    name: AccountName,
    *,
    options: AccountOptions,
    unset: Annotated[
        list[Unset] | None,
        typer.Option(metavar="NAME", help=f"Back to what the settings say: {', '.join(Unset)}. Repeatable."),
    ] = None,
) -> None:
    """Change what an account has of its own; whoever delivers knows it within seconds."""
    from worker.accounts import registry
    from worker.operations import audit_log

    unsets = set(unset or [])
    if Unset.TOKEN in unsets and name != DEFAULT_ACCOUNT:
        raise typer.BadParameter(
            f"the settings' token is {DEFAULT_ACCOUNT}'s alone; give it another: turnout accounts rotate {name}"
        )
    chosen = dict.fromkeys((one.column for one in unsets - {Unset.TOKEN}), None) | options.columns()
    if not chosen and not unsets:
        raise typer.BadParameter("nothing to change: name an option, such as --batch-size 50")
    process = open_process()
    engine, settings = process.engine, process.settings
    options.check_url(settings)
    _check_zone(engine, options.time_zone)
    if not registry.listed(engine, settings, name):
        unknown(name)
    facts = {"account": name, **chosen, **({"token": None} if Unset.TOKEN in unsets else {})}
    with audit_log.noted(engine, audit_log.at_the_terminal(), "change account", **facts) as action:
        if chosen:
            registry.change(engine, name, chosen)
        if Unset.TOKEN in unsets:
            registry.rotate(engine, settings, name, None)
        action.number = 1
    say(f"account {name} is changed")


@app.command("rotate", epilog="Example: turnout accounts rotate partner")
def rotate(
    name: AccountName,
    *,
    oauth: Annotated[
        bool | None, typer.Option("--oauth/--no-oauth", help="What it gets; without either, the kind it has.")
    ] = None,
    token_stdin: FromStdin = False,
) -> None:
    """Replace an account's token (or its OAuth secrets) by another, which is asked for; a pause stays."""
    from worker.accounts import registry
    from worker.operations import audit_log

    process = open_process()
    engine, settings = process.engine, process.settings
    known = registry.listed(engine, settings, name)
    if not known:
        unknown(name)
    by_oauth = known[0].token == registry.BY_OAUTH if oauth is None else oauth
    token = credential(oauth=by_oauth, from_stdin=token_stdin)
    with audit_log.noted(engine, audit_log.at_the_terminal(), "rotate account", account=name) as action:
        action.number = int(registry.rotate(engine, settings, name, token))
    say(f"account {name} has another token, used within seconds")
    if known[0].paused_at:
        say(f"it is still paused; to send again: turnout resume {name}")


@app.command("remove", epilog="Example: turnout accounts remove partner")
def remove(name: AccountName) -> None:
    """Remove an account of which nothing waits: its token is forgotten, its history stays.

    Messages that name it are not accepted from then on, and can be submitted again once it is added again.
    """
    from worker.accounts import registry
    from worker.accounts.state import find
    from worker.operations import audit_log
    from worker.queries.rows import as_said

    if name == DEFAULT_ACCOUNT:
        fail(f"{DEFAULT_ACCOUNT} is the account of messages that name none: it can be paused, not removed")
    engine = open_engine()
    account_id = find(engine, name)
    if account_id is None:
        unknown(name)
    with audit_log.noted(engine, audit_log.at_the_terminal(), "remove account", account=name) as action:
        waiting = registry.remove(engine, account_id)
        action.number = int(not waiting.batches)
    if waiting.batches:
        fail(
            f"of {name}, {as_said(waiting.batches, 'batch', 'batches')} with {as_said(waiting.records, 'record')}"
            f" {is_or_are(waiting.batches)} not finished: wait, or: turnout cancel --account {name}"
        )
    say(f"account {name} is removed; the results of its records can still be looked at")


@app.command("list", epilog="Example: turnout accounts list --json")
def listed(*, as_json: AsJson = False) -> None:
    """List the accounts: their limits, whether each has a token, and whether it sends."""
    from worker.accounts import registry

    process = open_process()
    found = registry.listed(process.engine, process.settings)
    if as_json:
        print_json(found)
        return
    rows = [asdict(one) | {"limits": _limits(one), "now": _now(one)} for one in found]
    columns = ["name", "hubspot_url", "hubspot_version", "limits", "batch_size", "time_zone", "token", "now"]
    print_table("Accounts", rows, columns, "no account", ["hubspot_url", "hubspot_version", "batch_size", "time_zone"])


def _limits(one: "ListedAccount") -> str:
    a_day = f", {one.daily_limit:,} a day" if one.daily_limit else ""
    return f"{one.burst_limit:,} in {one.burst_seconds:g} s{a_day}"


@app.command("show", epilog="Example: turnout accounts show default")
def show(name: AccountName, *, as_json: AsJson = False) -> None:
    """Show one account: what holds for it, what of that is its own, and since when it has its token."""
    from worker.accounts import registry

    process = open_process()
    found = registry.listed(process.engine, process.settings, name)
    if not found:
        unknown(name)
    one = found[0]
    if as_json:
        print_json(one)
        return
    say(f"account {name}: {_now(one)}", "bold")
    if one.paused_at:
        say(f"  to send again: turnout resume {name}")
    for option in Unset:
        if option is not Unset.TOKEN:
            own = " (its own)" if option.column in one.own else ""
            say(f"  {option:<15}{written(getattr(one, option.column))}{own}")
    since = f", since {written(one.token_set_at)}" if one.token_set_at else ""
    until = f", until {written(one.access_until)}" if one.access_until else ""
    say(f"  {Unset.TOKEN:<15}{one.token}{since}{until}")


def _check_zone(engine: "Engine", zone: str | None) -> None:
    """Refuse a zone that this machine knows and the database, which finds the midnight, does not."""
    from worker.accounts import registry

    if zone is not None and not registry.knows_zone(engine, zone):
        raise typer.BadParameter(f"the database knows no time zone {zone}")


def _now(one: "ListedAccount") -> str:
    if one.paused_at:
        return f"PAUSED since {written(one.paused_at)}: {one.paused_because}"
    if one.parked_until:
        return f"waiting until {written(one.parked_until)}: {one.parked_because}"
    return "sends nothing: it has no token" if one.token == "missing" else "sends"  # noqa: S105 - a word, no token


def check(engine: "Engine", name: str | None) -> None:
    """End where an option names an account that never was: nothing would match, and nobody would know why."""
    from worker.accounts import registry

    if name is not None and not registry.was_ever(engine, name):
        unknown(name)


def unknown(name: str) -> NoReturn:
    """Say that there is no such account, and end."""
    fail(f"there is no account {name}; `turnout accounts list` lists them")
