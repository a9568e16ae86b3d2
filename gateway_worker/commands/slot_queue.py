"""Which session gets the next slot for a deferred send: tenants in turn, and each one's in turn."""

from gateway_contracts.tenants import tenant_of


class SlotQueue:
    """Sessions that wait for a slot.

    A tenant whose bulks go out of many sessions gets no more slots than one with a single session
    that waits as long. Sessions without a tenant are one party.

    It knows turns only: how many slots there are changes with the load (`DeferredSlots`), and a
    session waits here once, whatever it has to send. Where each has places and items of its own
    there are `FairQueue` and `SharedPlaces`.
    """

    def __init__(self) -> None:
        self._waiting: dict[str | None, dict[str, None]] = {}

    def add(self, session_id: str) -> None:
        """Have a session wait, after all others of its tenant; once is enough."""
        self._waiting.setdefault(tenant_of(session_id), {})[session_id] = None

    def take(self) -> str | None:
        """Return whose turn it is, who waits no more then; None if nobody waits."""
        if not self._waiting:
            return None
        tenant = next(iter(self._waiting))
        sessions = self._waiting.pop(tenant)
        first = next(iter(sessions))
        del sessions[first]
        if sessions:
            self._waiting[tenant] = sessions  # after the other tenants
        return first
