"""Behind a proxy under another host and a path: every address that an answer names leads back there."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests

from models.words import Role
from tests.support.api import key_for, running_server
from worker.context import Context

OUTSIDE = "https://events.example.com/turnout"
HOST = {"Host": "internal:8800"}


@pytest.fixture
def inside(context: Context) -> Iterator[str]:
    """Where the proxy sends to."""
    settings = context.settings.model_copy(update={"public_url": OUTSIDE, "hosts": "internal"})
    with running_server(replace(context, settings=settings)) as url:
        yield url


@pytest.mark.parametrize("path", ["/turnout/", "/"])
def test_the_console_opens_whether_the_proxy_leaves_the_path_or_takes_it_off(inside: str, path: str) -> None:
    answer = requests.get(inside + path, headers=HOST, allow_redirects=False, timeout=10)
    assert answer.headers["location"] == "/turnout/sign-in"


def test_every_address_in_a_page_has_the_path(inside: str) -> None:
    page = requests.get(f"{inside}/turnout/sign-in", headers=HOST, timeout=10)
    addresses = re.findall(r'(?:href|src|action)="(/[^"]*)"', page.text)
    assert len(addresses) >= 3
    assert all(address.startswith("/turnout/") for address in addresses), addresses
    for address in addresses:
        if address.startswith("/turnout/static/"):
            assert requests.get(inside + address, headers=HOST, timeout=10).status_code == 200


def test_an_operator_signs_in_and_presses_a_button(inside: str, context: Context) -> None:
    key = key_for(context, "op", Role.OPERATOR)
    visitor = requests.Session()
    visitor.headers.update(HOST)
    shown = visitor.get(f"{inside}/turnout/sign-in", timeout=10)
    (token,) = set(re.findall(r'name="form" value="([0-9a-f]{64})"', shown.text))
    cookies = "; ".join(
        value.partition(";")[0] for value in shown.headers.get("set-cookie", "").split(", ") if "=" in value
    )
    origin = {"Origin": "https://events.example.com"}
    answer = visitor.post(
        f"{inside}/turnout/sign-in",
        data={"key": key, "form": token},
        headers={**origin, "Cookie": cookies},
        allow_redirects=False,
        timeout=10,
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/turnout/")
    (cookie,) = re.findall(r"(__Host-turnout=[^;]+)", answer.headers["set-cookie"])
    page = requests.get(f"{inside}/turnout/", headers={**HOST, "Cookie": cookie}, timeout=10)
    assert 'href="/turnout/batches' in page.text
    assert not re.findall(r'(?:href|src|action)="/(?!turnout/)', page.text)


def test_a_submission_is_linked_where_its_producer_can_ask(inside: str, context: Context) -> None:
    key = key_for(context, "shop")
    answer = requests.post(
        f"{inside}/turnout/marketing/v3/marketing-events/attendance/77/register/email-create?externalAccountId=acme",
        json={"inputs": [{"email": "ada@example.com", "interactionDateTime": 1_767_225_600_000}]},
        headers={**HOST, "Authorization": f"Bearer {key}"},
        timeout=10,
    )
    link = answer.json()["links"]["submission"]
    assert link.startswith(f"{OUTSIDE}/submissions/")
    asked = requests.get(
        link.replace("https://events.example.com", inside),
        headers={**HOST, "Authorization": f"Bearer {key}"},
        timeout=10,
    )
    assert asked.json()["accepted"] == 1


def test_without_the_setting_nothing_changes(context: Context) -> None:
    with running_server(context) as url:
        answer = requests.get(f"{url}/", allow_redirects=False, timeout=10)
        assert answer.headers["location"] == "/sign-in"
