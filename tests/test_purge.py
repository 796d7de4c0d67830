"""What is older than the retention goes in small steps while work goes on; what waits stays, and the books balance."""

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, func, insert, update
from typer.testing import CliRunner

import cli.retention
from cli.app import app
from models.accept_rules import Rules
from models.tables import Act, Attempt, Batch, Error, Event, Job, JobItem, Notification, Purged, Submission
from models.words import Action, AttemptKind, Origin, Outcome, State, Status
from tasks import sweep as sweeping
from tests.support.background import waits_for_a_lock
from tests.support.fixtures import Submit
from tests.support.jobs import ME, cancel, retry
from tests.support.ledger import (
    Ledger,
    age,
    ask,
    batch,
    deliver_all,
    do,
    given_up,
    in_turn,
    message,
    outcomes,
    people,
    settled,
    taken,
    waits,
)
from tests.support.seeds import seeds
from tests.support.storm import GONE, SIZE, PurgingStorm, keep_what_goes
from worker import failures
from worker.context import Context
from worker.database import make_engine
from worker.operations import audit_log, jobs
from worker.queries.error_filter import Filter
from worker.queries.job_filter import CancelFilter
from worker.queries.reconciliation import audit
from worker.queue.locks import lock_event
from worker.retention import delete as deleting, purge as purging
from worker.retention.delete import Counts
from worker.retention.purge import preview, purge, purge_a_little
from worker.settings import Settings
from worker.task_names import PURGE

TABLES = ("batches", "records", "errors", "attempts", "refused", "submissions", "job_items", "actions")


def left(engine: Engine) -> dict[str, int]:
    return {table: ask(engine, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def books(engine: Engine) -> dict[str, object]:
    counted = audit(engine)
    assert counted.balanced, counted
    return {name: number for name, number in counted.as_json().items() if name != "purged"}


@pytest.fixture
def _everything(submit: Submit, engine: Engine) -> None:
    """Records of every settled outcome, duplicates, refusals, and a call that reads several batches back."""
    submit(message(*people(10)), message(*people(3)), message("nobody", "b@x.org"), b"no JSON")
    settled(engine, taken(engine), rejected=[0], unconfirmed=[1])
    do(engine, update(Error).values(verify_at=None))
    submit(message("failed@x.org", event="1"), message("canceled@x.org", event="2"))
    in_turn(engine)
    given_up(engine, taken(engine))
    cancel(engine, CancelFilter(event="2"))
    do(engine, insert(Attempt).values(kind=AttemptKind.READ_BACK, batch_id=None, sent=3))


@pytest.mark.usefixtures("_everything")
def test_what_is_old_goes_whole_and_stays_in_the_books(engine: Engine) -> None:
    before, counts = books(engine), left(engine)
    assert before["rejected"] == before["unconfirmed"] == before["failed"] == before["canceled"] == 1
    assert purge(engine, 90) == Counts()
    age(engine, 91)
    assert preview(engine, 90) == Counts(batches=3, records=13, refused=2)
    gone = purge(engine, 90)
    assert gone == Counts(*(counts[table] for table in TABLES))
    assert set(left(engine).values()) == {0}
    assert books(engine) == before | {"refused_open": 0}, "the sums stay; what is gone is open no more"
    assert audit(engine).purged == 13
    assert purge(engine, 90) == Counts()


@pytest.mark.usefixtures("_everything")
def test_what_is_younger_than_the_retention_stays(engine: Engine) -> None:
    counts = left(engine)
    age(engine, 89)
    assert purge(engine, 90) == Counts()
    assert left(engine) == counts


def test_a_receipt_goes_when_the_last_of_its_records_has_gone(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org", "b@x.org", "nobody"), batch_size=1)
    settled(engine, taken(engine))
    age(engine, 91)
    purge(engine, 90)
    assert left(engine)["submissions"] == 1
    (receipt,) = Ledger(engine).all(Submission)
    assert (receipt.records_purged, receipt.refused_purged) == (1, 1)
    before = books(engine)
    settled(engine, taken(engine))
    age(engine, 91)
    assert purge(engine, 90).receipts == 1
    assert before["pending"] == 1
    assert books(engine) == before | {"pending": 0, "delivered": 2}


def test_nothing_that_waits_is_purged(submit: Submit, engine: Engine, ledger: Ledger) -> None:
    submit(message("verified@x.org", event="1"), message("retried@x.org", event="2"), message("p@x.org", event="3"))
    in_turn(engine)
    settled(engine, taken(engine), unconfirmed=[0])
    given_up(engine, taken(engine))
    retry(engine, 100, Filter())
    age(engine, 91)
    purge(engine, 90)
    assert outcomes(engine) == {"unconfirmed": 1, "pending": 2}
    assert len(ledger.records()) == 3
    assert left(engine)["batches"] == 3, "only the batch that the retry left empty has gone"
    do(engine, update(Error).values(verify_at=None))
    assert purge(engine, 90).records == 1


def test_an_error_that_nobody_resolved_for_so_long_keeps_nothing(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org"))
    given_up(engine, taken(engine))
    age(engine, 91)
    assert purge(engine, 90) == Counts(batches=1, records=1, errors=1, attempts=1, receipts=1)
    assert (outcomes(engine), audit(engine).balanced) == ({"failed": 1}, True)


def test_a_batch_that_others_wait_for_stays_whatever_it_says(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org"), message("a@x.org", state="cancel"))
    first, second = waits(engine)
    do(engine, update(Batch).where(Batch.id == first).values(status=Status.COMPLETE, open=False, settled_at=func.now()))
    age(engine, 91)
    purge(engine, 90)
    assert waits(engine) == {second: [first]}, "it waits for what a bug settled; the sweep frees it"
    assert batch(engine, first).id == first


def test_a_record_stays_until_an_older_one_that_was_retried_has_gone(
    submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    """Its cancel was delivered; were it forgotten, the older register would be sent after it."""
    submit(message("a@x.org"))
    settled(engine, taken(engine), rejected=[0])
    submit(message("a@x.org", state="cancel"), message("b@x.org", state="cancel"))
    deliver_all(engine)
    retry(engine, 100, Filter((Outcome.REJECTED,)))
    cancel(engine, CancelFilter(state=State.REGISTER))
    age(engine, 91)
    do(engine, update(Batch).where(Batch.origin == Origin.RETRY).values(settled_at=func.now()))
    purge(engine, 90)
    assert {row.contact for row in ledger.records()} == {"a@x.org", "b@x.org"}
    retry(engine, 100, Filter((Outcome.CANCELED,)))
    assert not taken(engine).members, "it is overtaken by the cancel, which is still known"
    do(
        engine,
        update(Batch)
        .where(Batch.status == Status.PROCESSING)
        .values(status=Status.COMPLETE, lease_token=None, settled_at=func.now(), contact_ids=[]),
    )
    age(engine, 91)
    purge(engine, 90)
    assert left(engine) == dict.fromkeys(TABLES, 0)
    assert books(engine)["accepted"] == 3


def test_a_record_whose_fingerprint_has_gone_is_accepted_anew(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org"))
    deliver_all(engine)
    age(engine, 91)
    purge(engine, 90)
    (part,) = submit(message("a@x.org"))
    assert (part.accepted, part.duplicates) == (1, 0)
    assert books(engine)["accepted"] == 2


def test_a_purge_waits_until_the_event_is_unlocked(submit: Submit, engine: Engine, ledger: Ledger) -> None:
    """A retry, say, which moves a record out of what goes."""
    submit(message("a@x.org"))
    deliver_all(engine)
    age(engine, 91)
    with engine.begin() as retrying, ThreadPoolExecutor(1) as one:
        lock_event(retrying, ledger.all(Event)[0].id)
        purging_it = one.submit(purge, engine, 90)
        assert waits_for_a_lock(engine, purging_it)
        retrying.rollback()
        assert purging_it.result(10).records == 1


def test_many_go_in_bounded_steps_and_a_kill_between_them_is_harmless(
    submit: Submit, engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleting, "MOST_RECORDS", 20)
    monkeypatch.setattr(deleting, "MOST_ROWS", 2)
    submit(*(message(*people(10, 10 * n), f"nobody {n}", event=str(n % 3)) for n in range(12)), batch_size=5)
    deliver_all(engine)
    before = books(engine)
    age(engine, 91)
    dies = iter([False, False, True])
    delete = deleting.batches

    def dying(connection: Connection, batch_ids: Collection[int]) -> Counts:
        gone = delete(connection, batch_ids)
        if next(dies, False):
            raise KeyboardInterrupt
        return gone

    monkeypatch.setattr(deleting, "batches", dying)
    with pytest.raises(KeyboardInterrupt):
        purge(engine, 90)
    assert (left(engine)["records"], books(engine)) == (80, before)
    steps = []
    while gone := purge_a_little(context):
        steps.append(gone)
        do(engine, update(Purged).values(due_at=func.now()))
    assert max(step.records for step in steps) <= 20
    assert max(step.refused for step in steps) <= 2
    assert len(steps) >= 6
    assert left(engine) == dict.fromkeys(TABLES, 0)
    assert books(engine) == before | {"refused_open": 0}


def test_the_sweep_has_a_little_purged_once_however_many_sweeps_run(
    submit: Submit, engine: Engine, context: Context
) -> None:
    submit(message("a@x.org"))
    deliver_all(engine)
    age(engine, 91)
    woken: list[str] = []

    def wake(_: Context, task: str, **__: object) -> int:
        woken.append(task)
        return 1

    sweeping.sweep(context, wake)
    assert PURGE in woken
    results = []
    threads = [threading.Thread(target=lambda: results.append(purge_a_little(context))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(bool(gone) for gone in results) == 1
    woken.clear()
    context.redis.flushall()
    sweeping.sweep(context, wake)
    assert PURGE not in woken


def test_the_command_shows_first_and_then_purges(
    submit: Submit, engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.retention, "open_process", lambda: context)
    submit(message("a@x.org"))
    deliver_all(engine)
    age(engine, 11)
    run = CliRunner().invoke
    assert "nothing is older than 90 days" in run(app, ["purge"]).output
    assert "1 record in 1 batch" in run(app, ["purge", "--older-than", "10", "--dry-run"]).output
    assert left(engine)["records"] == 1
    assert '"records": 1' in run(app, ["purge", "--older-than", "10", "--json"]).output
    assert left(engine)["records"] == 0


# What operators did


@pytest.fixture
def job(engine: Engine) -> int:
    """A job that has ended, with a result of each of three records, and its action."""
    with engine.begin() as connection:
        job_id = jobs.ask(connection, ME, Action.RETRY, Filter())
    do(engine, insert(JobItem).values([{"job_id": job_id, "item": item, "done": True} for item in (1, 2, 3)]))
    do(engine, update(Job).where(Job.id == job_id).values(ended_at=func.now()))
    return job_id


def test_a_job_goes_after_its_results_in_bounded_steps(
    job: int, engine: Engine, ledger: Ledger, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleting, "MOST_RECORDS", 2)
    assert purge(engine, 90) == Counts()
    age(engine, 91)
    steps = []
    while gone := purge_a_little(context):
        steps.append((gone.items, gone.actions))
        do(engine, update(Purged).values(due_at=func.now()))
    assert steps == [(2, 0), (1, 1)]
    assert not ledger.jobs(Job.id == job)
    assert left(engine) == dict.fromkeys(TABLES, 0)


def test_a_job_that_is_under_way_is_never_purged_nor_its_action(job: int, engine: Engine) -> None:
    age(engine, 91)
    do(engine, update(Job).where(Job.id == job).values(ended_at=None))
    assert purge(engine, 90) == Counts()
    do(engine, update(Job).values(ended_at=func.now() - timedelta(days=89)))
    assert purge(engine, 90) == Counts()


def test_an_action_goes_when_it_is_old_and_the_purge_by_hand_stays_noted(engine: Engine, ledger: Ledger) -> None:
    for number in range(3):
        with audit_log.noted(engine, ME, "pause", account="default") as action:
            action.number = number
    do(engine, update(Act).where(Act.number < 2).values(at=Act.at - timedelta(days=91)))
    assert purging.purge_by_hand(engine, ME, 90) == Counts(actions=2)
    assert [row.what for row in ledger.actions()] == ["pause", "purge"]
    assert purging.purge_by_hand(engine, ME, 0) == Counts(actions=2)
    assert [(row.what, row.number) for row in ledger.actions()] == [("purge", 0)]


def test_a_mended_file_that_nobody_began_goes_when_it_is_old(job: int, engine: Engine) -> None:
    do(engine, update(Job).where(Job.id == job).values(ended_at=None, on_hold=True))
    assert purge(engine, 90) == Counts()
    age(engine, 91)
    assert purge(engine, 90) == Counts(items=3, actions=1)


def test_what_a_webhook_was_told_goes_with_the_last_receipt_of_its_submission(
    submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    one, other = (str(UUID(int=number)) for number in (1, 2))
    for contact, submission in (("a@x.org", one), ("b@x.org", one), ("c@x.org", other)):
        submit({**message(contact), "submission_id": submission, "part": contact})
        settled(engine, taken(engine))
    told = (
        "INSERT INTO notifications (key_id, submission, stage) SELECT DISTINCT 1, submission, 'told' FROM submissions"
    )
    do(engine, told)
    do(engine, update(Submission).values(received_at=Submission.received_at - timedelta(days=91)))
    oldest = "UPDATE batches SET settled_at = '2020-01-01' WHERE id = (SELECT min(id) FROM batches)"
    do(engine, oldest)
    assert purge(engine, 90).receipts == 1
    assert len(ledger.all(Notification)) == 2, "another part of its submission is left"
    do(engine, oldest)
    assert purge(engine, 90).receipts == 1
    assert [str(row.submission) for row in ledger.all(Notification)] == [other]


def test_a_purge_that_fails_is_noted_until_it_goes_on(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Counts:
        raise ValueError("ada@example.com")

    with monkeypatch.context() as patched:
        patched.setattr(purging, "_next_batches", broken)
        with pytest.raises(ValueError, match="ada"):
            purge_a_little(context)
    (noted,) = failures.last(context.redis)
    assert noted.verb == "purge"
    assert "ada" not in noted.error, "what others wrote is not kept"
    do(context.engine, update(Purged).values(due_at=func.now()))
    purge_a_little(context)
    assert failures.last(context.redis) == []


def purging_storm(context: Context, settings: Settings, rules: Rules, seed: int, calls: int) -> None:
    engine = make_engine(settings, pool=20)
    keep_what_goes(engine)
    here = PurgingStorm(engine, context, Rules(rules.key, SIZE, 0.05), seed, calls=calls)
    killers = here.with_killers_engine(settings.database_url)
    try:
        here.rage()
        assert here.gone.records >= GONE
        here.drain()
        purge(engine, 0)
        wrong = here.judge()
    finally:
        for each in (engine, context.engine, killers):
            each.dispose()
    assert not wrong, f"seed {seed} violates:\n" + "\n".join(wrong[:40])


@pytest.mark.usefixtures("new_sessions")
@pytest.mark.parametrize("seed", range(3))
def test_a_storm_while_everything_is_purged_keeps_order_and_books(
    context: Context, settings: Settings, rules: Rules, seed: int
) -> None:
    purging_storm(context, settings, rules, seed, calls=16)


@pytest.mark.usefixtures("new_sessions")
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", seeds(40, first=100))
def test_many_storms_while_everything_is_purged_keep_order_and_books(
    context: Context, settings: Settings, rules: Rules, seed: int
) -> None:
    purging_storm(context, settings, rules, seed, calls=60)
