"""The way out to HubSpot."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Egress:
    """The way out to HubSpot: through which proxy, and whom TLS trusts; empty: none, and the public authorities."""

    proxy: str = ""
    ca_bundle: str = ""


DIRECT: Final = Egress()
