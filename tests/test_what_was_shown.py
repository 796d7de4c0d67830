"""What is grouped together is alike, a preview is of all that is chosen, and what is done is what it showed."""

import csv
import json
from collections import Counter
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import typer
from alembic import command
from sqlalchemy import Engine, insert, update

import cli.bulk_jobs
from hubspot_api.answer import NotFound, Rejection, Settled, read_answer
from hubspot_api.response import Response
from models.accept_rules import Rules
from models.correction import Change
from models.job_params import JobParams
from models.tables import Account, Batch, Error, ErrorGroup, Job, Record
from models.tally import Skip
from models.words import Action, Identity, Outcome, Resolution
from tests.support.console import Visitor, words
from tests.support.fixtures import Facts, Submit, Turnout
from tests.support.jobs import ME, finished, retry
from tests.support.ledger import (
    CALL,
    WHEN,
    Ledger,
    deliver_all,
    do,
    given_up,
    in_turn,
    message,
    outcomes,
    people,
    resolve,
    settled,
    take,
    taken,
)
from worker.context import Context
from worker.local.migrate import configuration, upgrade
from worker.operations import jobs, preview, steps, tally
from worker.operations.preview import Preview
from worker.queries import job_results
from worker.queries.error_filter import Filter
from worker.queries.job_filter import CancelFilter
from worker.queue import settle

pytestmark = pytest.mark.usefixtures("books")

MIXED = {"webinar-42": 80, "berlin-meetup-25": 30, "paris-meetup-25": 30}
RIGHT = "acme/webinar-42"


def of(event: str, number: int, first: int = 0, state: str = "register") -> dict[str, object]:
    named = {"external_event_id": event, "external_account_id": "acme"}
    return {
        name: value for name, value in message(*people(number, first), state=state).items() if name != "object_id"
    } | named


def unknown(engine: Engine, said: dict[str, object]) -> None:
    """Let HubSpot answer all that waits with 404, and these words, where NAME is the event's."""
    while (claimed := take(engine)) is not None:
        name = claimed.address.external_event_id or claimed.address.object_id or ""
        body = json.dumps({"status": "error", "correlationId": "c", **said}).replace("NAME", name).encode()
        answer = read_answer(Response(404, {}, body, 1), Identity.EMAIL, [])
        assert isinstance(answer, NotFound)
        no = dict.fromkeys(range(len(claimed.members)), answer.rejection)
        assert settle.settle(engine, claimed, Settled({}, no, {}), CALL)


@pytest.fixture
def mixed(submit: Submit, engine: Engine, ledger: Ledger) -> str:
    """Three events' records in one group, as a version before this one left them; give the group."""
    for index, (event, number) in enumerate(MIXED.items()):
        submit(of(event, number, 100 * index))
    in_turn(engine)
    unknown(engine, {"category": "OBJECT_NOT_FOUND", "message": "No marketing event found for NAME"})
    (group, *_) = ledger.errors()
    do(engine, update(Error).values(group_id=group.group_id))
    return str(group.group_id)


def nothing_done(engine: Engine) -> bool:
    return not Ledger(engine).jobs() and not Ledger(engine).errors(Error.resolution.is_not(None))


# Grouped


@pytest.mark.parametrize(
    "said",
    [
        {"category": "OBJECT_NOT_FOUND", "message": "No marketing event found for NAME"},
        {"category": "OBJECT_NOT_FOUND", "message": "No marketing event found for `NAME`"},
        {"category": "OBJECT_NOT_FOUND", "message": 'No marketing event found for "NAME".'},
        {"category": "OBJECT_NOT_FOUND", "message": "Object not found", "context": {"externalEventId": ["NAME"]}},
        {"category": "OBJECT_NOT_FOUND", "message": "resource not found"},
        {"category": "ODD", "message": "Nichts da"},
        {},
    ],
)
@pytest.mark.parametrize(
    "events", [["webinar-24", "berlin-meetup-25", "paris-meetup-25"], ["spring", "joinedAt", "no-contact"]]
)
def test_each_event_that_hubspot_does_not_know_is_a_group_of_its_own(
    submit: Submit, engine: Engine, facts: Facts, events: list[str], said: dict[str, object]
) -> None:
    for index, event in enumerate(events):
        submit(of(event, 2 + index))
    unknown(engine, said)
    groups = facts("errors", "--grouped")
    assert {(group["event"], group["count"]) for group in groups} == {
        (f"acme/{event}", 2 + index) for index, event in enumerate(events)
    }
    assert {group["who"] for group in groups} == {"the account's admin"}
    for begin in ("turnout retry --group", "turnout correct --group"):
        assert all(begin in group["action"] for group in groups)


def test_object_ids_are_events_too_and_contacts_are_none(submit: Submit, engine: Engine, facts: Facts) -> None:
    submit(message(*people(2), event="7001"), message(*people(3), event="7002"))
    unknown(engine, {"category": "OBJECT_NOT_FOUND", "message": "No marketing event found for NAME"})
    assert sorted((group["event"], group["count"]) for group in facts("errors", "--grouped")) == [
        ("7001", 2),
        ("7002", 3),
    ]
    submit(message(*people(2, 50), event="7001"), message(*people(2, 50), event="7002"))
    while (claimed := take(engine)) is not None:
        no = {
            index: Rejection("VALIDATION_ERROR", "INVALID_EMAIL", f"`{one.contact}` is not a valid email address")
            for index, one in enumerate(claimed.members)
        }
        assert settle.settle(engine, claimed, Settled({}, no, {}), CALL)
    assert [(group["event"], group["count"]) for group in facts("errors", "--grouped") if group["count"] > 3] == [
        (None, 4)
    ]


def test_a_group_says_of_which_event_it_is_wherever_it_is_named(
    submit: Submit, engine: Engine, operator: Visitor, turnout: Turnout
) -> None:
    submit(of("webinar-24", 2), of("webinar-25", 2))
    unknown(engine, {"category": "OBJECT_NOT_FOUND", "message": "No event `NAME`"})
    said = words(operator.page("/groups"))
    assert "event acme/webinar-24" in said
    assert "event acme/webinar-25" in said
    assert "all of event acme/webinar-24" in turnout("errors", "--grouped").output
    group, *_ = {error.group_id for error in Ledger(engine).errors(Error.batch_id == Batch.id, Batch.event_id == 1)}
    assert "(rejected: No event …, event acme/webinar-24)" in words(operator.page(f"/act/dismiss?group={group}"))


def test_errors_that_an_older_version_grouped_are_grouped_anew(mixed: str, engine: Engine, ledger: Ledger) -> None:
    with engine.connect() as connection:
        command.downgrade(configuration(connection), "0010")
        connection.commit()
    assert len(ledger.errors(Error.group_id == mixed)) == 140
    upgrade(engine)
    members = Counter(error.group_id for error in ledger.errors())
    groups = ledger.all(ErrorGroup, ErrorGroup.id.in_(members))
    assert {group.gist.rpartition(" ")[2]: members[group.id] for group in groups} == MIXED
    assert all(group.event_id for group in groups)
    assert ledger.all(ErrorGroup, ErrorGroup.first_seen > ErrorGroup.last_seen) == []


# Shown


def test_a_preview_is_of_all_that_is_chosen(mixed: str, engine: Engine, context: Context, operator: Visitor) -> None:
    found = preview.look(
        context, Action.CORRECT, Filter((Outcome.REJECTED,), group_id=mixed), JobParams(change=Change(event=RIGHT))
    )
    assert (found.count, found.will, found.tally.moved, found.calls) == (140, 60, 60, 1)
    assert [(one.was, one.becomes, one.count) for one in found.tally.changes] == [
        ("acme/berlin-meetup-25", RIGHT, 30),
        ("acme/paris-meetup-25", RIGHT, 30),
    ]
    assert found.tally.skips == [Skip("would stay as it is", 80)]
    said = words(operator.page(f"/correct?group={mixed}&event={RIGHT}"))
    assert f"event acme/berlin-meetup-25 {RIGHT} 30" in said
    assert f"event acme/paris-meetup-25 {RIGHT} 30" in said
    assert "60 records will be corrected and sent" in said
    assert "80 will be skipped: would stay as it is" in said
    assert ">Correct and send 60</button>" in operator.page(f"/correct?group={mixed}&event={RIGHT}")
    assert nothing_done(engine)


def test_distinct_changes_beyond_a_bound_are_counted(
    submit: Submit, engine: Engine, ledger: Ledger, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "MOST", 2)
    monkeypatch.setattr(tally, "STEP", 2)
    for index in range(5):
        submit(of(f"spring-{index}", 1 + index))
    unknown(engine, {"category": "OBJECT_NOT_FOUND", "message": "no"})
    changes = [(row.record_id, Change(event="acme/right")) for row in ledger.errors()]
    found = tally.of(context.engine, context.rules, sorted(changes, key=lambda change: change[0]))
    assert [change.count for change in found.changes] == [1, 1]
    assert found.more_changes == 3
    why = "would repeat record …, which is corrected to the same here"
    assert (found.will, found.skips) == (5, [Skip(why, 10)])


def test_what_a_preview_says_is_what_the_job_does(
    submit: Submit, engine: Engine, context: Context, rules: Rules, monkeypatch: pytest.MonkeyPatch, mixed: str
) -> None:
    """Some would repeat, some were overtaken, some stay, some are twice among them, over many steps."""
    monkeypatch.setattr(steps, "CORRECTIONS", 7)
    monkeypatch.setattr(tally, "STEP", 11)
    submit(of("webinar-42", 4, 100), of("webinar-42", 5, 200, state="cancel"))
    while (claimed := take(engine)) is not None:
        assert settle.settle(engine, claimed, Settled(dict.fromkeys(range(len(claimed.members))), {}, {}), CALL)
    submit(of("paris-meetup-25", 5, 103), of("berlin-meetup-25", 3, 110, state="cancel"))
    unknown(engine, {"category": "OBJECT_NOT_FOUND", "message": "no"})
    do(engine, update(Error).where(Error.resolution.is_(None)).values(group_id=mixed))
    chosen, params = Filter((Outcome.REJECTED,), group_id=mixed), JobParams(change=Change(event=RIGHT))
    found = preview.look(context, Action.CORRECT, chosen, params)
    assert len(found.tally.skips) > 3
    done = preview.confirm(context, ME, Action.CORRECT, chosen, found.seal, params=params, typed=found.will)
    assert isinstance(done, int)
    ended = finished(engine, rules, done)
    assert (ended.done, ended.skipped) == (found.will, found.tally.skipped)
    assert ended.done + ended.skipped == found.count == 148


def test_two_records_of_one_person_are_both_corrected_in_their_order_over_two_steps(
    submit: Submit, engine: Engine, ledger: Ledger, context: Context, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "CORRECTIONS", 1)
    for when in (WHEN, WHEN + 1):
        submit(of("spring-sumit", 1) | {"inputs": [{"email": "ada@example.com", "interactionDateTime": when}]})
        unknown(engine, {"category": "OBJECT_NOT_FOUND", "message": "no"})
    chosen, params = Filter((Outcome.REJECTED,)), JobParams(change=Change(event="acme/spring-summit"))
    found = preview.look(context, Action.CORRECT, chosen, params)
    assert found.will == 2
    done = preview.confirm(context, ME, Action.CORRECT, chosen, found.seal, params=params, typed=2)
    assert isinstance(done, int)
    assert finished(engine, rules, done).done == 2
    assert [row.corrects for row in ledger.records(Record.corrects > 0)] == [
        1,
        2,
    ]
    deliver_all(engine)


# Done as shown, on the page


def test_on_the_page_nothing_is_done_where_it_changed_and_the_new_preview_is_shown(
    mixed: str, engine: Engine, ledger: Ledger, operator: Visitor, rules: Rules
) -> None:
    path = f"/correct?group={mixed}&event={RIGHT}"
    html = operator.page(path)
    resolve(engine, Resolution.DISMISSED, Error.record_id == 81)
    answer = operator.submit(html, "/correct", typed="60")
    assert not ledger.jobs()
    said = words(answer.text)
    assert "What is chosen has changed since it was shown, so nothing was done" in said
    assert "59 records will be corrected and sent" in said
    answer = operator.submit(answer.text, "/correct", typed="60")
    assert "'60' was typed, which is not the number" in words(answer.text)
    assert not ledger.jobs()
    answer = operator.submit(answer.text, "/correct", typed="59")
    (job,) = ledger.jobs()
    assert (urlsplit(answer.url).path, job.expected) == (f"/job/{job.id}", 139)
    assert finished(engine, rules, job.id).done == 59
    assert ledger.errors(Error.resolution == Resolution.CORRECTED, Error.record_id == 81) == []


@pytest.mark.parametrize("seal", ["", "x", "5-", f"{'9' * 30}-x", "-", "1-\0"])
def test_a_form_without_a_preview_does_nothing(mixed: str, engine: Engine, operator: Visitor, seal: str) -> None:
    html = operator.page(f"/act/retry?group={mixed}")
    answer = operator.submit(html, "/act/retry", seal=seal)
    assert (answer.status_code, nothing_done(engine)) == (200, True)
    assert "changed since it was shown" in words(answer.text)


@pytest.mark.parametrize("action", ["retry", "dismiss"])
def test_what_failed_since_does_not_join_and_what_was_resolved_since_is_shown_anew(
    action: str, submit: Submit, engine: Engine, ledger: Ledger, operator: Visitor, rules: Rules
) -> None:
    submit(message(*people(5)))
    given_up(engine, taken(engine))
    html = operator.page(f"/act/{action}?event=77")
    submit(message(*people(3, 50)))
    given_up(engine, taken(engine))
    operator.submit(html, f"/act/{action}", because="x")
    (job,) = ledger.jobs()
    resolve(engine, Resolution.DISMISSED, Error.record_id == 2)
    ended = finished(engine, rules, job.id)
    assert (ended.expected, ended.done, ended.skipped) == (5, 4, 1)
    assert [one.why for one in job_results.items(engine, job.id, skipped=True)] == ["somebody else was faster"]
    html = operator.page(f"/act/{action}?event=77")
    resolve(engine, Resolution.CONFIRMED, Error.record_id == 6)
    answer = operator.submit(html, f"/act/{action}", because="x")
    assert "changed since it was shown" in words(answer.text)
    assert len(ledger.jobs()) == 1


def test_marked_rows_that_are_resolved_by_now_are_said(submit: Submit, engine: Engine, operator: Visitor) -> None:
    submit(message(*people(3)))
    given_up(engine, taken(engine))
    resolve(engine, Resolution.DISMISSED, Error.record_id == 2)
    said = words(operator.page("/act/dismiss?marked=1&error=1&error=2&error=3"))
    assert "2 records will be left" in said
    assert "1 will be skipped: is resolved already" in said


def test_a_batch_that_grew_or_went_is_not_canceled_as_if_it_had_not(
    submit: Submit, engine: Engine, context: Context, operator: Visitor, rules: Rules
) -> None:
    chosen = CancelFilter(event="77")
    submit(message(*people(2)))
    html = operator.page("/act/cancel?event=77")
    assert "2 77 register default" in words(html)
    submit(message(*people(2, 10)))
    assert "changed since it was shown" in words(operator.submit(html, "/act/cancel").text)
    assert nothing_done(engine)
    found = preview.look(context, Action.CANCEL, chosen)
    job_id = preview.confirm(context, ME, Action.CANCEL, chosen, found.seal)
    assert isinstance(job_id, int)
    submit(message(*people(2, 20)))
    ended = finished(engine, rules, job_id)
    assert (ended.done, ended.skipped) == (0, 1)
    assert "added to since it was shown" in job_results.items(engine, job_id)[0].why
    assert outcomes(engine) == {"pending": 6}


def test_one_record_that_has_failed_again_since_it_was_shown_is_left(
    submit: Submit, engine: Engine, ledger: Ledger, rules: Rules, operator: Visitor
) -> None:
    submit(message("ada@example.com"))
    settled(engine, taken(engine), rejected=[0])
    html = operator.page("/correct?record=1&event=78")
    until = ledger.errors()[-1].id
    retry(engine, 100, Filter((Outcome.REJECTED,)))
    settled(engine, taken(engine), rejected=[0])
    assert "changed since it was shown" in words(operator.submit(html, "/correct").text)
    job_id = jobs.ask_to_mend(engine, ME, [(0, 1, Change(event="78"))], until=until)
    assert finished(engine, rules, job_id).skipped == 1
    assert job_results.items(engine, job_id)[0].why.startswith("record 1: has failed again since this was shown")
    assert finished(engine, rules, jobs.ask_to_mend(engine, ME, [(0, 1, Change(event="78"))])).done == 1


def as_csv(rows: list[dict[str, str]]) -> bytes:
    file = StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def test_a_corrected_file_is_shown_whole_and_done_as_shown(
    mixed: str, engine: Engine, ledger: Ledger, operator: Visitor, rules: Rules
) -> None:
    content = operator.get(f"/errors.csv?group={mixed}").content.decode("utf-8-sig")
    rows = [{**row, "event": RIGHT} for row in csv.DictReader(StringIO(content, newline=""))]
    rows[0]["email"], rows[1]["email"] = "nobody", rows[1]["email"].replace("example.com", "example.org")
    html = operator.page("/correct?record=1")
    answer = operator.submit(html, "/correct/file", files={"file": ("f.csv", as_csv(rows), "text/csv")})
    said = words(answer.text)
    assert f"event acme/berlin-meetup-25 {RIGHT} 30" in said
    assert f"event acme/paris-meetup-25 {RIGHT} 29" in said
    assert "email …@example.com …@example.org 1" in said
    assert "59 records will be corrected and sent" in said
    assert "1 will be skipped: email: nobody is no e-mail address" in said
    (job,) = ledger.jobs()
    begin = f"/job/{job.id}/begin"
    assert "No number was typed" in words(operator.submit(answer.text, begin).text)
    resolve(engine, Resolution.DISMISSED, Error.record_id == 82)
    again = operator.submit(answer.text, begin, typed="59")
    assert "changed since it was shown" in words(again.text)
    assert "58 records will be corrected and sent" in words(again.text)
    assert ledger.jobs(Job.on_hold)
    operator.submit(again.text, begin, typed="58")
    ended = finished(engine, rules, job.id)
    assert (ended.done, ended.skipped) == (58, 2)


# Done as shown, by command


def test_by_command_the_number_is_typed(
    mixed: str, engine: Engine, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.bulk_jobs, "is_asked", lambda: True)
    words_ = ("correct", "--group", mixed, "--event", RIGHT)
    for typed in ("y", "140", "61"):
        said = turnout(*words_, stdin=f"{typed}\n", status=1)
        assert "60 records will be corrected and sent" in said.output
        assert "acme/berlin-meetup-25" in said.output
        assert "80 will be skipped: would stay as it is" in said.output
        assert "is not the number" in said.stderr
    assert nothing_done(engine)
    assert "60 records are corrected and sent" in turnout(*words_, stdin="60\n", status=1).output
    assert outcomes(engine) == {"canceled": 60, "rejected": 80, "pending": 60}


def test_by_command_unasked_the_number_is_expected(mixed: str, engine: Engine, turnout: Turnout) -> None:
    words_ = ("correct", "--group", mixed, "--event", RIGHT, "--yes")
    assert "add --expect 60" in " ".join(turnout(*words_, status=2).output.replace("│", " ").split())
    said = turnout(*words_, "--expect", "140", status=1)
    assert "--expect says 140: nothing is done" in " ".join(said.stderr.split())
    assert "would stay as it is" in said.output
    assert nothing_done(engine)
    assert "60 records are corrected" in turnout(*words_, "--expect", "60", status=1).output


def test_by_command_nothing_is_done_where_it_changed_before_the_yes(
    mixed: str, engine: Engine, ledger: Ledger, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.bulk_jobs, "is_asked", lambda: True)

    def meanwhile(*_: object, **__: object) -> str:
        resolve(engine, Resolution.DISMISSED, Error.record_id == 81)
        return "60"

    monkeypatch.setattr(typer, "prompt", meanwhile)
    said = turnout("correct", "--group", mixed, "--event", RIGHT, status=1)
    assert "has changed since it was shown: nothing is done" in " ".join(said.stderr.split())
    assert "59 records will be corrected" in said.output
    monkeypatch.setattr(typer, "confirm", meanwhile)
    do(engine, update(Error).where(Error.record_id == 81).values(resolution=None))
    said = turnout("retry", "--group", mixed, status=1)
    assert "139 records will be retried" in said.output
    assert not ledger.jobs()


@pytest.mark.parametrize(
    "words_",
    [
        ("retry",),
        ("dismiss", "--event", "77", "--because", "x"),
        ("cancel", "--event", "78"),
        ("refused", "retry", "--all"),
    ],
)
def test_each_bulk_command_takes_what_it_is_to_come_to(
    words_: tuple[str, ...], submit: Submit, engine: Engine, ledger: Ledger, turnout: Turnout
) -> None:
    submit(message(*people(3)))
    given_up(engine, taken(engine))
    submit(message(*people(3), event="78"), *({**message("a@x.org"), "account": f"a{index}"} for index in range(3)))
    do(engine, insert(Account).values([{"name": "a0"}, {"name": "a1"}, {"name": "a2"}]))
    before = outcomes(engine)
    said = turnout(*words_, "--yes", "--expect", "4", status=1)
    assert "--expect says 4: nothing is done" in " ".join(said.stderr.split())
    assert (outcomes(engine), ledger.jobs()) == (before, [])
    turnout(*words_, "--yes", "--expect", "3")
    (job,) = ledger.jobs()
    assert (job.done, job.pinned) == (3, True)


def test_a_corrected_file_by_command_is_shown_whole(
    mixed: str, engine: Engine, turnout: Turnout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "f.csv"
    turnout("errors", "--group", mixed, "--csv", str(out))
    rows = [{**row, "event": RIGHT} for row in csv.DictReader(StringIO(out.read_text("utf-8-sig"), newline=""))]
    out.write_bytes(as_csv(rows))
    said = " ".join(turnout("correct", "--from", str(out), "--yes", status=2).output.replace("│", " ").split())
    assert "add --expect 60" in said
    turnout("correct", "--from", str(out), "--yes", "--expect", "59", status=1)
    monkeypatch.setattr(cli.bulk_jobs, "is_asked", lambda: True)
    said = turnout("correct", "--from", str(out), stdin="1\n", status=1).output
    assert "acme/berlin-meetup-25" in said
    assert "acme/paris-meetup-25" in said
    assert nothing_done(engine)
    assert "60 records are corrected" in turnout("correct", "--from", str(out), stdin="60\n").output


def test_a_file_of_refusals_is_shown_before_it_is_asked(
    submit: Submit, engine: Engine, turnout: Turnout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message("nobody"), {**message("a@x.org"), "account": "acme"})
    out = tmp_path / "f.jsonl"
    turnout("refused", "--out", str(out))
    do(engine, insert(Account).values(name="acme"))
    monkeypatch.setattr(cli.bulk_jobs, "is_asked", lambda: True)
    said = turnout("refused", "retry", "--from", str(out), stdin="n\n", status=1).output
    assert "1 message will be submitted again" in said
    assert "1 will be skipped: would not be accepted" in said
    turnout("refused", "retry", "--from", str(out), "--yes", "--expect", "2", status=1)
    assert outcomes(engine) == {}
    turnout("refused", "retry", "--from", str(out), "--yes", "--expect", "1", status=1)
    assert outcomes(engine) == {"pending": 1}


def test_a_held_job_is_not_done_to_what_failed_again_since(
    submit: Submit, engine: Engine, rules: Rules, context: Context
) -> None:
    submit(message(*people(2)))
    given_up(engine, taken(engine))
    job_id = jobs.ask_to_mend(engine, ME, [(2, 1, Change(event="78")), (3, 2, Change(event="78"))], on_hold=[])
    found = preview.look(context, Action.RETRY, Filter(record_ids=[1]))
    assert isinstance(found, Preview)
    retried = preview.confirm(context, ME, Action.RETRY, Filter(record_ids=[1]), found.seal)
    assert isinstance(retried, int)
    finished(engine, rules, retried)
    settled(engine, taken(engine), rejected=[0])
    assert tally.of_job(engine, rules, job_id).will == 1
    jobs.begin(engine, ME, job_id)
    ended = finished(engine, rules, job_id)
    assert (ended.done, ended.skipped) == (1, 1)
    assert "has failed again since this was shown" in job_results.items(engine, job_id, skipped=True)[0].why
    assert Outcome.REJECTED in outcomes(engine)
