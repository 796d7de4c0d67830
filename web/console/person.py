"""One person: every record, batch, attempt and answer, and what happens next; and erasing the person.

An address is in a page's URL only where somebody asked for it by that: what leads to erasing, and what comes of it,
has it in no URL and no cookie.
"""

from collections.abc import Mapping
from typing import Final

from models.advice import Advice, Subject, advise
from models.erasure import Person
from models.words import Outcome
from web.console.base import ConsoleRequest, Page, PageError, Redirect
from web.console.sealed import sealed, unsealed
from worker.operations.audit_log import noted
from worker.queries import erasures
from worker.queries.history import PastAttempt, PastError
from worker.queries.person import PersonRecord, list_records_of
from worker.queries.rows import as_said
from worker.retention.erase import erase as remove

PAGE: Final = 20
"""Records on one page of a person."""
RECEIPTS: Final = 50
PATIENCE: Final = 5.0
"""Seconds, beside those of a call to HubSpot, to wait for what is being sent: as the command does."""


def person(visit: ConsoleRequest) -> Page:
    """Show a contact's records, the newest first: what was tried, what came back, and what happens next.

    A viewer asks by HubSpot's contact id, never by address.
    """
    contact = visit.path("contact").strip()
    if not (contact.isascii() and contact.isdecimal()):
        visit.must_see_contacts()
    records = list_records_of(visit.process.engine, contact, PAGE, visit.before())
    others = sorted({str(record.contact_id) for record in records if record.contact_id} - {contact})
    return Page(
        "person.html",
        {
            "contact": contact,
            "records": [{"record": one, "history": _history(one), "advice": _advice(one)} for one in records],
            "others": others,
            "before": visit.before(),
            "more": records[-1].id if len(records) == PAGE else None,
        },
    )


def _history(record: PersonRecord) -> list[PastAttempt | PastError]:
    """Give a record's attempts and errors in the order in which they came."""
    return sorted([*record.attempts, *record.errors], key=lambda one: (one.at, one.is_error))


def _advice(record: PersonRecord) -> Advice | None:
    """Give what is to be done about a record, where that is somebody's to do."""
    error = record.error
    if error is None or error.resolution or (error.verify_at and error.outcome == Outcome.UNCONFIRMED):
        return None
    advice = advise(error.outcome, error.category, error.code, error.message, Subject(record_id=record.id))
    return advice if advice.action else None


def erase(visit: ConsoleRequest) -> Page:
    """Ask who is to be erased."""
    visit.must_operate()
    return Page("erase.html", {"problem": "", "written": ""})


def look(visit: ConsoleRequest, form: Mapping[str, str]) -> Page | Redirect:
    """Lead to what would be erased; the address is in its URL encrypted."""
    written = form.get("contact", "")
    found = Person.named(written.replace("\0", ""))
    if found is None:
        problem = "That is neither an e-mail address nor a contact id."
        return Page("erase.html", {"problem": problem, "written": written[:300]}, 400)
    return Redirect("", f"/erase/sure?who={sealed(visit, 'who', found.contact)}")


def sure(visit: ConsoleRequest) -> Page:
    """Show what would be erased, before it is."""
    visit.must_operate()
    contact = unsealed(visit, "who")
    number = erasures.known(visit.process.engine, contact)
    facts = {
        "contact": contact,
        "records": as_said(number, at_most=erasures.COUNTED),
        "contact_ids": erasures.contact_ids(visit.process.engine, contact),
    }
    return Page("erase-sure.html", facts)


def erase_now(visit: ConsoleRequest, form: Mapping[str, str]) -> Redirect:
    """Erase a person, and lead to the receipt; what is not stored of it is in its URL encrypted."""
    process = visit.process
    found = Person.named(form.get("contact", "").replace("\0", ""))
    if found is None:
        raise PageError(400, "Nobody is erased", "That is neither an e-mail address nor a contact id.")
    with noted(process.engine, visit.by, "erase") as action:  # never whom
        erased = remove(process, found, process.settings.timeout + PATIENCE)
        action.number = erased.rows["records"]
    told = {"also": sorted(erased.also), "left": erased.left}
    return Redirect("", f"/erasures/{erased.id}?told={sealed(visit, 'told', told)}")


def erasure(visit: ConsoleRequest) -> Page:
    """Show a receipt; and, just after the erasing, what was left and who else may be meant."""
    found = erasures.erasure(visit.process.engine, number := visit.number("erasure"))
    if found is None:
        raise PageError(404, f"There is no erasure {number}", "The page of the erasures lists them.")
    told: dict[str, list[str]] = {"also": [], "left": []}
    if visit.asked("told"):
        visit.must_operate()
        told = unsealed(visit, "told")
    return Page("erased.html", {"erased": found, **told})


def list_erasures(visit: ConsoleRequest) -> Page:
    """List the receipts of those that were erased."""
    rows = erasures.erasures(visit.process.engine, visit.before(), RECEIPTS)
    more = rows[-1].id if len(rows) == RECEIPTS else None
    return Page("erasures.html", {"rows": rows, "before": visit.before(), "more": more})
