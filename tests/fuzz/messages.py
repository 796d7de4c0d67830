"""Messages of producers: read or refused with a reason, written again as they were, and nobody left once erased."""

import contextlib
import json

from models.erasure import Person
from models.input_check import Candidate, unsafe_character
from models.message import Message, Unreadable, loads, read_message
from models.words import Identity
from web.masking import for_viewer

WHO = Person(Identity.EMAIL, "ada@example.com")


def judge(data: bytes) -> None:
    """Read a message, judge its inputs, and take a person out of it."""
    found = read_message(data)
    match found:
        case Unreadable(reasons):
            assert reasons
        case Message():
            for index, judged in enumerate(found.judged()):
                assert isinstance(judged, Candidate) or judged, "a refusal has a reason"
                if isinstance(judged, Candidate):
                    assert not unsafe_character(judged.contact)
                    assert not unsafe_character(json.dumps(judged.input, ensure_ascii=False))
                    assert isinstance(read_message(found.alone(index)), Message)
            assert isinstance(read_message(found.whole()), Message | Unreadable)
    with contextlib.suppress(ValueError, RecursionError):
        for_viewer({"message": loads(data), "input": loads(data), "reasons": found})
    left = WHO.left_of(data)
    assert not WHO.is_in(left.decode(errors="replace"))
    assert WHO.left_of(left) == left
