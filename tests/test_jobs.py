"""Bulk actions as jobs: each part is done once, whoever works at it and whatever breaks, and says what it came to."""

import getpass
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Unpack

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, event, func, insert, update
from sqlalchemy.exc import OperationalError

import tasks.job
import worker.queries.refusals
import worker.queue.claim
from models.accept_rules import Rules
from models.correction import Change
from models.job_params import JobParams
from models.tables import Account, Batch, Error, Job, Lane
from models.words import Action, Outcome, Resolution, State, Status
from tests.support.before import before
from tests.support.fixtures import Facts, Fail, Submit, Turnout
from tests.support.jobs import ME, More, finished, run
from tests.support.ledger import Ledger, ask, deliver_all, do, message, outcomes, people, resolve, settled, taken
from worker.context import Context
from worker.local.migrate import configuration, upgrade
from worker.operations import jobs, steps
from worker.queries import job_results
from worker.queries.error_filter import Filter
from worker.queries.job_filter import CancelFilter, Chosen
from worker.queries.jobs import JobSummary, find_job, list_jobs
from worker.queries.refusals import RefusalFilter
from worker.queue.locks import lock_events

pytestmark = pytest.mark.usefixtures("books")

FAILED = Filter()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of a few, and the live ones first, with no floor for others."""
    for name, size in (("STEP", 3), ("CORRECTIONS", 3), ("BATCHES", 2), ("AT_ONCE", 2)):
        monkeypatch.setattr(steps, name, size)
    monkeypatch.setattr(worker.queries.refusals, "AT_ONCE", 2)
    monkeypatch.setattr(worker.queue.claim, "FLOOR", 0.0)


def asked(engine: Engine, action: Action, chosen: Chosen, **more: Unpack[More]) -> int:
    with engine.begin() as connection:
        return jobs.ask(connection, ME, action, chosen, **more)


def job(engine: Engine, job_id: int) -> JobSummary:
    found = find_job(engine, job_id)
    assert found is not None
    return found


def items(engine: Engine, job_id: int) -> list[tuple[object, ...]]:
    """What became of each: the record, whether it was done, why or what it came to, and its outcome by now."""
    return [(item.record_id, item.done, item.why, item.outcome) for item in job_results.items(engine, job_id, 1_000)]


# Once


def test_steps_from_many_threads_at_once_do_every_part_once(
    failed: Fail, engine: Engine, ledger: Ledger, rules: Rules
) -> None:
    ids = [*failed(*people(60), event="1"), *failed(*people(60), event="2")]
    job_id = asked(engine, Action.RETRY, FAILED)
    begin = threading.Barrier(8)

    def work(number: int) -> None:
        begin.wait()
        while job(engine, job_id).ended_at is None:
            jobs.step(engine, rules, job_id if number % 2 else None)

    with ThreadPoolExecutor(8) as eight:
        list(eight.map(work, range(8)))
    ended = job(engine, job_id)
    assert (ended.done, ended.skipped, ended.last_error) == (120, 0, "")
    assert Counter(record for record, *_ in items(engine, job_id)) == Counter(ids)
    assert [row.number for row in ledger.actions()] == [120]
    assert len(ledger.errors(Error.resolution == Resolution.RETRIED)) == 120
    assert outcomes(engine) == {"pending": 120}


@pytest.fixture(params=[Action.RETRY, Action.REPLAY, Action.CORRECT])
def of_eight(request: pytest.FixtureRequest, submit: Submit, failed: Fail, engine: Engine) -> int:
    """A job of eight."""
    if request.param is Action.REPLAY:
        submit(*({**message(f"p{number}@x.org"), "account": "acme"} for number in range(8)))
        do(engine, insert(Account).values(name="acme"))
        return asked(engine, Action.REPLAY, RefusalFilter())
    ids = failed(*people(8))
    if request.param is Action.RETRY:
        return asked(engine, Action.RETRY, FAILED)
    mended = ((number, record_id, Change(event="78")) for number, record_id in enumerate(ids))
    return jobs.ask_to_mend(engine, ME, mended)


@pytest.mark.parametrize("became", ["it was done", "it was not"])
def test_a_step_whose_commit_is_ambiguous_is_done_once(
    of_eight: int, became: str, engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = of_eight
    go_on, lost = jobs._go_on, iter([False, True])  # noqa: SLF001 - what comes right before the COMMIT
    armed = threading.Event()

    def arm(connection: Connection, job_id: int, done: steps.StepResult) -> None:
        go_on(connection, job_id, done)
        if next(lost, False):
            armed.set()

    def lose(connection: Connection) -> None:
        if armed.is_set():
            armed.clear()
            if became == "it was done":
                connection.connection.commit()
            raise OperationalError("COMMIT", {}, Exception("the connection was lost"))

    monkeypatch.setattr(jobs, "_go_on", arm)
    event.listen(engine, "commit", lose)
    ended = finished(engine, rules, job_id)
    event.remove(engine, "commit", lose)
    assert next(lost, None) is None
    assert (ended.done, ended.skipped) == (8, 0)
    done = job_results.items(engine, job_id, 1_000)
    assert len({one.item for one in done}) == len(done) == 8
    assert all(one.done for one in done)
    assert outcomes(engine)["pending"] == 8


def test_two_jobs_take_turns(failed: Fail, engine: Engine, rules: Rules) -> None:
    failed(*people(7), event="1")
    failed(*people(7), event="2")
    first, second = (asked(engine, Action.RETRY, Filter(event=name)) for name in ("1", "2"))
    served = []
    while (one := jobs.step(engine, rules)) is not None:
        served.append(one)
    assert served == [first, second] * 4
    assert [job(engine, one).done for one in (first, second)] == [7, 7]


def test_a_job_that_is_stopped_leaves_the_rest_untouched(
    failed: Fail, engine: Engine, ledger: Ledger, rules: Rules, turnout: Turnout
) -> None:
    ids = failed(*people(10))
    job_id = asked(engine, Action.RETRY, FAILED)
    jobs.step(engine, rules)
    assert f"job {job_id} is stopped" in turnout("jobs", "stop", str(job_id)).output
    assert jobs.step(engine, rules) is None
    assert jobs.step(engine, rules, job_id) is None
    assert outcomes(engine) == {"pending": 3, "failed": 7}
    assert [record for record, *_ in items(engine, job_id)] == ids[:3]
    stopped = job(engine, job_id)
    assert (stopped.done, stopped.stopped, stopped.standing) == (3, True, "stopped")
    assert [row.number for row in ledger.actions()] == [3, None]
    assert "is stopped already: 3 done" in turnout("jobs", "stop", str(job_id), status=1).stderr
    assert run(engine, rules, Action.RETRY, FAILED).done == 7


def test_a_job_whose_step_fails_is_in_trouble_while_others_go_on_and_is_tried_again(
    failed: Fail, engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(*people(4))
    dismissed = asked(engine, Action.DISMISS, FAILED, params=JobParams(because="nobody knows"))
    retried = asked(engine, Action.RETRY, Filter(event="none"))
    dismiss = steps.STEPS[Action.DISMISS]

    def broken(*_: object) -> None:
        raise RuntimeError("a bug, of a@x.org")

    monkeypatch.setitem(steps.STEPS, Action.DISMISS, broken)
    assert [jobs.step(engine, rules) for _ in range(3)] == [dismissed, retried, None]
    left = job(engine, dismissed)
    assert (left.last_error, left.done) == ("a step failed (RuntimeError); see the log", 0)
    assert left.standing.startswith("waits: a step failed")
    assert job(engine, retried).ended_at is not None
    assert not jobs.is_due(engine)
    monkeypatch.setitem(steps.STEPS, Action.DISMISS, dismiss)
    do(engine, update(Job).values(due_at=Job.due_at - timedelta(seconds=61)))
    assert jobs.is_due(engine)
    jobs.work(engine, rules, 10)
    left = job(engine, dismissed)
    assert (left.last_error, left.done, left.standing) == ("", 4, "finished")


def test_what_comes_after_a_job_was_asked_for_is_not_its_own(
    submit: Submit, failed: Fail, engine: Engine, rules: Rules
) -> None:
    ids = failed(*people(4))
    submit(b"no JSON", message("w@x.org", event="waits"))
    chosen: tuple[tuple[Action, Chosen], ...] = (
        (Action.RETRY, FAILED),
        (Action.CANCEL, CancelFilter(event="waits")),
        (Action.REPLAY, RefusalFilter()),
    )
    asked_for = [asked(engine, *one) for one in chosen]
    do(engine, update(Batch).where(Batch.status == Status.PENDING).values(due_at=func.now() + timedelta(hours=1)))
    do(engine, update(Lane).values(due_at=func.now() + timedelta(hours=1)))
    failed(*people(4, 10), event="78")
    submit(b"no JSON either", message("w2@x.org", event="waits", state=State.CANCEL))
    counts = [(finished(engine, rules, one).done, len(items(engine, one))) for one in asked_for]
    assert counts == [(4, 4), (1, 1), (0, 1)]
    assert [record for record, *_ in items(engine, asked_for[0])] == ids
    do(engine, "UPDATE lanes SET due_at = (SELECT min(due_at) FROM batches WHERE status = 'PENDING')")


def test_jobs_begun_before_their_columns_were_renamed_go_on_with_all_that_these_held(
    failed: Fail, engine: Engine, rules: Rules
) -> None:
    ids = failed(*people(5))
    errors = [row.id for row in sorted(Ledger(engine).errors(), key=lambda row: row.record_id)]
    resolve(engine, Resolution.DISMISSED, Error.id == errors[0])
    pinned = [steps.WaitingItem(error, record) for error, record in zip(errors, ids, strict=True)]
    begun = asked(engine, Action.DISMISS, FAILED, params=JobParams(because="the event is over"), pinned=pinned)
    assert jobs.step(engine, rules, begun) == begun
    do(engine, update(Job).values(last_error="a step failed"))
    held = jobs.ask_to_mend(engine, ME, [(2, ids[4], Change(event="nobody's"))], on_hold=[])
    before = [(job(engine, one), job_results.items(engine, one)) for one in (begun, held)]
    with engine.connect() as connection:
        command.downgrade(configuration(connection), "0011")
        connection.commit()
    columns = "a.chosen, j.given, j.done, j.passed, j.held, j.trouble"
    assert list(map(tuple, ask(engine, f"SELECT {columns} FROM jobs j JOIN actions a USING (id) ORDER BY id"))) == [
        (FAILED.written, {"because": "the event is over"}, 2, 1, False, "a step failed"),
        ({"mended_rows": 1}, {}, 0, 0, True, ""),
    ]
    upgrade(engine)
    assert [(job(engine, one), job_results.items(engine, one)) for one in (begun, held)] == before
    ended = finished(engine, rules, begun)
    assert (ended.done, ended.skipped, ended.last_error) == (4, 1, "")
    assert job(engine, held).standing == "awaiting confirmation"


def test_an_action_of_a_newer_release_is_left_to_its_workers_and_holds_no_other_up(
    failed: Fail, engine: Engine, rules: Rules
) -> None:
    failed(*people(2))
    newer = asked(engine, Action.RETRY, FAILED)
    mine = asked(engine, Action.RETRY, FAILED)
    do(engine, "ALTER TABLE jobs DROP CONSTRAINT ck_jobs_action")
    do(engine, "UPDATE jobs SET action = 'newer', due_at = now() - interval '1 hour' WHERE id = :id", id=newer)
    assert finished(engine, rules, mine).done == 2
    assert not jobs.is_due(engine)
    assert jobs.step(engine, rules) is None
    do(engine, "UPDATE jobs SET action = 'retry' WHERE id = :id", id=newer)
    assert jobs.is_due(engine)
    assert finished(engine, rules, newer).last_error == ""


# What became of each


def test_a_retry_says_of_each_record_what_became_of_it_and_what_it_is_now(
    failed: Fail, engine: Engine, rules: Rules
) -> None:
    ids = failed(*people(5))
    ended = run(engine, rules, Action.RETRY, FAILED)
    assert (ended.done, ended.skipped) == (5, 0)
    assert items(engine, ended.id) == [(id_, True, "", "pending") for id_ in ids]
    settled(engine, taken(engine), rejected=[1])
    deliver_all(engine)
    assert [outcome for *_, outcome in items(engine, ended.id)].count("rejected") == 1
    assert job_results.outcomes(engine, ended.id) == {"delivered": 4, "rejected": 1}


def test_what_somebody_else_resolved_first_is_skipped_and_said(
    failed: Fail, engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = failed(*people(2))

    def somebody_is_faster() -> None:
        resolve(engine, Resolution.DISMISSED, Error.record_id == ids[0])

    monkeypatch.setattr(steps, "lock_events", before(somebody_is_faster, lock_events))
    ended = run(engine, rules, Action.RETRY, FAILED)
    assert (ended.done, ended.skipped) == (1, 1)
    assert items(engine, ended.id)[0] == (ids[0], False, "somebody else was faster", "failed")
    assert [one.record_id for one in job_results.items(engine, ended.id, skipped=True)] == [ids[0]]
    assert job_results.outcomes(engine, ended.id) == {"pending": 1}


def test_a_dismissal_keeps_its_reason(failed: Fail, engine: Engine, ledger: Ledger, rules: Rules) -> None:
    ids = failed(*people(4))
    ended = run(engine, rules, Action.DISMISS, FAILED, params=JobParams(because="the event is over"))
    assert items(engine, ended.id) == [(id_, True, "", "failed") for id_ in ids]
    kept = {(row.resolution, row.resolved_because) for row in ledger.errors()}
    assert kept == {("dismissed", "the event is over")}


def test_a_cancellation_has_an_item_a_record(submit: Submit, engine: Engine, rules: Rules) -> None:
    submit(message(*people(7)), batch_size=2)
    ended = run(engine, rules, Action.CANCEL, CancelFilter(event="77"))
    assert (ended.done, job_results.batches(engine, ended.id)) == (7, 4)
    assert [outcome for *_, outcome in items(engine, ended.id)] == ["canceled"] * 7
    assert outcomes(engine) == {"canceled": 7}


def test_a_group_is_corrected_and_each_says_by_which_record_or_why_not(
    rejected: Fail, submit: Submit, engine: Engine, ledger: Ledger, rules: Rules
) -> None:
    ids = rejected(*people(5))
    submit(message("p1@example.com", event="78"))
    deliver_all(engine)
    (group,) = {row.group_id for row in ledger.errors()}
    params = JobParams(change=Change(event="78"))
    ended = run(engine, rules, Action.CORRECT, Filter((Outcome.REJECTED,), group_id=group), params=params)
    assert (ended.done, ended.skipped) == (4, 1)
    said = items(engine, ended.id)
    assert [record for record, *_ in said] == ids
    assert [(done, outcome) for _, done, _, outcome in said] == [
        (True, "pending"), (False, "rejected"), (True, "pending"), (True, "pending"), (True, "pending"),
    ]  # fmt: skip
    assert "expected" in str(said[1][2])
    assert "took its place" in str(said[0][2])
    assert {row.origin for row in ledger.batches(Batch.status == Status.PENDING)} == {"replay"}


def test_a_mended_file_is_corrected_line_by_line(failed: Fail, engine: Engine, rules: Rules) -> None:
    ids = failed(*people(4))
    changes = [Change(email="new@x.org"), Change(email="nobody"), Change(event="78"), Change(email="p3@example.com")]
    lines = [(number + 2, id_, change) for number, (id_, change) in enumerate(zip(ids, changes, strict=True))]
    job_id = jobs.ask_to_mend(engine, ME, [*lines, (6, 999_999, changes[0])])
    waiting = job_results.items(engine, job_id)
    assert (waiting[0].item, waiting[0].done, waiting[0].why) == (2, None, "not begun")
    ended = finished(engine, rules, job_id)
    assert (ended.expected, ended.done, ended.skipped) == (5, 2, 3)
    done = job_results.items(engine, job_id)
    assert [(one.item, one.done) for one in done] == [(2, True), (3, False), (4, True), (5, False), (6, False)]
    assert done[0].result["difference"] == [["email", "p0@example.com", "new@x.org"]]
    assert "would stay as it is" in done[3].why
    assert "is unknown" in done[4].why


def test_refusals_handed_in_again_say_what_each_came_to(
    submit: Submit, engine: Engine, ledger: Ledger, rules: Rules
) -> None:
    submit({**message("a@x.org", "b@x.org"), "account": "acme"}, b"no JSON", {**message("a@x.org"), "account": "acme"})
    do(engine, insert(Account).values(name="acme"))
    ended = run(engine, rules, Action.REPLAY, RefusalFilter())
    assert (ended.done, ended.skipped) == (2, 1)
    said = {(done, str(why).split(" (")[0]) for _, done, why, _ in items(engine, ended.id)}
    assert said == {
        (True, "accepted 2, duplicates 0, not accepted 0"),
        (False, "message: is no JSON"),
        (True, "accepted 0, duplicates 1, not accepted 0"),
    }
    assert {row.origin for row in ledger.batches()} == {"replay"}


# Behind what is live


@pytest.mark.parametrize("action", [Action.RETRY, Action.REPLAY])
def test_what_is_live_and_comes_later_goes_first(
    submit: Submit, failed: Fail, engine: Engine, rules: Rules, action: Action
) -> None:
    if action is Action.RETRY:
        failed(*people(2))
    else:
        submit(message("nobody"))
        do(engine, "UPDATE refused SET raw = CAST(replace(encode(raw, 'escape'), 'nobody', 'a@x.org') AS bytea)")
    run(engine, rules, action, FAILED if action is Action.RETRY else RefusalFilter())
    submit(message("live@x.org", event="live"))
    claims = [taken(engine), taken(engine)]
    assert [claim.origin for claim in claims] == ["live", action.value]
    for claim in claims:
        settled(engine, claim)


# The commands


def test_what_is_left_to_the_workers_is_done_by_their_task(
    failed: Fail, engine: Engine, context: Context, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(*people(8))
    left = turnout("retry", "--yes", "--background")
    assert "left to the workers: turnout job" in left.stderr
    assert outcomes(engine) == {"failed": 8}
    assert jobs.is_due(engine)
    monkeypatch.setattr(tasks.job, "current", lambda: context)
    tasks.job.job()
    assert outcomes(engine) == {"pending": 8}
    assert not jobs.is_due(engine)


def test_a_task_asked_to_stop_begins_no_other_step(
    failed: Fail, engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(*people(8))
    asked(engine, Action.RETRY, FAILED)
    context.stopping.set()
    monkeypatch.setattr(tasks.job, "current", lambda: context)
    tasks.job.job()
    assert outcomes(engine) == {"failed": 8}


def test_who_leaves_the_command_leaves_the_job_under_way_and_is_told_how_to_end_it(
    failed: Fail, engine: Engine, rules: Rules, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(*people(8))
    step, leaves = jobs.step, iter([False, True])

    def may_leave() -> None:
        if next(leaves):
            raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "step", before(may_leave, step))
    left = turnout("retry", "--yes", status=130)
    job_id = list_jobs(engine)[0].id
    assert f"job {job_id} goes on in the workers; to end it: turnout jobs stop {job_id}" in left.stderr
    assert outcomes(engine) == {"pending": 3, "failed": 5}
    monkeypatch.setattr(jobs, "step", step)
    jobs.work(engine, rules, 10)
    assert job(engine, job_id).done == 8


def test_the_commands_say_the_same_as_json_and_as_tables(
    failed: Fail, facts: Facts, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "olga")
    ids = failed(*people(5))
    done = facts("retry", "--event", "77", "--yes")
    assert done == {"retried": 5, "job": done["job"], "outcomes": {"pending": 5}}
    number = str(done["job"])
    (listed,) = facts("jobs")
    assert (listed["id"], listed["action"], listed["standing"], listed["what"], listed["who"]) == (
        done["job"], "retry", "finished", "outcome failed, event 77", "olga",
    )  # fmt: skip
    shown = facts("job", number)
    assert (shown["done"], shown["skipped"], shown["outcomes"]) == (5, 0, {"pending": 5})
    assert [one["record_id"] for one in shown["items"]] == ids
    first = facts("job", number, "--limit", "2")["items"]
    assert [one["record_id"] for one in facts("job", number, "--after", str(first[-1]["id"]))["items"]] == ids[2:]
    assert facts("job", number, "--skipped")["items"] == []
    assert (facts("actions")[0]["what"], facts("actions")[0]["done"]) == ("retry", 5)
    for words in (("jobs",), ("job", number), ("actions",)):
        said = turnout(*words).output
        assert "outcome failed, event 77" in said
        assert "olga" in said
    assert "there is no job 999" in turnout("job", "999", status=1).stderr
    assert facts("cancel", "--event", "77")["records"] == 5
    assert facts("retry", "--outcome", Outcome.REJECTED, "--yes")["retried"] == 0
    assert len(facts("jobs", "--limit", "2")) == 2
    assert [one["id"] for one in facts("jobs", "--before", str(done["job"] + 1))] == [done["job"]]
