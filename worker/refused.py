"""What was refused at the door: shown with its reasons, and handed in again, as it is or mended.

Each goes through the same accept as everything else, as the part `refused ID` of its own submission: so it has a
receipt of its own, and however often, and by however many, it is handed in again, it is accepted once.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from models.message import DEFAULT_ACCOUNT, Message, Unreadable, loads, read_message
from models.preflight import Candidate, Reason, shown
from models.words import Door, Origin
from worker.accept import Handed, Rules, accept
from worker.database import repeat

STEP: Final = 50
"""Refusals read at once; each may be a whole message."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which refusals: by id, by submission, by the account that the message names; else all."""

    ids: Sequence[int] | None = None
    submission: UUID | None = None
    account: str | None = None

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """Read a choice as `written` writes it."""
        submission = {"submission": UUID(written["submission"])} if "submission" in written else {}
        return cls(**{**written, **submission})

    @property
    def written(self) -> dict[str, object]:
        """Write it as JSON: what of it is set, by its names."""
        facts = {"ids": self.ids and list(self.ids), "submission": self.submission and str(self.submission)}
        return {name: value for name, value in {**facts, "account": self.account}.items() if value}


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one that was handed in again; with reasons it is still refused, and waits as it was."""

    id: int
    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    reasons: tuple[Reason, ...] = ()


def of_item(item: Mapping[str, Any]) -> Replayed:
    """Read what became of a refusal out of a job's item."""
    told = item["told"]
    reasons = tuple(Reason(**reason) for reason in told["reasons"])
    return Replayed(item["item"], told["accepted"], told["duplicates"], told["refused"], reasons)


def waiting(engine: Engine, chosen: Chosen, before: int | None = None) -> Iterator[Row]:
    """Give the refusals that were not handed in again, the newest first, each with its message as JSON or text."""
    last = 2**63 - 1 if before is None else before
    while True:
        rows = _page(engine, chosen, last, newest_first=True)
        yield from (row for row in rows if chosen.account is None or row["account"] == chosen.account)
        if len(rows) < STEP:
            return
        last = rows[-1]["id"]


def line(row: Row) -> bytes:
    """Write a refusal as a line that can be mended: in `message`, or, where it is no JSON, in `text`."""
    said = [str(Reason(**reason)) for reason in row["reasons"]]
    kept = {name: row[name] for name in ("message", "text") if row[name] is not None}
    return json.dumps({"refused": row["id"], "reasons": said, **kept}).encode() + b"\n"  # orjson knows no large number


def replay(engine: Engine, rules: Rules, chosen: Chosen, after: int, until: int) -> tuple[list[Replayed], int | None]:
    """Hand the next of the chosen refusals in again, as they are; give what became of them, and where to go on."""
    rows = _page(engine, chosen, after, newest_first=False)
    mine = [row for row in rows if row["id"] <= until and (chosen.account is None or row["account"] == chosen.account)]
    return list(_hand_in(engine, rules, mine)), rows[-1]["id"] if rows and rows[-1]["id"] < until else None


def replay_mended(engine: Engine, rules: Rules, lines: Iterator[bytes]) -> Iterator[tuple[int, Replayed | Reason]]:
    """Hand in mended lines, as `line` wrote them; give what became of each, by the line's number."""
    for number, text_ in enumerate(lines, 1):
        if not text_.strip():
            continue
        mended = _mended(engine, text_, f"line {number}")
        if isinstance(mended, Reason):
            yield number, mended
        else:
            for done in _hand_in(engine, rules, [mended]):
                yield number, done


def _mended(engine: Engine, written: bytes, where: str) -> Row | Reason:
    right = 'an object as `turnout refused --out` writes it: {"refused": ID, "message": {…}}'
    try:
        fields = loads(written)
    except (ValueError, RecursionError) as error:
        return Reason(where, f"is no JSON ({shown(error)})", right)
    named = fields.get("refused") if isinstance(fields, dict) else None
    if not isinstance(fields, dict) or not isinstance(named, int) or isinstance(named, bool):
        return Reason(where, "names no refusal", right)
    raw = fields.get("message", fields.get("text"))
    if not isinstance(raw, dict | str):
        return Reason(where, "has no message", right)
    rows = _page(engine, Chosen(ids=[named]), 0, newest_first=False) if 0 < named < 2**63 else []
    if not rows:
        return Reason(
            where, f"refusal {named} is unknown, or was handed in again", "an id that `turnout refused` lists"
        )
    return {**rows[0], "raw": raw.encode(errors="replace") if isinstance(raw, str) else json.dumps(raw).encode()}


def _page(engine: Engine, chosen: Chosen, last: int, *, newest_first: bool) -> list[Row]:
    beyond, order = ("f.id < :last", "DESC") if newest_first else ("f.id > :last", "ASC")
    conditions = {
        "f.id = ANY(:ids)": None if chosen.ids is None else list(chosen.ids),
        "s.submission = :submission": chosen.submission,
    }
    where = " AND ".join([beyond, *(condition for condition, value in conditions.items() if value is not None)])
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"""
            SELECT f.id, f.raw, f.inputs, f.reasons, f.refused_at, s.submission, s.part, s.door, s.producer, s.key_id
            FROM refused f JOIN submissions s ON s.id = f.submission_id
            WHERE f.replayed_at IS NULL AND f.raw <> '' AND {where} ORDER BY f.id {order} LIMIT :step"""),
            {"last": last, "ids": conditions["f.id = ANY(:ids)"], "submission": chosen.submission, "step": STEP},
        ).all()
    return [{**row._mapping, **_read(bytes(row.raw))} for row in rows]  # noqa: SLF001 - its public name


def _read(raw: bytes) -> Row:
    """Read what can be read of a refused message."""
    try:
        message = loads(raw)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        return {"account": None, "message": None, "text": raw.decode(errors="replace")}
    return {"account": message.get("account") or DEFAULT_ACCOUNT, "message": message, "text": None}


def _hand_in(engine: Engine, rules: Rules, rows: Sequence[Row]) -> Iterator[Replayed]:
    """Hand refusals in again, those that would only be refused again apart."""
    handed: list[Handed] = []
    ids: list[int] = []
    for row in rows:
        raw, part = bytes(row["raw"]), f"refused {row['id']}"
        message = read_message(raw)
        reasons = _against(engine, message)
        if isinstance(message, Unreadable) or reasons:
            yield Replayed(row["id"], reasons=reasons)
            continue
        message = replace(message, submission=row["submission"], part=part, producer=row["producer"])
        handed.append(Handed(Door(row["door"]), part, raw, message, key_id=row["key_id"]))
        ids.append(row["id"])
    if not handed:
        return
    with engine.connect() as connection:
        parts = accept(connection, handed, replace(rules, origin=Origin.REPLAY))
        repeat(lambda: _mark(connection, ids), when_lost=False)
    for id_, part_ in zip(ids, parts, strict=True):
        yield Replayed(id_, part_.accepted, part_.duplicates, part_.refused)


def _mark(connection: Connection, ids: Sequence[int]) -> None:
    """Offer these no more. Where a crash comes before this, they are handed in again as parts seen before."""
    with connection.begin():
        connection.execute(
            text("UPDATE refused SET replayed_at = now() WHERE id = ANY(:ids) AND replayed_at IS NULL"),
            {"ids": list(ids)},
        )


def _against(engine: Engine, message: Message | Unreadable) -> tuple[Reason, ...]:
    """Say why the whole of a message would be refused again; nothing where some of it would be accepted."""
    if isinstance(message, Unreadable):
        return message.reasons
    with engine.connect() as connection:
        known = connection.execute(
            text("SELECT EXISTS (SELECT FROM accounts WHERE name = :name AND removed_at IS NULL)"),
            {"name": message.account},
        ).scalar_one()
    if not known:
        return (
            Reason("account", f"'{shown(message.account)}' is unknown", "an account that `turnout accounts` lists"),
        )
    judged = list(message.judged())
    if any(isinstance(one, Candidate) for one in judged):
        return ()
    return tuple(reason for one in judged if not isinstance(one, Candidate) for reason in one)
