"""What happens right before a function of ours does its work, for tests in which something comes in between."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Gives = TypeVar("Gives")


def before(does: Callable[[], object], real: Callable[Given, Gives]) -> Callable[Given, Gives]:
    """Give a function that first does something, and then what the real one does."""

    def first(*args: Given.args, **more: Given.kwargs) -> Gives:
        does()
        return real(*args, **more)

    return first
