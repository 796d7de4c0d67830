"""What was not accepted: submitted again, as it is or fixed, or dismissed.

Each that is submitted goes through the same accept as everything else, as a part of its own submission, named after
its id: so it has a receipt, and however often, and by however many, it is submitted again, it is accepted once.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import ARRAY, Connection, Engine, Text, Uuid, column, func, literal, select, update

from models.accept_rules import Rules
from models.input_check import INT64_MAX, Candidate, Reason, shown
from models.message import Message, Unreadable, loads, read_fields, read_message
from models.tables import Account, Refused, Submission, among
from models.words import Closing, Origin
from worker.intake.accept import Inbound, accept
from worker.intake.receipts import own_part
from worker.queries.job_results import ItemToday
from worker.queries.refusals import Refusal, RefusalFilter, page_of

if TYPE_CHECKING:
    from worker.files.rows import FileRecord


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of one that was submitted again or dismissed; with reasons it was not, and stays as it was."""

    id: int
    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    reasons: tuple[Reason, ...] = ()


def of_item(item: ItemToday) -> Replayed:
    """Read the result of one out of a job's item."""
    result = item.result
    if not result:
        return Replayed(item.item)
    reasons = tuple(Reason(**reason) for reason in result["reasons"])
    return Replayed(item.item, result["accepted"], result["duplicates"], result["refused"], reasons)


@dataclass(frozen=True, slots=True)
class Closer:
    """Who closes refusals, and why; and the account that takes the place of the one that their messages name."""

    by: str
    because: str = ""
    use_account: str | None = None


def replay(  # noqa: PLR0913
    engine: Engine,
    connection: Connection,
    rules: Rules,
    chosen: RefusalFilter,
    span: tuple[int, int],
    *,
    closer: Closer,
) -> tuple[list[Replayed], int | None]:
    """Submit the next of the chosen refusals again, as they are; give the results, and where to go on."""
    ids, following = _next(engine, chosen, span)
    return replay_named(engine, connection, rules, ids, closer), following


def discard(
    engine: Engine, connection: Connection, chosen: RefusalFilter, span: tuple[int, int], closer: Closer
) -> tuple[list[Replayed], int | None]:
    """Dismiss the next of the chosen refusals; give the results, and where to go on."""
    ids, following = _next(engine, chosen, span)
    return discard_named(connection, ids, closer), following


def _next(engine: Engine, chosen: RefusalFilter, span: tuple[int, int]) -> tuple[list[int], int | None]:
    after, until = span
    rows = page_of(engine, chosen, after, newest_first=False)
    mine = [row.id for row in rows if row.id <= until and chosen.includes(row)]
    return mine, rows[-1].id if rows and rows[-1].id < until else None


def replay_named(
    engine: Engine, connection: Connection, rules: Rules, ids: Sequence[int], closer: Closer
) -> list[Replayed]:
    """Submit these again, as they are; what is not open any more says so.

    They are held until the connection's transaction ends, which closes them: whoever would dismiss, correct or submit
    one of them meanwhile waits, and finds it closed. Where a crash comes before that, they are submitted again as parts
    seen before, and come to the same.
    """
    held = _hold(connection, ids)
    done: list[Replayed] = []
    last = 0
    # Read once they are held: what was erased of a message before that is not submitted.
    while rows := page_of(engine, RefusalFilter(ids=held), last, newest_first=False):
        done += _submit(engine, rules, rows, closer)
        last = rows[-1].id
    _close(connection, [one.id for one in done if not one.reasons], Closing.SUBMITTED, closer)
    return [*done, *map(_gone, sorted({*ids} - {one.id for one in done}))]


def discard_named(connection: Connection, ids: Sequence[int], closer: Closer) -> list[Replayed]:
    """Dismiss these; what is not open any more says so."""
    won = {*_hold_unsubmitted(connection, ids)}
    _close(connection, won, Closing.DISMISSED, closer)
    return [Replayed(id_) if id_ in won else _gone(id_) for id_ in ids]


def _gone(id_: int) -> Replayed:
    what, right = "was submitted again, dismissed, erased or purged since it was shown", "nothing more"
    return Replayed(id_, reasons=(Reason(f"message {id_}", what, right),))


def against(
    engine: Engine, refusal: Refusal, known: dict[str, tuple[Reason, ...]], use_account: str | None = None
) -> tuple[Reason, ...]:
    """Say why a refusal would be refused again now; nothing where it would be accepted, at least in part."""
    return _against(engine, _messages(refusal, use_account), known)


def replay_fixed(engine: Engine, rules: Rules, fixed: Refusal, closer: Closer) -> Replayed:
    """Submit one refusal as it was fixed; held meanwhile, as by `replay_named`, so that one fix of it is taken."""
    with engine.begin() as connection:
        if not _hold_unsubmitted(connection, [fixed.id]):
            return _gone(fixed.id)
        (done,) = _submit(engine, rules, [fixed], closer)
        if not done.reasons:
            _close(connection, [done.id], Closing.SUBMITTED, closer)
    return done


def keep_draft(engine: Engine, id_: int, draft: Mapping[str, object]) -> None:
    """Keep what an operator made of a refusal, which is still not accepted."""
    with engine.begin() as connection:
        connection.execute(update(Refused).where(Refused.id == id_, Refused.is_open()).values(draft=draft))


def replay_mended(
    engine: Engine, rules: Rules, lines: Iterator[bytes], closer: Closer
) -> Iterator[tuple[int, Replayed | Reason]]:
    """Submit corrected lines, as `as_line` wrote them; give the result of each, by the line's number."""
    for number, text_ in enumerate(lines, 1):
        if not text_.strip():
            continue
        mended = _mended(engine, text_, f"line {number}")
        if isinstance(mended, Reason):
            yield number, mended
        else:
            yield number, replay_fixed(engine, rules, mended, closer)


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
        return Reason(where, f"is not JSON ({shown(error)})", right)
    named = fields.get("refused") if isinstance(fields, dict) else None
    if not isinstance(fields, dict) or not isinstance(named, int) or isinstance(named, bool):
        return Reason(where, "names no message that was not accepted", right)
    raw = fields.get("message", fields.get("text"))
    if not isinstance(raw, dict | str):
        return Reason(where, "has no message", right)
    rows = page_of(engine, RefusalFilter(ids=[named]), 0, newest_first=False) if 0 < named <= INT64_MAX else []
    if not rows:
        return Reason(
            where,
            f"message {named} is unknown, or was submitted again or dismissed",
            "an id that `turnout refused` lists",
        )
    if raw == rows[0].message:
        return rows[0]  # as it was: its rows say what is wrong
    mended = raw.encode(errors="replace") if isinstance(raw, str) else json.dumps(raw).encode()
    return replace(rows[0], raw=mended, source=None)


def _messages(refusal: Refusal, use_account: str | None) -> list[Message] | tuple[Reason, ...]:
    """Read what a refusal comes to: its message, or, of a file's rows, those of the records that they are.

    Where one of them cannot be read, say why: nothing of it is submitted then.
    """
    if refusal.source is None:
        found = [read_message(refusal.raw)]
    else:
        from worker.files.source import Source  # the reading of files, which few processes ever do

        records = Source.read(refusal.source).reread()
        if isinstance(records, tuple):
            return records
        found = [message_of(record) for record in records]
    reasons = [reason for one in found if isinstance(one, Unreadable) for reason in one.reasons]
    return tuple(reasons) or [_with_account(one, use_account) for one in found if isinstance(one, Message)]


def message_of(record: "FileRecord") -> Message | Unreadable:
    """Write the record of a file's rows as the message that it is."""
    from worker.files.where import Where

    address = record.address
    where = Where(
        record.account, address.object_id, address.external_event_id, address.external_account_id, record.state
    )
    return read_fields({**where.fields(), "inputs": [record.candidate.input]})


def _with_account(message: Message, use_account: str | None) -> Message:
    if use_account is None:
        return message
    return replace(message, account=use_account, envelope={**message.envelope, "account": use_account})


def _submit(engine: Engine, rules: Rules, refusals: Sequence[Refusal], closer: Closer) -> Iterator[Replayed]:
    """Submit refusals, those that would only be refused again apart."""
    handed: list[Inbound] = []
    ids: list[int] = []
    known: dict[str, tuple[Reason, ...]] = {}
    for one in refusals:
        messages = _messages(one, closer.use_account)
        reasons = _against(engine, messages, known)
        if reasons or isinstance(messages, tuple):
            yield Replayed(one.id, reasons=reasons)
            continue
        for number, message in enumerate(messages):
            part = own_part("refused", one.id) + (f"\x1f{number}" if number else "")
            own = replace(message, submission=one.submission, part=part, producer=one.producer)
            handed.append(Inbound(one.door, part, own.whole(), own, key_id=one.key_id))
            ids.append(one.id)
    if not handed:
        return
    with engine.connect() as connection:
        parts = accept(connection, handed, replace(rules, origin=Origin.REPLAY))
        came_to = _receipts(connection, [(part.submission, part.part) for part in parts])
    for id_, some in groupby(zip(ids, parts, strict=True), key=lambda one: one[0]):
        counts = [came_to[part.submission, part.part] for _, part in some]
        accepted, duplicates, refused = (sum(each) for each in zip(*counts, strict=True))
        yield Replayed(id_, accepted, duplicates, refused)


def _receipts(
    connection: Connection, parts: Sequence[tuple[UUID, str]]
) -> dict[tuple[UUID, str], tuple[int, int, int]]:
    """Read what parts of submissions came to, those of them that were accepted."""
    named = func.unnest(
        literal([submission for submission, _ in parts], ARRAY(Uuid)), literal([part for _, part in parts], ARRAY(Text))
    ).table_valued(column("submission", Uuid), column("part", Text))
    seen = named.render_derived("named")
    rows = connection.execute(
        select(
            *(Submission.submission, Submission.part),
            *(Submission.accepted, Submission.duplicates, Submission.refused),
        ).join(seen, (Submission.submission == seen.c.submission) & (Submission.part == seen.c.part))
    )
    return {(row.submission, row.part): (row.accepted, row.duplicates, row.refused) for row in rows}


def _hold(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Lock those of these that are open, in the order of their ids, until the transaction ends; name them.

    Accepting, which has a connection of its own, locks no such row, and what locks events never waits for one.
    """
    of_these = select(Refused.id).where(Refused.id == among(ids), Refused.is_open())
    return [*connection.execute(of_these.order_by(Refused.id).with_for_update()).scalars()]


def _hold_unsubmitted(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Hold these, without those that were submitted by a process that died before it closed them: they are closed."""
    held = _hold(connection, ids)
    of_these = select(Refused.id, Submission.submission).join(Submission, Submission.id == Refused.submission_id)
    rows = connection.execute(of_these.where(Refused.id == among(held))).all()
    part_of = {id_: (submission, own_part("refused", id_)) for id_, submission in rows}
    seen = _receipts(connection, [*part_of.values()])
    submitted = {id_ for id_, part in part_of.items() if part in seen}
    _close(connection, submitted, Closing.SUBMITTED, Closer(by=""))
    return [id_ for id_ in held if id_ not in submitted]


def _close(connection: Connection, ids: Collection[int], how: Closing, closer: Closer) -> None:
    """Close these, which are held, so that they are offered no more."""
    facts = {"closing": how, "closed_by": closer.by, "closed_because": closer.because}
    held = update(Refused).where(Refused.id == among(ids))
    connection.execute(held.values(closed_at=func.now(), draft=None, **facts))


def _against(
    engine: Engine,
    messages: list[Message] | tuple[Reason, ...],
    known: dict[str, tuple[Reason, ...]],
) -> tuple[Reason, ...]:
    """Say why the whole of some messages would be refused again; nothing where some of it would be accepted.

    `known` is what was found out about accounts, by their names.
    """
    if isinstance(messages, tuple):
        return messages
    reasons: list[Reason] = []
    for message in messages:
        found = _against_one(engine, message, known)
        if not found:
            return ()
        reasons += found
    return tuple(reasons)


def _against_one(engine: Engine, message: Message, known: dict[str, tuple[Reason, ...]]) -> tuple[Reason, ...]:
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
    known = select(Account.id).where(Account.name == name, Account.is_known())
    with engine.connect() as connection:
        if connection.execute(known).one_or_none() is not None:
            return ()
    return (Reason("account", f"'{shown(name)}' is unknown", "an account that `turnout accounts list` shows"),)
