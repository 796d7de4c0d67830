"""What stands where a contact's address should: sign-in names, other tools' ids; and how to have it taken."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from models.input_check import GUEST, Reason, shown
from worker.files.columns.header import Columns
from worker.files.columns.known_titles import Field
from worker.files.columns.map_option import as_option

_WRAPPED: Final = re.compile(r"[^<>]*<\s*(?:mailto:)?([^<>\s]+@[^<>\s]+?)\s*>", re.IGNORECASE)
_MAILTO: Final = re.compile(r"mailto:([^?\s]+)(?:\?\S*)?", re.IGNORECASE)


def address_in(text: str) -> str:
    """Give the address in a cell: without a name around it, a link before it, or marks that show nothing."""
    if text.isascii() and "<" not in text and ":" not in text:
        return text
    plain = "".join(c for c in text if unicodedata.category(c) != "Cf").strip()
    found = _WRAPPED.fullmatch(plain) or _MAILTO.fullmatch(plain)
    return found[1] if found else plain


def not_taken(columns: Columns, cells: list[str]) -> Iterator[Reason]:
    """Say what is there instead of a contact, and how to have it taken for one; `where` is the column."""
    for title, what, text in columns.not_taken(cells):
        if what is Field.VID:
            right = f"an e-mail address; or {as_option(title, what)} where it is HubSpot's own record id"
            yield Reason(title, f"{shown(text)} may be another tool's id", right)
        elif GUEST.search(text):
            right = "the guest's own e-mail address"
            yield Reason(title, f"{shown(text)} is a guest's sign-in name, not an e-mail address", right)
        else:
            right = f"an e-mail address; or {as_option(title, what)} where sign-in names are mailboxes"
            yield Reason(title, f"{shown(text)} is a sign-in name", right)
