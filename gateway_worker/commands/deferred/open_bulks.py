"""The bulks that are not over, of all sessions of a worker; those of one session have turns."""

from collections import OrderedDict
from collections.abc import Iterator

from gateway_worker.commands.deferred.open_bulk import OpenBulk


class OpenBulks:
    """Bulks by their keys, and by their sessions."""

    def __init__(self) -> None:
        self._by_session: dict[str, OrderedDict[str, OpenBulk]] = {}

    def __iter__(self) -> Iterator[OpenBulk]:
        """Return all of them; they may change meanwhile."""
        return iter([one for session in self._by_session.values() for one in session.values()])

    def get(self, session_id: str, bulk_id: str) -> OpenBulk | None:
        """Return one or None."""
        bulks = self._by_session.get(session_id)
        return None if bulks is None else bulks.get(bulk_id)

    def sessions(self) -> tuple[str, ...]:
        """Return the ids of the sessions that have any."""
        return tuple(self._by_session)

    def of(self, session_id: str) -> tuple[OpenBulk, ...]:
        """Return those of a session: the one whose turn it is comes first."""
        return tuple(self._by_session.get(session_id, {}).values())

    def put(self, one: OpenBulk) -> None:
        """Add one, as the last of its session, or over another one of its id."""
        bulks = self._by_session.setdefault(one.session_id, OrderedDict())
        bulks[one.bulk.bulk_id] = one

    def remove(self, session_id: str, bulk_id: str) -> None:
        """Take one out, if it is there."""
        bulks = self._by_session.get(session_id)
        if bulks is None:
            return
        bulks.pop(bulk_id, None)
        if not bulks:
            del self._by_session[session_id]

    def had_turn(self, one: OpenBulk) -> None:
        """Have the others of its session first, the next time."""
        self._by_session[one.session_id].move_to_end(one.bulk.bulk_id)

    def is_sending(self, session_id: str) -> bool:
        """Whether a row of a session was handed on and has no end."""
        return any(one.fed for one in self._by_session.get(session_id, {}).values())
