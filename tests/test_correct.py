"""A record that is not delivered, corrected and sent: one by its options, a group at once, many by a file."""

import csv
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, update

import cli.bulk_jobs
from hubspot_api.answer import Rejection, Settled
from models.accept_rules import Rules
from models.correction import Change
from models.tables import Account, Batch, Error, Record, Submission
from models.words import Status
from tests.support.fixtures import Facts, Submit, Turnout
from tests.support.jobs import cancel, correct, retry
from tests.support.ledger import (
    CALL,
    WHEN,
    Ledger,
    deliver_all,
    do,
    fail_all,
    given_up,
    in_turn,
    message,
    outcomes,
    people,
    settled,
    taken,
    waits,
)
from worker import heartbeat
from worker.operations import steps
from worker.queries.error_filter import ANY_OPEN, Filter
from worker.queries.job_filter import CancelFilter
from worker.queue import settle

pytestmark = pytest.mark.usefixtures("books")


def ids(engine: Engine) -> list[int]:
    return [row.id for row in Ledger(engine).records()]


def rejected(engine: Engine) -> None:
    claimed = taken(engine)
    no = {index: Rejection("OBJECT_NOT_FOUND", "", "no such event") for index in range(len(claimed.members))}
    assert settle.settle(engine, claimed, Settled({}, no, {}), CALL)


def group(facts: Facts) -> str:
    return str(facts("errors", "--grouped")[0]["id"])


def test_an_address_is_corrected_and_the_new_record_is_sent_in_its_place(
    submit: Submit, engine: Engine, ledger: Ledger, facts: Facts, turnout: Turnout
) -> None:
    (part,) = submit(message("ada@exampel.com", "b@x.org"))
    settled(engine, taken(engine), rejected=[0])
    old = ids(engine)[0]
    said = turnout("correct", str(old), "--email", "Ada@Example.com", "--yes").output
    assert "email: ada@exampel.com → Ada@Example.com" in said
    new = ids(engine)[-1]
    assert f"record {new} is sent in its place" in said
    (row,) = ledger.records(Record.id == new)
    assert (row.contact, row.corrects, row.input["interactionDateTime"]) == ("ada@example.com", old, WHEN)
    assert outcomes(engine) == {"delivered": 1, "canceled": 1, "pending": 1}
    assert [(error.category, error.outcome, error.resolution, error.context) for error in ledger.errors()] == [
        ("VALIDATION_ERROR", "rejected", "corrected", {}),
        ("CORRECTED", "canceled", "corrected", {"by": new}),
    ]
    (batch,) = ledger.batches(Batch.status == Status.PENDING)
    assert batch.origin == "live"
    deliver_all(engine)
    assert facts("person", "ada@exampel.com")[0]["next"] == f"corrected by record {new}"
    assert facts("person", "ada@example.com")[0]["next"] == "delivered"
    receipts = ledger.all(Submission)
    assert [(row.submission, row.accepted) for row in receipts] == [(part.submission, 2), (part.submission, 1)]
    assert f"was corrected by record {new}" in turnout("correct", str(old), "--vid", "7", "--yes", status=1).output


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        (["--vid", "9007199254740993"], {"vid": 9_007_199_254_740_993}),
        (["--when", "2026-03-01T10:00:00Z"], {"interactionDateTime": 1_772_359_200_000}),
        (["--when", str(WHEN + 1)], {"interactionDateTime": WHEN + 1}),
        (
            ["--set", "leftAt=2026-01-01T12:00:00Z", "--set", "x=y"],
            {"properties": {"joinedAt": "2026-01-01T10:00:00Z", "leftAt": "2026-01-01T12:00:00Z", "x": "y"}},
        ),
    ],
)
def test_each_field_can_be_corrected(
    submit: Submit, engine: Engine, ledger: Ledger, turnout: Turnout, words: list[str], changed: dict[str, object]
) -> None:
    submit(message("a@x.org", state="attend"))
    given_up(engine, taken(engine))
    turnout("correct", str(ids(engine)[0]), *words, "--yes")
    old, new = (row.input for row in ledger.records())
    gone = {"email", "contactProperties"} if "vid" in changed else set()
    assert new == {name: value for name, value in old.items() if name not in gone} | changed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--email", "nobody"], "email: nobody is no e-mail address"),
        (["--vid", "x"], "vid: x is no contact id"),
        (["--set", "leftAt=2026-01-01T10:00:00Z"], "leftAt at least one second after joinedAt"),
        (["--set", "leftAt="], "leftAt: is missing"),
        (["--email", "a@x.org"], "would stay as it is"),
        (["--email", "A@X.ORG"], "would stay the same record"),
        (["--object-id", ".."], "in a path means another path"),
    ],
)
def test_what_preflight_refuses_is_not_done_and_says_why(
    submit: Submit, engine: Engine, turnout: Turnout, words: list[str], said: str
) -> None:
    submit(message("a@x.org", state="attend"))
    given_up(engine, taken(engine))
    output = turnout("correct", str(ids(engine)[0]), *words, "--yes", status=1).output
    assert said in " ".join(output.split())
    assert outcomes(engine) == {"failed": 1}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["7"], "say what is changed"),
        ([], "name one"),
        (["7", "--group", "x", "--email", "a@x.org"], "name one"),
        (["7", "--set", "x"], "expected PROPERTY=VALUE"),
        (["7", "--when", "yesterday"], "2026-03-01T10:00:00Z"),
        (["--from", "no-file"], "cannot be used"),
        (["--from", "no-file", "--vid", "7"], "the file says"),
    ],
)
def test_what_is_typed_wrong_is_said(turnout: Turnout, words: list[str], said: str) -> None:
    assert said in " ".join(turnout("correct", *words, status=2).output.replace("│", " ").split())


def test_only_what_is_not_delivered_is_corrected(submit: Submit, engine: Engine, turnout: Turnout) -> None:
    submit(message("a@x.org"), message("b@x.org", event="78"))
    in_turn(engine)
    settled(engine, taken(engine))
    delivered, waiting = ids(engine)
    assert "is delivered" in turnout("correct", str(delivered), "--vid", "7", "--yes", status=1).output
    assert "turnout cancel" in turnout("correct", str(waiting), "--vid", "7", "--yes", status=1).output
    assert "is unknown" in turnout("correct", "999", "--vid", "7", "--yes", status=1).output


def test_it_asks_before_it_corrects(
    submit: Submit, engine: Engine, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message("a@x.org"))
    given_up(engine, taken(engine))
    one = str(ids(engine)[0])
    assert "pass --yes" in turnout("correct", one, "--vid", "7", status=2).output
    monkeypatch.setattr(cli.bulk_jobs, "is_asked", lambda: True)
    assert "vid: – → 7" in turnout("correct", one, "--vid", "7", stdin="n\n", status=1).output
    assert outcomes(engine) == {"failed": 1}
    turnout("correct", one, "--vid", "7", stdin="y\n")
    assert outcomes(engine) == {"canceled": 1, "pending": 1}


def test_what_it_would_repeat_is_named(submit: Submit, engine: Engine, turnout: Turnout) -> None:
    submit(message("a@x.org", "b@x.org"))
    settled(engine, taken(engine), rejected=[0])
    wrong, right = ids(engine)
    said = turnout("correct", str(wrong), "--email", "b@x.org", "--yes", status=1).output
    assert f"would repeat record {right}, which is delivered" in said
    assert "turnout dismiss 1" in said
    assert outcomes(engine) == {"rejected": 1, "delivered": 1}


def test_a_whole_group_goes_to_the_right_event_behind_what_is_live(
    submit: Submit, engine: Engine, facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "CORRECTIONS", 7)
    submit(message(*people(25)))
    rejected(engine)
    submit(message(*people(2), event="99"))
    said = facts("correct", "--group", group(facts), "--event", "98", "--yes", "--expect", "25")
    assert (said["corrected"], said["records"][0]["difference"]) == (25, [["event", "77", "98"]])
    kept = Ledger(engine).stored()
    assert sum((batch.origin, event) == ("replay", "98") for _, batch, event in kept) == 25
    assert facts("errors") == []
    deliver_all(engine)
    assert outcomes(engine) == {"canceled": 25, "delivered": 27}


def test_what_the_right_event_knows_already_is_not_sent_again(submit: Submit, engine: Engine, rules: Rules) -> None:
    submit(message(*people(3)))
    rejected(engine)
    submit(message(*people(1), event="99"))
    done = list(correct(engine, rules, dict.fromkeys(ids(engine)[:3], Change(event="99"))))
    assert [one.by is None for one in done] == [True, False, False]
    assert outcomes(engine) == {"rejected": 1, "canceled": 2, "pending": 3}


def test_a_later_record_of_the_same_person_is_not_undone(submit: Submit, engine: Engine, rules: Rules) -> None:
    submit(message("a@exampel.org"))
    rejected(engine)
    submit(message("a@example.org", state="cancel"))
    old, newer = ids(engine)
    (said,) = correct(engine, rules, {old: Change(email="a@example.org")})
    assert f"overtaken by record {newer}" in str(said.reasons[0])
    assert outcomes(engine) == {"rejected": 1, "pending": 1}
    cancel(engine, CancelFilter())
    (said,) = correct(engine, rules, {old: Change(email="a@example.org")})
    assert said.by is not None


def test_order_is_kept_among_those_corrected_together_and_with_what_is_under_way(
    submit: Submit, engine: Engine, rules: Rules
) -> None:
    submit(message("a@x.org"))
    rejected(engine)
    submit(message("a@x.org", state="cancel"))
    rejected(engine)
    submit(message("a@x.org", event="99", when=WHEN - 1))
    changes = {one: Change(event="98") for one in ids(engine)[:2]}
    first, second = (one.by for one in correct(engine, rules, changes))
    assert first is not None
    assert second is not None
    assert first < second
    after = waits(engine)
    assert sorted(len(others) for others in after.values()) == [0, 0, 1]
    deliver_all(engine)


def test_two_operators_at_once_and_a_retry_correct_a_record_once(
    submit: Submit, engine: Engine, ledger: Ledger, rules: Rules
) -> None:
    submit(message(*people(40)), message(*people(40), event="78"))
    for _ in range(2):
        given_up(engine, taken(engine))
    changes = {one: Change(event="78" if index < 40 else "77", when=WHEN + 5) for index, one in enumerate(ids(engine))}
    begin = threading.Barrier(3)

    def at_once(turn: int) -> int:
        begin.wait()
        if turn == 2:
            return retry(engine, 100, Filter(ANY_OPEN))
        return sum(one.by is not None for one in correct(engine, rules, changes))

    with ThreadPoolExecutor(3) as three:
        assert sum(three.map(at_once, range(3))) == 80
    assert ledger.errors(Error.resolution.is_(None)) == []


def test_the_failed_ones_go_out_as_csv_and_the_mended_ones_come_back(
    submit: Submit, engine: Engine, ledger: Ledger, facts: Facts, turnout: Turnout, tmp_path: Path
) -> None:
    submit(message("=cmd@x.org", "b@x.org", "c@x.org", "d@x.org", state="attend"))
    settled(engine, taken(engine), rejected=[0, 1, 2])
    out = tmp_path / "mend.csv"
    assert "3 records written" in turnout("errors", "--csv", str(out)).output
    assert "cannot be written" in turnout("errors", "--csv", str(out), status=2).output
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["email"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"'=cmd@x.org", "b@x.org", "c@x.org"}
    assert rows["b@x.org"]["reason"].startswith("rejected: no (")
    assert rows["b@x.org"]["interactionDateTime"] == "2026-01-01T00:00:00Z"
    rows["b@x.org"]["properties.leftAt"] = "2026-01-01T12:30:00Z"
    rows["c@x.org"] |= {"email": "c2@x.org", "interactionDateTime": "2026-01-02 00:00:00+00:00", "event": "99"}
    mended = [*rows.values(), {**rows["b@x.org"]}, {"record": "x"}, {"record": "99999"}]
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows["b@x.org"]), delimiter=";")
        writer.writeheader()
        writer.writerows(mended)
    said = turnout("correct", "--from", str(out), "--yes", status=1).output
    assert "2 records are corrected" in said
    assert "line 5: names record" in said
    assert "line 6: 'x' is no record's id" in said
    assert "line 7: there is no record 99999" in said
    assert outcomes(engine) == {"rejected": 1, "canceled": 2, "delivered": 1, "pending": 2}
    new: dict[str, Any] = {row.contact: row.input for row in ledger.records(Record.corrects.is_not(None))}
    assert new["b@x.org"]["properties"]["leftAt"] == "2026-01-01T12:30:00Z"
    assert new["c2@x.org"]["interactionDateTime"] == WHEN + 86_400_000
    deliver_all(engine)
    assert len(facts("errors")) == 1
    turnout("errors", "--csv", str(tmp_path / "again.csv"))
    assert "no row differs" in turnout("correct", "--from", str(tmp_path / "again.csv")).output


def test_a_file_that_is_none_of_ours_and_a_row_that_cannot_be_read_say_so(
    submit: Submit, engine: Engine, turnout: Turnout, tmp_path: Path
) -> None:
    submit(message("a@x.org"))
    given_up(engine, taken(engine))
    path = tmp_path / "x.csv"
    for content, said, status in (
        ("email,name\na@x.org,A\n", "has no column record", 2),
        (f"record,interactionDateTime\n{ids(engine)[0]},03/04/2026\n", "may be 3 April or 4 March", 1),
        (f"record,state\n{ids(engine)[0]},cancel\n", "register: another is a new record", 1),
        (f"record,email\n{ids(engine)[0]},nobody\n", "line 2, record 1 not corrected: email: nobody is no", 1),
    ):
        path.write_text(content)
        output = turnout("correct", "--from", str(path), "--yes", status=status).output
        assert said in " ".join(output.replace("│", " ").split())
    assert outcomes(engine) == {"failed": 1}


def test_a_removed_account_is_said(submit: Submit, engine: Engine, rules: Rules) -> None:
    submit(message("a@x.org"))
    given_up(engine, taken(engine))
    do(engine, update(Account).values(removed_at=func.now()))
    (said,) = correct(engine, rules, {ids(engine)[0]: Change(vid="7")})
    assert "is removed" in str(said.reasons[0])


def test_what_is_corrected_and_not_taken_again_is_said(
    submit: Submit, engine: Engine, turnout: Turnout, facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message("a@x.org", event="typo"))
    rejected(engine)
    old = ids(engine)[0]
    answers: list[Any] = [rejected, deliver_all]

    def hubspot_answers(_: float) -> None:
        answers.pop(0)(engine)

    monkeypatch.setattr(heartbeat, "workers", lambda _: 1)
    monkeypatch.setattr(cli.bulk_jobs, "sleep", hubspot_answers)
    said = turnout("correct", str(old), "--event", "typo2", "--yes", "--expect", "1").output
    assert "1 record is corrected and sent" in said
    assert "now: 1 rejected" in said
    said = turnout("retry", "--outcome", "rejected", "--yes").output
    assert "1 record is retried" in said
    assert "now: 1 delivered" in said
    assert not answers
    submit(message("b@x.org"))
    fail_all(engine)
    monkeypatch.setattr(heartbeat, "workers", lambda _: 0)
    assert "HubSpot has not answered for 1 record yet: turnout job 3" in turnout("retry", "--yes").output
    assert facts("retry", "--outcome", "canceled") == {"retried": 0, "job": None, "outcomes": {}}


@pytest.mark.parametrize(
    "words",
    [("retry", "999"), ("retry", "--event", "none"), ("dismiss", "999", "--because", "x"), ("cancel", "999"),
     ("cancel", "--event", "none"), ("correct", "999", "--vid", "7"), ("correct", "--group", "none", "--set", "a=b")],
)  # fmt: skip
def test_what_matches_nothing_makes_no_job_and_leaves_no_line_in_the_audit_log(
    turnout: Turnout, ledger: Ledger, words: tuple[str, ...]
) -> None:
    status = int(words[:2] == ("correct", "999"))
    assert turnout(*words, "--yes", status=status).output
    assert (ledger.jobs(), ledger.actions()) == ([], [])
