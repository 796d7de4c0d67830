"""A database is restored to a moment before: what HubSpot holds and Turnout does not know is named, and taken in."""

import json
import re
import stat
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import requests
from psycopg.sql import SQL, Identifier
from sqlalchemy import func, update
from sqlalchemy.engine import make_url

from cli import compare as compare_command
from models.accept_rules import Rules
from models.tables import Error
from models.words import Door
from tasks.deliver import deliver
from tasks.intake import intake
from tasks.verify import verify
from tests.support.background import beside
from tests.support.databases import Databases
from tests.support.documents import text_of
from tests.support.fixtures import Given, Submit, Turnout
from tests.support.ledger import WHEN, Ledger, ask, do, make_due, message, outcomes
from tests.support.replication import PROGRAMS, Archived
from tests.support.sandbox_calls import by_email, external_path, post
from tests.support.sandbox_server import RunningSandbox
from worker import settings as settings_module, startup
from worker.accounts.state import pause
from worker.context import Context
from worker.database import make_engine
from worker.delivery import permits
from worker.encryption import fingerprint_key
from worker.intake.accept import Inbound, accept
from worker.local.migrate import upgrade
from worker.operations import compare
from worker.queries.reconciliation import audit
from worker.queue.unconfirmed import accounts_due
from worker.settings import Settings

pytestmark = pytest.mark.usefixtures("books")
SPAN = {"joinedAt": "2026-03-01T10:00:00Z", "leftAt": "2026-03-01T10:45:30Z"}


OPERATIONS = text_of("docs/operations.md")
LATER = "CREATE TABLE of_a_later_release (id bigint PRIMARY KEY REFERENCES submissions)"
"""As an upgrade may bring one: what the dump holds cannot be dropped any more, for this table refers to it."""


def shell(lines: str, folder: Path, **environment: str) -> str:
    """Run lines of the page with PostgreSQL's own programs; give what they print."""
    environment = {"PATH": f"{PROGRAMS}:/usr/bin:/bin"} | environment
    command = ["sh", "-e", "-c", lines]
    return subprocess.run(
        command, cwd=folder, env=environment, check=True, timeout=120, stdout=subprocess.PIPE, text=True
    ).stdout


@pytest.fixture
def backup(sending: Context, databases: Databases, tmp_path: Path) -> Iterator[Callable[[], Callable[[], None]]]:
    """Back up the database, which an upgrade then changes; what is given restores it by the lines of the page."""
    url = make_url(sending.settings.database_url)
    name, user = str(url.database), str(url.username)
    server = {"PGHOST": str(url.query["host"]), "PGUSER": user, "TURNOUT_DATABASE_URL": sending.settings.database_url}
    dump, (restoring,) = (
        re.search(r"`(pg_dump --format=custom [^`]+)`", OPERATIONS),
        re.findall(r"( +psql --dbname=postgres -c .+\n +pg_restore .+\n)", OPERATIONS),
    )
    assert dump

    def run(lines: str) -> None:
        sending.engine.dispose()
        databases.leave(name)
        shell(lines, tmp_path, **server)

    def restore() -> None:
        do(sending.engine, LATER)
        run(restoring.replace("OWNER turnout", f"OWNER {user}").replace(" turnout", f" {name}"))

    def made() -> Callable[[], None]:
        run(dump[1])
        return restore

    yield made
    sending.engine.dispose()
    with psycopg.connect(databases.server_url, autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE IF EXISTS {}").format(Identifier(f"{name}_before")))


@pytest.mark.parametrize("mark", ["", "'", '"'])
def test_the_url_is_read_without_its_quotation_marks(mark: str, tmp_path: Path) -> None:
    url = "postgresql://turnout:p%40w@db.example.com:5432/turnout?sslmode=verify-full&options=-csearch_path%3Dturnout"
    (tmp_path / ".env").write_text(f"#TURNOUT_DATABASE_URL=other\nTURNOUT_DATABASE_URL={mark}{url}{mark}\nA=b\n")
    (line,) = re.findall(r"^export TURNOUT_DATABASE_URL=.*\n", OPERATIONS, re.MULTILINE)
    assert shell(f'{line.replace("/etc/turnout/", "")}printf %s "$TURNOUT_DATABASE_URL"', tmp_path) == url


@pytest.fixture
def command(sending: Context, turnout: Turnout, monkeypatch: pytest.MonkeyPatch) -> Turnout:
    """Run a command whose HubSpot is the test server."""
    monkeypatch.setattr(settings_module, "load_settings", lambda: sending.settings)
    return turnout


def sent(context: Context) -> None:
    """Deliver all that waits, and read back all that HubSpot did not confirm."""
    while True:
        make_due(context.engine)
        if not deliver(context, "default"):
            break
    do(context.engine, update(Error).where(Error.verify_at.is_not(None)).values(verify_at=func.now()))
    for account in accounts_due(context.engine):
        verify(context, account)


def test_after_a_restore_what_hubspot_holds_is_named_taken_in_and_never_sent_twice(
    sending: Context,
    sandbox: RunningSandbox,
    submit: Submit,
    ledger: Ledger,
    command: Turnout,
    tmp_path: Path,
    backup: Callable[[], Callable[[], None]],
) -> None:
    submit(message("ada@example.com", "bob@example.com"))
    sent(sending)
    submit(message("carl@example.com"))
    restore = backup()
    lost = message("dora@example.com")
    submit(lost, message("ada@example.com", state="cancel", when=1_767_225_900_000))
    inputs = [{"email": "eve@example.com", "interactionDateTime": 1_767_225_700_000, "properties": SPAN}]
    submit({"subscriber_state": "attend", "object_id": "77", "inputs": inputs})
    submit(
        {
            "subscriber_state": "register",
            "object_id": "77",
            "inputs": [{"vid": 4711, "interactionDateTime": 1_767_225_800_000}],
        }
    )
    sent(sending)
    assert outcomes(sending.engine) == {"delivered": 7}
    held = sandbox.participations()
    restore()
    assert outcomes(sending.engine) == {"delivered": 2, "pending": 1}
    (numbers_ahead,) = re.findall(r'psql "\$TURNOUT_DATABASE_URL" -c "(SELECT .*)"', OPERATIONS)
    last = Ledger(sending.engine).records()[-1].id
    do(sending.engine, numbers_ahead)

    sent(sending)  # HubSpot has it already, and says so by an empty answer: it is read back
    assert outcomes(sending.engine) == {"delivered": 3}
    submit(lost, lost)  # the producer submits what it submitted since, and does it twice
    sent(sending)
    assert outcomes(sending.engine) == {"delivered": 4}
    ids = [record.id for record in Ledger(sending.engine).records()]
    assert [number > last + 1_000_000 for number in ids] == [False, False, False, True]

    missing = tmp_path / "missing.jsonl"
    said = command("audit", "--against-hubspot", "77", "--out", str(missing), status=1).output
    print(said)
    unknown = sorted(line for line in said.splitlines() if line.startswith("not known"))
    assert [line.partition(" (contact ")[0] for line in unknown] == [
        "not known: ada@example.com",
        "not known: eve@example.com",
        "not known: no e-mail address",
    ]
    assert unknown[0].endswith("cancel, 2026-01-01 00:05:00Z")
    assert "(contact 4711), register, 2026-01-01 00:03:20Z" in unknown[2]
    assert "  known                 4" in said
    assert stat.S_IMODE(missing.stat().st_mode) == 0o600
    with beside(lambda _: intake(sending), 0.05, "accepting"):
        command("enqueue", str(missing))
    sent(sending)
    assert command("audit", "--against-hubspot", "77").output.splitlines()[-1] == "  not known             0"
    assert outcomes(sending.engine) == {"delivered": 7}
    assert sandbox.participations() == held  # nothing was done to HubSpot by all that
    assert audit(sending.engine).accepted == 7
    noted = [(act.what, act.filter, act.number) for act in ledger.actions() if act.what == "compare"]
    assert noted == [("compare", {"account": "default", "event": "77"}, number) for number in (3, 0)]


def put(sandbox: RunningSandbox, *inputs: object, path: str | None = None, account: str | None = None) -> None:
    """Write to HubSpot beside Turnout."""
    assert post(sandbox, *inputs, path=path, token="test-token", account=account).ok


def test_an_event_of_any_length_is_read_page_by_page_also_while_its_account_is_paused(
    sending: Context, sandbox: RunningSandbox, command: Turnout
) -> None:
    put(sandbox, *(by_email(f"p{number}@example.com") for number in range(100)))
    put(sandbox, *(by_email(f"p{number}@example.com") for number in range(100, 205)))
    pause(sending.engine, 1, "nothing goes out after a restore")
    said = command("audit", "--against-hubspot", "77", status=1).output.splitlines()
    assert sum(line.startswith("not known: p") for line in said) == compare_command.SHOWN
    assert said[-4:] == [
        "and 105 more: --out FILE writes all",
        "event 77, account default: HubSpot shows 205 participations",
        "  known                 0",
        "  not known           205",
    ]
    facts = json.loads(command("audit", "--against-hubspot", "77", "--json", status=1).stdout)
    assert {name: facts[name] for name in ("shown", "known", "waiting", "unknown", "calls")} == {
        "shown": 205,
        "known": 0,
        "waiting": 0,
        "unknown": 205,
        "calls": 5,  # three pages of those who registered, one of each other state
    }
    assert len(facts["first"]) == compare_command.SHOWN


def test_a_person_known_by_either_address_of_an_event_and_still_waiting_is_known(
    sandbox: RunningSandbox, command: Turnout, given: Given
) -> None:
    put(sandbox, by_email("ada@example.com", WHEN), path=external_path("ev", "register"), account="acme")
    view = f"{sandbox.url}/marketing/v3/marketing-events/participations/acme/ev/breakdown"
    (row,) = requests.get(view, headers={"Authorization": "Bearer test-token"}, timeout=10).json()["results"]
    given("ada@example.com", event=row["associations"]["marketingEvent"]["marketingEventId"])
    said = command("audit", "--against-hubspot", "acme/ev").output
    assert "of these              1 still wait to be sent" in said


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 404, "count": 9}, "HubSpot does not show this event"),
        ({"status": 401, "count": 9}, "HubSpot does not answer account default now"),
    ],
)
def test_what_hubspot_does_not_show_is_said_in_a_sentence(
    sandbox: RunningSandbox, command: Turnout, fault: dict[str, object], said: str
) -> None:
    sandbox.fault(reads=True, **fault)
    with pytest.raises(compare.NotRead, match=said):
        raise command("audit", "--against-hubspot", "77", status=1).exception or AssertionError


def test_an_answer_that_asks_for_patience_is_waited_for(
    sending: Context, sandbox: RunningSandbox, command: Turnout
) -> None:
    put(sandbox, by_email("ada@example.com"))
    sandbox.fault(reads=True, status=503, count=1)
    assert "not known             1" in command("audit", "--against-hubspot", "77", status=1).output
    assert [(one.answer, one.http_status) for one in Ledger(sending.engine).attempts()][:2] == [
        ("ambiguous", 503),
        ("page", 200),
    ]


def test_when_no_call_is_free_it_ends_in_a_sentence(command: Turnout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "PATIENCE", 0)
    monkeypatch.setattr(permits, "permit", lambda *_: None)
    with pytest.raises(compare.NotRead, match="no call was free"):
        raise command("audit", "--against-hubspot", "77", status=1).exception or AssertionError


def test_options_that_do_not_go_together_and_a_file_that_is_there(command: Turnout, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("kept")
    assert "go with --against-hubspot EVENT" in command("audit", "--out", "x", status=2).output
    words = ("audit", "--against-hubspot", "77", "--out", str(tmp_path / "there"))
    assert "name a file that is not there" in command(*words, status=2).output
    assert (tmp_path / "there").read_text() == "kept"
    assert (
        "there is no account none" in command("audit", "--against-hubspot", "77", "--account", "none", status=1).output
    )


def test_an_event_of_several_accounts_is_asked_about(sending: Context, command: Turnout, submit: Submit) -> None:
    do(sending.engine, "INSERT INTO accounts (name) VALUES ('north')")
    submit(message("ada@example.com"), {**message("ada@example.com"), "account": "north"})
    said = command("audit", "--against-hubspot", "77", status=1).output
    assert "several accounts have an event 77 (default, north): --account says which" in said


@pytest.mark.long
def test_an_archive_brings_it_back_to_a_moment_and_what_came_since_is_stored_once(settings: Settings) -> None:
    home = Path(tempfile.mkdtemp(prefix="turnout-"))
    archived = Archived(home)
    try:
        here = settings.model_copy(update={"database_url": archived.server.url})
        engine = make_engine(here)
        upgrade(engine)
        rules = Rules(fingerprint_key(engine, here), here.batch_size, here.linger)

        def submit(*contacts: str) -> None:
            handed = Inbound(Door.STREAM, uuid.uuid4().hex, json.dumps(message(*contacts)).encode())
            with engine.connect() as connection:
                accept(connection, [handed], rules)

        archived.back_up()
        submit("ada@example.com")
        ((moment,),) = ask(engine, "SELECT clock_timestamp()::text")
        submit("bob@example.com")
        engine.dispose()
        archived.restore(moment)
        assert audit(engine).accepted == 1
        assert [row.contact for row in Ledger(engine).records()] == ["ada@example.com"]
        assert startup.of_database(here, engine) == []
        for _ in range(2):
            submit("ada@example.com", "bob@example.com")
        books = audit(engine)
        assert (books.accepted, books.duplicates, books.balanced) == (2, 3, True)
        engine.dispose()
    finally:
        archived.stop()
