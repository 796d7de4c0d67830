"""Whatever an operator does leaves its row in the audit log, without a secret; whatever only looks leaves none."""

import getpass
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update
from typer.testing import Result

from cli.app import app
from models.tables import Act, Batch, Error
from models.words import Outcome, Role, Via
from tests.support.console import RunningConsole
from tests.support.fixtures import Facts, Fail, Submit, Turnout
from tests.support.ledger import Ledger, ask, do, message, people
from worker.operations import audit_log

ME = "olga"
TOKEN = "pat-na1-secret-of-acme"


@pytest.fixture(autouse=True)
def olga(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: ME)


@pytest.fixture
def newest(engine: Engine) -> Callable[[], list[tuple[str, str, str, dict[str, Any], int | None]]]:
    """What was noted since the last look."""
    seen = 0

    def look() -> list[tuple[str, str, str, dict[str, Any], int | None]]:
        nonlocal seen
        rows = Ledger(engine).actions(Act.id > seen)
        seen = max([seen, *(row.id for row in rows)])
        assert not [row.last_error for row in rows if row.last_error]
        return [(row.who, row.via, row.what, row.filter, row.number) for row in rows]

    return look


class Acts:
    """Runs a command, and checks what it left."""

    def __init__(self, turnout: Turnout, newest: Callable[[], Any]) -> None:
        self.turnout, self.newest = turnout, newest
        self.done: set[str] = set()

    def __call__(
        self, what: str, chosen: dict[str, Any], number: int | None, *words: str, stdin: str | None = None
    ) -> Result:
        result = self.turnout(*words, stdin=stdin)
        assert self.newest() == [(ME, "terminal", what, chosen, number)], words
        self.done |= {words[0], " ".join(words[:2])}
        return result


@pytest.fixture
def acts(turnout: Turnout, newest: Callable[[], Any]) -> Acts:
    return Acts(turnout, newest)


def test_every_command_that_acts_leaves_its_row_and_every_one_that_looks_none(  # noqa: PLR0915 - each command once
    submit: Submit, engine: Engine, ledger: Ledger, acts: Acts, failed: Fail, rejected: Fail, tmp_path: Path
) -> None:
    turnout, newest, secrets = acts.turnout, acts.newest, [TOKEN]

    def key(what: str, chosen: dict[str, Any], *words: str) -> None:
        made = json.loads(acts(what, chosen, 1, *words, "--json").stdout)
        secrets.append(made.get("key") or made["secret"])

    failed("a@x.org", "b@x.org")
    acts("retry", {"outcomes": ["failed"], "event": "77"}, 2, "retry", "--event", "77", "--yes")
    acts("cancel", {"event": "77"}, 2, "cancel", "--event", "77")
    _, record = rejected("c@x.org", "d@x.org", event="78")
    (one, _) = (error.id for error in Ledger(engine).errors(Error.batch_id == Ledger(engine).batches()[-1].id))
    acts("dismiss", {"outcomes": ["rejected", "unconfirmed", "failed", "canceled"], "error_ids": [one]}, 1,
         "dismiss", str(one), "--because", "they left", "--yes")  # fmt: skip
    acts("correct", {"record_ids": [record]}, 1, "correct", str(record), "--email", "e@x.org", "--yes")
    submit({**message("f@x.org"), "account": "acme"})
    acts("add account", {"account": "acme", "burst_limit": 7}, 1, "accounts", "add", "acme", "--token-stdin",
         "--burst-limit", "7", stdin=TOKEN)  # fmt: skip
    refusal = ledger.refused()[0].id
    acts("replay", {"ids": [refusal]}, 1, "refused", "retry", str(refusal), "--yes")
    acts("change account", {"account": "acme", "batch_size": 9, "burst_limit": None}, 1, "accounts", "set", "acme",
         "--batch-size", "9", "--unset", "burst-limit")  # fmt: skip
    acts("rotate account", {"account": "acme"}, 1, "accounts", "rotate", "acme", "--token-stdin", stdin=TOKEN + "2")
    acts("pause", {"account": "acme", "because": "a storm"}, 1, "pause", "acme", "--because", "a storm")
    acts("resume", {"account": "acme"}, 1, "resume", "acme")
    turnout("accounts", "remove", "acme", status=1)
    assert newest() == [(ME, "terminal", "remove account", {"account": "acme"}, 0)], "its record still waits"
    acts("cancel", {"account": "acme"}, 1, "cancel", "--account", "acme")
    acts("remove account", {"account": "acme"}, 1, "accounts", "remove", "acme")
    shop = {"key": "shop", "role": "producer", "accounts": ["default"]}
    key("create key", shop, "keys", "create", "shop", "--role", "producer")
    key("rotate key", {"key": "shop", "overlap_seconds": 60.0}, "keys", "rotate", "shop", "--overlap", "60")
    hook = "https://hooks.example.com/services/T0/B0/a-secret-path"
    key("set webhook", {"key": "shop", "host": "hooks.example.com"}, "keys", "webhook", "shop", "--url", hook)
    secrets.append("a-secret-path")
    acts("turn webhook off", {"key": "shop"}, 1, "keys", "webhook", "shop", "--off")
    acts("revoke key", {"key": "shop"}, 1, "keys", "revoke", "shop")
    nightly = {"schedule": "nightly", "crontab": "0 3 * * *", "outcomes": ["failed"]}
    acts("schedule", nightly, None, "schedules", "set", "nightly", "0 3 * * *")
    for word in ("pause", "resume"):
        acts(f"{word} schedule", {"schedule": "nightly"}, None, "schedules", word, "nightly")
    failed("g@x.org", event="79")
    turnout("schedules", "begin", "nightly")
    ((who, via, what, chosen, _),) = newest()
    assert (who, via, what, chosen) == (ME, "terminal", "retry", {
        "outcomes": ["failed"], "most_retries": 10, "schedule": "nightly",
    })  # fmt: skip
    job = str(ledger.jobs()[-1].id)
    acts("stop", {"job": int(job)}, None, "jobs", "stop", job)
    acts("remove schedule", {"schedule": "nightly"}, None, "schedules", "remove", "nightly")
    acts("erase", {}, 1, "erase", "a@x.org", "--yes")
    do(engine, update(Batch).where(Batch.size == 2).values(settled_at=Batch.settled_at - timedelta(days=100)))
    looked_for = ledger.errors(Error.outcome == Outcome.UNCONFIRMED, Error.resolution.is_(None))
    stays = {error.batch_id for error in looked_for}
    records = len(ledger.stored(Batch.size == 2, Batch.id.not_in(stays)))
    acts("purge", {"older_than_days": 90.0}, records, "purge", "--older-than", "90")

    taken_out = len(json.loads(turnout("errors", "--json").stdout))
    newest()
    acts("export", {"outcomes": ["rejected", "unconfirmed", "failed"]}, taken_out, "errors", "--csv",
         str(tmp_path / "errors.csv"))  # fmt: skip
    submit({**message("n@x.org"), "account": "none"})
    acts("export", {"refused": "not accepted"}, 1, "refused", "--out", str(tmp_path / "refused.jsonl"))
    acts("export", {"refused": "not accepted"}, 1, "refused", "--json")
    acts("export", {"outcomes": ["rejected", "unconfirmed", "failed"]}, 1, "errors", "--json", "--limit", "1")

    for words in (
        ["status"], ["batches"], ["batch", "1"], ["errors"], ["errors", "--grouped"], ["person", "b@x.org"], ["jobs"],
        ["events"], ["event", "77"],
        ["job", "1"], ["actions"], ["schedules"], ["refused"], ["accounts", "list"], ["accounts", "show", "default"],
        ["keys", "list"], ["audit"], ["purge", "--dry-run"],
    ):  # fmt: skip
        turnout(*words)
        assert newest() == [], words
    for words in (["pause", "nobody"], ["resume", "nobody"], ["accounts", "rotate", "nobody"], ["keys", "create", "x"]):
        turnout(*words, status=2 if words[0] == "keys" else 1)
        assert newest() == [], words
    kept = "\n".join(str(row) for row in ask(engine, "SELECT a::text FROM actions a"))
    assert not [secret for secret in secrets if secret in kept]
    assert "a@x.org" not in kept
    assert acting() <= acts.done, "a command acts and is not in this test"


LOOK = {
    "up", "env", "enqueue", "status", "batches", "batch", "errors", "events", "event",
    "person", "submission", "job", "actions", "audit",
    "serve", "sandbox", "accounts list", "accounts show", "keys list", "db upgrade", "db rekey", "schedules begin",
    "db current", "db check", "config init", "doctor",
}  # fmt: skip
"""Those that change nothing of what is kept, hand records in, or are no operator's; `begin` is looked at by itself."""


def acting() -> set[str]:
    """Every command but those that look: whoever adds one has it noted, or names it above."""
    every = {str(command.name) for command in app.registered_commands}
    for group in app.registered_groups:
        assert group.typer_instance
        for command in group.typer_instance.registered_commands:
            assert command.callback
            every.add(f"{group.name} {command.name or command.callback.__name__}")
    return every - LOOK


def test_what_is_pressed_at_the_console_is_noted_with_the_keys_name(
    submit: Submit, ledger: Ledger, console: RunningConsole, newest: Callable[[], Any], failed: Fail
) -> None:
    failed("a@x.org", "b@x.org")
    batch = ledger.batches()[0].id
    submit(b"no JSON")
    operator = console.of(Role.OPERATOR, "Olga's key")
    newest()

    def pressed(what: str, chosen: dict[str, Any], number: int, path: str, on: str, **fields: str) -> None:
        assert operator.press(path, on, **fields).status_code in {200, 303, 422}
        assert newest() == [("Olga's key", "console", what, chosen, number)]

    pressed("retry", {"outcomes": ["failed"], "batch_id": batch}, 2, f"/batch/{batch}/retry", f"/batch/{batch}")
    pressed("pause", {"account": "default", "because": "a storm"}, 1, "/accounts/default/pause", "/accounts",
            because="a storm")  # fmt: skip
    pressed("resume", {"account": "default"}, 1, "/accounts/default/resume", "/accounts")
    refusal = ledger.refused()[0].id
    mended = json.dumps(message("c@x.org"))
    pressed("replay", {"ids": [refusal]}, 0, f"/refused/{refusal}", f"/refused/{refusal}", message="still no JSON")
    pressed("replay", {"ids": [refusal]}, 1, f"/refused/{refusal}", f"/refused/{refusal}", message=mended)
    pressed("erase", {}, 1, "/erasures", "/erase", contact="a@x.org")
    assert operator.press("/accounts/nobody/pause", "/accounts").status_code == 404
    for path in ("/", "/batches", "/errors", "/accounts", "/jobs", "/actions", "/schedules", "/refused", "/erasures"):
        operator.page(path)
    assert newest() == []


def test_what_raises_stays_noted_with_why_and_what_is_interrupted_without_a_number(engine: Engine) -> None:
    by = audit_log.at_the_terminal()
    with pytest.raises(ValueError, match="in it"), audit_log.noted(engine, by, "erase"):
        raise ValueError("a@x.org is in it")
    with pytest.raises(KeyboardInterrupt), audit_log.noted(engine, by, "purge", older_than_days=90):
        raise KeyboardInterrupt
    rows = [(act.what, act.number, act.last_error) for act in Ledger(engine).actions()]
    assert rows == [("erase", None, "ValueError"), ("purge", None, "")]


def test_the_log_is_listed_by_who_and_what_page_by_page(
    engine: Engine, turnout: Turnout, facts: Facts, failed: Fail
) -> None:
    failed("a@x.org")
    turnout("pause", "--because", "a storm")
    turnout("retry", "--yes")
    with audit_log.noted(engine, audit_log.Actor("a key", Via.CONSOLE), "erase") as action:
        action.number = 3
    assert [(one["what"], one["done"], one["is_job"]) for one in facts("actions")] == [
        ("erase", 3, False), ("retry", 1, True), ("pause", 1, False),
    ]  # fmt: skip
    assert [one["what"] for one in facts("actions", "--who", ME)] == ["retry", "pause"]
    assert [one["what"] for one in facts("actions", "--what", "pause")] == ["pause"]
    first = facts("actions", "--limit", "2")
    assert [one["what"] for one in facts("actions", "--before", str(first[-1]["id"]))] == ["pause"]
    said = turnout("actions").output
    assert "account default" in said
    assert "a storm" in said
    assert "because a storm" not in said
    assert people(1)[0] not in said


def test_a_user_without_a_name_is_said_to_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert audit_log.at_the_terminal().who == "nobody known"
