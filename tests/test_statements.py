"""Statements stand whole, beside their module; those in raw SQL fit the migrated schema."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, TextClause

import cli
import hubspot_api
import tasks
import web
import worker
from models.words import Origin, Outcome, Resolution, State, Status

ROOT = Path(__file__).parent.parent
PACKAGES = (cli, hubspot_api, tasks, web, worker)
SOURCES = sorted(path for package in PACKAGES for path in Path(package.__path__[0]).rglob("*.py"))


def raw_statements() -> Iterator[tuple[str, TextClause]]:
    """Every statement in raw SQL, by where it is defined."""
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith(".__main__"):
                continue
            module = importlib.import_module(found.name)
            for name, value in vars(module).items():
                held = dict(enumerate(value)) if type(value) is tuple else value
                several: dict[object, Any] = held if type(held) is dict else {"": held}
                for key, one in several.items():
                    if issubclass(type(one), TextClause):  # not isinstance, which wakes lazy objects
                        yield f"{found.name}.{name}{key}", one


RAW = dict(raw_statements())


def test_every_raw_statement_is_found() -> None:
    trees = [ast.parse(path.read_text()) for path in SOURCES]
    assert len(RAW) == sum(len(list(calls_of_text(tree))) for tree in trees if is_sql(tree))


@pytest.mark.parametrize("name", [name for name, raw in RAW.items() if not raw.text.startswith("ALTER SYSTEM")])
def test_a_raw_statement_fits_the_schema(name: str, engine: Engine) -> None:
    numbers: dict[str, str] = {}
    sql = re.sub(
        r"(?<![:\w]):(\w+)", lambda found: numbers.setdefault(found[1], f"${len(numbers) + 1}"), RAW[name].text
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(f"PREPARE whole AS {sql}")


WORDS = {"status": Status, "outcome": Outcome, "resolution": Resolution, "origin": Origin, "state": State}


def test_words_in_raw_statements_are_those_of_their_columns() -> None:
    """To prepare a statement shows no word that has become another: these columns are text."""
    compared = [
        (name, column, word)
        for name, raw in RAW.items()
        for column, words in re.findall(r"\b(\w+) (?:=|<>|IN) ((?:\('[^)]*\))|'[^']*')", raw.text)
        if column in WORDS
        for word in re.findall("'([^']*)'", words)
    ]
    assert len(compared) > 30
    assert [found for found in compared if found[2] not in set(WORDS[found[1]])] == []


def is_sql(tree: ast.AST) -> bool:
    """Say whether a module can write SQL, so that its `text` is SQLAlchemy's."""
    return any(isinstance(node, ast.ImportFrom) and node.module == "sqlalchemy" for node in ast.walk(tree))


def calls_of_text(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "text":
            yield node


def test_sources_are_read() -> None:
    assert len(SOURCES) > 200


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_raw_sql_is_a_constant_of_its_module(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if not is_sql(tree):
        return
    constants = [node.value for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    whole = {id(call) for constant in constants if constant is not None for call in calls_of_text(constant)}
    for call in calls_of_text(tree):
        assert id(call) in whole, f"line {call.lineno}: a statement that is made anew at each call"
        assert isinstance(call.args[0], ast.Constant), f"line {call.lineno}: a statement that is put together"
