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

TITLES = {
    "en": ("Name (Original Name)", "User Email", "Join Time", "Leave Time", "Duration (Minutes)"),
    "de": ("Name", "E-Mail", "Beitrittszeit", "Austrittszeit", "Dauer (Minuten)"),
    "es": ("Nombre (nombre original)", "Correo electrónico", "Hora de entrada", "Hora de salida", "Duración (minutos)"),
    "pt": ("Nome (nome original)", "E-mail", "Ingressar na hora", "Hora de saída", "Duração (minutos)"),
    "it": ("Nome (nome originale)", "E-mail", "Ora di ingresso", "Ora di uscita", "Durata (minuti)"),
    "ko": ("이름(원래 이름)", "이메일", "참가 시간", "나간 시간", "기간(분)"),
    "nl": ("Naam", "E-mailadres van deelnemer", "Kwam binnen om", "Ging weg om", "Minuten"),
}
"""The last is of a tool that is not known here: its columns are guessed, and asked."""
FORMS = {
    "iso": ("%Y-%m-%d %H:%M:%S", ""),
    "dmy": ("%d/%m/%Y %H:%M:%S", "dmy"),
    "mdy": ("%m/%d/%Y %I:%M:%S %p", "mdy"),
    "dots": ("%d.%m.%Y %H:%M", ""),
    "short": ("%d/%m/%y, %H:%M:%S", "dmy"),
    "named": ("%d-%b-%y %H:%M", ""),
    "clock first": ("%I:%M %p %m/%d/%Y", "mdy"),
}
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


@dataclass(frozen=True)
class Written:
    """A report, and the answers to what it may ask."""

    content: bytes
    zone: str
    order: str
    encoding: str
    titles: Sequence[str]


@st.composite
def reports(draw: st.DrawFn) -> tuple[Written, list[str]]:
    zone, language, form = (
        draw(st.sampled_from(ZONES)),
        draw(st.sampled_from(sorted(TITLES))),
        draw(st.sampled_from(sorted(FORMS))),
    )
    day = draw(st.datetimes(datetime(2026, 1, 2), datetime(2026, 12, 20))).replace(
        hour=12, minute=0, second=0, microsecond=0
    )
    joins = draw(
        st.lists(st.tuples(st.sampled_from(PEOPLE), st.integers(0, 150), st.integers(1, 60)), min_size=1, max_size=8)
    )
    pattern, order = FORMS[form]
    kind = draw(st.sampled_from(FORMATS))
    titles = TITLES[language]
    preamble, footer, guest = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    stays = sorted((who, day + timedelta(minutes=at), day + timedelta(minutes=at + stay)) for who, at, stay in joins)
    rows: list[list[report_files.Value]] = []
    for who, joined, left in draw(st.permutations(stays)):
        minutes = str(round((left - joined).total_seconds() / 60))
        times: list[report_files.Value] = (
            [joined, left] if kind == "xlsx dates" else [f"{one:{pattern}}" for one in (joined, left)]
        )
        rows.append([who.capitalize().partition("+")[0], f"{who}@example.com", *times, minutes])
    table: list[list[report_files.Value]] = [list(titles), *rows]
    if preamble and not kind.startswith("json"):
        above: list[list[report_files.Value]] = [
            ["Meeting ID", "Topic", "Start Time"],
            ["812", "Rail", f"{day:{pattern}}"],
            [],
        ]
        table = above + table
    if guest and not kind.startswith("json"):
        table.append(["Gil Guest", "", f"{day:{pattern}}", f"{day:{pattern}}", "1"])
    if footer and not kind.startswith("json"):
        table += [[], ["Total", "", "", "", str(len(rows))]]
    expected = []
    for who, of in groupby(stays, key=lambda stay: stay[0]):
        own = list(of)
        first, last = min(stay[1] for stay in own), max(stay[2] for stay in own)
        span = (one.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for one in (first, last))
        expected.append(" ".join([f"{who}@example.com", *(f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in span)]))
    return Written(
        _file(kind, table, titles, rows), zone, order, "windows-1252" if kind == "cp1252" else "", titles
    ), expected


def _file(  # noqa: PLR0911 - a format each
    kind: str, table: report_files.Table, titles: Sequence[str], rows: report_files.Table
) -> bytes:
    match kind:
        case "semicolon":
            return report_files.csv(table, ";", "utf-8-sig")
        case "tab utf-16":
            return report_files.csv(table, "\t", "utf-16")
        case "cp1252":
            return report_files.csv(table, ";", "cp1252" if "이" not in titles[0] else "utf-8")
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
        case "--encoding":
            return ["--encoding", written.encoding]
        case "--map":
            fields = ("", "email", "joined", "left", "minutes")
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
    options = Options.read(state=State.ATTEND, object_id="7", time_zone=written.zone, shared_address=None)
    for _ in range(6):
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
    properties = record.candidate.input["properties"]
    assert isinstance(properties, dict)
    return f"{record.candidate.contact} {properties['joinedAt']} {properties['leftAt']}"
