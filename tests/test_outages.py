"""A long outage and a token mended late, in virtual time: nothing is given up by default."""

from collections.abc import Iterator
from typing import Any

import pytest

from tasks.deliver import deliver
from tests.support.contexts import open_context
from tests.support.fixtures import Submit
from tests.support.ledger import Ledger, let_pass, message, people
from tests.support.sandbox_server import RunningSandbox
from worker.accounts.state import resume
from worker.context import Context
from worker.local.services import free_port
from worker.queries.reconciliation import audit
from worker.settings import Settings

STEP = 1 / 60
"""An hour's share that passes between two sweeps: a minute."""


@pytest.fixture
def context(settings: Settings, sandbox: RunningSandbox, submit: Submit) -> Iterator[Context]:
    for event in range(3):
        submit(message(*people(30), event=str(event)))
    with open_context(settings, hubspot_url=sandbox.url, timeout=30, lease=60) as context:
        yield context


def pass_hours(context: Context, hours: float) -> None:
    for _ in range(round(hours / STEP)):
        deliver(context, "default")
        let_pass(context.engine, STEP)


def all_delivered(context: Context) -> bool:
    books = audit(context.engine)
    assert books.balanced, books.wrong
    return books.outcomes["delivered"] == books.accepted == 90  # type: ignore[index]


def attempts(context: Context) -> int:
    return len(Ledger(context.engine).attempts())


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        pytest.param({"hang": 0.4}, marks=pytest.mark.long),
        pytest.param({"cut": True}, marks=pytest.mark.long),
    ],
    ids=str,
)
def test_six_hours_of_outage_give_nothing_up(context: Context, sandbox: RunningSandbox, fault: dict[str, Any]) -> None:
    sandbox.fault(**fault)
    short = {"timeout": 0.2} if "hang" in fault else {}  # what hangs is waited for that long each time
    with open_context(context.settings, **short) as sending:
        pass_hours(sending, 6)
    assert 5 <= attempts(context) < 60  # and HubSpot was not hammered meanwhile
    sandbox.reset()
    pass_hours(context, 1.1)
    assert all_delivered(context)


def test_six_hours_without_anybody_listening_give_nothing_up(context: Context, sandbox: RunningSandbox) -> None:
    away = Context(context.settings.model_copy(update={"hubspot_url": f"http://127.0.0.1:{free_port()}"}))
    pass_hours(away, 6)
    away.engine.dispose()
    assert sandbox.stats()["requests"] == 0
    pass_hours(context, 1.1)
    assert all_delivered(context)


def test_a_token_mended_after_four_days_gives_nothing_up(context: Context, sandbox: RunningSandbox) -> None:
    sandbox.fault(status=503, count=2)  # some batches have failed before, so their age has begun
    pass_hours(context, STEP)
    sandbox.fault(status=401)
    pass_hours(context, 1)
    assert Ledger(context.engine).account().paused_at is not None
    let_pass(context.engine, 4 * 24)
    sandbox.reset()
    sandbox.fault(status=503, count=2)
    resume(context.engine, "default")
    pass_hours(context, 1.5)
    assert all_delivered(context)
