"""A look at everything that Turnout needs, each with what is wrong and what to do.

One call goes to HubSpot, with a permit like any other: it reads what nobody is known for.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from hubspot_api.client import get
from hubspot_api.limiter import Use
from hubspot_api.participations import contact_path
from hubspot_api.response import NoResponse, Response
from models.message import DEFAULT_ACCOUNT
from worker import startup
from worker.accounts.destination import Destination, NoDestination
from worker.context import Context
from worker.delivery import permits
from worker.finding import Finding, Level
from worker.queries.attention import findings
from worker.queries.status import StatusReport, read_status
from worker.startup import Service

NOBODY: Final = "nobody@turnout.invalid"
"""Whose participations are asked for: the name belongs to nobody, by RFC 2606."""
SKEW: Final = 60.0
"""Seconds between two clocks that are worth a word."""


WELL: Final = {
    Service.POSTGRESQL: "answers, and takes writes",
    startup.SCHEMA: "is the one of this Turnout",
    startup.KEY: "is the database's",
    Service.REDIS: "answers, and is as it must be",
    "broker": "answers",
    "workers": "all queues are read",
    "beat": "ticks",
}
"""What is said of a part of which nothing was found."""


def examine(process: Context) -> Iterator[Finding]:
    """Look at what `turnout status` looks at, and at the provider, the clocks, HubSpot, its token and its limits."""
    settings = process.settings
    report = read_status(process.engine if settings.database_url else None, settings)
    found = findings(report)
    yield from found
    wrong = {one.about for one in found}
    for about in _looked_at(report):
        if about not in wrong:
            yield Finding(Level.OK, about, WELL[about])
    if settings.oidc_issuer:
        yield _sign_in(process)
    if report.database in {"answers", "takes no writes"}:
        yield _database_clock(process)
        yield from _hubspot(process)


def _looked_at(report: StatusReport) -> Iterator[str]:
    """Name what could be looked at."""
    if report.database != "out of reach":
        yield from (Service.POSTGRESQL, startup.SCHEMA)
    if report.key_is_right is not None:
        yield startup.KEY
    if report.redis != "out of reach":
        yield from (Service.REDIS, "workers", "beat")
    if report.broker.reachable:
        yield "broker"


def _database_clock(process: Context) -> Finding:
    try:
        with process.engine.connect() as connection:
            theirs: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    except DBAPIError:
        return Finding(Level.WARNING, "clock", "the database's cannot be read")
    return _clock("clock", theirs, "the database's")


def _sign_in(process: Context) -> Finding:
    from worker.auth.openid import Provider

    provider = Provider(process.settings)
    wrong = provider.check()
    if wrong:
        todo = "is TURNOUT_OIDC_ISSUER right? People sign in with keys meanwhile"
        return Finding(Level.ATTENTION, "sign-in", wrong, todo)
    found = f"{provider.issuer} answers, and shows its keys; it must know {provider.redirect_uri}"
    return Finding(Level.OK, "sign-in", found)


def _clock(about: str, theirs: datetime, whose: str) -> Finding:
    apart = abs((datetime.now(UTC) - theirs).total_seconds())
    if apart > SKEW:
        todo = "let both be set by NTP; Turnout reads the database's, people read this one"
        return Finding(Level.WARNING, about, f"this machine's and {whose} are {apart:,.0f} s apart", todo)
    return Finding(Level.OK, about, f"as {whose}")


def _hubspot(process: Context) -> Iterator[Finding]:
    try:
        to = process.destination(DEFAULT_ACCOUNT)
    except NoDestination as error:
        yield Finding(Level.ATTENTION, "HubSpot", f"nothing can be sent: {error}", "turnout accounts show default")
        return
    except DBAPIError:
        yield Finding(Level.WARNING, "HubSpot", "was not asked: the database is out of reach")
        return
    held = permits.permit(process, to, Use.READ_BACK)
    if held is None:
        yield Finding(Level.WARNING, "HubSpot", "was not asked: there is no permit now", "try again in a moment")
        return
    answer = _ask(process, to)
    headers = answer.headers if isinstance(answer, Response) else None
    permits.release(process, to, held, headers, answer.duration)
    yield from _of_answer(to, answer)


def _ask(process: Context, to: Destination) -> Response | NoResponse:
    path = contact_path(to.version, NOBODY)
    return get(f"{to.url}{path}", to.token.get_secret_value(), process.settings.timeout, process.settings.egress)


def _of_answer(to: Destination, answer: Response | NoResponse) -> Iterator[Finding]:
    if isinstance(answer, NoResponse):
        todo = "is TURNOUT_HUBSPOT_URL right? Behind a company's proxy set TURNOUT_HUBSPOT_PROXY"
        yield Finding(Level.OUT_OF_REACH, "HubSpot", f"{to.url} did not answer ({answer.because})", todo)
        return
    yield Finding(Level.OK, "HubSpot", f"{to.url} answers (HTTP {answer.status})")
    match answer.status:
        case 401:
            todo = "copy it again, or: turnout accounts set default --token"
            yield Finding(Level.ATTENTION, "token", "is refused (HTTP 401)", todo)
        case 403:
            todo = "give the app crm.objects.marketing_events.read and .write"
            yield Finding(Level.ATTENTION, "token", "lacks a scope (HTTP 403)", todo)
        case 429:
            yield Finding(Level.WARNING, "token", "was not looked at: the rate limit is used", "try again later")
        case status if status >= 500:  # noqa: PLR2004 - the class of failures
            yield Finding(Level.WARNING, "token", f"was not looked at: HubSpot fails (HTTP {status})", "try later")
        case _:
            found = "is taken, and may read; whether it may write shows with the first delivery"
            yield Finding(Level.OK, "token", found)
    limit, seconds = answer.headers.get("X-HubSpot-RateLimit-Max"), to.burst_seconds
    if limit is not None and limit != str(to.burst_limit):
        found = f"HubSpot says {limit} calls a window, here are set {to.burst_limit} in {seconds:g} s"
        yield Finding(Level.WARNING, "limits", found, "Turnout follows HubSpot; set TURNOUT_BURST_LIMIT to it")
    else:
        yield Finding(Level.OK, "limits", f"{to.burst_limit} calls in {seconds:g} s")
    if date := answer.headers.get("Date"):
        try:
            yield _clock("clock", parsedate_to_datetime(date), "HubSpot's")
        except ValueError:
            return
