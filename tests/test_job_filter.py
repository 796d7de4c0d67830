"""What a job is done to and how: read as it was written, by this release, the one before it, or a later one."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import Engine, select, update

from models.correction import Change
from models.input_check import Reason
from models.job_params import JobParams
from models.tables import Act, Job, JobItem, Schedule
from models.tally import DistinctChange, Skip, Tally
from models.words import Action, Outcome, State
from tests.support.fixtures import Fail, Turnout
from tests.support.jobs import ME
from tests.support.ledger import ask, do, outcomes, people
from web.masking import HIDDEN, for_viewer
from worker.context import Context
from worker.operations import audit_log, jobs, schedules
from worker.operations.schedules import RetrySchedule
from worker.queries.error_filter import ANY_OPEN, Filter
from worker.queries.job_filter import (
    CancelFilter,
    Chosen,
    CorrectedRows,
    UnknownFilter,
    read_filter,
)
from worker.queries.jobs import find_job, list_jobs
from worker.queries.refusals import RefusalFilter

SUBMISSION = "6f2a3c1e-0d5b-4f37-9c55-8a1f0e1c2b3d"
EVERY_FIELD = Filter(
    (Outcome.REJECTED, Outcome.FAILED),
    7,
    "acme/spring",
    "emea",
    State.ATTEND,
    "INVALID_EMAIL",
    datetime(2026, 3, 1, 10, tzinfo=UTC),
    "0f3a",
    [1, 2],
    [3, 4],
    10,
    "nightly",
)
FILTERS: list[tuple[Action, Chosen | CorrectedRows, dict[str, object]]] = [
    (Action.RETRY, Filter(), {"outcomes": ["failed"]}),
    (Action.RETRY, Filter(ANY_OPEN, record_ids=[5]), {
        "outcomes": ["rejected", "unconfirmed", "failed", "canceled"], "record_ids": [5],
    }),
    (Action.RETRY, EVERY_FIELD, {
        "outcomes": ["rejected", "failed"], "batch_id": 7, "event": "acme/spring", "account": "emea",
        "state": "attend", "category": "INVALID_EMAIL", "since": "2026-03-01T10:00:00+00:00", "group_id": "0f3a",
        "record_ids": [1, 2], "error_ids": [3, 4], "most_retries": 10, "schedule": "nightly",
    }),
    (Action.DISMISS, Filter((Outcome.UNCONFIRMED,), event="77"), {"outcomes": ["unconfirmed"], "event": "77"}),
    (Action.CORRECT, Filter(ANY_OPEN, group_id="0f3a"), {
        "outcomes": ["rejected", "unconfirmed", "failed", "canceled"], "group_id": "0f3a",
    }),
    (Action.CORRECT, CorrectedRows(record_ids=[5, 6]), {"record_ids": [5, 6]}),
    (Action.CORRECT, CorrectedRows(mended_rows=0), {"mended_rows": 0}),
    (Action.CANCEL, CancelFilter(), {}),
    (Action.CANCEL, CancelFilter(7, "77", "emea", State.CANCEL), {
        "batch_id": 7, "event": "77", "account": "emea", "state": "cancel",
    }),
    (Action.REPLAY, RefusalFilter(), {}),
    (Action.DISCARD, RefusalFilter([5], UUID(SUBMISSION), "emea", "0f3a"), {
        "ids": [5], "submission": SUBMISSION, "account": "emea", "group_id": "0f3a",
    }),
]  # fmt: skip
"""As the release before this one writes them, too."""
TALLY = Tally(3, 2, [DistinctChange("event", "77", "78", 3)], 1, [Skip("would stay as it is", 4)], 0, "5ea1")
PARAMS: list[tuple[JobParams, dict[str, object]]] = [
    (JobParams(), {}),
    (JobParams(because="a test address"), {"because": "a test address"}),
    (JobParams(use_account="emea"), {"use_account": "emea"}),
    (JobParams(change=Change()), {"change": {}}),
    (JobParams(change=Change("a@x.org", "51", 7, {"seat": ""}, "acme/spring", "4711")), {
        "change": {
            "email": "a@x.org", "vid": "51", "when": 7, "properties": {"seat": ""}, "event": "acme/spring",
            "object_id": "4711",
        },
    }),
    (JobParams(wrong=[Reason("line 9, email", "is no address", "an address")], tally=TALLY), {
        "wrong": [{"where": "line 9, email", "what": "is no address", "right": "an address"}],
        "tally": {
            "will": 3, "moved": 2, "changes": [{"field": "event", "was": "77", "becomes": "78", "count": 3}],
            "more_changes": 1, "skips": [{"what": "would stay as it is", "count": 4}], "more_skips": 0, "seal": "5ea1",
        },
    }),
]  # fmt: skip


@pytest.mark.parametrize(("action", "chosen", "kept"), FILTERS)
def test_a_filter_is_written_as_it_always_was_and_read_again(
    action: Action, chosen: Chosen | CorrectedRows, kept: dict[str, object]
) -> None:
    assert orjson.loads(orjson.dumps(chosen.written)) == kept
    assert read_filter(action, kept) == chosen


@pytest.mark.parametrize(("params", "kept"), PARAMS)
def test_parameters_are_written_as_they_always_were_and_read_again(params: JobParams, kept: dict[str, object]) -> None:
    assert orjson.loads(orjson.dumps(params.written)) == kept
    assert JobParams.read(kept) == params


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(
    "kept",
    [
        {"outcomes": ["failed"], "colour": "red"},
        {"outcomes": ["lost"]},
        {"outcomes": 7},
        {"outcomes": ["failed"], "since": "yesterday"},
        {"state": "lost", "submission": "lost", "ids": 7, "mended_rows": 7, "record_ids": 7, "more": 7},
    ],
)
def test_a_filter_of_a_later_release_stays_as_it_stands(action: Action, kept: dict[str, object]) -> None:
    assert read_filter(action, kept) == UnknownFilter(kept)


@pytest.mark.parametrize("name", ["change", "tally", "wrong", "colour"])
def test_parameters_of_a_later_release_stay_as_they_stand_beside_those_that_are_known(name: str) -> None:
    kept = {"because": "a test address", name: {"colour": "red"}}
    read = JobParams.read(kept)
    assert (read.because, read.others, read.written) == ("a test address", {name: {"colour": "red"}}, kept)


@pytest.mark.parametrize(("action", "chosen", "kept"), FILTERS)
def test_the_rows_of_a_job_hold_it_and_give_it_back(
    engine: Engine, action: Action, chosen: Chosen | CorrectedRows, kept: dict[str, object]
) -> None:
    params = JobParams(because="a test address", use_account="emea")
    with engine.begin() as connection:
        job_id = jobs.ask(connection, ME, action, chosen, params=params, pinned=[])
    assert ask(engine, select(Act.filter, Job.params).join(Job, Job.id == Act.id)) == [(kept, params.written)]
    (job,) = list_jobs(engine)
    assert (job.id, job.action, job.filter, job.params) == (job_id, action, chosen, params)


def test_a_job_on_hold_keeps_what_was_wrong_beside_what_it_comes_to(engine: Engine) -> None:
    wrong = Reason("line 9, email", "is no address", "an address")
    job_id = jobs.ask_to_mend(engine, ME, [(2, 5, Change(event="78"))], on_hold=[wrong])
    jobs.hold(engine, job_id, TALLY)
    job = find_job(engine, job_id)
    assert job is not None
    assert (job.filter, job.params) == (CorrectedRows(mended_rows=1), JobParams(wrong=[wrong], tally=TALLY))
    assert ask(engine, select(Job.params)) == [(PARAMS[-1][1],)]
    assert ask(engine, select(JobItem.change, JobItem.record_id)) == [({"event": "78"}, 5)]


def test_a_job_that_a_later_release_asked_for_is_shown_and_left_to_its_workers(
    failed: Fail, engine: Engine, context: Context, turnout: Turnout, facts: Any
) -> None:
    failed(*people(2))
    with engine.begin() as connection:
        job_id = jobs.ask(connection, ME, Action.RETRY, Filter())
    later = {"outcomes": ["failed"], "colour": "red"}
    do(engine, update(Act).values(filter=later))
    do(engine, update(Job).values(params={"speed": 7}))
    jobs.step(engine, context.rules)
    assert outcomes(engine) == {"failed": 2}
    (shown,) = facts("jobs")
    assert (shown["filter"], shown["params"], shown["done"]) == (later, {"speed": 7}, 0)
    assert (shown["what"], shown["last_error"]) == (
        "outcome failed, colour red",
        "a step failed (ValueError); see the log",
    )
    assert "colour red" in turnout("job", str(job_id)).output


def test_commands_print_json_with_its_names_in_the_order_in_which_it_is_kept(engine: Engine, turnout: Turnout) -> None:
    with engine.begin() as connection:
        jobs.ask(connection, ME, Action.RETRY, EVERY_FIELD, params=PARAMS[-2][0])
    schedules.put(engine, ME, RetrySchedule("nightly", "0 3 * * *", Filter(event="77", account="emea")))
    (row,) = ask(engine, select(Act.filter, Job.params).join(Job, Job.id == Act.id))
    (job,) = orjson.loads(turnout("jobs", "--json").output)
    assert [*job["filter"].items()] == [*row.filter.items()]
    assert [*job["params"]["change"].items()] == [*row.params["change"].items()]
    (row,) = ask(engine, select(Schedule.filter))
    (schedule,) = orjson.loads(turnout("schedules", "--json").output)
    assert [*schedule["filter"].items()] == [*row.filter.items()]


def test_what_a_job_changes_is_masked_as_what_was_written_of_a_person() -> None:
    change = Change("ada@example.com", "51", 7, {"note": "Ada"}, "77", "4711")
    masked = for_viewer(JobParams(change=change, because="ada@example.com asked")).change
    assert masked == Change("a…a@e…e.com", "51", 7, {"note": HIDDEN}, "77", "4711")
    assert for_viewer({"change": change.written}) == {"change": masked.written}


def test_the_audit_log_shows_what_a_job_was_done_to_as_it_is_kept(engine: Engine) -> None:
    with engine.begin() as connection:
        jobs.ask(connection, ME, Action.CANCEL, CancelFilter(event="77"), params=JobParams(because="it is over"))
        audit_log.note(connection, ME, "pause", {"account": "emea", "because": "a storm"})
    pause, cancel = audit_log.listed(engine)
    assert (cancel.filter, cancel.because, audit_log.of_what(cancel)) == ({"event": "77"}, "it is over", "event 77")
    assert (pause.because, audit_log.of_what(pause)) == ("a storm", "account emea")
    (job,) = list_jobs(engine)
    assert audit_log.of_what(job) == "event 77"
