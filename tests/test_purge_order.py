"""What was delivered is kept while an older record of its contact and event can still be sent, and then undo it."""

import pytest
from sqlalchemy import Engine, func, select, update

from models.accept_rules import Rules
from models.correction import Change
from models.tables import Batch, Error, Record
from models.words import Outcome, Resolution, State
from tests.support.fixtures import Submit
from tests.support.jobs import correct, retry
from tests.support.ledger import (
    WHEN,
    Ledger,
    age,
    ask,
    deliver_all,
    do,
    given_up,
    message,
    outcomes,
    resolve,
    settled,
    take,
    taken,
)
from worker.queries.error_filter import Filter
from worker.queries.reconciliation import audit
from worker.queue import unconfirmed
from worker.retention.purge import purge

STATES = "SELECT DISTINCT b.state FROM records r JOIN batches b ON b.id = r.batch_id"


@pytest.fixture
def _kept(submit: Submit, engine: Engine, ledger: Ledger) -> None:
    """a's register was rejected, her cancel delivered; the register's batch stays for b's sake, who is retried."""
    submit(message("b@x.org", when=WHEN - 1))
    given_up(engine, taken(engine))
    submit(message("a@x.org", "b@x.org"))
    settled(engine, taken(engine), rejected=[0])
    submit(message("a@x.org", state="cancel"))
    deliver_all(engine)
    age(engine, 91)
    oldest = ledger.records()[0]
    retry(engine, 100, Filter(record_ids=[oldest.id]))


def sent(engine: Engine) -> set[tuple[str, str]]:
    """Deliver what is due; say whom that told HubSpot what of."""
    told = set()
    while claimed := take(engine):
        told |= {(member.contact, claimed.state.value) for member in claimed.members}
        settled(engine, claimed)
    return told


@pytest.mark.usefixtures("_kept")
def test_an_older_record_that_failed_is_not_retried_after_what_overtook_it_was_purged(engine: Engine) -> None:
    purge(engine, 90)
    retry(engine, 100, Filter((Outcome.REJECTED,)))
    assert ("a@x.org", "register") not in sent(engine)


@pytest.mark.usefixtures("_kept")
def test_an_older_record_that_failed_is_not_corrected_after_what_overtook_it_was_purged(
    engine: Engine, rules: Rules
) -> None:
    purge(engine, 90)
    (failed,) = ask(
        engine,
        select(Record.id)
        .join(Batch, Batch.id == Record.batch_id)
        .where(Record.contact == "a@x.org", Batch.state == State.REGISTER),
    )
    (done,) = correct(engine, rules, {failed.id: Change(properties={"seat": "12"})})
    assert done.by is None
    assert ("a@x.org", "register") not in sent(engine)


def test_an_older_record_that_is_read_back_is_not_sent_again_after_what_overtook_it_was_purged(
    submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    submit(message("a@x.org"))
    claimed = taken(engine)
    settled(engine, claimed, unconfirmed=[0])
    submit(message("a@x.org", state="cancel"))
    deliver_all(engine)
    age(engine, 91)
    do(engine, update(Error).where(Error.verify_at.is_not(None)).values(verify_at=func.now(), reads=6))
    purge(engine, 90)
    account = ledger.account()
    assert unconfirmed.send_again(engine, account.id, 5, 100) == 1
    assert sent(engine) == set()


def test_an_answered_record_that_was_split_off_its_batch_counts_as_older_too(submit: Submit, engine: Engine) -> None:
    """Its new batch has a larger id than that of what was accepted after it."""
    submit(message("a@x.org"))
    given_up(engine, taken(engine))
    submit(message("a@x.org", state="cancel"))
    deliver_all(engine)
    age(engine, 91)
    do(
        engine,
        """
        INSERT INTO batches SELECT (jsonb_populate_record(b, '{"id": 1000, "split_from": 1}')).* FROM batches b
        WHERE state = 'register'""",
    )
    of_it = (Batch.id == Record.batch_id, Batch.state == State.REGISTER)
    do(engine, update(Record).where(*of_it).values(batch_id=1000))
    do(engine, update(Error).values(batch_id=1000, verify_at=func.now()))
    purge(engine, 90)
    assert {row.state for row in ask(engine, STATES)} == {"register", "cancel"}


@pytest.mark.usefixtures("_kept")
def test_what_overtook_goes_once_the_older_one_can_be_sent_no_more(engine: Engine) -> None:
    assert purge(engine, 90).records == 0
    resolve(engine, Resolution.DISMISSED, Record.id == Error.record_id, Record.contact == "a@x.org")
    assert purge(engine, 90).records == 1
    assert {row.state for row in ask(engine, STATES)} == {"register"}
    assert outcomes(engine) == {"rejected": 1, "pending": 1, "delivered": 2}
    assert audit(engine).balanced


def test_what_failed_itself_waits_for_no_older_one(submit: Submit, engine: Engine, ledger: Ledger) -> None:
    """It overtakes nobody."""
    submit(message("a@x.org"))
    given_up(engine, taken(engine))
    submit(message("a@x.org", state="cancel"))
    given_up(engine, taken(engine))
    age(engine, 91)
    older = ledger.records()[0]
    retry(engine, 100, Filter((Outcome.FAILED,), record_ids=[older.id]))
    assert purge(engine, 90).records == 1
