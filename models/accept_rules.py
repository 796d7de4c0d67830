"""What accepting needs of the settings, so that one class reads these and accept does not know it."""

from dataclasses import dataclass

from models.words import Origin


@dataclass(frozen=True, slots=True)
class Rules:
    """What accepting needs of the settings: the fingerprints' key, records in a batch, seconds of linger.

    What operators hand in again is of origin `replay`, and goes behind what is live.
    """

    key: bytes
    batch_size: int
    linger: float
    origin: Origin = Origin.LIVE
