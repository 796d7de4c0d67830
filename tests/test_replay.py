"""What was not accepted: shown, corrected, and submitted again."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, update

import cli.bulk_jobs
from models.accept_rules import Rules
from models.job_params import JobParams
from models.tables import Account, Refused, Submission
from models.words import Action
from tests.support.fixtures import Facts, Submit, Turnout
from tests.support.jobs import replay, run
from tests.support.ledger import WHEN, Ledger, deliver_all, do, message, outcomes
from worker.queries.refusals import RefusalFilter

pytestmark = pytest.mark.usefixtures("books")


def mended(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        change(line)
    path.write_text("\n".join(json.dumps(line) for line in lines))


def test_what_was_refused_is_listed_with_its_reasons_page_by_page(
    submit: Submit, facts: Facts, turnout: Turnout
) -> None:
    parts = submit(message("nobody", "a@x.org", when=WHEN // 1000), b"no json", message("b@x.org"))
    found = facts("refused")
    assert [one["reasons"][0]["where"] for one in found] == [
        "message",
        "inputs[1].interactionDateTime",
        "inputs[0].email",
    ]
    assert json.loads(found[1]["message"])["inputs"][0]["email"] == "a@x.org"
    first = facts("refused", "--limit", "2")
    assert [one["id"] for one in first + facts("refused", "--before", str(first[-1]["id"]))] == [
        one["id"] for one in found
    ]
    assert len(facts("refused", "--submission", str(parts[0].submission))) == 2
    said = " ".join(turnout("refused", "--limit", "1").output.split())
    assert "is no JSON" in said
    assert "more: --before" in said


def test_a_mended_line_is_handed_in_once_and_offered_no_more(
    submit: Submit, engine: Engine, ledger: Ledger, facts: Facts, turnout: Turnout, tmp_path: Path
) -> None:
    (part,) = submit(message("nobody", "a@x.org", when=WHEN // 1000))
    out = tmp_path / "refused.jsonl"
    assert "2 messages written" in turnout("refused", "--out", str(out)).output
    again = turnout("refused", "--out", str(out), status=2).output.replace("│", " ")
    assert "not there yet" in " ".join(again.split())
    mended(out, lambda line: line["message"]["inputs"][0].update(interactionDateTime=WHEN))
    said = turnout("refused", "retry", "--from", str(out), status=1).output
    assert "1 message is submitted again: accepted 1" in said
    assert "message 1 is still not accepted: inputs[0].email" in said
    assert [one["id"] for one in facts("refused")] == [1]
    assert "was submitted again" in turnout("refused", "retry", "--from", str(out), status=1).output
    assert outcomes(engine) == {"pending": 1}
    (batch,) = ledger.batches()
    assert (batch.origin, batch.open) == ("replay", False)
    (receipt,) = ledger.all(Submission, Submission.part.like("refused%"))
    assert (receipt.submission, receipt.accepted, receipt.door) == (part.submission, 1, "stream")
    assert "submitted again" in turnout("submission", str(part.submission)).output
    deliver_all(engine)
    assert outcomes(engine) == {"delivered": 1}


def test_what_an_unknown_account_had_refused_is_handed_in_as_it_is_once_it_is_known(
    submit: Submit, engine: Engine, facts: Facts, turnout: Turnout
) -> None:
    submit({**message("a@x.org", "b@x.org", "nobody"), "account": "acme"}, message("nobody"))
    assert len(facts("refused", "--account", "acme")) == 1
    said = facts("refused", "retry", "--account", "acme")
    assert said[0]["reasons"][0]["what"] == "'acme' is unknown"
    do(engine, insert(Account).values(name="acme"))
    assert "accepted 2, duplicates 0, not accepted 1" in turnout("refused", "retry", "--account", "acme").output
    assert outcomes(engine) == {"pending": 2}
    assert [one["inputs"] for one in facts("refused")] == [1, 1]


def test_many_are_handed_in_again_only_when_agreed(
    submit: Submit, engine: Engine, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(60):
        submit({**message(f"p{index}@x.org"), "account": "acme"})
    do(engine, insert(Account).values(name="acme"))
    assert "pass --yes" in turnout("refused", "retry", "--all", status=2).output
    monkeypatch.setattr(cli.bulk_jobs, "is_asked", lambda: True)
    assert "60 messages will be submitted again" in turnout("refused", "retry", "--all", stdin="n\n", status=1).output
    assert outcomes(engine) == {}
    assert "60 messages are submitted again: accepted 60" in turnout("refused", "retry", "--all", stdin="y\n").output


def test_many_at_once_hand_it_in_once(submit: Submit, engine: Engine, rules: Rules) -> None:
    submit(*({**message(f"p{index}@x.org"), "account": "acme"} for index in range(30)))
    do(engine, insert(Account).values(name="acme"))
    begin = threading.Barrier(4)

    def at_once(_: int) -> int:
        begin.wait()
        return sum(one.accepted for one in replay(engine, rules, RefusalFilter()))

    with ThreadPoolExecutor(4) as four:
        list(four.map(at_once, range(4)))
    assert outcomes(engine) == {"pending": 30}


def test_what_died_before_it_was_marked_is_accepted_once(
    submit: Submit, engine: Engine, ledger: Ledger, rules: Rules
) -> None:
    submit({**message("a@x.org"), "account": "acme"})
    do(engine, insert(Account).values(name="acme"))
    list(replay(engine, rules, RefusalFilter()))
    do(engine, update(Refused).values(closed_at=None))
    list(replay(engine, rules, RefusalFilter()))
    assert outcomes(engine) == {"pending": 1}
    assert ledger.refused(Refused.closed_at.is_(None)) == []


def test_what_died_before_it_was_marked_is_not_dismissed(
    submit: Submit, engine: Engine, ledger: Ledger, rules: Rules
) -> None:
    """It was submitted again, by a process that died before it noted so: nothing is left to be dismissed, or fixed."""
    submit({**message("a@x.org"), "account": "acme"})
    do(engine, insert(Account).values(name="acme"))
    replay(engine, rules, RefusalFilter())
    do(engine, update(Refused).values(closed_at=None))
    job = run(engine, rules, Action.DISCARD, RefusalFilter(), params=JobParams(because="a test"))
    assert (job.done, job.skipped) == (0, 1)
    (refusal,) = ledger.refused()
    assert refusal.closed_at is not None
    assert refusal.closing == "submitted"


def test_what_is_handed_in_again_waits_for_what_is_under_way_of_the_same_person(
    submit: Submit, engine: Engine, ledger: Ledger, rules: Rules
) -> None:
    submit(message("a@x.org"), {**message("a@x.org", state="cancel"), "account": "acme"})
    do(engine, "UPDATE refused SET raw = convert_to(replace(convert_from(raw, 'UTF8'), 'acme', 'default'), 'UTF8')")
    assert [one.accepted for one in replay(engine, rules, RefusalFilter())] == [1]
    first, second = ledger.batches()
    assert (second.origin, second.after) == ("replay", [first.id])
    assert deliver_all(engine) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", "line 1: is not JSON"),
        ("[]", "line 1: names no message that was not accepted"),
        ('{"refused": true}', "line 1: names no message that was not accepted"),
        ('{"refused": 7}', "line 1: has no message"),
        ('{"refused": 7, "message": {}}', "line 1: message 7 is unknown"),
        ('{"refused": 99999999999999999999, "message": {}}', "is unknown"),
    ],
)
def test_a_line_that_cannot_be_used_says_what_would_be_right(
    turnout: Turnout, tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / "mended.jsonl").write_text(line)
    assert said in turnout("refused", "retry", "--from", str(tmp_path / "mended.jsonl"), status=1).output


def test_it_says_what_to_name(turnout: Turnout, tmp_path: Path) -> None:
    assert "--from FILE" in turnout("refused", "retry", status=2).output
    assert "cannot be read" in turnout("refused", "retry", "--from", str(tmp_path / "none"), status=2).output


def test_odd_bytes_and_large_numbers_are_written_and_read_back(
    submit: Submit, engine: Engine, turnout: Turnout, tmp_path: Path
) -> None:
    submit(b'{"inputs": [1e999, 123456789012345678901234567890], "x": "\\ud800"}', b"\xff\xfe", b"[" * 9)
    out = tmp_path / "refused.jsonl"
    turnout("refused", "--out", str(out))
    turnout("refused", "--json")
    kept = [json.loads(line) for line in out.read_text().splitlines()]
    assert kept[2]["message"]["inputs"][1] == 123456789012345678901234567890
    said = turnout("refused", "retry", "--from", str(out), status=1).output
    assert said.count("is still not accepted:") >= 3
    assert outcomes(engine) == {}


def test_only_the_refusals_that_are_named_are_submitted_again(
    submit: Submit, engine: Engine, facts: Facts, turnout: Turnout
) -> None:
    do(engine, insert(Account).values(name="emea"))
    do(engine, update(Account).where(Account.name == "emea").values(removed_at=func.now()))
    for name in "abc":
        submit({**message(f"{name}@x.org"), "account": "emea"})
    do(engine, update(Account).values(removed_at=None))
    newest, middle, _ = [one["id"] for one in facts("refused")]
    said = turnout("refused", "retry", str(middle), "--yes", "--expect", "1").output
    assert said.startswith("1 message is submitted again: accepted 1,")
    assert middle not in [one["id"] for one in facts("refused")]
    assert len(facts("refused")) == 2
    turnout("refused", "retry", "999", "--yes", "--expect", "0")
    assert newest in [one["id"] for one in facts("refused")]


def test_a_refusal_of_a_file_whose_receipts_have_such_names_is_submitted_again(
    submit: Submit, ledger: Ledger, turnout: Turnout, tmp_path: Path
) -> None:
    """A file's own refusals are its parts «refused 1», «refused 2» …, as those of other producers may be."""
    (part,) = submit({**message("nobody"), "part": "refused 1"})
    (number,) = [row.id for row in ledger.refused()]
    assert number == 1
    path = tmp_path / "wrong.jsonl"
    turnout("refused", "--out", str(path))
    mended(path, lambda line: line["message"]["inputs"][0].update(email="a@x.org"))
    assert "accepted 1" in turnout("refused", "retry", "--from", str(path)).output
    assert [row.contact for row in ledger.records()] == ["a@x.org"]
    assert part.part == "refused 1"
