"""What a value of a status column says about a person, in the words of the usual tools and their languages.

A value is compared as a title is: without case, accents, blanks and punctuation. What is not in this table is never
guessed: the file stops with a question, or the value is answered for by `--map "Title=status(Value=keep)"`.
"""

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache
from typing import Final, Literal

from models.words import State
from worker.files.columns.known_titles import compact


class Standing(StrEnum):
    """What a status says; the text is shown beside the value that was left out."""

    REGISTERED = "registered only"
    CONFIRMED = "approved or confirmed"
    """Says that a registration holds, and nothing about whether the person came."""
    ATTENDED = "attended"
    CANCELED = "cancelled"
    ABSENT = "did not attend"
    DECLINED = "is not coming"
    DENIED = "not approved"
    PENDING = "not confirmed yet"
    INVITED = "invited, not registered"
    REMOVED = "no longer valid"
    EXCLUDED = "does not count"
    MOVED = "a join or a leave"
    """A row of a list that has one for each join and each leave: somebody was there, and that is all it says."""
    LEFT_OUT = "left out by --map"
    KEPT = "kept by --map"


LEAVING: Final = frozenset(
    {Standing.CANCELED, Standing.DENIED, Standing.DECLINED, Standing.PENDING, Standing.ABSENT, Standing.INVITED}
)
"""What leaves out whoever it is said of."""
TELLING: Final = 5
"""Letters that a status has at least: shorter ones may be a state of a country."""
STATES: Final[dict[State, Standing]] = {
    State.REGISTER: Standing.REGISTERED,
    State.ATTEND: Standing.ATTENDED,
    State.CANCEL: Standing.CANCELED,
}
"""What a value means that names a state."""

_WORDS: Final[dict[Standing, tuple[str, ...]]] = {
    Standing.REGISTERED: (
        "register", "registered", "registration", "enrolled", "signed up", "attending", "going", "will attend",
        "rsvp'd", "rsvped", "rsvp yes", "yes rsvp", "not checked in", "attendee", "registrant", "participant",
        "expected",
        "registriert", "angemeldet", "zugesagt", "zusage", "nimmt teil", "nicht eingecheckt",
        "inscrit", "inscrite", "enregistré", "enregistrée",
        "registrado", "registrada", "inscrito", "inscrita", "asistirá", "inscripto", "inscripta",
        "registado", "registada", "vai participar", "registrato", "registrata", "iscritto", "iscritta", "parteciperà",
        "geregistreerd", "ingeschreven", "aangemeld", "neemt deel",
    ),
    Standing.CONFIRMED: (
        "approved", "approve", "confirmed", "confirm", "accepted", "accept", "auto approved", "automatically approved",
        "pre-approved", "admitted", "valid", "active", "paid", "paid in full", "complete", "completed", "booked",
        "success", "successful", "free", "free order", "complimentary", "payment completed", "order completed",
        "issued", "settled", "fulfilled",
        "genehmigt", "bestätigt", "zugelassen", "akzeptiert", "angenommen", "freigegeben", "bezahlt", "abgeschlossen",
        "gebucht", "gültig", "aktiv", "kostenlos",
        "approuvé", "approuvée", "confirmé", "confirmée", "accepté", "acceptée", "validé", "validée", "payé", "payée",
        "actif", "active", "gratuit",
        "aprobado", "aprobada", "confirmado", "confirmada", "aceptado", "aceptada", "pagado", "pagada", "activo",
        "activa", "completado", "completada", "gratis",
        "aprovado", "aprovada", "aceito", "aceita", "aceite", "pago", "paga", "ativo", "ativa", "concluído", "gratuito",
        "approvato", "approvata", "confermato", "confermata", "accettato", "accettata", "pagato", "pagata", "attivo",
        "completato",
        "goedgekeurd", "bevestigd", "geaccepteerd", "betaald", "actief", "voltooid",
    ),
    Standing.ATTENDED: (
        "attend", "attended", "checked in", "check in", "present", "participated", "joined", "showed up", "show",
        "showed", "attended live", "left early", "came late", "attended event", "in attendance", "arrived", "scanned",
        "redeemed", "used", "came",
        "teilgenommen", "hat teilgenommen", "anwesend", "eingecheckt", "erschienen",
        "présent", "présente", "a participé", "a assisté", "venu", "venue",
        "asistió", "asistido", "presente", "participó", "ha asistido",
        "participou", "compareceu", "partecipato", "ha partecipato",
        "aanwezig", "deelgenomen", "heeft deelgenomen", "bijgewoond", "ingecheckt",
    ),
    Standing.CANCELED: (
        "cancel", "canceled", "cancelled", "cancellation", "cancellations", "stornierungen", "abmeldungen", "absagen",
        "annulations", "cancelaciones", "cancelamentos", "annullamenti", "annuleringen",
        "self cancelled", "self canceled", "user cancelled",
        "withdrawn", "withdrew", "withdrawal", "unregistered", "deregistered",
        "unregister", "unregistration", "deregistration", "refunded", "refund", "fully refunded", "chargeback",
        "registration cancelled", "registration canceled", "order cancelled", "order canceled", "charged back",
        "storniert", "abgemeldet", "abgesagt", "absage", "widerrufen", "zurückgezogen", "erstattet", "rückerstattet",
        "selbst storniert", "stornierung", "storno", "abmeldung",
        "annulé", "annulée", "désinscrit", "désinscrite", "remboursé", "remboursée", "désisté", "désistée",
        "cancelado", "cancelada", "anulado", "anulada", "reembolsado", "reembolsada", "retirado", "retirada",
        "estornado", "estornada", "annullato", "annullata", "cancellato", "cancellata", "rimborsato", "rimborsata",
        "disdetto", "disdetta", "ritirato", "ritirata",
        "geannuleerd", "afgemeld", "terugbetaald", "ingetrokken",
    ),
    Standing.ABSENT: (
        "no show", "noshow", "no-shows", "absentees", "non attendees", "abwesende",
        "excused", "entschuldigt", "excusé", "excusée", "did not attend",
        "didn't attend", "not attended", "did not show",
        "did not show up", "absent", "missed", "never joined", "did not join", "registered but did not attend",
        "registered not attended", "registered did not attend", "not present", "absentee", "unattended",
        "nicht erschienen", "nicht teilgenommen", "hat nicht teilgenommen", "abwesend", "ferngeblieben", "fehlend",
        "nicht anwesend", "absente", "non présent", "pas venu", "n'a pas participé", "non venu", "n'a pas assisté",
        "ausente", "no asistió", "no se presentó", "no ha asistido", "no participó", "não compareceu",
        "não participou", "faltou", "assente", "non presentato", "non ha partecipato", "non partecipato",
        "non presente", "afwezig", "niet verschenen", "niet aanwezig", "niet deelgenomen", "niet opgedaagd",
    ),
    Standing.DECLINED: (
        "rsvp no",
        "not attending", "not going", "declined", "decline", "regrets", "can't go", "cannot attend", "can't attend",
        "won't attend", "will not attend", "non attendee", "sent regrets", "unable to attend",
        "nimmt nicht teil", "zusage zurückgezogen", "sagt ab", "kommt nicht",
        "décliné", "déclinée", "ne participe pas", "ne viendra pas", "no asiste", "no asistirá", "declinado",
        "não vai", "não vai participar", "recusou", "non parteciperà", "non partecipa", "declinato",
        "neemt niet deel", "komt niet",
    ),
    Standing.DENIED: (
        "denied", "deny", "rejected", "reject", "refused", "disapproved", "not approved", "blocked", "banned",
        "ineligible", "disqualified", "not accepted", "not admitted", "turned away", "unapproved",
        "abgelehnt", "verweigert", "nicht genehmigt", "gesperrt", "nicht bestätigt", "nicht zugelassen",
        "refusé", "refusée", "rejeté", "rejetée", "bloqué", "bloquée", "non approuvé", "non approuvée",
        "denegado", "denegada", "rechazado", "rechazada", "bloqueado", "bloqueada", "no aprobado",
        "negado", "negada", "recusado", "recusada", "rejeitado", "rejeitada", "reprovado", "não aprovado",
        "negato", "negata", "rifiutato", "rifiutata", "respinto", "respinta", "non approvato", "bloccato",
        "geweigerd", "afgewezen", "afgekeurd", "niet goedgekeurd", "geblokkeerd",
    ),
    Standing.PENDING: (
        "pending", "pending approval", "approval pending", "awaiting approval", "waiting for approval", "to approve",
        "waitlist", "wait list", "waitlisted", "wait listed", "on waitlist", "on waiting list", "waiting list",
        "waiting", "waitlist confirmed", "waitlist new", "standby", "hold", "on hold", "tentative", "maybe",
        "undecided", "interested", "rsvp maybe", "overdue", "payment overdue", "in progress", "incomplete", "started",
        "abandoned", "unconfirmed", "not confirmed",
        "unpaid", "not paid", "payment pending", "pending payment", "awaiting payment", "payment due", "balance due",
        "pending in cart", "pending from pay later", "pending from waitlist", "pending from approval", "in cart",
        "pending from incomplete transaction", "awaiting confirmation", "pending confirmation", "under review",
        "requested", "approval requested", "draft", "queued", "needs approval", "pending review", "new",
        "ausstehend", "wartend", "warteliste", "auf warteliste", "auf der warteliste", "vorbehaltlich",
        "mit vorbehalt", "in bearbeitung", "genehmigung ausstehend", "offen", "unbestätigt", "unbezahlt", "vielleicht",
        "nicht bezahlt", "wartet auf genehmigung", "ausstehende genehmigung",
        "en attente", "en attente d'approbation", "en attente de validation", "liste d'attente", "en cours",
        "sur liste d'attente", "peut-être", "provisoire", "non confirmé", "impayé",
        "pendiente", "pendiente de aprobación", "aprobación pendiente", "lista de espera", "en lista de espera",
        "en espera", "quizás", "tal vez", "provisional", "sin confirmar", "impagado",
        "pendente", "pendente de aprovação", "aprovação pendente", "na lista de espera", "em espera", "aguardando",
        "aguardando aprovação", "talvez", "não confirmado", "não pago",
        "in attesa", "in attesa di approvazione", "in sospeso", "lista d'attesa", "in lista d'attesa", "forse",
        "non confermato", "non pagato",
        "in behandeling", "wachtlijst", "op wachtlijst", "op de wachtlijst", "in afwachting", "misschien",
        "in afwachting van goedkeuring", "wacht op goedkeuring", "niet bevestigd", "niet betaald", "onbetaald",
    ),
    Standing.INVITED: (
        "invited", "invitation sent", "invite sent", "sent", "not responded", "no response", "no reply", "none",
        "awaiting response", "awaiting reply", "no rsvp", "not registered", "not yet registered", "opened", "clicked",
        "delivered", "visited", "viewed", "unopened", "bounced", "emailed", "mailed", "not invited", "planned",
        "not replied", "not yet replied", "did not respond", "no answer", "undelivered", "needs action", "not answered",
        "eingeladen", "einladung gesendet", "gesendet", "keine antwort", "nicht geantwortet", "nicht registriert",
        "nicht angemeldet", "geöffnet", "geklickt", "noch nicht beantwortet",
        "invité", "invitée", "envoyé", "envoyée", "pas de réponse", "sans réponse", "non inscrit", "ouvert",
        "n'a pas répondu",
        "invitado", "invitada", "enviado", "enviada", "sin respuesta", "no registrado", "no inscrito",
        "no ha respondido",
        "convidado", "convidada", "sem resposta", "não respondeu", "não inscrito", "não registrado",
        "invitato", "invitata", "inviato", "inviata", "nessuna risposta", "non ha risposto", "non registrato",
        "non iscritto", "uitgenodigd", "verzonden", "geen reactie", "niet gereageerd", "niet geregistreerd",
        "niet ingeschreven",
    ),
    Standing.REMOVED: (
        "deleted", "removed", "transferred", "transfered", "expired", "duplicate", "test", "spam", "archived",
        "inactive", "invalid", "void", "voided", "failed", "payment failed", "unsubscribed", "test preview",
        "deactivated", "disabled", "revoked", "merged", "replaced", "substituted", "ended",
        "gelöscht", "entfernt", "übertragen", "abgelaufen", "ungültig", "doppelt", "inaktiv", "fehlgeschlagen",
        "ersetzt", "supprimé", "supprimée", "transféré", "transférée", "expiré", "expirée", "invalide", "inactif",
        "échoué", "remplacé", "eliminado", "eliminada", "transferido", "transferida", "caducado", "caducada",
        "expirado", "expirada", "inválido", "inactivo", "borrado", "fallido", "excluído", "excluída", "removido",
        "removida", "inativo", "falhou", "eliminato", "eliminata", "rimosso", "rimossa", "trasferito", "trasferita",
        "scaduto", "scaduta", "non valido", "inattivo", "fallito", "verwijderd", "overgedragen", "verlopen",
        "ongeldig", "inactief", "mislukt", "vervangen",
    ),
}  # fmt: skip

_BESIDE_A_NAME: Final = re.compile(
    rf"\b(?:{'|'.join(word for word in _WORDS[Standing.CANCELED] if word.isalpha() and len(word) > len('cancel'))})\b",
    re.IGNORECASE,
)
_KNOWN: Final = {compact(word): standing for standing, words in _WORDS.items() for word in words}
_BY: Final = ("by", "von", "vom", "durch", "par", "por", "pelo", "pela", "da", "dal", "dall", "door")
_CANCELED_BY: Final = tuple(word + by for word, says in _KNOWN.items() if says is Standing.CANCELED for by in _BY)
"""How “cancelled by …” begins: by whom does not matter."""
_PENDING_FOR: Final = ("pendingfrom", "pendingapproval", "pendingpayment", "waitlist", "onwaitlist")
"""How what is not decided begins, whatever it waits for."""
HOLDING: Final = frozenset({Standing.REGISTERED, Standing.CONFIRMED, Standing.ATTENDED})
_PARTS: Final = re.compile(r"[/()\[\]:;,|]|\s[-–—]\s")

_MOVES: Final[dict[Literal["join", "leave"], tuple[str, ...]]] = {
    "join": (
        "joined", "join", "joined before", "joined meeting", "joined the meeting", "entered", "logged in", "connected",
        "beigetreten", "vorher beigetreten", "zuvor beigetreten", "betreten", "rejoint", "a rejoint", "connecté",
        "entré", "rejoint avant", "unido", "se unió", "se unió antes", "entró", "conectado", "entrou", "ingressou",
        "ingressou antes", "entrato", "ha partecipato", "si è unito", "partecipato", "collegato", "deelgenomen",
        "toegetreden", "binnengekomen",
    ),
    "leave": (
        "left", "leave", "left meeting", "left the meeting", "exited", "exit", "logged out", "disconnected",
        "verlassen", "ausgetreten", "gegangen", "quitté", "a quitté", "parti", "sorti", "déconnecté", "abandonó",
        "ha salido", "salió", "se fue", "desconectado", "saiu", "uscito", "ha abbandonato", "abbandonato", "scollegato",
        "vertrokken", "verlaten",
    ),
}  # fmt: skip
"""What a list of joins and leaves says in each of its rows."""
_MOVED: Final = {compact(word): move for move, words in _MOVES.items() for word in words}
_WAITLIST: Final = re.compile(
    r"waitlist|waitinglist|wartelist|listedattente|listadeespera|listaespera|listadattesa|wachtlijst"
)
"""A word that is said of events only, whatever stands beside it."""

_YES: Final = frozenset({"yes", "y", "true", "t", "1", "x", "ja", "j", "oui", "o", "si", "s", "sim", "wahr", "vrai"})
_NO: Final = frozenset({"no", "n", "false", "f", "0", "nein", "non", "nao", "nee", "falsch", "faux", "falso"})
_NO_WORDS: Final = re.compile(r"\W*(?:nein|nope|non|nao|n\u00e3o|nee|no|unfortunately|leider|sorry)\b", re.IGNORECASE)
_YES_WORDS: Final = re.compile(r"\W*(?:yes|yep|yeah|ja|oui|s\u00ed|sim|of course|sure)\b", re.IGNORECASE)
_LONGEST_YES: Final = 16
"""Characters, blanks and dots included."""
_TICKS: Final = {
    "✓": True,
    "✔": True,
    "✔️": True,
    "☑": True,
    "✅": True,
    "✗": False,
    "✘": False,
    "❌": False,
    "☐": False,
}


@lru_cache(maxsize=4096)
def standing_of(text: str) -> Standing | None:
    """Give what a status says; None where that is not known.

    Of several words the one that leaves out is enough, as in “Cancelled - refund due”; for a part nothing is kept.
    """
    plain = compact(text)
    if plain in _KNOWN:
        return _KNOWN[plain]
    if plain.startswith(_CANCELED_BY):
        return Standing.CANCELED
    if plain.startswith(("vom", "von", "durch")) and plain.endswith(("storniert", "abgesagt", "abgemeldet")):
        return Standing.CANCELED
    if plain.startswith(_PENDING_FOR):
        return Standing.PENDING
    said = [_KNOWN.get(compact(part)) for part in _PARTS.split(text) if compact(part)]
    out = [standing for standing in said if standing is not None and standing not in HOLDING]
    if out:
        return None if HOLDING & set(said) else out[0]
    return said[0] if len(set(said)) == 1 else None


_COME: Final = (
    r"(?:com(?:e|es|ing)|came|attend\w*|join\w*|make it|making it|participa\w*|there|show\w*|present\w*|able|take part|"
    r"komm\w*|teil\w*|dabei|erschein\w*|erschien\w*|anwesend|vien\w*|venir|venu\w*|present\w*|asist\w*|vendra\w*|"
    r"viene\w*|vem|vir|verra|partecip\w*|komt|komen|deel\w*|aanwezig)"
)
_NOT_COMING: Final = re.compile(
    rf"\b(?:not?|cannot|cant|wont|didnt|doesnt|dont|isnt|arent|couldnt|wasnt|never|unable to|no longer|nicht|pas|niet|"
    rf"nao|non|ne)(?: \w+){{0,3}}? {_COME}\b|\b{_COME}(?: \w+){{0,3}}? (?:nicht|pas|niet)\b|"
    r"\bdrop(?:ped|s)? ?outs?\b|\bplease (?:remove|delete|ignore|take off)|\bbitte (?:streichen|loschen|entfernen)|"
    r"\b(?:un|de)regist|\bcancel|\bwithdr[ae]w|\bstornier|\babgesagt\b|\babgemeldet\b|\bannul|\bgeannuleerd\b"
)
"""Words within a text that may say that somebody does not come, where accents and apostrophes are gone."""


@lru_cache(maxsize=4096)
def may_say_not_coming(text: str) -> bool:
    """Say whether some words of a title or a remark may say that somebody does not come: “sick, cannot make it”."""
    plain = unicodedata.normalize("NFKD", re.sub(r"['\u2019]", "", text.casefold()))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return _NOT_COMING.search(" ".join(re.findall(r"\w+", plain))) is not None


def canceled_in(name: str) -> str:
    """Give the word beside a name that says they cancelled, as in “CANCELLED Bob”; nothing in a mere name."""
    found = _BESIDE_A_NAME.search(name)
    return found[0] if found else ""


def join_or_leave(text: str) -> Literal["join", "leave"] | None:
    """Say whether a row tells of a join or of a leave; None for anything else."""
    return _MOVED.get(compact(text))


def is_of_events(text: str) -> bool:
    """Say whether a status that leaves out is said of events only, unlike “pending” or “inactive”."""
    plain = compact(text)
    return _KNOWN.get(plain) is Standing.ABSENT or _WAITLIST.search(plain) is not None


def says_yes(text: str) -> bool | None:
    """Read yes or no, a tick or a cross; None for anything else."""
    if text.strip() in _TICKS:
        return _TICKS[text.strip()]
    if len(text) > _LONGEST_YES:
        return None  # most cells, such as times: not worth a closer look
    plain = compact(text)
    return True if plain in _YES else False if plain in _NO else None


def begins_with_yes(text: str) -> bool | None:
    """Read an answer to a question of a form, such as “Yes, online” or “No, sorry”; None for anything else."""
    if (yes := says_yes(text)) is not None:
        return yes
    return False if _NO_WORDS.match(text) else True if _YES_WORDS.match(text) else None
