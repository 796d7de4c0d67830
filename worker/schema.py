"""The schema of the database, against what this release needs: Alembic's revisions, and which releases they allow."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, bindparam, select, text

import migrations
from models.tables import SchemaRevision


@dataclass(frozen=True, slots=True)
class Schema:
    """The revision of the tables (none: there are none), and whether this release can work on them."""

    revision: str | None
    fits: bool
    is_newer: bool = False
    """A release after this one made it."""


_ARE_THERE: Final = text(
    "SELECT to_regclass('alembic_version') IS NOT NULL, to_regclass('schema_revisions') IS NOT NULL"
)
_REVISION: Final = text("SELECT version_num FROM alembic_version")
_ALLOWED: Final = select(SchemaRevision.revision).where(SchemaRevision.revision == bindparam("needed"))


def read_schema(connection: Connection) -> Schema:
    """Compare the database's schema with the one that this release needs."""
    has_version, has_revisions = connection.execute(_ARE_THERE).one()
    revision = connection.execute(_REVISION).scalar() if has_version else None
    if revision is None:
        return Schema(None, fits=False)
    allowed = has_revisions and connection.execute(_ALLOWED, {"needed": needed()}).first() is not None
    return Schema(revision, fits=allowed, is_newer=revision not in _revisions())


def needed() -> str:
    """Give the revision that this release was made for."""
    return _revisions()[0]


_OF_A_MIGRATION: Final = re.compile(
    r"""^revision = ["'](\w+)["']\ndown_revision = (?:["'](\w+)["']|None)$""", re.MULTILINE
)


@cache
def _revisions() -> list[str]:
    """Give the revisions that this release knows, the newest first.

    They are read as text: Alembic is imported where tables are changed, and every process and many commands look here.
    """
    written = (file.read_text("utf-8") for file in Path(migrations.__file__).with_name("versions").glob("*.py"))
    after = {before: revision for text in written for revision, before in _OF_A_MIGRATION.findall(text)}
    found: list[str] = []
    while (revision := after.get(found[-1] if found else "")) is not None:
        found.append(revision)
    return found[::-1]
