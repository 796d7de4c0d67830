"""The API against its own OpenAPI: schemathesis asks it everything the document allows, and much that it forbids."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from models.words import Role
from tests.support.api import Api, key_for, running_api
from tests.support.contexts import open_context
from tests.support.ledger import do
from tests.support.routes import RIVALS, SUBMISSION, fill, walkers
from tests.support.sandbox_server import running_sandbox
from worker.accounts import registry
from worker.auth import keys
from worker.settings import Settings

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
HERE = Path(__file__).parent
RULES = HERE / "schemathesis.toml"


@pytest.fixture
def api(settings: Settings) -> Iterator[Api]:
    with running_sandbox(burst_limit=100_000, daily_limit=10_000_000) as sandbox:
        generous = {"hubspot_url": sandbox.url, "burst_limit": 100_000, "daily_limit": 10_000_000}
        with open_context(settings, **generous) as context, running_api(context) as running:
            of_acme = {"hubspot_url": sandbox.url, "burst_limit": 100_000, "daily_limit": 10_000_000}
            assert registry.add(context.engine, settings, "acme", of_acme, SecretStr("token-of-acme"))
            yield running


def asked(rules: Path, home: Path, url: str, *options: str, **env: str) -> int:
    """Run schemathesis as a command (its plugin reaches into what the present pytest no longer has); give its cases."""
    command = [
        str(SCHEMATHESIS),
        "--config-file",
        str(rules),
        "run",
        f"{url}/openapi.json",
        *options,
        "--seed",
        "1",
        "--no-color",
    ]
    here = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(command, cwd=home, env=here | env, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    found = re.search(r"(\d+) generated, \1 passed", done.stdout)
    assert found, done.stdout[-2_000:]
    return int(found[1])


@pytest.mark.parametrize(
    "phases",
    ["examples,coverage", pytest.param("examples,coverage,fuzzing,stateful", marks=pytest.mark.long)],
    ids=["few", "many"],
)
def test_the_door_is_as_its_openapi_says(api: Api, tmp_path: Path, phases: str) -> None:
    signed = ("--header", f"Authorization: Bearer {api.key}")
    assert asked(RULES, tmp_path, api.url, *signed, "--phases", phases, "--max-examples", "100") > 400


@pytest.mark.parametrize("examples", [10, pytest.param(200, marks=pytest.mark.long)], ids=["few", "many"])
def test_everybody_is_answered_as_the_document_says_for_ids_that_there_are(
    api: Api, tmp_path: Path, examples: int
) -> None:
    fill(api.context)
    do(api.context.engine, "UPDATE accounts SET paused_at = NULL, paused_because = ''")
    people = {name: [walker.key, walker.account] for name, walker in walkers(api).items()}
    people["several"] = [key_for(api.context, "several", Role.PRODUCER, "acme", "default"), "acme"]
    people["revoked"] = [key_for(api.context, "revoked"), None]
    keys.revoke(api.context.engine, "revoked")
    facts = {
        "keys": people,
        "submissions": {"shop": str(SUBMISSION), "rival": str(RIVALS), "nobody": str(uuid4())},
    }
    (tmp_path / "roles.json").write_text(json.dumps(facts))
    rules = tmp_path / "schemathesis.toml"
    rules.write_text(f"""
hooks = '{HERE / "support" / "schemathesis_roles.py"}'
generation.max-examples = {examples}
[[operations]]
include-path = "/submissions/{{submission}}"
generation.max-examples = {examples * 6}
""")
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ByRole"
    wanted = ("--phases", "examples,fuzzing", "--checks", checks)
    assert asked(rules, tmp_path, api.url, *wanted, ROLES=str(tmp_path / "roles.json")) >= 19 * len(people)
