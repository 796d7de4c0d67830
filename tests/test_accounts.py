"""Accounts: added, set, rotated, removed by an operator; each with a token, limits and a day of its own."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, insert, literal, select as sql_select, text

from hubspot_api.reaction import OUTAGE
from models.tables import Account
from tasks.deliver import deliver
from tasks.sweep import due_accounts
from tests.support.fixtures import Facts, Submit, Turnout
from tests.support.ledger import Ledger, do
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tests.support.terminal import OnTerminal
from tests.support.worker_processes import environment
from worker.accounts import state
from worker.accounts.destination import NoToken, UnknownAccount, destination
from worker.accounts.state import midnight, new_day
from worker.context import Context
from worker.settings import Settings

WHEN = 1_767_225_600_000


def row(engine: Engine, name: str) -> Account:
    return Ledger(engine).account(name)


def parked_until(engine: Engine) -> datetime:
    """When the default account, which waits, may send again."""
    until = row(engine, "default").parked_until
    assert until is not None
    return until


def message(account: str, *contacts: str, event: str = "7") -> dict[str, Any]:
    inputs = [{"email": contact, "interactionDateTime": WHEN} for contact in contacts or ("ada@example.com",)]
    return {"subscriber_state": "register", "object_id": event, "inputs": inputs, "account": account}


def add(turnout: Turnout, name: str, *words: str, token: str = "pat-acme") -> None:
    turnout("accounts", "add", name, "--token-stdin", *words, stdin=token)


def test_an_account_is_added_with_what_is_its_own_and_the_rest_is_as_the_settings_say(
    turnout: Turnout, facts: Facts, engine: Engine, settings: Settings
) -> None:
    add(turnout, "acme", "--url", "https://hubspot.example/", "--version", "2026-09", "--batch-size", "50")
    shown = facts("accounts", "show", "acme")
    assert (shown["hubspot_url"], shown["hubspot_version"], shown["batch_size"]) == (
        "https://hubspot.example",
        "2026-09",
        50,
    )
    assert (shown["burst_limit"], shown["daily_limit"], shown["time_zone"]) == (100, 250_000, "UTC")
    assert shown["own"] == ["hubspot_url", "hubspot_version", "batch_size"]
    to = destination(engine, settings, "acme")
    assert (to.url, to.token.get_secret_value(), to.batch_size) == ("https://hubspot.example", "pat-acme", 50)
    assert [one["name"] for one in facts("accounts", "list")] == ["acme", "default"]


@pytest.mark.parametrize(
    ("tier", "burst", "daily"),
    [
        ("free", 100, 250_000),
        ("professional", 190, 625_000),
        ("enterprise", 190, 1_000_000),
        ("addon", 250, 1_250_000),
        ("oauth", 110, 950_400),
    ],
)
def test_a_tier_brings_hubspots_limits_and_what_is_named_alone_goes_before_it(
    turnout: Turnout, facts: Facts, tier: str, burst: int, daily: int
) -> None:
    add(turnout, "acme", "--tier", tier)
    shown = facts("accounts", "show", "acme")
    assert (shown["burst_limit"], shown["burst_seconds"], shown["daily_limit"]) == (burst, 10, daily)
    turnout("accounts", "set", "acme", "--tier", tier, "--burst-limit", "7")
    shown = facts("accounts", "show", "acme")
    assert (shown["burst_limit"], shown["daily_limit"]) == (7, daily)


def test_an_oauth_account_has_no_calls_a_day(turnout: Turnout, facts: Facts, engine: Engine) -> None:
    do(engine, "UPDATE accounts SET oauth = 'sealed'")
    assert facts("accounts", "show", "default")["daily_limit"] is None
    assert " a day" not in turnout("accounts", "list").stdout


def test_a_token_is_encrypted_at_rest_and_shown_nowhere(turnout: Turnout, engine: Engine, settings: Settings) -> None:
    added = turnout("accounts", "add", "acme", "--token-stdin", stdin="pat-na1-secret\n")
    said = [added, turnout("accounts", "list"), turnout("accounts", "show", "acme"), turnout("status", "--json")]
    said += [turnout("accounts", "list", "--json"), turnout("accounts", "show", "acme", "--json")]
    with engine.connect() as connection:
        dumped = connection.execute(text("SELECT accounts::text FROM accounts")).scalars().all()
    to = destination(engine, settings, "acme")
    for one in [*(result.output for result in said), *dumped, repr(to), str(to)]:
        assert "pat-na1-secret" not in one
        assert b"pat-na1-secret".hex() not in one
    assert row(engine, "acme").token_set_at is not None
    assert "its own, since 20" in turnout("accounts", "show", "acme").output


def test_a_token_typed_at_the_prompt_is_not_echoed(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli", "accounts", "add", "acme"]
    env = environment(settings)
    terminal = OnTerminal(
        lambda tty: subprocess.Popen(
            command, cwd=tmp_path, env=env, stdin=tty, stdout=tty, stderr=tty, start_new_session=True
        ),
        {b"Access token: ": b"pat-typed"},
    )
    assert terminal.end() == 0, terminal.said()
    assert "Access token:" in terminal.said()
    assert "pat-typed" not in terminal.said()
    assert destination(engine, settings, "acme").token.get_secret_value() == "pat-typed"


def test_a_token_is_no_argument_and_without_a_terminal_it_is_read_only_when_told(turnout: Turnout) -> None:
    assert "--token-stdin" in turnout("accounts", "add", "acme", stdin="pat-x", status=2).output
    assert "pat-x" not in turnout("accounts", "add", "acme", "--token", "pat-x", status=2).output.replace("--token", "")


@pytest.mark.parametrize("token", ["", "two words", "tökén", "line\nbreak"])
def test_what_no_header_can_carry_is_no_token_and_is_not_repeated(turnout: Turnout, facts: Facts, token: str) -> None:
    said = turnout("accounts", "add", "acme", "--token-stdin", stdin=token, status=2).output
    assert "the token is empty, or holds" in said
    assert not token or token not in said
    assert [one["name"] for one in facts("accounts", "list")] == ["default"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "a/b"], "letters, digits"),
        (["add", "acme", "--url", "hubapi.com"], "https://api.hubapi.com"),
        (["add", "acme", "--url", "https://user:pw@host"], "not a base URL"),
        (["add", "acme", "--version", "v4"], "2026-09"),
        (["add", "acme", "--time-zone", "New York"], "America/New_York"),
        (["add", "acme", "--time-zone", "EST"], "-05:00 all year or the clock of America/New_York (-05:00 in January"),
        (["set", "default", "--time-zone", "CET"], "expected Europe/Berlin"),
        (["set", "default", "--time-zone", "Etc/GMT-2"], "Etc/GMT-2 means +02:00"),
        (["set", "default", "--time-zone", "-05:00"], "-05:00 is an offset, and the clocks of a place change"),
        (["add", "acme", "--batch-size", "0"], "greater than or equal to 1"),
        (["add", "acme", "--tier", "gold"], "enterprise"),
        (["set", "default"], "nothing to change"),
        (["set", "acme", "--unset", "token"], "the settings' token is default's alone"),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(turnout: Turnout, words: list[str], said: str) -> None:
    output = " ".join(turnout("accounts", *words, status=2).output.replace("│", " ").split())
    assert said in output


def test_what_is_set_can_go_back_to_what_the_settings_say(turnout: Turnout, facts: Facts) -> None:
    turnout("accounts", "set", "default", "--batch-size", "50", "--time-zone", "Europe/Berlin")
    shown = facts("accounts", "show", "default")
    assert (shown["batch_size"], shown["time_zone"], shown["own"]) == (50, "Europe/Berlin", ["batch_size", "time_zone"])
    turnout("accounts", "set", "default", "--unset", "batch-size", "--unset", "time-zone")
    shown = facts("accounts", "show", "default")
    assert (shown["batch_size"], shown["time_zone"], shown["own"]) == (100, "UTC", [])


def test_rotating_replaces_the_token_and_the_settings_can_be_gone_back_to(
    turnout: Turnout, facts: Facts, engine: Engine, settings: Settings
) -> None:
    turnout("accounts", "rotate", "default", "--token-stdin", stdin="pat-new")
    assert destination(engine, settings, "default").token.get_secret_value() == "pat-new"
    state.pause(engine, row(engine, "default").id, "HubSpot does not accept the token")
    assert "turnout resume default" in turnout("accounts", "rotate", "default", "--token-stdin", stdin="x").output
    assert row(engine, "default").paused_at is not None
    turnout("accounts", "set", "default", "--unset", "token")
    assert destination(engine, settings, "default").token.get_secret_value() == "test-token"
    assert facts("accounts", "show", "default")["token"] == "the settings'"


def test_only_default_is_sent_for_with_the_settings_token(context: Context, submit: Submit) -> None:
    do(context.engine, insert(Account).values(name="bare"))
    submit(message("bare"))
    assert deliver(context, "bare") == 0
    paused = row(context.engine, "bare")
    assert paused.paused_because == "it has no token; give it one: turnout accounts rotate bare"
    assert due_accounts(context) == []
    with pytest.raises(NoToken):
        destination(context.engine, context.settings, "bare")


def test_without_any_token_default_is_paused_and_says_what_to_set(settings: Settings, engine: Engine) -> None:
    with pytest.raises(NoToken):
        destination(engine, settings.model_copy(update={"hubspot_token": SecretStr("")}), "default")
    assert "TURNOUT_HUBSPOT_TOKEN" in row(engine, "default").paused_because


def test_a_wrong_key_pauses_the_account_with_one_sentence(turnout: Turnout, settings: Settings, engine: Engine) -> None:
    add(turnout, "acme")
    context = Context(settings.model_copy(update={"secret_key": SecretStr("another")}))
    assert [deliver(context, "acme") for _ in range(3)] == [0, 0, 0]
    assert "its token cannot be read: TURNOUT_SECRET_KEY is not the key" in row(engine, "acme").paused_because
    context.engine.dispose()
    assert "sends one batch now" in turnout("resume", "acme").output
    assert destination(engine, settings, "acme").token.get_secret_value() == "pat-acme"


def test_a_wrong_key_at_rekeying_is_one_line_and_no_traceback(
    turnout: Turnout, settings: Settings, tmp_path: Path
) -> None:
    add(turnout, "acme")
    done = subprocess.run(
        [sys.executable, "-m", "cli", "db", "rekey"],
        cwd=tmp_path,
        env=environment(settings) | {"TURNOUT_SECRET_KEY": "neither,nor"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("turnout: no key of TURNOUT_SECRET_KEY opens token of «acme»")
    assert "Traceback" not in done.stderr


def test_a_removed_account_is_unknown_until_it_is_added_again_and_keeps_its_history(
    turnout: Turnout, facts: Facts, context: Context, submit: Submit
) -> None:
    add(turnout, "acme")
    assert submit(message("acme"))[0].accepted == 1
    refused = turnout("accounts", "remove", "acme", status=1)
    assert "of acme, 1 batch with 1 record is not finished" in refused.output
    turnout("cancel", "--account", "acme")
    turnout("accounts", "remove", "acme")
    gone = row(context.engine, "acme")
    assert (gone.token, gone.token_set_at, gone.removed_at is None) == (None, None, False)
    part = submit(message("acme", "bob@example.com"))[0]
    assert (part.accepted, part.refused) == (0, 1)
    with pytest.raises(UnknownAccount):
        destination(context.engine, context.settings, "acme")
    assert deliver(context, "acme") == 0
    for words in (["accounts", "show", "acme"], ["resume", "acme"], ["pause", "acme"], ["accounts", "remove", "acme"]):
        assert "there is no account acme" in turnout(*words, status=1).output
    assert [one["account"] for one in facts("batches")] == ["acme"]
    add(turnout, "acme", "--batch-size", "9", token="pat-second")
    assert row(context.engine, "acme").id == gone.id
    assert submit(message("acme", "bob@example.com"))[0].accepted == 1
    to = destination(context.engine, context.settings, "acme")
    assert (to.token.get_secret_value(), to.batch_size) == ("pat-second", 9)


def test_default_is_never_removed_and_nothing_is_added_twice(turnout: Turnout) -> None:
    assert "paused, not removed" in turnout("accounts", "remove", "default", status=1).output
    said = turnout("accounts", "add", "default", "--token-stdin", stdin="x", status=1).output
    assert "there is an account default" in said


def test_two_accounts_deliver_to_two_portals_with_their_own_tokens_and_within_their_own_limits(
    turnout: Turnout, context: Context, submit: Submit
) -> None:
    with (
        running_sandbox(burst_limit=2, burst_seconds=60, tokens=("pat-acme",)) as acme,
        running_sandbox(burst_limit=1, burst_seconds=60, tokens=("pat-beta",)) as beta,
    ):
        for name, portal, limit in (("acme", acme, "2"), ("beta", beta, "1")):
            own = ["--url", portal.url, "--burst-limit", limit, "--burst-seconds", "60", "--batch-size", "1"]
            add(turnout, name, *own, token=f"pat-{name}")
            assert deliver(context, name) == 0  # its limits are known before anything was sent
            submit(message(name, *(f"{n}@{name}.example.com" for n in range(4))))
        assert (deliver(context, "acme"), deliver(context, "beta")) == (2, 1)
        for name, portal, number in (("acme", acme, 2), ("beta", beta, 1)):
            assert portal.stats()["by_status"] == {"200": number}
            contacts = [str(one["contact"]) for one in portal.participations(f"pat-{name}")]
            assert [contact.endswith(f"@{name}.example.com") for contact in contacts] == [True] * number


def test_an_account_keeps_its_limiter_until_something_of_it_changes(turnout: Turnout, context: Context) -> None:
    limiter = context.limiter(context.destination("default"))
    context.forget("default")
    assert context.limiter(context.destination("default")) is limiter
    turnout("accounts", "set", "default", "--burst-limit", "7")
    context.forget("default")
    assert context.limiter(context.destination("default")) is not limiter


@pytest.fixture
def portal(settings: Settings) -> Iterator[tuple[RunningSandbox, Context]]:
    with running_sandbox(burst_limit=1_000, tokens=("pat-acme", "pat-beta")) as sandbox:
        context = Context(settings.model_copy(update={"hubspot_url": sandbox.url}))
        yield sandbox, context
        context.engine.dispose()


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "give it the right token: turnout accounts rotate acme"),
        (403, "give its app the scope crm.objects.marketing_events.write"),
    ],
)
def test_a_refused_token_pauses_only_its_account_and_says_what_to_do_and_resume_begins_with_a_probe(
    turnout: Turnout, facts: Facts, portal: tuple[RunningSandbox, Context], submit: Submit, status: int, remedy: str
) -> None:
    sandbox, context = portal
    for name in ("acme", "beta"):
        add(turnout, name, "--batch-size", "1", token=f"pat-{name}")
        assert deliver(context, name) == 0
        submit(message(name, f"1@{name}.example.com", f"2@{name}.example.com"))
    sandbox.fault(status=status, count=1)
    assert (deliver(context, "acme"), deliver(context, "beta")) == (1, 2)
    paused = facts("accounts", "show", "acme")
    assert paused["paused_because"].startswith("HubSpot does not accept the token: ")
    assert paused["paused_because"].endswith(f"{remedy}; then: turnout resume acme")
    assert "PAUSED since" in turnout("accounts", "list").output
    assert deliver(context, "acme") == 0
    turnout("resume", "acme")
    sandbox.fault(status=503, count=1)
    assert deliver(context, "acme") == 1  # the probe, and as it fails nothing after it
    assert row(context.engine, "acme").parked_until is not None
    assert row(context.engine, "acme").in_a_row > 5


def test_a_token_that_was_rotated_while_a_call_was_under_way_pauses_nothing(
    turnout: Turnout, portal: tuple[RunningSandbox, Context], submit: Submit
) -> None:
    _, context = portal
    add(turnout, "acme", token="pat-old")
    submit(message("acme"))
    assert context.destination("acme").token.get_secret_value() == "pat-old"
    turnout("accounts", "rotate", "acme", "--token-stdin", stdin="pat-acme")
    assert deliver(context, "acme") == 2  # one with the old token, which this process still knew
    assert row(context.engine, "acme").paused_at is None
    assert row(context.engine, "acme").in_a_row == 0


def test_an_operator_pauses_and_resumes(turnout: Turnout, context: Context, submit: Submit) -> None:
    submit(message("default"))
    turnout("pause", "default", "--because", "the webinar's list is wrong")
    assert "the webinar's list is wrong" in turnout("status").output
    assert (deliver(context, "default"), due_accounts(context)) == (0, [])
    turnout("resume")
    assert due_accounts(context) == ["default"]


@pytest.mark.parametrize(
    ("zone", "moment", "ends"),
    [
        ("UTC", "2026-03-08T12:00Z", "2026-03-09T00:00Z"),
        ("America/New_York", "2026-01-15T03:00Z", "2026-01-15T05:00Z"),
        ("America/New_York", "2026-01-15T05:00Z", "2026-01-16T05:00Z"),
        ("America/New_York", "2026-03-08T05:30Z", "2026-03-09T04:00Z"),  # a day of 23 hours
        ("America/New_York", "2026-11-01T04:30Z", "2026-11-02T05:00Z"),  # a day of 25 hours
        ("Asia/Kathmandu", "2026-06-01T18:14Z", "2026-06-01T18:15Z"),
        ("America/Santiago", "2026-09-06T02:00Z", "2026-09-06T04:00Z"),  # no midnight: at one o'clock it begins
    ],
)
def test_the_accounts_day_ends_at_its_own_midnight(engine: Engine, zone: str, moment: str, ends: str) -> None:
    with engine.connect() as connection:
        found = connection.execute(
            sql_select(midnight(literal(datetime.fromisoformat(moment)), literal(zone)))
        ).scalar_one()
    assert found == datetime.fromisoformat(ends)


@pytest.mark.parametrize(
    ("moment", "tried_again"),
    [
        ("2026-03-08T23:59Z", "2026-03-09T00:01Z"),
        ("2026-03-08T00:05Z", "2026-03-09T00:01Z"),
        ("2026-03-08T00:04Z", "2026-03-08T00:05Z"),  # HubSpot's clock may be at the day before
        ("2026-03-08T00:00Z", "2026-03-08T00:01Z"),
    ],
)
def test_a_spent_day_is_over_a_minute_after_midnight_and_none_is_spent_as_it_begins(
    engine: Engine, moment: str, tried_again: str
) -> None:
    with engine.connect() as connection:
        at = connection.execute(
            sql_select(new_day(literal(datetime.fromisoformat(moment)), literal("UTC")))
        ).scalar_one()
    assert at == datetime.fromisoformat(tried_again)


def test_a_spent_quota_parks_until_a_minute_after_the_accounts_midnight(engine: Engine) -> None:
    zone = "Pacific/Kiritimati" if datetime.now(UTC).hour < 9 else "UTC"  # where it is not a little after midnight
    do(engine, f"UPDATE accounts SET time_zone = '{zone}'")
    state.park(engine, row(engine, "default").id, None, "HubSpot's daily limit is spent")
    until = parked_until(engine)
    assert (until - datetime.now(UTC)).total_seconds() <= 86_400
    assert until.astimezone(ZoneInfo(zone)).strftime("%H:%M:%S") == "00:01:00"


def test_an_ambiguous_answer_still_under_way_shortens_no_parking_of_another_cause(engine: Engine) -> None:
    default = row(engine, "default").id
    state.park(engine, default, 3_600, "HubSpot's daily limit is spent")
    assert [state.count_ambiguous(engine, default) for _ in range(OUTAGE + 1)] == [0] * (OUTAGE + 1)
    state.park(engine, default, 4, "HubSpot answered 503")
    assert parked_until(engine) > datetime.now(UTC) + timedelta(seconds=3_000)
    assert row(engine, "default").parked_because == "HubSpot's daily limit is spent"


def test_a_longer_parking_replaces_a_shorter_one(engine: Engine) -> None:
    default = row(engine, "default").id
    state.park(engine, default, 4, "HubSpot is away")
    state.park(engine, default, 3_600, "HubSpot's daily limit is spent")
    assert row(engine, "default").parked_because == "HubSpot's daily limit is spent"


def test_an_outages_parking_is_as_long_as_its_last_probe_says(engine: Engine) -> None:
    default = row(engine, "default").id
    for _ in range(OUTAGE):
        state.count_ambiguous(engine, default)
    state.park(engine, default, 3_600, "one batch is sent to see whether HubSpot answers again")
    assert state.count_ambiguous(engine, default) == OUTAGE + 1
    state.park(engine, default, 4, "HubSpot answered 503")
    assert parked_until(engine) < datetime.now(UTC) + timedelta(seconds=10)
