"""A person, as named to be erased: where a text or a JSON value mentions them, and the same without them.

A mention is the whole address in any case and spelling (`models.spelling`), its domain also in the letters of the other
alphabet (IDN), and not a part of a longer one; or the whole contact id. What is taken out is replaced by the word
«erased»; a text in which the address was hidden by its spelling is left in plain letters.
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
from models.spelling import tells, unfolded
from models.words import Identity

ERASED: Final = "erased"
_OF_CONTACTS: Final = re.compile("vid|contact|^ids?$|^difference$", re.IGNORECASE)
"""What is nothing but a number is a contact id only under such a name; a correction's difference may name one."""
CUT: Final = 250
"""Characters, from which on a text may have been cut at its end; nothing that is cut is kept shorter."""
_TELLING: Final = 6
"""Characters of an address, from which on its beginning says whose it is."""
_PLAIN: Final = re.compile("[a-z0-9]+")
SPELT: Final = r"[^\x20-\x7e]|[\\%&<]|=[0-9a-f]{2}|\+a"
"""How a text looks, as a regular expression of PostgreSQL's and of lower case, in which any letter may be spelt another
way: whatever is not ASCII, an escape, an entity, a tag, quoted-printable or UTF-7."""


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
    def contacts(self) -> list[str]:
        """Give what records may keep as their contact: it, and of an IDN domain the same in both alphabets."""
        local, at, domain = self.contact.rpartition("@")
        if not at:
            return [self.contact]
        from email_validator import EmailNotValidError, validate_email  # most processes erase no person

        try:
            known = validate_email(f"a@{domain}", check_deliverability=False)
        except EmailNotValidError:
            return [self.contact]
        return sorted({f"{local}@{one}" for one in (domain, comparable(known.domain), known.ascii_domain)})

    @cached_property
    def needles(self) -> list[str]:
        """Give ASCII texts one of which a text mentions that is not `SPELT`, in lower case: for a first look in SQL.

        An address may stand there in words (`ada at example dot com`), so that only its words are sure.
        """
        return sorted({max(_PLAIN.findall(one), key=len, default="") for one in self.contacts})

    @cached_property
    def _mention(self) -> re.Pattern[str]:
        forms = {
            form for one in self.contacts for form in (one, quote(one, safe="+").lower(), quote(one, safe="").lower())
        }
        found = [re.escape(form) for form in forms]
        for one in self.contacts:
            local, at, domain = one.rpartition("@")
            if at:  # written twice, with a comment or a quote between, or cut where the rest was blanked
                local, domain = re.escape(local), re.escape(domain)
                found += [rf""""?{local}(?:\([^()\s]*\)|["')\]>])*@+(?:\([^()\s]*\))?{domain}""", rf"{local}(?:@|%)…"]
                found.append(rf"{local}[=_]{domain}(?=@|\#EXT\#)")  # in a bounce's address, in a guest's sign-in name
        before = r"(?:(?<![\w.+-])|(?<=\\[nrtbf])|(?<=[^\w.+-][_-])|(?<=\A[_-]))"
        return re.compile(rf"{before}(?:{'|'.join(sorted(found))})(?!(?!_(?!\w))[\w-]|\.\w)", re.IGNORECASE)

    @cached_property
    def _cut(self) -> re.Pattern[str]:
        """Find the beginning of an address at the end of a text that was cut there, in whatever spelling."""
        if self.vid is not None:
            return re.compile("(?!)")  # of a number no part tells whose it is
        begun = {re.escape(one[:end]) for one in self.contacts for end in range(_TELLING, len(one))}
        halves = {one.partition("@")[0] for one in self.contacts}
        begun |= {rf"{re.escape(half)}.{{0,40}}" for half in halves if tells(half)}
        return re.compile(
            rf"(?<![\w.+-])(?:{'|'.join(sorted(begun, key=len, reverse=True))})\Z", re.IGNORECASE | re.DOTALL
        )

    def _found(self, text: str) -> bool:
        return self._mention.search(text) is not None or (
            len(text) >= CUT and self._cut.search(text[-CUT:]) is not None
        )

    def _plain(self, text: str) -> str | None:
        """Give a text in the spelling in which it mentions the person; none where it does not."""
        text = unicodedata.normalize("NFC", text)
        if self._found(text):
            return text
        plain = unfolded(text)
        return plain if plain != text and self._found(plain) else None

    def _without(self, text: str) -> str:
        """Take the person out of a text, each spelling after the other."""
        while (plain := self._plain(text)) is not None:
            text = self._mention.sub(ERASED, plain)
            if len(text) >= CUT:
                text = text[:-CUT] + self._cut.sub(ERASED, text[-CUT:])
            if text == plain:
                break  # what is written in its place is the beginning of their address
        return text

    def is_in(self, value: object, name: str = "") -> bool:
        """Say whether a text or JSON value mentions the person."""
        match value:
            case bool() | None:
                return False
            case str() | int() if name and str(value) == self.contact and self.vid is not None:
                return _OF_CONTACTS.search(name) is not None
            case str():
                return self._plain(value) is not None
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
                return self._without(value)
            case dict():
                return {self.taken_out(key): self.taken_out(each, key) for key, each in value.items()}
            case list():
                return [self.taken_out(each, name) for each in value]
            case _:
                return None

    def left_of(self, message: bytes) -> bytes:
        """Give a message that was refused without the inputs that mention the person; empty where nothing is left."""
        try:
            fields = loads(message)
            mentioned = self.is_in(fields)
        except (ValueError, RecursionError):
            fields, mentioned = None, self.is_said_in(message)
        if not mentioned and (
            self.vid is not None or not self.is_said_in(message)
        ):  # of equal keys JSON reads the last
            return message
        if not mentioned or not isinstance(fields, dict) or not isinstance(fields.get("inputs"), list):
            return b""
        fields["inputs"] = [one for one in fields["inputs"] if not self.is_in(one)]
        return json.dumps(fields).encode() if fields["inputs"] and not self.is_in(fields) else b""

    def is_said_in(self, message: bytes) -> bool:
        """Say whether bytes mention the person, whatever they are: UTF-16 was no JSON to us, and has NULs between."""
        return any(self.is_in(message.replace(b"\0", nul).decode(errors="replace")) for nul in (b"", b" "))
