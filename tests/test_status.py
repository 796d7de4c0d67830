"""`turnout status` says what waits, why and until when, where records go, and what needs action now."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, text, update
from sqlalchemy.exc import DataError, OperationalError

import tasks.fallback
import worker.context
import worker.database
import worker.settings
from models.tables import Account
from tasks.fallback import Fallback
from tasks.intake import intake
from tests.support.console import Visitor, words
from tests.support.fixtures import Facts, Submit, Turnout
from tests.support.ledger import account_id, ask, message, settled, taken
from tests.support.services import Valkey
from tests.support.worker_processes import Workers
from worker import failures, heartbeat
from worker.accounts import state
from worker.context import Context
from worker.failures import Verb, VerbFailure
from worker.heartbeat import Worker, started_with
from worker.local.services import free_port
from worker.queries.attention import exit_status, findings
from worker.queries.machinery import CELERYS_OWN
from worker.queries.status import read_status
from worker.schema import needed
from worker.setting_sources import SettingsError
from worker.settings import Settings
from worker.startup import CannotStart
from worker.task_names import DELIVER, DELIVERY_QUEUES, HOUSEKEEPING_QUEUES, TASKS
from worker.watchdog import Activity

pytestmark = pytest.mark.usefixtures("fresh")
EVERYTHING = HOUSEKEEPING_QUEUES.split(",")


def parked(engine: Engine) -> str:
    """Park the account, and give how that is said."""
    state.park(engine, account_id(engine), 3_600, "HTTP 503")
    (row,) = ask(engine, "SELECT to_char(parked_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS at FROM accounts")
    return f"account waits until {row.at}Z: HTTP 503"


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No page shows what was found some seconds ago."""
    monkeypatch.setattr(worker.context, "REMEMBERED", -1)


def lives(
    context: Context,
    name: str,
    queues: list[str],
    hubspot_url: str = "",
    *,
    broker: str = "",
    finds_work_itself: bool = False,
) -> None:
    """Let a worker give a heartbeat."""
    url = hubspot_url or context.settings.hubspot_url
    heartbeat.note(context, Worker(name, "h", "1", queues, url, "", broker, finds_work_itself))


@pytest.fixture
def well(context: Context, engine: Engine) -> None:  # noqa: ARG001 - the tables
    """Everything runs."""
    context.redis.config_set("appendonly", "yes")
    lives(context, "h:1", [DELIVERY_QUEUES])
    lives(context, "h:2", EVERYTHING)
    heartbeat.ticked(context)


# What waits


def test_what_waits_for_a_parked_account_says_until_when_wherever_it_is_shown(
    submit: Submit, engine: Engine, facts: Facts, turnout: Turnout, operator: Visitor
) -> None:
    submit(message("ada@example.com"))
    said = parked(engine)
    for command in (("status",), ("batches",), ("batch", "1"), ("person", "ada@example.com")):
        assert said in turnout(*command).output, command
    for page in ("/", "/batches", "/batch/1", "/person/ada@example.com"):
        assert said in words(operator.page(page)), page
    assert facts("batches")[0]["stopped"] == said


def test_unconfirmed_records_that_are_looked_for_wait_too(submit: Submit, engine: Engine, turnout: Turnout) -> None:
    submit(message("ada@example.com", "bob@example.com"))
    settled(engine, taken(engine), unconfirmed=[0])
    said = turnout("status").output
    assert "nothing waits" not in said
    assert "not confirmed by HubSpot: looked for there" in said


@pytest.mark.usefixtures("engine")
def test_nothing_waits_where_nothing_does(turnout: Turnout) -> None:
    assert "nothing waits" in turnout("status").output


def test_unresolved_errors_lead_to_their_groups(submit: Submit, engine: Engine, turnout: Turnout) -> None:
    submit(message("ada@example.com"))
    settled(engine, taken(engine), rejected=[0])
    assert "1 rejected (look: turnout errors --grouped)" in turnout("status").output


# Where records go


def test_a_heartbeat_carries_what_its_process_was_started_with_and_no_secret(settings: Settings) -> None:
    told = settings.model_copy(
        update={
            "broker_url": "amqp://turnout:s3cret@broker.example:5672/live?ssl_keyfile=/k",
            "hubspot_url": "https://user:s3cret@api.example/base",
            "hubspot_version": "2026-09",
            "hubspot_token": SecretStr("s3cret"),
        }
    )
    worker = started_with(told, [DELIVER])
    assert worker.broker == "amqp://broker.example:5672/live"
    assert worker.hubspot_url == "https://api.example/base"
    assert (worker.hubspot_version, worker.queues) == ("2026-09", [DELIVER])
    assert worker.name.startswith(f"{worker.host}:")
    assert "s3cret" not in repr(worker)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:p@[::1]:6379/0", "redis://[::1]:6379/0"),
        ("amqp://a:b@one//;amqp://a:b@two//", "amqp://one//;amqp://two//"),
        ("redis+socket:///run/redis.sock", "redis+socket:///run/redis.sock"),
        ("redis://:p#ss/w@host:6379", "?"),
        ("redis://:1/w@host:6379", "?"),
        ("turnout:secret@host", "?"),
        ("localhost:6379", "?"),
    ],
)
def test_of_a_url_nothing_is_shown_that_may_be_a_secret(url: str, shown: str) -> None:
    assert heartbeat.without_secrets(url) == shown


def test_workers_say_where_records_go_and_not_the_settings_of_whoever_asks(
    context: Context, turnout: Turnout, operator: Visitor, facts: Facts
) -> None:
    lives(context, "h:1", [DELIVERY_QUEUES], hubspot_url="https://api.example")
    lines = turnout("status").output.splitlines()
    assert lines[0] == "turnout delivers to https://api.example, account default"
    assert lines[1].endswith("the settings here say: the sandbox on http://127.0.0.1:9, not to HubSpot")
    for page in ("/", "/batches"):
        assert "turnout delivers to https://api.example" in words(operator.page(page))
    (worker,) = facts("status")["processes"]
    assert (worker["name"], worker["hubspot_url"], worker["version"]) == ("h:1", "https://api.example", "1")


def test_an_address_of_the_account_itself_goes_before_the_workers(
    context: Context, engine: Engine, turnout: Turnout, operator: Visitor
) -> None:
    lives(context, "h:1", [DELIVERY_QUEUES])
    with engine.begin() as connection:
        connection.execute(update(Account).values(hubspot_url="https://own.example"))
    assert turnout("status").output.startswith("turnout delivers to https://own.example, account default\n")
    assert "turnout delivers to https://own.example" in words(operator.page("/batches"))


def test_while_no_worker_is_alive_the_settings_tell(turnout: Turnout, engine: Engine) -> None:  # noqa: ARG001 - the tables
    assert turnout("status").output.startswith(
        "turnout delivers to the sandbox on http://127.0.0.1:9, not to HubSpot\n"
    )


def test_a_worker_of_another_release_may_say_less_or_more(context: Context) -> None:
    seconds, _ = context.redis.time()
    context.redis.zadd(heartbeat.WORKERS, {"old:1": seconds, "new:1": seconds})
    context.redis.set(f"{heartbeat.FACTS}new:1", json.dumps({"version": "9", "mood": "good"}))
    assert {(worker.name, worker.host, worker.version) for worker in heartbeat.alive(context.redis)} == {
        ("old:1", "old", "?"),
        ("new:1", "new", "9"),
    }


# What failed


def test_intake_with_another_secret_key_says_so_until_it_succeeds(
    context: Context, settings: Settings, facts: Facts, turnout: Turnout
) -> None:
    context.stream.add(json.dumps(message("ada@example.com")).encode())
    intake(context)
    context.stream.add(json.dumps(message("bob@example.com")).encode())
    lives(context, "h:1", EVERYTHING)
    other = Context(settings.model_copy(update={"secret_key": SecretStr("another")}))
    with pytest.raises(SettingsError):
        intake(other)
    found = facts("status")
    (failure,) = found["failures"]
    assert (failure["verb"], failure["seconds_ago"] < 30) == ("intake", True)
    assert failure["error"].startswith("TURNOUT_SECRET_KEY is not the key this database was set up with")
    assert "TURNOUT_SECRET_KEY is not the key" in found["stream_because"]
    said = turnout("status").output
    assert "stream: 1 message waits to be accepted: intake failed" in said
    intake(context)
    assert (facts("status")["failures"], facts("status")["stream_because"]) == ([], "")


def test_a_verb_that_had_nothing_to_do_has_not_succeeded(context: Context) -> None:
    failures.note(context, Verb.INTAKE, SettingsError("the key"))
    intake(context)
    (failure,) = failures.last(context.redis)
    assert failure == VerbFailure("intake", "", "the key", failure.seconds_ago)


def test_failures_are_kept_by_account(context: Context) -> None:
    for account in ("default", "partner"):
        failures.note(context, Verb.DELIVERY, ValueError("x"), account)
    failures.forget(context, Verb.DELIVERY, "default")
    assert [one.account for one in failures.last(context.redis)] == ["partner"]


def raised(error: Exception) -> Exception:
    """Give an error as it comes out of code."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


class Quoting(Exception):  # noqa: N818 - as a driver's
    sqlstate = "22P02"


def test_no_failure_that_is_kept_quotes_a_persons_data() -> None:
    orig = Quoting('invalid input syntax for type bigint: "ada@example.com"')
    for error in (DataError("SELECT", {}, orig), raised(KeyError("ada@example.com"))):
        assert "ada" not in failures.told(error)
    assert failures.told(raised(KeyError("x"))).startswith("KeyError in test_status.py, line ")


def test_of_a_failure_the_first_line_is_kept() -> None:
    away = OperationalError("SELECT", {}, Exception('connection to "db" failed: refused\n\tIs the server running?'))
    assert failures.told(away) == 'PostgreSQL: connection to "db" failed: refused'


def test_nothing_is_noted_and_nothing_fails_while_redis_is_away(settings: Settings) -> None:
    away = Context(settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"}))
    failures.note(away, Verb.SWEEP, ValueError("x"))
    failures.forget(away, Verb.SWEEP)


# What needs action


@pytest.mark.usefixtures("well")
def test_where_all_is_well_a_check_says_so(turnout: Turnout) -> None:
    assert turnout("status", "--check").output == "nothing needs action now\n"
    assert not [line for line in turnout("status").output.splitlines() if line.startswith(("ACTION", "warning"))]


@pytest.mark.usefixtures("well")
def test_what_waits_for_a_decision_or_goes_on_by_itself_needs_no_action_now(
    submit: Submit, engine: Engine, turnout: Turnout
) -> None:
    submit(message("ada@example.com"), {"nonsense": 1})
    settled(engine, taken(engine), rejected=[0])
    parked(engine)
    turnout("status", "--check")


def no_worker(context: Context, _: Engine) -> str:
    context.redis.delete(heartbeat.WORKERS)
    return "no worker is alive"


def no_beat(context: Context, _: Engine) -> str:
    context.redis.delete(heartbeat.TICK)
    return "beat does not tick"


def no_housekeeping(context: Context, _: Engine) -> str:
    context.redis.zrem(heartbeat.WORKERS, "h:2")
    return f"no worker reads {', '.join(queue for queue in TASKS if queue != DELIVER)}"


def disagreement(context: Context, _: Engine) -> str:
    lives(context, "h:3", [DELIVERY_QUEUES], hubspot_url="https://api.example")
    return "workers deliver to different addresses"


def paused(_: Context, engine: Engine) -> str:
    state.pause(engine, account_id(engine), "HubSpot did not take its token")
    return "account default is PAUSED since"


def failed(context: Context, _: Engine) -> str:
    failures.note(context, Verb.DELIVERY, SettingsError("no key"), "partner")
    return "delivery for account partner failed"


def refused_start(context: Context, _: Engine) -> str:
    failures.note(context, Verb.START, CannotStart("Redis is a cluster"), "beat")
    return "beat did not start"


def broken_job(context: Context, _: Engine) -> str:
    failures.teller(context, Verb.JOB)(7, SettingsError("no key"))
    return "job 7 failed"


def mistyped_queue(context: Context, _: Engine) -> str:
    context.redis.lpush("attendance.acept", "a message")
    return "1 message lies in the queue attendance.acept, which no worker reads"


def queue_of_another_name(context: Context, _: Engine) -> str:
    for _number in range(2):
        context.redis.lpush("webinars", json.dumps({"headers": {"task": "attendance.accept"}}))
    context.redis.lpush("someone-elses", json.dumps({"headers": {"task": "theirs"}}))
    return "2 messages lie in the queue webinars, which no worker reads"


def mistyped_stream(context: Context, _: Engine) -> str:
    context.redis.xadd("turnout:inteke", {"message": "{}"})
    return "1 message lies in the stream turnout:inteke, which is not read"


def not_read_with_messages(context: Context, _: Engine) -> str:
    context.redis.zrem(heartbeat.WORKERS, "h:1")
    context.redis.lpush(DELIVER, "a message")
    return f"no worker reads {DELIVER} (1 message lies there)"


def nobody_reads(context: Context, _: Engine) -> str:
    for task in ("attendance.accept", "theirs"):
        context.redis.lpush(CELERYS_OWN, json.dumps({"headers": {"task": task}}))
    return "1 message lies in the queue celery, which no worker reads"


@pytest.mark.usefixtures("well")
@pytest.mark.parametrize(
    "trouble",
    [
        no_worker,
        no_beat,
        no_housekeeping,
        disagreement,
        paused,
        failed,
        refused_start,
        broken_job,
        nobody_reads,
        mistyped_queue,
        queue_of_another_name,
        mistyped_stream,
        not_read_with_messages,
    ],
)
def test_what_needs_action_now_is_said_with_status_1(
    context: Context, engine: Engine, turnout: Turnout, operator: Visitor, trouble: Callable[[Context, Engine], str]
) -> None:
    said = trouble(context, engine)
    assert said in turnout("status", "--check", status=1).output
    assert f"ACTION: {said}" in turnout("status").output
    assert said in words(operator.page("/"))


@pytest.mark.usefixtures("well")
def test_an_old_failure_is_a_warning(context: Context, turnout: Turnout) -> None:
    failures.note(context, Verb.NOTIFY, SettingsError("no key"))
    field, kept = next(iter(context.redis.hgetall(failures.FAILURES).items()))
    context.redis.hset(failures.FAILURES, field, json.dumps({**json.loads(kept), "at": 0}))
    turnout("status", "--check")
    assert "warning: notify failed" in turnout("status").output


@pytest.mark.usefixtures("well")
def test_what_to_type_once_the_cause_of_a_pause_is_gone_is_said_once(engine: Engine, turnout: Turnout) -> None:
    state.pause(engine, account_id(engine), f"no scope; give its app one{state.then_resume('default')}")
    (line,) = [line for line in turnout("status").output.splitlines() if "PAUSED since" in line and "ACTION" in line]
    assert line.endswith("no scope; give its app one: fix the cause, then `turnout resume default`")


@pytest.mark.usefixtures("well", "new_sessions")
def test_a_database_that_takes_no_writes_is_said(settings: Settings, engine: Engine, turnout: Turnout) -> None:
    with engine.connect() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
    admin = create_engine(settings.database_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    engine.dispose()
    try:
        assert "PostgreSQL takes no writes" in turnout("status", "--check", status=1).output
    finally:
        with admin.connect() as connection:
            connection.execute(text("SET default_transaction_read_only = off"))
            connection.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
        admin.dispose()
        engine.dispose()


@pytest.mark.usefixtures("well")
def test_another_secret_key_here_is_said(
    settings: Settings, turnout: Turnout, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message("ada@example.com"))
    wrong = settings.model_copy(update={"secret_key": SecretStr("another")})
    monkeypatch.setattr(worker.settings, "load_settings", lambda: wrong)
    assert "TURNOUT_SECRET_KEY is not the key this database" in turnout("status", "--check", status=1).output


def test_a_key_is_not_made_by_asking(settings: Settings, turnout: Turnout, monkeypatch: pytest.MonkeyPatch) -> None:
    none = settings.model_copy(update={"secret_key": SecretStr("")})
    monkeypatch.setattr(worker.settings, "load_settings", lambda: none)
    turnout("status")
    assert not settings.data_dir.exists()


# What is out of reach


@pytest.mark.usefixtures("well")
def test_a_broker_out_of_reach_is_said_with_its_reason_and_that_work_goes_on(
    settings: Settings, turnout: Turnout, facts: Facts, monkeypatch: pytest.MonkeyPatch, valkey: Valkey
) -> None:
    port = free_port()
    away = settings.model_copy(update={"broker_url": f"redis://:s3cret@127.0.0.1:{port}/0", "redis_url": valkey.url})
    monkeypatch.setattr(worker.settings, "load_settings", lambda: away)
    said = turnout("status", "--check", status=3).output
    assert f"the broker redis://127.0.0.1:{port}/0 is out of reach (Error" in said
    assert "Connection refused" in said
    assert "work goes on" in said
    assert "s3cret" not in turnout("status").output
    assert facts("status")["broker"]["reachable"] is False


@pytest.fixture
def password(context: Context) -> Iterator[None]:
    """Redis asks for a password."""
    context.redis.config_set("requirepass", "right")
    yield
    context.redis.config_set("requirepass", "")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://:wrong@{}/0", "invalid username-password pair or user is disabled"),
        ("redis://{}/0", "it asks for a password, and the URL has none"),
        ("rediss://{}/0", "Timeout"),
        ("rediss://{}/0?ssl_cert_reqs=CERT_REQUIRED", "CERT_REQUIRED"),
        ("rediss://{}/0?ssl_ca_certs=/nowhere", ""),
    ],
)
@pytest.mark.usefixtures("engine", "password")
def test_redis_that_says_no_says_why(
    settings: Settings, turnout: Turnout, monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    host = settings.broker_url.removeprefix("redis://").removesuffix("/0")
    wrong = settings.model_copy(update={"redis_url": url.format(host)})
    monkeypatch.setattr(worker.settings, "load_settings", lambda: wrong)
    (line,) = [one for one in turnout("status", "--check", status=3).output.splitlines() if "Redis" in one]
    assert line.startswith("ACTION: Redis is out of reach (")
    assert reason in line
    assert "()" not in line
    assert "wrong@" not in line


def test_a_database_out_of_reach_is_said_and_the_rest_is_told(
    context: Context, monkeypatch: pytest.MonkeyPatch, turnout: Turnout
) -> None:
    lives(context, "h:1", EVERYTHING)
    context.stream.add(b"{}")
    away = create_engine(f"postgresql+psycopg://postgres@127.0.0.1:{free_port()}/none")
    monkeypatch.setattr(worker.database, "make_engine", lambda _: away)
    monkeypatch.setattr(worker.context, "make_engine", lambda _: away)
    assert "PostgreSQL is out of reach (" in turnout("status", "--check", status=3).output
    said = turnout("status", status=1).output
    assert "stream: 1 message waits to be accepted: the database is out of reach" in said
    assert "workers: 1 alive" in said
    assert json.loads(turnout("status", "--json", status=1).output)["throughput"] is None


def test_tables_of_another_release_lead_to_the_upgrade(
    settings: Settings, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = create_engine(settings.database_url, connect_args={"options": "-c search_path=pg_catalog"})
    monkeypatch.setattr(worker.context, "make_engine", lambda _: empty)
    assert "run `turnout db upgrade`" in turnout("status", "--check", status=1).output
    empty.dispose()


@pytest.mark.parametrize(
    ("revision", "allows", "said"),
    [
        (
            "0012",
            None,
            f"the database's schema is 0012, older than this Turnout's {needed()}: run `turnout db upgrade`",
        ),
        ("9999", "9998", "the database's schema is 9999, newer than this Turnout's"),
        (None, None, "the database has no tables of Turnout: run `turnout db upgrade`"),
    ],
)
@pytest.mark.usefixtures("well")
def test_a_schema_that_does_not_fit_is_said_in_its_sentence_and_all_else_is_told(
    context: Context, engine: Engine, turnout: Turnout, revision: str | None, allows: str | None, said: str
) -> None:
    context.stream.add(b"{}")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM schema_revisions"))
        if revision is None:
            connection.execute(text("DELETE FROM alembic_version"))
        else:
            connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
        if allows:
            connection.execute(text("INSERT INTO schema_revisions VALUES (:it)"), {"it": allows})
    (line,) = turnout("status", "--check", status=1).output.splitlines()
    assert line.startswith(f"ACTION: {said}")
    shown = turnout("status", status=1).output
    assert f"stream: 1 message waits to be accepted: {said}" in shown
    assert "workers: 2 alive; beat: ticks" in shown
    assert "broker: redis://" in shown
    found = json.loads(turnout("status", "--json", status=1).output)
    assert (found["database"], len(found["processes"]), found["broker"]["reachable"]) == ("has other tables", 2, True)
    assert found["findings"][0]["about"] == "schema"


@pytest.mark.usefixtures("well")
def test_a_setting_that_is_wrong_is_said_and_all_else_is_told(
    settings: Settings, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise SettingsError("wrong")

    def usable(**given: object) -> tuple[Settings, SettingsError]:
        return settings.model_copy(update=given), SettingsError(f"{given} is wrong", given)

    monkeypatch.setattr(worker.settings, "load_settings", refused)
    monkeypatch.setattr(worker.settings, "usable_settings", lambda: usable(batch_size=100))
    (line,) = turnout("status", "--check", status=1).output.splitlines()
    assert line.startswith("ACTION: {'batch_size': 100} is wrong")
    assert "batches: 0 pending" in turnout("status").output
    monkeypatch.setattr(worker.settings, "usable_settings", lambda: usable(database_url=""))
    shown = turnout("status", status=1).output
    assert shown.splitlines()[1].startswith("ACTION: {'database_url': ''} is wrong")
    assert "workers: 2 alive; beat: ticks" in shown
    output = turnout("doctor", status=1).output
    assert "attention     settings" in output
    assert "ok            Redis" in output


# Redis' own settings


@pytest.fixture
def policy(context: Context) -> Iterator[Callable[[str], object]]:
    yield lambda name: context.redis.config_set("maxmemory-policy", name)
    context.redis.config_set("maxmemory-policy", "noeviction")


@pytest.mark.usefixtures("well")
def test_a_redis_that_removes_what_waits_needs_action(policy: Callable[[str], object], turnout: Turnout) -> None:
    policy("allkeys-lru")
    assert (
        "Redis evicts what never expires (maxmemory-policy allkeys-lru)"
        in turnout("status", "--check", status=1).output
    )
    policy("volatile-lru")
    turnout("status", "--check")
    assert "warning: Redis evicts what expires (maxmemory-policy volatile-lru)" in turnout("status").output


# Workers that find work themselves


def test_a_worker_to_which_the_broker_brings_nothing_says_so(
    context: Context, submit: Submit, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.fallback, "VERBS", {DELIVER: lambda *_, **__: None})
    submit(message("ada@example.com"))
    fallback = Fallback(context, [DELIVERY_QUEUES], Activity())
    before = fallback.finds_work
    fallback.look()
    assert (before, fallback.finds_work) == (False, True)
    lives(context, "h:2", EVERYTHING, finds_work_itself=True)
    heartbeat.ticked(context)
    assert "the broker answers, and brings nothing to h:2" in turnout("status").output


def test_the_console_shows_the_workers(context: Context, operator: Visitor) -> None:
    lives(context, "h:7", [DELIVERY_QUEUES], broker="redis://b:1/0")
    shown = words(operator.page("/"))
    assert "h:7" in shown
    assert "redis://b:1/0" in shown


def test_a_worker_whose_broker_is_away_from_the_start_is_alive(
    settings: Settings, engine: Engine, valkey: Valkey, tmp_path: Path
) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    away = settings.model_copy(update={"broker_url": url, "redis_url": valkey.url})
    away.model_fields_set.update({"broker_url", "redis_url"})
    workers = Workers(away, tmp_path)
    workers.start("housekeeping")
    try:
        workers.until_ready(1)
        report = read_status(engine, away)
    finally:
        workers.stop()
    (worker,) = report.processes
    assert (worker.broker, worker.queues) == (url, sorted(EVERYTHING))
    assert (report.broker.reachable, exit_status(findings(report))) == (False, 3)
