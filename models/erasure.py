"""A person, as named to be erased: where a text or a JSON value mentions them, and the same without them.

A mention is the whole address in any case and Unicode form, percent-encoded too, and not a part of a longer one; or the
whole contact id. What is taken out is replaced by the word «erased».
"""

import json
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Self
from urllib.parse import quote

from models.input_check import INT64_MAX, comparable
from models.message import loads
from models.words import Identity

ERASED: Final = "erased"
_OF_CONTACTS: Final = re.compile("vid|contact|^ids?$|^difference$", re.IGNORECASE)
"""What is nothing but a number is a contact id only under such a name; a correction's difference may name one."""
_ESCAPABLE: Final = re.compile(r"""[^\x21-\x7e]|["\\/<>&'+]""")
"""What may be written another way inside JSON."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What erasing changed: rows by table; and by which other names HubSpot's answers know the same person."""

    rows: Counter[str] = field(default_factory=Counter)
    also_named: set[str] = field(default_factory=set)

    def __add__(self, other: Self) -> "Changes":
        return Changes(self.rows + other.rows, self.also_named | other.also_named)

    def __bool__(self) -> bool:
        return bool(self.rows.total())


@dataclass(frozen=True)
class Person:
    """Somebody by e-mail address or by contact id; `contact` is as records keep it."""

    identity: Identity
    contact: str

    @classmethod
    def named(cls, text: str) -> "Person | None":
        """Read an e-mail address or a contact id; none where it is neither."""
        contact = comparable(text)
        if re.fullmatch("[0-9]{1,19}", contact) and 0 < int(contact) <= INT64_MAX:
            return cls(Identity.VID, str(int(contact)))
        return cls(Identity.EMAIL, contact) if re.fullmatch(r"[^@\s]+@[^@\s]+", contact) else None

    @property
    def vid(self) -> int | None:
        """Give the contact id, where that is how they are named."""
        return int(self.contact) if self.identity is Identity.VID else None

    @cached_property
    def needles(self) -> list[str]:
        """Give ASCII texts one of which whatever mentions the person holds, in lower case: for a first look in SQL."""
        return sorted({max(_ESCAPABLE.split(form), key=len) for form in self._forms})

    @cached_property
    def _forms(self) -> list[str]:
        return sorted({self.contact, quote(self.contact, safe="+").lower(), quote(self.contact, safe="").lower()})

    @cached_property
    def _mention(self) -> re.Pattern[str]:
        forms = "|".join(re.escape(form) for form in self._forms)
        return re.compile(rf"(?:(?<![\w.+-])|(?<=\\[nrtbf]))(?:{forms})(?![\w-]|\.\w)", re.IGNORECASE)

    def is_in(self, value: object, name: str = "") -> bool:
        """Say whether a text or JSON value mentions the person."""
        match value:
            case bool() | None:
                return False
            case str() | int() if name and str(value) == self.contact and self.vid is not None:
                return _OF_CONTACTS.search(name) is not None
            case str():
                return self._mention.search(unicodedata.normalize("NFC", value)) is not None
            case dict():
                return any(self.is_in(key) or self.is_in(each, key) for key, each in value.items())
            case list():
                return any(self.is_in(each, name) for each in value)
            case _:
                return False

    def taken_out(self, value: Any, name: str = "") -> Any:  # noqa: ANN401 - JSON
        """Give a text or JSON value without the person; what does not mention them stays as it is."""
        if not self.is_in(value, name):
            return value
        match value:
            case str():
                return self._mention.sub(ERASED, unicodedata.normalize("NFC", value))
            case dict():
                return {self.taken_out(key): self.taken_out(each, key) for key, each in value.items()}
            case list():
                return [self.taken_out(each, name) for each in value]
            case _:
                return None

    def left_of(self, message: bytes) -> bytes:
        """Give a message that was refused without the inputs that mention the person; empty where nothing is left."""
        said = message.replace(b"\0", b"").decode(errors="replace")  # UTF-16 was no JSON to us
        try:
            fields = loads(message)
            mentioned = self.is_in(fields)
        except (ValueError, RecursionError):
            fields, mentioned = None, self.is_in(said)
        if not mentioned and (self.vid is not None or not self.is_in(said)):  # of two equal keys JSON reads the last
            return message
        if not mentioned or not isinstance(fields, dict) or not isinstance(fields.get("inputs"), list):
            return b""
        fields["inputs"] = [one for one in fields["inputs"] if not self.is_in(one)]
        return json.dumps(fields).encode() if fields["inputs"] and not self.is_in(fields) else b""
