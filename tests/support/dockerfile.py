"""The Dockerfile, read: its stages, and its instructions with their arguments."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Instruction:
    """One instruction: `RUN`, its text, and its words as a shell would split them."""

    word: str
    text: str

    @property
    def words(self) -> list[str]:
        return json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)


def read(text: str) -> tuple[list[Instruction], list[list[Instruction]]]:
    """Give what stands before the first stage, and each stage's instructions, its FROM first."""
    joined = re.sub(r"\\\n\s*", "", "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")))
    found = [Instruction(*line.split(" ", 1)) for line in joined.splitlines() if line.strip()]
    begins = [at for at, one in enumerate(found) if one.word == "FROM"]
    ends = [*begins[1:], len(found)]
    return found[: begins[0]], [found[begin:end] for begin, end in zip(begins, ends, strict=True)]


BEFORE, (BUILD, RUNTIME) = read((ROOT / "Dockerfile").read_text())


def of(stage: list[Instruction], word: str) -> list[Instruction]:
    return [one for one in stage if one.word == word]


def pairs(stage: list[Instruction], word: str) -> dict[str, str]:
    """Give the values that instructions such as ENV and LABEL set."""
    return dict(pair.split("=", 1) for one in of(stage, word) for pair in one.words)
