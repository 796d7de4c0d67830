"""Everything that must be answered before a file's rows are read, asked in one stop, with a proposal for each.

The stages build on each other (a header is found for a state, times are looked at under a header), so each first
answer is assumed for what follows. What the file settles itself is noted, to be shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from models.words import State
from worker.files.columns.deciding_titles import DecidingKind
from worker.files.columns.header import TIMES
from worker.files.columns.known_titles import WEAK, Field, compact
from worker.files.columns.map_option import as_option
from worker.files.columns.status_values import Standing, standing_of
from worker.files.csv_rows import CsvRow
from worker.files.event_facts import EventFacts, read_facts
from worker.files.first_look import survey
from worker.files.formats.content import Content
from worker.files.guess import ask_columns, guess, has_addresses, likely_state
from worker.files.no_addresses import is_known_report, no_addresses
from worker.files.options import Options
from worker.files.questions import Choice, Question, as_argument
from worker.files.ranges import Range, read_range
from worker.files.sections import LOOKED_AT, NoHeaderError, Tables

LENGTHS: Final = frozenset({Field.DURATION, Field.MINUTES, Field.SECONDS})
_OF_STATE: Final = {
    State.ATTEND: "they came: the report says when people joined, or how long they stayed",
    State.REGISTER: "they registered: the report says when",
    State.CANCEL: "they cancelled: the report says when",
}
_OTHERWISE: Final = {State.ATTEND: "they came", State.REGISTER: "they registered", State.CANCEL: "they cancelled"}


@dataclass(slots=True)
class Interview:
    """A table of people, ready to be read: what the file settles, what was assumed, and what must be answered."""

    settled: Options
    """The options, with what the file settles, and the first answers to the questions."""
    tables: Tables
    promoted: dict[str, DecidingKind] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    @property
    def is_last(self) -> bool:
        """Say whether what the rows ask would make no sense before these are answered."""
        return any(one.comes_first for one in self.questions)


def interview(content: Content, options: Options) -> Interview:
    """Find the table of people, and ask what is missing.

    Raises:
        FileError: where no answer would help, such as a report without addresses.

    """
    asked: list[Question] = []

    def assume(options: Options, *questions: Question) -> Options:
        asked.extend(questions)
        for one in questions:
            if one.choices:
                options = options.answered(one.choices[0].arguments(assumed=True))
        return options

    settled = replace(options, excel_dates=content.excel_dates or options.excel_dates)
    tables = _tables(content, settled)
    facts = read_facts(_above(tables, content))
    if settled.state is None and not _names_state(tables):
        settled = assume(settled, _ask_state(content, tables))
        tables = _tables(content, settled)
    if isinstance(tables, NoHeaderError):
        settled = assume(settled, *_ask_columns(content, tables, settled, facts))
        found = Tables(content, settled)
    else:
        found = tables
        settled = assume(settled, *_ask_leaving(content, found, settled, facts))
        found = Tables(content, settled) if settled.mapping != options.mapping else found
    settled = assume(settled, *_ask_event(found, settled, facts))
    looked = survey(content, settled)
    settled = looked.options
    notes = list(content.notes)
    if any(one.comes_first for one in looked.questions):
        asked += looked.questions
    else:
        settled = assume(settled, *looked.questions)
    evidence = looked.times
    evidence.options = settled
    settled, said, questions = evidence.settle(facts, asks_zone=looked.asks_zone)
    return Interview(
        settled, Tables(content, settled, looked.promoted), looked.promoted, notes + said, [*asked, *questions]
    )


def _tables(content: Content, options: Options) -> Tables | NoHeaderError:
    try:
        return Tables(content, options)
    except NoHeaderError as error:
        return error


def _above(tables: Tables | NoHeaderError, content: Content) -> list[CsvRow]:
    if isinstance(tables, Tables):
        return tables.before_header()
    found = guess(content)
    rows = content.rows.rows(found.delimiter) if found else iter(())
    above = []
    for row in rows:
        if found is None or row.line >= found.header.line:
            break
        above.append(row)
    return [*content.aside, *above]


def _names_state(tables: Tables | NoHeaderError) -> bool:
    """Say whether the rows name their state: under “Status”, “confirmed” may be of who registered or came."""
    if not isinstance(tables, Tables) or not {Field.STATE, Field.JSON} & tables.first.fields.keys():
        return False
    return not any(
        row is not None and place < len(row.cells) and standing_of(row.cells[place]) is Standing.CONFIRMED
        for table, row in islice(tables.rows(), LOOKED_AT)
        for place in table.columns.fields.get(Field.STATE, ())
        if compact(table.columns.titles[place]) in WEAK[Field.STATE]
    )


def _ask_state(content: Content, tables: Tables | NoHeaderError) -> Question:
    columns = tables.first if isinstance(tables, Tables) else tables.columns
    first = likely_state(guess(content), columns)
    others = [state for state in (State.ATTEND, State.REGISTER, State.CANCEL) if state is not first]
    choices = [Choice(f"--state {first}", _OF_STATE[first])]
    choices += [Choice(f"--state {state}", _OTHERWISE[state]) for state in others]
    return Question("--state", "the report", "does not say what its people did at the event.", tuple(choices))


def _ask_columns(content: Content, tables: NoHeaderError, options: Options, facts: EventFacts) -> Iterator[Question]:
    """Ask what the columns hold; where no answer would help, the file cannot be used."""
    found, state = guess(content), options.state or State.REGISTER
    columns = tables.columns
    if found is None:
        named = {*columns.asked, *columns.rivals, *columns.fields} if columns else set()
        of_people = columns is not None and named.isdisjoint({Field.EMAIL, Field.VID})
        titles = columns.titles if columns else _first_titles(content)
        if not has_addresses(content) and (of_people or is_known_report(titles)):
            raise no_addresses(titles)
        raise tables
    questions = ask_columns(found, options, state)
    answered = options
    for one in questions:
        answered = answered.answered(one.choices[0].arguments(assumed=True))
    try:
        Tables(content, answered)
    except NoHeaderError as error:
        if state is not State.ATTEND or options.start is not None:
            raise
        asked = _ask_start(facts, options, error)
        Tables(content, answered.answered(asked.choices[0].arguments(assumed=True)))  # else no answer would help
        questions.append(asked)
    yield from questions


def _first_titles(content: Content) -> list[str]:
    return [
        cell.strip() for _, rows in content.rows.first_rows(20) for row in rows for cell in row.cells if cell.strip()
    ]


def _ask_start(facts: EventFacts, options: Options, error: NoHeaderError) -> Question:
    """Ask when the event began, where the report says only how long people stayed."""
    what = (
        "does not say when people joined. When did the event begin? "
        "Each person is then recorded as there from the beginning, for as long as the report says."
    )
    choices = []
    if (known := facts.start(options.order, options.zone)) is not None:
        choices.append(Choice(f"--start {known[0].isoformat(timespec='minutes')}", f"as {known[1]} says"))
    placeholder = "--start BEGAN"
    means = "the day and the time where the event was held: --start 2026-03-29T19:00"
    choices.append(Choice(placeholder, means, assumed="--start 2026-01-15T12:00"))
    where = error.reason.where if error.columns else "the report"
    return Question("--start", where, what, tuple(choices))


def _ask_leaving(content: Content, tables: Tables, options: Options, facts: EventFacts) -> Iterator[Question]:
    """Ask how long people stayed, where no column that is known says it."""
    fields = tables.first.fields
    told = LENGTHS | {Field.LEFT, Field.JSON, Field.STATE}
    if options.state is not State.ATTEND or options.end is not None or not told.isdisjoint(fields):
        return
    if TIMES[State.ATTEND] not in fields and Field.DATE not in fields:
        return  # inputs made for HubSpot
    if _have_ranges(tables):
        return
    found = guess(content)
    if found is not None and (asked := ask_columns(found, options, State.ATTEND)):
        yield from asked
        return
    what = "does not say when people left, or how long they stayed. When did the event end?"
    choices = []
    if (known := facts.end(options.order, options.zone)) is not None:
        choices.append(
            Choice(f"--end {known[0].isoformat(timespec='minutes')}", f"as {known[1]} says; they stayed until then")
        )
    means = "the day and the time where the event was held: --end 2026-03-29T20:00; they stayed until then"
    choices.append(Choice("--end ENDED", means, assumed="--end 23:59"))
    yield Question("--end", "the report", what, tuple(choices))


def _have_ranges(tables: Tables) -> bool:
    """Say whether both times stand in one cell, such as 10:00 - 11:00, in the first rows."""
    return any(
        row is not None and place < len(row.cells) and isinstance(read_range(row.cells[place]), Range)
        for table, row in islice(tables.rows(), LOOKED_AT)
        for what in (Field.JOINED, Field.TIME, Field.DATE)
        for place in table.columns.fields.get(what, ())
    )


def _ask_event(tables: Tables, options: Options, facts: EventFacts) -> Iterator[Question]:
    """Ask which event in HubSpot it was, with what the report says of it."""
    fields = tables.first.fields
    if {Field.OBJECT_ID, Field.JSON} & fields.keys() or options.object_id:
        return
    named = (
        f" The report is about {facts.name.text!r}".replace("'", "“", 1).replace("'", "”", 1) + "."
        if facts.name
        else ""
    )
    by_number = Choice(
        "--object-id EVENT",
        "the number at the end of the address of the event's page in HubSpot",
        assumed="--object-id 1",
    )
    if (options.event or Field.EVENT in fields) and (options.external_account or Field.EXTERNAL_ACCOUNT in fields):
        return
    if options.event or Field.EVENT in fields:
        means = "the account id the event was created with in HubSpot"
        choices = [Choice("--external-account ACCOUNT", means, assumed="--external-account 1")]
        if Field.EVENT not in fields:
            choices.append(by_number)
        yield Question("--external-account", "the event", f"has an external id and no account.{named}", tuple(choices))
        return
    choices = [by_number]
    if facts.id is not None:
        own = as_argument("".join(facts.id.text.split()))
        account = "" if options.external_account else " --external-account ACCOUNT"
        means = f"its external id in HubSpot, if that is the {facts.id.title} of the report"
        choices.append(Choice(f"--event {own}{account}", means, assumed="--object-id 1"))
    asked = [tables.first.name(place) for place in tables.first.asked.get(Field.EVENT, ())]
    for title in asked[:1]:
        choices.append(
            Choice(as_option(title, "event"), "each row names its own: the column holds its external id in HubSpot")
        )
    what = f"is not said: which event in HubSpot is it?{named}"
    yield Question("--object-id", "the event", what, tuple(choices))
