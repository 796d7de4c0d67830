"""What holds for the source of every process, and of the tests: it is read, wherever in these folders it lies."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    assert len({place.split(":")[0] for place, _ in functions()}) >= 200


def test_every_wait_is_told_by_the_databases_clock() -> None:
    """Nobody who waits, leases or counts age asks the host what time it is."""
    clock = {"time.time", "datetime.now", "datetime.utcnow", "datetime.today", "time.gmtime", "time.localtime"}
    asks = {place for place, function in functions() if clock & {ast.unparse(call.func) for call in called(function)}}
    assert asks == HOST_CLOCK


def test_nothing_waits_on_a_celery_countdown() -> None:
    passed = [(keyword.arg, place) for place, function in functions() for call in called(function)
              for keyword in call.keywords]  # fmt: skip
    assert ("kwargs", "worker/wake.py: _published") in passed, "what Celery is passed is seen here"
    assert not [one for one in passed if one[0] in {"countdown", "eta", "expires"}]


def test_a_tick_carries_no_end() -> None:
    """It would be the clock's of beat's host: on one that is ahead of it, a worker drops them all."""
    ticks = configuration(Settings(_env_file=None))["beat_schedule"].values()
    assert ticks
    assert not {"countdown", "eta", "expires"} & {name for tick in ticks for name in tick.get("options", {})}


def imported_tests(source: str) -> set[str]:
    """Name the modules of tests that a source imports, or imports from."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module or ''}.{alias.name}" for alias in node.names}
    return {part for name in names for part in name.split(".") if part.startswith("test_")}


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("from tests.test_claim import everything", {"test_claim"}),
        ("from tests import screenshots, test_claim", {"test_claim"}),
        ("import tests.test_claim", {"test_claim"}),
        ("from .test_claim import everything", {"test_claim"}),
        ("def late() -> None:\n    from tests.test_claim import everything", {"test_claim"}),
        ("from tests.support.ledger import taken\nimport pytest", set()),
    ],
)
def test_an_import_from_a_test_is_seen(source: str, imported: set[str]) -> None:
    assert imported_tests(source) == imported


def test_nothing_imports_from_a_test() -> None:
    """What tests share lies in `tests/support`: a file of tests can then be changed alone."""
    sources = sorted(
        path for folder in ("tests", "bench", "examples", "docs") for path in (ROOT / folder).rglob("*.py")
    )
    assert len([path for path in sources if path.name.startswith("test_")]) >= 150
    found = {path.relative_to(ROOT).as_posix(): imported_tests(path.read_text()) for path in sources}
    assert {path: imported for path, imported in found.items() if imported} == {}


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


def test_objects_are_patched_and_not_names_in_strings() -> None:
    """A name in a string is renamed by no tool, and says only at run time that it is gone."""
    patches = {"setattr", "patch"}
    called_so = [
        (path, call)
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and call.args and ast.unparse(call.func).rpartition(".")[2] in patches
    ]
    assert len(called_so) > 200
    strings = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path, call in called_so
        if isinstance(call.args[0], ast.JoinedStr | ast.Constant)
    ]
    assert not strings, strings
