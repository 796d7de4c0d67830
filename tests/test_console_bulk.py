"""The console's actions in bulk, over HTTP as a browser without JavaScript: looked at first, then a job with its page;
corrections, mended files, schedules and the audit log."""

import csv
import re
from collections.abc import Callable
from html import unescape
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from sqlalchemy import ColumnElement, Engine, func, insert, update

import worker.operations.steps
from models.accept_rules import Rules
from models.tables import Account, Act, Error, ErrorGroup, Event, Job, JobItem, Schedule
from models.words import Outcome, Resolution, Role
from tests.support.console import RunningConsole, Visitor, words
from tests.support.fixtures import Fail, Submit
from tests.support.jobs import ME
from tests.support.ledger import (
    Ledger,
    ask,
    deliver_all,
    do,
    fail_all,
    given_up,
    message,
    outcomes,
    people,
    settled,
    taken,
)
from web.console import bulk, corrections, live
from web.console.actions import ACTIONS
from worker.operations import jobs
from worker.queries.jobs import JobSummary, list_jobs

SCRIPT = "<script>alert('x')</script>"
ADA = "ada.lovelace@analytical.example.com"


@pytest.fixture
def work(engine: Engine, rules: Rules) -> Callable[[], None]:
    """Work at what was asked for, as a worker does, until nothing is due."""
    return lambda: jobs.work(engine, rules, 30)


Work = Callable[[], None]


def fill(submit: Submit, engine: Engine) -> None:
    """Twelve failed for one event, three for another, two rejected, one unconfirmed."""
    submit(message(*people(12)), message(*people(3, 20), event="webinar", state="cancel"))
    fail_all(engine)
    submit(message(*people(3, 30)))
    settled(engine, taken(engine), rejected=[0, 1], unconfirmed=[2])


def ids(engine: Engine, *where: ColumnElement[bool]) -> list[int]:
    return [error.id for error in Ledger(engine).errors(*where)]


def job_of(engine: Engine) -> JobSummary:
    """The newest job."""
    return list_jobs(engine, 1)[0]


def asked_for(answer: requests.Response, engine: Engine) -> JobSummary:
    """The job whose page an answer leads to."""
    job = job_of(engine)
    assert (answer.status_code, urlsplit(answer.url).path) == (200, f"/job/{job.id}"), answer.text
    return job


def nothing_done(engine: Engine) -> bool:
    return not Ledger(engine).jobs() and not Ledger(engine).errors(Error.resolution.is_not(None))


# A look before


def test_a_retry_is_shown_before_it_is_done(operator: Visitor, submit: Submit, engine: Engine) -> None:
    fill(submit, engine)
    html = operator.page("/act/retry")
    said = words(html)
    assert "Retry: outcome failed" in said
    assert "15 records will be sent again, behind what is live. That costs 2 calls and is over in about 1 s at" in said
    assert "The distinct errors" in said
    assert re.search(r" 15 failed GIVEN_UP .* HubSpot gave no clear answer.* HubSpot ", said)
    assert "Ten of them" in said
    assert html.partition('id="samples"')[2].count('<th scope="row"') == 10
    assert ">Retry 15</button>" in html
    assert nothing_done(engine)


def test_what_delays_a_retry_is_said_before_it_is_done(operator: Visitor, failed: Fail, engine: Engine) -> None:
    failed(*people(2))
    do(engine, update(Account).values(paused_at=func.now(), paused_because="the portal moves"))
    assert "account default sends nothing now: the portal moves" in words(operator.page("/act/retry"))


FILTERS: list[tuple[str, dict[str, object], int]] = [
    ("", {"outcomes": ["failed"]}, 15),
    ("?outcome=failed&outcome=unconfirmed", {"outcomes": ["failed", "unconfirmed"]}, 16),
    ("?event=webinar", {"outcomes": ["failed"], "event": "webinar"}, 3),
    ("?event=77&account=default", {"outcomes": ["failed"], "event": "77", "account": "default"}, 12),
    ("?state=cancel&category=GIVEN_UP", {"outcomes": ["failed"], "state": "cancel", "category": "GIVEN_UP"}, 3),
    ("?since=2026-01-01T10:00", {"outcomes": ["failed"], "since": "2026-01-01T10:00:00+00:00"}, 15),
    ("?batch=1&before=9&after=3", {"outcomes": ["failed"], "batch_id": 1}, 12),
    ("?outcome=rejected", {"outcomes": ["rejected"]}, 2),
]


def test_the_filters_of_the_url_are_those_of_the_job(
    operator: Visitor, submit: Submit, engine: Engine, rules: Rules
) -> None:
    fill(submit, engine)
    for query, chosen, number in FILTERS:
        html = operator.page(f"/act/retry{query}")
        assert f">Retry {number}</button>" in html
        job = asked_for(operator.submit(html, "/act/retry"), engine)
        assert (job.filter.written, job.expected, job.action) == (chosen, number, "retry")
        assert (job.who, job.via) == ("the operator", "console")
        if query != "?event=webinar":
            jobs.stop(engine, ME, job.id)
    jobs.work(engine, rules, 30)
    assert outcomes(engine) == {"pending": 3, "failed": 12, "rejected": 2, "unconfirmed": 1}


def test_a_group_is_retried_whatever_its_outcome(
    operator: Visitor, submit: Submit, engine: Engine, ledger: Ledger, work: Work
) -> None:
    fill(submit, engine)
    (group,) = ledger.all(ErrorGroup, ErrorGroup.outcome == Outcome.REJECTED)
    html = operator.page(f"/act/retry?group={group.id}")
    assert ">Retry 2</button>" in html
    assert f"Retry: group {group.id} (rejected: no)" in words(html)
    assert 'name="outcome"' not in html
    operator.submit(html, "/act/retry")
    work()
    assert outcomes(engine) == {"failed": 15, "unconfirmed": 1, "pending": 2}
    for path in ("/jobs", "/actions", f"/job/{job_of(engine).id}"):
        assert f"group {group.id} (rejected: no)" in words(operator.page(path))


def test_the_marked_rows_and_only_they_are_retried(
    operator: Visitor, submit: Submit, engine: Engine, work: Work
) -> None:
    fill(submit, engine)
    marked = [ids(engine)[0], ids(engine)[13], ids(engine, Error.outcome == Outcome.REJECTED)[0]]
    assert operator.page("/errors").count('type="checkbox" name="error"') == 18
    html = operator.page("/act/retry?marked=1&" + "&".join(f"error={one}" for one in marked))
    assert ">Retry 3</button>" in html
    operator.submit(html, "/act/retry")
    work()
    assert job_of(engine).filter.written["error_ids"] == marked
    assert ids(engine, Error.resolution == Resolution.RETRIED) == marked


@pytest.mark.parametrize("action", ["retry", "dismiss"])
def test_nothing_marked_is_not_everything(operator: Visitor, submit: Submit, engine: Engine, action: str) -> None:
    fill(submit, engine)
    answer = operator.get(f"/act/{action}?marked=1")
    assert (answer.status_code, "Nothing is marked" in words(answer.text)) == (400, True)
    assert "<button>" not in answer.text


def test_what_was_rejected_is_retried_only_if_asked_for(operator: Visitor, rejected: Fail) -> None:
    rejected(*people(2))
    html = operator.page("/act/retry?event=77")
    assert "Nothing matches" in words(html)
    assert 'method="post" action="/act/retry"' not in html
    link = re.search(r'href="([^"]+)">look at the rejected ones', html)
    assert link
    html = operator.page(unescape(link[1]))
    assert ">Retry 2</button>" in html
    assert "what HubSpot rejected for its data is rejected again unchanged" in html
    assert re.search(r'value="rejected" checked', html)
    assert not re.search(r'value="failed" checked', html)


def test_what_is_done_is_what_was_shown_and_not_what_failed_since(
    operator: Visitor, failed: Fail, engine: Engine, work: Work
) -> None:
    failed(*people(2))
    asked_for(operator.submit(operator.page("/act/retry"), "/act/retry"), engine)
    failed(*people(3, 10))
    work()
    assert outcomes(engine) == {"pending": 2, "failed": 3}


def test_dismissing_needs_a_reason_which_is_kept(operator: Visitor, submit: Submit, engine: Engine, work: Work) -> None:
    fill(submit, engine)
    html = operator.page("/act/dismiss?event=webinar")
    assert "3 records will be left as they are" in words(html)
    assert "That costs" not in words(html)
    for nothing in ("", " \0 "):
        answer = operator.submit(html, "/act/dismiss", because=nothing)
        assert (answer.status_code, "Dismiss them why?" in words(answer.text)) == (400, True)
    assert nothing_done(engine)
    job = asked_for(operator.submit(html, "/act/dismiss", because="test entries"), engine)
    work()
    kept = {(one.resolution, one.resolved_because) for one in Ledger(engine).errors(Error.resolution.is_not(None))}
    assert kept == {("dismissed", "test entries")}
    assert "event webinar; because: test entries" in words(operator.page(f"/job/{job.id}"))
    assert "test entries" in operator.page("/actions")


def test_waiting_batches_are_canceled_by_a_filter_and_never_all_unsaid(
    operator: Visitor, submit: Submit, engine: Engine, work: Work
) -> None:
    submit(message(*people(3)), message(*people(2), event="webinar"))
    assert operator.get("/act/cancel").status_code == 400
    link = re.search(r'href="(/act/cancel[^"]+)"', operator.page("/batches?status=PENDING&event=webinar"))
    assert link
    html = operator.page(unescape(link[1]))
    assert "2 records in 1 batch will be taken out of the queue" in words(html)
    job = asked_for(operator.submit(html, "/act/cancel"), engine)
    work()
    assert outcomes(engine) == {"pending": 3, "canceled": 2}
    said = words(operator.page(f"/job/{job.id}"))
    assert "canceled 2" in said
    html = operator.page("/act/retry?outcome=canceled")
    operator.submit(html, "/act/retry")
    work()
    assert outcomes(engine) == {"pending": 5}


def test_refused_messages_are_handed_in_again_together(
    operator: Visitor, submit: Submit, engine: Engine, work: Work
) -> None:
    submit({**message(*people(2)), "account": "acme"}, message("nobody"), {**message("b@x.org"), "account": "other"})
    html = operator.page("/act/replay?account=acme")
    assert "Why they were not accepted" in words(html)
    assert "1 will be skipped: would not be accepted again: account: 'acme' is unknown" in words(html)
    assert 'action="/act/replay"' not in html
    do(engine, insert(Account).values(name="acme"))
    html = operator.page("/act/replay?account=acme")
    job = asked_for(operator.submit(html, "/act/replay"), engine)
    work()
    assert outcomes(engine) == {"pending": 2}
    assert "accepted 2, duplicates 0, not accepted 0" in words(operator.page(f"/job/{job.id}"))
    html = operator.page("/act/replay")
    assert words(html).count("1 will be skipped: would not be accepted again: ") == 2
    assert "Nothing can be done as it is: 2 messages looked at" in words(html)
    assert 'action="/act/replay"' not in html


WRONG = [
    ("/act/nothing", 404),
    ("/act/correct", 404),
    ("/act/retry?outcome=delivered", 400),
    ("/act/retry?state=gone", 400),
    ("/act/retry?since=yesterday", 400),
    ("/act/retry?error=x", 400),
    (f"/act/retry?record={'9' * 30}", 400),
    ("/act/replay?submission=x", 400),
    ("/correct", 400),
    ("/correct?record=x", 400),
    ("/errors.csv?outcome=x", 400),
    ("/job/0", 404),
    ("/job/x", 404),
]


def test_what_is_none_is_said(operator: Visitor) -> None:
    for path, status in WRONG:
        answer = operator.get(path)
        assert (answer.status_code, "To the overview" in words(answer.text)) == (status, True), path


# A job's page


def test_a_jobs_page_says_how_far_it_is_what_became_of_each_and_what_they_are_by_now(
    operator: Visitor, submit: Submit, engine: Engine, work: Work
) -> None:
    fill(submit, engine)
    job = asked_for(operator.submit(operator.page("/act/retry"), "/act/retry"), engine)
    said = words(operator.page(f"/job/{job.id}"))
    assert f"Job {job.id}: retry queued outcome failed done 0 of 15 asked for by the operator console" in said
    assert said.count("not begun") == 15
    assert f"job {job.id}: retry outcome failed 0 of 15" in words(operator.page("/"))
    work()
    html = operator.page(f"/job/{job.id}")
    assert "finished" in words(html)
    assert "15 of 15" in words(html)
    assert "pending 15" in words(html)
    assert 'data-live="2"' in html
    settled(engine, taken(engine), rejected=[0])
    deliver_all(engine)
    html = operator.page(f"/job/{job.id}")
    assert "delivered 14" in words(html)
    assert "rejected 1" in words(html)
    assert "data-live" not in html
    assert f"/job/{job.id}" not in operator.page("/")


def test_what_a_job_was_not_done_to_is_listed_apart_with_why(
    operator: Visitor, failed: Fail, engine: Engine, work: Work
) -> None:
    failed(*people(3))
    job = asked_for(operator.submit(operator.page("/act/retry"), "/act/retry"), engine)
    work()
    do(engine, update(JobItem).where(JobItem.record_id == 2).values(done=False))
    do(engine, update(Job).values(done=2, skipped=1))
    assert "2 of 3, 1 skipped" in words(operator.page(f"/job/{job.id}"))
    html = operator.page(f"/job/{job.id}?skipped=1")
    assert "somebody else was faster" in words(html)
    assert html.count('<th scope="row"') == 1


def test_a_jobs_results_are_paged(
    operator: Visitor, failed: Fail, engine: Engine, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PAGE", 2)
    failed(*people(5))
    job = asked_for(operator.submit(operator.page("/act/retry"), "/act/retry"), engine)
    work()
    met: list[str] = []
    here: str | None = ""
    while here is not None:
        html = operator.page(f"/job/{job.id}{here}")
        met += re.findall(r'<a class="open" href="/batch/\d+">(\d+)</a>', html)
        more = re.search(r'href="([^"]+)"[^>]*rel="next"', html)
        here = unescape(more[1]) if more else None
    assert met == ["1", "2", "3", "4", "5"]


def test_jobs_and_the_audit_log_are_paged_the_newest_first(
    operator: Visitor, failed: Fail, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PAGE", 2)
    failed(*people(2))
    html = operator.page("/act/retry")
    asked = [asked_for(operator.submit(html, "/act/retry"), engine).id for _ in range(5)]
    for path in ("/jobs", "/actions"):
        met: list[int] = []
        here: str | None = path
        while here:
            html = operator.page(here)
            met += [int(one) for one in re.findall(r'<a class="open" href="/job/(\d+)">', html)]
            more = re.search(r'href="([^"]+)"[^>]*rel="next"', html)
            here = path + unescape(more[1]) if more else None
        assert met == asked[::-1]


def test_a_job_is_stopped_and_what_it_did_stays_done(
    operator: Visitor, failed: Fail, engine: Engine, rules: Rules, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.operations.steps, "STEP", 2)
    failed(*people(5))
    job = asked_for(operator.submit(operator.page("/act/retry"), "/act/retry"), engine)
    jobs.step(engine, rules)
    html = operator.page(f"/job/{job.id}")
    assert "it goes on by itself" in words(html)
    said = words(operator.submit(html, f"/job/{job.id}/stop").text)
    assert f"job {job.id} is stopped; what it did stays done" in said
    work()
    assert outcomes(engine) == {"pending": 2, "failed": 3}
    html = operator.page(f"/job/{job.id}")
    assert "stopped" in words(html)
    assert "2 of 5" in words(html)
    assert f"/job/{job.id}/stop" not in html
    assert "is not running" in words(operator.press(f"/job/{job.id}/stop", "/jobs").text)
    noted = Ledger(engine).actions()
    assert [(act.who, act.via, act.what, act.filter, act.number) for act in noted] == [
        ("the operator", "console", "retry", {"outcomes": ["failed"]}, 2),
        ("the operator", "console", "stop", {"job": job.id}, None),
    ]


def test_a_page_with_a_job_changes_by_itself(
    operator: Visitor, submit: Submit, engine: Engine, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    between = live.seconds_between
    monkeypatch.setattr(live, "seconds_between", lambda attributes: between(attributes) and 0.05)
    for round_, (path, then) in enumerate(
        (("/job/{}", "4 of 4"), ("/jobs", "4 of 4"), ("/", "batches pending</a></dt><dd>3</dd>"))
    ):
        submit(message(*people(4), event=f"{round_}"))
        given_up(engine, taken(engine))  # and what was retried before stays pending
        job = asked_for(operator.submit(operator.page("/act/retry"), "/act/retry"), engine)
        with operator.get(path.format(job.id), headers={"Accept": "text/event-stream"}, stream=True) as stream:
            lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
            assert next(line for line in lines if "0 of 4" in line)
            work()
            assert next(line for line in lines if then in line)


# Corrections


def test_one_record_is_corrected_and_the_change_is_shown_before(
    operator: Visitor, rejected: Fail, engine: Engine
) -> None:
    rejected("ada@exampel.com")
    assert 'href="/correct?record=1"' in operator.page("/errors")
    html = operator.page("/correct?record=1")
    assert "Correct: record 1" in words(html)
    html = operator.page("/correct?record=1&email=ada%40example.com&event=&vid=")
    assert "email ada@exampel.com ada@example.com" in words(html)
    assert 'value="ada@example.com"' in html
    assert nothing_done(engine)
    answer = operator.submit(html, "/correct")
    job = asked_for(answer, engine)
    assert (job.done, job.expected) == (1, 1)
    assert "record 2 took its place" in words(answer.text)
    assert "pending 1" in words(answer.text)
    deliver_all(engine)
    assert outcomes(engine) == {"canceled": 1, "delivered": 1}


def test_a_groups_wrong_event_is_corrected(
    operator: Visitor, rejected: Fail, engine: Engine, ledger: Ledger, work: Work
) -> None:
    rejected(*people(12), event="wrong")
    rejected(*people(2), event="77")
    do(engine, update(Error).where(Error.record_id > 12).values(group_id="elsewhere"))
    (error,) = ledger.errors(Error.record_id == 1)
    html = operator.page(f"/correct?group={error.group_id}&event=right")
    said = words(html)
    assert "event wrong right 12" in said
    assert "12 records, 12 of them to another event: type the number of records" in said
    assert "12 records will be corrected and sent. That costs 1 call and is over in" in said
    for typed, why in (
        ("", "No number was typed"),
        ("11", "'11' was typed, which is not"),
        ("lots", "'lots' was typed"),
    ):
        assert why in words(operator.submit(html, "/correct", typed=typed).text)
    assert nothing_done(engine)
    job = asked_for(operator.submit(html, "/correct", typed=" 12 "), engine)
    assert (job.expected, job.params.written) == (12, {"change": {"event": "right"}})
    work()
    assert outcomes(engine) == {"canceled": 12, "pending": 12, "rejected": 2}
    assert [row.object_id for row in ledger.all(Event)] == [
        "wrong",
        "77",
        "right",
    ]
    assert "record 15 took its place" in words(operator.page(f"/job/{job.id}"))


def test_a_change_that_cannot_be_made_is_said_and_kept_as_it_was_typed(
    operator: Visitor,
    rejected: Fail,
) -> None:
    rejected("ada@exampel.com")
    for query, said, status in (
        ("email=nobody", "not corrected: email: nobody is no e-mail address", 200),
        ("when=yesterday", "when: ", 400),
        ("set=nothing", "nothing", 400),
        ("vid=x", "x", 200),
    ):
        answer = operator.get(f"/correct?record=1&{query}")
        assert (answer.status_code, said in words(answer.text)) == (status, True), query
        for name, (value,) in parse_qs(query).items():
            assert re.search(rf'id="{name}"[^>]*(?:value="{value}"|>{value}<)', answer.text), query
        assert "Correct and send" not in answer.text


def test_a_change_of_nothing_is_not_asked_for(operator: Visitor, rejected: Fail, engine: Engine) -> None:
    rejected("ada@exampel.com")
    for chosen in ("record=1", "record=1&when=yesterday"):
        answer = operator.press("/correct", "/correct?record=1", chosen=chosen)
        assert (answer.status_code, "Nothing is changed" in words(answer.text)) == (400, True)
    assert nothing_done(engine)


def as_csv(rows: list[dict[str, str]]) -> bytes:
    file = StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode("utf-8-sig")


def out(operator: Visitor, query: str = "") -> list[dict[str, str]]:
    answer = operator.get(f"/errors.csv{query}")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == 'attachment; filename="fix.csv"'
    return list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"), newline="")))


def hand_back(operator: Visitor, content: bytes, record: int = 1) -> Any:
    html = operator.page(f"/correct?record={record}")
    return operator.submit(html, "/correct/file", files={"file": ("mend.csv", content, "text/csv")})


def test_a_groups_records_go_out_as_csv_and_the_mended_file_is_shown_before_it_is_begun(
    failed: Fail, operator: Visitor, rejected: Fail, engine: Engine, ledger: Ledger, work: Work
) -> None:
    rejected(*(f"p{index}@exampel.com" for index in range(4)))
    failed(*people(1))
    (error,) = ledger.errors(Error.record_id == 1)
    rows = out(operator, f"?group={error.group_id}")
    assert sorted(row["email"] for row in rows) == [f"p{index}@exampel.com" for index in range(4)]
    assert all(row["reason"].startswith("rejected: ") for row in rows)
    for row in rows[:3]:
        row["email"] = row["email"].replace("exampel", "example")
    answer = hand_back(operator, as_csv([*rows, {**rows[0], "record": "999"}, {**rows[0], "record": "x"}]))
    job = asked_for(answer, engine)
    said = words(answer.text)
    assert "awaiting confirmation corrected rows 3 done 0 of 3" in said
    assert "email …@exampel.com …@example.com 3" in said
    assert "line 6: there is no record 999; expected" in said
    assert "line 7: 'x' is no record's id" in said
    work()
    assert outcomes(engine) == {"rejected": 4, "failed": 1}
    assert "has begun" in words(operator.submit(answer.text, f"/job/{job.id}/begin").text)
    work()
    assert outcomes(engine) == {"rejected": 1, "failed": 1, "canceled": 3, "pending": 3}
    html = operator.page(f"/job/{job.id}")
    assert "record 6 took its place" in words(html)
    assert f"/job/{job.id}/begin" not in html
    assert "had begun or was stopped already" in words(operator.press(f"/job/{job.id}/begin", "/jobs").text)
    assert [row.filter for row in ledger.actions(Act.what == "begin")] == [{"job": job.id}]


def test_a_mended_file_is_discarded(operator: Visitor, rejected: Fail, engine: Engine, work: Work) -> None:
    rejected(*people(2))
    answer = hand_back(operator, as_csv([{**row, "event": "99"} for row in out(operator)]))
    job = asked_for(answer, engine)
    assert ">Discard it</button>" in answer.text
    operator.submit(answer.text, f"/job/{job.id}/stop")
    operator.press(f"/job/{job.id}/begin", "/jobs")
    work()
    assert outcomes(engine) == {"rejected": 2}
    assert "stopped" in words(operator.page(f"/job/{job.id}"))


def test_a_file_that_changes_nothing_offers_nothing_to_begin(operator: Visitor, rejected: Fail) -> None:
    rejected(*people(2))
    answer = hand_back(operator, as_csv(out(operator)))
    assert "Correct and send" not in answer.text
    assert "The file changes nothing" in words(answer.text)


def test_a_file_that_is_none_of_ours_is_said(operator: Visitor, rejected: Fail, engine: Engine) -> None:
    rejected("a@exampel.com")
    for content in (b"", b"email,name\na@x.org,A\n", b"\xff\xfe\0", b"{}", b"a" * 100_000):
        answer = hand_back(operator, content)
        assert (answer.status_code, "This file cannot be used" in words(answer.text)) == (400, True), content
    assert nothing_done(engine)


def test_a_file_that_is_too_large_is_said(operator: Visitor, rejected: Fail, engine: Engine) -> None:
    rejected("a@exampel.com")
    answer = hand_back(operator, b"record,email\n" + b"1,a@example.com\n" * (corrections.LARGEST_FILE // 16))
    assert (answer.status_code, "That is too much" in words(answer.text)) == (413, True)
    assert "turnout correct --from FILE" in words(answer.text)
    assert nothing_done(engine)


def test_wrong_lines_without_end_are_said_up_to_a_bound(operator: Visitor, rejected: Fail, engine: Engine) -> None:
    rejected("a@exampel.com")
    answer = hand_back(operator, b"record,email\n1,a@example.com\n" + b"x,y\n" * 5_000)
    assert answer.text.count('class="warning"') == corrections.MOST_WRONG
    assert job_of(engine).expected == 1


# Schedules

NIGHTLY = {
    "name": "nightly",
    "crontab": "0 3 * * *",
    "time_zone": "Europe/Berlin",
    "most": "5",
    "quiet": "22:00-02:30",
    "event": "77",
    "outcome_failed": "1",
    "outcome_unconfirmed": "1",
}


def test_a_schedule_is_put_changed_begun_paused_resumed_and_removed(
    operator: Visitor, failed: Fail, engine: Engine, ledger: Ledger, work: Work
) -> None:
    failed(*people(2))
    failed(*people(2), event="99")
    said = words(operator.press("/schedules", "/schedules", **NIGHTLY).text)
    assert "schedule nightly is added" in said
    assert "nightly 0 3 * * * Europe/Berlin outcome unconfirmed or failed, event 77 5 22:00-02:30" in said
    again = operator.press("/schedules", "/schedules", **NIGHTLY | {"crontab": "30 4 * * *"})
    assert (again.status_code, "name: nightly is taken" in words(again.text)) == (400, True)
    html = operator.page("/schedules?edit=nightly")
    assert "Change nightly" in words(html)
    for name, value in NIGHTLY.items():
        assert f'name="{name}" value="{value}"' in html
    do(engine, """UPDATE schedules SET filter = filter || '{"since": "2026-01-01T00:00:00+00:00"}'""")
    changed: dict[str, Any] = NIGHTLY | {"crontab": "30 4 * * *"}
    said = words(operator.submit(html, "/schedules", **changed).text)
    assert "schedule nightly is changed" in said
    assert "30 4 * * * Europe/Berlin outcome unconfirmed or failed, event 77, since 2026-01-01" in said
    assert operator.get("/schedules?edit=none").status_code == 404
    assert 'href="/schedules/nightly/begin"' in operator.page("/schedules")
    html = operator.page("/schedules/nightly/begin")
    assert "2 records will be sent again" in words(html)
    assert "changed since it was shown" in words(operator.press("/schedules/nightly/begin", "/schedules").text)
    assert not ledger.jobs()
    job = asked_for(operator.submit(html, "/schedules/nightly/begin"), engine)
    work()
    assert outcomes(engine) == {"pending": 2, "failed": 2}
    assert f"job {job.id} 2 done" in words(operator.page("/schedules"))
    for action, says, stands in (("pause", "is paused", "paused"), ("resume", "begins again", "in ")):
        said = words(operator.press(f"/schedules/nightly/{action}", "/schedules").text)
        assert f"schedule nightly {says}" in said
        assert stands in said.partition("22:00-02:30")[2]
    said = words(operator.press("/schedules/nightly/remove", "/schedules").text)
    assert "schedule nightly is removed" in said
    assert "nothing is scheduled" in said
    assert operator.press("/schedules/nightly/begin", "/schedules").status_code == 404
    assert operator.press("/schedules/nightly/pause", "/schedules").status_code == 404


UNUSABLE = [
    ("name", "the nightly one", "name: 'the nightly one' cannot be used"),
    ("name", "", "name: '' cannot be used"),
    ("crontab", "at three", "crontab: 'at three' names no time"),
    ("time_zone", "Middle/Earth", "time zone: Middle/Earth is not a time zone that is known here"),
    (
        "time_zone",
        "EST",
        "time zone: EST is an abbreviation: it may mean -05:00 all year or the clock of America/New_York",
    ),
    ("time_zone", "GMT-7", "time zone: GMT-7 is -07:00 as people write it"),
    ("most", "0", "at most: 0 retries"),
    ("most", "lots", "at most: 0 retries"),
    ("quiet", "at night", "quiet: 'at night' is no span of hours"),
    ("quiet", "22:00-22:00", "quiet: begin and end are the same"),
]


def test_a_schedule_that_cannot_be_used_is_said_and_what_was_typed_stays(operator: Visitor, ledger: Ledger) -> None:
    for name, value, said in UNUSABLE:
        fields = NIGHTLY | {"category": "GIVEN_UP", "state": "attend", name: value}
        answer = operator.press("/schedules", "/schedules", **fields)
        assert answer.status_code == 400
        assert said in words(answer.text)
        for field in ("name", "crontab", "time_zone", "most", "quiet", "event", "category"):
            assert f'name="{field}" value="{fields[field]}"' in answer.text
        assert "<option selected>attend</option>" in answer.text
        assert set(re.findall(r'name="outcome_(\w+)" value="1" checked', answer.text)) == {"failed", "unconfirmed"}
    assert ledger.all(Schedule) == []


def test_a_schedule_of_a_wrong_filter_is_said(operator: Visitor, ledger: Ledger) -> None:
    answer = operator.press("/schedules", "/schedules", **NIGHTLY | {"state": "gone"})
    assert (answer.status_code, "There is no state gone" in words(answer.text)) == (400, True)
    assert ledger.all(Schedule) == []


# The audit log


def test_the_audit_log_says_who_did_what_when_to_how_many(
    operator: Visitor, console: RunningConsole, submit: Submit, engine: Engine, work: Work
) -> None:
    fill(submit, engine)
    operator.submit(operator.page("/act/retry?event=77"), "/act/retry")
    operator.press("/accounts/default/pause", "/accounts", because="the portal moves")
    operator.press("/accounts/default/resume", "/accounts")
    other = console.of(Role.OPERATOR, "the night shift")
    other.submit(other.page("/act/dismiss?event=webinar"), "/act/dismiss", because="no matter")
    assert "not finished" in words(operator.page("/actions"))
    work()
    html = operator.page("/actions")
    rows = [words(row) for row in re.findall(r"<tr><th scope=\"row\".*?</tr>", html, re.DOTALL)]
    shown = [re.sub(r"^ \d+ [\d-]+ [\d:]+Z ", "", row).strip() for row in rows]
    assert shown == [
        "the night shift console dismiss outcome rejected or unconfirmed or failed, event webinar 3 no matter",
        "the operator console resume account default 1 –",
        "the operator console pause account default 1 the portal moves",
        "the operator console retry outcome failed, event 77 12 –",
    ]
    assert "not finished" not in html
    assert "the night shift" not in words(operator.page("/actions?who=the+operator")).partition("how many")[2]
    assert words(operator.page("/actions?what=pause")).count("the portal moves") == 1
    assert "nothing was done like that" in words(operator.page("/actions?who=nobody"))


# Who may what, and who sees what


POSTS = {
    "/act/retry": {"chosen": "outcome=failed", "count": "15"},
    "/act/dismiss": {"chosen": "outcome=failed", "because": "x"},
    "/act/cancel": {"chosen": "all=1"},
    "/act/replay": {"chosen": ""},
    "/correct": {"chosen": "record=1&event=99"},
    "/correct/file": {},
    "/job/{}/stop": {},
    "/job/{}/begin": {},
    "/schedules": NIGHTLY,
    "/schedules/kept/begin": {},
    "/schedules/kept/pause": {},
    "/schedules/kept/resume": {},
    "/schedules/kept/remove": {},
}


def test_every_button_leads_on_and_what_it_leads_to_changes_nothing(
    operator: Visitor, engine: Engine, under_way: Callable[[], object]
) -> None:
    under_way()
    job, token = job_of(engine).id, operator.token("/schedules")
    of = {"batch": 1, "account": "default", "refusal": 1, "action": "retry", "job": job, "schedule": "kept"}
    led = 0
    for path in ACTIONS:
        named = path.format(**of)
        fields = {"contact": ADA} | POSTS.get(path.replace("{job}", "{}"), POSTS.get(named, {}))
        answer = operator.post(named, {"form": token, **fields}, allow_redirects=False)
        assert answer.status_code == 303 or answer.status_code >= 400, path
        if answer.status_code == 303:
            led += 1
            before = under_way_now(engine)
            for _ in range(2):
                assert operator.get(answer.headers["location"]).status_code < 500, path
            assert under_way_now(engine) == before, path
    assert led >= 10


def under_way_now(engine: Engine) -> object:
    tables = ("jobs", "job_items", "actions", "schedules", "errors", "batches", "refused", "erasures")
    return [[tuple(row) for row in ask(engine, f"SELECT * FROM {table} ORDER BY 1")] for table in tables]


@pytest.fixture
def under_way(operator: Visitor, submit: Submit, engine: Engine) -> Callable[[], object]:
    """A job, a schedule, errors; what they are, to be compared."""
    fill(submit, engine)
    operator.submit(operator.page("/act/retry?event=webinar"), "/act/retry")
    operator.press("/schedules", "/schedules", **NIGHTLY | {"name": "kept"})
    tables = ("jobs", "job_items", "actions", "schedules", "errors", "batches", "refused")
    return lambda: [[tuple(row) for row in ask(engine, f"SELECT * FROM {table} ORDER BY 1")] for table in tables]


def test_a_viewer_presses_nothing(viewer: Visitor, engine: Engine, under_way: Callable[[], object]) -> None:
    before, job = under_way(), job_of(engine).id
    for path in ("/act/retry", "/act/dismiss", "/act/cancel?all=1", "/act/replay", "/correct?record=1", "/errors.csv"):
        answer = viewer.get(path)
        assert (answer.status_code, "Only operators" in words(answer.text)) == (403, True), path
        assert "@example.com" not in answer.text
    token = viewer.token("/")
    for path, fields in POSTS.items():
        answer = viewer.post(path.format(job), {"form": token, **fields})
        assert (answer.status_code, "Only operators" in words(answer.text)) == (403, True), path
    files = {"file": ("mend.csv", b"record,event\n1,99\n", "text/csv")}
    assert viewer.post("/correct/file", {"form": token}, files=files).status_code == 403
    for path in ("/errors", f"/job/{job}", "/jobs", "/schedules", "/actions", "/batches?status=PENDING", "/refused"):
        html = viewer.page(path)
        assert re.findall(r'method="post" action="([^"]+)"', html) == ["/sign-out"], path
        assert not re.search(r'href="/(act/|correct|errors\.csv)', html), path
    assert under_way() == before


def test_a_form_of_another_page_does_nothing(
    operator: Visitor, engine: Engine, under_way: Callable[[], object]
) -> None:
    before, job = under_way(), job_of(engine).id
    token = operator.token("/schedules")
    for path, fields in POSTS.items():
        more: dict[str, Any] = {}
        if path == "/correct/file":
            more["files"] = {"file": ("mend.csv", b"record,event\n1,99\n", "text/csv")}
        for sent, origin in (("0" * 64, operator.url), (token, "https://evil.example")):
            answer = operator.post(path.format(job), {"form": sent, **fields}, headers={"Origin": origin}, **more)
            assert answer.status_code == 403, path
    assert under_way() == before


def test_viewers_see_no_address_on_jobs_and_in_the_audit_log(
    operator: Visitor, viewer: Visitor, rejected: Fail, engine: Engine, work: Work
) -> None:
    rejected(ADA)
    html = operator.page("/correct?record=1&email=ada.lovelace%40other.example.com")
    mended = asked_for(operator.submit(html, "/correct"), engine).id
    given_up(engine, taken(engine))
    rejected(f"x{ADA}")
    html = operator.page(f"/act/dismiss?event={ADA.replace('@', '%40')}")
    assert "Nothing matches" in words(html)
    html = operator.page("/act/dismiss?record=2")
    dismissed = operator.submit(html, "/act/dismiss", because=f"{ADA} asked for it")
    job = asked_for(dismissed, engine).id
    operator.press("/schedules", "/schedules", **NIGHTLY | {"event": ADA})
    held = asked_for(hand_back(operator, f"record,email\n3,{ADA}x\n{ADA},2\n".encode(), 3), engine).id
    work()
    for path in ("/", "/jobs", "/actions", "/schedules", *(f"/job/{one}" for one in (mended, job, held))):
        assert "lovelace" not in viewer.page(path), path
        assert "analytical" not in viewer.page(path), path
    assert "lovelace" in operator.page(f"/job/{held}")


def test_what_others_wrote_is_escaped(
    operator: Visitor, viewer: Visitor, submit: Submit, engine: Engine, work: Work
) -> None:
    fill(submit, engine)
    submit(message("nobody"), {**message("b@x.org"), "account": SCRIPT})
    job = asked_for(operator.submit(operator.page("/act/retry?event=webinar"), "/act/retry"), engine).id
    work()
    held = asked_for(hand_back(operator, f"record,event\n1,{SCRIPT}\n{SCRIPT},2\n".encode()), engine).id
    operator.press("/schedules", "/schedules", **NIGHTLY | {"event": SCRIPT})
    for change in (
        "UPDATE errors SET message = :it, category = :it, code = :it",
        "UPDATE error_groups SET category = :it, code = :it, gist = :it",
        "UPDATE records SET contact = :it || id",
        "UPDATE events SET object_id = :it || id",
        "UPDATE actions SET who = :it, last_error = :it",
        "UPDATE actions SET filter = filter || jsonb_build_object('event', CAST(:it AS text))",
        "UPDATE jobs SET params = params || jsonb_build_object('because', CAST(:it AS text))",
        (
            "UPDATE job_items SET result = jsonb_build_object('reasons', jsonb_build_array("
            " jsonb_object(ARRAY['where', :it, 'what', :it, 'right', :it]))) WHERE change IS NULL"
        ),
    ):
        do(engine, change, it=SCRIPT)
    for path in (f"/job/{job}", f"/job/{held}", "/jobs", "/actions", "/schedules"):
        for visitor in (operator, viewer):
            html = visitor.page(path)
            assert SCRIPT not in html, path
            assert "&lt;script&gt;" in html, path
    typed = f"email={SCRIPT}&when={SCRIPT}&set={SCRIPT}&group={SCRIPT}"
    for path in (
        "/act/retry",
        "/act/dismiss",
        f"/act/retry?event={SCRIPT}&account={SCRIPT}&category={SCRIPT}",
        "/act/cancel?all=1",
        "/act/replay",
        "/correct?record=1",
        f"/correct?record=1&event={SCRIPT}",
        f"/correct?record=1&{typed}",
        f"/correct?{typed}",
        f"/act/{SCRIPT}",
        f"/actions?who={SCRIPT}&what={SCRIPT}",
    ):
        assert SCRIPT not in operator.get(path).text, path
    answer = operator.press("/schedules", "/schedules", **dict.fromkeys(NIGHTLY, SCRIPT))
    assert (answer.status_code, SCRIPT in answer.text) == (400, False)


def test_every_table_has_headings_and_every_field_a_label(
    operator: Visitor, submit: Submit, engine: Engine, work: Work
) -> None:
    fill(submit, engine)
    submit(message("nobody"), message(*people(2), state="cancel"))
    operator.press("/schedules", "/schedules", **NIGHTLY)
    operator.submit(operator.page("/act/retry"), "/act/retry")
    work()
    paths = ["/errors", "/act/retry?outcome=rejected", "/act/dismiss", "/act/cancel?all=1", "/act/replay", "/actions",
             "/correct?record=16", "/correct?record=16&event=9", "/jobs", "/schedules"]  # fmt: skip
    paths.append(f"/job/{job_of(engine).id}")
    pages = [operator.page(path) for path in paths]
    assert len(re.findall("<table", "".join(pages))) >= 8
    assert len(re.findall("<input", "".join(pages))) >= 8
    for path, html in zip(paths, pages, strict=True):
        for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
            heads = re.findall(r'<th scope="col"[^>]*>([^<]+)</th>', table)
            assert len(heads) == len(re.findall("<t[hd][ >]", table.partition("<tbody>")[2].partition("</tr>")[0])), (
                path
            )
        for field in re.findall(r"<(?:input|textarea|select)[^>]*>", html):
            if 'type="hidden"' not in field and "aria-label=" not in field:
                named = re.search(r' id="([^"]+)"', field)
                before = html[: html.index(field)]
                assert (named and f' for="{named[1]}"' in html) or before.rfind("<label") > before.rfind("</label>")
