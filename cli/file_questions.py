"""What a file asks, on a terminal: one question at a time, the proposal as the default."""

import os
import string
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

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


def answered(options: "Options", questions: "Sequence[Question]") -> "Options":
    """Ask, and give the options with the answers; what follows from another answer than the first is asked anew."""
    for question in questions:
        choice, options = _asked(options, question)
        if choice is None or choice is not question.choices[0]:
            break
    return options


def _asked(options: "Options", question: "Question") -> "tuple[Choice | None, Options]":
    from worker.files.lines import FileError

    say("")
    say(f"{question.where} {question.what}", "bold")
    letters = string.ascii_lowercase[: len(question.choices)]
    for letter, one in zip(letters, question.choices, strict=False):
        say(f"  {letter}  {one.means}   {one.option}")
    while True:
        text = prompt("Which? (a letter, or what to write behind the option)", default=letters[:1]).strip()
        chosen = question.choices[letters.index(text)] if len(text) == 1 and text in letters else None
        try:
            return chosen, options.answered(_arguments(question, chosen, text))
        except FileError as error:
            complain(str(error))


def _arguments(question: "Question", chosen: "Choice | None", text: str) -> list[str]:
    """Give an answer as arguments; what a proposal leaves open is asked for."""
    if chosen is None:
        return [question.option, text]
    if not chosen.assumed:
        return chosen.arguments()
    return [prompt(f"  {part}").strip() if part.isupper() and part.isalpha() else part for part in chosen.arguments()]
