"""What the walk over every route needs: a database full of one person in every spelling, and eyes that see her."""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any, Unpack
from urllib.parse import quote, unquote
from uuid import UUID

import requests
from sqlalchemy import Engine, func, select
from starlette.routing import BaseRoute

from models.accept_rules import Rules
from models.correction import Change
from models.input_check import Reason
from models.job_params import JobParams
from models.tables import Submission
from models.words import Action, Door, Outcome, Role, Via
from tests.support.api import Api, Asking, key_for
from tests.support.console import Visitor
from tests.support.jobs import ME
from tests.support.ledger import WHEN, Ledger, do, given_up, message, settled, taken
from worker.context import Context
from worker.intake.accept import Inbound, accept
from worker.operations import jobs, schedules
from worker.operations.audit_log import Actor, noted
from worker.operations.schedules import RetrySchedule
from worker.queries.error_filter import Filter

Route = tuple[str, str]
"""A method and a path."""
SPELT: Sequence[str] = (
    "ada.lovelace@analytical.example.com",
    "ADA.LOVELACE@ANALYTICAL.EXAMPLE.COM",
    "mailto:ada.lovelace@analytical.example.com",
    "ada.lovelace at analytical.example.com",
    "ada.lovelace(at)analytical.example.com",
    "ada.lovelace (at) analytical.example.com",
    "ada.lovelace [at] analytical dot example dot com",
    "ada.lovelace{at}analytical{dot}example{dot}com",
    "ada.lovelace&#x40;analytical.example.com",
    "ada.lovelace&#64;analytical.example.com",
    "ada.lovelace&commat;analytical.example.com",
    "ada.lovelace%40analytical.example.com",
    "ada.lovelace%2540analytical%252Eexample%252Ecom",
    "ada.lovelace\\u0040analytical.example.com",
    "ada.lovelace\\x40analytical.example.com",
    "ada.lovelace=40analytical.example.com",
    "ada.lovelace@analytical",
    "ada.lovelace@",
    "ada.lovelace@@analytical.example.com",
    "ada@lovelace@analytical.example.com",
    '"ada lovelace"@analytical.example.com',
    "ada.lovelace\uff20analytical.example.com",
    "\uff41\uff44\uff41\uff0e\uff4c\uff4f\uff56\uff45\uff4c\uff41\uff43\uff45\uff20\uff41\uff4e\uff41\uff4c\uff59\uff54\uff49\uff43\uff41\uff4c\uff0e\uff43\uff4f\uff4d",
    "ada.love\u00adlace@analy\u00adtical.example.com",
    "ada.love\u200blace\u200b@\u200banaly\u200btical.example.com",
    "ada.lovelace @ analytical.example.com",
    "ada.lovelace@analytical\u3002example\u3002com",
    "ada.lovelace@xn--analytical-x9a.example.com",
    "ada.lovelace\uff0540analytical.example.com",
    "ada.lovelace&amp;#64;analytical.example.com",
    "ada.lovelace\\u0025\\u0034\\u0030analytical.example.com",
    "ada.lovelace -at- analytical -dot- example -dot- com",
    "ada.lovelace<wbr>@<wbr>analytical.example.com",
)
"""One person's address, as people and programs write it; the first is the one that HubSpot takes."""
TOLD = ("lovelace", "analytical", "79460999")
"""What gives her away: either half of her address, and her number."""
EVERY = "; ".join(SPELT)
SUBMISSION = UUID("0b1cb8c3-e2ec-4f44-9fe2-d7813d1a6cfc")
RIVALS = UUID("3a1cb8c3-e2ec-4f44-9fe2-d7813d1a6cfa")
SAMPLES = {
    "version": "2026-09",
    "externalEventId": "webinar",
    "objectId": "77",
    "subscriberState": "register",
    "contactIdentifier": quote(SPELT[0]),
    "marketingEventId": "77",
    "externalAccountId": "acme",
    "submission": str(SUBMISSION),
    "name": "console.css",
    "link": "x",
    "batch": "1",
    "event": "1",
    "contact": "1000",
    "refusal": "1",
    "action": "retry",
    "job": "1",
    "account": "default",
    "schedule": "nightly",
    "erasure": "1",
}
"""What is asked for in the place of each parameter of a path."""
WRITTEN_BY_OTHERS = (
    "UPDATE records SET contact = {one} || id WHERE id % 2 = 0 AND contact <> '1000'",
    """
    UPDATE records SET input = input || jsonb_build_object('email', {one}, 'contactProperties',
      jsonb_build_object('lastname', 'Lovelace', 'phone', '+44 20 7946 0999 79460999'),
      'properties', jsonb_build_object('note', {one}))""",
    """
    UPDATE errors SET message = 'Invalid input for `' || {one} || '`: it is ' || {one} || ' twice',
      context = jsonb_build_object('contact', jsonb_build_array({one}), 'said', jsonb_build_array({one}), {one}, 'x'),
      resolved_because = {one}, code = {one}""",
    "UPDATE error_groups SET gist = {one}, code = {one}",
    """
    UPDATE attempts SET excerpt = '{{"emails":["' || {one} || '"],"message":"' || {every} || '"}}',
      correlation_id = {one}, answer = {one}""",
    "UPDATE batches SET postponed_because = {every}",
    "UPDATE accounts SET paused_at = now(), paused_because = {every} WHERE name = 'default'",
    """
    UPDATE refused SET reasons = reasons || jsonb_build_array(jsonb_build_object('where', 'inputs[0].' || {one},
      'what', {one} || ' is no e-mail address', 'right', 'an address'))""",
    "UPDATE actions SET who = {one}, last_error = {one}, filter = filter || jsonb_build_object('event', {every})",
    """
    UPDATE jobs SET params = params || jsonb_build_object('because', {every}, 'change',
      jsonb_build_object('email', {one}))""",
    """
    UPDATE job_items SET done = false, result = result || jsonb_build_object('reasons', jsonb_build_array(
      jsonb_build_object('where', 'email', 'what', {one} || ' is wrong', 'right', {one}))) WHERE id % 2 = 0""",
    "UPDATE job_items SET change = jsonb_build_object('email', {one}) WHERE change IS NOT NULL",
    "UPDATE schedules SET filter = filter || jsonb_build_object('event', {every}, 'category', {one})",
    "UPDATE events SET external_event_id = {one} WHERE object_id IS NULL",
    "UPDATE notifications SET last_error = {one}",
)
"""What strangers and operators wrote, in every column that a page or an answer may show."""


@dataclass
class Walker:
    """Somebody with a key, a session where the key opens one, or nothing."""

    name: str
    visitor: Visitor
    key: str | None = None
    token: str = ""
    account: str | None = None

    def ask(self, method: str, path: str, **more: Unpack[Asking]) -> requests.Response:
        headers = {"Origin": self.visitor.url, **more.get("headers", {})}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        if self.account:
            headers["Turnout-Account"] = self.account
        more |= {"headers": headers, "allow_redirects": False}
        return self.visitor.http.request(method, self.visitor.url + path, timeout=30, **more)

    def first_event(self, path: str) -> tuple[requests.Response, str]:
        """Ask for a page as a stream, and read its first event."""
        answer = self.ask("GET", path, headers={"Accept": "text/event-stream"}, stream=True)
        lines: list[str] = []
        for line in answer.iter_lines(decode_unicode=True):
            lines.append(line)
            if not line and any(one.startswith(("data:", "event:")) for one in lines):
                break
        answer.close()
        return answer, "\n".join(lines)


def walkers(api: Api) -> dict[str, Walker]:
    """Give everybody: nobody, three producers, a viewer, an operator."""
    found = {"nobody": Walker("nobody", Visitor(api.url))}
    context = api.context
    for name, key, account in (
        ("shop", api.key, None),
        ("rival", key_for(context, "rival"), None),
        ("stranger", key_for(context, "stranger", Role.PRODUCER, "acme"), None),
        ("viewer", key_for(context, "vera", Role.VIEWER), "default"),
        ("operator", key_for(context, "olga", Role.OPERATOR), "default"),
    ):
        found[name] = walker = Walker(name, Visitor(api.url), key, account=account)
        if name in {"viewer", "operator"}:
            assert walker.visitor.sign_in(key).status_code == 200
            walker.token = walker.visitor.token("/jobs")
    return found


def fill(context: Context) -> None:
    """Put her everywhere, in every spelling: records, what was refused, jobs, actions, schedules."""
    engine, rules = context.engine, context.rules
    hers = [f"{index}{SPELT[0]}" for index in range(len(SPELT))]
    submit(engine, rules, message(*hers, event="77"), SUBMISSION, "shop")
    submit(engine, rules, message(SPELT[0], event="88"), RIVALS, "rival")
    settled(engine, taken(engine), rejected=range(0, len(hers), 3), unconfirmed=range(1, len(hers), 3))
    settled(engine, taken(engine), rejected=[0])
    by_id = {**message(event="99"), "inputs": [{"vid": 1000, "interactionDateTime": WHEN}]}
    submit(engine, rules, by_id, SUBMISSION, "shop")
    settled(engine, taken(engine), rejected=[0])
    submit(engine, rules, message(*hers, state="attend", event="77"), SUBMISSION, "shop")
    given_up(engine, taken(engine))
    external = {**message(*hers), "external_event_id": "webinar", "external_account_id": "acme"}
    external.pop("object_id")
    submit(engine, rules, external, SUBMISSION, "shop")
    for wrong in SPELT[3:]:
        submit(engine, rules, refusable(wrong), SUBMISSION, "shop")
    failed = [error.record_id for error in Ledger(engine).errors()]
    changes = ((0, record, Change(email=f"new.{SPELT[0]}")) for record in failed[:6])
    jobs.ask_to_mend(engine, ME, changes)
    jobs.ask_to_mend(
        engine,
        ME,
        ((line, record, Change(email=f"new.{SPELT[0]}")) for line, record in enumerate(failed[6:12], 2)),
        on_hold=[Reason("line 9, email", f"{one} is no address", "an address") for one in SPELT],
    )
    with engine.begin() as connection:
        jobs.ask(connection, ME, Action.DISMISS, Filter(event=SPELT[0]), params=JobParams(because=EVERY))
    with noted(engine, Actor("olga", Via.CONSOLE), "pause", account="default", because=EVERY):
        pass
    schedules.put(engine, ME, RetrySchedule("nightly", "0 3 * * *", Filter((Outcome.FAILED,), event=SPELT[0])))
    for index, update in enumerate(WRITTEN_BY_OTHERS):
        one = f"(CAST(:spelt AS text[]))[1 + ({key_of(update)} + {index}) % {len(SPELT)}]"
        do(
            engine,
            update.format(one=one, every="CAST(:every AS text)"),
            **needed(update, spelt=list(SPELT), every=EVERY),
        )


def key_of(update: str) -> str:
    """Give what tells the rows of a table apart as numbers, so that each has another spelling."""
    return "length(id)" if "error_groups" in update else "length(name)" if "schedules" in update else "id"


def needed(update: str, **facts: object) -> dict[str, object]:
    return {name: value for name, value in facts.items() if f"{{{'one' if name == 'spelt' else name}}}" in update}


def refusable(wrong: str) -> dict[str, object]:
    """Give a message whose inputs are refused: she stands in each place in which people put her."""
    inputs: list[dict[str, object]] = [
        {"email": wrong + " ", "interactionDateTime": 1, "contactProperties": {"phone": "79460999", "lastname": 7}},
        {"vid": wrong, "interactionDateTime": WHEN},
        {"email": "nobody", "interactionDateTime": wrong},
        {"email": "x@example.com", "interactionDateTime": WHEN, wrong: wrong},
        {"email": {"address": wrong}, "interactionDateTime": WHEN, "properties": {wrong: [wrong]}},
    ]
    return {"subscriber_state": "register", "object_id": "77", "inputs": inputs}


def submit(engine: Engine, rules: Rules, fields: dict[str, Any], submission: UUID, producer: str) -> None:
    with engine.connect() as connection:
        number = connection.execute(select(func.count()).select_from(Submission)).scalar_one()
        connection.rollback()
        named = {**fields, "submission_id": str(submission), "producer": producer}
        accept(connection, [Inbound(Door.STREAM, f"{number}-0", json.dumps(named).encode())], rules)


def tells(*shown: str) -> set[str]:
    """Quote what of her is in an answer, however it is written there; this knows nothing of how she is masked."""
    seen = set()
    for form in (form for each in shown for form in _forms(each)):
        places = (form.find(one) for one in TOLD)
        seen |= {form[max(0, place - 60) : place + 60] for place in places if place >= 0}
    return seen


def _forms(shown: str) -> Iterator[str]:
    form = shown
    for _ in range(4):
        before, form = form, unquote(unescape(form))
        form = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), form)
        if form == before:
            break
    plain = unicodedata.normalize("NFKC", form).lower()
    yield plain
    if not plain.isascii():
        unseen = [one for one in set(plain) if unicodedata.category(one) == "Cf"]
        yield plain.translate(str.maketrans("", "", "".join(unseen)))


def all_of(answer: requests.Response, body: str | None = None) -> tuple[str, ...]:
    """Give what an answer says: its body, and its headers."""
    return (answer.text if body is None else body, *(f"{name}: {value}" for name, value in answer.headers.items()))


def routes_of(routes: Iterable[BaseRoute]) -> Iterator[Route]:
    """Name every route; one of a kind that this does not know is an error."""
    for route in routes:
        yield from ((method, route.path) for method in route.methods)  # type: ignore[attr-defined]
