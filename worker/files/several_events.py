"""Files of several events: their columns name a webinar, a session or its date, and HubSpot's event is one of them.

Where every row is sent to the one event that an option names, people would be moved to the wrong one. So which rows
belong to it is asked, unless a column is read as the event's own id.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from models.counted import counted
from models.input_check import shown
from models.words import State
from worker.files.columns.header import Columns
from worker.files.columns.known_titles import Field, compact
from worker.files.columns.map_option import SECTION, as_option, places_named, section_answers
from worker.files.columns.who_counts import NOTHING
from worker.files.options import Options
from worker.files.questions import Choice, Question

SHOWN: Final = 12
MOST_NAMES: Final = 50
"""Different names, of which half of the rows have their own, are no names of events."""
MOST_EVENTS: Final = 1000
"""More names than any file has events."""
_NAMES: Final = (
    "eventname", "event", "eventtitle", "webinarname", "webinartitle", "webinar", "webinartopic", "topic",
    "meetingname",
    "meetingtitle", "meetingtopic", "meeting", "sessionname", "sessiontitle", "session", "campaignname",
    "workshop", "workshopname", "course", "coursename", "eventid", "webinarid", "webinarkey", "meetingid", "eventcode",
    "campaignid", "veranstaltung", "veranstaltungsname", "veranstaltungstitel", "besprechungstitel", "evenement",
    "nomdelevenement", "evento", "nombredelevento", "nombredelaevento", "nomedoevento", "nomedellevento",
    "evenementnaam", "naamevenement",
)  # fmt: skip
_DAYS: Final = (
    "sessiondate", "eventdate", "webinardate", "eventstart", "eventstartdate", "eventstarttime", "eventstartdatetime",
    "webinarstarttime", "webinarstart", "sessionstart", "sessionstarttime", "occurrence", "occurrencedate",
    "sessiontime", "startdatetime", "veranstaltungsdatum", "datedelevenement", "fechadelevento", "datadoevento",
    "datadellevento",
)  # fmt: skip
"""When the event is: who came is told apart by the time of joining, and nobody else."""


@dataclass(slots=True)
class Programmes:
    """The names of events that the rows of a file hold, by the columns that name them."""

    options: Options
    rows: int = 0
    _names: dict[str, Counter[str]] = field(default_factory=dict)
    """By the title: how many rows hold a name."""
    _columns: dict[tuple[str, ...], list[tuple[int, Counter[str]]]] = field(default_factory=dict)
    """By the header: the columns that name events."""

    def see(self, columns: Columns, cells: list[str]) -> None:
        """Note which event a row names."""
        if {Field.EVENT, Field.OBJECT_ID, Field.JSON} & columns.fields.keys():
            return
        self.rows += 1
        if (naming := self._columns.get(columns.titles)) is None:
            titles = self._titles()
            places = [place for place, title in enumerate(columns.titles) if compact(title) in titles]
            naming = [(place, self._names.setdefault(columns.name(place), Counter())) for place in places]
            self._columns[columns.titles] = naming
        for place, names in naming:
            text = cells[place].strip() if place < len(cells) else ""
            if text not in NOTHING and (text in names or len(names) <= MOST_EVENTS):
                names[text] += 1

    def question(self) -> Question | None:
        """Ask which of the events is meant, by the column that names them best; nothing where there is but one."""
        titles = list(self._names)
        if any(places_named(titles, title) for title, _ in self.options.mapping):
            return None
        order = self._titles()
        for title in sorted(titles, key=lambda name: order.index(compact(name.partition("#")[0]))):
            names = _alike(self._names[title])
            own = len(names) > MOST_NAMES and len(names) * 2 > self.rows
            if len(names) > 1 and not own and len(self._names[title]) <= MOST_EVENTS:
                return self._ask(title, names)
        return None

    def _titles(self) -> tuple[str, ...]:
        return _NAMES if self.options.state is State.ATTEND else _NAMES + _DAYS

    def _ask(self, title: str, names: Counter[str]) -> Question:
        listed = [text for text, _ in names.most_common(SHOWN)]
        named = [f"“{shown(text)}” ({names[text]:,})" for text in listed]
        named += [f"{len(names) - SHOWN:,} more"] if len(names) > SHOWN else []
        event = self.options.object_id or self.options.event
        target = f"the one event {shown(event)}" if event else "one event"
        what = (
            f"names several events: {', '.join(named)}. Their people would all be sent to {target}. Which belong to it?"
        )
        choices = []
        if len(names) <= SHOWN:
            for one in listed:
                answers = ", ".join(f"{text}={'keep' if text == one else 'leave out'}" for text in listed)
                choices.append(Choice(as_option(title, f"status({answers})"), f"only those of “{shown(one)}”"))
        choices.append(Choice(as_option(title, Field.IGNORE), "all of them"))
        choices.append(
            Choice(as_option(title, "event"), "each row's own: the column holds the external id of its event")
        )
        return Question("--map", f"column “{shown(title)}”", what, tuple(choices), comes_first=True)


def ask_reports(reports: Counter[str], options: Options) -> Iterator[Question]:
    """Ask which of several reports, one behind the other, is that of the event: by their rows that may be sent."""
    reports = +reports
    named = [report for report in reports if report]
    answers = section_answers(options.mapping)
    if len(reports) < 2 or all(compact(report) in answers for report in named):  # noqa: PLR2004
        return
    listed = ", ".join(f"“{shown(report)}” ({counted(reports[report], 'row')})" for report in named)
    what = f"holds the reports of several events: {listed}. Which of them belong to the event?"
    choices = [Choice(_answers(named, {kept}), f"only “{shown(kept)}”") for kept in named]
    choices.append(Choice(_answers(named, set(named)), "all"))
    yield Question("--map", "the file", what, tuple(choices), comes_first=True)


def _answers(reports: list[str], kept: set[str]) -> str:
    said = (f"{report}={'keep' if report in kept else 'leave out'}" for report in reports)
    return as_option(SECTION, f"status({', '.join(said)})")


def _alike(names: Counter[str]) -> Counter[str]:
    """Count spellings of one name together, under the first of them."""
    first: dict[str, str] = {}
    alike: Counter[str] = Counter()
    for text, count in names.items():
        alike[first.setdefault(compact(text) or text, text)] += count
    return alike
