"""What the documents say is what the code says: commands, options, snippets, numbers; the pages made of it."""

import base64
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import SecretStr

from cli.app import ENTRIES, app
from models import input_check
from models.input_check import Candidate
from models.message import _FIELDS, MOST_BYTES, MOST_INPUTS, Message, read_message
from tasks.intake import intake
from tests.support.documents import PAGES, text_of
from tests.support.fixtures import Submit
from web import access, hubspot_format, limits, long_poll, together
from web.reference.failures import FAILURES
from worker.auth import signin_limit
from worker.context import Context
from worker.queries.reconciliation import audit
from worker.settings import Settings
from worker.webhooks.signature import WebhookMessage, signature

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README, STREAM, HTTP = text_of("README.md"), text_of("docs/celery-and-stream.md"), text_of("docs/http-api.md")
WEBHOOKS, OPERATIONS = text_of("docs/webhooks.md"), text_of("docs/operations.md")
sys.path.insert(0, str(DOCS))

import draw  # noqa: E402 - found by the line above
import generate  # noqa: E402


def test_the_readme_is_short() -> None:
    assert len(README.split()) <= 900


def test_the_readmes_numbers_are_the_codes_and_the_benchs() -> None:
    attempts, age = (Settings.model_fields[name].default for name in ("max_attempts", "max_age"))
    assert f"given up: {attempts} unclear answers, or {age / 86_400:g} days" in README
    assert "98 % of 100 calls in 10 s, no 429, with eight workers" in README
    assert "| eight delivery workers | 1.00 | 0.98 | 100 | 0 |" in text_of("bench/README.md")


@pytest.mark.parametrize("name", ["settings", "commands", "metrics"])
def test_a_page_that_is_made_of_the_code_is_up_to_date(name: str) -> None:
    made = getattr(generate, name)()
    assert (DOCS / f"{name}.md").read_text() == made, "run: make docs"


def test_each_diagram_has_its_picture_and_no_other_is_kept() -> None:
    wanted = {draw.name_of(text) for text in draw.texts()}
    assert {path.name for path in draw.HERE.iterdir()} == wanted, "run: make diagrams"
    assert len(wanted) > 1


def test_the_list_of_decisions_has_each_with_its_title() -> None:
    listed = re.findall(
        r"^\| (\d+) \| \[(.+)\]\((.+)\) \|$", (DOCS / "decisions" / "README.md").read_text(), re.MULTILINE
    )
    titles = [
        (*re.fullmatch(r"# (\d+)\. (.+)", path.read_text().splitlines()[0]).groups(), path.name)  # type: ignore[union-attr]
        for path in sorted((DOCS / "decisions").glob("0*.md"))
    ]
    assert listed == titles


def commands_named(page: str) -> set[str]:
    snippets = "\n".join(re.findall(r"`[^`]*`|```.*?```", text_of(page), flags=re.DOTALL))
    # Other programs have users, hosts and namespaces of this name.
    ours = re.sub(r"(?:^|`)(?:kubectl|rabbitmqctl) [^`\n]*?(?=-- turnout|`|$)", "", snippets, flags=re.MULTILINE)
    return set(re.findall(r"turnout ([a-z]+)\b", ours))


def commands_typed(page: str) -> list[str]:
    said = text_of(page)
    return re.findall(r"`(turnout [^`]*)`", said) + re.findall(
        r"^(?:\.venv/bin/)?(turnout .*?)(?:#|$)", said, re.MULTILINE
    )


def options_of(typed: str) -> set[str]:
    return set(re.findall(r"(?<!\S)--[a-z-]+", typed))


def test_commands_and_options_are_found_on_the_pages() -> None:
    """What is found nowhere would be checked nowhere."""
    assert len(set().union(*map(commands_named, PAGES))) >= 20
    typed = [command for page in PAGES for command in commands_typed(page)]
    assert len(typed) >= 100
    assert len(set().union(*map(options_of, typed))) >= 20


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_names_exists(page: str) -> None:
    assert commands_named(page) <= ENTRIES.keys() | {"delivers"}


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_a_page_names_with_its_command_exists(page: str) -> None:
    for snippet in commands_typed(page):
        command: Any = typer.main.get_command(app)
        options: set[str] = set()
        for word in snippet.split()[1:]:
            command = getattr(command, "commands", {}).get(word, command)
            options |= {
                option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
            }
        assert options_of(snippet) <= options | {"--help"}, snippet


def test_the_message_that_is_shown_is_one_that_is_accepted() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", STREAM, flags=re.DOTALL)
    message = read_message(shown.encode())
    assert isinstance(message, Message)
    assert all(isinstance(judged, Candidate) for judged in message.judged())


def snippets() -> tuple[str, str]:
    by_stream, by_task = re.findall(r"```python\n(.*?)```", STREAM, flags=re.DOTALL)
    return by_stream, by_task


def test_the_snippet_for_the_stream_submits_a_record(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_REDIS_URL", context.settings.stream_url)
    exec(snippets()[0], {})
    intake(context)
    assert audit(context.engine).accepted == 1


def test_the_snippet_for_celery_sends_a_task_that_is_accepted(
    context: Context, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_BROKER_URL", context.settings.broker_url)
    exec(snippets()[1], {})
    queued = context.redis.lpop("attendance.accept")
    assert isinstance(queued, bytes)
    sent = json.loads(queued)
    _, fields, _ = json.loads(base64.b64decode(sent["body"]))
    assert sent["headers"]["task"] == "attendance.accept"
    assert submit(fields)[0].accepted == 1


def test_the_limits_of_a_message_are_those_that_are_shown() -> None:
    assert f"1 to {MOST_INPUTS:,} inputs. The whole message has at most {MOST_BYTES >> 20} MiB" in STREAM
    assert f"The body holds at most {MOST_INPUTS:,} inputs and {MOST_BYTES >> 20} MiB" in HTTP


def test_the_fields_of_a_message_are_those_that_are_shown() -> None:
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", STREAM, flags=re.MULTILINE))))
    assert named == _FIELDS


def test_a_signature_is_checked_as_the_page_says() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", WEBHOOKS, flags=re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    message = WebhookMessage("1_finished", 1_767_225_602, b'{"type": "submission.finished"}')
    headers = {
        "webhook-id": message.id,
        "webhook-timestamp": str(message.moment),
        "webhook-signature": signature(SecretStr(secret), message),
    }
    assert namespace["is_from_turnout"](secret, headers, message.body)
    assert not namespace["is_from_turnout"](secret, headers, message.body + b" ")


def test_the_ways_to_throttle_signing_in_are_those_of_the_page() -> None:
    said = " ".join(text_of("docs/security.md").split())
    assert f"after {signin_limit.MOST} wrong keys from one address within {signin_limit.SECONDS // 60} minutes" in said
    assert f"takes {limits.MOST_AT_ONCE} requests and {limits.MOST_BYTES_AT_ONCE >> 20} MiB" in said


def test_the_bounds_of_the_api_are_those_of_the_page() -> None:
    said = " ".join(text_of("docs/http-api.md").split())
    at_once, of_key = limits.MOST_BYTES_AT_ONCE >> 20, limits.MOST_BYTES_OF_KEY >> 20
    requests = f"{limits.MOST_AT_ONCE_OF_KEY} and {of_key} MiB of one key; {limits.MOST_AT_ONCE} and {at_once} MiB"
    domain, address = input_check.LONGEST_DOMAIN, input_check.LONGEST_EMAIL
    for row in (
        f"| {MOST_INPUTS:,} inputs, {MOST_BYTES >> 20} MiB, {limits.SLOWEST:.0f} seconds for its body |",
        f"| {requests} in a process |",
        f"| reasons against one input | {input_check.MOST_REASONS} |",
        f"| {hubspot_format.MOST_ANSWER >> 20} MiB; {hubspot_format.MOST_DETAIL >> 20} MiB of errors in full |",
        f"| {limits.ROOM_OF_ANSWERS.of_one >> 20} MiB of one key |",
        f"| {long_poll.MOST_OF_KEY} of one key, {long_poll.MOST:,} in a process |",
        f"| {together.MOST} from one address, {access.THREADS * together.MOST} in a process |",
        f"| {input_check.LONGEST_LOCAL_PART} bytes before the `@`, {domain} after it, {address} characters |",
    ):
        assert row in said, row
    assert f"at most {limits.MOST_AT_ONCE_OF_KEY} requests and {limits.MOST_BYTES_OF_KEY >> 20} MiB are stored" in next(
        failure.when for failure in FAILURES if failure.status == 503
    )
