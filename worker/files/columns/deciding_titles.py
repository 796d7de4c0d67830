"""Titles of columns that decide who counts, in the languages of the usual tools, and words of titles that do not.

This is a table of words; `who_counts` reads it.
"""

from enum import StrEnum
from typing import Final


class DecidingKind(StrEnum):
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
    """The time at which somebody cancelled, or yes or no: who has neither did not."""
    GONE = "gone"
    """The same of who declined, was refused or was removed; what was written there otherwise is asked about."""
    EXCLUDED = "excluded"
    """Yes or no under a title that leaves out itself, such as “Waitlisted” or “Deleted”."""
    ROLE = "role"
    STAFF = "staff"
    """Whether somebody is the host, by yes or no; or who the host is."""
    MOVE = "move"
    """A row for each join and each leave."""
    TICKET = "ticket"
    """Names of tickets and groups are anybody's words: only what names the staff decides."""


TITLES: Final[dict[DecidingKind, tuple[str, ...]]] = {
    DecidingKind.APPROVED: (
        "approved", "isapproved", "genehmigt", "approuve", "aprobado", "aprovado", "approvato", "goedgekeurd",
    ),
    DecidingKind.REPLY: (
        "rsvp", "rsvpstatus", "rsvpresponse", "rsvpreply", "invitationresponse", "inviteresponse", "eventresponse",
        "going", "attending", "willattend", "coming", "iscoming", "zusage", "confirmacion",
        "confirmacao", "kommst", "kommstdu", "kommensie", "kommt", "ichkomme", "ichkommegerne", "nimmstduteil",
        "nehmensieteil", "ichnehmeteil", "nimmtteil", "bistdudabei", "sindsiedabei", "viendrezvous", "viendrastu",
        "participerezvous", "participerastu", "serezvouspresent", "jeparticipe", "asistira", "asistiras", "asistire",
        "vasaasistir", "vendras", "participara", "vaiparticipar", "vocevaiparticipar", "parteciperai", "parteciperete",
        "parteciperaallevento", "komje", "komtu", "komtunaarhetevenement", "neemtudeel", "neemjedeel",
    ),
    DecidingKind.ATTENDED: (
        "attended", "hasattended", "didattend", "attendedlive", "attendedevent", "attendedwebinar", "attendedsession",
        "showedup", "checkedin", "checkin", "ischeckedin", "checkintime", "checkindate", "checkindatetime",
        "checkedinat", "checkedintime", "checkedindate", "checkintimestamp", "checkinat", "participated",
        "waspresent", "ispresent",
        "scanned", "scannedat", "teilgenommen", "hatteilgenommen", "anwesend", "eingecheckt", "eincheckzeit",
        "aparticipe", "participe", "present",
        "presente", "enregistrealarrivee", "asistio", "haasistido", "participou", "compareceu", "hapartecipato",
        "partecipato", "aanwezig",
        "deelgenomen", "ingecheckt", "hasjoined", "hasjoinedevent", "joinedevent", "here", "washere", "there",
        "wasthere",
        "came", "didcome", "didtheycome", "didtheyattend", "didshow", "showed", "didshowup", "turnedup", "arrived",
        "arrivedat", "hasarrived", "gekommen", "istgekommen", "erschienen", "warda", "wardabei", "venu", "estvenu",
        "etaitpresent", "vino", "havenido", "estuvo", "estuvopresente", "veio", "esteve", "estevepresente", "venuto",
        "evenuto", "gekomen", "isgekomen", "wasaanwezig",
    ),
    DecidingKind.ABSENT: (
        "noshow", "isnoshow", "absent", "didnotattend", "abwesend", "nichterschienen", "ausente", "assente",
        "afwezig",
    ),
    DecidingKind.EXCLUDED: (  # the times of a waiting room are not the meeting's, and nobody may have let the person in
        "inwaitingroom", "waitingroom", "onlyinwaitingroom", "inlobby", "imwarteraum", "imwartezimmer", "warteraum",
        "wartezimmer", "ensalledattente", "danslasalledattente", "salledattente", "enlasaladeespera",
        "ensaladeespera", "saladeespera", "nasaladeespera", "nellasaladattesa", "insaladattesa", "saladattesa",
        "indewachtkamer", "inwachtruimte", "indewachtruimte",
    ),
    DecidingKind.TICKET: (
        "tickettype", "ticketname", "ticket", "tickettitle", "ticketcategory", "attendeetype", "participanttype",
        "registrationtype", "registranttype", "usertype", "attendeecategory", "registrationcategory", "admissionitem",
        "admissiontype",
        "guesttype", "persontype", "membertype", "attendeegroup", "tickettyp", "ticketart", "ticketkategorie",
        "teilnehmertyp", "teilnehmerart",
        "teilnehmerkategorie", "typedebillet", "typedeparticipant", "tipodeentrada", "tipodeboleto",
        "tipodeparticipante", "tipodeingresso",
        "tipodebilhete", "tipodibiglietto", "tipodipartecipante", "deelnemerstype", "type", "category",
        "invitationlist", "badgetype", "audiencetype", "audience", "typeofattendee", "typeofparticipant",
    ),
}  # fmt: skip
IF_KNOWN: Final[dict[DecidingKind, tuple[str, ...]]] = {
    DecidingKind.STATUS: (
        "state", "estado", "stato", "etat", "situacao", "situacion", "situazione", "standing", "participation",
        "teilnahme",
    ),
    DecidingKind.REPLY: (
        "response", "reply", "antwort", "reponse", "respuesta", "resposta", "risposta", "reactie", "replied",
        "answer",
    ),
    DecidingKind.ATTENDED: (
        "attendance", "anwesenheit", "presence", "asistencia", "presenca", "presenza", "aanwezigheid",
        "eventattendance", "participant",
    ),
}  # fmt: skip

ACTIONS: Final = frozenset(
    {
        "useraction", "action", "participantaction", "benutzeraktion", "aktion", "actiondelutilisateur",
        "acciondelusuario", "accion", "acaodousuario", "acao", "azioneutente", "azione", "gebruikersactie", "actie",
    }
)  # fmt: skip
"""Where older lists of Teams say who joined and who left."""
HARMLESS: Final = frozenset(
    {
        "marital", "lead", "account", "customer", "client", "employment", "employee", "job", "work", "working",
        "subscription", "subscriber", "newsletter", "email", "mail", "optin", "opt", "consent", "gdpr",
        "privacy", "recording", "lifecycle", "contact", "deal", "opportunity", "citizenship", "visa",
        "immigration", "vaccination", "vaccine", "covid", "student", "tax", "membership", "device",
        "connection", "network", "survey", "poll", "delivery", "bounce", "sync", "import", "export", "company",
        "partner", "prospect", "marketing", "civil", "civile", "social", "military", "veteran", "residency",
        "disability", "health", "insurance", "sms", "phone", "certificate", "certification", "photo", "media",
        "nda", "waiver", "dietary", "form", "feedback", "reminder", "message", "crm", "record", "profile",
        "loyalty", "verification", "quiz", "score", "relationship", "family", "familien", "familienstand",
        "matrimonial", "professionnel", "profesional", "laboral", "housing", "ownership", "home", "shipping",
        "mailing", "billing", "residence", "province", "us", "country", "task", "project", "ticketing",
        "shipment", "hotel", "travel", "flight", "credit", "background", "beschaftigungs", "arbeits", "kunden",
        "vip", "sales", "mql", "sql", "dinner", "lunch", "breakfast", "party", "reception", "gala", "tour", "parking",
        "meal", "catering", "terms", "conditions", "seniority", "abendessen", "diner", "cena",
    }
)  # fmt: skip
"""Words of a title that tell of something else than of coming to an event."""
ELSEWHERE: Final = frozenset(
    {
        "newsletter", "email", "mail", "optin", "opt", "consent", "gdpr", "privacy", "recording", "survey", "poll",
        "sms", "reminder", "message", "quiz", "dinner", "lunch", "breakfast", "party", "reception", "gala", "tour",
        "parking", "meal", "catering", "hotel", "travel", "flight", "shipping", "delivery", "certificate",
        "certification", "feedback", "abendessen", "diner", "cena", "previous", "last", "past", "prior",
    }
)  # fmt: skip
"""Words of a title that tell of what somebody may join or miss beside the event, or of an event before it."""
MESSAGES: Final = frozenset({"email", "mail", "sms", "certificate", "reminder", "survey", "feedback"})
"""What is sent around an event: that an invitation was opened says nothing of a registration."""
OTHER_ROLES: Final = frozenset(
    {
        "job", "work", "purchase", "purchasing", "buying", "business", "professional", "company", "current",
        "decision", "team", "your", "functional", "organizational", "it", "career", "process", "security",
        "crm", "describe", "best", "berufliche", "buyer", "industry", "department", "position", "management",
        "contact", "account", "opportunity",
    }
)  # fmt: skip
