"""`turnout keys …`: who may submit records by HTTP, and who may look and act."""

from dataclasses import asdict
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

import typer

from cli.output import AsJson, fail, print_json, print_table, say
from cli.resources import open_engine, open_process
from models.ids import LONGEST_TEXT, id_fault
from models.message import DEFAULT_ACCOUNT
from models.words import Role

app = typer.Typer(
    help="Keys to the API and the console.",
    epilog="Example: turnout keys create olga --role operator",
)

KeyName = Annotated[str, typer.Argument(help="What the key is called: whose it is.")]


@app.callback(invoke_without_command=True)
def every(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the keys, as `turnout keys list` does."""
    if context.invoked_subcommand is None:
        show(as_json=as_json)


@app.command("create", epilog="Example: turnout keys create olga --role operator")
def create(
    name: KeyName,
    *,
    role: Annotated[Role, typer.Option(help="What it may do: submit records, look and act, or only look.")],
    account: Annotated[
        list[str] | None,
        typer.Option(help=f"An account that a producer's key reaches, repeatable; without it, {DEFAULT_ACCOUNT}."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once, and kept only as a hash."""
    from worker.accounts import state
    from worker.auth import keys
    from worker.operations import audit_log

    if fault := id_fault(name) if name.strip() else ("is empty", ""):
        raise typer.BadParameter(f"the name {fault[0]}; expected 1 to {LONGEST_TEXT} printable characters")
    if role is not Role.PRODUCER and account:
        raise typer.BadParameter(f"a key of role {role} reaches every account: --account is a producer's")
    engine = open_engine()
    named = (account or [DEFAULT_ACCOUNT]) if role is Role.PRODUCER else []
    reached = {one: state.find(engine, one) for one in named}
    for one, account_id in reached.items():
        if account_id is None:
            raise typer.BadParameter(f"there is no account {one}: `turnout accounts list` shows them")
    facts = {"key": name, "role": role.value, "accounts": named}
    try:
        with audit_log.noted(engine, audit_log.at_the_terminal(), "create key", **facts) as action:
            key = keys.create(engine, name, role, [number for number in reached.values() if number is not None])
            action.number = 1
    except keys.NameTaken:
        raise typer.BadParameter(f"there is a key {name}: rotate it, revoke it, or choose another name") from None
    _show_once({"name": name, "key": key, "role": role.value, "accounts": list(reached)}, as_json=as_json)


@app.command("list", epilog="Example: turnout keys list --json")
def show(*, as_json: AsJson = False) -> None:
    """List the keys that are good; the keys themselves nobody can show."""
    from worker.auth import keys

    found = keys.listed(open_engine())
    if as_json:
        print_json(found)
    else:
        columns = ["name", "role", "accounts", "webhook", "created_at", "used_at", "old_until"]
        print_table(
            "Keys",
            [asdict(key) for key in found],
            columns,
            "there is no key yet: `turnout keys create NAME --role producer`",
        )


@app.command("rotate", epilog="Example: turnout keys rotate shop --overlap 3600")
def rotate(
    name: KeyName,
    *,
    overlap: Annotated[
        float, typer.Option(min=0, max=90 * 86_400, help="Seconds for which the old one is still good.")
    ] = 86_400,
    as_json: AsJson = False,
) -> None:
    """Replace a key by a new one, shown this once; the old one is still good for a while, an older one no longer."""
    from worker.auth import keys
    from worker.operations import audit_log

    engine = open_engine()
    with audit_log.noted(
        engine, audit_log.at_the_terminal(), "rotate key", key=name, overlap_seconds=overlap
    ) as action:
        key = keys.rotate(engine, name, overlap)
        action.number = int(key is not None)
    if key is None:
        _unknown(name)
    _show_once({"name": name, "key": key}, as_json=as_json)


@app.command("revoke", epilog="Example: turnout keys revoke shop")
def revoke(name: KeyName) -> None:
    """Let a key be good no longer, from the next request on."""
    from worker.auth import keys
    from worker.operations import audit_log

    engine = open_engine()
    with audit_log.noted(engine, audit_log.at_the_terminal(), "revoke key", key=name) as action:
        action.number = int(keys.revoke(engine, name))
    if not action.number:
        _unknown(name)
    say(f"key {name} is revoked")


@app.command("webhook", epilog="Example: turnout keys webhook shop --url https://shop.example.com/turnout")
def webhook(
    name: KeyName,
    *,
    url: Annotated[
        str | None, typer.Option(help="Where its submissions are told of when they fail or are finished.")
    ] = None,
    off: Annotated[
        bool, typer.Option("--off", help="Tell it nothing more; what is still to be told waits for another URL.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Set a producer's webhook, or turn it off. What signs its messages is shown this once, and kept encrypted."""
    from worker.operations import audit_log
    from worker.webhooks import endpoint

    if (url is None) is not off:
        raise typer.BadParameter("expected either --url or --off")
    process = open_process()
    engine, settings = process.engine, process.settings
    if url is None:
        with audit_log.noted(engine, audit_log.at_the_terminal(), "turn webhook off", key=name) as action:
            action.number = int(endpoint.turn_off(engine, name))
        if not action.number:
            _unknown(name, "producer's key")
        say(f"the webhook of {name} is off")
        return
    if wrong := endpoint.fault(url, private=settings.webhook_private):
        raise typer.BadParameter(f"--url {wrong}")
    host = urlsplit(url).hostname  # the rest of it may be what the receiver knows its caller by
    with audit_log.noted(engine, audit_log.at_the_terminal(), "set webhook", key=name, host=host) as action:
        secret = endpoint.point(engine, settings, name, url)
        action.number = int(secret is not None)
    if secret is None:
        _unknown(name, "producer's key")
    _show_once({"name": name, "secret": secret, "url": url}, "secret", as_json=as_json)


def _show_once(made: dict[str, object], what: str = "key", *, as_json: bool) -> None:
    if as_json:
        print_json(made)
    else:
        say(str(made[what]))
        say(f"This is shown once: keep it where {made['name']} finds it.")


def _unknown(name: str, kind: str = "key") -> NoReturn:
    fail(f"there is no {kind} {name}; `turnout keys list` shows them")
