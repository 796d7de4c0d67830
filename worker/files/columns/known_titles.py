"""What a column can hold, and what the usual tools call it.

A title is compared without case, accents, blanks and punctuation: “E-Mail”, “e mail” and “Email” are one. Within a
field the earlier title ranks first; where a row's first such cell is empty, the next one is read. A person is never
looked for in a second column: it may be the host's, the buyer's or the company's.
"""

import re
import unicodedata
from enum import StrEnum
from typing import Final


class Field(StrEnum):
    """What a column can hold; these are also the right-hand sides of `--map`."""

    EMAIL = "email"
    VID = "vid"
    TIME = "interactionDateTime"
    DATE = "date"
    """A time of whatever the state is: read where no column says it better."""
    REGISTERED = "registered"
    JOINED = "joinedAt"
    LEFT = "leftAt"
    CANCELED = "canceled"
    DURATION = "duration"
    MINUTES = "minutes"
    SECONDS = "seconds"
    ATTENDED = "attended"
    STATUS = "status"
    """Whether the person counts: approved, denied, cancelled, no show …"""
    ROLE = "role"
    """Which side of the event the person was on: host, panelist, attendee …"""
    STATE = "subscriber_state"
    OBJECT_ID = "object_id"
    EVENT = "external_event_id"
    EXTERNAL_ACCOUNT = "external_account_id"
    ACCOUNT = "account"
    ZONE = "zone"
    """The time zone of a row's times; read only where `--map` says so, for it may be where the person lives."""
    JSON = "json"
    IGNORE = "ignore"


CONTACT: Final = "contactProperties."
"""Before the internal name of a HubSpot contact property, as a right-hand side of `--map`."""

SHORT: Final[dict[str, Field]] = {
    "time": Field.TIME,
    "joined": Field.JOINED,
    "left": Field.LEFT,
    "cancelled": Field.CANCELED,
    "state": Field.STATE,
    "event": Field.EVENT,
    "": Field.IGNORE,
}
"""Shorter right-hand sides of `--map`."""

SOURCES: Final = {
    "Zoom, Portuguese": "public parsers of participants_*.csv: Nome (nome original), E-mail, Ingressar na hora, Hora "
    "de saída, Duração (minutos), Convidado, Na sala de espera",
    "Zoom, Spanish": "github.com/Misstery13/Assistance-Register (README): Nombre (nombre original); public parsers: "
    "Hora para unirse, Hora para salir; since 2023 Hora de entrada, Hora de salida, Duración (minutos)",
    "Zoom, Italian": "github.com/CatechismoPUCP/React_CSV (README): Nome (nome originale), Ora di ingresso …",
    "Zoom, Korean": "public parsers of participants_*.csv: 이름(원래 이름), 참가 시간, 나간 시간, 기간(분)",
    "Zoom, French": "a public script that writes participants_*_zoom.xlsx: Nom (nom original), Adresse e-mail de "
    "l'utilisateur, Heure d'arrivée, Heure de départ, Durée (minutes), Invité, Salle d'attente",
    "Teams, Polish": "a public reader of Teams' report: Pierwsze dołączenie, Ostatnie wyjście, Czas udziału w "
    "spotkaniu, Adres e-mail, Identyfikator uczestnika (UPN), Rola",
    "Zoom, with meeting data": "github.com/microsoft/vivainsights_zoom_int (Admin/input/zoom_reports/README.md)",
    "Zoom, unique users": "github.com/ComputerScienceHouse/conditional/issues/314",
    "GoToWebinar, API": "github.com/paragonsean/openapi-directory (APIs/getgo.com/gotowebinar, Attendee.md)",
}
"""Where titles of a tool's language were seen. A title of any other language is guessed by its cells, and asked."""

TITLES: Final[dict[Field, tuple[str, ...]]] = {
    Field.EMAIL: (
        "attendeeemail", "attendeeemailaddress", "attendeesemail", "participantemail", "participantemailaddress",
        "registrantemail", "registrantemailaddress", "inviteeemail", "inviteeemailaddress", "ticketholderemail",
        "ticketemail", "email", "emailaddress", "useremail", "guestemail", "guestemailaddress",
        "emailadresse", "emailadres", "mail", "mailadresse", "adresseemail", "adresseelectronique", "adressemail",
        "adresseemaildelutilisateur", "adresemail",
        "courriel",
        "correoelectronico", "direcciondecorreoelectronico", "correo", "emaildelusuario", "indirizzoemail",
        "emaildellutente", "registrationemail", "contactemail",
    ),
    Field.VID: (
        "vid", "hubspotcontactid", "recordidcontact", "hsobjectid", "hubspotvid", "hubspotid", "hubspotrecordid",
        "contactvid", "recordid",
    ),
    Field.TIME: ("interactiondatetime", "interactiontime", "occurredat"),
    Field.DATE: (
        "timestamp", "datetime", "dateandtime", "date", "time",
        "zeitstempel", "datum", "datumuhrzeit", "horodatage", "dateetheure", "fecha", "fechayhora",
    ),
    Field.REGISTERED: (
        "registrationtime", "registrationdatetime", "registrationdate", "registeredat", "registeredon", "registered",
        "dateregistered", "registrationtimestamp", "registereddate", "registerdate", "registertime", "signuptime",
        "signupdate", "signedupat", "rsvpdate", "rsvptime", "rsvpedon", "rsvpedat", "rsvpon", "rsvpat", "purchasetime",
        "purchasedat",
        "orderdate", "orderdatetime", "createdat", "createddate", "bookingdate", "purchasedate",
        "anmeldezeit", "anmeldedatum", "anmeldezeitpunkt", "angemeldetam", "registrierungszeit", "registrierungsdatum",
        "bestelldatum", "datedinscription", "heuredinscription", "inscritle", "datedecommande",
        "fechaderegistro", "horaderegistro", "fechadeinscripcion", "fechadelpedido",
    ),
    Field.JOINED: (
        "joinedat", "jointime", "joindatetime", "firstjoin", "firstjointime", "timejoined", "firstjoinedat", "joined",
        "joindate", "datejoined", "firstjoindate", "logindate",
        "entrytime", "timein", "logintime", "userjointime", "attendeefirstjointime",
        "beitrittszeit", "beitrittszeitpunkt", "ersterbeitritt", "ersteteilnahme", "beigetretenum", "teilnahmebeginn",
        "heuredarrivee", "heuredeconnexion", "premiereconnexion", "premiereparticipation", "heuredentree",
        "horadeentrada", "horadeconexion", "primeraentrada", "primeraunion", "horadeunion", "horaparaunirse",
        "ingressarnahora", "oradiingresso", "joinedtime", "참가시간", "pierwszedołączenie",
    ),
    Field.LEFT: (
        "leftat", "leavetime", "leavedatetime", "lastleave", "lastleavetime", "timeleft", "lastleftat", "left",
        "leavedate", "dateleft", "lastleavedate", "logoutdate",
        "exittime", "timeexited", "timeout", "logouttime", "userleavetime", "attendeelastleavetime",
        "austrittszeit", "verlassenszeit", "letztesverlassen", "letzteraustritt", "verlassenum", "teilnahmeende",
        "heurededepart", "heurededeconnexion", "dernierdepart", "derniereconnexion", "heuredesortie",
        "horadesalida", "ultimasalida", "horadedesconexion", "horaparasalir", "horadesaida", "oradiuscita", "lefttime",
        "나간시간", "ostatniewyjście",
    ),
    Field.CANCELED: (
        "canceledat", "cancelledat", "cancellationtime", "cancellationdate", "cancellationdatetime", "canceledon",
        "cancelledon", "canceldate", "canceltime", "canceled", "cancelled", "refundedat", "refunddate",
        "stornierungsdatum", "stornierungszeit", "stornodatum", "storniertam", "abgemeldetam", "abmeldedatum",
        "datedannulation", "annulele", "heuredannulation", "fechadecancelacion", "horadecancelacion",
    ),
    Field.MINUTES: (
        "timeinsessionminutes", "durationminutes", "totaldurationminutes", "attendancedurationminutes", "minutes",
        "liveminutes", "minutesattended", "dauerminuten", "dureeminutes", "duracionminutos", "durationmin",
        "duraciontotalminutos", "duracaominutos", "duracaototalminutos", "duratatotaleminuti", "duurminuten",
        "durataminuti", "期間分", "所要時間分",
    ),
    Field.SECONDS: ("durationseconds", "attendancedurationseconds", "attendancetimeinseconds", "durationinseconds"),
    Field.DURATION: (
        "duration", "timeinsession", "inmeetingduration", "attendanceduration", "meetingduration", "totalduration",
        "attendeetotaltimeinsession", "dauer", "besprechungsdauer", "anwesenheitsdauer", "duree",
        "dureedelareunion", "duracion", "duraciondelareunion", "dauerderbesprechung", "duracao", "durata",
        "czasudziałuwspotkaniu",
    ),
    Field.ATTENDED: (
        "attended", "hasattended", "didattend", "attendedlive", "showedup", "teilgenommen", "aparticipe", "asistio",
    ),
    Field.STATE: ("subscriberstate", "attendeestate", "attendancestate"),
    Field.OBJECT_ID: (
        "hubspoteventid", "hubspotmarketingeventid", "hubspotobjectid", "marketingeventid", "hsmarketingeventid",
    ),
    Field.EVENT: ("externaleventid",),
    Field.EXTERNAL_ACCOUNT: ("externalaccountid", "externalaccount"),
    Field.JSON: ("json",),
}  # fmt: skip

WEAK: Final[dict[Field, tuple[str, ...]]] = {
    Field.STATE: ("state", "status", "attendancestatus"),
}
"""Titles that other tools use for other things too: they give a row's state only where no option says it."""

ASKED: Final[dict[Field, tuple[str, ...]]] = {
    Field.EMAIL: ("participantidupn", "upn", "userprincipalname", "signinname", "loginname"),
    Field.VID: ("contactid", "contactrecordid", "personid", "hsid"),
    Field.EVENT: ("eventid", "event", "webinarid", "webinarkey", "meetingid", "sessionid", "eventcode", "objectid"),
}
"""Titles under which other tools keep ids and names of their own: never read unless `--map` says so, and named in the
question where the file has nothing else."""

ZONES: Final = re.compile(
    r"time\s?zone|\btz\b|zeitzone|fuseau\s?horaire|zona\s?horaria|huso\s?horario|fuso\s?hor[aá]rio|fuso\s?orario|tijdzone",
    re.IGNORECASE,
)
"""Within a title: a time zone, which may be that of the times, or where somebody lives."""

PERSONS: Final = TITLES[Field.EMAIL].index("email")
"""Before it stand the titles that name whose address it is."""
LAST_RESORT: Final = TITLES[Field.EMAIL].index("registrationemail")
"""From it on stand the titles that may be somebody else's address where another one is there."""
OURS: Final[dict[str, Field]] = {"account": Field.ACCOUNT, "object_id": Field.OBJECT_ID}
"""Titles that count only as a message writes them: other tools write Account and Object ID."""

PROPERTIES: Final[dict[str, tuple[str, ...]]] = {
    "firstname": ("firstname", "attendeefirstname", "givenname", "forename", "vorname", "prenom", "nombre"),
    "lastname": (
        "lastname", "attendeelastname", "surname", "familyname", "nachname", "familienname", "nomdefamille", "nom",
        "apellido", "apellidos",
    ),
    "company": (
        "company", "companyname", "organization", "organisation", "organizationname", "firma", "unternehmen",
        "entreprise", "societe", "empresa",
    ),
    "jobtitle": ("jobtitle", "position", "jobfunction", "berufsbezeichnung", "funktion", "fonction", "poste", "cargo"),
    "phone": ("phone", "phonenumber", "homephone", "workphone", "telefon", "telefonnummer", "telephone", "telefono"),
    "mobilephone": ("mobilephone", "cellphone", "mobile", "mobilnummer", "handy", "portable", "movil"),
    "city": ("city", "town", "ort", "stadt", "ville", "ciudad"),
    "zip": ("zip", "zipcode", "postalcode", "postcode", "plz", "postleitzahl", "codepostal", "codigopostal"),
    "state": ("stateprovince", "stateregion", "bundesland"),
    "country": ("country", "countryregionname", "countryregion", "land", "pays", "pais"),
    "industry": ("industry", "branche"),
    "website": ("website", "webseite", "siteweb", "sitioweb"),
}  # fmt: skip
"""HubSpot's internal names of contact properties, and what the tools call them."""


_NO_LETTERS: Final = {code: None for code in range(128) if not chr(code).isalnum()}


def compact(title: str) -> str:
    """Write a title without case, accents, blanks and punctuation."""
    if title.isascii():  # most cells of most files
        return title.lower().translate(_NO_LETTERS)
    plain = unicodedata.normalize("NFKD", title.casefold())
    return "".join(c for c in plain if c.isalnum())


def title_words(title: str) -> list[str]:
    """Give a title's words in lower case and without accents: “MemberStatus” has two."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title.strip())
    plain = unicodedata.normalize("NFKD", split.casefold())
    return re.findall(r"[^\W_]+", "".join(c for c in plain if not unicodedata.combining(c))) or [""]
