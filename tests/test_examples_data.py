import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from models.words import State
from worker.files.options import DateOrder, Options
from worker.files.reader import Reading

EXAMPLES = Path(__file__).parents[1] / "examples"
SAID: dict[str, dict[str, Any]] = {
    "registrations.csv": {"state": State.REGISTER, "time_zone": "Europe/Berlin"},
    "attendees.csv": {
        "state": State.ATTEND,
        "event": "spring-summit-2026",
        "time_zone": "America/New_York",
        "date_order": DateOrder.MDY,
    },
    "cancellations.jsonl": {"state": State.CANCEL},
}


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_examples", EXAMPLES / "make_examples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_files_are_what_their_generator_makes(maker: ModuleType) -> None:
    made = maker.make()
    assert made.keys() == SAID.keys()
    for name, content in made.items():
        assert (EXAMPLES / name).read_bytes() == content, f"python examples/make_examples.py makes another {name}"
    assert sum(map(len, made.values())) < 1_500_000


@pytest.mark.parametrize("name", SAID)
def test_every_row_of_an_example_is_delivered_refused_or_left_out_for_a_reason(name: str) -> None:
    with (EXAMPLES / name).open("rb") as source:
        reading = Reading(source, Options.read(external_account="acme-events", **SAID[name]))
        items = list(reading.items())
    facts = reading.facts
    assert facts.records + facts.refused == len(items)
    assert facts.records > 250
    assert 5 <= facts.refused <= 30
    if not facts.gathered:
        assert facts.rows == len(items) + facts.left_out.total()


def test_the_examples_tell_of_two_events_and_every_state() -> None:
    groups: set[tuple[str, str]] = set()
    for name, said in SAID.items():
        with (EXAMPLES / name).open("rb") as source:
            reading = Reading(source, Options.read(external_account="acme-events", **said))
            assert sum(1 for _ in reading.items())
            groups |= {(event, state) for _, event, state in reading.facts.groups}
    assert groups == {
        ("acme-events/spring-summit-2026", "register"),
        ("acme-events/webinar-42", "register"),
        ("acme-events/spring-summit-2026", "attend"),
        ("acme-events/spring-summit-2026", "cancel"),
        ("acme-events/webinar-42", "cancel"),
    }


@pytest.mark.parametrize("name", SAID)
def test_the_readme_says_how_each_example_is_handed_in(name: str) -> None:
    assert f"turnout enqueue examples/{name} " in (EXAMPLES / "README.md").read_text("utf-8")
