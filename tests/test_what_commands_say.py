"""What commands say where there is little to do: which account is unknown, that nothing was changed, what follows."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

import cli.bulk_jobs
from models.counted import counted, is_or_are
from models.tables import Batch, Submission
from tests.support.fixtures import Facts, Submit, Turnout
from tests.support.ledger import Ledger, do, given_up, message, people, settled, taken
from worker.accounts import state
from worker.queries.rows import as_said

UNKNOWN = [
    ("errors", "--account", "acme"),
    ("errors", "--grouped", "--account", "acme"),
    ("retry", "--account", "acme"),
    ("dismiss", "--account", "acme", "--because", "test"),
    ("cancel", "--account", "acme"),
    ("batches", "--account", "acme"),
    ("event", "4711", "--account", "acme"),
    ("schedules", "set", "nightly", "0 3 * * *", "--account", "acme"),
]


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 records"), (1, "1 record"), (2, "2 records"), (1_200, "1,200 records")]
)
def test_a_number_agrees_with_its_noun(number: int, said: str) -> None:
    assert counted(number, "record") == said
    assert is_or_are(number) == ("is" if number == 1 else "are")


def test_a_number_that_was_counted_to_a_bound_agrees_with_its_noun_too() -> None:
    assert as_said(1, "batch", "batches") == "1 batch"
    assert as_said(11, "batch", "batches", at_most=10) == "more than 10 batches"
    assert as_said(11, at_most=10) == "more than 10"


@pytest.mark.parametrize("words", UNKNOWN, ids=" ".join)
def test_an_unknown_account_is_named(turnout: Turnout, words: tuple[str, ...]) -> None:
    done = turnout(*words, status=1)
    assert "there is no account acme; `turnout accounts list` lists them" in done.output


def test_a_file_for_an_unknown_account_is_not_sent(turnout: Turnout, engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("Email,Date\na@example.com,2026-03-01T10:00:00Z\n")
    done = turnout("enqueue", str(file), "--object-id", "7", "--state", "register", "--account", "acme", status=1)
    assert "there is no account acme" in done.output
    assert Ledger(engine).all(Submission) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("retry", "--yes"), "no record matches: nothing is retried"),
        (("dismiss", "--outcome", "rejected", "--because", "test", "--yes"), "no open error matches"),
        (("cancel", "--all"), "no waiting batch matches: nothing is canceled"),
        (("refused", "retry", "--all", "--yes"), "nothing is open that was not accepted: nothing is submitted again"),
        (("correct", "--group", "abc", "--set", "a=b", "--yes"), "nothing is changed"),
    ],
)
def test_nothing_to_do_makes_no_job(turnout: Turnout, engine: Engine, words: tuple[str, ...], said: str) -> None:
    done = turnout(*words)
    assert said in done.output
    assert (Ledger(engine).jobs(), Ledger(engine).actions()) == ([], [])


def test_resuming_says_what_follows(turnout: Turnout, engine: Engine) -> None:
    assert "account default was not stopped: it sends" in turnout("resume").output
    account_id = state.find(engine, "default")
    assert account_id is not None
    state.park(engine, account_id, 600, "HubSpot answered 503")
    said = turnout("resume").output
    assert "sends one batch now" in said
    assert "it waited because: HubSpot answered 503" in said
    turnout("pause")
    assert "to send again: turnout resume default" in turnout("accounts", "show", "default").output
    assert "if not, the account waits again" in turnout("resume").output


def test_a_preview_of_few_does_not_say_that_they_are_ten(
    submit: Submit, engine: Engine, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.bulk_jobs, "is_asked", lambda: True)
    submit(message(*people(3)))
    given_up(engine, taken(engine))
    declined = turnout("retry", stdin="n\n", status=1)
    assert "Ten of them" not in declined.output
    assert "3 records will be retried; 1 call" in declined.output
    assert declined.output.rstrip().endswith("Nothing was changed.")
    assert "Aborted" not in declined.output
    assert Ledger(engine).jobs() == []


def test_erasing_asks_with_a_reminder_of_what_it_does_not_do(submit: Submit, engine: Engine, turnout: Turnout) -> None:
    submit(message(*people(1)))
    settled(engine, taken(engine))
    do(engine, update(Batch).values(contact_ids=[101]))
    asked = turnout("erase", "p0@example.com", stdin="n\n", status=1)
    assert "p0@example.com has 1 record here." in asked.output
    assert "This deletes nothing in HubSpot: delete the contact (contact id 101) there first." in asked.output
    assert "Nothing was changed." in asked.output
    done = turnout("erase", "p0@example.com", "--yes")
    assert re.search(r"rows blanked or changed: .*\b1 in records\b", done.output)


def test_an_empty_job_is_null_for_programs(facts: Facts) -> None:
    assert facts("retry", "--yes") == {"retried": 0, "job": None, "outcomes": {}}
