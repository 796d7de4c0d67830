"""`turnout enqueue FILE`: submit a CSV or JSON Lines file."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final, NamedTuple, NoReturn
from uuid import UUID, uuid4

import typer

from cli.accounts import unknown
from cli.file_options import FileOptions
from cli.file_progress import FileBar
from cli.file_questions import SomebodyLeft, answered, can_ask, home_zone
from cli.option_groups import with_groups
from cli.output import complain, print_json, say
from cli.resources import open_process
from models.counted import counted
from models.ids import LONGEST_TEXT, id_fault
from models.input_check import shown

if TYPE_CHECKING:
    from worker.files.options import Options
    from worker.files.questions import QuestionsError
    from worker.files.reader import Reading
    from worker.intake.receipts import Receipt
    from worker.submission.corrections import ClosedByFile
    from worker.submission.rejects_file import RefusedFile
    from worker.submission.submit import HandIn
    from worker.submission.summary import FileResult

UNAVAILABLE: Final = 1
NOTHING_SENT: Final = 1
UNUSABLE: Final = 2
NOT_ACCEPTED: Final = 3
INTERRUPTED: Final = 130


def _named(producer: str | None) -> str | None:
    """Take a producer's name."""
    blank = ("is empty", f"1 to {LONGEST_TEXT} characters of text")
    if producer is None or (fault := id_fault(producer) if producer.strip() else blank) is None:
        return producer
    what, right = fault
    raise typer.BadParameter(f"'{shown(producer)}' is not a producer's name: it {what}; give {right}")


@with_groups
def enqueue(  # noqa: PLR0913 - a command's options are its parameters
    file: Annotated[
        str, typer.Argument(help="A report: CSV, xlsx, xls, ods, HTML, JSON, or a zip of one; - reads stdin.")
    ],
    *,
    options: FileOptions,
    refused: Annotated[
        Path | None, typer.Option(help="Where rows that are not accepted go; else beside FILE, in its format.")
    ] = None,
    producer: Annotated[
        str | None,
        typer.Option(help="Whose file it is: the key of this name may read its results.", callback=_named),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Say what would happen, and send nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The closing table as one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Submit a report of who registered, came or cancelled.

    Give the file alone: what it does not say is asked, with a proposal for each, on a terminal one question at a time.
    With --check nothing is sent, and the first records are shown in local time.

    CSV, xlsx, xls, ods, HTML tables, JSON (HubSpot's own shape, and what the tools' APIs answer) and a zip with one of
    these are read as the usual webinar tools export them.

    A column external_event_id, object_id, subscriber_state or account wins over the option; the option fills what is
    missing. A contact is named by e-mail where a row has one, else by HubSpot's record id. Ids of other tools (Contact
    ID, Event ID …) are read only where --map says so.

    Columns that decide who counts (approval, status, role, RSVP, attended, check-in) and the sections of a report are
    used, whatever --state says; the closing table counts what was left out, why, and which option sends it too. With
    --state register the approved and registered rows count, with attend those who came, with cancel the cancelled
    ones: that somebody did not come is no cancellation. Hosts, panelists, organizers and presenters are left out;
    --include-hosts sends them too. Where a value is not known, the file stops with a question, and this answers it:

    --map "Member Status=status(Walk-in=keep, Bounced=leave out, Came late=attend)"

    or --map "Badge Status=ignore" where a column says nothing about who counts. Where two columns have one title, --map
    "Email#2=email" is the second; --map "#5=email" is the fifth column. "section" stands for the titles of a report's
    sections, "empty" for an empty cell, "*" for every other value.

    A file of several events (a column Event Name, Webinar ID, Session Date … with different values) stops with a
    question: --map "Event Name=status(Spring=keep, Autumn=leave out)" sends those of one event, --map "Event
    Name=ignore" all of them, --map "Event Name=event" each row to the event it names.

    With --state attend a report's rows are gathered: one record for each person and occurrence, from the first join to
    the last leave. Where the file has a column interactionDateTime or subscriber_state, every row is a record of its
    own.

    An event in HubSpot is one occurrence. A file of several (joins on different days with a night between them, or on
    one day with six hours between them without anybody there) stops with a question that lists them: --occurrence
    2026-03-29 takes the one of that day, --occurrence all takes every one. An address under which different people
    stand stops the file too: --shared-address leave-out or one-person. So does a time zone in a column or above the
    header that is another than --time-zone: --map "Time Zone=zone" uses it, --map "Time Zone=ignore" does not. Nothing
    is sent before such a question is answered; all questions come at once, with the command to copy.

    FIELD of --map is one of: email, vid, time, joined, left, duration, minutes, seconds, registered, canceled,
    attended, status, role, zone, state, event, external_account_id, object_id, account, ignore, firstname, lastname,
    company, jobtitle, phone …, or contactProperties.NAME with HubSpot's internal name of any contact property.

    Exit status: 0 where every record was accepted; 3 where the file was submitted and rows were not accepted; 1 where
    nothing would be sent, the stream or the database is out of reach, or there is no such account; 2 where the file or
    an option cannot be used, or a question is open, and nothing was sent.
    """
    from worker.files.lines import FileError
    from worker.files.questions import QuestionsError

    given = _Given(file, refused, producer, check, json)
    try:
        chosen = replace(options.read(), home=home_zone())
    except FileError as error:
        _stop(UNUSABLE, str(error), f"{file} cannot be used so; nothing was sent.")
    was_asked = False
    while True:
        try:
            status = _run(given, chosen, shown=sys.stdout.isatty() and not (quiet or json), was_asked=was_asked)
        except QuestionsError as error:
            if json or not can_ask(file):
                _stop_with_questions(given, chosen, error)
            chosen, was_asked = _answers(given, chosen, error), True
        except FileError as error:
            _stop(UNUSABLE, str(error), f"{file} cannot be used so; nothing was sent.")
        else:
            raise typer.Exit(status)


class _Given(NamedTuple):
    """What was said of the command, beside how the file is read."""

    file: str
    refused: Path | None
    producer: str | None
    check: bool
    json: bool


def _run(given: _Given, chosen: "Options", *, shown: bool, was_asked: bool) -> int:
    """Read the file, and submit it; give the exit status. After questions, the command that has the answers is shown.

    Raises:
        QuestionsError: before anything is sent.

    """
    from worker.files.reader import Reading
    from worker.submission.rejects_file import RefusedFile
    from worker.submission.summary import FileResult

    submission = None if given.check else uuid4()
    receipt: Receipt | None = None
    corrected: ClosedByFile | None = None
    with ExitStack() as stack:
        source = stack.enter_context(_open(given.file))
        bar = stack.enter_context(FileBar(source, shown=shown))
        with _stoppable(given.file):
            reading = Reading(source, chosen, bar.read)
        if was_asked:
            bar.say_above("", "The same without questions:", f"  {_command(given, chosen)}", "")
        rows = (
            None
            if given.check and given.refused is None
            else stack.enter_context(RefusedFile.beside(given.file, given.refused, reading.content, submission))
        )
        bar.reading = reading
        if submission is None or rows is None:
            with _stoppable(given.file):
                _read(reading, rows)
        else:
            hand_in, receipt = _hand_in(reading, submission, rows, bar, given.producer)
            corrected = _close_corrected(hand_in, given.file)
    written = rows.written if rows is not None else ()
    said = ["--producer", given.producer] if given.producer else []
    _close(reading, FileResult(submission, receipt, written, corrected), said, as_json=given.json)
    facts = reading.facts
    if not facts.records:
        return NOTHING_SENT
    return NOT_ACCEPTED if facts.refused or (receipt is not None and receipt.refused) else 0


@contextmanager
def _stoppable(file: str) -> Iterator[None]:
    """Let Ctrl-C end what sends nothing."""
    try:
        yield
    except KeyboardInterrupt:
        _stop(INTERRUPTED, "", f"Stopped. Nothing of {file} was sent.")


def _answers(given: _Given, chosen: "Options", error: "QuestionsError") -> "Options":
    """Ask on the terminal; where somebody leaves, say how to go on."""
    from worker.files.questions import first_answers, left_open

    try:
        return answered(chosen, error.questions)
    except SomebodyLeft as stopped:
        again, put = f"{_command(given, stopped.options)} {first_answers(stopped.left)}", left_open(stopped.left)
        go_on = f"To go on from here{f' (put {put})' if put else ''}:"
        _stop(INTERRUPTED, "", f"Stopped. Nothing of {given.file} was sent. {go_on}", f"  {again}")


def _command(given: _Given, chosen: "Options") -> str:
    """Write the command that was given, with the answers, to be copied."""
    said = [*chosen.arguments(), *(["--encoding", chosen.encoding] if chosen.encoding else [])]
    said += ["--sheet", chosen.sheet] if chosen.sheet else []
    said += ["--hidden-rows", chosen.hidden_rows.value] if chosen.hidden_rows else []
    said += [*(["--producer", given.producer] if given.producer else []), *(["--check"] if given.check else [])]
    said += ["--refused", str(given.refused)] if given.refused else []
    return shlex.join(["turnout", "enqueue", given.file, *said])


def _stop_with_questions(given: _Given, chosen: "Options", error: "QuestionsError") -> NoReturn:
    """Say everything that must be answered, with the whole command to copy."""
    from worker.files.questions import left_open

    again = f"{_command(given, chosen)} {error.answered()}"
    if given.json:
        asked = [question.fields() for question in error.questions]
        print_json({"sent": False, "questions": asked, "command": again})
    put = left_open(error.questions)
    example = (f"With the first answer to each question{f' (put {put})' if put else ''}, it is:", f"  {again}")
    _stop(UNUSABLE, *str(error).splitlines(), *example, f"Nothing of {given.file} was sent.")


def _open(file: str) -> AbstractContextManager[BinaryIO]:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(file).open("rb")
    except OSError as error:
        _stop(
            UNUSABLE,
            f"{file} cannot be read: {error.strerror}. Give the file of a report, or - for standard input",
        )


def _stop(status: int, *lines: str) -> NoReturn:
    for line in lines:
        complain(line)
    raise typer.Exit(status)


def _read(reading: "Reading", rows: "RefusedFile | None") -> None:
    """Read the file to its end, sending nothing."""
    from worker.files.rows import RejectedRow

    for item in reading.items():
        if rows is not None and isinstance(item, RejectedRow):
            rows.add(item)


def _hand_in(
    reading: "Reading", submission: UUID, rows: "RefusedFile", bar: FileBar, producer: str | None
) -> "tuple[HandIn, Receipt]":
    """Submit the file and wait for its receipt; say what to do where that is not possible."""
    import sqlite3

    from sqlalchemy.exc import DBAPIError

    from worker.accounts.state import find
    from worker.files.where import PRODUCER
    from worker.setting_sources import SettingsError
    from worker.stream import StreamUnavailable
    from worker.submission.submit import HandIn

    try:
        process = open_process()
    except SettingsError as error:
        _stop(UNAVAILABLE, str(error), "Nothing was sent.")
    try:
        account = reading.options.account
        if account is not None and find(process.engine, account) is None:
            unknown(account)
    except DBAPIError as error:
        _stop(
            UNAVAILABLE, f"The database is out of reach ({error.orig}): is `turnout up` running?", "Nothing was sent."
        )
    hand_in = HandIn(submission, process.stream, process.engine, rows, bar.tell, producer or PRODUCER)
    try:
        hand_in.send(reading)
        return hand_in, hand_in.wait()
    except StreamUnavailable as error:
        _stop(UNAVAILABLE, f"The stream is out of reach ({error}): is `turnout up` running?", *_so_far(hand_in))
    except DBAPIError as error:
        _stop(UNAVAILABLE, f"The database is out of reach ({error.orig}): is `turnout up` running?", *_so_far(hand_in))
    except (sqlite3.Error, OSError) as error:
        _stop(UNAVAILABLE, f"The disk cannot be written to ({error}).", *_so_far(hand_in))
    except KeyboardInterrupt:
        _stop(INTERRUPTED, "", "Stopped.", *_so_far(hand_in))


def _close_corrected(hand_in: "HandIn", file: str) -> "ClosedByFile | None":
    """Close what a corrected file corrects, and note it."""
    from worker.operations import audit_log

    if not hand_in.corrections:
        return None
    by = audit_log.at_the_terminal()
    facts = {"corrected_file": Path(file).name, "submission": str(hand_in.submission)}
    with audit_log.noted(hand_in.engine, by, "correct", **facts) as action:
        corrected = hand_in.corrections.close(hand_in.engine, by.who, hand_in.submission)
        action.number = corrected.closed
    return corrected


def _so_far(hand_in: "HandIn") -> list[str]:
    """Say what was submitted, and how to go on."""
    if not hand_in.parts:
        return ["Nothing was sent; submit the file again when it is fixed."]
    if hand_in.complete:
        return [f"The whole file was submitted; its results: turnout submission {hand_in.submission}"]
    return [
        f"Submitted so far: {counted(hand_in.parts, 'part')}. Their results: turnout submission {hand_in.submission}",
        "Submit the file again: what was accepted is counted as a duplicate and not sent twice.",
    ]


def _close(reading: "Reading", came_to: "FileResult", named: list[str], *, as_json: bool) -> None:
    """Print the closing table."""
    from worker.submission.summary import summary, table

    if as_json:
        print_json(summary(reading.facts, came_to))
        return
    again = [*reading.settled.arguments(), *named]
    for label, text in table(reading.facts, came_to, again, reading.settled):
        say(f"{label:<13} {text}".rstrip())
