import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings as setting, strategies as st
from sqlalchemy import Engine

from models import moves
from models.moves import SETTLED, Move
from models.words import Status
from tests.support.fixtures import Submit
from tests.support.jobs import cancel
from tests.support.ledger import ask, do, given_up, let_pass, message, people, postponed, settled, take
from worker.context import Context
from worker.operations.cancel import CancelFilter
from worker.queue.claim import Claim
from worker.queue.expired_leases import reclaim

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for folder in ("tasks", "worker") for path in (ROOT / folder).rglob("*.py"))


def test_the_diagram_is_the_table_of_moves() -> None:
    drawn = re.findall(r"([A-Z]+) +-([a-z ]+)-> +([A-Z]+)", moves.__doc__ or "")
    assert {(verb.replace(" ", "_").upper(), (Status(old), Status(new))) for old, verb, new in drawn} == {
        (move.name, move.value) for move in Move
    }
    assert len(drawn) == len(Move)


def test_no_move_leads_out_of_what_is_settled_and_every_status_is_reached() -> None:
    assert {move.value[0] for move in Move}.isdisjoint(SETTLED)
    assert {status for move in Move for status in move.value} == set(Status)


@pytest.mark.parametrize("move", Move)
def test_a_move_says_its_guard_and_its_end_as_sql(move: Move) -> None:
    assert (move.guard, move.to) == (f"status = '{move.value[0].value}'", f"'{move.value[1].value}'")


def statements(function: ast.AST) -> list[str]:
    """The texts of a function as they stand in its source, placeholders in braces."""
    parts = {id(part) for node in ast.walk(function) if isinstance(node, ast.JoinedStr) for part in node.values}
    return [
        ast.unparse(node)
        for node in ast.walk(function)
        if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in parts
    ]


def test_every_status_is_set_by_a_move() -> None:
    set_otherwise = re.compile(r"(?:SET|,)\s+status\s*=(?!\s*\{\w+(?:\.\w+)*\.to\})")
    for path in SOURCES:
        for written in statements(ast.parse(path.read_text())):
            assert "UPDATE batches" not in written or not set_otherwise.search(written), f"{path.name}: {written[:200]}"


def test_every_move_is_guarded_by_its_own_condition() -> None:
    """In the statement itself, or in one that has locked the row before."""
    found = 0
    for path in SOURCES:
        for function in [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]:
            source = "\n".join(statements(function))
            for moved in re.findall(r"status = \{(\w+(?:\.\w+)*)\.to\}", source):
                found += 1
                assert f"{{{moved}.guard}}" in source, f"{path.name}, {function.name}: {moved} without its guard"
    assert found >= 4


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
            before = ask(engine, "SELECT status, lease_token FROM batches WHERE id = :id", id=claimed.batch_id)[0]
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
    submit: Submit, engine: Engine, context: Context, tried: list[str]
) -> None:
    do(engine, "TRUNCATE batches, records, errors, attempts, submissions, lanes")
    submit(message(*people(2)))
    (row,) = ask(engine, "SELECT id, status FROM batches")
    held: dict[str, list[Claim]] = {"all": []}
    for name in tried:
        ATTEMPTS[name](engine, context, held, row.id)
        (after,) = ask(engine, "SELECT id, status FROM batches")
        if after.status != row.status:
            move = Move((Status(row.status), Status(after.status)))
            assert move in ALLOWED[name], f"{name} moved it {move.name.lower()}"
        row = after
