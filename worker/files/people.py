"""Whom a row's name means: how many people are behind the spellings of one address.

Somebody who comes back as “Bob”, “Bob Bly”, “Bly, Bob (Guest)” or “iPhone (Bob Bly)” is one; “Ana Abe” and “Bob
Bly” are two.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import permutations
from typing import Final

from worker.files.columns.known_titles import compact

_TITLES: Final = frozenset(
    {"name", "username", "fullname", "displayname", "participant", "participantname", "attendee", "attendeename",
     "nickname", "registrantname", "nameoriginalname", "usernameoriginalname", "vollstandigername", "teilnehmer",
     "nomcomplet", "nomnomoriginal", "participante", "nombrecompleto", "nomdutilisateur", "nombredeusuario",
     "benutzername", "who", "person", "contact", "contactname", "guestname", "kontakt", "wer", "quien", "qui",
     "nombrenombreoriginal", "nomenomeoriginal", "nomenomeoriginale", "名前元の名前", compact("이름(원래 이름)")}
)  # fmt: skip
"""Titles of columns with a person's whole name, from which no property of the contact is read."""
_NO_NAMES: Final = frozenset(
    {"iphone", "ipad", "ipod", "galaxy", "samsung", "huawei", "xiaomi", "pixel", "oneplus", "android", "phone",
     "mobile", "handy", "macbook", "mac", "imac", "pc", "laptop", "desktop", "tablet", "device", "zoom", "user",
     "guest", "gast", "invite", "host", "cohost", "panelist", "attendee", "external", "unverified", "mr", "mrs", "ms",
     "dr", "prof", "herr", "frau", "s", "de", "of"}
)  # fmt: skip
"""Words of devices, roles and titles: a name that has no other tells nothing."""
_WORD: Final = re.compile(r"\w+")

Words = frozenset[str]


def name_in(titles: tuple[str, ...], cells: list[str], known: dict[str, object]) -> str:
    """Give the name of the person that a row is about: first and last name, or the one that was shown."""
    properties = known.get("contactProperties")
    parts = properties if isinstance(properties, dict) else {}
    first, last = str(parts.get("firstname", "")), str(parts.get("lastname", ""))
    if first and last:
        return f"{first} {last}"
    shown = [text for place in name_places(titles) if place < len(cells) and (text := cells[place].strip())]
    return shown[-1] if shown else first or last  # the first may be the host's, who stands before the participant


def name_in_properties(known: dict[str, object]) -> str:
    """Give the name of the person that a whole input is about, by its properties."""
    groups = [known.get(name) for name in ("properties", "contactProperties")]
    texts = {name: str(text) for group in groups if isinstance(group, dict) for name, text in group.items()}
    return name_in(tuple(texts), list(texts.values()), known)


@lru_cache(maxsize=4096)
def words_of(name: str, contact: str) -> Words:
    """Give the words that tell whom a name means, without case and accents; none where it only repeats the address."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    words = _WORD.findall("".join(c for c in plain if not unicodedata.combining(c)).replace("_", " "))
    if "".join(words) in {compact(contact), compact(contact.partition("@")[0])}:
        return frozenset()
    return frozenset(word for word in words if word.isalpha()) - _NO_NAMES


def people_behind(names: list[Words]) -> tuple[int, int]:
    """Count the people that names may mean: those that are no short form of another, and those of no common word."""
    full: list[Words] = []
    for one in sorted(names, key=lambda words: (-sum(map(len, words)), sorted(words))):
        if not any(_is_in(one, other) for other in full):
            full.append(one)
    unlike: list[list[Words]] = []
    for one in full:
        alike = [group for group in unlike if any(_have_common(one, other) for other in group)]
        unlike = [group for group in unlike if group not in alike] + [[one, *(known for g in alike for known in g)]]
    return len(full), len(unlike)


@lru_cache(maxsize=256)
def name_places(titles: tuple[str, ...]) -> tuple[int, ...]:
    """Find the columns with a person's whole name."""
    return tuple(place for place, title in enumerate(titles) if compact(title) in _TITLES)


def _is_in(short: Words, name: Words) -> bool:
    """Say whether one is another's short form: its words are there, begin one, or are two put together (bbly)."""
    joined = {form for a, b in permutations(name, 2) for form in (a + b, a[0] + b, a + b[0])}
    return all(word in joined or any(_alike(word, other) for other in name) for word in short)


def _have_common(one: Words, other: Words) -> bool:
    return any(_alike(a, b) for a in one for b in other)


def _alike(one: str, other: str) -> bool:
    """Say whether one begins the other (B, Bob), or is a part of it where words are not parted (Chinese, Japanese)."""
    return one.startswith(other) or other.startswith(one) or (not one.isascii() and (one in other or other in one))
