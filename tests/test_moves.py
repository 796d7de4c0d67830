import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings as setting, strategies as st
from sqlalchemy import Engine

from models import moves
from models.moves import SETTLED, Move
from models.tables import Batch
from models.words import Status
from tests.support.fixtures import Submit
from tests.support.jobs import cancel
from tests.support.ledger import Ledger, do, given_up, let_pass, message, people, postponed, settled, take
from worker.context import Context
from worker.queries.job_filter import CancelFilter
from worker.queue.claim import Claim
from worker.queue.expired_leases import reclaim

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for folder in ("cli", "tasks", "web", "worker") for path in (ROOT / folder).rglob("*.py"))


def test_the_diagram_is_the_table_of_moves() -> None:
    drawn = re.findall(r"([A-Z]+) +-([a-z ]+)-> +([A-Z]+)", moves.__doc__ or "")
    assert {(verb.replace(" ", "_").upper(), (Status(old), Status(new))) for old, verb, new in drawn} == {
        (move.name, move.value) for move in Move
    }
    assert len(drawn) == len(Move)


def test_no_move_leads_out_of_what_is_settled_and_every_status_is_reached() -> None:
    assert {move.before for move in Move}.isdisjoint(SETTLED)
    assert {status for move in Move for status in (move.before, move.after)} == set(Status)


@pytest.mark.parametrize("move", Move)
def test_a_move_is_made_only_of_what_it_leads_from(move: Move) -> None:
    made = " ".join(str(move.update()).split())
    assert made == f"UPDATE batches SET status='{move.after}' WHERE batches.status = '{move.before}'"


def writes_status(node: ast.AST) -> bool:
    """Whether this part of a source writes `batches.status` by itself: as an expression, or as SQL."""
    match node:
        case ast.Call(func=ast.Attribute(attr="values"), args=args, keywords=keywords):
            named = [keyword.arg for keyword in keywords]
            keys = [ast.unparse(key) for one in args if isinstance(one, ast.Dict) for key in one.keys if key]
            return not {"status", "'status'", "Batch.status"}.isdisjoint([*named, *keys])
        case ast.Constant(value=str(written)):
            assigned = re.findall(r"UPDATE\s+batches\b.*?\bSET\b(.*?)(?:\bWHERE\b|\bFROM\b|$)", written, re.DOTALL)
            return any(re.search(r"\bstatus\s*=", assignments) for assignments in assigned)
    return False


@pytest.mark.parametrize(
    "written",
    [
        "update(Batch).where(Batch.id == 1).values(status=Status.COMPLETE)",
        "update(Batch).values({'status': 'COMPLETE'})",
        "update(Batch).values({Batch.status: 'COMPLETE'})",
        "text('UPDATE batches b SET open = false, status = :status WHERE b.id = 1')",
        "text(f'WITH x AS (UPDATE batches SET status = {new} FROM y WHERE id = 1) SELECT 1')",
    ],
)
def test_a_status_that_is_written_without_a_move_is_seen(written: str) -> None:
    assert any(map(writes_status, ast.walk(ast.parse(written))))


def test_every_status_is_written_by_a_move() -> None:
    """So it never is without its guard. What begins as a batch is no move, and an INSERT may say its status."""
    assert len(SOURCES) > 100
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            assert not writes_status(node), f"{path.name}: {ast.unparse(node)[:200]}"


def test_every_move_is_made_somewhere() -> None:
    made = re.findall(r"\bMove\.([A-Z_]+)(?:\.update\b|\))", "\n".join(path.read_text() for path in SOURCES))
    assert set(made) == {move.name for move in Move}


Attempt = Callable[[Engine, Context, dict[str, list[Claim]], int], None]


def claims(engine: Engine, _: Context, held: dict[str, list[Claim]], batch_id: int) -> None:
    claimed = take(engine)
    if claimed is not None:
        assert claimed.batch_id == batch_id
        held["all"].append(claimed)


def cancels(engine: Engine, _: Context, __: dict[str, list[Claim]], batch_id: int) -> None:
    cancel(engine, CancelFilter(batch_id=batch_id))


def takes_back(engine: Engine, context: Context, _: dict[str, list[Claim]], __: int) -> None:
    let_pass(engine, 2)
    reclaim(context.engine)
    let_pass(engine, 2)


def by(verb: Callable[[Engine, Claim], bool], whose: int) -> Attempt:
    """Somebody who has claimed the batch, lately or long ago, tries to say what became of it."""

    def tries(engine: Engine, _: Context, held: dict[str, list[Claim]], __: int) -> None:
        if len(held["all"]) >= -whose:
            claimed = held["all"][whose]
            before = Ledger(engine).batches(Batch.id == claimed.batch_id)[0]
            owns = (before.status, before.lease_token) == ("PROCESSING", claimed.token)
            assert verb(engine, claimed) == owns

    return tries


ALLOWED = {
    "claim": {Move.CLAIM},
    "cancel": {Move.CANCEL},
    "take back": {Move.POSTPONE},
    "settle": {Move.SETTLE},
    "postpone": {Move.POSTPONE},
    "give up": {Move.GIVE_UP},
    "settle late": set[Move](),
    "postpone late": set[Move](),
    "give up late": set[Move](),
}
ATTEMPTS: dict[str, Attempt] = {
    "claim": claims,
    "cancel": cancels,
    "take back": takes_back,
    "settle": by(settled, -1),
    "postpone": by(postponed, -1),
    "give up": by(given_up, -1),
    "settle late": by(settled, -2),
    "postpone late": by(postponed, -2),
    "give up late": by(given_up, -2),
}


@setting(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(tried=st.lists(st.sampled_from(["claim", "claim", "claim", *ATTEMPTS]), min_size=1, max_size=8))
def test_whatever_is_tried_the_status_moves_by_the_table_alone(
    submit: Submit, engine: Engine, ledger: Ledger, context: Context, tried: list[str]
) -> None:
    do(engine, "TRUNCATE batches, records, errors, attempts, submissions, traces, lanes")
    submit(message(*people(2)))
    (row,) = ledger.batches()
    held: dict[str, list[Claim]] = {"all": []}
    for name in tried:
        ATTEMPTS[name](engine, context, held, row.id)
        (after,) = ledger.batches()
        if after.status != row.status:
            move = Move((Status(row.status), Status(after.status)))
            assert move in ALLOWED[name], f"{name} moved it {move.name.lower()}"
        row = after
