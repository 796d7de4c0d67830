"""Where a batch is POSTed (HubSpot's OpenAPI, `v3` and its dated successors)."""

from urllib.parse import quote

from models.message import Address
from models.words import Identity, State


def prefix(version: str) -> str:
    """Give the path before the addresses: `v3` stands inside, a dated version behind."""
    return "/marketing/v3/marketing-events" if version == "v3" else f"/marketing/marketing-events/{version}"


def attendance_path(version: str, address: Address, state: State, identity: Identity) -> str:
    """Give path and query of the write; path values are percent-encoded with nothing safe."""
    verb = "email-create" if identity is Identity.EMAIL else "create"
    if address.object_id is not None:
        return f"{prefix(version)}/{quote(address.object_id, safe='')}/attendance/{state}/{verb}"
    event, account = (quote(text or "", safe="") for text in (address.external_event_id, address.external_account_id))
    return f"{prefix(version)}/attendance/{event}/{state}/{verb}?externalAccountId={account}"
