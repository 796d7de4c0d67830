"""The types of what the fixtures of `conftest.py` give."""

from typing import Any, Protocol

from typer.testing import Result

from worker.intake.receipts import Part


class Submit(Protocol):
    """Accepts messages in one transaction, and gives what became of each."""

    def __call__(self, *messages: object, batch_size: int | None = None) -> list[Part]: ...


class Given(Protocol):
    """Submits records of these contacts; `more` are further fields of each."""

    def __call__(self, *contacts: str, state: str = "register", event: str = "7", **more: object) -> None: ...


class Fail(Protocol):
    """Submits records of these contacts, which HubSpot does not take; gives their ids."""

    def __call__(self, *contacts: str, event: str = "77", state: str = "register") -> list[int]: ...


class Turnout(Protocol):
    """Runs a command, which ends with this exit status."""

    def __call__(self, *words: str, stdin: str | None = None, status: int = 0) -> Result: ...


class Facts(Protocol):
    """Gives what a command prints with `--json`."""

    def __call__(self, *words: str) -> Any: ...
