"""Everybody asks: whose key goes with each call of schemathesis, ids that there are, and what may come back.

It runs this file in its own process (`hooks` in its configuration); `ROLES` names a file with the keys and the ids.
"""

import json
import os
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import schemathesis

from tests.support.routes import tells

FACTS: dict[str, Any] = json.loads(Path(os.environ["ROLES"]).read_text())
KEYS: dict[str, list[str | None]] = FACTS["keys"]
"""By name: a key (none: none is sent), and the account that is named (none: none is)."""
SUBMISSIONS: dict[str, str] = FACTS["submissions"]
"""By whose it is, and one that nobody has."""
SEES = {"viewer": ["shop", "rival"], "operator": ["shop", "rival"], "shop": ["shop"], "rival": ["rival"]}
"""Whose submissions are shown to whom."""
STRANGERS = {"nobody", "revoked"}

_turns: dict[str, Iterator[str]] = {}
"""By operation: who asks next."""
_wanted = {name: cycle(SUBMISSIONS) for name in KEYS}
"""By name: whose submission is asked for next."""
_plain = {name: cycle((True, True, False, False)) for name in KEYS}
"""By name: whether it is asked for without what was made up for the query, which may be answered 400."""


@schemathesis.hook
def before_call(_: Any, case: Any, **__: Any) -> None:
    """Let the next one ask; for a submission that there is, whoever's it is."""
    name = next(_turns.setdefault(case.operation.label, cycle(KEYS)))
    key, account = KEYS[name]
    case.headers = {
        header: value
        for header, value in (case.headers or {}).items()
        if header.lower() not in {"authorization", "turnout-account"}
    }
    case.headers["X-Asked-By"] = name
    if key:
        case.headers["Authorization"] = f"Bearer {key}"
    if account:
        case.headers["Turnout-Account"] = account
    if case.operation.path == "/submissions/{submission}":
        case.headers["X-Asked-For"] = whose = next(_wanted[name])
        case.path_parameters = {"submission": SUBMISSIONS[whose]}
        if next(_plain[name]):
            case.query = {}


@schemathesis.check
class ByRole:
    """Each is answered what is theirs, and only they see whom it is about."""

    def __init__(self) -> None:
        self.operations: set[tuple[str, str]] = set()
        self.shown: set[tuple[str, str]] = set()
        """Who was shown whose submission."""

    def after_response(self, _: Any, response: Any, case: Any) -> None:
        sent, status = response.request.headers, response.status_code
        name, whose, asked = sent["X-Asked-By"], sent.get("X-Asked-For"), case.operation.label
        self.operations.add((name, asked))
        no_version = {404} if "{version}" in asked else set()  # none is looked for behind a version that is not known
        if name in STRANGERS:
            assert status in no_version | {401}, f"{name}: {asked}: {status}"
        elif whose:
            wanted = {200, 400} if whose in SEES.get(name, ()) else {404, 400}
            assert status in wanted, f"{name} asks for the submission of {whose}: {status}"
            self.shown |= {(name, whose)} if status == 200 else set()
        elif name in {"viewer", "operator"} and asked.startswith("POST"):
            assert status in no_version | {403}, f"{name}: {asked}: {status}"
        if name not in {"shop", "rival", "operator"}:
            told = tells(response.content.decode(errors="replace"), *map(str, response.headers.items()))
            assert not told, f"{name}: {asked} tells {told}"

    def after_run(self, _: Any) -> None:
        unseen = {(name, whose) for name, seen in SEES.items() for whose in seen} - self.shown
        assert not unseen, f"were not shown what they may see: {sorted(unseen)}"
        lacking = {(name, asked) for name in KEYS for _, asked in self.operations} - self.operations
        assert not lacking, f"did not ask: {sorted(lacking)}"
