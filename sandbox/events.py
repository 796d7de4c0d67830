"""The marketing events there are: every one, or only those that the options list."""

from sandbox.address import ExternalAddress, ObjectAddress
from sandbox.identity import Event, event_by_external_id, event_by_object_id
from sandbox.options import SandboxOptions


class Events:
    """Finds the event behind an address; an event is one, whichever of its two addresses is used."""

    def __init__(self, options: SandboxOptions) -> None:
        self._seed = options.seed
        self._known = frozenset(self._named(name).object_id for name in options.known_events)

    def at(self, address: ObjectAddress | ExternalAddress) -> Event | None:
        """Return the event that is addressed; `None` where the external account is missing."""
        if isinstance(address, ObjectAddress):
            return event_by_object_id(address.object_id)
        if not address.account_id:
            return None
        return event_by_external_id(address.account_id, address.event_id, self._seed)

    def knows(self, event: Event) -> bool:
        """Whether it exists; it always does where no event is listed."""
        return not self._known or event.object_id in self._known

    def _named(self, name: str) -> Event:
        """Read a listed name: with a slash it is an external event, whose account is what precedes the first slash."""
        account_id, slash, event_id = name.partition("/")
        return event_by_external_id(account_id, event_id, self._seed) if slash else event_by_object_id(name)
