"""A look at everything that Turnout needs, each with what is wrong and what to do.

One call goes to HubSpot, with a permit like any other: it reads what nobody is known for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

import redis
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from hubspot_api.client import get
from hubspot_api.limiter import Use
from hubspot_api.participations import contact_path
from hubspot_api.transport import NoResponse, Response
from models.message import DEFAULT_ACCOUNT
from worker import heartbeat, startup
from worker.accounts.destination import Destination, NoDestination
from worker.celery import app
from worker.context import Context
from worker.delivery import permits
from worker.startup import Severity

NOBODY: Final = "nobody@turnout.invalid"
"""Whose participations are asked for: the name belongs to nobody, by RFC 2606."""
SKEW: Final = 60.0
"""Seconds between two clocks that are worth a word."""


class Health(StrEnum):
    """How something was found."""

    WELL = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was looked at, how it was found, and what to do; nothing where it is well."""

    about: str
    verdict: Health
    found: str
    todo: str = ""


def examine(process: Context) -> Iterator[Diagnosis]:
    """Look at the database, Redis, the broker, the workers, HubSpot, its token, its limits and the clocks."""
    found = startup.findings(process.settings, process.engine)
    for service in startup.Service:
        of = [one for one in found if one.service is service]
        yield from (_of_finding(one) for one in of)
        if not of:
            yield Diagnosis(service, Health.WELL, "answers, and is as it must be")
    yield _broker(process)
    yield _workers(process)
    yield _database_clock(process)
    yield from _hubspot(process)


def _of_finding(one: startup.Finding) -> Diagnosis:
    verdict = Health.WARNING if one.severity is Severity.WARNS else Health.WRONG
    return Diagnosis(one.service, verdict, one.what, one.todo)


def _broker(process: Context) -> Diagnosis:
    app.conf.update(broker_url=process.settings.broker_url)
    try:
        with app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
    except Exception as error:  # noqa: BLE001 - transports raise errors of no common class
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        todo = "is it running, and TURNOUT_BROKER_URL right? Workers look for due work themselves meanwhile"
        return Diagnosis("broker", Health.WRONG, f"is out of reach ({first})", todo)
    return Diagnosis("broker", Health.WELL, "answers")


def _workers(process: Context) -> Diagnosis:
    try:
        number, ticks = heartbeat.workers(process.redis), heartbeat.ticking(process.redis)
    except redis.RedisError:
        return Diagnosis("workers", Health.WARNING, "cannot be counted: Redis is out of reach")
    if not number:
        return Diagnosis("workers", Health.WRONG, "none is alive", "start them: `turnout up`, or docs/operations.md")
    if not ticks:
        return Diagnosis("workers", Health.WARNING, f"{number} alive; beat does not tick", "start beat")
    return Diagnosis("workers", Health.WELL, f"{number} alive; beat ticks")


def _database_clock(process: Context) -> Diagnosis:
    try:
        with process.engine.connect() as connection:
            theirs: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    except DBAPIError:
        return Diagnosis("clock", Health.WARNING, "the database's cannot be read")
    return _clock("clock", theirs, "the database's")


def _clock(about: str, theirs: datetime, whose: str) -> Diagnosis:
    apart = abs((datetime.now(UTC) - theirs).total_seconds())
    if apart > SKEW:
        todo = "let both be set by NTP; Turnout reads the database's, people read this one"
        return Diagnosis(about, Health.WARNING, f"this machine's and {whose} are {apart:,.0f} s apart", todo)
    return Diagnosis(about, Health.WELL, f"as {whose}")


def _hubspot(process: Context) -> Iterator[Diagnosis]:
    try:
        to = process.destination(DEFAULT_ACCOUNT)
    except NoDestination as error:
        yield Diagnosis("HubSpot", Health.WRONG, f"nothing can be sent: {error}", "turnout accounts show default")
        return
    except DBAPIError:
        yield Diagnosis("HubSpot", Health.WARNING, "was not asked: the database is out of reach")
        return
    held = permits.permit(process, to, Use.READ_BACK)
    if held is None:
        yield Diagnosis("HubSpot", Health.WARNING, "was not asked: there is no permit now", "try again in a moment")
        return
    answer = _ask(process, to)
    headers = answer.headers if isinstance(answer, Response) else None
    permits.release(process, to, held, headers, answer.duration)
    yield from _of_answer(to, answer)


def _ask(process: Context, to: Destination) -> Response | NoResponse:
    path = contact_path(to.version, NOBODY)
    return get(f"{to.url}{path}", to.token.get_secret_value(), process.settings.timeout, process.settings.egress)


def _of_answer(to: Destination, answer: Response | NoResponse) -> Iterator[Diagnosis]:
    if isinstance(answer, NoResponse):
        todo = "is TURNOUT_HUBSPOT_URL right? Behind a company's proxy set TURNOUT_HUBSPOT_PROXY"
        yield Diagnosis("HubSpot", Health.WRONG, f"{to.url} did not answer ({answer.because})", todo)
        return
    yield Diagnosis("HubSpot", Health.WELL, f"{to.url} answers (HTTP {answer.status})")
    match answer.status:
        case 401:
            todo = "copy it again, or: turnout accounts set default --token"
            yield Diagnosis("token", Health.WRONG, "is refused (HTTP 401)", todo)
        case 403:
            todo = "give the app crm.objects.marketing_events.read and .write"
            yield Diagnosis("token", Health.WRONG, "lacks a scope (HTTP 403)", todo)
        case 429:
            yield Diagnosis("token", Health.WARNING, "was not looked at: the rate limit is used", "try again later")
        case status if status >= 500:  # noqa: PLR2004 - the class of failures
            yield Diagnosis("token", Health.WARNING, f"was not looked at: HubSpot fails (HTTP {status})", "try later")
        case _:
            found = "is taken, and may read; whether it may write shows with the first delivery"
            yield Diagnosis("token", Health.WELL, found)
    limit, seconds = answer.headers.get("X-HubSpot-RateLimit-Max"), to.burst_seconds
    if limit is not None and limit != str(to.burst_limit):
        found = f"HubSpot says {limit} calls a window, here are set {to.burst_limit} in {seconds:g} s"
        yield Diagnosis("limits", Health.WARNING, found, "Turnout follows HubSpot; set TURNOUT_BURST_LIMIT to it")
    else:
        yield Diagnosis("limits", Health.WELL, f"{to.burst_limit} calls in {seconds:g} s")
    if date := answer.headers.get("Date"):
        try:
            yield _clock("clock", parsedate_to_datetime(date), "HubSpot's")
        except ValueError:
            return
