"""Every statement of ours that writes or locks: constants of modules, and functions that build one."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from sqlalchemy import ClauseElement, Select, TextClause, UpdateBase

from tests.support.calls import OURS, ROOT

_WRITES: Final = re.compile(r"\b(INSERT INTO|UPDATE [a-z]|DELETE FROM|FOR (NO KEY )?UPDATE|nextval)")
_BUILDS: Final = re.compile(r"(?<![.\w])(insert|update|delete)\(|\bMove\.[A-Z_]+\.update\(|\.with_for_update\(")
"""`update(Batch)`, and no method of a dictionary."""


def modules() -> Iterator[tuple[Path, ModuleType]]:
    """Import every module of ours, and give it with its file; but Celery's beat, and what runs as a program."""
    for path in sorted(path for folder in OURS for path in (ROOT / folder).rglob("*.py")):
        if path.stem != "__main__":
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            yield path, importlib.import_module(name)


def write_statements() -> Iterator[str]:
    """Name each constant that is a statement which writes or locks, and each function that builds one inside."""
    for path, module in modules():
        tree, name = ast.parse(path.read_text()), module.__name__
        for constant, made in _constants(tree):
            value = vars(module)[constant]
            if _is_write(value) if isinstance(value, ClauseElement) else _BUILDS.search(made):
                yield f"{name}.{constant}"
        for function, body in _functions(tree):
            if _BUILDS.search(body):
                yield f"{name}.{function}"


def _is_write(value: ClauseElement) -> bool:
    if isinstance(value, TextClause):
        return bool(_WRITES.search(value.text))
    return isinstance(value, UpdateBase) or (isinstance(value, Select) and value._for_update_arg is not None)  # noqa: SLF001 - SQLAlchemy has no other way to ask


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Give the names that a module assigns itself, with what it makes each of."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        yield name.id, ast.unparse(node.value)


def _functions(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Give each function and method by its qualified name, with its source."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, ast.unparse(node)
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{inner.name}", ast.unparse(inner)
