"""Columns that decide who counts: known by their titles, and what one of their values says."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from worker.files.columns.deciding_titles import (
    ELSEWHERE,
    HARMLESS,
    IF_KNOWN,
    MESSAGES,
    OTHER_ROLES,
    TITLES,
    DecidingKind,
)
from worker.files.columns.hosts_and_attendees import EventRole, role_of
from worker.files.columns.known_titles import compact, title_words
from worker.files.columns.rsvp_questions import asks_whether_coming, without_answers
from worker.files.columns.status_values import HOLDING, TELLING, Standing, join_or_leave, says_yes, standing_of


class Deciding(NamedTuple):
    """What a title announces; where it is not `sure`, some value must be known before the column decides."""

    kind: DecidingKind
    sure: bool = True


LONGEST_TITLE: Final = 8
"""Words: a longer title is a question that a form asks."""
NOTHING: Final = frozenset({"", "--", "---", "-", "—", "–", "n/a", "N/A"})
"""How tools write that there is nothing."""
NO_VALUE: Final = (
    NOTHING
    | {"N/a", "n.a.", "N.A.", "NA", "#N/A", "#NV", "nil", "undefined", "NaT"}
    | {form(word) for word in ("null", "none", "nan") for form in (str.lower, str.title, str.upper)}
    | {"NaN"}
)
"""How they write that there is no address, no time and no length; in a column that decides, “None” is an answer."""

_EXACT: Final = {title: Deciding(kind) for kind, titles in TITLES.items() for title in titles} | {
    title: Deciding(kind, sure=False) for kind, titles in IF_KNOWN.items() for title in titles
}

_GLUED: Final = ("familien", "beschaftigungs", "arbeits", "kunden", "kontakt", "lead", "konto", "vertrags", "abo")
"""Beginnings of one word that ends in “status” and tells of something else."""
_STATUS_WORDS: Final = frozenset({"status", "statut", "estatus", "statusse", "estado", "stato", "etat", "situacao"})
_ABOUT_STATUS: Final = frozenset(
    {
        "date", "time", "datum", "since", "changed", "updated", "reason", "note", "notes", "code", "id", "by",
        "at", "on", "grund",
    }
)  # fmt: skip
"""Last words of a title that tells of a status and is none: “Status Date”."""
_ROLE_WORDS: Final = frozenset({"role", "roles", "rolle", "rollen", "rol", "ruolo", "papel", "funcao", "rola"})
_ADMISSION: Final = re.compile(
    r"approv|registr|order|ticket|booking|reserv|enrol|rsvp|invitation|response|admission|application|anmeld|buchung|"
    r"bestell|genehmig|freigabe|inscri|commande|billet|approb|aprob|aprov|pedido|approvaz|iscri|ordine|goedkeur|inschrijv|entrada|"
    r"ingresso|bilhete|bigliett"
)
_EVENT: Final = re.compile(
    r"attend|particip|teilnehm|teilnahm|invit|einlad|guest|gast|member|mitglied|miembro|campaign|kampagne|event|webinar|session|"
    r"meeting|check|deelnem|asist|presen|aanwezig|partecip|convid"
)
_PAYMENT: Final = re.compile(
    r"payment|paid|invoice|billing|zahlung|rechnung|paiement|facture|pago|factura|pagament|fattura|betaling|betaal"
)
_SAYS_ITSELF: Final = {
    Standing.CANCELED: DecidingKind.CANCELED,
    Standing.DENIED: DecidingKind.GONE,
    Standing.DECLINED: DecidingKind.GONE,
    Standing.PENDING: DecidingKind.EXCLUDED,
    Standing.REMOVED: DecidingKind.GONE,
    Standing.CONFIRMED: DecidingKind.APPROVED,
}
"""What a title may say by itself, of which its cells say yes or no: “Declined”, “Confirmed”."""
_SAYS_LITTLE: Final = frozenset(
    {"unsubscribed", "isunsubscribed", "hasunsubscribed", "new", "free", "freeorder", "complimentary", "kostenlos",
     "gratuit", "gratis", "gratuito", "confirm", "accept", "approve", "test", "interested"}
)  # fmt: skip
"""Who wants no more mail, or has a free ticket, may have registered and come all the same."""
_OF_EVERYBODY: Final = frozenset({"ended", "expired", "merged", "replaced", "archived", "test"})
"""What a title may say whose time says nothing against a person: “Ended” may be the event's end."""
_WHEN_AND_WHY: Final = frozenset(
    {
        "date", "time", "datetime", "timestamp", "at", "on", "by", "reason", "when", "of", "de", "d", "du", "am",
        "datum", "uhrzeit", "zeit", "zeitpunkt", "der", "die", "von", "grund", "le", "par", "heure", "raison",
        "motif", "em", "por", "el", "fecha", "hora", "motivo", "data", "il", "da", "ora", "op", "door", "reden",
    }
)  # fmt: skip
"""Words around what a title says that ask for its time, its reason, or by whom: “Date of withdrawal”."""
_PAID: Final = frozenset({"paid", "paidinfull", "bezahlt", "paye", "payee", "pagado", "pagato", "pago", "betaald"})
_STAFF_TITLES: Final = frozenset({"is", "ist", "est", "event", "meeting", "webinar", "co"})
_DIGIT: Final = re.compile(r"[0-9]")
_AT_A_TIME: Final = re.compile(r"[\W_]*[0-9]|.*(?:[0-9]:[0-9]{2}|\b[0-9]{4}\b)")
"""How a time or an amount is written: it begins with a number, or has a year or a time of day in it."""
_ZERO: Final = re.compile(
    r"[\s0:.,%]*(?:h|hr|hrs|hours?|m|min|mins|minutes?|s|sec|secs|seconds?|[0:.,\s])*", re.IGNORECASE
)
_TICKET_WORDS: Final = re.compile(
    r"\b(?:pass|ticket|badge|registration|admission|entry|comp|free|the)\b|[()\[\]-]", re.IGNORECASE
)


@lru_cache(maxsize=1024)
def deciding(title: str) -> Deciding | None:
    """Say what a column of this title decides, if anything."""
    title = without_answers(title)
    whole, words = compact(title), title_words(title)
    if whole in _EXACT or asks_whether_coming(words):
        return _EXACT.get(whole, Deciding(DecidingKind.REPLY))
    gone = _gone(words)
    if gone is not None or not whole or len(words) > LONGEST_TITLE or words[-1] in _ABOUT_STATUS:
        return Deciding(gone, sure=False) if gone else None
    if role_of(plain := " ".join(word for word in words if word not in _STAFF_TITLES)) is EventRole.STAFF:
        return Deciding(DecidingKind.STAFF, sure=False)
    if (said := standing_of(plain)) in _SAYS_ITSELF and whole not in _SAYS_LITTLE:
        kind = DecidingKind.EXCLUDED if whole in _OF_EVERYBODY else _SAYS_ITSELF[said]
        return Deciding(DecidingKind.PAYMENT if whole in _PAID else kind, sure=False)
    if not _STATUS_WORDS.isdisjoint(words) or whole.endswith("status"):
        return _status(whole, words)
    return _role_or_state(whole, words)


def _gone(words: list[str]) -> DecidingKind | None:
    """Say what a title tells of that names a cancelling, or something like it, with its time, its reason or by whom."""
    start, end = 0, len(words)
    while start < end and words[start] in _WHEN_AND_WHY:
        start += 1
    while end > start and words[end - 1] in _WHEN_AND_WHY:
        end -= 1
    says = "".join(words[start:end])
    said = standing_of(says) if says not in _SAYS_LITTLE | _OF_EVERYBODY else None
    kind = _SAYS_ITSELF.get(said) if said else None
    return kind if kind in {DecidingKind.CANCELED, DecidingKind.GONE} else None


def _role_or_state(whole: str, words: list[str]) -> Deciding | None:
    if not _ROLE_WORDS.isdisjoint((words[0], words[-1])) or words[-1].endswith("rrolle"):
        sure = _EVENT.search(whole) is not None  # “Role” alone may as well be that in a company
        return Deciding(DecidingKind.ROLE, sure) if OTHER_ROLES.isdisjoint(words) else None
    about_event = _EVENT.search(whole) or _ADMISSION.search(whole)
    return Deciding(DecidingKind.STATUS, sure=False) if words[-1] == "state" and about_event else None


def _status(whole: str, words: list[str]) -> Deciding | None:
    """Tell the statuses apart: of an event, of a payment, of something else."""
    if _PAYMENT.search(whole):
        return Deciding(DecidingKind.PAYMENT)
    about_event = _EVENT.search(whole)
    harmless = not HARMLESS.isdisjoint(words) or whole.startswith(_GLUED)
    if harmless and (about_event is None or words[0] in HARMLESS or not MESSAGES.isdisjoint(words)):
        return None
    if _ADMISSION.search(whole):
        return Deciding(DecidingKind.ADMISSION)
    may_be_a_state = not {"estado", "stato", "etat"}.isdisjoint(words)
    return Deciding(DecidingKind.STATUS, sure=not may_be_a_state or about_event is not None)


@lru_cache(maxsize=4096)
def meaning(kind: DecidingKind, text: str) -> Standing | EventRole | None:
    """Give what a value says in a column of this kind; None where that is not known.

    `Role.ATTENDEE` says nothing against a person.
    """
    if kind is DecidingKind.MOVE:
        return Standing.MOVED if join_or_leave(text) else None
    standing, role, yes = standing_of(text), role_of(text), says_yes(text)
    if yes is None and kind in _COUNTED and _DIGIT.search(text):  # minutes, visits, or when it happened
        yes = not _ZERO.fullmatch(text)
    if yes is not None and kind in _YES_NO:
        return _YES_NO[kind][0 if yes else 1]
    if kind in {DecidingKind.CANCELED, DecidingKind.GONE} and (says := _of_leaving(kind, text, standing)) is not None:
        return says
    if kind is DecidingKind.PAYMENT:
        standing = Standing.CONFIRMED if yes else standing
        return EventRole.ATTENDEE if standing is Standing.CONFIRMED else standing if standing in _GIVEN_BACK else None
    if kind is DecidingKind.TICKET:
        staff = EventRole.STAFF in {role, role_of(_TICKET_WORDS.sub(" ", text))}
        none = standing if standing in _NOT_A_TICKET or compact(text).startswith("waitlist") else None
        none = Standing.MOVED if join_or_leave(text) else none
        return EventRole.STAFF if staff else none or EventRole.ATTENDEE
    if kind in {DecidingKind.ROLE, DecidingKind.STAFF}:
        standing = None
    elif role is not EventRole.STAFF and kind is not DecidingKind.ATTENDED:
        role = None
    return standing or role


def _of_leaving(kind: DecidingKind, text: str, standing: Standing | None) -> Standing | EventRole | None:
    """Read the time or the amount, or a status, under a title that says itself that somebody left."""
    yes, no = _YES_NO[kind]
    if text in NO_VALUE or _ZERO.fullmatch(text) or (kind is DecidingKind.CANCELED and standing in HOLDING):
        return no
    known = _AT_A_TIME.match(text) or (kind is DecidingKind.CANCELED and standing is not None)
    return yes if known else None


_YES_NO: Final[dict[DecidingKind, tuple[Standing | EventRole, Standing | EventRole]]] = {
    DecidingKind.REPLY: (Standing.REGISTERED, Standing.DECLINED),
    DecidingKind.APPROVED: (Standing.CONFIRMED, Standing.DENIED),
    DecidingKind.ATTENDED: (Standing.ATTENDED, Standing.ABSENT),
    DecidingKind.ABSENT: (Standing.ABSENT, Standing.ATTENDED),
    DecidingKind.CANCELED: (Standing.CANCELED, Standing.CONFIRMED),
    DecidingKind.GONE: (Standing.EXCLUDED, EventRole.ATTENDEE),
    DecidingKind.EXCLUDED: (Standing.EXCLUDED, EventRole.ATTENDEE),
    DecidingKind.STAFF: (EventRole.STAFF, EventRole.ATTENDEE),
}
"""What yes and what no say in the columns that take them."""
_COUNTED: Final = frozenset({DecidingKind.ATTENDED, DecidingKind.APPROVED})
_GIVEN_BACK: Final = frozenset({Standing.CANCELED, Standing.REMOVED})
_NOT_A_TICKET: Final = frozenset({Standing.CANCELED, Standing.DENIED, Standing.DECLINED, Standing.ABSENT})
"""What no ticket is called: a column of ticket names, or types of attendees, that says so tells of a status."""


def announces(kind: DecidingKind, text: str) -> bool:
    """Say whether a value shows that a probable column decides: “CA” under State does not, “Denied” does."""
    if kind is DecidingKind.ROLE:
        return role_of(text) is not None
    if says_yes(text) is not None and kind not in {DecidingKind.STATUS, DecidingKind.ADMISSION, DecidingKind.TICKET}:
        return True
    if kind in {DecidingKind.CANCELED, DecidingKind.GONE}:
        return text not in NO_VALUE
    if kind is DecidingKind.EXCLUDED:
        return False
    if kind in {DecidingKind.STAFF, DecidingKind.ATTENDED} and (role_of(text) is EventRole.STAFF or "@" in text):
        return kind is DecidingKind.STAFF or "@" not in text
    return kind is not DecidingKind.STAFF and len(compact(text)) >= TELLING and standing_of(text) is not None


def may_hold_statuses(title: str) -> bool:
    """Say whether a column that no title announces may turn out to be a status by its values alone."""
    words = title_words(title)
    return bool(compact(title)) and deciding(title) is None and (HARMLESS | _ABOUT_STATUS).isdisjoint(words)


def is_elsewhere(title: str) -> bool:
    """Say whether a title tells of something else that people join or miss, such as a dinner."""
    return not ELSEWHERE.isdisjoint(title_words(title))


def says_little(title: str) -> bool:
    """Say whether a title tells only which side somebody was on, such as Zoom's “Is Guest”, or of mail and money."""
    plain = " ".join(word for word in title_words(title) if word not in _STAFF_TITLES)
    return role_of(plain) is EventRole.ATTENDEE or compact(title) in _SAYS_LITTLE
