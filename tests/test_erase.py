"""An erased person is found nowhere; the books and everybody else's records are as they were."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from kombu.connection import Connection
from sqlalchemy import (
    ARRAY,
    Boolean,
    DateTime,
    Engine,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Time,
    Uuid,
    update,
)
from typer.testing import CliRunner

import cli.retention
from cli.app import app
from hubspot_api.answer import Rejection, Settled
from models.accept_rules import Rules
from models.correction import Change
from models.erasure import Person
from models.job_params import JobParams
from models.tables import Account, Base, Erasure, Refused
from models.words import Action, Outcome
from tests.support.before import before
from tests.support.fixtures import Submit
from tests.support.jobs import ME, correct, retry
from tests.support.ledger import (
    Ledger,
    batch,
    delivered,
    do,
    given_up,
    message,
    outcomes,
    people,
    settled,
    take,
    taken,
    waits,
    wrong_now,
)
from tests.support.spellings import found
from worker.context import Context
from worker.operations import audit_log, jobs
from worker.queries import submissions
from worker.queries.error_filter import Filter
from worker.queries.reconciliation import audit
from worker.queries.submissions import Cursor
from worker.queue import settle
from worker.queue.attempts import AttemptResult
from worker.retention import blank, mentions
from worker.retention.erase import Erased, erase
from worker.settings import Settings
from worker.task_names import ACCEPT, SWEEP

ADA = "Ada.Lovelace@Example.com"
VID = 987_654_321_012
EVERYTHING = Filter((Outcome.FAILED, Outcome.REJECTED, Outcome.UNCONFIRMED, Outcome.CANCELED))


def erased(context: Context, who: str, patience: float = 0.5) -> Erased:
    person = Person.named(who)
    assert person is not None
    return erase(context, person, patience)


def sound(engine: Engine) -> dict[str, int]:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        assert wrong_now(connection) == []
    assert audit(engine).balanced, audit(engine)
    return outcomes(engine)


def answer_of(engine: Engine, rejection: Rejection, said: str) -> None:
    """Settle a batch: the last member is rejected in words that name somebody, ADA has HubSpot's id."""
    claimed = taken(engine)
    last = len(claimed.members) - 1
    yes = {index: VID if claimed.members[index].contact == ADA.lower() else 7 for index in range(last)}
    call = AttemptResult("settled", 200, 5, "", said)
    settle.settle(engine, claimed, Settled(yes, {last: rejection}, {}), call)


@pytest.fixture
def _everywhere(submit: Submit, engine: Engine) -> None:
    """Ada in every table that can hold her, in every spelling, and others beside her."""
    naming = Rejection(
        "VALIDATION_ERROR",
        "",
        f"one of `{ADA}`, `b@x.org` is wrong",
        {"emails": [ADA.upper(), "b@x.org"], "vid": [str(VID)], "contactId": VID},
    )
    said = f'{{"message": "no\\n{ADA}", "path": "/contacts/ada.lovelace%40example.com", "vid": {VID}}}'
    submit(message(*people(3), ADA, "z@x.org"))
    answer_of(engine, naming, said)
    for event in ("failed", "rejected", "unconfirmed"):
        submit(message(ADA, *people(2), event=event))
        if event == "failed":
            given_up(engine, taken(engine))
        else:
            settled(engine, taken(engine), **{event: [0]})
    retry(engine, 100, Filter((Outcome.REJECTED,), event="rejected"))
    submit(message(ADA, event="by id"))
    submit({"subscriber_state": "cancel", "object_id": "by id", "inputs": [input_of(vid=VID), input_of(vid=5)]})
    submit({"subscriber_state": "nonsense", "object_id": "1", "inputs": [input_of(email=ADA), input_of(vid=VID)]})
    submit({"subscriber_state": "register", "object_id": "1", "account": "who?",
             "inputs": [input_of(email=ADA), input_of(email="kept@x.org"), input_of(vid=VID)]})  # fmt: skip
    submit(message(f"{ADA} <mailto:{ADA}>", "nobody"))
    submit(
        b'{"inputs": "\\u0041da.Lovelace@example.com"}',
        f"no JSON {ADA} {VID}".encode(),
        f"{ADA} {VID}".encode("utf-16"),
    )
    submit(
        {**message("friend@x.org"), "producer": f"for {ADA}", "part": ADA.lower(), "submission_id": str(UUID(int=1))}
    )
    friend = {**input_of(email="other@x.org"), "contactProperties": {"referred_by": ADA, "note": "Ada"}}
    submit({"subscriber_state": "register", "object_id": "2", "inputs": [friend]})
    do(engine, update(Account).values(paused_because=f"HubSpot says: {ADA} is odd"))


def input_of(**contact: object) -> dict[str, object]:
    return {**contact, "interactionDateTime": 1_767_225_600_000}


@pytest.mark.usefixtures("_everywhere")
def test_an_erased_person_is_found_nowhere_and_the_books_balance(
    engine: Engine, ledger: Ledger, context: Context
) -> None:
    before, counts = sound(engine), audit(engine).as_json()
    tables = {place.split(".")[0] for place in found(engine, ADA)}
    assert {"records", "errors", "attempts", "refused", "submissions", "accounts"} <= tables
    first = erased(context, f" {ADA.upper()} ")
    assert (first.complete, first.also) == (True, {str(VID)})
    assert found(engine, ADA, "ada.lovelace%40") == []
    second = erased(context, str(VID))
    assert (second.complete, second.also) == (True, set())
    assert found(engine, ADA, "lovelace", str(VID)) == []
    assert "b@x.org" in ledger.errors()[0].message
    assert found(engine, "kept@x.org") == ["refused.raw: kept@x.org"], "only her inputs are taken out of the message"
    after = sound(engine)
    waited = before["pending"] - after["pending"]
    assert waited > 0
    assert after == {**before, "pending": after["pending"], "canceled": waited}
    assert {name: counts[name] for name in ("accepted", "duplicates", "refused")} == {
        name: audit(engine).as_json()[name] for name in ("accepted", "duplicates", "refused")
    }
    assert [one.complete and one.rows != {} for one in ledger.all(Erasure)] == [True, True]
    assert retry(engine, 100, Filter(EVERYTHING.outcomes, event="failed")) == 2, "her neighbours alone"
    while (claimed := take(engine)) is not None:
        assert not [member for member in claimed.members if member.contact.startswith("erased")]
        settle.settle(engine, claimed, delivered(claimed), None)
    sound(engine)
    again = erased(context, ADA)
    assert (again.complete, dict(+again.rows)) == (True, {})


@pytest.mark.usefixtures("_everywhere")
def test_a_re_import_does_not_bring_the_person_back(submit: Submit, engine: Engine, context: Context) -> None:
    erased(context, ADA)
    (part,) = submit(message(*people(3), ADA.lower(), "z@x.org"))
    assert (part.accepted, part.duplicates) == (0, 5)
    assert found(engine, ADA) == []


def test_who_waits_leaves_a_batch_that_sends_the_others(submit: Submit, engine: Engine, context: Context) -> None:
    submit(message("a@x.org", "b@x.org"), message("a@x.org", "c@x.org", state="cancel"), message("d@x.org", event="1"))
    first, second, other = waits(engine)
    assert waits(engine)[second] == [first]
    erased(context, "a@x.org")
    erased(context, "d@x.org")
    assert (batch(engine, first).size, waits(engine)[second]) == (2, [first])
    sent = []
    while (claimed := take(engine)) is not None:
        sent += [member.contact for member in claimed.members]
        settle.settle(engine, claimed, delivered(claimed), None)
    assert sorted(sent) == ["b@x.org", "c@x.org"]
    assert batch(engine, other).status == "COMPLETE", "nobody was left in it, and nothing was sent"
    assert sound(engine) == {"canceled": 3, "delivered": 2}
    assert retry(engine, 100, EVERYTHING) == 0


def test_who_is_being_sent_is_waited_for(submit: Submit, engine: Engine, ledger: Ledger, context: Context) -> None:
    submit(message("a@x.org", "b@x.org"))
    claimed = taken(engine)
    left = erased(context, "a@x.org", patience=0)
    assert left.left == [f"batch {claimed.batch_id} holds a record of theirs and is being sent"]
    assert [row.complete for row in ledger.all(Erasure)] == [False]
    later = threading.Timer(0.5, settled, (engine, claimed))
    later.start()
    assert erased(context, "a@x.org", patience=20).complete
    later.join()
    assert (found(engine, "a@x.org"), sound(engine)) == ([], {"delivered": 2})
    assert batch(engine, claimed.batch_id).contact_ids == [None, 1_001]


def test_what_still_waits_in_the_stream_is_said(engine: Engine, context: Context) -> None:
    from tasks.intake import intake

    context.stream.add(json.dumps(message("a@x.org", "b@x.org")).encode())
    left = erased(context, "a@x.org", patience=0)
    assert left.left == ["waiting in the stream to be accepted: 1 message of theirs"]
    assert erased(context, "c@x.org", patience=0).complete
    intake(context)
    assert erased(context, "a@x.org").complete
    assert found(engine, "a@x.org") == []


def test_what_still_waits_in_celerys_queue_on_redis_is_said(settings: Settings, context: Context) -> None:
    with Connection(settings.broker_url) as connection:  # type: ignore[no-untyped-call]
        body = [[], message("a@x.org"), {}]
        connection.Producer().publish(body, routing_key=ACCEPT, headers={"task": ACCEPT, "id": "1"})
    context.redis.lpush(SWEEP, '{"note": "a%40x.org"', "nothing")
    said = [f"waiting in the queue {queue}: 1 message of theirs" for queue in (ACCEPT, SWEEP)]
    assert erased(context, "a@x.org", patience=0).left == said
    assert erased(context, "b@x.org", patience=0).complete
    context.redis.delete(ACCEPT, SWEEP)
    assert erased(context, "a@x.org", patience=0).complete


def test_a_person_of_several_steps_interrupted_is_erased_by_the_next_run(
    submit: Submit, engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blank, "MOST_RECORDS", 3)
    monkeypatch.setattr(mentions, "STEP", 4)
    for number in range(20):
        submit(message("a@x.org", "b@x.org", event=str(number % 2), when=1_767_225_600_000 + number))
    changes = iter(range(3))
    some = blank.blank_some

    def dying() -> None:
        if next(changes, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(blank, "blank_some", before(dying, some))
    with pytest.raises(KeyboardInterrupt):
        erased(context, "a@x.org")
    assert sound(engine) == {"pending": 31, "canceled": 9}
    monkeypatch.setattr(blank, "blank_some", some)
    assert erased(context, "a@x.org").rows["records"] == 11
    assert (found(engine, "a@x.org"), sound(engine)) == ([], {"pending": 20, "canceled": 20})


@pytest.mark.slow
def test_erase_while_everything_runs(submit: Submit, engine: Engine, context: Context) -> None:
    """Handed in again and again by one thread, sent by others, retried by a third: in the end she is gone."""
    stop = threading.Event()
    numbers = iter(range(10**6))

    def deliver() -> None:
        if (claimed := take(engine)) is not None:
            number = next(numbers)
            if number % 4 == 0:
                given_up(engine, claimed) if claimed.members else settled(engine, claimed)
            else:
                settled(engine, claimed, rejected=[0] if claimed.members and number % 3 == 0 else [])

    def produce() -> None:
        number = next(numbers)
        contacts = ["b@x.org", *people(3, number % 5)] if number > 300 else ["a@x.org", "b@x.org", f"c{number}@x.org"]
        submit(message(*contacts, event=str(number % 3), when=1_767_225_600_000 + number), batch_size=3)

    def over_and_over(work: Callable[[], object]) -> None:
        while not stop.wait(0.005):
            work()

    with ThreadPoolExecutor(4) as four:
        works = (produce, deliver, deliver, lambda: retry(engine, 3, EVERYTHING))
        running = [four.submit(over_and_over, work) for work in works]
        time.sleep(1)
        for _ in range(15):
            erased(context, "a@x.org", patience=0.2)
        stop.set()
        for each in running:
            each.result(60)
    assert erased(context, "a@x.org", patience=5).complete
    assert found(engine, "a@x.org") == []
    sound(engine)


def test_a_receipt_still_shows_what_became_of_the_others(submit: Submit, engine: Engine, context: Context) -> None:
    (by_mail,) = submit(message(ADA, "b@x.org"))
    (by_id,) = submit({"subscriber_state": "register", "object_id": "77", "inputs": [input_of(vid=VID)]})
    settled(engine, taken(engine))
    settled(engine, taken(engine))
    erased(context, ADA)
    erased(context, str(VID))
    with engine.connect() as connection:
        rows = [submissions.records(connection, part.submission, Cursor(), 10) for part in (by_mail, by_id)]
    assert [(row.outcome, row.contact_id) for row in [*rows[0], *rows[1]]] == [
        ("delivered", None), ("delivered", 1_001), ("delivered", None),
    ]  # fmt: skip


def test_the_command_asks_first_and_says_what_it_did(
    submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    monkeypatch.setattr(cli.retention, "open_process", lambda: context)
    submit(message("a@x.org"))
    run = CliRunner().invoke
    asked = run(app, ["erase", "A@X.org"], input="n\n")
    assert (asked.exit_code, "has 1 record here" in asked.output) == (1, True)
    assert found(engine, "a@x.org")
    done = run(app, ["erase", "A@X.org", "--yes"])
    assert (done.exit_code, "erasure 1," in done.output, "x.org" in done.output.lower()) == (0, True, False)
    assert json.loads(run(app, ["erase", "A@X.org", "--yes", "--json"]).output)["complete"]
    submit(message("b@x.org"))
    assert [member.contact for member in taken(engine).members] == ["b@x.org"]
    left = run(app, ["erase", "b@x.org", "--yes", "--wait", "0"])
    assert (left.exit_code, "NOT COMPLETE" in left.output) == (1, True)
    assert run(app, ["erase", "nobody"]).exit_code == 2


@pytest.mark.parametrize(
    ("who", "contact"),
    [(" ADA@x.org", "ada@x.org"), ("ju\u0308rgen@x.org", "j\u00fcrgen@x.org"), ("007", "7"), ("0", None), ("a", None),
     ("a@b@c", None), ("99999999999999999999", None)],
)  # fmt: skip
def test_a_person_is_named_as_records_name_them(who: str, contact: str | None) -> None:
    person = Person.named(who)
    assert (person.contact if person else None) == contact


@pytest.mark.parametrize(
    ("who", "value", "left"),
    [
        ("da@x.org", "ada@x.org, o.da@x.org, da@x.org.uk, da@x.organ", None),
        ("da@x.org", "<DA@x.org>, {emails=[da@x.org, b@x.org]}.", "<erased>, {emails=[erased, b@x.org]}."),
        ("j\u00fcrgen@x.org", "bad `Ju\u0308RGEN@x.org`, j%C3%BCrgen%40x.org", "bad `erased`, erased"),
        ("12345", "id 12345, 123456, 1.12345, x12345", "id erased, 123456, 1.12345, x12345"),
        (
            "12345",
            {"by": 12345, "vid": 12345, "contactIds": [12345, 6]},
            {"by": 12345, "vid": None, "contactIds": [None, 6]},
        ),
        (
            "77",
            {"object_id": "77", "n": 77, "vid": "77", "seats": "77"},
            {"object_id": "77", "n": 77, "vid": "erased", "seats": "77"},
        ),
        ("a+b@x.org", ["A+B@x.org", {"a+b@x.org": "a%2Bb%40x.org"}], ["erased", {"erased": "erased"}]),
    ],
)
def test_a_mention_is_the_whole_name_in_any_spelling(who: str, value: object, left: object) -> None:
    person = Person.named(who)
    assert person is not None
    assert person.taken_out(value) == (value if left is None else left)


@pytest.mark.parametrize(
    ("who", "raw", "left"),
    [
        ("a@x.org", '{"inputs": [{"email": "A@x.org"}, {"email": "aa@x.org"}]}', '{"inputs": [{"email": "aa@x.org"}]}'),
        ("a@x.org", '{"inputs": [{"email": "A@x.org"}]}', ""),
        ("a@x.org", '{"producer": "a@x.org", "inputs": [{"email": "b@x.org"}]}', ""),
        ("a@x.org", '{"inputs": "a@x.org", "inputs": [1]}', ""),
        ("a@x.org", f"{'[' * 5_000} a@x.org", ""),
        (
            "77",
            '{"object_id": "77", "inputs": [{"vid": 77}, {"vid": 7}]}',
            '{"object_id": "77", "inputs": [{"vid": 7}]}',
        ),
        ("77", '{"object_id": "77", "inputs": [{"vid": 7}]}', None),
    ],
)
def test_of_a_refused_message_what_is_others_stays(who: str, raw: str, left: str | None) -> None:
    person = Person.named(who)
    assert person is not None
    assert person.left_of(raw.encode()).decode() == (raw if left is None else left)


def test_of_a_row_that_was_not_accepted_nothing_of_hers_stays(submit: Submit, engine: Engine, context: Context) -> None:
    """Her name and her telephone number stand beside the address, in the file's row and in what was made of it."""
    submit(message("nobody", "none", "noone"))
    row = {"rows": [["Ada", "Lovelace", ADA.upper(), "+43 1 555"]]}
    others = {"rows": [["Grace", "Hopper", "g@x.org", "+1 555"]]}
    for number, kept in enumerate(({"source": row}, {"draft": row, "source": others}, {"source": others}), start=1):
        do(engine, update(Refused).where(Refused.id == number).values(**kept))
    erased(context, ADA)
    left = [(row.source, row.draft) for row in Ledger(engine).refused()]
    assert left == [(None, None), (None, None), (others, None)]


@pytest.mark.parametrize("who", [ADA, str(VID)])
def test_who_is_erased_is_found_in_no_job_and_no_action(
    submit: Submit, engine: Engine, rules: Rules, context: Context, who: str
) -> None:
    """Named by a correction that was done, one that waits, what a group was changed to, results, a reason, a pause."""
    submit(message("a@x.org", "b@x.org", "c@x.org"))
    claimed = taken(engine)
    settled(engine, claimed, rejected=[0, 1, 2])
    first, second, third = (member.id for member in claimed.members)
    of_ada, of_vid = Change(email=ADA), Change(vid=str(VID))
    correct(engine, rules, {first: of_ada, second: of_vid})
    jobs.ask_to_mend(engine, ME, [(1, third, of_ada if who == ADA else of_vid)])
    with engine.begin() as connection:
        for change in (of_ada, of_vid):
            jobs.ask(connection, ME, Action.CORRECT, Filter(group_id="none"), params=JobParams(change=change))
        jobs.ask(connection, ME, Action.DISMISS, Filter(), params=JobParams(because=f"{ADA} ({VID}) asked for it"))
        audit_log.note(connection, ME, "pause", {"account": "default", "because": f"{ADA}, id {VID}"})
    places = {place.split(":")[0] for place in found(engine, who)}
    assert {"job_items.change", "job_items.result", "jobs.params", "actions.filter"} <= places
    assert erased(context, who).complete
    assert found(engine, who) == []
    while jobs.step(engine, context.rules) is not None:
        pass
    assert all(job.ended_at is not None and not job.last_error for job in Ledger(engine).jobs())
    assert found(engine, who) == []
    sound(engine)


BYTES = {
    "accounts.token": "encrypted", "accounts.oauth": "encrypted", "keys.webhook_secret": "encrypted",
    "secrets.ciphertext": "encrypted", "keys.hash": "of a key", "keys.old_hash": "of a key",
    "sessions.hash": "of a cookie", "sessions.key_hash": "of a key", "records.fingerprint": "a keyed hash",
    "submissions.digest": "of a whole request", "notifications.body": "counts of a submission",
}  # fmt: skip
"""Columns of bytes that name nobody."""


def test_every_column_of_bytes_is_looked_at_or_named_as_one_that_names_nobody() -> None:
    columns = {
        str(column)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert columns == BYTES.keys() | {"refused.raw"}


def test_every_column_of_another_kind_holds_no_words() -> None:
    person = Person.named("a@x.org")
    assert person is not None
    looked_at = {str(column) for _, columns in mentions.texts(person) for column in columns}
    wordless = (Integer, DateTime, Time, Boolean, Float, Interval, Uuid, Enum, LargeBinary)
    others = {
        str(column)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if table.name not in mentions.NAMES
        and not isinstance(column.type.item_type if isinstance(column.type, ARRAY) else column.type, wordless)
    }
    assert others - looked_at == {
        "records.contact",  # blanked by itself
        "error_groups.id",  # a hash
        "traces.traceparent",  # hexadecimal digits of a trace, checked before it is stored
    }


def test_every_table_is_looked_at_or_named_as_none_of_a_persons() -> None:
    person = Person.named("a@x.org")
    assert person is not None
    seen = {table.name for table, _ in mentions.texts(person)}
    assert {table.name for table in Base.metadata.sorted_tables} - seen <= mentions.NAMES | {
        "lanes",
        "purged",
        "sessions",
        "throughput",
        "throughput_by_account",
        "traces",
    }
