# ruff: noqa: E501 - tables of words are as long as the words
import pytest

from models.words import State
from worker.files.columns import hosts_and_attendees, status_values
from worker.files.columns.deciding_titles import DecidingKind
from worker.files.columns.hosts_and_attendees import EventRole, role_of, section_of
from worker.files.columns.known_titles import compact
from worker.files.columns.status_values import Standing, says_yes, standing_of
from worker.files.columns.who_counts import Deciding, announces, deciding, meaning
from worker.files.signs import Sign
from worker.files.verdicts import verdict

VALUES = {
    Standing.REGISTERED: ["Registered", "Attending", "angemeldet", "Inscrit", "registrado", "INSCRITO", "iscritta", "Geregistreerd"],
    Standing.CONFIRMED: ["approved", "Confirmed", "genehmigt", "Approuvée", "aprobado", "Aprovada", "approvato", "goedgekeurd"],
    Standing.ATTENDED: ["Attended", "Checked-In", "CHECKED_IN", "teilgenommen", "Présent", "asistió", "compareceu", "aanwezig"],
    Standing.CANCELED: [
        "canceled", "Cancelled by self", "cancelled by host", "Refunded/Canceled", "Storniert vom Veranstalter", "annulé par l’hôte",
        "cancelado por el anfitrión", "Cancelada", "annullato", "Geannuleerd", "Refunded",
    ],
    Standing.ABSENT: ["No Show", "no-show", "NO_SHOW", "Did not attend", "nicht erschienen", "Absente", "No asistió", "Não compareceu"],
    Standing.DECLINED: ["Not Attending", "declined", "Décliné", "nimmt nicht teil", "No asistirá", "não vai", "komt niet"],
    Standing.DENIED: ["denied", "Rejected", "abgelehnt", "Refusé", "rechazado", "Recusado", "rifiutata", "geweigerd"],
    Standing.PENDING: [
        "pending", "Pending approval", "Waitlisted", "On waitlist", "Pending (pay later)", "Warteliste", "en attente", "pendiente",
        "Pendente", "in attesa", "In behandeling", "Tentative",
    ],
    Standing.INVITED: ["Invited", "Sent", "No Response", "not responded", "eingeladen", "Invité", "invitado", "convidada", "uitgenodigd"],
    Standing.REMOVED: ["Deleted", "Transferred", "expired", "gelöscht", "supprimé", "eliminado", "excluído", "verwijderd"],
}  # fmt: skip


@pytest.mark.parametrize(("standing", "texts"), VALUES.items())
def test_a_status_is_known_in_the_tools_languages(standing: Standing, texts: list[str]) -> None:
    assert {text: standing_of(text) for text in texts} == dict.fromkeys(texts, standing)


@pytest.mark.parametrize("text", ["", "Walk-in", "VIP", "CA", "7", "approved?", "Registered/Cancelled", "…"])
def test_what_is_not_known_is_not_guessed(text: str) -> None:
    assert standing_of(text) is (Standing.CONFIRMED if text == "approved?" else None)


def test_no_word_says_two_things() -> None:
    words = [(compact(word), standing) for standing, group in status_values._WORDS.items() for word in group]  # noqa: SLF001 - the table itself
    assert {
        word for word, standing in words for other, another in words if word == other and standing != another
    } == set()
    assert set(map(compact, hosts_and_attendees._STAFF)) & set(map(compact, hosts_and_attendees._ATTENDEES)) == set()  # noqa: SLF001 - the table itself


TITLES = {
    DecidingKind.ADMISSION: [
        "Approval Status", "approval_status", "registrationStatus", "Registrant Status", "Order Status", "Ticket Status",
        "Genehmigungsstatus", "Registrierungsstatus", "Statut d'inscription", "Estado de aprobación", "Status da inscrição",
        "Stato registrazione", "Goedkeuringsstatus", "Inschrijvingsstatus", "Invitation Status", "Booking Status",
    ],
    DecidingKind.STATUS: [
        "Status", "Statut", "Member Status", "Campaign Member Status", "Participant Status", "Attendee Status", "Invitee Status",
        "Check-in Status", "Teilnahmestatus", "Statut du participant", "Estado del asistente", "Event Status", "Foo Status",
    ],
    DecidingKind.ROLE: ["Participant Role", "Meeting role", "attendeeRole", "Teilnehmerrolle", "Rôle du participant", "Rol del participante"],
    DecidingKind.REPLY: ["RSVP", "RSVP Status", "Going?", "Invitation response"],
    DecidingKind.ATTENDED: ["Attended", "Checked In?", "Check-in Time", "Teilgenommen", "A participé", "Asistió", "Anwesend"],
    DecidingKind.ABSENT: ["No Show", "No-show?"],
    DecidingKind.PAYMENT: ["Payment Status", "Zahlungsstatus", "Invoice status"],
    DecidingKind.TICKET: ["Ticket Type", "Attendee Type", "Ticketart"],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "titles"), TITLES.items())
def test_a_deciding_column_is_known_by_its_title(kind: DecidingKind, titles: list[str]) -> None:
    assert {title: deciding(title) for title in titles} == dict.fromkeys(titles, Deciding(kind))


@pytest.mark.parametrize(
    "title", ["State", "Estado", "Stato", "Role", "Rolle", "Ruolo", "Response", "Attendance", "Is Host", "Speaker"]
)
def test_a_title_of_many_meanings_decides_only_if_its_values_do(title: str) -> None:
    known = deciding(title)
    assert known is not None
    assert not known.sure


@pytest.mark.parametrize(
    "title",
    [
        *("Marital Status", "Lead Status", "Employment Status", "Email Status", "Customer status", "Membership Status"),
        *(
            "Estado civil",
            "Familienstand",
            "Statut marital",
            "Job Role",
            "Role in Purchase Process",
            "What is your role?",
        ),
        *(
            "Invitation Email Status",
            "Home State",
            "State/Province",
            "Status Date",
            "Registration Source",
            "Guest",
            "Order #",
            "Notes",
            "",
        ),
        *("Recording Consent", "Order Type", "Quantity", "Kontrolle", "Host Name", "Is Guest", "Newsletter"),
    ],
)
def test_a_harmless_title_decides_nothing(title: str) -> None:
    assert deciding(title) is None


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (DecidingKind.REPLY, "yes", Standing.REGISTERED),
        (DecidingKind.REPLY, "Nein", Standing.DECLINED),
        (DecidingKind.APPROVED, "✓", Standing.CONFIRMED),
        (DecidingKind.APPROVED, "false", Standing.DENIED),
        (DecidingKind.ATTENDED, "No", Standing.ABSENT),
        (DecidingKind.ATTENDED, "0 min", Standing.ABSENT),
        (DecidingKind.ATTENDED, "47 min", Standing.ATTENDED),
        (DecidingKind.ATTENDED, "03/22/2026 07:02 PM", Standing.ATTENDED),
        (DecidingKind.ATTENDED, "Partly", None),
        (DecidingKind.ABSENT, "Yes", Standing.ABSENT),
        (DecidingKind.PAYMENT, "Paid", EventRole.ATTENDEE),
        (DecidingKind.PAYMENT, "Refunded", Standing.CANCELED),
        (DecidingKind.PAYMENT, "Unpaid", None),
        (DecidingKind.ROLE, "Organizer, Presenter", EventRole.STAFF),
        (DecidingKind.ROLE, "Présentateur", EventRole.STAFF),
        (DecidingKind.ROLE, "Deelnemer", EventRole.ATTENDEE),
        (DecidingKind.ROLE, "Engineer", None),
        (DecidingKind.TICKET, "Speaker Pass", EventRole.STAFF),
        (DecidingKind.TICKET, "Early Bird", EventRole.ATTENDEE),
        (DecidingKind.STATUS, "yes", None),
    ],
)
def test_a_value_says_what_its_column_is_about(
    kind: DecidingKind, text: str, says: Standing | EventRole | None
) -> None:
    assert meaning(kind, text) is says


@pytest.mark.parametrize(
    ("text", "yes"), [("CA", False), ("OR", False), ("no", False), ("New", False), ("Denied", True)]
)
def test_a_state_of_a_country_is_no_status(text: str, yes: bool) -> None:  # noqa: FBT001
    assert announces(DecidingKind.STATUS, text) is yes


@pytest.mark.parametrize(
    ("text", "yes"),
    [("Yes", True), ("x", True), ("Sì", True), ("não", False), ("✗", False), ("maybe", None), ("", None)],
)
def test_yes_and_no_in_the_tools_languages(text: str, yes: bool | None) -> None:  # noqa: FBT001
    assert says_yes(text) is yes


SECTIONS = {
    EventRole.STAFF: [
        "Host Details", "Panelist Details", "Hosts & Panelists", "Speakers", "Co-hosts", "Détails de l'hôte", "Podiumsteilnehmer-Details",
        "Gastgeberdetails", "Detalles del anfitrión", "Detalhes do palestrante", "Dettagli relatore", "Gegevens panelleden",
    ],
    EventRole.ATTENDEE: ["Attendee Details", "2. Participants", "3. In-Meeting Activities", "Registration Report", "Teilnehmerdetails"],
    Standing.CANCELED: ["Cancelled Registrants", "Cancelled"],
    Standing.ABSENT: ["Did not attend", "Registrants who did not attend", "No-shows"],
    Standing.PENDING: ["Waitlist", "Pending approval"],
    None: ["Rail Day 2026", "Host: Hollis Host", "VIP Lounge", "Backstage", ""],
}  # fmt: skip


@pytest.mark.parametrize(("who", "titles"), SECTIONS.items())
def test_a_section_is_known_by_its_title(who: EventRole | Standing | None, titles: list[str]) -> None:
    assert {title: section_of(title) for title in titles} == dict.fromkeys(titles, who)


def test_a_person_s_name_is_no_role() -> None:
    assert role_of("Hollis Host") is None


WEIGHED = [  # state, came, what the columns say, whether the row counts
    (State.REGISTER, False, [(DecidingKind.ADMISSION, Standing.CONFIRMED)], True),
    (State.REGISTER, False, [(DecidingKind.STATUS, Standing.ATTENDED)], True),
    (State.REGISTER, False, [(DecidingKind.STATUS, Standing.ABSENT)], False),
    (State.REGISTER, False, [(DecidingKind.ATTENDED, Standing.ABSENT)], True),
    (
        State.REGISTER,
        False,
        [(DecidingKind.ADMISSION, Standing.CONFIRMED), (DecidingKind.PAYMENT, Standing.CANCELED)],
        False,
    ),
    (State.ATTEND, True, [(DecidingKind.ADMISSION, Standing.CONFIRMED)], True),
    (State.ATTEND, True, [(DecidingKind.ADMISSION, Standing.REGISTERED)], True),
    (State.ATTEND, True, [(DecidingKind.STATUS, Standing.REGISTERED)], False),
    (State.ATTEND, False, [(DecidingKind.STATUS, Standing.CONFIRMED)], False),
    (
        State.ATTEND,
        False,
        [(DecidingKind.STATUS, Standing.CONFIRMED), (DecidingKind.ATTENDED, Standing.ATTENDED)],
        True,
    ),
    (State.ATTEND, True, [(DecidingKind.STATUS, Standing.ATTENDED), (DecidingKind.ADMISSION, Standing.DENIED)], False),
    (State.CANCEL, False, [(DecidingKind.ADMISSION, Standing.CANCELED)], True),
    (State.CANCEL, False, [(DecidingKind.ADMISSION, Standing.CONFIRMED)], False),
    (
        State.CANCEL,
        False,
        [(DecidingKind.ADMISSION, Standing.CONFIRMED), (DecidingKind.CANCELED, Standing.CANCELED)],
        True,
    ),
    (State.CANCEL, False, [(DecidingKind.PAYMENT, EventRole.ATTENDEE), (DecidingKind.ATTENDED, Standing.ABSENT)], True),
    (State.REGISTER, False, [(DecidingKind.ROLE, EventRole.STAFF)], False),
    (State.REGISTER, False, [(DecidingKind.STATUS, Standing.KEPT)], True),
    (State.ATTEND, True, [(DecidingKind.ROLE, Standing.LEFT_OUT)], False),
]


@pytest.mark.parametrize(("state", "came", "says", "counts"), WEIGHED)
def test_what_is_said_is_weighed_by_the_state(
    state: State,
    came: bool,  # noqa: FBT001
    says: list[tuple[DecidingKind, Standing | EventRole]],
    counts: bool,  # noqa: FBT001
) -> None:
    signs = [Sign("T", kind, "v", said) for kind, said in says]
    assert (verdict(signs, state, came=came, hosts=False) is None) is counts
