"""What a file asks, on a terminal: one question at a time, the proposal as the default."""

import os
import shlex
import string
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from cli.output import complain, prompt, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.files.options import Options
    from worker.files.questions import Choice, Question

_LOCALTIME: Final = Path("/etc/localtime")


def can_ask(file: str) -> bool:
    """Say whether somebody is there to answer."""
    return file != "-" and sys.stdin.isatty() and sys.stdout.isatty()


def home_zone() -> str:
    """Give the zone of this computer, by its place; nothing where it is UTC, as a server's is."""
    named = os.environ.get("TZ", "").lstrip(":")
    if not named and _LOCALTIME.is_symlink():
        named = str(_LOCALTIME.resolve()).partition("zoneinfo/")[2]
    return named if "/" in named and not named.startswith(("/", "Etc/")) else ""


class SomebodyLeft(Exception):  # noqa: N818 - it is no error
    """Somebody left in the middle of the questions, by Ctrl-C or Ctrl-D; `options` have the answers until then."""

    def __init__(self, options: "Options", left: "Sequence[Question]") -> None:
        super().__init__()
        self.options = options
        self.left = left


def answered(options: "Options", questions: "Sequence[Question]") -> "Options":
    """Ask, and give the options with the answers; what follows from another answer than the first is asked anew.

    Raises:
        SomebodyLeft: where somebody leaves in the middle.

    """
    for number, question in enumerate(questions):
        try:
            is_first, options = _asked(options, question)
        except (typer.Abort, KeyboardInterrupt):
            raise SomebodyLeft(options, questions[number:]) from None
        if not is_first:
            break
    return options


def _asked(options: "Options", question: "Question") -> "tuple[bool, Options]":
    """Ask until the answer can be used; say whether it is the first of the proposals as it stands."""
    from worker.files.lines import FileError

    say("")
    say(f"{question.where} {question.what}", "bold")
    choices = dict(zip(string.ascii_lowercase, question.choices, strict=False))
    only = choices["a"] if len(choices) == 1 and choices["a"].assumed else None
    for letter, one in choices.items():
        typed = one.means.replace(f"{question.option} ", "")
        say(f"  {typed}" if only else f"  {letter}  {typed}   {one.option}")
    while True:
        text = "a" if only else prompt("Which? Type a letter, or the answer itself", default="a").strip()
        chosen = choices.get(text.strip("().").lower())
        try:
            return chosen is question.choices[0], options.answered(_arguments(question, chosen, text))
        except FileError as error:
            complain(str(error))


def _arguments(question: "Question", chosen: "Choice | None", text: str) -> list[str]:
    """Give an answer as arguments; what a proposal leaves open is asked for.

    Raises:
        FileError: where it is an option that cannot be taken apart.

    """
    from worker.files.lines import FileError

    if chosen is not None:
        parts = chosen.arguments()
        return [_filled(before, part) for before, part in pairwise(["", *parts])] if chosen.assumed else parts
    if not text.startswith("--"):
        return [question.option, text]
    try:
        return shlex.split(text)
    except ValueError as error:
        raise FileError(question.option, f"{text} cannot be read ({error})", "a letter, or the answer itself") from None


def _filled(option: str, part: str) -> str:
    """Give a part of a proposal; what only people know is asked for, and taken with its option in front as well."""
    from worker.files.questions import LEFT_OPEN

    if part not in LEFT_OPEN:
        return part
    return prompt(f"  {LEFT_OPEN[part].capitalize()}").strip().removeprefix(option).lstrip("= ")
