"""Turns what the driver raises into the worker's errors.

A database that is away, overloaded or failing over is a `DependencyError`: try again later. One
that refuses a statement (a constraint, a missing table, a value it cannot hold) would refuse it
again, so that is a `StatementRefusedError`. Its text has the SQLSTATE and the names of things,
never the driver's own words, because those repeat the row.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy import exc

from gateway_worker.errors import DependencyError, PermanentError

_LATER_CLASSES = frozenset(
    {
        "08",  # connection
        "28",  # authorisation: a password is being changed
        "40",  # serialisation failures and deadlocks
        "53",  # out of disk, memory or connections
        "57",  # shutting down, starting up, cancelled by a timeout
        "58",  # the server's system
    }
)
_LATER_STATES = frozenset(
    {
        "25006",  # read-only: the old primary after a failover
        "25P03",  # idle in a transaction for too long
        "3D000",  # no such database (yet)
        "55P03",  # a row's lock was not to be had in time
    }
)

_HANDLER_CLOSED = "the handler is closed"
"""So uvloop ends the RuntimeError of whoever writes to a connection that has just been closed, and
the driver lets it pass."""


class StatementRefusedError(PermanentError):
    """The database understood a statement and refused it.

    Attributes:
        sqlstate: PostgreSQL's five-letter code.
        constraint: The constraint that was violated, if it was one.
    """

    def __init__(self, *, sqlstate: str, constraint: str | None, table: str | None) -> None:
        named = [f"SQLSTATE {sqlstate}"]
        named += [f"constraint {constraint}"] if constraint else []
        named += [f"table {table}"] if table else []
        super().__init__(f"the database refused a statement ({', '.join(named)})")
        self.sqlstate = sqlstate
        self.constraint = constraint


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Translate what the block raises; `doing` says what failed, for the message.

    Raises:
        DependencyError: The database cannot be used now.
        StatementRefusedError: It refused the statement.
    """
    try:
        yield
    except exc.DBAPIError as error:
        if (refusal := _refusal(error)) is not None:
            raise refusal from None  # the driver's text repeats the row
        raise DependencyError(f"{doing}: {_cause(error)}") from error
    except asyncpg.PostgresError as error:
        if (refused := _refused(error.sqlstate, error)) is not None:
            raise refused from None
        raise DependencyError(f"{doing}: {_named(error, error.sqlstate)}") from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise DependencyError(f"{doing}: {_named(error, None)}") from error
    except (exc.TimeoutError, OSError, RuntimeError) as error:
        if (reason := _reason(error)) is None:
            raise
        raise DependencyError(f"{doing}: {reason}") from error


def _reason(error: Exception) -> str | None:
    """Say how the way to the database failed, None if it is something else that did."""
    if isinstance(error, exc.TimeoutError):
        return "no connection became free in time"
    if isinstance(error, TimeoutError):
        return "the database did not answer in time"
    if isinstance(error, OSError):
        return "the database cannot be reached"
    return "the connection was closed" if _HANDLER_CLOSED in str(error) else None


def _refusal(error: exc.DBAPIError) -> StatementRefusedError | None:
    """Return the refusal behind an error, or None if trying again later can help."""
    sqlstate = getattr(error.orig, "sqlstate", None)
    if error.connection_invalidated:
        return None
    return _refused(sqlstate, getattr(error.orig, "__cause__", None))


def _refused(sqlstate: str | None, error: BaseException | None) -> StatementRefusedError | None:
    """Return the refusal that a state means, with what the driver's error names.

    Without a state it was the driver that failed: a connection lost, or closed under us.
    """
    if sqlstate is None or sqlstate[:2] in _LATER_CLASSES or sqlstate in _LATER_STATES:
        return None
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return None  # prepared before a migration; another connection prepares it anew
    return StatementRefusedError(
        sqlstate=sqlstate,
        constraint=getattr(error, "constraint_name", None),
        table=getattr(error, "table_name", None),
    )


def _cause(error: exc.DBAPIError) -> str:
    cause = getattr(error.orig, "__cause__", None) or error.orig
    return _named(cause, getattr(error.orig, "sqlstate", None))


def _named(cause: BaseException | None, sqlstate: str | None) -> str:
    """Name the driver's error by its class and state; the rest may hold values."""
    name = type(cause).__name__
    return f"{name} (SQLSTATE {sqlstate})" if sqlstate else name
