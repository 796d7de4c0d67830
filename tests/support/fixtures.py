"""The types of what the fixtures of `conftest.py` give."""

from collections.abc import Callable

from typer.testing import Result

from worker.intake.receipts import Part

Submit = Callable[..., list[Part]]
"""Accepts messages in one transaction, and gives what became of each."""
Given = Callable[..., None]
"""Submits records of these contacts."""
Fail = Callable[..., list[int]]
"""Submits records of these contacts, which HubSpot does not take; gives their ids."""
Turnout = Callable[..., Result]
"""Runs a command."""
