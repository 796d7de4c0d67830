"""The types of what the fixtures of `conftest.py` give."""

from collections.abc import Callable

from typer.testing import Result

from worker.intake.receipts import Part

Submit = Callable[..., list[Part]]
"""Accepts messages in one transaction, and gives what became of each."""
Turnout = Callable[..., Result]
"""Runs a command."""
