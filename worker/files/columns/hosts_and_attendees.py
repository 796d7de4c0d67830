"""Who ran the event and who attended it: what a role column and the title of a section say."""

import re
import unicodedata
from enum import StrEnum
from typing import Final

from worker.files.columns.known_titles import compact
from worker.files.columns.status_values import (
    LEAVING,
    TELLING,
    Standing,
    is_of_events,
    may_say_not_coming,
    standing_of,
)


class EventRole(StrEnum):
    """Which side of the event somebody was on."""

    STAFF = "host, organizer, panelist or presenter"
    ATTENDEE = "attendee"


_STAFF: Final = (
    "team member", "owner", "event owner",
    "host", "hosts", "cohost", "cohosts", "alternative host", "meeting host", "meeting organizer", "event organizer",
    "webinar organizer", "presentator", "presentatoren", "webinar host", "event host", "organizer", "organizers",
    "organiser", "organisers", "coorganizer", "coorganizers", "coorganiser", "panelist", "panelists", "panellist",
    "panellists", "presenter", "presenters", "copresenter", "speaker", "speakers", "keynote speaker", "moderator",
    "moderators", "producer", "producers", "staff", "event staff", "crew", "facilitator", "gastgeber", "gastgeberin",
    "cogastgeber", "mitgastgeber", "organisator", "organisatorin", "organisatoren", "mitorganisator", "referent",
    "referentin", "referenten", "redner", "rednerin", "sprecher", "sprecherin", "vortragende", "vortragender",
    "moderatorin", "podiumsteilnehmer", "podiumsteilnehmerin", "diskussionsteilnehmer", "diskussionsteilnehmerin",
    "panelmitglied", "veranstalter", "veranstalterin", "prasentator", "praesentator", "prasentierender", "hote",
    "hotes", "cohote", "organisateur", "organisatrice", "organisateurs", "coorganisateur", "presentateur",
    "presentatrice", "intervenant", "intervenante", "intervenants", "animateur", "animatrice", "moderateur",
    "moderatrice", "paneliste", "panelistes", "conferencier", "conferenciere", "orateur", "anfitrion", "anfitriona",
    "anfitriones", "coanfitrion", "organizador", "organizadora", "organizadores", "coorganizador", "presentador",
    "presentadora", "presentadores", "moderador", "moderadora", "ponente", "ponentes", "orador", "oradora",
    "panelista", "panelistas", "anfitriao", "anfitria", "coanfitriao", "apresentador", "apresentadora",
    "apresentadores", "palestrante", "palestrantes", "painelista", "painelistas", "organizzatore", "organizzatrice",
    "organizzatori", "coorganizzatore", "relatore", "relatrice", "relatori", "presentatore", "moderatore",
    "ospitante", "conduttore", "gastheer", "gastvrouw", "spreker", "sprekers", "panellid", "panelleden", "cogastheer",
    "主持人", "联席主持人", "主讲人", "ホスト", "共同ホスト", "호스트", "공동 호스트",
)  # fmt: skip
_ATTENDEES: Final = (
    "attendee", "attendees", "participant", "participants", "guest", "guests", "viewer", "viewers", "audience",
    "member", "members",
    "registrant", "registrants", "invitee", "student", "students", "external participant", "external", "internal",
    "visitor", "delegate", "delegates",
    "user", "users", "teilnehmer", "teilnehmerin", "teilnehmende", "teilnehmender", "teilnehmerinnen", "gast",
    "gaste", "zuschauer", "zuschauerin",
    "participante", "participantes", "invite", "invitee", "spectateur", "spectatrice", "spectateurs", "asistente",
    "asistentes", "invitado",
    "invitada", "espectador", "espectadores", "convidado", "convidada", "convidados", "partecipante", "partecipanti",
    "invitato", "spettatore",
    "deelnemer", "deelnemers", "deelneemster", "genodigde", "kijker", "aanwezige", "aanwezigen", "anonymous",
    "unauthenticated",
    "regular attendee", "general attendee", "optional attendee", "required attendee", "optional", "required",
    "inscrits", "inscritos", "iscritti",
)  # fmt: skip

_ROLES: Final = {
    compact(word): role
    for role, words in ((EventRole.STAFF, _STAFF), (EventRole.ATTENDEE, _ATTENDEES))
    for word in words
}
_BESIDE: Final = re.compile(r"[()\[\]|:\uff08\uff09\uff1a]|\s[-\u2013\u2014]\s")
"""What stands between a name and what is written beside it."""
_STAFF_WORDS: Final = frozenset(compact(word) for word in _STAFF)
_STAFF_PEOPLE: Final = frozenset(word for word in _STAFF_WORDS if word.removesuffix("s") in _STAFF_WORDS - {word}) | {
    "referenten", "redner", "sprecher", "organisatoren", "relatori", "organizzatori", "sprekers", "staff", "crew"
}  # fmt: skip
"""Words for several of them."""
_OURS: Final = frozenset({"our", "unsere", "nos", "nuestros", "nossos", "nostri", "onze"})
_ATTENDEE_WORDS: Final = frozenset(compact(word) for word in _ATTENDEES)
_AROUND: Final = frozenset(
    {
        "details", "detail", "list", "report", "data", "information", "info", "s", "the", "of", "and", "other",
        "attended", "all", "who", "online", "event", "meeting", "webinar", "session", "in", "activities",
        "summary", "registration", "registrations", "registered", "attendance", "us", "liste", "bericht",
        "daten", "der", "die", "und", "sonstige", "andere", "besprechung", "aktivitaten", "zusammenfassung",
        "teilgenommen", "angaben", "informationen", "anmeldungen", "registrierung", "registrierungsbericht",
        "teilnehmerbericht", "teilnahmebericht", "rapport", "des", "de", "du", "d", "l", "la", "le", "les",
        "et", "autres", "reunion", "activites", "inscription", "inscriptions", "detalles", "informe", "del",
        "los", "las", "el", "lista", "y", "otros", "actividades", "inscripciones", "registro", "asistencia",
        "detalhes", "relatorio", "do", "da", "dos", "das", "e", "outros", "atividades", "reuniao", "inscricoes",
        "presenca", "dettagli", "elenco", "rapporto", "dell", "degli", "dei", "della", "altri", "attivita",
        "riunione", "registrazione", "registrazioni", "gegevens", "lijst", "van", "en", "overige",
        "activiteiten", "vergadering", "registratie", "registraties", "aanwezigheid", "resumen", "resume",
        "resumo", "riepilogo", "samenvatting",
    }
)  # fmt: skip
"""Words around a section's subject that say nothing of who stands in it."""
_ENDINGS: Final = ("details", "detail", "informationen", "gegevens", "daten", "liste", "lijst", "angaben")


def role_of(text: str) -> EventRole | None:
    """Give the side that a role column's value names; several roles in one cell are staff where one of them is."""
    if (known := _ROLES.get(compact(text))) is not None:
        return known
    parts = [_ROLES.get(compact(part)) for part in re.split(r"[,;/|&+]", text) if part.strip()]
    if EventRole.STAFF in parts:
        return EventRole.STAFF
    return EventRole.ATTENDEE if parts and None not in parts else None


def may_hold_more(name: str) -> bool:
    """Say whether anything but a name may stand in a name's cell: what would part them is there."""
    return _BESIDE.search(name) is not None


def staff_beside(name: str) -> str:
    """Give the part of a name's cell that says they are the staff: “Host: Hana”, “Hana (host) (she/her)”.

    A part with a comma is a name: “Speaker, Hana”.
    """
    parts = [part.strip() for part in _BESIDE.split(name)]
    staff = (part for part in parts if "," not in part and role_of(part) is EventRole.STAFF)
    return next(staff, "") if len(parts) > 1 else ""


def section_of(title: str) -> EventRole | Standing | None:
    """Say who stands in a section by its title; None where that is not known.

    Only a title made of known words counts: “Host: Hollis” names a person, not a section.
    """
    words = _words(title)
    subject = [word for word in words if word not in _AROUND]
    if subject and all(word in _STAFF_WORDS or word in _ATTENDEE_WORDS for word in subject):
        return EventRole.STAFF if any(word in _STAFF_WORDS for word in subject) else EventRole.ATTENDEE
    if (role := role_of(title)) is not None:
        return role
    without = " ".join(word for word in words if word not in _ATTENDEE_WORDS and word not in _AROUND - _SAYING)
    if (standing := standing_of(title) or (standing_of(without) if without else None)) is not None:
        return standing
    return EventRole.ATTENDEE if words and not subject else None


def hints_at(title: str) -> Standing | EventRole | None:
    """Give what leaves out and some words of a title name, such as “List of cancelled people, May”.

    Of the staff only what begins with them: “Speakers of the day”, neither “Meet the speakers” nor “Speakers: Hana”.
    """
    first = next((word for word in _words(title) if word not in _AROUND and word not in _OURS), "")
    if first in _STAFF_PEOPLE and ":" not in title:
        return EventRole.STAFF
    words = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", title)[:MOST_WORDS]
    for size in range(_WORDS_OF_STATUS, 0, -1):
        for place in range(len(words) - size + 1):
            text = " ".join(words[place : place + size])
            if len(compact(text)) < TELLING or (standing := standing_of(text)) not in LEAVING:
                continue
            if size > 1 or standing not in {Standing.PENDING, Standing.INVITED} or is_of_events(text):
                return standing
    return Standing.DECLINED if may_say_not_coming(title) else None


MOST_WORDS: Final = 20
"""Of a title that are looked at."""
_WORDS_OF_STATUS: Final = 4
_SAYING: Final = frozenset({"attended", "registered", "teilgenommen", "of", "de", "en", "in"})
"""Words that say nothing alone and something within a status, such as “registered” in “not registered”."""


def _words(title: str) -> list[str]:
    """Give a title's words in lower case, without accents, numbers and the endings that languages glue on."""
    plain = unicodedata.normalize("NFKD", title.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c)).replace("co-", "co")
    return [_without_ending(word) for word in re.findall(r"[^\W\d_]+", plain)]


def _without_ending(word: str) -> str:
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and stem:
            return stem if stem in _ROLES else stem.removesuffix("s")
    return word
