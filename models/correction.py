"""What an operator changes of a record before it is sent again, as a change of the message that would hand it in."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from models.message import Address


@dataclass(frozen=True, slots=True)
class Change:
    """What is changed; none stays as it is, and an empty text takes the field out.

    An event is named as pages write it: external account and external id with a slash between, else an id of the kind
    that the record's event has.
    """

    email: str | None = None
    vid: str | None = None
    when: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    event: str | None = None
    object_id: str | None = None

    def __bool__(self) -> bool:
        """Say whether anything is changed."""
        return self != Change()

    @property
    def is_move(self) -> bool:
        """Say whether it names another event."""
        return (self.event, self.object_id) != (None, None)

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """Read a change as `written` writes it."""
        return cls(**written)

    @property
    def written(self) -> dict[str, object]:
        """Write it as JSON: what of it is set, by its names."""
        return {name: value for name, value in asdict(self).items() if value is not None and value != {}}

    def of(self, given: Mapping[str, object], address: Address) -> dict[str, object]:
        """Give the fields of a message that hands in a changed input."""
        changed = {**given}
        for name, value in (("email", self.email), ("vid", self.vid)):
            if value:
                for other in ("email", "vid"):
                    changed.pop(other, None)
                changed[name] = value
            elif value is not None:
                changed.pop(name, None)
        if "vid" in changed:
            changed.pop("contactProperties", None)  # HubSpot takes them only with an e-mail address
        if self.when is not None:
            changed["interactionDateTime"] = self.when
        properties = given.get("properties")
        changed["properties"] = {
            name: value
            for name, value in {**(properties if isinstance(properties, dict) else {}), **self.properties}.items()
            if value != "" or name not in self.properties
        }
        return {**_fields(self._address(address)), "inputs": [changed]}

    def _address(self, now: Address) -> Address:
        if self.object_id is not None:
            return Address(self.object_id, None, None)
        if self.event is None:
            return now
        account, slash, event = self.event.partition("/")
        if slash:
            return Address(None, event, account)
        return Address(self.event, None, None) if now.object_id else Address(None, self.event, now.external_account_id)


def _fields(address: Address) -> dict[str, object]:
    named = {
        "object_id": address.object_id,
        "external_event_id": address.external_event_id,
        "external_account_id": address.external_account_id,
    }
    return {name: value for name, value in named.items() if value is not None}


def difference(
    before: Mapping[str, object], after: Mapping[str, object], was: Address, becomes: Address
) -> list[tuple[str, str, str]]:
    """Give what differs between two inputs and where they go: the field, what was, what will be."""
    same = before == after  # where only the event differs, which is looked at for thousands at once
    old = ({} if same else _flat(before)) | {"event": str(was)}
    new = ({} if same else _flat(after)) | {"event": str(becomes)}
    return [
        (name, old.get(name, ""), new.get(name, ""))
        for name in sorted(old.keys() | new.keys())
        if old.get(name, "") != new.get(name, "")
    ]


def _flat(given: Mapping[str, object]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in given.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": str(one) for key, one in value.items()}
        else:
            flat[name] = str(value)
    return flat
