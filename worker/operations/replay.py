"""What was refused at the door: shown with its reasons, and handed in again, as it is or mended.

Each goes through the same accept as everything else, as a part of its own submission, named after its id: so it has a
receipt of its own, and however often, and by however many, it is handed in again, it is accepted once.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import ARRAY, Connection, Engine, Text, Uuid, column, func, literal, select, update

from models.accept_rules import Rules
from models.input_check import INT64_MAX, Candidate, Reason, shown
from models.message import Message, Unreadable, loads, read_message
from models.tables import Account, Refused, Submission, among
from models.words import Origin
from worker.database import repeat
from worker.intake.accept import Inbound, accept
from worker.intake.receipts import Part, own_part
from worker.queries.job_results import ItemToday
from worker.queries.refusals import Refusal, RefusalFilter, page_of


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one that was handed in again; with reasons it is still refused, and waits as it was."""

    id: int
    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    reasons: tuple[Reason, ...] = ()


def of_item(item: ItemToday) -> Replayed:
    """Read what became of a refusal out of a job's item."""
    result = item.result
    reasons = tuple(Reason(**reason) for reason in result["reasons"])
    return Replayed(item.item, result["accepted"], result["duplicates"], result["refused"], reasons)


def replay(
    engine: Engine, connection: Connection, rules: Rules, chosen: RefusalFilter, span: tuple[int, int]
) -> tuple[list[Replayed], int | None]:
    """Hand the next of the chosen refusals in again, as they are; give what became of them, and where to go on.

    They are offered no more once the connection's transaction is committed. Where a crash comes before that, they are
    handed in again as parts seen before, and come to the same.
    """
    after, until = span
    rows = page_of(engine, chosen, after, newest_first=False)
    mine = [row for row in rows if row.id <= until and chosen.includes(row)]
    done = list(_hand_in(engine, rules, mine))
    _mark(connection, [one.id for one in done if not one.reasons])
    return done, rows[-1].id if rows and rows[-1].id < until else None


def replay_named(engine: Engine, connection: Connection, rules: Rules, ids: Sequence[int]) -> list[Replayed]:
    """Hand these in again, as `replay` does; what is not there any more says so."""
    done: list[Replayed] = []
    last = 0
    while rows := page_of(engine, RefusalFilter(ids=ids), last, newest_first=False):
        done += _hand_in(engine, rules, rows)
        last = rows[-1].id
    _mark(connection, [one.id for one in done if not one.reasons])
    gone = sorted({*ids} - {one.id for one in done})
    what, right = "was submitted again, erased or purged since it was shown", "nothing more"
    return [*done, *(Replayed(id_, reasons=(Reason(f"message {id_}", what, right),)) for id_ in gone)]


def against(engine: Engine, refusal: Refusal, known: dict[str, tuple[Reason, ...]]) -> tuple[Reason, ...]:
    """Say why a refusal would be refused again now; nothing where it would be accepted, at least in part."""
    return _against(engine, read_message(refusal.raw), known)


def replay_mended(engine: Engine, rules: Rules, lines: Iterator[bytes]) -> Iterator[tuple[int, Replayed | Reason]]:
    """Submit corrected lines, as `as_line` wrote them; give the result of each, by the line's number."""
    for number, text_ in enumerate(lines, 1):
        if not text_.strip():
            continue
        mended = _mended(engine, text_, f"line {number}")
        if isinstance(mended, Reason):
            yield number, mended
        else:
            (done,) = _hand_in(engine, rules, [mended])
            if not done.reasons:
                repeat(lambda: _mark_alone(engine, done.id))  # noqa: B023 - run at once
            yield number, done


def rehearse_mended(engine: Engine, lines: Iterator[bytes]) -> Iterator[tuple[Reason, ...]]:
    """Say of each corrected line why it would be refused again now; of one that would be accepted, nothing."""
    known: dict[str, tuple[Reason, ...]] = {}
    for number, text_ in enumerate(lines, 1):
        if text_.strip():
            mended = _mended(engine, text_, f"line {number}")
            yield (mended,) if isinstance(mended, Reason) else against(engine, mended, known)


def _mended(engine: Engine, written: bytes, where: str) -> Refusal | Reason:
    right = 'an object as `turnout refused --out` writes it: {"refused": ID, "message": {…}}'
    try:
        fields = loads(written)
    except ValueError as error:
        return Reason(where, f"is no JSON ({shown(error)})", right)
    named = fields.get("refused") if isinstance(fields, dict) else None
    if not isinstance(fields, dict) or not isinstance(named, int) or isinstance(named, bool):
        return Reason(where, "names no message that was not accepted", right)
    raw = fields.get("message", fields.get("text"))
    if not isinstance(raw, dict | str):
        return Reason(where, "has no message", right)
    rows = page_of(engine, RefusalFilter(ids=[named]), 0, newest_first=False) if 0 < named <= INT64_MAX else []
    if not rows:
        return Reason(
            where, f"message {named} is unknown, or was submitted again", "an id that `turnout refused` lists"
        )
    mended = raw.encode(errors="replace") if isinstance(raw, str) else json.dumps(raw).encode()
    return replace(rows[0], raw=mended)


def _hand_in(engine: Engine, rules: Rules, refusals: Sequence[Refusal]) -> Iterator[Replayed]:
    """Hand refusals in again, those that would only be refused again apart."""
    handed: list[Inbound] = []
    ids: list[int] = []
    known: dict[str, tuple[Reason, ...]] = {}
    for one in refusals:
        part, message = own_part("refused", one.id), read_message(one.raw)
        reasons = _against(engine, message, known)
        if isinstance(message, Unreadable) or reasons:
            yield Replayed(one.id, reasons=reasons)
            continue
        message = replace(message, submission=one.submission, part=part, producer=one.producer)
        handed.append(Inbound(one.door, part, one.raw, message, key_id=one.key_id))
        ids.append(one.id)
    if not handed:
        return
    with engine.connect() as connection:
        parts = accept(connection, handed, replace(rules, origin=Origin.REPLAY))
        came_to = _receipts(connection, parts)
    for id_, part_ in zip(ids, parts, strict=True):
        yield Replayed(id_, *came_to[part_.submission, part_.part])


def _receipts(connection: Connection, parts: Sequence[Part]) -> dict[tuple[UUID, str], tuple[int, int, int]]:
    """Read what parts came to: it may be that they were seen before."""
    named = func.unnest(
        literal([part.submission for part in parts], ARRAY(Uuid)), literal([part.part for part in parts], ARRAY(Text))
    ).table_valued(column("submission", Uuid), column("part", Text))
    seen = named.render_derived("named")
    rows = connection.execute(
        select(
            *(Submission.submission, Submission.part),
            *(Submission.accepted, Submission.duplicates, Submission.refused),
        ).join(seen, (Submission.submission == seen.c.submission) & (Submission.part == seen.c.part))
    )
    return {(row.submission, row.part): (row.accepted, row.duplicates, row.refused) for row in rows}


def _mark(connection: Connection, ids: Sequence[int]) -> None:
    """Offer these no more."""
    waiting = update(Refused).where(Refused.id == among(ids), Refused.replayed_at.is_(None))
    connection.execute(waiting.values(replayed_at=func.now()))


def _mark_alone(engine: Engine, id_: int) -> None:
    with engine.begin() as connection:
        _mark(connection, [id_])


def _against(engine: Engine, message: Message | Unreadable, known: dict[str, tuple[Reason, ...]]) -> tuple[Reason, ...]:
    """Say why the whole of a message would be refused again; nothing where some of it would be accepted.

    `known` is what was found out about accounts, by their names.
    """
    if isinstance(message, Unreadable):
        return message.reasons
    if message.account not in known:
        known[message.account] = _against_account(engine, message.account)
    if known[message.account]:
        return known[message.account]
    reasons: list[Reason] = []
    for one in message.judged():
        if isinstance(one, Candidate):
            return ()
        reasons += one
    return tuple(reasons)


def _against_account(engine: Engine, name: str) -> tuple[Reason, ...]:
    known = select(Account.id).where(Account.name == name, Account.removed_at.is_(None))
    with engine.connect() as connection:
        if connection.execute(known).one_or_none() is not None:
            return ()
    return (Reason("account", f"'{shown(name)}' is unknown", "an account that `turnout accounts list` shows"),)
