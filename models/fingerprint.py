"""What makes two inputs the same record: event, state, contact, `interactionDateTime` and `properties`.

Not `contactProperties`: HubSpot uses them only when it creates the contact. The time stands first, big-endian, so
that the unique index grows at its edge; the rest is a keyed hash, which says nothing of a person without the key.
"""

from hashlib import blake2b

import orjson

from models.preflight import Candidate
from models.words import State


def fingerprint(key: bytes, event_id: int, state: State, candidate: Candidate) -> bytes:
    """Give the 24 bytes that are equal for equal records of one database."""
    facts = [event_id, state, candidate.contact, candidate.interaction_date_time, candidate.input["properties"]]
    digest = blake2b(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS), key=key, digest_size=16).digest()
    return candidate.interaction_date_time.to_bytes(8, "big") + digest
