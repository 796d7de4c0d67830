"""Every verb of Turnout, alone: the scene that it finds, what a process does, and what it is judged by.

A verb's `act` runs in a process of its own, with the settings in its environment, as a task, a command or a request
would. Its scene runs once, before.
"""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Final
from unittest.mock import patch

from sqlalchemy import func, update
from typer.testing import CliRunner

import tasks.accept
import tasks.deliver
import tasks.intake
import tasks.job
import tasks.verify
import worker.context
import worker.database
import worker.settings
from cli.app import app as command
from models.correction import Change
from models.tables import Account, Batch, Key, Lane, Purged, Refused, Schedule
from models.tally import Tally
from models.words import Door, Role
from tests.support.before import before
from tests.support.calls import Calls
from tests.support.contexts import open_context
from tests.support.jobs import ME
from tests.support.ledger import WHEN, Ledger, account_id, do, let_pass, message
from tests.support.stage import PRODUCER, Stage
from tests.support.three_books import Attendance, Submitted, attendances
from worker.auth import keys
from worker.context import current
from worker.delivery import isolate, permits, read_back
from worker.intake.accept import Inbound, accept
from worker.intake.wakes import wake_delivery
from worker.operations import jobs, replay
from worker.queue.claim import claim
from worker.submission import submit
from worker.webhooks import endpoint

ADA, BOB, EVE, DAN = (f"{name}@example.com" for name in ("ada", "bob", "eve", "dan"))
Scene = Callable[[Stage], None]
Act = Callable[[Calls], None]
A_MINUTE_AGO: Final = func.now() - timedelta(minutes=1)


def nothing(stage: Stage) -> None:
    """Find nothing."""


@dataclass(frozen=True)
class Verb:
    """A verb and its scene."""

    act: Act
    scene: Scene = nothing
    submits: Sequence[Attendance] = ()
    """The records that are submitted by it."""
    producer: str | None = None
    """Whose those are, where their order is promised."""
    asks: bool = False
    """Whether somebody waits for its answer, and asks again where none comes."""
    done_already: str = ""
    """What is said to who asks again where it is done already."""
    forgets: Sequence[Attendance] = ()
    """The records that are purged or erased by it."""
    differs: bool = False
    """Whether the records' outcomes may be others where a fault came in between."""
    holds: Callable[[Stage], list[str]] | None = None
    """Says what else does not hold afterwards."""


def _records(*messages: Mapping[str, object]) -> list[Attendance]:
    return [one for fields in messages for one in attendances(json.dumps(fields).encode())]


# How a process does it


def unhurried() -> None:
    """Let no task make other calls because its machine is busy: end early, or ask anew what it knows."""
    for module in (tasks.deliver, isolate, read_back):
        setattr(module, "BUDGET", 60.0)  # noqa: B010 - it is final
    setattr(worker.database, "ALIVE", 3_600.0)  # noqa: B010 - it is final


def run(*words: str, stdin: str | None = None, fine: Sequence[int] = (0,)) -> Act:
    """Run a command, as an operator does; `$NAME` in its words is what the scene found out."""

    def act(_: Calls) -> None:
        known = [os.path.expandvars(word) for word in words]
        result = CliRunner().invoke(command, known, input=stdin, env={"COLUMNS": "200"})
        if result.exit_code not in fine:
            print(result.output)
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                raise result.exception
            raise RuntimeError(f"exit status {result.exit_code}: {result.output.strip()[-500:]}")

    return act


def task(name: str, **facts: str) -> Act:
    """Run a task, as a worker does."""

    def act(_: Calls) -> None:
        named = vars(import_module(f"tasks.{name}"))
        (named.get(f"{name}_task") or named[name])(**facts)

    return act


def as_celery(name: str, fields: Mapping[str, object]) -> Act:
    """Run a task that Celery brings with its message's id."""

    def act(_: Calls) -> None:
        setattr(tasks.accept, "PATIENCE", 0.02)  # noqa: B010 - it is final
        vars(import_module(f"tasks.{name}"))[name].apply(
            kwargs=dict(fields), task_id="5b4f0f5e-0000-4000-8000-000000000001", throw=True
        )

    return act


def ask_api(method: str, path: str, body: bytes, headers: Mapping[str, str], *, wakes: bool = False) -> Act:
    """Send a request to the web app, as its server does; wait until what it wakes afterwards is woken."""

    def act(calls: Calls) -> None:
        from web import group_commit
        from web.app import create_app

        answered = threading.Event()

        # From the other thread: so that each run makes its calls in the same order.
        wake_later = before(lambda: answered.wait(5), wake_delivery)
        setattr(group_commit, "wake_delivery", wake_later)  # noqa: B010 - it is not for others
        app = create_app(current())
        status, said = asyncio.run(_asked(app, method, path, body, headers))
        answered.set()
        ends = asyncio.run(_until(lambda: any("LPUSH" in call.what for call in calls.seen))) if wakes else True
        if status >= 400 or not ends:
            raise RuntimeError(f"HTTP {status}: {said[:500]!r}")

    return act


async def _asked(app: object, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
    named = [(name.lower().encode(), os.path.expandvars(value).encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path.partition("?")[0],
        "raw_path": path.partition("?")[0].encode(),
        "query_string": path.partition("?")[2].encode(),
        "headers": [(b"host", b"127.0.0.1"), *named],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    status, said = 0, b""
    sent = False

    async def receive() -> dict[str, object]:
        nonlocal sent
        if sent:
            await asyncio.sleep(3600)
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Mapping[str, object]) -> None:
        nonlocal status, said
        if event["type"] == "http.response.start":
            status = int(str(event["status"]))
        else:
            content = event.get("body", b"")
            assert isinstance(content, bytes)
            said += content

    await app(scope, receive, send)  # type: ignore[operator]
    return status, said


async def _until(holds: Callable[[], bool], seconds: float = 1.0) -> bool:
    """Wait until something holds; where a fault keeps it from holding, not long."""
    for _ in range(int(seconds * 100)):
        if holds():
            await asyncio.sleep(0.05)
            return True
        await asyncio.sleep(0.01)
    return True


# Submitting

FIRST: Final = message(ADA, BOB)
MORE: Final = message(ADA, EVE, state="attend", when=WHEN + 1)
BAD: Final = message(DAN, "dan@@example", when=WHEN + 2)
PATH: Final = "/marketing/v3/marketing-events/77/attendance/register/email-create"
BODY: Final = json.dumps({"inputs": FIRST["inputs"]}).encode()


def _in_the_stream(stage: Stage) -> None:
    """Messages wait: one with a record that is there already, one with an input that is wrong, one that is no JSON."""
    stage.submit(message(ADA))
    stage.add(FIRST, MORE, BAD, b"{")


def _read_and_not_acknowledged(stage: Stage) -> None:
    stage.add(FIRST, MORE)
    assert stage.context.rules.key  # the database has its key, as any that accepted something
    stage.context.stream.join()
    stage.context.stream.read()


def _a_key_with_webhook(stage: Stage) -> None:
    account = account_id(stage.context.engine)
    stage.facts["PRODUCERS_KEY"] = keys.create(stage.context.engine, "shop", Role.PRODUCER, [account])
    endpoint.point(stage.context.engine, stage.context.settings, "shop", f"http://127.0.0.1:{stage.receiver.port}/told")


def _is_told(stage: Stage) -> list[str]:
    """Its webhook was told that the submission is finished, each time with the same id."""
    told = [json.loads(body) for _, _, body in stage.receiver.got]
    finished = {headers["webhook-id"] for _, headers, body in stage.receiver.got if b"finished" in body}
    return [] if len(finished) == 1 else [f"the webhook was told {told}"]


SUBMITTING: Final = {
    "publish": Verb(
        lambda _: print(current().stream.add(json.dumps(FIRST).encode())),
        submits=_records(FIRST),
        producer=PRODUCER,
        asks=True,
    ),
    "accept by stream": Verb(task("intake"), _in_the_stream),
    "accept by stream, read before": Verb(task("intake"), _read_and_not_acknowledged),
    "accept by Celery": Verb(as_celery("accept", FIRST), submits=_records(FIRST), asks=True),
    "refuse a Celery message": Verb(
        as_celery("refuse", {"raw": "e30=", "where": "message", "what": "is no call", "right": "a call"}), asks=True
    ),
    "accept by HTTP": Verb(
        ask_api(
            "POST",
            PATH,
            BODY,
            {"Content-Type": "application/json", "Authorization": "Bearer $PRODUCERS_KEY", "Idempotency-Key": "one"},
            wakes=True,
        ),
        _a_key_with_webhook,
        submits=_records(FIRST),
        producer=PRODUCER,
        asks=True,
        holds=_is_told,
    ),
}


# Delivering


def _batch(*faults: Mapping[str, object], in_a_row: int = 0, attempts: int = 0) -> Scene:
    """Three records of one batch wait, and behind them a newer state of one; HubSpot behaves so."""

    def scene(stage: Stage) -> None:
        stage.submit(message(ADA, BOB, EVE), message(ADA, state="attend", when=WHEN + 1))
        for fault in faults:
            stage.sandbox.fault(**fault)
        do(stage.context.engine, update(Batch).where(Batch.size == 3).values(attempts=attempts))
        if in_a_row:
            stopped = A_MINUTE_AGO if in_a_row >= 5 else None
            do(stage.context.engine, update(Account).values(in_a_row=in_a_row, stopped_since=stopped))

    return scene


def _unconfirmed(*, stored: bool, looks: int = 0, state: str = "register") -> Scene:
    """A record that HubSpot's answer did not name is due to be looked for; so many looks found nothing."""

    def scene(stage: Stage) -> None:
        stage.submit(message(ADA, BOB, state=state))
        stage.sandbox.fault(match=BOB, drop=True, applied=stored, count=1)
        tasks.deliver.deliver(stage.context, "default")
        let_pass(stage.context.engine, 1)
        for _ in range(looks):
            tasks.verify.verify(stage.context, "default")
            let_pass(stage.context.engine, 1)

    return scene


def _breakdown(stage: Stage) -> None:
    """More records of one event are unconfirmed than are looked for one by one."""
    people = [f"p{number}@example.com" for number in range(12)]
    stage.sandbox.fault(match=people[0], drop=True, applied=False, count=1)
    for few in (people[:3], people[3:6], people[6:9], people[9:]):
        stage.submit(message(*few))
    stage.sandbox.fault(drop=True, applied=True, count=4)
    tasks.deliver.deliver(stage.context, "default")
    let_pass(stage.context.engine, 1)


def _overtaken(stage: Stage) -> None:
    """A record failed, a newer one of its contact is delivered, and the operator asks for the first again."""
    stage.submit(message(ADA, BOB))
    stage.sandbox.fault(match=ADA, status=400, count=2)  # with the other, and alone
    tasks.deliver.deliver(stage.context, "default")
    stage.submit(message(ADA, state="attend", when=WHEN + 1))
    tasks.deliver.deliver(stage.context, "default")
    run_here(stage, "retry", "--outcome", "rejected", "--yes", "--background")
    tasks.job.work(stage.context)


def run_here(stage: Stage, *words: str, stdin: str | None = None, fine: Sequence[int] = (0,)) -> None:
    """Run a command in a scene."""
    with (
        patch.object(worker.context, "make_engine", lambda _: stage.context.engine),
        patch.object(worker.database, "make_engine", lambda _: stage.context.engine),
        patch.object(worker.settings, "load_settings", lambda: stage.context.settings),
    ):
        result = CliRunner().invoke(command, words, input=stdin, env={"COLUMNS": "200"})
    assert result.exit_code in fine, f"{result.output} {result.exception!r}"


def _retry_waits_for_older(stage: Stage) -> None:
    """Two records of one contact failed and are to be sent again; the older is being sent by a worker that died."""
    stage.submit(message(ADA), message(ADA, state="attend", when=WHEN + 1))
    stage.sandbox.fault(match=ADA, status=400, count=6)
    tasks.deliver.deliver(stage.context, "default")
    older, newer = sorted(error.record_id for error in Ledger(stage.context.engine).errors())
    run_here(stage, "retry", "--record", str(older), "--yes")
    assert claim(stage.context.engine, 1, 60) is not None
    run_here(stage, "retry", "--record", str(newer), "--yes")


def _day_is_spent(stage: Stage) -> None:
    """HubSpot takes one call more today."""
    stage.world.options = replace(stage.world.options, daily_limit=1)
    stage.world.reset()
    _batch()(stage)
    do(stage.context.engine, update(Account).values(daily_limit=1))


def _takes_few(stage: Stage) -> None:
    """HubSpot takes two records at most in one request."""
    stage.world.options = replace(stage.world.options, max_inputs=2)
    stage.world.reset()
    _batch()(stage)


def _stopped_before(stage: Stage) -> None:
    """An account may send again, and its stop is not counted yet."""
    _batch()(stage)
    do(stage.context.engine, update(Account).values(stopped_since=A_MINUTE_AGO))


def _nothing_is_due(stage: Stage) -> None:
    """An account in an outage may send a probe, and nothing is due, although its lane says so."""
    stage.submit(message(ADA))
    do(stage.context.engine, update(Batch).values(due_at=func.now() + timedelta(hours=1)))
    do(stage.context.engine, update(Lane).values(ready=True))
    do(stage.context.engine, update(Account).values(in_a_row=5, stopped_since=A_MINUTE_AGO))


def _cannot_be_read_back(status: int) -> Scene:
    def scene(stage: Stage) -> None:
        _unconfirmed(stored=True)(stage)
        stage.sandbox.fault(reads=True, status=status, count=1)

    return scene


def _too_slow(calls: Calls) -> None:
    """Find, once, that the claim took too long to begin sending."""

    stop = before(current().stopping.set, permits.give_back)
    with patch.object(tasks.deliver, "GRACE", -1.0), patch.object(permits, "give_back", stop):
        DELIVER(calls)


GENERIC: Final = {"message": "something in it is not valid", "category": "VALIDATION_ERROR"}
DELIVER: Final = task("deliver", account="default", place="turnout:wake:attendance.deliver:default:0")
VERIFY: Final = task("verify", account="default")
DELIVERING: Final = {
    "deliver": Verb(DELIVER, _batch()),
    "deliver, one rejected": Verb(DELIVER, _batch({"match": BOB, "status": 400, "count": 2})),
    "deliver, one not named": Verb(DELIVER, _batch({"match": BOB, "drop": True, "count": 1})),
    "deliver, HubSpot fails": Verb(DELIVER, _batch({"status": 503, "count": 1})),
    "deliver, HubSpot fails and stores": Verb(DELIVER, _batch({"status": 503, "applied": True, "count": 1})),
    "deliver, the answer is cut": Verb(DELIVER, _batch({"cut": True, "applied": True, "count": 1})),
    "deliver, HubSpot fails for the fifth time": Verb(DELIVER, _batch({"status": 503, "count": 1}, in_a_row=4)),
    "deliver after a stop": Verb(DELIVER, _stopped_before),
    "deliver a probe": Verb(DELIVER, _batch(in_a_row=5)),
    "deliver, given up": Verb(DELIVER, _batch({"status": 503, "count": 1}, attempts=7), differs=True),
    "deliver, limited": Verb(DELIVER, _batch({"status": 429, "count": 1})),
    "deliver, locked": Verb(DELIVER, _batch({"status": 423, "count": 1})),
    "deliver, token refused": Verb(DELIVER, _batch({"status": 401, "count": 1})),
    "deliver, event unknown": Verb(DELIVER, _batch({"status": 404})),
    "deliver, too large": Verb(DELIVER, _batch({"status": 413, "count": 1})),
    "deliver, larger than HubSpot takes": Verb(DELIVER, _takes_few),
    "deliver, the day is spent": Verb(DELIVER, _day_is_spent),
    "deliver a probe, nothing is due": Verb(DELIVER, _nothing_is_due),
    "deliver a probe, too slowly": Verb(_too_slow, _batch(in_a_row=5)),
    "deliver a retry that waits": Verb(DELIVER, _retry_waits_for_older),
    "isolate": Verb(DELIVER, _batch({"match": BOB, "status": 400, "body": GENERIC})),
    "isolate, and split": Verb(
        DELIVER, _batch({"match": BOB, "status": 400, "body": GENERIC}, {"match": EVE, "status": 503, "count": 1})
    ),
    "deliver a retry that was overtaken": Verb(DELIVER, _overtaken),
    "read back, found": Verb(VERIFY, _unconfirmed(stored=True)),
    "read back, not found": Verb(VERIFY, _unconfirmed(stored=False)),
    "read back, HubSpot fails": Verb(VERIFY, _cannot_be_read_back(503)),
    "read back, not allowed": Verb(VERIFY, _cannot_be_read_back(403)),
    "send again": Verb(VERIFY, _unconfirmed(stored=False, looks=4)),
    "read back an event": Verb(VERIFY, _breakdown),
}


# Operating


def _rejected(stage: Stage) -> None:
    """One record was rejected, the others of its batch are delivered; what was rejected would be taken now."""
    stage.submit(message(ADA, BOB, EVE))
    stage.sandbox.fault(match=ADA, status=400, count=2)
    tasks.deliver.deliver(stage.context, "default")
    (row,) = Ledger(stage.context.engine).errors()
    stage.facts |= {"ERROR": str(row.id), "RECORD": str(row.record_id), "BATCH": str(row.batch_id)}


def _waiting(stage: Stage) -> None:
    """Two batches of one contact wait, one behind the other."""
    _batch()(stage)
    stage.facts["BATCH"] = str(Ledger(stage.context.engine).batches()[0].id)


def _in_doubt(stage: Stage) -> None:
    """A call brought no answer; HubSpot has the records, which wait for their next turn."""
    stage.submit(message(ADA, BOB))
    stage.sandbox.fault(cut=True, applied=True, count=1)
    tasks.deliver.deliver(stage.context, "default")
    let_pass(stage.context.engine, 1)


def _canceled_in_doubt(*, stored: bool, looks: int) -> Scene:
    """A record was canceled after such a call; so many looks found nothing, and the next is due."""

    def scene(stage: Stage) -> None:
        stage.submit(message(ADA))
        stage.sandbox.fault(cut=True, applied=stored, count=1)
        tasks.deliver.deliver(stage.context, "default")
        run_here(stage, "cancel", "--all", "--yes")
        let_pass(stage.context.engine, 1)
        for _ in range(looks):
            tasks.verify.verify(stage.context, "default")
            let_pass(stage.context.engine, 1)

    return scene


def _refused_again(stage: Stage) -> None:
    """A call for Ada and Bob brought no answer, HubSpot has both, and refuses Ada when they come again."""
    _in_doubt(stage)
    stage.sandbox.fault(match=ADA, status=400)


def _rejected_in_doubt(*, stored: bool, looks: int) -> Scene:
    """Ada was rejected after such a call; so many looks found nothing, and the next is due."""

    def scene(stage: Stage) -> None:
        stage.submit(message(ADA))
        stage.sandbox.fault(cut=True, applied=stored, count=1)
        stage.sandbox.fault(match=ADA, status=400)
        _in_turn(stage, looks)

    return scene


def _superseded_in_doubt(stage: Stage) -> None:
    """HubSpot has a record of Ada's without a word, and a newer one took its place before its retry."""
    stage.submit(message(ADA))
    stage.sandbox.fault(match=ADA, drop=True, applied=True, count=1)
    tasks.deliver.deliver(stage.context, "default")
    run_here(stage, "retry", "--outcome", "unconfirmed", "--yes")
    stage.submit(message(ADA, state="attend", when=WHEN + 1))
    _in_turn(stage, 0)


def _in_turn(stage: Stage, looks: int) -> None:
    """Let all be delivered that can be, and then so many looks go by."""
    for _ in range(2):
        tasks.deliver.deliver(stage.context, "default")
        let_pass(stage.context.engine, 1)
    for _ in range(looks):
        tasks.verify.verify(stage.context, "default")
        let_pass(stage.context.engine, 1)


def _job(stage: Stage) -> None:
    """A retry was asked for, and waits for a worker."""
    _rejected(stage)
    run_here(stage, "retry", "--outcome", "rejected", "--yes", "--background")
    stage.facts["JOB"] = str(Ledger(stage.context.engine).jobs()[-1].id)


def _partner(stage: Stage) -> None:
    run_here(stage, "accounts", "add", "partner", "--token-stdin", stdin="another-token")


def _for_partner(stage: Stage) -> None:
    """A message for an account that nobody knew was not accepted; now it is known."""
    stage.submit({**message(ADA, BOB), "account": "partner"})
    _partner(stage)
    stage.facts["REFUSED"] = str(Ledger(stage.context.engine).refused()[0].id)


def _old(stage: Stage) -> None:
    """All was finished long ago."""
    do(stage.context.engine, update(Purged).values(due_at=func.now()))
    stage.submit(message(ADA, BOB, EVE), BAD, message("eve@@example", when=WHEN + 3))
    do(stage.context.engine, "UPDATE refused SET group_id = DEFAULT")  # as an earlier release left them
    stage.sandbox.fault(match=ADA, status=400, count=2)
    tasks.deliver.deliver(stage.context, "default")
    stays = update(Refused).where(Refused.id > 1)
    do(stage.context.engine, stays.values(refused_at=func.now() + timedelta(days=100)))
    for table, column in (("batches", "settled_at"), ("submissions", "received_at"), ("refused", "refused_at")):
        do(stage.context.engine, f"UPDATE {table} SET {column} = {column} - interval '100 days'")


def _delivered(stage: Stage) -> None:
    stage.submit(message(ADA, BOB), message(ADA, state="attend", when=WHEN + 1))
    stage.submit({**message(ADA, when=WHEN + 2), "account": "nobody knows"})
    tasks.deliver.deliver(stage.context, "default")
    first, *_ = (ids for batch in Ledger(stage.context.engine).batches() if (ids := batch.contact_ids))
    stage.facts["VID"] = str(first[0])


def _file(*rows: str) -> Scene:
    def scene(stage: Stage) -> None:
        path = stage.home / "people.csv"
        path.write_text("\n".join(("email,interactionDateTime", *rows, "")))
        stage.facts["FILE"] = str(path)

    return scene


REPORT: Final = ("--object-id", "77", "--state", "register", "--time-zone", "UTC")


def _submit_file(calls: Calls) -> None:
    """Submit a file, while intake goes on beside it."""

    def sleep(_: float) -> None:
        with calls.uncounted(), open_context(current().settings) as beside:
            tasks.intake.intake(beside)

    with patch.object(submit, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic)):
        run("enqueue", "$FILE", *REPORT, fine=(0, 3))(calls)


def _corrected_file(stage: Stage) -> None:
    """A file was submitted, and what was not accepted of it is corrected now."""
    _file(f"{ADA},{WHEN}", f"dan@@example,{WHEN}")(stage)
    with patch.object(
        submit, "time", SimpleNamespace(sleep=lambda _: tasks.intake.intake(stage.context), monotonic=time.monotonic)
    ):
        run_here(stage, "enqueue", stage.facts["FILE"], *REPORT, fine=(3,))
    stage.submitted += [Submitted(one) for one in _records(message(ADA))]
    (left,) = (path for path in stage.home.iterdir() if path.name != "people.csv")
    left.write_text(left.read_text().replace("dan@@example", DAN))
    stage.facts["FILE"] = str(left)


def _scheduled(stage: Stage) -> None:
    _rejected(stage)
    run_here(stage, "schedules", "set", "nightly", "0 3 * * *")
    do(stage.context.engine, update(Schedule).values(next_at=A_MINUTE_AGO))


def _lease_expired(stage: Stage) -> None:
    """A worker died with a claim, another batch waits for it; what was counted is not added up."""
    _batch()(stage)
    claimed = claim(stage.context.engine, 1, 60)
    assert claimed is not None
    let_pass(stage.context.engine, 1)


def _finished_for_a_key(*answers: int) -> Scene:
    """A webhook is to be told that a submission is finished; its receiver answers so first."""

    def scene(stage: Stage) -> None:
        _a_key_with_webhook(stage)
        _ask_here(stage)
        tasks.deliver.deliver(stage.context, "default")
        let_pass(stage.context.engine, 1)
        stage.answers = [(status, {}, b"") for status in answers]

    return scene


def _ask_here(stage: Stage) -> None:
    """Submit by a key, as the API does."""
    key_id = Ledger(stage.context.engine).all(Key)[0].id
    raw = json.dumps({**FIRST, "submission_id": "6c3b46a7-0000-4000-8000-000000000001"}).encode()
    with stage.context.engine.connect() as connection:
        accept(connection, [Inbound(Door.HTTP, "request", raw, key_id=key_id)], stage.context.rules)
    stage.submitted += [Submitted(one, producer=PRODUCER) for one in attendances(raw)]


def _on_hold(stage: Stage) -> None:
    """A correction was uploaded, and waits until it is confirmed."""
    _rejected(stage)
    mended = [(1, int(stage.facts["RECORD"]), Change(email=DORA))]
    stage.facts["JOB"] = str(jobs.ask_to_mend(stage.context.engine, ME, mended, on_hold=[]))


def _confirm(_: Calls) -> None:
    engine, job_id = current().engine, int(os.environ["JOB"])
    jobs.hold(engine, job_id, Tally(1))
    jobs.begin(engine, ME, job_id)


def _keep_draft(_: Calls) -> None:
    replay.keep_draft(current().engine, int(os.environ["REFUSED"]), {"message": dict(FIRST)})


DORA: Final = "dora@example.com"
OPERATING: Final = {
    "retry": Verb(run("retry", "--outcome", "rejected", "--yes"), _rejected, asks=True),
    "retry what was shown": Verb(
        run("retry", "--outcome", "rejected", "--expect", "1"),
        _rejected,
        asks=True,
        done_already="0 records would be retried",
    ),
    "correct": Verb(
        run("correct", "$RECORD", "--email", DORA, "--yes"),
        _rejected,
        submits=_records(message(DORA)),
        asks=True,
        done_already="was corrected by",
    ),
    "dismiss": Verb(run("dismiss", "--because", "a test", "--outcome", "rejected", "--yes"), _rejected, asks=True),
    "cancel": Verb(run("cancel", "--event", "77", "--yes"), _waiting, asks=True),
    "cancel one of two": Verb(run("cancel", "$BATCH"), _waiting, asks=True),
    "cancel, in doubt": Verb(run("cancel", "--event", "77", "--yes"), _in_doubt, asks=True),
    "read back, canceled in doubt": Verb(VERIFY, _canceled_in_doubt(stored=True, looks=0)),
    "read back, canceled in doubt, not found": Verb(VERIFY, _canceled_in_doubt(stored=False, looks=3)),
    "deliver, one rejected in doubt": Verb(DELIVER, _refused_again),
    "read back, rejected in doubt": Verb(VERIFY, _rejected_in_doubt(stored=True, looks=0)),
    "read back, rejected in doubt, not found": Verb(VERIFY, _rejected_in_doubt(stored=False, looks=3)),
    "read back, superseded in doubt": Verb(VERIFY, _superseded_in_doubt),
    "submit again what was not accepted": Verb(run("refused", "retry", "--all", "--yes"), _for_partner, asks=True),
    "dismiss what was not accepted": Verb(
        run("refused", "dismiss", "$REFUSED", "--because", "a test", "--yes"), _for_partner, asks=True
    ),
    "confirm a correction": Verb(_confirm, _on_hold, submits=_records(message(DORA)), asks=True),
    "keep a draft": Verb(_keep_draft, _for_partner, asks=True),
    "work at a job": Verb(task("job"), _job),
    "stop a job": Verb(run("jobs", "stop", "$JOB"), _job, asks=True, done_already="stopped already"),
    "purge by hand": Verb(
        run("purge", "--older-than", "1"), _old, asks=True, forgets=_records(message(ADA, BOB, EVE), BAD)
    ),
    "purge": Verb(task("purge"), _old, forgets=_records(message(ADA, BOB, EVE), BAD)),
    "erase": Verb(
        run("erase", ADA, "--yes", "--wait", "0"),
        _delivered,
        asks=True,
        forgets=_records(message(ADA), message(ADA, state="attend", when=WHEN + 1), message(ADA, when=WHEN + 2)),
    ),
    "erase a contact id": Verb(run("erase", "$VID", "--yes", "--wait", "0"), _delivered, asks=True),
    "erase who waits": Verb(
        run("erase", BOB, "--yes", "--wait", "0"), _waiting, asks=True, forgets=_records(message(BOB))
    ),
    "submit a file": Verb(
        _submit_file,
        _file(f"{ADA},{WHEN}", f"{BOB},{WHEN}", f"dan@@example,{WHEN}"),
        submits=_records(FIRST, message("dan@@example")),
        asks=True,
    ),
    "submit a corrected file": Verb(
        _submit_file, _corrected_file, submits=_records(message(DAN)), asks=True, done_already="nothing"
    ),
    "schedule": Verb(run("schedules", "set", "nightly", "0 3 * * *"), _rejected, asks=True),
    "pause a schedule": Verb(run("schedules", "pause", "nightly"), _scheduled, asks=True),
    "resume a schedule": Verb(run("schedules", "resume", "nightly"), _scheduled, asks=True),
    "remove a schedule": Verb(run("schedules", "remove", "nightly"), _scheduled, asks=True, done_already="nightly"),
    "sweep, a schedule is due": Verb(task("sweep"), _scheduled),
    "sweep, a lease expired": Verb(task("sweep"), _lease_expired),
    "tell a webhook": Verb(task("notify"), _finished_for_a_key(), holds=_is_told),
    "tell a webhook that fails": Verb(task("notify"), _finished_for_a_key(500), holds=_is_told),
    "add an account": Verb(
        run("accounts", "add", "partner", "--token-stdin", stdin="another-token"), asks=True, done_already="partner"
    ),
    "change an account": Verb(run("accounts", "set", "default", "--burst-limit", "500"), asks=True),
    "rotate an account": Verb(
        run("accounts", "rotate", "default", "--token-stdin", stdin="another-token"), _waiting, asks=True
    ),
    "remove an account": Verb(run("accounts", "remove", "partner"), _partner, asks=True, done_already="partner"),
    "pause an account": Verb(run("pause"), _waiting, asks=True),
    "resume an account": Verb(run("resume"), _waiting, asks=True),
    "create a key": Verb(run("keys", "create", "till", "--role", "producer"), asks=True, done_already="till"),
    "rotate a key": Verb(run("keys", "rotate", "shop"), _a_key_with_webhook, asks=True),
    "revoke a key": Verb(run("keys", "revoke", "shop"), _a_key_with_webhook, asks=True, done_already="shop"),
    "turn a webhook off": Verb(run("keys", "webhook", "shop", "--off"), _a_key_with_webhook, asks=True),
    "encrypt anew": Verb(run("db", "rekey"), _a_key_with_webhook, asks=True),
}
VERBS: Final[Mapping[str, Verb]] = {**SUBMITTING, **DELIVERING, **OPERATING}
