"""What each page shows. Its filters stand in the URL; its facts are those of the command of the same name."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from hubspot_api.address import attendance_path
from models.message import Address
from models.words import Outcome, State, Status
from web.console import bulk, chart, corrections, errors_by_group, person, refusals, schedules
from web.console.base import ConsoleRequest, Page, PageError, PageFunction, Redirect
from web.console.params import time, uuid_of, word, written
from web.masking import masked
from worker.accounts import registry
from worker.queries import throughput
from worker.queries.attention import findings, stream_because
from worker.queries.batches import BatchFilter, find_batch, further_batches, list_batches
from worker.queries.erasures import known
from worker.queries.error_filter import ANY_OPEN, OPEN, Filter
from worker.queries.errors import page_of_errors
from worker.queries.events import find_event, list_events
from worker.queries.machinery import broker_facts
from worker.queries.person import find_submission
from worker.queries.rows import NEWEST
from worker.queries.status import read_status

PAGE: Final = 50
WALK: Final = 10_000
"""Batches that one page looks at, at most: a rare filter is found page by page, and none takes long."""
ERRORS: Final = 5_000
"""The same of errors."""
RECORDS: Final = 200
"""Records of a batch on one page."""
WORDS: Final = {"states": list(State), "statuses": list(Status), "outcomes": list(ANY_OPEN)}


def overview(visit: ConsoleRequest) -> Page:
    """Show what waits, why and until when, and what was sent of late."""
    process = visit.process
    found = throughput.look(process)
    status = read_status(
        process.engine, process.settings, process.lately("broker", lambda: broker_facts(process.settings))
    )
    return Page(
        "overview.html",
        {
            "status": status,
            "delivers_to": status.delivers_to,
            "findings": findings(status),
            "stream_because": stream_because(status),
            "limits": found.accounts,
            "minute": found.minute,
            "day": chart.bars(found.day),
            "why": sorted(errors_by_group.of(process), key=lambda one: -one.group.count),
            "jobs": bulk.with_words(visit, status.jobs),
        },
    )


def batches(visit: ConsoleRequest) -> Page:
    """List batches."""
    chosen = BatchFilter(
        status=word(visit, "status", Status),
        state=word(visit, "state", State),
        event=visit.asked("event"),
        account=visit.asked("account"),
        errors=visit.asked("errors") is not None,
        since=time(visit, "since"),
        until=time(visit, "until"),
        before=visit.before(),
        limit=PAGE,
        walk=WALK,
    )
    filters = {name: getattr(chosen, name) for name in ("status", "state", "event", "account", "errors")}
    filters |= {"since": written(chosen.since), "until": written(chosen.until)}
    rows = list_batches(visit.process.engine, chosen)
    more = further_batches(visit.process.engine, chosen, rows)
    paging = {"before": chosen.before, "more": more, "is_full": len(rows) == PAGE}
    return Page("batches.html", {"rows": rows, "filters": filters, **paging, **_choices(visit)})


def batch(visit: ConsoleRequest) -> Page:
    """Show one batch: its attempts, its records and their errors, what was sent and what came back."""
    number = visit.number("batch")
    after = visit.asked("after") or ""
    first = int(after) if after.isascii() and after.isdecimal() and len(after) < 9 else -1  # noqa: PLR2004 - an integer
    found = find_batch(visit.process.engine, number, RECORDS + 1, first)
    if found is None:
        raise PageError(404, f"There is no batch {number}", "It was purged, or never was.")
    rows = found.records[:RECORDS]
    errors_first = sorted(rows, key=lambda row: row.outcome == Outcome.DELIVERED)
    address = Address(found.object_id, found.external_event_id, found.external_account_id)
    version = found.hubspot_version or visit.process.settings.hubspot_version
    return Page(
        "batch.html",
        {
            "batch": replace(found, records=errors_first),
            "after": first,
            "more": rows[-1].position if len(found.records) > RECORDS else None,
            "path": attendance_path(version, address, found.state, found.identity),
            "timeline": chart.timeline(found.timeline),
        },
    )


def errors(visit: ConsoleRequest) -> Page:
    """List unresolved errors."""
    outcome, group = word(visit, "outcome", Outcome), visit.asked("group")
    if outcome and outcome not in ANY_OPEN:
        raise PageError(400, f"No unresolved error is {outcome}", f"Expected {', '.join(ANY_OPEN)}.")
    chosen = Filter(
        (outcome,) if outcome else ANY_OPEN if group else OPEN,
        event=visit.asked("event"),
        account=visit.asked("account"),
        state=word(visit, "state", State),
        category=visit.asked("category"),
        since=time(visit, "since"),
        group_id=group,
    )
    filters = {name: value for name, value in chosen.narrowed.items() if name != "group_id"}
    filters |= {"outcome": outcome, "since": written(chosen.since), "group": chosen.group_id}
    rows, more = page_of_errors(visit.process.engine, chosen, PAGE, visit.before(), ERRORS)
    paging = {"before": visit.before(), "more": more, "is_full": len(rows) == PAGE}
    return Page("errors.html", {"rows": rows, "filters": filters, **paging, **_choices(visit)})


def events(visit: ConsoleRequest) -> Page:
    """List events."""
    with visit.process.engine.connect() as connection:
        rows = list_events(connection, visit.asked("event"), visit.before(), PAGE)
    filters = {"event": visit.asked("event")}
    more = rows[-1].id if len(rows) == PAGE else None
    return Page("events.html", {"rows": rows, "filters": filters, "before": visit.before(), "more": more})


def event(visit: ConsoleRequest) -> Page:
    """Show one event: registered, attended, cancelled, delivered, missing."""
    found = find_event(visit.process.engine, number := visit.number("event"))
    if found is None:
        raise PageError(404, f"There is no event {number}", "Nothing was ever accepted for it.")
    return Page("event.html", {"event": found, "outcomes": list(Outcome)})


def accounts(visit: ConsoleRequest) -> Page:
    """List the accounts: whether they send, and within which limits."""
    return Page("accounts.html", {"rows": throughput.look(visit.process).accounts})


def submission(visit: ConsoleRequest) -> Page:
    """Show the results of a submission."""
    written = visit.path("submission")
    number = uuid_of(written)
    found = None if number is None else find_submission(visit.process.engine, number)
    if found is None:
        message = "Nothing of it was accepted (yet?); the overview says what waits."
        raise PageError(404, f"There is no submission {written[:100]}", message)
    return Page("submission.html", {"submission": found})


def find(visit: ConsoleRequest) -> Redirect:
    """Go to what somebody names: a batch or person by number, a submission by id, a person by e-mail, else an event."""
    wanted = visit.asked("what") or ""
    number = uuid_of(wanted)
    if number is not None:
        return Redirect("", f"/submission/{number}")
    if wanted.isascii() and wanted.isdecimal() and find_batch(visit.process.engine, _bigint(wanted), 1) is not None:
        return Redirect("", f"/batch/{_bigint(wanted)}")
    if masked(wanted) != wanted:
        visit.must_see_contacts()
    if "@" in wanted or (wanted.isascii() and wanted.isdecimal() and known(visit.process.engine, wanted)):
        return Redirect("", f"/person/{quote(wanted, safe='')}")
    with visit.process.engine.connect() as connection:
        named = list_events(connection, wanted)
    return Redirect("", f"/event/{named[0].id}" if len(named) == 1 else f"/events?event={quote(wanted, safe='')}")


PAGES: Final[Mapping[str, PageFunction]] = {
    "/": overview,
    "/batches": batches,
    "/batch/{batch}": batch,
    "/groups": errors_by_group.groups,
    "/errors": errors,
    "/events": events,
    "/event/{event}": event,
    "/accounts": accounts,
    "/submission/{submission}": submission,
    "/person/{contact}": person.person,
    "/refused": refusals.refused,
    "/refused/{refusal}": refusals.refusal,
    "/act/{action}": bulk.act,
    "/correct": corrections.correction,
    "/errors.csv": corrections.out,
    "/jobs": bulk.listed,
    "/job/{job}": bulk.job,
    "/schedules": schedules.listed,
    "/schedules/{schedule}/begin": schedules.look,
    "/actions": bulk.log,
    "/erase": person.erase,
    "/erase/sure": person.sure,
    "/erasures": person.list_erasures,
    "/erasures/{erasure}": person.erasure,
    "/find": find,
}


def _choices(visit: ConsoleRequest) -> dict[str, object]:
    listed = registry.listed(visit.process.engine, visit.process.settings)
    return {**WORDS, "accounts": [account.name for account in listed]}


def _bigint(written: str) -> int:
    return min(int(written[:19]), NEWEST)
