"""The reference: each example is run as it is shown, and each error is provoked."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from door import Door, delivering, running_door
from ledger import ask
from sandbox_server import running_sandbox

from web.reference.answers import SUBMISSION
from web.reference.calls import EXAMPLES, HOST, SDK_CLIENT, Example
from worker.context import Context
from worker.settings import Settings

BASH, CURL = shutil.which("bash"), shutil.which("curl")


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    """An API whose records go to the test server, which rejects contact 103."""
    with running_sandbox(burst_limit=1_000) as sandbox:
        sandbox.fault(match="103", status=400)
        process = Context(settings.model_copy(update={"hubspot_url": sandbox.url, "burst_limit": 1_000}))
        with running_door(process) as running, delivering(process):
            yield running
        process.engine.dispose()
        process.redis.close()


def run(door: Door, *command: str | Path, shown: str) -> str:
    """Run an example as it is shown; only the id of the submission is the one that the example before it got."""
    submissions = ask(door.process.engine, "SELECT submission FROM submissions WHERE refused = 1")
    text = shown.replace(SUBMISSION, str(submissions[0].submission)) if submissions else shown
    env = {"PATH": os.environ["PATH"], "TURNOUT_URL": door.url, "TURNOUT_KEY": door.key}
    done = subprocess.run([*command, text], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{shown}\n{done.stderr}"
    return done.stdout


def test_dump(door: Door) -> None:
    for example in EXAMPLES:
        print("#", example.title)
        print(run(door, BASH or "bash", "-c", shown=example.curl))
