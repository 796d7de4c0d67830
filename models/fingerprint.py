"""Keyed hashes: what makes two inputs the same record, and the id of a submission that names none.

Two inputs are the same by event, state, contact, `interactionDateTime` and `properties`. Not `contactProperties`:
HubSpot uses them only when it creates the contact. The time stands first, big-endian, so that the unique index grows at
its edge; the rest is a keyed hash, which says nothing of a person without the key.
"""

from hashlib import blake2b
from typing import Final
from uuid import UUID

import orjson

from models.input_check import Candidate
from models.words import State

_SUBMISSION: Final = b"submission id"
"""Keeps these hashes apart from those of records, which have the same key."""


FINGERPRINT_BYTES: Final = 24


def fingerprint(key: bytes, event_id: int, state: State, candidate: Candidate) -> bytes:
    """Give the 24 bytes that are equal for equal records of one database."""
    facts = [event_id, state, candidate.contact, candidate.interaction_date_time, candidate.input["properties"]]
    digest = blake2b(
        orjson.dumps(facts, option=orjson.OPT_SORT_KEYS), key=key, digest_size=FINGERPRINT_BYTES - 8
    ).digest()
    return candidate.interaction_date_time.to_bytes(8, "big") + digest


def submission_id(key: bytes, door: str, named: bytes) -> UUID:
    """Name a submission by what its producer repeats when it submits again; nobody without the key can compute it."""
    digest = blake2b(door.encode() + b"\0" + named, key=key, person=_SUBMISSION, digest_size=16).digest()
    return UUID(bytes=digest, version=4)
