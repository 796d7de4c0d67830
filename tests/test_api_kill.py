"""The web process killed in the middle of a thousand requests: whatever was answered is there, and nothing twice."""

import random
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.support import warm
from tests.support.api import BY_EMAIL, WHEN, key_for
from tests.support.ledger import Ledger
from tests.support.worker_processes import environment, until
from worker.context import Context
from worker.local.services import free_port
from worker.queries.reconciliation import audit
from worker.settings import Settings

pytestmark = pytest.mark.long

REQUESTS = 1_000
CLIENTS = 16
KILLS = 5


class Served:
    """A `turnout serve` that is killed and started again on the same port."""

    def __init__(self, settings: Settings, home: Path) -> None:
        self._env, self._home = environment(settings), home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "cli", "serve", "--port", str(self.port)]
        self.process = warm.start(command, self._home, self._env, self._home / "web.log")
        until(self._answers, 30, (self._home / "web.log").read_text)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/openapi.json", timeout=5).ok
        except requests.ConnectionError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def served(settings: Settings, tmp_path: Path) -> Iterator[Served]:
    running = Served(settings, tmp_path)
    yield running
    running.kill()


def submit(served: Served, key: str, number: int, session: requests.Session) -> bool:
    """Hand one person in, under the request's own key; say whether it was answered 200."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"request {number}"}
    inputs = [{"email": f"p{number}@example.com", "interactionDateTime": WHEN, "properties": {}}]
    try:
        answer = session.post(served.url + BY_EMAIL, json={"inputs": inputs}, headers=headers, timeout=20)
    except requests.RequestException:
        return False
    assert answer.status_code in {200, 503}, answer.text
    return answer.status_code == 200


def test_killed_in_the_middle_of_a_thousand_requests_it_keeps_what_it_answered(
    served: Served, context: Context
) -> None:
    key = key_for(context, "shop")
    answered: set[int] = set()
    left = list(range(REQUESTS))
    lock = threading.Lock()
    over = threading.Event()

    def client() -> None:
        with requests.Session() as session:
            while True:
                with lock:
                    if not left:
                        return
                    number = left.pop()
                if submit(served, key, number, session):
                    answered.add(number)
                else:
                    time.sleep(0.05)
                    with lock:
                        left.insert(random.randrange(len(left) + 1), number)

    def killer() -> None:
        for share in range(1, KILLS + 1):
            until(lambda share=share: len(answered) >= REQUESTS * share // (KILLS + 1), 90, "too slow to kill")  # type: ignore[misc]
            kept_before = set(answered)
            served.kill()
            missing = kept_before - stored(context)
            assert not missing, f"answered 200 and not stored: {missing}"
            served.start()
        over.set()

    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        killing = pool.submit(killer)
        clients = [pool.submit(client) for _ in range(CLIENTS)]
        for one in (killing, *clients):
            one.result()
    assert over.is_set()
    assert stored(context) == answered == set(range(REQUESTS))
    with requests.Session() as session:
        assert all(submit(served, key, number, session) for number in range(0, REQUESTS, 10))
    books = audit(context.engine)
    assert books.balanced, books.wrong
    assert (books.accepted, books.duplicates, books.refused) == (REQUESTS, 0, 0)


def stored(context: Context) -> set[int]:
    return {int(record.contact[1:].partition("@")[0]) for record in Ledger(context.engine).records()}
