# ruff: noqa: DTZ001 - the times of a report have no zone
"""A file of known records, in any format, is read back as these, or a question is asked: never a wrong record."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from hypothesis import given, settings, strategies as st

from models.words import State
from tests.support import report_files
from worker.files.options import Options
from worker.files.questions import Question, QuestionsError
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow
from worker.files.times import iso

TITLES = {
    "en": ("Name (Original Name)", "User Email", "Join Time", "Leave Time", "Duration (Minutes)"),
    "de": ("Name", "E-Mail", "Beitrittszeit", "Austrittszeit", "Dauer (Minuten)"),
    "es": ("Nombre (nombre original)", "Correo electrónico", "Hora de entrada", "Hora de salida", "Duración (minutos)"),
    "pt": ("Nome (nome original)", "E-mail", "Ingressar na hora", "Hora de saída", "Duração (minutos)"),
    "it": ("Nome (nome originale)", "E-mail", "Ora di ingresso", "Ora di uscita", "Durata (minuti)"),
    "ko": ("이름(원래 이름)", "이메일", "참가 시간", "나간 시간", "기간(분)"),
    "ja": ("名前", "メールアドレス", "参加時刻", "退出時刻", "期間(分)"),
    "zh": ("姓名", "电子邮件", "加入时间", "离开时间", "持续时间(分钟)"),
    "nl": ("Naam", "E-mailadres van deelnemer", "Kwam binnen om", "Ging weg om", "Minuten"),
}
"""The last three are of tools that are not known here: their columns are guessed, and asked."""
ONCE = {
    State.REGISTER: {
        "en": "Registration Time",
        "de": "Anmeldezeit",
        "es": "Hora de registro",
        "ja": "登録日時",
        "zh": "注册时间",
        "nl": "Ingeschreven om",
    },
    State.CANCEL: {
        "en": "Cancellation Date",
        "de": "Stornierungsdatum",
        "es": "Fecha de cancelación",
        "ja": "キャンセル日時",
        "zh": "取消时间",
        "nl": "Afgezegd om",
    },
}
"""The title of the one time that a list of registrations, or of cancellations, has."""
FORMS = {
    "iso": ("%Y-%m-%d %H:%M:%S", ""),
    "dmy": ("%d/%m/%Y %H:%M:%S", "dmy"),
    "mdy": ("%m/%d/%Y %I:%M:%S %p", "mdy"),
    "dots": ("%d.%m.%Y %H:%M", ""),
    "short": ("%d/%m/%y, %H:%M:%S", "dmy"),
    "named": ("%d-%b-%y %H:%M", ""),
    "clock first": ("%I:%M %p %m/%d/%Y", "mdy"),
}
WITH_ZONE = ("iso", "dmy", "dots", "named")
"""Forms behind which a zone may stand."""
ZONES = ("America/New_York", "Europe/Berlin", "Asia/Kolkata", "UTC")
FORMATS = (
    "csv",
    "semicolon",
    "tab utf-16",
    "cp1252",
    "xlsx",
    "xlsx dates",
    "xls",
    "ods",
    "html",
    "json",
    "jsonl",
    "zip",
)
PEOPLE = ("ana", "bob", "cee", "dee+list")
NAMES = {"ana": "王小明", "bob": "山田 太郎", "cee": "김철수", "dee+list": "Đặng Thị Hà"}


@dataclass(frozen=True)
class Written:
    """A report, and the answers to what it may ask."""

    content: bytes
    zone: str
    order: str
    encoding: str
    titles: Sequence[str]
    state: State
    says_zone: bool
    """Whether the options say the zone; else it is asked, also where an abbreviation stands behind each time."""


@st.composite
def reports(draw: st.DrawFn) -> tuple[Written, list[str]]:
    state = draw(st.sampled_from([State.ATTEND, State.ATTEND, State.REGISTER, State.CANCEL]))
    languages = TITLES if state is State.ATTEND else ONCE[state]
    zone, language, form = (draw(st.sampled_from(one)) for one in (ZONES, sorted(languages), sorted(FORMS)))
    day = draw(st.datetimes(datetime(2026, 1, 2), datetime(2026, 12, 20))).replace(
        hour=12, minute=0, second=0, microsecond=0
    )
    joins = draw(
        st.lists(st.tuples(st.sampled_from(PEOPLE), st.integers(0, 150), st.integers(1, 60)), min_size=1, max_size=8)
    )
    pattern, order = FORMS[form]
    kind = draw(st.sampled_from(FORMATS))
    says_zone = draw(st.booleans())
    behind = form in WITH_ZONE and draw(st.booleans()) and kind != "xlsx dates"
    is_plain = kind == "cp1252" or draw(st.booleans())
    titles = TITLES[language] if state is State.ATTEND else (*TITLES[language][:2], ONCE[state][language])
    preamble, footer, guest = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())

    def text(at: datetime) -> str:
        return f"{at.replace(tzinfo=ZoneInfo(zone)):{f'{pattern} %Z' if behind else pattern}}"

    stays = sorted((who, day + timedelta(minutes=at), day + timedelta(minutes=at + stay)) for who, at, stay in joins)
    rows: list[list[report_files.Value]] = []
    for who, joined, left in draw(st.permutations(stays)):
        name = who.capitalize().partition("+")[0] if is_plain else NAMES[who]
        spans = [joined, left] if state is State.ATTEND else [joined]
        times: list[report_files.Value] = [one if kind == "xlsx dates" else text(one) for one in spans]
        minutes = [str(round((left - joined).total_seconds() / 60))] if state is State.ATTEND else []
        rows.append([name, f"{who}@example.com", *times, *minutes])
    table: list[list[report_files.Value]] = [list(titles), *rows]
    if preamble and not kind.startswith("json"):
        above: list[list[report_files.Value]] = [["Meeting ID", "Topic", "Start Time"], ["812", "Rail", text(day)], []]
        table = above + table
    if guest and not kind.startswith("json"):
        table.append(["Gil Guest", "", *[text(day)] * (len(titles) - 2)])
    if footer and not kind.startswith("json"):
        table += [[], ["Total", *[""] * (len(titles) - 2), str(len(rows))]]
    content = _file(kind, table, titles, rows)
    encoding = "windows-1252" if kind == "cp1252" else ""
    return Written(content, zone, order, encoding, titles, state, says_zone), _expected(state, stays, zone)


def _expected(state: State, stays: Sequence[tuple[str, datetime, datetime]], zone: str) -> list[str]:
    def told(who: str, *times: datetime) -> str:
        instants = (one.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for one in times)
        return " ".join([f"{who}@example.com", *(f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in instants)])

    if state is not State.ATTEND:
        return [told(who, at) for who, at, _ in stays]
    people = ((who, list(own)) for who, own in groupby(stays, key=lambda stay: stay[0]))
    return [told(who, min(one[1] for one in own), max(one[2] for one in own)) for who, own in people]


def _file(  # noqa: PLR0911 - a format each
    kind: str, table: report_files.Table, titles: Sequence[str], rows: report_files.Table
) -> bytes:
    match kind:
        case "semicolon":
            return report_files.csv(table, ";", "utf-8-sig")
        case "tab utf-16":
            return report_files.csv(table, "\t", "utf-16")
        case "cp1252":
            return report_files.csv(
                table, ";", "cp1252" if "".join(titles).isascii() or "ó" in "".join(titles) else "utf-8"
            )
        case "xlsx" | "xlsx dates":
            return report_files.xlsx(table)
        case "xls" | "ods" | "html":
            writers: dict[str, Callable[[report_files.Table], bytes]] = {
                "xls": report_files.xls,
                "ods": report_files.ods,
                "html": report_files.html,
            }
            return writers[kind](table)
        case "json" | "jsonl":
            return {"json": report_files.json, "jsonl": report_files.jsonl}[kind](titles, rows)
        case "zip":
            return report_files.zipped(report_files.csv(table))
        case _:
            return report_files.csv(table)


def truth(question: Question, written: Written) -> list[str]:
    """Answer as who knows the file."""
    match question.option:
        case "--date-order":
            return ["--date-order", written.order]
        case "--time-zone":
            return ["--time-zone", written.zone]
        case "--encoding":
            return ["--encoding", written.encoding]
        case "--map":
            times = {
                State.ATTEND: ("joined", "left", "minutes"),
                State.REGISTER: ("registered",),
                State.CANCEL: ("canceled",),
            }
            fields = ("", "email", *times[written.state])
            known = [f"{title}={field}" for title, field in zip(written.titles, fields, strict=True) if field]
            said = [choice.arguments()[1] for choice in question.choices]
            return ["--map", next(one for one in said if one in known)]
    raise AssertionError(f"{question} is not asked of such a file")


@settings(max_examples=150, deadline=None)
@given(reports())
def test_a_file_is_read_back_as_the_records_it_was_written_from_or_a_question_is_asked(
    report: tuple[Written, list[str]],
) -> None:
    written, expected = report
    zone = written.zone if written.says_zone else None
    options = Options.read(state=written.state, object_id="7", time_zone=zone, shared_address=None)
    for _ in range(8):
        try:
            items = list(Reading(io.BytesIO(written.content), options).items())
            break
        except QuestionsError as error:
            options = options.answered(truth(error.questions[0], written))
    else:
        raise AssertionError("it asks again what was answered")
    assert not [one for one in items if isinstance(one, RejectedRow)]
    assert sorted(map(_told, (one for one in items if isinstance(one, FileRecord)))) == sorted(expected)


def _told(record: FileRecord) -> str:
    properties = record.candidate.input.get("properties")
    times = properties if record.state is State.ATTEND and isinstance(properties, dict) else {}
    at = record.candidate.interaction_date_time
    own = [str(times[name]) for name in ("joinedAt", "leftAt")] if times else [iso(at)]
    return " ".join([record.candidate.contact, *own])
