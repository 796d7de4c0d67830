"""What a viewer is shown: everything but whom it is about. The one place that masks, for pages and for JSON.

What an answer is made of goes through `for_viewer` before anything is written of it. A field that holds a contact is
masked by what the field means, so a malformed address is masked too; in what others wrote (HubSpot's messages, reasons,
answers) addresses are found by their look in whatever spelling, and so are the contacts that the same answer names.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import asdict, fields, is_dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson

from models import words
from models.input_check import Reason, comparable
from models.spelling import tells, unfolded
from worker.queries.submissions import SubmissionRecord

Facts = TypeVar("Facts")

HIDDEN: Final = "…"
NOT_SHOWN: Final = "the value is not valid, and only operators see it"
"""In the place of what a reason says of a value, which may be nearly an address."""
EXAMPLE: Final = "ada@example.com"
"""The sample address of our own advice: it is nobody's."""

_CONTACTS: Final = frozenset({"contact", "sample_contact", "contacts", "email", "emails"})
"""Fields that hold a contact, or several, however it is written."""
_INPUTS: Final = frozenset({"input", "change", "properties", "contactProperties"})
"""Fields that hold what a producer or an operator wrote of a person."""
_RAW: Final = frozenset({"raw", "text", "original"})
"""Fields that hold a whole message as it came."""
_PLAIN: Final = frozenset({"vid", "interactionDateTime", "joinedAt", "leftAt", "when", "event", "object_id"})
"""What may be seen of it: it says when and where, and nothing of whom but HubSpot's number."""
_OF_A_MESSAGE: Final = frozenset(
    {"message", "account", "subscriber_state", "inputs", "part", "producer", "submission_id"}
    | {"object_id", "external_event_id", "external_account_id"}
)
"""Where a reason tells of a message's own fields, none of which is of a person."""
_OWN_WORDS: Final = re.compile(r"(?:is|holds|names|has|HubSpot|joinedAt and) ")
"""How a reason begins that quotes no value."""
_WHERE: Final = re.compile(
    r"(inputs\[\d+\](?:\.(?:email|vid|interactionDateTime|contactProperties|properties(?:\.(?:joinedAt|leftAt))?)"
    r"(?![^.]))?)(.*)",
    re.DOTALL,
)
"""Where a reason tells of an input: a field that there is, and behind it what somebody named himself."""
_QUOTED: Final = re.compile('text: ".*', re.DOTALL)
"""How a reason says that a value should have been text."""

_LONG_ENOUGH: Final = 3
"""Characters, from which on the first and the last give nobody away."""
_TOKEN: Final = re.compile(r"[^\W_]+")
_ADDRESS: Final = re.compile(
    r"""(?P<before>[`'*_{}=|]*)
    (?P<local>"[^"\n]{1,200}"|[^\s<>"(),:;\[\]/?&@]{0,64}(?:[(\[{<"'][^\s@]{0,64})?[)\]}>"',:;](?=@)
      |(?<=//)[^\s/@]{1,200}|[^\s<>"(),:;\[\]/?&@][^\s<>"():;\[\]/?&@]{0,199})
    (?P<rest>(?:@+(?:\([^)\s]{0,64}\))?(?:\[[^\]\s]{1,100}\]|(?:\w|[.…-]){0,255}))+)""",
    re.VERBOSE,
)
_MAILBOX: Final = re.compile(
    r"""(?:"(?P<quoted>[^"<>\n]{1,100})"|(?<![\w.'’-])(?P<words>[\w.'’-]{1,60}(?:[ ,]{1,2}[\w.'’-]{1,60}){0,4}))
    (?P<behind>[ ]{0,3}<(?=[^<>\s]{0,300}@))""",
    re.VERBOSE,
)
"""A name before its address, as mail programs write it: `Ada Lovelace <ada@example.com>`."""
_NAME: Final = re.compile(r"[^ ,]+")
_GUEST: Final = re.compile(r"[^\s<>\"(),:;\[\]/?&@#…]{1,200}(?=#EXT#(?!@))", re.IGNORECASE)
"""A guest's sign-in name at Microsoft, which spells his address: `ada_example.com#EXT#`."""
_WELL_FORMED: Final = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")
_ERASED: Final = re.compile(r"erased(?: [0-9]+)?")


def for_viewer(facts: Facts) -> Facts:
    """Mask whom an answer is about, in everything that it is made of.

    Raises:
        TypeError: where it holds what this module does not know, and so cannot mask.

    """
    masked_: Facts = _Mask(_contacts_of(facts)).of(facts)
    return masked_


def for_producer(records: Sequence[SubmissionRecord]) -> list[SubmissionRecord]:
    """Mask whom else the errors of a producer's records name: one batch holds the records of several producers."""
    mask = _Mask((), frozenset(record.contact for record in records))
    return [
        record
        if record.message is None
        else replace(record, message=mask.text(record.message), context=mask.of(record.context))
        for record in records
    ]


def masked(text: str) -> str:
    """Mask every e-mail address in a text, in whatever spelling; rather too much."""
    return _Mask(()).text(text)


class _Mask:
    """Masks one answer, which names these contacts; whoever is the asker's own is shown."""

    def __init__(self, contacts: Iterable[str], own: AbstractSet[str] = frozenset()) -> None:
        self._own = own
        self._known: dict[str, list[tuple[str, ...]]] = {}
        for contact in contacts:
            for name in {contact, *_telling_half(contact)}:
                if tokens := tuple(token for token, _, _ in _tokens(unfolded(name))):
                    self._known.setdefault(tokens[0], []).append(tokens)

    def of(self, value: Any, name: str = "") -> Any:  # noqa: ANN401 - whatever answers are made of
        """Mask a value by the name of its field, by its kind and by its look."""
        if value is None or isinstance(value, bool | int | float | Decimal | UUID | date | time | timedelta | Enum):
            return value
        if name in _RAW or isinstance(value, bytes | memoryview):
            return b"" if isinstance(value, bytes | memoryview) else HIDDEN
        if name in _CONTACTS and not isinstance(value, Mapping):
            return [self._contact(one) for one in value] if isinstance(value, list | tuple) else self._contact(value)
        if name in _INPUTS and isinstance(value, str):
            return HIDDEN
        if name == "difference":
            return [(field, *(self._written(one, field) for one in rest)) for field, *rest in value]
        return self._each(value, name)

    def _each(self, value: Any, name: str) -> Any:  # noqa: ANN401, PLR0911 - one return per kind
        match value:
            case str():
                return self.text(value) if name != "right" else EXAMPLE.join(map(self.text, value.split(EXAMPLE)))
            case Mapping() if name == "message":  # of a refused message that could be read
                return HIDDEN
            case Mapping() if name in _INPUTS:
                return {self.text(key): self._written(each, key) for key, each in value.items()}
            case Mapping() if {"where", "what", "right"} <= value.keys():
                return {key: self.of(each, key) for key, each in self._reason(value).items()}
            case Reason():
                return Reason(**self.of(asdict(value)))
            case Mapping():
                return {self._key(key): self.of(each, str(key)) for key, each in value.items()}
            case tuple() if hasattr(value, "_fields"):
                return type(value)(*(self.of(each, field) for field, each in zip(value._fields, value, strict=True)))
            case list() | tuple() | set() | frozenset():
                return type(value)(self.of(each, name) for each in value)
            case _ if is_dataclass(value) and not isinstance(value, type):
                mask = self._written if name in _INPUTS else self.of
                return replace(value, **{one.name: mask(getattr(value, one.name), one.name) for one in fields(value)})
        raise TypeError(f"{name or 'an answer'} is a {type(value).__name__}, which is not known how to mask")

    def text(self, text: str) -> str:
        """Mask what a text says of anybody; one in which an address was hidden by its spelling is shown plain."""
        if text in _our_words():
            return text
        plain = unfolded(text)
        found = self._found(plain)
        return found if plain == text or found != plain else self._found(text)

    def _found(self, text: str) -> str:
        said = _GUEST.sub(HIDDEN, text) if "#" in text else text
        if "@" in said:
            said = _ADDRESS.sub(self._short_address, _MAILBOX.sub(_without_name, said))
        if not self._known:
            return said
        tokens = _tokens(said)
        written, end = [], 0
        for index, (token, begins, _) in enumerate(tokens):
            if begins < end:
                continue
            for known in self._known.get(token, ()):
                here = tokens[index : index + len(known)]
                if tuple(one for one, _, _ in here) == known:
                    written += [said[end:begins], HIDDEN]
                    end = here[-1][2]
                    break
        return "".join(written) + said[end:]

    def _key(self, key: object) -> object:
        return self.text(key) if isinstance(key, str) and not isinstance(key, Enum) else key

    def _contact(self, value: object) -> object:
        """Mask a contact; what is no well-formed address is hidden, whatever it is."""
        if not isinstance(value, str):
            return value if isinstance(value, int) else HIDDEN
        if value.isdecimal() or _ERASED.fullmatch(value) or comparable(value) in self._own:
            return value
        return self.text(value) if _WELL_FORMED.fullmatch(value) else HIDDEN

    def _short_address(self, found: re.Match[str]) -> str:
        if comparable(found["local"] + found["rest"]) in self._own:
            return found[0]
        name, dot, top = found["rest"].rpartition("@")[2].rstrip(".").rpartition(".")
        shown = f"{_short(name)}{dot}{top}" if dot else _short(top)
        return f"{found['before']}{_short(found['local'])}@{shown}"

    def _written(self, value: object, name: str) -> object:
        """Mask what somebody wrote of a person: all but what is not theirs."""
        if name in _CONTACTS:
            return self._contact(value)
        if name in _PLAIN:
            return self.of(value)
        if isinstance(value, Mapping):
            return {self.text(key): self._written(each, key) for key, each in value.items()}
        return HIDDEN if value else value

    @staticmethod
    def _reason(reason: Mapping[str, Any]) -> Mapping[str, Any]:
        """Leave of a reason what we say ourselves: what it quotes may be nearly an address, and cut short."""
        where, what, right = (str(reason[name]) for name in ("where", "what", "right"))
        is_ours = where in _OF_A_MESSAGE or _OWN_WORDS.match(what)
        return {
            **reason,
            "where": _WHERE.sub(lambda found: found[1] + (HIDDEN if found[2] else ""), where),
            "what": what if is_ours else NOT_SHOWN,
            "right": _QUOTED.sub(f'text: "{HIDDEN}"', right),
        }


def _short(word: str) -> str:
    return f"{word[0]}…{word[-1]}" if len(word) >= _LONG_ENOUGH else HIDDEN


def _without_name(found: re.Match[str]) -> str:
    """Hide the name before an address: what is quoted, or the last words that have a capital."""
    if found["quoted"]:
        return HIDDEN + found["behind"]
    begins = len(found["words"])
    for word in reversed(list(_NAME.finditer(found["words"]))):
        if not word[0][0].isupper():
            break
        begins = word.start()
    return found["words"][:begins] + (HIDDEN if begins < len(found["words"]) else "") + found["behind"]


def _telling_half(contact: str) -> list[str]:
    """Give the half before the @, where it alone says who it is: `ada.lovelace`, but not `info`."""
    local = contact.partition("@")[0] if "@" in contact else ""
    return [local] if tells(local) else []


def _tokens(text: str) -> list[tuple[str, int, int]]:
    """Give the words and numbers of a text, as they are compared, and where each stands."""
    found = ((one[0].lower(), one.start(), one.end()) for one in _TOKEN.finditer(text))
    return [one for one in found if one[0] not in {"at", "dot"}]


def _contacts_of(value: Any, name: str = "") -> Iterator[str]:  # noqa: ANN401 - whatever answers are made of
    """Find the contacts that an answer names, in fields that hold one and in messages as they came."""
    match value:
        case str():
            if name in _CONTACTS and len(value) >= _LONG_ENOUGH and not value.isdecimal():
                yield value
        case bytes() if name in _RAW:
            yield from _contacts_of(_loaded(value))
        case Mapping():
            for key, each in value.items():
                yield from _contacts_of(each, str(key))
        case Sequence() | AbstractSet():
            for each in value:
                yield from _contacts_of(each, name)
        case _ if is_dataclass(value) and not isinstance(value, type):
            for one in fields(value):
                yield from _contacts_of(getattr(value, one.name), one.name)


def _loaded(raw: bytes) -> object:
    try:
        return orjson.loads(raw)
    except ValueError:
        return None


@cache
def _our_words() -> frozenset[str]:
    """Give the words of the closed lists: a contact named `register` must not make the state's name unreadable."""
    lists = [each for each in vars(words).values() if isinstance(each, type) and issubclass(each, Enum)]
    return frozenset(str(word.value) for each in lists for word in each)
