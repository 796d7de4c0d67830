"""What is not accepted has an end: by group or one by one, fixed, submitted again, corrected by a file or dismissed."""

import csv
import json
import re
from html import unescape
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

import pytest
from alembic import command
from sqlalchemy import Engine, func, insert, update

import cli.bulk_jobs
from cli.enqueue import NOT_ACCEPTED
from models.job_params import JobParams
from models.refusal_kind import UNGROUPED
from models.tables import Account, Act, Job, Purged, Record, Refused
from models.words import Action
from tasks.intake import intake
from tests.support.background import beside
from tests.support.console import Visitor, words
from tests.support.fixtures import Facts, Submit, Turnout
from tests.support.jobs import run
from tests.support.ledger import WHEN, Ledger, do, message, outcomes
from worker.context import Context
from worker.local.migrate import configuration, upgrade
from worker.operations import jobs, steps
from worker.queries import refusal_groups, submissions
from worker.queries.refusals import RefusalFilter
from worker.retention import purge, ungrouped

pytestmark = pytest.mark.usefixtures("books")
REPORT = """Email,Join Time,Leave Time
mateo@example.com,2026-03-01T14:27:00Z,2026-03-01T14:40:00Z
mateo@example.com,2026-03-01T14:41:00Z,2026-03-01T14:20:00Z
ana@example.com,2026-03-01T14:00:00Z,2026-03-01T15:00:00Z
nobody,2026-03-01T14:00:00Z,2026-03-01T15:00:00Z
"""
SAID = ["--object-id", "7", "--state", "attend"]


class Enqueue(Protocol):
    """Submits a file by the command, its content first written where it is given; gives what that prints."""

    def __call__(self, content: str | None = None, file: Path = ..., status: int = NOT_ACCEPTED) -> Any: ...


@pytest.fixture
def enqueued(turnout: Turnout, context: Context, tmp_path: Path) -> Enqueue:
    """Submit a file by the command, while the workers take it in; give what it prints with --json."""
    path = tmp_path / "report.csv"

    def enqueue(content: str | None = None, file: Path = path, status: int = NOT_ACCEPTED) -> Any:
        if content is not None:
            file.write_text(content)
        with beside(lambda _: intake(context), 0.02, "intake"):
            return json.loads(turnout("enqueue", str(file), *SAID, "--json", status=status).stdout)

    return enqueue


def numbers(facts: Facts) -> list[int]:
    return sorted(one["id"] for one in facts("refused"))


# Groups


def test_refusals_are_grouped_by_what_is_wrong_with_what_to_do(submit: Submit, facts: Facts, turnout: Turnout) -> None:
    submit(message("nobody", "noone", "a@x.org"), {**message("b@x.org"), "account": "apac"}, message(when=5))
    submit({**message("c@x.org"), "account": "apac"}, {**message("d@x.org"), "account": "emea"})
    found = facts("refused", "--grouped")
    assert [(one["kind"], one["field"], one["account"], one["count"]) for one in found] == [
        ("account", "account", "apac", 2),
        ("email", "email", "", 2),
        ("account", "account", "emea", 1),
        ("shape", "inputs", "", 1),
    ]
    (email,) = [one for one in found if one["kind"] == "email"]
    assert len(facts("refused", "--group", email["id"])) == 2
    said = turnout("refused", "--grouped").output
    assert "2 not accepted, account apac: no account of this name is set up in Turnout" in said
    assert "turnout accounts add apac" in said
    assert f"turnout refused dismiss --group {email['id']} --because WHY" in said


def test_what_an_earlier_release_did_not_accept_is_grouped_step_by_step_after_the_upgrade(
    submit: Submit, engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message(*(f"nobody{number}" for number in range(210))))  # more than two steps
    submit({**message("ada@example.com"), "account": "apac"}, {"subscriber_state": "ATTENDED"})
    ledger = Ledger(engine)
    before = [(row.id, row.group_id) for row in ledger.refused()]
    assert len({group for _, group in before}) == 3
    with engine.connect() as connection:
        command.downgrade(configuration(connection), "0014")
        connection.commit()
    upgrade(engine)
    assert {row.group_id for row in ledger.refused()} == {UNGROUPED}
    monkeypatch.setattr(ungrouped, "STEP", 100)
    for still_ungrouped in (112, 12, 0):
        purge.purge_a_little(context)
        assert len(ledger.refused(Refused.group_id == UNGROUPED)) == still_ungrouped
        do(engine, update(Purged).values(due_at=func.now()))
    assert [(row.id, row.group_id) for row in ledger.refused()] == before


@pytest.mark.parametrize("account", ["x; touch /tmp/a", "$(reboot)", "-x", "a b", "`id`"])
def test_no_command_is_offered_with_a_name_that_no_account_can_have(
    submit: Submit, turnout: Turnout, operator: Visitor, account: str
) -> None:
    submit({**message("c@x.org"), "account": account})
    said = turnout("refused", "--grouped").output
    assert "turnout accounts add" not in said
    assert "--as ANOTHER" in said
    assert "turnout accounts add" not in operator.page("/refused")


def test_groups_are_found_by_leaping_along_the_open_ones(submit: Submit, engine: Engine, facts: Facts) -> None:
    submit(message("nobody"), message("noone"))
    do(engine, update(Refused).where(Refused.id == 1).values(group_id=UNGROUPED))  # an earlier release's, meanwhile
    assert [(one["id"] == UNGROUPED, one["kind"], one["count"]) for one in facts("refused", "--grouped")] == [
        (False, "email", 1),
        (True, "other", 1),
    ]
    do(engine, update(Refused).values(closed_at=func.now()))
    assert facts("refused", "--grouped") == []
    assert refusal_groups.named(engine, UNGROUPED) == ""


def test_groups_and_submissions_are_counted_to_a_bound(
    submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (part, _) = submit(message("nobody", "noone", "none"), {**message("a@x.org"), "account": "apac"})
    monkeypatch.setattr(refusal_groups, "ALTOGETHER", 4)  # two of each
    said = [(one.kind, one.count, one.more, one.how_many) for one in refusal_groups.grouped(engine)]
    assert said == [("email", 2, True, "more than 2"), ("account", 1, False, "1")]
    with engine.connect() as connection:
        for most, counted in ((100, 3), (2, 2)):
            found = submissions.summary(connection, part.submission, most)
            assert found is not None
            assert (found.refused, found.refused_open) == (3, counted)


# Dismissing


def test_one_is_dismissed_with_a_reason_and_counted_as_open_no_more(
    submit: Submit, engine: Engine, facts: Facts, turnout: Turnout
) -> None:
    (part,) = submit(message("nobody", "noone"))
    assert (facts("status")["refused"], facts("audit")["refused"], facts("audit")["refused_open"]) == (2, 2, 2)
    said = turnout("refused", "dismiss", "1", "--because", "a test address").output
    assert "1 message is dismissed (job" in said
    assert numbers(facts) == [2]
    assert (facts("status")["refused"], facts("audit")["refused"], facts("audit")["refused_open"]) == (1, 2, 1)
    assert "of what was not accepted, 1 are open" in turnout("audit").output
    (row, _) = Ledger(engine).refused()
    (act,) = Ledger(engine).actions(Act.what != "export")
    assert (row.closing, row.closed_because, row.closed_by) == ("dismissed", "a test address", act.who)
    assert (act.what, act.filter, act.number) == ("discard", {"ids": [1]}, 1)
    receipt = facts("submission", str(part.submission))
    assert receipt["refused"] == 2
    assert [one["standing"] for one in receipt["refusals"]] == ["dismissed", "open"]
    assert "dismissed" in turnout("submission", str(part.submission)).output
    assert "a test address" in turnout("actions").output
    turnout("refused", "dismiss", "1", "--because", "again")
    assert len(Ledger(engine).actions(Act.what != "export")) == 1  # nothing was left to do


@pytest.mark.parametrize("chosen", ["--group", "--submission", "--account", "--all"])
def test_all_that_match_are_dismissed_after_a_preview(
    submit: Submit, facts: Facts, turnout: Turnout, monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    (part,) = submit({**message(*(f"nobody{number}" for number in range(12))), "account": "default"})
    submit({**message("other@x.org"), "account": "acme"})
    group = facts("refused", "--grouped")[0]["id"]
    values = {"--group": [group], "--submission": [str(part.submission)], "--account": ["default"], "--all": []}
    options = [chosen, *values[chosen], "--because", "tests"]
    assert "pass --yes" in turnout("refused", "dismiss", *options, status=2).output
    monkeypatch.setattr(cli.bulk_jobs, "is_asked", lambda: True)
    said = turnout("refused", "dismiss", *options, stdin="y\n").output
    number = 13 if chosen == "--all" else 12
    assert f"{number} messages will be dismissed" in said
    assert "the e-mail address cannot be one that receives mail" in said
    assert f"{number} messages are dismissed" in said
    assert len(numbers(facts)) == 13 - number


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--account", "acmee"], "there is no account acmee"),
        (["retry", "--account", "acmee"], "there is no account acmee"),
        (["dismiss", "--account", "acmee", "--because", "x"], "there is no account acmee"),
        (["--group", "beef"], "no open message is of group beef"),
        (["retry", "--group", "beef", "--yes"], "no open message is of group beef"),
        (["dismiss", "--group", "beef", "--because", "x", "--yes"], "no open message is of group beef"),
    ],
)
def test_an_unknown_account_or_group_is_said_to_be_unknown(
    submit: Submit, turnout: Turnout, words: list[str], said: str
) -> None:
    submit(message("nobody"))
    status = 1 if "account" in said else 0
    assert said in turnout("refused", *words, status=status).output


def test_it_says_which_and_why(turnout: Turnout) -> None:
    assert "name ids" in turnout("refused", "dismiss", "--because", "x", status=2).output
    assert "--because is empty" in turnout("refused", "dismiss", "1", "--because", " ", status=2).output
    assert "nothing is open" in turnout("refused", "dismiss", "99", "--because", "x").output


def test_many_are_dismissed_step_by_step_and_only_what_was_there(
    submit: Submit, engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message(*(f"nobody{number}" for number in range(70))))
    monkeypatch.setattr(steps, "AT_ONCE", 7)
    chosen = RefusalFilter()
    with engine.connect() as connection:
        until = steps.newest(connection, Action.DISCARD)
    submit(message("late"))
    job = run(engine, context.rules, Action.DISCARD, chosen, params=JobParams(because="tests"), until=until)
    assert (job.done, job.skipped) == (70, 0)
    assert [row.id for row in Ledger(engine).refused(Refused.closed_at.is_(None))] == [71]


def test_what_somebody_else_closed_meanwhile_is_skipped_and_keeps_its_end(
    submit: Submit, engine: Engine, context: Context
) -> None:
    submit(message("nobody"), message("noone"))
    waits = [steps.WaitingItem(1), steps.WaitingItem(2)]
    do(engine, update(Refused).where(Refused.id == 1).values(closed_at=func.now(), closing="corrected"))
    job = run(engine, context.rules, Action.DISCARD, RefusalFilter(), params=JobParams(because="tests"), pinned=waits)
    assert (job.done, job.skipped) == (1, 1)
    assert [row.closing for row in Ledger(engine).refused()] == ["corrected", "dismissed"]


# Another account


def test_what_an_unknown_account_had_refused_goes_to_another(
    submit: Submit, engine: Engine, facts: Facts, turnout: Turnout
) -> None:
    do(engine, insert(Account).values(name="emea"))
    submit(*({**message(f"p{number}@x.org"), "account": "apac"} for number in range(3)))
    (group,) = facts("refused", "--grouped")
    assert "no account" in turnout("refused", "retry", "--group", group["id"], "--as", "gone", status=1).output
    said = turnout("refused", "retry", "--group", group["id"], "--as", "emea", "--yes").output
    assert "3 messages are submitted again: accepted 3" in said
    assert outcomes(engine) == {"pending": 3}
    assert {row.account_id for row in Ledger(engine).batches()} == {Ledger(engine).account("emea").id}
    assert numbers(facts) == []
    assert [row.closing for row in Ledger(engine).refused()] == ["submitted"] * 3


# Files


def test_a_corrected_file_closes_what_it_corrects_and_says_what_is_open(
    enqueued: Enqueue, engine: Engine, facts: Facts, turnout: Turnout
) -> None:
    first = enqueued(REPORT)
    assert (first["accepted"], first["refused"], first["corrected"]) == (1, 2, None)
    assert len(numbers(facts)) == 2
    path = Path(first["refused_file"])
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    # as a spreadsheet does: the columns moved, the reason gone, other quotes and a semicolon
    fixed = [[cell.replace("14:20:00", "14:50:00") for cell in row] for row in rows]
    fixed = [["", *row[1:]] if number else row for number, row in enumerate(fixed)]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL).writerows(fixed)
    second = enqueued(file=path)
    assert (second["accepted"], second["refused"]) == (1, 1)
    assert second["corrected"] == {"closed": 2, "still_open": 1}
    assert [(row.closing, row.closed_because) for row in Ledger(engine).refused()] == [
        ("corrected", second["submission"]),
        ("corrected", second["submission"]),
        (None, ""),
    ]
    assert facts("status")["refused"] == 1
    third = Path(second["refused_file"])
    third.write_text(third.read_text("utf-8-sig").replace("nobody", "nob@example.com"))
    assert enqueued(file=third, status=0)["corrected"] == {"closed": 1, "still_open": 0}
    assert numbers(facts) == []
    assert facts("audit")["refused"] == 3
    (act, *_) = Ledger(engine).actions(Act.what != "export")
    assert (act.what, act.filter["corrected_file"], act.number) == ("correct", path.name, 2)
    assert outcomes(engine) == {"pending": 3}
    again = enqueued(file=third, status=0)
    assert (again["duplicates"], again["corrected"]) == (1, {"closed": 0, "still_open": 0})
    assert "corrected" in turnout("submission", first["submission"]).output


def test_rows_submitted_again_unchanged_are_still_not_accepted(
    enqueued: Enqueue, facts: Facts, turnout: Turnout
) -> None:
    enqueued(REPORT)
    said = turnout("refused", "retry", "--all", "--yes").output
    assert "0 messages are submitted again" in said
    assert "is before they joined" in said
    assert len(numbers(facts)) == 2


def test_the_message_of_a_files_row_is_fixed_in_a_file_of_lines_too(
    enqueued: Enqueue, turnout: Turnout, facts: Facts, tmp_path: Path
) -> None:
    enqueued(REPORT)
    out = tmp_path / "fix.jsonl"
    turnout("refused", "--out", str(out))
    said = turnout("refused", "retry", "--from", str(out), status=1).output  # unchanged
    assert said.count("is still not accepted") == 2
    out.write_text(out.read_text().replace('"nobody"', '"nob@example.com"'))
    turnout("refused", "retry", "--from", str(out), status=1)
    assert len(numbers(facts)) == 1


# The page


def table_of(html: str) -> dict[str, str]:
    """Give what the fields of a page's form hold, as a browser would send them."""
    found = re.search(r'<form class="mend".*?</form>', html, re.DOTALL)
    assert found
    held = re.findall(r'<input(?: type="hidden")? name="([^"]+)" value="([^"]*)"', found[0])
    return {unescape(name): unescape(value) for name, value in held}


def test_the_rows_of_a_file_are_fixed_in_their_table(
    enqueued: Enqueue, operator: Visitor, engine: Engine, facts: Facts
) -> None:
    enqueued(REPORT)
    mateo, nobody = numbers(facts)
    path = f"/refused/{mateo}"
    html = operator.page(path)
    assert "is before they joined" in words(html)
    assert (">line 2<" in html, ">line 3<" in html) == (True, True)
    held = table_of(html)
    unchanged = operator.post(path, held)
    assert [one.status_code for one in unchanged.history] == [303]
    assert "It is still not accepted" in words(unchanged.text)
    held = table_of(unchanged.text)
    wrong = operator.post(path, held | {"c1.2": "soon"})
    assert (table_of(wrong.text)["c1.2"], "It is still not accepted" in words(wrong.text)) == ("soon", True)
    assert table_of(operator.page(f"{path}?original=1"))["c1.2"] == "2026-03-01T14:20:00Z"
    fixed = operator.post(path, table_of(wrong.text) | {"out1": "1"})
    assert "accepted 1, duplicates 0, not accepted 0" in words(fixed.text)
    (record,) = Ledger(engine).records(Record.contact == "mateo@example.com")
    assert record.input["properties"] == {"joinedAt": "2026-03-01T14:27:00Z", "leftAt": "2026-03-01T14:40:00Z"}
    gone = operator.get(path)
    assert (gone.status_code, "It was closed by the operator" in words(gone.text)) == (404, True)
    assert numbers(facts) == [nobody]


def test_the_inputs_of_a_message_are_fixed_in_a_table(operator: Visitor, submit: Submit, engine: Engine) -> None:
    submit({**message("nobody"), "subscriber_state": "ATTENDED"})
    path = "/refused/1"
    html = operator.page(path)
    assert html.count('aria-invalid="true"') >= 3
    held = table_of(html)
    again = operator.post(path, held | {"m.subscriber_state": "register"})
    assert "It is still not accepted" in words(again.text)
    held = table_of(again.text)
    assert held["m.subscriber_state"] == "register"
    done = operator.post(path, held | {"i0.email": "ada@example.com"})
    assert "accepted 1" in words(done.text)
    (record,) = Ledger(engine).records()
    assert (record.contact, record.input["interactionDateTime"]) == ("ada@example.com", WHEN)


def test_a_group_is_dismissed_and_marked_ones_submitted_on_the_page(
    operator: Visitor, submit: Submit, engine: Engine, facts: Facts, context: Context
) -> None:
    do(engine, insert(Account).values(name="emea"))
    submit(
        message("nobody", "noone"), {**message("b@x.org"), "account": "apac"}, {**message("c@x.org"), "account": "x"}
    )
    html = operator.page("/refused")
    assert "no account of this name is set up" in words(html)
    assert "turnout accounts add apac" in words(html)
    (group,) = [one["id"] for one in facts("refused", "--grouped") if one["kind"] == "email"]
    assert f'href="/refused?group={group}"' in html
    assert "By what is wrong" not in operator.page(f"/refused?group={group}")
    shown = operator.page(f"/act/discard?group={group}")
    assert "2 messages will be dismissed" in words(shown)
    assert operator.submit(shown, "/act/discard").status_code == 400  # it asks why
    job = operator.submit(shown, "/act/discard", because="test addresses")
    assert "because: test addresses" in words(job.text)
    do_jobs(engine, context)
    (apac,) = [one["id"] for one in facts("refused", "--grouped") if one["account"] == "apac"]
    shown = operator.page(f"/act/replay?group={apac}&use=emea")
    assert "They are submitted to account emea" in words(shown)
    operator.submit(shown, "/act/replay")
    do_jobs(engine, context)
    (left,) = facts("refused")
    marked = operator.page(f"/act/discard?marked=1&id={left['id']}")
    assert "1 message will be dismissed" in words(marked)
    assert operator.get("/act/discard?marked=1").status_code == 400
    operator.submit(marked, "/act/discard", because="moved")
    do_jobs(engine, context)
    assert "nothing is open that was not accepted" in words(operator.page("/refused"))
    assert facts("status")["refused"] == 0
    log = words(operator.page("/actions"))
    assert "test addresses" in log
    assert "submit again" in log, "as the button says it"
    assert "dismiss (not accepted)" in log
    assert "replay" not in log
    assert "discard" not in log
    assert "submit again" not in words(operator.page("/actions?what=dismiss%20(not%20accepted)"))


def test_the_reason_that_was_typed_is_kept_where_the_choice_has_changed(
    operator: Visitor, submit: Submit, engine: Engine
) -> None:
    submit(message("nobody", "noone"))
    shown = operator.page("/act/discard?all=1")
    do(engine, update(Refused).where(Refused.id == 2).values(closed_at=func.now()))
    again = operator.submit(shown, "/act/discard", because="Ada's test & mine")
    assert "changed since it was shown, so nothing was done" in words(again.text)
    assert "1 message will be dismissed" in words(again.text)
    assert 'name="because" value="Ada&#39;s test &amp; mine"' in again.text
    assert "Ada" not in unquote(str(again.url))
    job = operator.submit(again.text, "/act/discard", because="Ada's test & mine")
    assert "because: Ada's test & mine" in words(job.text)


def do_jobs(engine: Engine, context: Context) -> None:
    jobs.work(engine, context.rules, 5)
    assert Ledger(engine).jobs(Job.is_under_way()) == []


def test_a_viewer_sees_the_groups_and_no_address(viewer: Visitor, submit: Submit) -> None:
    submit(message("grace.hopper(at)example.com"), {**message("alan.turing@example.com"), "account": "apac"})
    for path in ("/refused", "/refused/1", "/refused/2"):
        html = viewer.page(path)
        assert "hopper" not in html
        assert "turing" not in html
        assert "/act/" not in html
