"""A release after this one: migrations of a test's own, applied after ours."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from alembic.config import Config
from sqlalchemy import Connection

import migrations
from worker import schema
from worker.local import migrate

HEAD = """
import sqlalchemy as sa
from alembic import op
from migrations import online
revision, down_revision = "{revision}", "{after}"
def upgrade():
"""
FOOT = """
    op.execute("INSERT INTO schema_revisions VALUES ('{revision}')")
"""


def add_migrations(bodies: Sequence[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let migrations follow ours until the test ends, each given by the body of its `upgrade`; give their revisions."""
    ours, known = migrate.configuration, schema._revisions()  # noqa: SLF001 - what this release knows
    named = [str(10_000 - len(bodies) + index) for index in range(len(bodies))]
    for revision, after, body in zip(named, [known[0], *named], bodies, strict=False):
        text = HEAD.format(revision=revision, after=after) + body + FOOT.format(revision=revision)
        (folder / f"{revision}.py").write_text(text)

    def configuration(connection: Connection | None) -> Config:
        config = ours(connection)
        config.set_main_option("path_separator", "os")
        config.set_main_option("version_locations", f"{Path(migrations.__file__).parent / 'versions'}:{folder}")
        return config

    monkeypatch.setattr(schema, "_revisions", lambda: [*reversed(named), *known])
    monkeypatch.setattr(migrate, "configuration", configuration)
    return named
