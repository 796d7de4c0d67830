"""Templates, and how values are written: as the commands write them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from jinja2 import Environment
from markupsafe import Markup

from models.words import Role, word_of
from web.console import chart
from web.masking import for_viewer
from web.templating import environment
from worker.queries.rows import as_said, plain


def render(role: Role | None, template: str, facts: Mapping[str, Any]) -> str:
    """Write a page for somebody of this role, or for nobody yet."""
    shown = facts if role is Role.OPERATOR else for_viewer(facts)
    return _environment().get_template(f"console/{template}").render(shown)


@cache
def _environment() -> Environment:
    """Make the templates' ground, with the ways in which values are written."""
    made = environment()
    made.filters |= {
        "number": lambda value: f"{value:,}",
        "count": as_said,
        "spark": chart.spark,
        "moment": _moment,
        "ago": _age,
        "json": _json,
        "word": word_of,
        "query": _query,
        "pairs": parse_qsl,
    }
    made.globals["now"] = lambda: f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    made.tests["ahead"] = lambda moment: moment is not None and moment > datetime.now(UTC)
    return made


def _moment(value: datetime | None) -> Markup:
    if value is None:
        return Markup("–")
    here = value.astimezone(UTC)
    return Markup('<time datetime="{}" title="{}">{}Z</time>').format(
        f"{here:%Y-%m-%dT%H:%M:%SZ}", _ago(value), f"{here:%Y-%m-%d %H:%M:%S}"
    )


def _age(value: datetime) -> Markup:
    """Write how far off a moment is, so that a script can count on."""
    here = value.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(f"{here:%Y-%m-%dT%H:%M:%SZ}", _ago(value))


def _ago(value: datetime) -> str:
    """Write how far off a moment is: `12 s ago`, `in 5 min`."""
    seconds = (datetime.now(UTC) - value).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if abs(seconds) >= 2 * length or unit == "s":
            number = f"{abs(seconds) / length:.0f} {unit}"
            return f"{number} ago" if seconds >= 0 else f"in {number}"
    raise AssertionError


def _json(value: object) -> str:
    return orjson.dumps(value, default=plain, option=orjson.OPT_INDENT_2).decode()


def _query(filters: Mapping[str, object], **more: object) -> str:
    """Write filters as a link carries them, without those that are not set."""
    return "?" + urlencode(
        {name: value for name, value in {**filters, **more}.items() if value not in {None, "", False}}
    )
