"""What is known of the calls under way where Redis has forgotten its slots: it is read from the attempts."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, delete, insert, text, update

from models.tables import Account, Attempt
from tests.support.ledger import Ledger
from worker.context import GRACE, LATELY, still_counting
from worker.queue.claim import claim

TIMEOUT, WINDOW = 15.0, 10.0
HELD = GRACE + TIMEOUT + WINDOW
"""The POST may begin so much later than its attempt's row."""
OTHERS_ATTEMPTS = """
INSERT INTO attempts (batch_id, account_id, sent, started_at, finished_at)
SELECT b.id, a.id, 1, now() - :ago * interval '1 second', now() - :ago * interval '1 second'
FROM batches b JOIN accounts a ON a.id = b.account_id, generate_series(1, :number) WHERE a.name = 'other'"""


@pytest.fixture
def mine(engine: Engine, submit: Callable[..., object]) -> int:
    """Give the account of a call that is under way; another account has a batch too."""
    with engine.begin() as connection:
        connection.execute(insert(Account).values(name="other"))
    mine = Ledger(engine).account().id
    inputs = [{"email": "ada@example.com", "interactionDateTime": 1_767_225_600_000}]
    for account in ("default", "other"):
        submit({"subscriber_state": "register", "object_id": "7", "inputs": inputs, "account": account})
    assert claim(engine, mine, lease=60) is not None
    return mine


def others(engine: Engine, number: int, ago: float) -> None:
    with engine.begin() as connection:
        connection.execute(text(OTHERS_ATTEMPTS), {"number": number, "ago": ago})


def test_a_call_under_way_counts_until_one_window_after_its_time_out(engine: Engine, mine: int) -> None:
    assert HELD - 1 < still_counting(engine, mine, TIMEOUT, WINDOW) <= HELD


@pytest.mark.parametrize("number", [LATELY - 2, LATELY])
def test_however_many_calls_others_made_since_a_call_under_way_is_not_overlooked(
    engine: Engine, mine: int, number: int
) -> None:
    others(engine, number, 0)
    assert HELD - 2 < still_counting(engine, mine, TIMEOUT, WINDOW) <= HELD


@pytest.mark.parametrize(("number", "held"), [(10_000, 0), (LATELY - 2, 0), (LATELY, HELD)])
def test_an_account_without_a_call_waits_only_where_not_all_calls_of_late_are_looked_at(
    engine: Engine, mine: int, number: int, held: float
) -> None:
    others(engine, number, 0)
    assert held - 2 < still_counting(engine, mine + 1_000, TIMEOUT, WINDOW) <= held


def test_a_call_whose_account_is_not_known_holds_every_account(engine: Engine, mine: int) -> None:
    with engine.begin() as connection:
        connection.execute(update(Attempt).values(account_id=None))
    assert HELD - 1 < still_counting(engine, mine + 1_000, TIMEOUT, WINDOW) <= HELD


def test_what_others_did_long_ago_holds_nobody(engine: Engine, mine: int) -> None:
    with engine.begin() as connection:
        connection.execute(delete(Attempt))
    others(engine, LATELY, 30)
    assert still_counting(engine, mine, TIMEOUT, WINDOW) == 0
    assert still_counting(engine, mine + 1_000, TIMEOUT, WINDOW) == 0
