"""Columns that decide who counts: known by their titles, and what one of their values says."""

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from worker.files.names import compact
from worker.files.roles import Role, role_of
from worker.files.standings import Standing, says_yes, standing_of


class Kind(StrEnum):
    """What a deciding column tells of."""

    STATUS = "status"
    """How a person stands with the event: registered, attended, no show …"""
    ADMISSION = "admission"
    """How their registration, order or ticket stands; “registered” says nothing against their having come."""
    REPLY = "reply"
    """What they answered to an invitation: yes, no, maybe."""
    APPROVED = "approved"
    PAYMENT = "payment"
    """Only what was given back decides; who has not paid yet is asked about."""
    ATTENDED = "attended"
    """Yes or no, or the time at which somebody checked in."""
    ABSENT = "absent"
    CANCELED = "canceled"
    """The time at which somebody cancelled: who has none did not."""
    ROLE = "role"
    STAFF = "staff"
    """Whether somebody is the host, by yes or no; or who the host is."""
    TICKET = "ticket"
    """Names of tickets and groups are anybody's words: only what names the staff decides."""


class Deciding(NamedTuple):
    """What a title announces; where it is not `sure`, some value must be known before the column decides."""

    kind: Kind
    sure: bool = True


NOTHING: Final = frozenset({"", "--", "-", "—", "–", "n/a", "N/A"})
"""How tools write that there is nothing."""

_TITLES: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.APPROVED: ("approved", "isapproved", "genehmigt", "approuve", "aprobado", "aprovado", "approvato", "goedgekeurd"),
    Kind.REPLY: (
        "rsvp", "rsvpstatus", "rsvpresponse", "rsvpreply", "invitationresponse", "inviteresponse", "eventresponse",
        "going", "attending", "willattend", "willyouattend", "willyoubeattending", "zusage", "confirmacion", "confirmacao",
    ),
    Kind.ATTENDED: (
        "attended", "hasattended", "didattend", "attendedlive", "attendedevent", "attendedwebinar", "attendedsession",
        "showedup", "checkedin", "checkin", "ischeckedin", "checkintime", "checkindate", "checkindatetime",
        "checkedinat", "checkedintime", "checkedindate", "checkintimestamp", "checkinat", "participated", "waspresent", "ispresent",
        "scanned", "scannedat", "teilgenommen", "hatteilgenommen", "anwesend", "eingecheckt", "eincheckzeit", "aparticipe", "participe", "present",
        "presente", "enregistrealarrivee", "asistio", "haasistido", "participou", "compareceu", "hapartecipato", "partecipato", "aanwezig",
        "deelgenomen", "ingecheckt",
    ),
    Kind.ABSENT: ("noshow", "isnoshow", "absent", "didnotattend", "abwesend", "nichterschienen", "ausente", "assente", "afwezig"),
    Kind.TICKET: (
        "tickettype", "ticketname", "ticket", "tickettitle", "ticketcategory", "attendeetype", "participanttype",
        "registrationtype", "registranttype", "usertype", "attendeecategory", "registrationcategory", "admissionitem", "admissiontype",
        "guesttype", "persontype", "membertype", "attendeegroup", "tickettyp", "ticketart", "ticketkategorie", "teilnehmertyp", "teilnehmerart",
        "teilnehmerkategorie", "typedebillet", "typedeparticipant", "tipodeentrada", "tipodeboleto", "tipodeparticipante", "tipodeingresso",
        "tipodebilhete", "tipodibiglietto", "tipodipartecipante", "deelnemerstype", "type", "category", "invitationlist", "badgetype",
    ),
}  # fmt: skip
_IF_KNOWN: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.STATUS: ("state", "estado", "stato", "etat", "situacao", "situacion", "situazione", "standing", "participation", "teilnahme"),
    Kind.REPLY: ("response", "reply", "antwort", "reponse", "respuesta", "resposta", "risposta", "reactie", "replied", "answer"),
    Kind.ATTENDED: ("attendance", "anwesenheit", "presence", "asistencia", "presenca", "presenza", "aanwezigheid", "eventattendance"),
}  # fmt: skip
_EXACT: Final = {title: Deciding(kind) for kind, titles in _TITLES.items() for title in titles} | {
    title: Deciding(kind, sure=False) for kind, titles in _IF_KNOWN.items() for title in titles
}

_STATUS_WORDS: Final = frozenset({"status", "statut", "estatus", "statusse", "estado", "stato", "etat", "situacao"})
_ABOUT_STATUS: Final = frozenset({"date", "time", "datum", "since", "changed", "updated", "reason", "note", "notes", "code", "id", "by", "at", "on", "grund"})
"""Last words of a title that tells of a status and is none: “Status Date”."""
_STATE_WORDS: Final = frozenset({"state", "states", "zustand"})
_ROLE_WORDS: Final = frozenset({"role", "roles", "rolle", "rollen", "rol", "ruolo", "papel", "funcao"})
_ADMISSION: Final = re.compile(
    r"approv|registr|order|ticket|booking|reserv|enrol|rsvp|invitation|response|admission|application|anmeld|buchung|"
    r"bestell|genehmig|freigabe|inscri|commande|billet|approb|aprob|aprov|pedido|approvaz|iscri|ordine|goedkeur|inschrijv|entrada|"
    r"ingresso|bilhete|bigliett"
)
_EVENT: Final = re.compile(
    r"attend|particip|teilnehm|teilnahm|invit|einlad|guest|gast|member|mitglied|miembro|campaign|kampagne|event|webinar|session|"
    r"meeting|check|deelnem|asist|presen|aanwezig|partecip|convid"
)
_PAYMENT: Final = re.compile(r"payment|paid|invoice|billing|zahlung|rechnung|paiement|facture|pago|factura|pagament|fattura|betaling|betaal")
_HARMLESS: Final = frozenset(
    {
        *("marital", "lead", "account", "customer", "client", "employment", "employee", "job", "work", "working", "subscription", "subscriber",
          "newsletter", "email", "mail", "optin", "opt", "consent", "gdpr", "privacy", "recording", "lifecycle", "contact", "deal", "opportunity",
          "citizenship", "visa", "immigration", "vaccination", "vaccine", "covid", "student", "tax", "membership", "device", "connection",
          "network", "survey", "poll", "delivery", "bounce", "sync", "import", "export", "company", "partner", "prospect", "marketing", "civil",
          "civile", "social", "military", "veteran", "residency", "disability", "health", "insurance", "sms", "phone", "certificate",
          "certification", "photo", "media", "nda", "waiver", "dietary", "form", "feedback", "reminder", "message", "crm", "record", "profile",
          "loyalty", "verification", "quiz", "score", "relationship", "family", "familien", "familienstand", "matrimonial", "professionnel", "profesional",
          "laboral", "housing", "ownership", "home", "shipping", "mailing", "billing", "residence", "province", "us", "country", "task", "project", "ticketing",
          "shipment", "hotel", "travel", "flight", "credit", "background", "beschaftigungs", "arbeits", "kunden", "vip", "sales", "mql", "sql")}
)  # fmt: skip
"""Words of a title that tell of something else than of coming to an event."""
_OTHER_ROLES: Final = frozenset(
    {
        *("job", "work", "purchase", "purchasing", "buying", "business", "professional", "company", "current", "decision", "team", "your",
          "functional", "organizational", "it", "career", "process", "security", "crm", "describe", "best", "berufliche", "buyer", "industry",
          "department", "position", "management", "contact", "account", "opportunity")}
)  # fmt: skip
_STAFF_TITLES: Final = frozenset({"is", "ist", "est", "event", "meeting", "webinar", "co"})
_DIGIT: Final = re.compile(r"[0-9]")
_ZERO: Final = re.compile(r"[\s0:.,%]*(?:h|hr|hrs|hours?|m|min|mins|minutes?|s|sec|secs|seconds?|[0:.,\s])*", re.IGNORECASE)
_TICKET_WORDS: Final = re.compile(r"\b(?:pass|ticket|badge|registration|admission|entry|comp|free|the)\b|[()\[\]-]", re.IGNORECASE)


@lru_cache(maxsize=1024)
def deciding(title: str) -> Deciding | None:
    """Say what a column of this title decides, if anything."""
    whole, words = compact(title), title_words(title)
    if not whole or len(words) > 8:  # noqa: PLR2004 - a longer title is a question that a form asks
        return None
    if whole in _EXACT:
        return _EXACT[whole]
    if role_of(" ".join(word for word in words if word not in _STAFF_TITLES)) is Role.STAFF:
        return Deciding(Kind.STAFF, sure=False)
    if words[-1] in _ABOUT_STATUS:
        return None
    known = _HARMLESS.isdisjoint(words)
    if _STATUS_WORDS & set(words) or whole.endswith("status"):
        return _status(whole, words, known=known and not whole.startswith(tuple(_HARMLESS - {"opt", "it", "us"})))
    if _STATE_WORDS & set(words[-1:]) and known and (_ADMISSION.search(whole) or _EVENT.search(whole)):
        return Deciding(Kind.ADMISSION if _ADMISSION.search(whole) else Kind.STATUS, sure=False)
    if _ROLE_WORDS & {words[0], words[-1]} or words[-1].endswith("rrolle"):
        return Deciding(Kind.ROLE) if _OTHER_ROLES.isdisjoint(words) else None
    return None


def _status(whole: str, words: list[str], *, known: bool) -> Deciding | None:
    """Tell the statuses apart: of an event, of a payment, of something else."""
    if whole in {"status", "statut", "estatus"}:
        return Deciding(Kind.STATUS)
    if _PAYMENT.search(whole):
        return Deciding(Kind.PAYMENT)
    if not known and not (_EVENT.search(whole) and words[0] not in _HARMLESS):
        return None
    if _ADMISSION.search(whole):
        return Deciding(Kind.ADMISSION)
    romance = {"estado", "stato", "etat"} & set(words)
    return Deciding(Kind.STATUS, sure=not romance or _EVENT.search(whole) is not None)


@lru_cache(maxsize=4096)
def meaning(kind: Kind, text: str) -> Standing | Role | None:
    """Give what a value says in a column of this kind; None where that is not known.

    `Role.ATTENDEE` says nothing against a person.
    """
    standing, yes = standing_of(text), says_yes(text)
    match kind:
        case Kind.STATUS | Kind.ADMISSION:
            return standing or (Role.STAFF if role_of(text) is Role.STAFF else None)
        case Kind.REPLY:
            return standing if yes is None else Standing.REGISTERED if yes else Standing.DECLINED
        case Kind.APPROVED:
            dated = Standing.CONFIRMED if _DIGIT.search(text) else None
            return standing or dated if yes is None else Standing.CONFIRMED if yes else Standing.DENIED
        case Kind.PAYMENT:
            if standing is Standing.CONFIRMED:
                return Role.ATTENDEE
            return standing if standing in {Standing.CANCELED, Standing.REMOVED} else None
        case Kind.ATTENDED:
            return _attended(text, standing, yes)
        case Kind.CANCELED:
            return Standing.CONFIRMED if text in NOTHING or yes is False else Standing.CANCELED
        case Kind.ABSENT:
            return standing if yes is None else Standing.ABSENT if yes else Standing.ATTENDED
        case Kind.ROLE:
            return role_of(text)
        case Kind.STAFF:
            return (Role.STAFF if yes else Role.ATTENDEE) if yes is not None else role_of(text)
        case Kind.TICKET:
            plain = _TICKET_WORDS.sub(" ", text)
            return Role.STAFF if role_of(text) is Role.STAFF or role_of(plain) is Role.STAFF else Role.ATTENDEE


def announces(kind: Kind, text: str) -> bool:
    """Say whether a value shows that a probable column decides: “CA” under State does not, “Denied” does."""
    plain = compact(text)
    if kind in {Kind.STAFF, Kind.ATTENDED} and (says_yes(text) is not None or role_of(text) is Role.STAFF or "@" in text):
        return kind is Kind.STAFF or "@" not in text
    return kind is not Kind.STAFF and len(plain) >= _TELLING and standing_of(text) is not None


_TELLING: Final = 5
"""Letters that a status has at least: shorter ones may be a state of a country."""


def _attended(text: str, standing: Standing | None, yes: bool | None) -> Standing | Role | None:  # noqa: FBT001 - read from the cell
    """Read yes or no, a number (of minutes, of visits) or the time at which somebody checked in."""
    if yes is None and _DIGIT.search(text):
        yes = not _ZERO.fullmatch(text)
    if yes is not None:
        return Standing.ATTENDED if yes else Standing.ABSENT
    return standing or role_of(text)


def title_words(title: str) -> list[str]:
    """Give a title's words in lower case and without accents: “MemberStatus” has two."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title.strip())
    plain = unicodedata.normalize("NFKD", split.casefold())
    return re.findall(r"[^\W_]+", "".join(c for c in plain if not unicodedata.combining(c))) or [""]
