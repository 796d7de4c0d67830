# ruff: noqa: E501 - messages are as long as they are
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
import pytest
import typer
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner, Result

import cli.enqueue
from cli.enqueue import NOT_ACCEPTED, NOTHING_SENT, enqueue
from worker.intake.receipts import Receipt
from worker.stream import StreamUnavailable
from worker.submission import corrections, submit

LIST = "Email,Date,Seat\na@example.com,2026-03-01T10:00:00Z,1\nnobody,2026-03-01T10:00:00Z,2\nb@example.com,2026-03-01T10:00:00Z,3\n"
SAID = ["--object-id", "7", "--state", "register"]

Run = Callable[..., Result]


class World:
    """What the command hands in to: it notes, and answers as it is told."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.refused: list[tuple[str, int]] = []
        self.producers: list[str] = []
        self.queue: list[int] = []
        """What `waiting` answers, one after the other; then nothing waits."""
        self.looks = 0
        self.fails = 0
        self.interrupted = False
        self.unreachable = False

    def add(self, message: bytes) -> str:
        if self.fails:
            self.fails -= 1
            raise StreamUnavailable("connection refused")
        self.messages.append(orjson.loads(message))
        return "1-0"

    def waiting(self) -> int:
        self.looks += 1
        return self.queue.pop(0) if self.queue else 0

    def receipt(self, _engine: Engine, _submission: UUID) -> Receipt:
        if self.unreachable:
            raise OperationalError("SELECT", {}, Exception("connection refused"))
        if self.interrupted and self.messages:
            raise KeyboardInterrupt
        return Receipt(len(self.messages) + len(self.refused), 1, 1, 1, {"failed": 1})

    def refuse(self, _engine: Engine, _submission: UUID, part: str, producer: str, items: list[Any]) -> None:
        self.refused.append((part, len(items)))
        self.producers.append(producer)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(cli.enqueue, "open_process", lambda: SimpleNamespace(engine=None, stream=world))
    monkeypatch.setattr(submit, "receipt", world.receipt)
    monkeypatch.setattr(submit, "refuse", world.refuse)
    monkeypatch.setattr(submit, "PAUSE", 0.001)
    return world


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(enqueue)

    def run(*arguments: str, content: str | bytes | None = LIST, stdin: bytes | None = None) -> Result:
        if content is not None:
            Path("list.csv").write_bytes(content.encode() if isinstance(content, str) else content)
        return CliRunner().invoke(app, arguments, input=stdin)

    return run


def test_a_file_is_handed_in_and_the_closing_table_says_what_became_of_it(world: World, run: Run) -> None:
    result = run("list.csv", *SAID)
    assert result.exit_code == NOT_ACCEPTED, result.output
    (message,) = world.messages
    submission = message.pop("submission_id")
    inputs = message.pop("inputs")
    assert message == {
        "object_id": "7",
        "subscriber_state": "register",
        "producer": "turnout enqueue",
        "account": "default",
        "part": "1",
    }
    assert [each["email"] for each in inputs] == ["a@example.com", "b@example.com"]
    assert world.refused == [("refused 1", 1)]
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert "records 2 (2 register 7)" in lines
    assert "accepted 1" in lines
    assert "duplicates 1 (of records that are failed)" in lines
    assert "those not delivered are sent again by: turnout retry --event 7 --state register" in lines
    assert "not accepted 1" in lines
    assert any(line.startswith("line 3, Email: nobody is no e-mail address") for line in lines)
    told = lines.index("these rows are in list.csv.refused.csv: fix them there, then submit that file:")
    assert lines[told + 1] == "turnout enqueue list.csv.refused.csv --object-id 7 --state register"
    assert "not read Seat" in lines
    assert f"submission {submission} (turnout submission {submission})" in lines
    assert Path("list.csv.refused.csv").exists()


def test_a_file_names_its_producer_in_each_part_and_when_its_refused_rows_are_handed_in(world: World, run: Run) -> None:
    result = run("list.csv", *SAID, "--producer", "the shop")
    assert result.exit_code == NOT_ACCEPTED, result.output
    assert [message["producer"] for message in world.messages] == world.producers == ["the shop"]
    assert "turnout enqueue list.csv.refused.csv --object-id 7 --state register --producer 'the shop'" in result.output


@pytest.mark.parametrize("name", ["", "  ", "x" * 256, "a\0b"])
def test_a_producer_of_no_name_is_refused_and_nothing_sent(world: World, run: Run, name: str) -> None:
    result = run("list.csv", *SAID, "--producer", name)
    assert (result.exit_code, world.messages) == (2, [])
    assert "is not a producer's name" in result.output


def test_the_facts_can_be_had_as_json(world: World, run: Run) -> None:
    facts = json.loads(run("list.csv", *SAID, "--json").output)
    assert facts["submission"] == world.messages[0]["submission_id"]
    assert {name: facts[name] for name in ("rows", "records", "accepted", "duplicates", "refused", "repeats")} == {
        "rows": 3,
        "records": 2,
        "accepted": 1,
        "duplicates": 1,
        "refused": 1,
        "repeats": {"failed": 1},
    }
    assert facts["columns"] == {"Email": "email", "Date": "date"}
    assert facts["columns_not_read"] == ["Seat"]
    assert facts["refused_file"] == "list.csv.refused.csv"
    assert facts["groups"] == [{"account": "default", "event": "7", "state": "register", "records": 2}]


def test_a_check_sends_and_writes_nothing(world: World, run: Run) -> None:
    result = run("list.csv", *SAID, "--check")
    assert result.exit_code == NOT_ACCEPTED, result.output
    assert (world.messages, world.refused, world.looks) == ([], [], 0)
    assert "nothing was sent" in result.output
    assert "line 3, Email: nobody" in result.output
    assert [path.name for path in Path().iterdir()] == ["list.csv"]


def test_standard_input_is_read_too(world: World, run: Run) -> None:
    line = b'{"email": "a@example.com", "interactionDateTime": 1772359200000}\n'
    assert run("-", *SAID, content=None, stdin=line * 3).exit_code == NOT_ACCEPTED
    assert len(world.messages[0]["inputs"]) == 3


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (LIST, ["--state", "register"], "the event is not said: which event in HubSpot is it?"),
        (LIST, ["--object-id", "7", "--event", "8", "--state", "register"], "--object-id: stands beside --event"),
        ("prose", SAID, "has no row of column names"),
        (b"PK\x03\x04", SAID, "begins like a zip or a workbook and cannot be opened"),
        (
            LIST,
            [*SAID, "--map", "Mail=email"],
            "the file has no column “Mail=email”; expected one of Email, Date, Seat",
        ),
        (LIST, [*SAID, "--refused", "list.csv"], "list.csv is there already"),
        ("", SAID, "the file: is empty"),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_sent(
    world: World, run: Run, content: str | bytes, arguments: list[str], said: str
) -> None:
    result = run("list.csv", *arguments, content=content)
    assert result.exit_code == 2
    assert said in result.output
    assert (world.messages, world.refused) == ([], [])


def test_a_file_of_which_nothing_would_be_sent_is_no_success(world: World, run: Run) -> None:
    content = "Email,Date,Approval Status\na@example.com,2026-03-01T10:00:00Z,denied\n"
    assert run("list.csv", *SAID, "--check", content=content).exit_code == NOTHING_SENT
    assert world.messages == []


def test_a_file_whose_rows_would_all_be_sent_is_a_success_and_its_records_are_shown_in_local_time(run: Run) -> None:
    content = "Email,Join Time,Leave Time\na@example.com,2026-03-01T10:00:00Z,2026-03-01T11:05:00Z\n"
    said = ["--object-id", "7", "--state", "attend", "--time-zone", "Berlin", "--check"]
    result = run("list.csv", *said, content=content)
    assert result.exit_code == 0, result.output
    assert "first records a@example.com joined 1 March 2026 11:00, left 12:05 (1 h 5 min)" in result.output
    assert "times without a zone are in Europe/Berlin (UTC+01:00 in January, UTC+02:00 in July)" in result.output


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
def test_a_file_that_cannot_be_read_is_said(run: Run, name: str) -> None:
    result = run(name, *SAID)
    assert result.exit_code == 2
    assert f"{name} cannot be read" in result.output


def test_no_more_messages_are_added_than_may_wait(world: World, run: Run) -> None:
    world.queue = [1000, 1000, 998, 1000, 0]
    rows = "".join(f"a{n}@example.com,2026-03-01T10:00:00Z,{n}\n" for n in range(3000))
    assert run("list.csv", *SAID, content=LIST + rows).exit_code == NOT_ACCEPTED
    assert len(world.messages) == 4
    assert world.looks == 5


def test_a_moment_without_the_stream_is_sat_out(world: World, run: Run) -> None:
    world.fails = 2
    assert run("list.csv", *SAID).exit_code == NOT_ACCEPTED
    assert len(world.messages) == 1


def test_without_the_stream_the_command_says_what_to_do(world: World, run: Run) -> None:
    world.fails = 99
    result = run("list.csv", *SAID)
    assert result.exit_code == 1
    assert "The stream is out of reach (connection refused): is `turnout up` running?" in result.output
    assert "Nothing was sent" in result.output


def test_without_the_database_nothing_is_sent(world: World, run: Run) -> None:
    world.unreachable = True
    result = run("list.csv", *SAID)
    assert result.exit_code == 1
    assert "The database is out of reach" in result.output
    assert world.messages == []


def test_one_who_does_not_wait_is_told_how_to_see_the_rest(world: World, run: Run) -> None:
    world.interrupted = True
    result = run("list.csv", *SAID)
    assert result.exit_code == 130
    submission = world.messages[0]["submission_id"]
    assert f"The whole file was submitted; its results: turnout submission {submission}" in result.output


PEOPLE = (
    "Email,Attendee Status,Role,Date\na@example.com,Attending,Attendee,2026-03-01T10:00:00Z\n"
    "b@example.com,Refunded,Attendee,2026-03-01T10:00:00Z\nc@example.com,Not Attending,Attendee,2026-03-01T10:00:00Z\n"
    "h@example.com,Attending,Host,2026-03-01T10:00:00Z\nd@example.com,Not Attending,Attendee,2026-03-01T10:00:00Z\n"
)


def test_the_closing_table_says_who_was_left_out_why_and_which_option_sends_them_too(world: World, run: Run) -> None:
    result = run("list.csv", *SAID, content=PEOPLE)
    assert result.exit_code == NOT_ACCEPTED, result.output
    assert [each["email"] for each in world.messages[0]["inputs"]] == ["a@example.com"]
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    first = lines.index("left out 1 row: Attendee Status “Refunded” (cancelled)")
    assert lines[first : first + 6] == [
        "left out 1 row: Attendee Status “Refunded” (cancelled)",
        "to send it too: --state cancel",
        "left out 2 rows: Attendee Status “Not Attending” (is not coming)",
        'to send them too: --map "Attendee Status=status(Not Attending=keep)"',
        "left out 1 row: Role “Host” (host, organizer, panelist or presenter)",
        "to send it too: --include-hosts",
    ]


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_who_was_left_out_can_be_had_as_json(world: World, run: Run, check: list[str]) -> None:
    facts = json.loads(run("list.csv", *SAID, "--json", *check, content=PEOPLE).output)
    assert len(world.messages) == (not check)
    assert (facts["rows"], facts["records"]) == (5, 1)
    assert facts["left_out"] == {
        "Attendee Status “Refunded” (cancelled)": 1,
        "Attendee Status “Not Attending” (is not coming)": 2,
        "Role “Host” (host, organizer, panelist or presenter)": 1,
    }
    assert list(facts["left_out_options"].values()) == [
        "--state cancel",
        '--map "Attendee Status=status(Not Attending=keep)"',
        "--include-hosts",
    ]


def test_hosts_are_sent_where_that_is_said_and_the_refused_rows_go_the_same_way(world: World, run: Run) -> None:
    result = run("list.csv", *SAID, "--include-hosts", content=PEOPLE + "nobody,Attending,Host,2026-03-01T10:00:00Z\n")
    assert [each["email"] for each in world.messages[0]["inputs"]] == ["a@example.com", "h@example.com"]
    assert "turnout enqueue list.csv.refused.csv --object-id 7 --state register --include-hosts" in result.output


def test_a_value_that_is_not_known_sends_nothing_and_the_question_names_the_option(world: World, run: Run) -> None:
    result = run("list.csv", *SAID, content=PEOPLE.replace("Refunded", "Walk-in"))
    assert result.exit_code == 2
    assert '--map "Attendee Status=status(Walk-in=keep)"' in result.output
    assert "Nothing of list.csv was sent." in result.output
    assert world.messages == []
    asked = json.loads(run("list.csv", *SAID, "--json", content=None).stdout)
    options = ["status(Walk-in=keep)", "status(Walk-in=leave out)", "ignore"]
    assert [choice["option"] for choice in asked["questions"][0]["choices"]] == [
        f'--map "Attendee Status={option}"' for option in options
    ]
    answered = run("list.csv", *SAID, "--map", "Attendee Status=status(Walk-in=keep)", content=None)
    assert answered.exit_code == NOT_ACCEPTED, answered.output
    assert [each["email"] for each in world.messages[0]["inputs"]] == ["a@example.com", "b@example.com"]


def test_a_file_from_a_pipe_is_asked_about_as_a_whole_too(world: World, run: Run) -> None:
    rows = "".join(f"p{n}@example.com,approved,2026-03-01T10:00:00Z\n" for n in range(3000))
    content = f"Email,Status,Date\n{rows}z@example.com,Odd,2026-03-01T10:00:00Z\n".encode()
    result = run("-", *SAID, content=None, stdin=content)
    assert result.exit_code == 2
    assert "“Odd” (1)" in result.output
    assert world.messages == []


WEEKLY = (Path(__file__).parent / "files" / "zoom-two-occurrences.csv").read_bytes()
ATTENDED = ["--object-id", "7", "--state", "attend", "--time-zone", "America/New_York", "--date-order", "mdy"]


@pytest.mark.parametrize("more", [[], ["--check"]])
def test_a_file_of_two_occurrences_asks_and_sends_stores_and_writes_nothing(
    world: World, run: Run, more: list[str]
) -> None:
    broken = b"Yes,N,N,N,nobody,,,03/29/2026 07:05:00 PM,03/29/2026 08:00:00 PM,1,,\n" * (corrections.AT_ONCE + 1)
    result = run("list.csv", *ATTENDED, *more, content=WEEKLY + b"\n" + broken)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert lines[0].startswith("the file has 2 occurrences, and event 7")
    assert lines[2].split("  ")[1] == "--occurrence 2026-03-29"
    assert lines[-1] == "Nothing of list.csv was sent."
    assert (world.messages, world.refused) == ([], [])
    assert [path.name for path in Path().iterdir()] == ["list.csv"]


def test_the_question_can_be_had_as_json_and_its_answer_copied(world: World, run: Run) -> None:
    result = run("list.csv", *ATTENDED, "--json", content=WEEKLY)
    assert result.exit_code == 2
    asked = json.loads(result.stdout)
    assert asked["sent"] is False
    (question,) = asked["questions"]
    answer = question["choices"][1]["option"].split()
    assert run("list.csv", *ATTENDED, *answer, "--json", content=WEEKLY).exit_code == NOT_ACCEPTED
    assert [each["email"] for each in world.messages[0]["inputs"]] == ["ana@example.com", "bob@example.com"]


def test_every_question_comes_at_once_and_the_command_that_answers_them_can_be_copied(world: World, run: Run) -> None:
    content = (
        "Email,Member Status,Join Time,Leave Time\n"
        "a@example.com,Walk-in,2026-03-01 10:00,2026-03-01 11:00\n"
        "a@example.com,Walk-in,2026-03-08 10:00,2026-03-08 11:00\n"
    )
    said = ["--object-id", "7", "--state", "attend", "--time-zone", "UTC", "--encoding", "utf-8"]
    result = run("list.csv", *said, "--producer", "crm", "--check", content=content)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert [line for line in lines if not line.startswith(" ")][-2:] == [
        "With the first answer to each question, it is:",
        "Nothing of list.csv was sent.",
    ]
    asked = json.loads(run("list.csv", *said, "--json", content=None).stdout)
    assert [question["option"] for question in asked["questions"]] == ["--map", "--occurrence"]
    assert asked["command"] == (
        "turnout enqueue list.csv --object-id 7 --state attend --time-zone UTC --encoding utf-8 "
        '--map "Member Status=status(Walk-in=keep)" --occurrence 2026-03-01'
    )
    copied = lines[-2].strip()
    assert copied == asked["command"].replace("utf-8 ", "utf-8 --producer crm --check ")
    answered = run("list.csv", *shlex.split(asked["command"])[3:], content=None)
    assert answered.exit_code == NOT_ACCEPTED, answered.output
    assert [each["email"] for each in world.messages[0]["inputs"]] == ["a@example.com"]


def test_an_offset_is_taken_as_the_time_zone_of_a_file(world: World, run: Run) -> None:
    content = "Email,Date\na@example.com,2026-07-05 16:00\n"
    assert run("list.csv", *SAID, "--time-zone", "-05:00", content=content).exit_code == NOT_ACCEPTED
    assert world.messages[0]["inputs"][0]["interactionDateTime"] == 1783285200000
