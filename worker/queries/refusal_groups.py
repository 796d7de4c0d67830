"""Open refusals by what is wrong with them: the kind of fault and the field, with a sample and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, RowMapping, bindparam, func, select, text

from models.advice import Who
from models.ids import NAME
from models.input_check import Reason
from models.message import DEFAULT_ACCOUNT, loads
from models.refusal_kind import MEANINGS, UNGROUPED, Kind, RefusalKind
from models.tables import Refused, ids
from worker.queries.rows import AT_MOST


@dataclass(frozen=True, slots=True)
class OpenRefusalGroup:
    """A group that has open refusals: what is wrong, how many they are, the newest as a sample, and what to do."""

    id: str
    kind: Kind
    field: str
    account: str
    """The account that is not known, where that is what is wrong."""
    means: str
    who: Who
    action: str
    count: int
    more: bool
    """There may be more than were counted."""
    first_seen: datetime
    last_seen: datetime
    sample: int
    reasons: list[dict[str, str]]
    """Of the sample."""

    @property
    def how_many(self) -> str:
        """Write its count."""
        return f"{'more than ' if self.more else ''}{self.count:,}"

    @property
    def can_be_added(self) -> bool:
        """Say whether an account can have the name that is not known: producers write what they like there."""
        return NAME.fullmatch(self.account) is not None

    @property
    def commands(self) -> list[str]:
        """Give the commands that do the same."""
        added = [f"turnout accounts add {self.account}", f"turnout refused retry --group {self.id}"]
        added = added if self.can_be_added else []
        other = f"turnout refused retry --group {self.id} --as ANOTHER"
        fixed = [f"turnout refused --group {self.id} --out fix.jsonl", "turnout refused retry --from fix.jsonl"]
        return [*([*added, other] if self.kind is Kind.ACCOUNT else fixed),
                f"turnout refused dismiss --group {self.id} --because WHY"]  # fmt: skip


_GROUPED: Final = text("""
WITH RECURSIVE leap(id, number) AS (
  (SELECT group_id, 1 FROM refused WHERE replayed_at IS NULL ORDER BY group_id LIMIT 1)
  UNION ALL SELECT (
    SELECT group_id FROM refused WHERE replayed_at IS NULL AND group_id > leap.id ORDER BY group_id LIMIT 1), number + 1
  FROM leap WHERE leap.id IS NOT NULL AND number < 1000)
SELECT leap.id, s.id AS sample, s.reasons, s.refused_at AS last_seen, o.refused_at AS first_seen,
  CASE WHEN s.reasons -> 0 ->> 'where' = 'account' THEN s.raw END AS raw, (
    SELECT count(*) FROM (
      SELECT FROM refused r WHERE r.group_id = leap.id AND r.replayed_at IS NULL AND r.raw <> ''::bytea
      LIMIT bound + 1) few
  ) AS count, bound
FROM leap CROSS JOIN (
  SELECT LEAST(CAST(:at_most AS bigint), CAST(:altogether AS bigint) / GREATEST(1, count(id))) AS bound FROM leap
) bounds CROSS JOIN LATERAL (
  SELECT * FROM refused r WHERE r.group_id = leap.id AND r.replayed_at IS NULL AND r.raw <> ''::bytea
  ORDER BY r.id DESC LIMIT 1) s
CROSS JOIN LATERAL (
  SELECT refused_at FROM refused r WHERE r.group_id = leap.id AND r.replayed_at IS NULL AND r.raw <> ''::bytea
  ORDER BY r.id LIMIT 1) o
ORDER BY count DESC, s.id DESC LIMIT CAST(:limit AS bigint)""")
"""The groups that have open refusals, the largest first. They are found by leaping along the index of what is open, a
probe each, a thousand at most; each count goes no further than just beyond a bound, which is less where they are many.
"""
ALTOGETHER: Final = 200_000
"""Refusals that are counted, of all groups together."""


def grouped(engine: Engine, limit: int = 50) -> list[OpenRefusalGroup]:
    """List the groups that have open refusals, the largest first, with a sample and what to do."""
    with engine.connect() as connection:
        rows = connection.execute(_GROUPED, {"limit": limit, "at_most": AT_MOST, "altogether": ALTOGETHER}).mappings()
        return [_group(row) for row in rows]


def _group(row: RowMapping) -> OpenRefusalGroup:
    kind = kind_of(row["reasons"], row["raw"]) if row["id"] != UNGROUPED else RefusalKind(Kind.OTHER, "")
    meaning = MEANINGS[kind.kind]
    return OpenRefusalGroup(
        row["id"],
        kind.kind,
        kind.field,
        kind.account,
        *meaning,
        count=min(row["count"], row["bound"]),
        more=row["count"] > row["bound"],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        sample=row["sample"],
        reasons=row["reasons"],
    )


def kind_of(reasons: Sequence[dict[str, str]], raw: bytes | None) -> RefusalKind:
    """Tell the kind of a refusal; `raw` is its message, where the fault is its account."""
    return RefusalKind.of([Reason(**one) for one in reasons], None if raw is None else _account(raw))


def _account(raw: bytes) -> str | None:
    try:
        message = loads(raw)
    except (ValueError, RecursionError):
        return None
    return str(message.get("account") or DEFAULT_ACCOUNT) if isinstance(message, dict) else None


_NAMED: Final = (
    select(Refused.reasons, Refused.raw)
    .where(Refused.group_id == bindparam("group"), Refused.is_open())
    .order_by(Refused.id.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class DistinctFault:
    """A group of some refusals: what is wrong with them, how many they are, and who can fix it."""

    id: str
    means: str
    field: str
    who: Who
    sample: str
    count: int


_DISTINCT: Final = (
    select(Refused.group_id, func.count().label("number"), func.max(Refused.id).label("newest"))
    .where(Refused.id == ids("ids"))
    .group_by(Refused.group_id)
    .subquery("counted")
)
_SAMPLES: Final = (
    select(Refused.group_id, Refused.reasons, _DISTINCT.c.number)
    .join(_DISTINCT, _DISTINCT.c.newest == Refused.id)
    .order_by(_DISTINCT.c.number.desc(), Refused.group_id)
)


def distinct(connection: Connection, refused_ids: Sequence[int]) -> list[DistinctFault]:
    """Say what is wrong with these refusals, with counts, the largest first."""
    found: list[DistinctFault] = []
    for row in connection.execute(_SAMPLES, {"ids": list(refused_ids)}):
        kind = kind_of(row.reasons, None)
        meaning = MEANINGS[kind.kind]
        sample = str(Reason(**row.reasons[0]))
        found.append(DistinctFault(row.group_id, meaning.means, kind.field, meaning.who, sample, row.number))
    return found


def named(engine: Engine, group_id: str) -> str:
    """Say what is wrong with the open refusals of a group; nothing where there are none."""
    with engine.connect() as connection:
        row = connection.execute(_NAMED, {"group": group_id}).one_or_none()
    if row is None:
        return ""
    kind = kind_of(row.reasons, row.raw)
    what = f"account {kind.account}" if kind.account else kind.field
    return f"{what}: {MEANINGS[kind.kind].means}" if what else MEANINGS[kind.kind].means
