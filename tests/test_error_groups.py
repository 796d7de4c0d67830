"""Errors by what they have in common."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, text, update

import cli.bulk_jobs
from hubspot_api.answer import Rejection, Settled
from models.error_signature import ErrorKind
from models.tables import Error, ErrorGroup
from models.words import Outcome, Resolution
from tests.support.fixtures import Facts, Submit, Turnout
from tests.support.jobs import cancel
from tests.support.ledger import (
    CALL,
    Ledger,
    ask,
    do,
    given_up,
    in_turn,
    message,
    outcomes,
    people,
    settled,
    taken,
    wrong_now,
)
from worker.queries import error_groups
from worker.queries.job_filter import CancelFilter
from worker.queries.reconciliation import audit
from worker.queue import settle
from worker.queue.seen_groups import note_seen


def refused(engine: Engine, *messages: str) -> None:
    """Settle the next batch, its members rejected with these messages, the others delivered."""
    claimed = taken(engine)
    said = {index: Rejection("VALIDATION_ERROR", "X", told) for index, told in enumerate(messages)}
    rest = {index: None for index in range(len(claimed.members)) if index not in said}
    assert settle.settle(engine, claimed, Settled(rest, said, {}), CALL)


def holds(engine: Engine) -> None:
    with engine.connect() as connection:
        assert wrong_now(connection) == []
    assert audit(engine).balanced


def test_errors_that_differ_only_in_whom_they_name_are_one_group(submit: Submit, engine: Engine, facts: Facts) -> None:
    submit(message(*people(5)))
    refused(engine, "`p0@example.com` is not a valid email", "`p1@example.com` is not a valid email", "no such event 7")
    first, second = sorted(facts("errors", "--grouped"), key=lambda group: -group["count"])
    assert (first["count"], first["gist"], first["outcome"]) == (2, "… is not a valid email", "rejected")
    assert first["sample"] == "`p1@example.com` is not a valid email"
    assert (first["who"], first["action"].splitlines()[0]) == (
        "the producer's app",
        f"turnout errors --group {first['id']} --csv fix.csv",
    )
    assert (second["count"], second["who"]) == (1, "the account's admin")
    assert [row["contact"] for row in facts("errors", "--group", first["id"])] == ["p1@example.com", "p0@example.com"]
    holds(engine)


def test_a_group_is_retried_alone_and_is_shown_no_more(
    submit: Submit, engine: Engine, facts: Facts, turnout: Turnout
) -> None:
    submit(message(*people(3)))
    refused(engine, "`a` is bad", "`b` is bad", "other")
    bad = next(group["id"] for group in facts("errors", "--grouped") if group["count"] == 2)
    assert "who can fix it" in turnout("errors", "--grouped").output
    assert facts("retry", "--group", bad, "--outcome", "failed")["retried"] == 0
    assert facts("retry", "--group", bad, "--event", "nobody's")["retried"] == 0
    assert facts("retry", "--group", bad)["retried"] == 2
    assert [group["gist"] for group in facts("errors", "--grouped")] == ["other"]
    assert outcomes(engine) == {"pending": 2, "rejected": 1}
    holds(engine)


def test_one_record_is_retried_alone(submit: Submit, engine: Engine, facts: Facts) -> None:
    submit(message(*people(3)))
    refused(engine, "a", "b")
    one = facts("errors")[0]["record_id"]
    assert facts("retry", "--record", str(one))["retried"] == 1
    assert outcomes(engine) == {"pending": 1, "rejected": 1, "delivered": 1}


def test_failed_canceled_and_unconfirmed_have_groups_too(
    submit: Submit, engine: Engine, ledger: Ledger, facts: Facts
) -> None:
    submit(message(*people(3), event="1"), message(*people(2), event="2"), message(*people(1), event="3"))
    in_turn(engine)
    given_up(engine, taken(engine))
    settled(engine, taken(engine), unconfirmed=[0, 1])
    cancel(engine, CancelFilter())
    assert {(group["outcome"], group["count"]) for group in facts("errors", "--grouped")} == {
        ("failed", 3),
        ("unconfirmed", 2),
    }
    assert [group["count"] for group in facts("errors", "--grouped", "--outcome", "canceled")] == [1]
    assert ledger.errors(Error.group_id.is_(None)) == []


def test_a_count_goes_no_further_than_it_says(
    submit: Submit, engine: Engine, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_groups, "AT_MOST", 2)
    submit(message(*people(5)))
    given_up(engine, taken(engine))
    assert "more than 2 failed" in turnout("errors", "--grouped").output


def test_a_group_of_several_is_titled_by_what_they_share_and_dated_by_those_that_are_open(
    submit: Submit, engine: Engine, facts: Facts, turnout: Turnout
) -> None:
    submit(message(*people(3)))
    refused(engine, *(f"`p{number}@example.com` is not a valid email" for number in range(3)))
    do(engine, update(Error).values(created_at=func.now() - Error.id * timedelta(days=1)))
    last = select(func.max(Error.id)).scalar_subquery()
    do(engine, update(Error).where(Error.id == last).values(resolution=Resolution.DISMISSED))
    oldest, newest = Ledger(engine).errors(Error.resolution.is_(None))
    for narrowing in ((), ("--category", "VALIDATION_ERROR")):
        (group,) = facts("errors", "--grouped", *narrowing)
        seen = [datetime.fromisoformat(group[name]) for name in ("first_seen", "last_seen")]
        assert seen == [oldest.created_at, newest.created_at]
        said = turnout("errors", "--grouped", *narrowing).output.splitlines()
        assert said[1] == "  … is not a valid email"
        assert said[-1].endswith("such as record 2: `p1@example.com` is not a valid email")


def test_no_retry_is_offered_while_turnout_looks_for_the_records_itself(
    submit: Submit, engine: Engine, turnout: Turnout
) -> None:
    submit(message(*people(2)))
    settled(engine, taken(engine), unconfirmed=[0, 1])
    assert "type:" not in turnout("errors", "--grouped").output
    do(engine, update(Error).values(verify_at=None))
    assert "  type: turnout retry --group" in turnout("errors", "--grouped").output


def test_a_groups_row_is_written_once_a_minute(submit: Submit, engine: Engine, ledger: Ledger) -> None:
    submit(message(*people(3)), batch_size=1)
    for _ in range(2):
        given_up(engine, taken(engine))
    (row,) = ask(engine, "SELECT xmin::text AS written, first_seen, last_seen FROM error_groups")
    assert row.first_seen == row.last_seen
    do(engine, update(ErrorGroup).values(last_seen=ErrorGroup.last_seen - timedelta(minutes=2)))
    given_up(engine, taken(engine))
    (again,) = ledger.all(ErrorGroup)
    assert again.last_seen > row.last_seen
    assert again.first_seen == row.first_seen


def test_nobody_who_settles_waits_for_a_group_that_somebody_else_has_seen(submit: Submit, engine: Engine) -> None:
    submit(message(*people(2)), batch_size=1)
    given_up(engine, taken(engine))
    with engine.begin() as other:
        other.execute(text("SELECT FROM error_groups FOR UPDATE"))
        given_up(engine, taken(engine))
    assert outcomes(engine) == {"failed": 2}


def test_many_that_see_the_same_groups_at_once_do_not_deadlock(engine: Engine, ledger: Ledger) -> None:
    kinds = [ErrorKind.of(Outcome.REJECTED, "C", "", chr(97 + number) * 3) for number in range(20)]
    begin = threading.Barrier(6)

    def at_once(turn: int) -> None:
        begin.wait()
        for _ in range(10):
            note_seen(engine, kinds[turn:] + kinds[:turn])

    with ThreadPoolExecutor(6) as six:
        list(six.map(at_once, range(6)))
    assert len(ledger.all(ErrorGroup)) == 20


def test_what_a_bulk_action_would_do_is_shown_before_it_asks(
    submit: Submit, engine: Engine, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message(*people(30)))
    given_up(engine, taken(engine))
    monkeypatch.setattr(cli.bulk_jobs, "is_asked", lambda: True)
    said = turnout("retry", stdin="n\n", status=1).output
    assert "30 records will be retried" in said
    assert "GIVEN_UP" in said
    assert said.count("@example.com") == 10
    assert outcomes(engine) == {"failed": 30}
    assert "30 records are retried" in turnout("retry", stdin="y\n").output


def test_groups_are_narrowed_by_the_filters_of_the_list(submit: Submit, engine: Engine, facts: Facts) -> None:
    submit(message(*people(3), event="7"))
    refused(engine, "`a` is bad", "`b` is bad", "other")
    submit(message(*people(2), event="8", state="cancel"))
    refused(engine, "`c` is bad")
    do(
        engine,
        update(Error).where(Error.message == "other").values(category="ODD", created_at=func.now() - timedelta(days=1)),
    )

    def counted(*words: str) -> dict[str, int]:
        return {group["gist"]: group["count"] for group in facts("errors", "--grouped", *words)}

    assert counted() == {"… is bad": 3, "other": 1}
    assert counted("--event", "7") == {"… is bad": 2, "other": 1}
    assert counted("--state", "cancel") == {"… is bad": 1}
    assert counted("--category", "ODD") == {"other": 1}
    assert counted("--since", "2026-01-01", "--account", "default") == {"… is bad": 3, "other": 1}
    assert counted("--event", "7", "--outcome", "failed") == {}
    (group,) = facts("errors", "--grouped", "--state", "cancel")
    assert (group["sample"], group["more"], group["who"]) == ("`c` is bad", False, "the producer's app")


def test_narrowed_groups_say_where_older_errors_were_not_looked_at(
    submit: Submit, engine: Engine, facts: Facts, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message(*people(1), event="7"))
    given_up(engine, taken(engine))
    submit(message(*people(3), event="8"))
    given_up(engine, taken(engine))
    monkeypatch.setattr(error_groups, "AT_MOST", 3)
    assert facts("errors", "--grouped", "--event", "7") == []
    said = turnout("errors", "--grouped", "--event", "7").output
    assert "of the newest 3 unresolved errors, which were looked at" in said
    assert "no unresolved errors among them match" in said
    (group,) = facts("errors", "--grouped", "--event", "8")
    assert (group["count"], group["more"]) == (3, True)
    monkeypatch.setattr(error_groups, "AT_MOST", 4)
    assert "looked at" not in turnout("errors", "--grouped", "--event", "7").output


def test_grouped_takes_no_filter_that_names_errors_one_by_one(turnout: Turnout) -> None:
    assert "--group ID" in turnout("errors", "--grouped", "--group", "7", status=2).output
