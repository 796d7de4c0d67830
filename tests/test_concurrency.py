"""Everybody at once, on a database that loses connections all the time: nothing lost, nothing twice, all in order."""

import logging
import time

import pytest
from sqlalchemy import text

from models.accept_rules import Rules
from tests.support.ledger import ask
from tests.support.seeds import seeds
from tests.support.storm import LOST, SIZE, Storm
from worker.context import Context
from worker.database import make_engine
from worker.settings import Settings


def storm(
    context: Context,
    settings: Settings,
    rules: Rules,
    caplog: pytest.LogCaptureFixture,
    *,
    seed: int,
    calls: int,
) -> None:
    """Run one storm, let it drain, and say everything that it violated."""
    caplog.set_level(logging.ERROR, "worker")
    engine = make_engine(settings, pool=16)
    here = Storm(engine, context, Rules(rules.key, SIZE, 0.05), seed, calls)
    killers = here.with_killers_engine(settings.database_url)
    try:
        here.rage()
        here.drain()
        wrong = here.judge()
        assert here.killed >= LOST
    finally:
        engine.dispose()
        context.engine.dispose()
    wrong += [record.getMessage() for record in caplog.records if record.name.startswith("worker")]
    until = time.monotonic() + 60
    while left := ask(  # a server process counts its deadlocks as it ends, which a busy machine delays
        killers,
        """
        SELECT pid, state, wait_event, query,
          state = 'idle' AND state_change < now() - interval '2 seconds' AND pg_terminate_backend(pid) AS ended
        FROM pg_stat_activity WHERE application_name = 'turnout' AND datname = current_database()""",
    ):  # an idle one came back to its pool after that was disposed of, and would stay
        assert time.monotonic() < until, f"still connected: {left}"
        time.sleep(0.02)
    with killers.connect() as connection:
        deadlocks = connection.execute(
            text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        ).scalar_one()
    killers.dispose()
    if deadlocks:
        wrong.append(f"{deadlocks} deadlocks")
    assert not wrong, f"seed {seed} violates:\n" + "\n".join(wrong[:40])


@pytest.mark.usefixtures("new_sessions")
@pytest.mark.parametrize("seed", range(3))
def test_a_storm_loses_nothing_and_keeps_the_order(
    context: Context, settings: Settings, rules: Rules, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    storm(context, settings, rules, caplog, seed=seed, calls=16)


@pytest.mark.long
@pytest.mark.usefixtures("new_sessions")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", seeds(40, first=100))
def test_many_storms_lose_nothing_and_keep_the_order(
    context: Context, settings: Settings, rules: Rules, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    storm(context, settings, rules, caplog, seed=seed, calls=80)
