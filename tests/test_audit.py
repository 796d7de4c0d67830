"""What the audit counts, and that it finds each kind of damage."""

import pytest
from sqlalchemy import Engine, event

from tests.support.fixtures import Submit
from tests.support.ledger import deliver_all, do, fail_all, message, people
from worker.queries.reconciliation import audit


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE batches SET size = size + 1", "batches whose size is not the number of their records"),
        ("UPDATE records SET contact = 'p0@example.com'", "batches that hold a contact twice"),
        ("DELETE FROM errors", "canceled batches with records that no error explains"),
        ("DELETE FROM refused", "receipts whose refusals are not all kept"),
        ("UPDATE submissions SET accepted = accepted + 1", "receipts whose accepted records are not all there"),
        ("UPDATE purged SET delivered = delivered + 1", ""),
        ("UPDATE purged SET accepted = accepted + 1", ""),
    ],
)
def test_each_kind_of_damage_is_found(submit: Submit, engine: Engine, damage: str, found: str) -> None:
    submit(message(*people(2)), message("not an address"))
    deliver_all(engine)
    submit(message(*people(2), event="another"))
    fail_all(engine)
    assert audit(engine).balanced
    assert do(engine, damage)
    books = audit(engine)
    assert not books.balanced
    assert [what for what in books.wrong if found in what] == books.wrong
    assert bool(books.wrong) == bool(found)


def test_it_reads_one_snapshot(submit: Submit, engine: Engine) -> None:
    submit(message(*people(2)))
    coming = [message(*people(1, 2))]

    def meanwhile(_: object, __: object, statement: str, *___: object) -> None:
        if "FROM purged" in statement and coming:
            submit(coming.pop())

    event.listen(engine, "after_cursor_execute", meanwhile)
    books = audit(engine)
    event.remove(engine, "after_cursor_execute", meanwhile)
    assert not coming, "nothing was accepted while it counted"
    assert (books.balanced, books.accepted) == (True, 2)
    assert audit(engine).accepted == 3
