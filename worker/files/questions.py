"""What only the reader of a file can decide: asked before anything is sent, with the option that answers it."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from worker.files.lines import FileError

LEFT_OPEN: Final = {
    "EVENT": "the event's number",
    "ACCOUNT": "the account id",
    "BEGAN": "when it began",
    "ENDED": "when it ended",
    "DAY": "the day",
    "CITY": "the city",
}
"""What stands in an answer for what only people know."""


class Choice(NamedTuple):
    """An answer: the option to copy, what it means, and the facts behind that."""

    option: str
    means: str
    facts: dict[str, object] = {}  # noqa: RUF012 - nothing writes to it
    assumed: str = ""
    """Where only the reader knows what to write (`--object-id EVENT`): what stands for it while the rest is read."""

    def arguments(self, *, assumed: bool = False) -> list[str]:
        """Give the option as the command's arguments."""
        return shlex.split((self.assumed if assumed else "") or self.option)


def as_argument(text: str) -> str:
    """Write a value as it is typed behind an option."""
    return shlex.quote(text)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the file, and how it can be answered."""

    option: str
    where: str
    what: str
    choices: tuple[Choice, ...] = field(default=())
    comes_first: bool = False
    """Whether who and when the rows tell of depends on the answer, so that no later question makes sense before."""

    def __str__(self) -> str:
        """Read as a text, an answer a line."""
        width = max((len(choice.option) for choice in self.choices), default=0)
        lines = [f"  {choice.option:<{width}}  {choice.means}" for choice in self.choices]
        return "\n".join([f"{self.where} {self.what}", *lines])

    def fields(self) -> dict[str, object]:
        """Give it as a program reads it."""
        choices = [{"option": one.option, "means": one.means, **one.facts} for one in self.choices]
        return {"option": self.option, "question": f"{self.where} {self.what}", "choices": choices}


def first_answers(questions: Sequence[Question]) -> str:
    """Give the options of the first answer to each question, as they are typed."""
    return " ".join(question.choices[0].option for question in questions if question.choices)


def left_open(questions: Sequence[Question]) -> str:
    """Say what must be put into these first answers by who knows it: `EVENT`, `CITY`; nothing where all is said."""
    words = [
        part
        for question in questions
        for choice in question.choices[:1]
        if choice.assumed
        for part in choice.option.split()
        if part in LEFT_OPEN
    ]
    return ", ".join(f"{LEFT_OPEN[word]} for {word}" for word in dict.fromkeys(words))


class QuestionsError(FileError):
    """The file stops with one or more questions; nothing of it was sent."""

    def __init__(self, questions: list[Question]) -> None:
        first = questions[0]
        super().__init__(first.where, first.what, " or ".join(choice.option for choice in first.choices))
        self.questions = questions

    def answered(self) -> str:
        """Give the options of the first answer to each question, as they are typed."""
        return first_answers(self.questions)

    def __str__(self) -> str:
        """Read as a text: every question with its answers."""
        return "\n".join([*map(str, self.questions), "Run the same command again with the option that is right."])
