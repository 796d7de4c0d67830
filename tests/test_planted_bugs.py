"""The list of planted bugs fits the code, and the page shows it; planting them is `make planted`."""

import ast
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.planted_bugs import LIST, PAGE, ROOT, Bug, bugs, read_report, rows_of

BUGS = bugs()


@cache
def functions_of(file: str) -> set[str]:
    return {node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_each_can_be_planted(bug: Bug) -> None:
    planted = bug.planted()
    assert planted != (ROOT / bug.file).read_text()
    if bug.file.endswith(".py"):
        ast.parse(planted)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_each_is_expected_to_be_caught_by_tests_that_are_there(bug: Bug) -> None:
    assert bug.tests
    for test in bug.tests:
        file, _, name = test.partition("::")
        assert not name or name in functions_of(file), test


def test_no_two_are_the_same() -> None:
    assert len(BUGS) == len(tomllib.loads(LIST.read_text())) >= 100
    assert len({bug.planted() for bug in BUGS}) == len(BUGS)


def test_the_page_has_a_row_for_each_and_each_was_caught() -> None:
    rows = rows_of(PAGE.read_text())
    assert [*rows] == [bug.name for bug in BUGS]
    for bug in BUGS:
        assert f"{bug.promise} *{bug.bug}*" in rows[bug.name]
        assert [test for test in bug.tests if f"| `{test}" in rows[bug.name]], rows[bug.name]


@pytest.mark.parametrize(
    ("inside", "caught_by"),
    [
        ("<failure/>", "tests/test_a.py::test_b"),
        ("<error/>", None),  # of a fixture, or of an import
        ("", None),
    ],
)
def test_a_bug_is_caught_by_a_test_that_fails_alone(tmp_path: Path, inside: str, caught_by: str | None) -> None:
    report = tmp_path / "report.xml"
    case = f'<testcase classname="tests.test_a" name="test_b[1]" time="1.5">{inside}</testcase>'
    report.write_text(f"<testsuites><testsuite>{case}</testsuite></testsuites>")
    assert read_report(report, "").caught_by == caught_by
    assert read_report(tmp_path / "none.xml", "").caught_by is None
