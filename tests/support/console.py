"""The console as a browser without JavaScript meets it, on loopback, talking real HTTP."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Unpack

import requests

from models.words import Role
from tests.support.api import Asking, key_for, running_server
from worker.context import Context


def straight(session: requests.Session) -> requests.Session:
    """Ask this machine as it is: to look for proxies and a .netrc takes a tenth of each request."""
    session.trust_env = False
    return session


@dataclass
class Visitor:
    """Somebody with a browser: keeps cookies, fills in the forms that pages show."""

    url: str
    http: requests.Session = field(default_factory=lambda: straight(requests.Session()))

    def get(self, path: str = "/", **more: Unpack[Asking]) -> requests.Response:
        return self.http.get(self.url + path, timeout=30, **more)

    def page(self, path: str = "/") -> str:
        answer = self.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.text

    def post(self, path: str, fields: dict[str, str] | None = None, **more: Unpack[Asking]) -> requests.Response:
        more |= {"data": fields or {}, "headers": {"Origin": self.url, **more.get("headers", {})}}
        return self.http.request("POST", self.url + path, timeout=30, **more)

    def token(self, path: str = "/sign-in") -> str:
        found = re.search(r'name="form" value="([0-9a-f]{64})"', self.get(path).text)
        assert found, f"{path} has no form"
        return found[1]

    def press(self, path: str, shown_on: str, **fields: str) -> requests.Response:
        return self.post(path, {"form": self.token(shown_on), **fields})

    def submit(
        self, html: str, action: str, *, files: dict[str, Any] | None = None, **fields: str
    ) -> requests.Response:
        """Send the form that a page shows for this action, with what it holds and what is filled in."""
        found = re.search(rf'<form[^>]* method="post" action="{re.escape(action)}".*?</form>', html, re.DOTALL)
        assert found, f"no form for {action}"
        held = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', found[0])
        sent = {unescape(name): unescape(value) for name, value in held} | fields
        return self.post(action, sent, files=files) if files else self.post(action, sent)

    def sign_in(self, key: str, **more: str) -> requests.Response:
        return self.press("/sign-in", "/sign-in", key=key, **more)


@dataclass(frozen=True)
class RunningConsole:
    url: str
    context: Context

    def visitor(self) -> Visitor:
        return Visitor(self.url)

    def of(self, role: Role, name: str | None = None) -> Visitor:
        visitor = self.visitor()
        answer = visitor.sign_in(key_for(self.context, name or f"the {role}", role))
        assert (answer.status_code, answer.url) == (200, f"{self.url}/"), answer.text
        return visitor


@contextmanager
def running_console(context: Context, port: int | None = None) -> Iterator[RunningConsole]:
    with running_server(context, port) as url:
        yield RunningConsole(url, context)


def words(html: str) -> str:
    """Give what a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))
