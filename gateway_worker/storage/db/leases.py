"""When a worker counts as alive and when as gone: the terms that every statement about it shares.

Between the two lies a while in which it is neither: a lease that has just run out because the
database was unavailable. Such a worker gets nothing new, and loses nothing either.
"""

from typing import Final

from gateway_worker.sessions.ownership.lease import BEATS_PER_LEASE

LIVE: Final = "w.lease_expires_at > clock_timestamp()"
"""Whether the row `w` of `workers` has a lease now."""

TAKES_MORE: Final = f"{LIVE} AND NOT w.draining"
"""Whether the worker `w` takes on sessions, as long as it has room."""

ENDED: Final = f"""greatest(w.lease_expires_at,
    pg_postmaster_start_time() + make_interval(secs => w.lease_seconds / {BEATS_PER_LEASE})
    ) <= now()"""
"""Whether the worker `w` is gone for good. A database that has just started gives each worker the
time of a beat to renew its own, or a restart would make all sessions change their owners: who lives
has failed to renew it meanwhile, and tries again more often than that."""

LOCK_ROOM: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7449356))"
"""$1 a worker's id. Held by whoever gives it sessions, until they are committed.

Not a lock of its row: one that is held for too long, by a process that was frozen in the middle,
must not keep the worker from renewing its lease.
"""
