"""What holds for the source of every process: it is read, wherever in these folders it lies."""

import ast
from collections.abc import Iterator
from pathlib import Path

from worker.celery import configuration
from worker.settings import Settings

ROOT = Path(__file__).parent.parent
OURS = ("cli", "hubspot_api", "models", "sandbox", "tasks", "web", "worker")
OTHERS_WORDS = ("models/tables/", "web/schemas.py")
"""The tables, whose names are those of the database, and HubSpot's own names on the wire."""
SOURCES = sorted(path for folder in ("tasks", "worker") for path in (ROOT / folder).rglob("*.py"))
HOST_CLOCK = {
    "worker/heartbeat.py: ticked",
    "worker/auth/signin_limit.py: slowed_until",
    "worker/doctor.py: _clock",
    "worker/operations/schedules.py: wrong",
    "worker/files/clocks.py: is_of_our_time",
}
"""Functions that may ask the host for the time: what they note or show decides no wait."""


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Give every function and where it stands."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(ROOT)}: {node.name}", node


def called(function: ast.FunctionDef) -> Iterator[ast.Call]:
    return (node for node in ast.walk(function) if isinstance(node, ast.Call))


def test_nearly_every_file_is_read() -> None:
    assert len({place.split(":")[0] for place, _ in functions()}) >= 70


def test_every_wait_is_told_by_the_databases_clock() -> None:
    """Nobody who waits, leases or counts age asks the host what time it is."""
    clock = {"time.time", "datetime.now", "datetime.utcnow", "datetime.today", "time.gmtime", "time.localtime"}
    asks = {place for place, function in functions() if clock & {ast.unparse(call.func) for call in called(function)}}
    assert asks == HOST_CLOCK


def test_nothing_waits_on_a_celery_countdown() -> None:
    passed = {keyword.arg: place for place, function in functions() for call in called(function)
              for keyword in call.keywords}  # fmt: skip
    assert passed["kwargs"].startswith("worker/wake.py"), "what Celery is passed is seen here"
    assert not {"countdown", "eta", "expires"} & passed.keys(), passed


def test_a_tick_carries_no_end() -> None:
    """It would be the clock's of beat's host: on one that is ahead of it, a worker drops them all."""
    ticks = configuration(Settings(_env_file=None))["beat_schedule"].values()
    assert ticks
    assert not {"countdown", "eta", "expires"} & {name for tick in ticks for name in tick.get("options", {})}


HUBSPOTS = {"Participation", "State", "Tier"}
"""The same things, on our side and in the sandbox, which imports nothing of ours."""


def test_a_name_of_a_type_means_one_thing() -> None:
    defined: dict[str, list[str]] = {}
    for path in sorted(path for folder in OURS for path in (ROOT / folder).rglob("*.py")):
        where = path.relative_to(ROOT).as_posix()
        for node in ast.parse(path.read_text()).body if not where.startswith(OTHERS_WORDS) else []:
            targets = [node.targets[0]] if isinstance(node, ast.Assign) else []
            aliases = [target.id for target in targets if isinstance(target, ast.Name)]
            for name in [node.name] if isinstance(node, ast.ClassDef) else aliases:
                if name[0].isupper() and not name.isupper():
                    defined.setdefault(name, []).append(where)
    assert len(defined) >= 150
    assert {name for name, places in defined.items() if len(places) > 1} == HUBSPOTS
