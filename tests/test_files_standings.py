# ruff: noqa: E501 - tables of words are as long as the words
import pytest

from models.words import State
from worker.files.columns import roles, statuses
from worker.files.columns.deciding import Deciding, Kind, announces, deciding, meaning
from worker.files.columns.roles import Role, role_of, section_of
from worker.files.columns.statuses import Standing, says_yes, standing_of
from worker.files.columns.synonyms import compact
from worker.files.verdicts import Sign, verdict

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
    words = [(compact(word), standing) for standing, group in statuses._WORDS.items() for word in group]  # noqa: SLF001 - the table itself
    assert {
        word for word, standing in words for other, another in words if word == other and standing != another
    } == set()
    assert set(map(compact, roles._STAFF)) & set(map(compact, roles._ATTENDEES)) == set()  # noqa: SLF001 - the table itself


TITLES = {
    Kind.ADMISSION: [
        "Approval Status", "approval_status", "registrationStatus", "Registrant Status", "Order Status", "Ticket Status",
        "Genehmigungsstatus", "Registrierungsstatus", "Statut d'inscription", "Estado de aprobación", "Status da inscrição",
        "Stato registrazione", "Goedkeuringsstatus", "Inschrijvingsstatus", "Invitation Status", "Booking Status",
    ],
    Kind.STATUS: [
        "Status", "Statut", "Member Status", "Campaign Member Status", "Participant Status", "Attendee Status", "Invitee Status",
        "Check-in Status", "Teilnahmestatus", "Statut du participant", "Estado del asistente", "Event Status", "Foo Status",
    ],
    Kind.ROLE: ["Participant Role", "Meeting role", "attendeeRole", "Teilnehmerrolle", "Rôle du participant", "Rol del participante"],
    Kind.REPLY: ["RSVP", "RSVP Status", "Going?", "Invitation response"],
    Kind.ATTENDED: ["Attended", "Checked In?", "Check-in Time", "Teilgenommen", "A participé", "Asistió", "Anwesend"],
    Kind.ABSENT: ["No Show", "No-show?"],
    Kind.PAYMENT: ["Payment Status", "Zahlungsstatus", "Invoice status"],
    Kind.TICKET: ["Ticket Type", "Attendee Type", "Ticketart"],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "titles"), TITLES.items())
def test_a_deciding_column_is_known_by_its_title(kind: Kind, titles: list[str]) -> None:
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
        (Kind.REPLY, "yes", Standing.REGISTERED),
        (Kind.REPLY, "Nein", Standing.DECLINED),
        (Kind.APPROVED, "✓", Standing.CONFIRMED),
        (Kind.APPROVED, "false", Standing.DENIED),
        (Kind.ATTENDED, "No", Standing.ABSENT),
        (Kind.ATTENDED, "0 min", Standing.ABSENT),
        (Kind.ATTENDED, "47 min", Standing.ATTENDED),
        (Kind.ATTENDED, "03/22/2026 07:02 PM", Standing.ATTENDED),
        (Kind.ATTENDED, "Partly", None),
        (Kind.ABSENT, "Yes", Standing.ABSENT),
        (Kind.PAYMENT, "Paid", Role.ATTENDEE),
        (Kind.PAYMENT, "Refunded", Standing.CANCELED),
        (Kind.PAYMENT, "Unpaid", None),
        (Kind.ROLE, "Organizer, Presenter", Role.STAFF),
        (Kind.ROLE, "Présentateur", Role.STAFF),
        (Kind.ROLE, "Deelnemer", Role.ATTENDEE),
        (Kind.ROLE, "Engineer", None),
        (Kind.TICKET, "Speaker Pass", Role.STAFF),
        (Kind.TICKET, "Early Bird", Role.ATTENDEE),
        (Kind.STATUS, "yes", None),
    ],
)
def test_a_value_says_what_its_column_is_about(kind: Kind, text: str, says: Standing | Role | None) -> None:
    assert meaning(kind, text) is says


@pytest.mark.parametrize(
    ("text", "yes"), [("CA", False), ("OR", False), ("no", False), ("New", False), ("Denied", True)]
)
def test_a_state_of_a_country_is_no_status(text: str, yes: bool) -> None:  # noqa: FBT001
    assert announces(Kind.STATUS, text) is yes


@pytest.mark.parametrize(
    ("text", "yes"),
    [("Yes", True), ("x", True), ("Sì", True), ("não", False), ("✗", False), ("maybe", None), ("", None)],
)
def test_yes_and_no_in_the_tools_languages(text: str, yes: bool | None) -> None:  # noqa: FBT001
    assert says_yes(text) is yes


SECTIONS = {
    Role.STAFF: [
        "Host Details", "Panelist Details", "Hosts & Panelists", "Speakers", "Co-hosts", "Détails de l'hôte", "Podiumsteilnehmer-Details",
        "Gastgeberdetails", "Detalles del anfitrión", "Detalhes do palestrante", "Dettagli relatore", "Gegevens panelleden",
    ],
    Role.ATTENDEE: ["Attendee Details", "2. Participants", "3. In-Meeting Activities", "Registration Report", "Teilnehmerdetails"],
    Standing.CANCELED: ["Cancelled Registrants", "Cancelled"],
    Standing.ABSENT: ["Did not attend", "Registrants who did not attend", "No-shows"],
    Standing.PENDING: ["Waitlist", "Pending approval"],
    None: ["Rail Day 2026", "Host: Hollis Host", "VIP Lounge", "Backstage", ""],
}  # fmt: skip


@pytest.mark.parametrize(("who", "titles"), SECTIONS.items())
def test_a_section_is_known_by_its_title(who: Role | Standing | None, titles: list[str]) -> None:
    assert {title: section_of(title) for title in titles} == dict.fromkeys(titles, who)


def test_a_person_s_name_is_no_role() -> None:
    assert role_of("Hollis Host") is None


WEIGHED = [  # state, came, what the columns say, whether the row counts
    (State.REGISTER, False, [(Kind.ADMISSION, Standing.CONFIRMED)], True),
    (State.REGISTER, False, [(Kind.STATUS, Standing.ATTENDED)], True),
    (State.REGISTER, False, [(Kind.STATUS, Standing.ABSENT)], False),
    (State.REGISTER, False, [(Kind.ATTENDED, Standing.ABSENT)], True),
    (State.REGISTER, False, [(Kind.ADMISSION, Standing.CONFIRMED), (Kind.PAYMENT, Standing.CANCELED)], False),
    (State.ATTEND, True, [(Kind.ADMISSION, Standing.CONFIRMED)], True),
    (State.ATTEND, True, [(Kind.ADMISSION, Standing.REGISTERED)], True),
    (State.ATTEND, True, [(Kind.STATUS, Standing.REGISTERED)], False),
    (State.ATTEND, False, [(Kind.STATUS, Standing.CONFIRMED)], False),
    (State.ATTEND, False, [(Kind.STATUS, Standing.CONFIRMED), (Kind.ATTENDED, Standing.ATTENDED)], True),
    (State.ATTEND, True, [(Kind.STATUS, Standing.ATTENDED), (Kind.ADMISSION, Standing.DENIED)], False),
    (State.CANCEL, False, [(Kind.ADMISSION, Standing.CANCELED)], True),
    (State.CANCEL, False, [(Kind.ADMISSION, Standing.CONFIRMED)], False),
    (State.CANCEL, False, [(Kind.ADMISSION, Standing.CONFIRMED), (Kind.CANCELED, Standing.CANCELED)], True),
    (State.CANCEL, False, [(Kind.PAYMENT, Role.ATTENDEE), (Kind.ATTENDED, Standing.ABSENT)], True),
    (State.REGISTER, False, [(Kind.ROLE, Role.STAFF)], False),
    (State.REGISTER, False, [(Kind.STATUS, Standing.KEPT)], True),
    (State.ATTEND, True, [(Kind.ROLE, Standing.LEFT_OUT)], False),
]


@pytest.mark.parametrize(("state", "came", "says", "counts"), WEIGHED)
def test_what_is_said_is_weighed_by_the_state(
    state: State,
    came: bool,  # noqa: FBT001
    says: list[tuple[Kind, Standing | Role]],
    counts: bool,  # noqa: FBT001
) -> None:
    signs = [Sign("T", kind, "v", said) for kind, said in says]
    assert (verdict(signs, state, came=came, hosts=False) is None) is counts
