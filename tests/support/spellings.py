"""One address in many spellings, and every place of a database where somebody is named."""

import json
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from tests.support.ledger import ask

SPELLINGS: Final[list[str]] = json.loads(
    (Path(__file__).parent.parent / "corpora" / "spellings.json").read_text("utf-8")
)
"""zora.quillfeather@example.com, as people and programs write it."""


def found(engine: Engine, *names: str) -> list[str]:
    """Every column of every table in which one of these stands, as text or as bytes, in any case."""
    places = []
    for (table,) in ask(engine, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        columns = ask(
            engine, "SELECT attname FROM pg_attribute WHERE attrelid = CAST(:t AS regclass) AND attnum > 0", t=table
        )
        texts = ", ".join(f'"{column}"::text AS "{column}"' for (column,) in columns)
        for row in [*ask(engine, f"SELECT * FROM (SELECT {texts} FROM {table}) kept")]:
            for column, value in row._mapping.items():  # noqa: SLF001 - its public name
                said = value or ""
                if said.startswith("\\x"):
                    said += bytes.fromhex(said[2:]).replace(b"\0", b"").decode("latin-1")
                places += [f"{table}.{column}: {name}" for name in names if name.lower() in said.lower()]
    return places
