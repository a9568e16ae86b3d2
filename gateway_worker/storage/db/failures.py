"""Turns what the driver raises into the worker's errors.

Only what is certainly a row's own fault is a verdict on it: a value that no column takes, a rule of
the table that it breaks. That is a `StatementRefusedError`: the same row would be refused again.
Everything else is a state of the database, of the login or of the way there, whatever it is called:
a `DatabaseUnavailableError`, which waits and is tried again. A state that is not known here must
never cost a row. Neither text has the driver's own words, because those repeat the row.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
from sqlalchemy import exc

from gateway_worker.errors import DatabaseUnavailableError, GatewayError, PermanentError
from gateway_worker.runtime.os_errors import explain, is_of_this_machine
from gateway_worker.storage.db.schema import metadata

_ROWS_CLASSES: Final = frozenset({"22", "23"})  # a value that is none; a constraint
_ROWS_STATES: Final = frozenset({"54000"})  # a key too long for its index, a value for its column
_NOT_THE_ROWS: Final = frozenset(
    {
        "2200H",  # of a sequence that has come to its end
        "22023",  # of a setting or a role that there is not
        "22P05",  # a database in another encoding than UTF-8: what JSON cannot hold is taken out
    }
)
_NUMBERED: Final = frozenset({"outbox_pkey"})
"""Keys that the database itself makes up: one that exists means that its counter is behind, as
after a restore or a failover between logical replicas."""
_UNKNOWN: Final = "22000"

_REMEDIES: Final = {
    "2200H": "a sequence has come to its end: ALTER SEQUENCE … NO MAXVALUE",
    "28000": "the login is refused, see pg_hba.conf",
    "28P01": "the password is refused",
    "3D000": "there is no such database",
    "53300": "no connection is left: raise max_connections or lower DATABASE_POOL_SIZE",
    "55000": "it accepts no logins: ALTER DATABASE … ALLOW_CONNECTIONS true",
    "57P03": "the server is starting or stopping",
    "42501": "the user lacks a right",
    "25006": "the database only reads",
}
"""What a state means to an operator, where its name does not say it."""

_DRIVERS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    exc.SQLAlchemyError,
)
_HANDLER_CLOSED = "the handler is closed"
"""So uvloop ends the RuntimeError of whoever writes to a connection that has just been closed, and
the driver lets it pass."""


class StatementRefusedError(PermanentError):
    """The database refuses a row for good, because of what is in it.

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


def _never() -> bool:
    return False


@contextmanager
def translated(doing: str, *, is_lost: Callable[[], bool] = _never) -> Iterator[None]:
    """Translate what the block raises; `doing` says what failed, for the message.

    Args:
        doing: What the block does.
        is_lost: Whether its connection is gone by now: then whatever came of it is that.

    Raises:
        DatabaseUnavailableError: The database cannot be used now.
        StatementRefusedError: A row of the statement can never be written.
    """
    try:
        yield
    except exc.DBAPIError as error:
        if (refusal := _refusal(error)) is not None:
            raise refusal from None  # the driver's text repeats the row
        raise _unavailable(doing, error.orig, error) from error
    except exc.StatementError as error:
        if isinstance(error.orig, (ValueError, TypeError)):  # no statement has been sent at all
            raise StatementRefusedError(sqlstate=_UNKNOWN, constraint=None, table=None) from None
        raise _unavailable(doing, error.orig, error) from error
    except _DRIVERS as error:
        sqlstate = getattr(error, "sqlstate", None)
        if _is_rows_own(sqlstate, error):
            raise _refused(sqlstate, error) from None
        raise _unavailable(doing, error, error) from error
    except GatewayError:
        raise
    except Exception as error:
        if (why := _way(error)) is None and not is_lost():
            raise
        detail = why or f"the connection was lost ({type(error).__name__})"
        raise DatabaseUnavailableError(f"{doing}: {detail}") from error


@contextmanager
def reaching(doing: str) -> Iterator[None]:
    """Translate what the block raises, which makes a connection: no row has a part in it.

    Raises:
        DatabaseUnavailableError: There is no connection to be had now.
    """
    try:
        yield
    except GatewayError:
        raise
    except exc.TimeoutError as error:
        raise DatabaseUnavailableError(f"{doing}: no connection became free in time") from error
    except Exception as error:  # whatever a driver, a name server or TLS has to say
        cause = getattr(error, "orig", None) or error
        sqlstate = getattr(cause, "sqlstate", None)
        detail = _way(error) or _named(getattr(cause, "__cause__", None) or cause, sqlstate)
        raise DatabaseUnavailableError(f"{doing}: {detail}", sqlstate=sqlstate) from error


def _is_rows_own(sqlstate: str | None, error: BaseException | None) -> bool:
    """Whether a row of the statement is refused for what is in it, and would be for ever."""
    # Without a state it was the driver that failed: a connection lost, or closed under us.
    if sqlstate is None or sqlstate in _NOT_THE_ROWS:
        return False
    if sqlstate[:2] not in _ROWS_CLASSES:
        return sqlstate in _ROWS_STATES
    constraint = getattr(error, "constraint_name", None)
    match sqlstate:
        case "23505":
            return constraint not in _NUMBERED
        case "23514":  # without a name there is no partition for the row
            return constraint is not None
        case "23502":
            return _is_known(getattr(error, "table_name", None), error)
        case _:
            return True


def _is_known(table: str | None, error: BaseException | None) -> bool:
    """Whether this release knows a column that got no value; a later one may have added it."""
    column = getattr(error, "column_name", None)
    known = metadata.tables.get(table or "")
    return known is None or column is None or column in known.columns


def _way(error: Exception) -> str | None:
    """Say how the way to the database failed, None if it is something else that did."""
    if isinstance(error, TimeoutError):
        return "the database did not answer in time"
    if isinstance(error, OSError):
        cause = explain(error)
        if is_of_this_machine(error):
            return cause
        return f"the database cannot be reached, {cause}"
    if isinstance(error, RuntimeError) and _HANDLER_CLOSED in str(error):
        return "the connection was closed"
    return None


def _refusal(error: exc.DBAPIError) -> StatementRefusedError | None:
    """Return the refusal behind an error, or None if trying again later can help."""
    if error.connection_invalidated:
        return None
    sqlstate = getattr(error.orig, "sqlstate", None)
    cause = getattr(error.orig, "__cause__", None)
    return _refused(sqlstate, cause) if _is_rows_own(sqlstate, cause) else None


def _refused(sqlstate: str | None, error: BaseException | None) -> StatementRefusedError:
    return StatementRefusedError(
        sqlstate=sqlstate or _UNKNOWN,
        constraint=getattr(error, "constraint_name", None),
        table=getattr(error, "table_name", None),
    )


def _unavailable(
    doing: str, found: BaseException | None, error: BaseException
) -> DatabaseUnavailableError:
    cause = getattr(found, "__cause__", None) if isinstance(error, exc.StatementError) else None
    sqlstate = getattr(found, "sqlstate", None)
    detail = _named(cause or found, sqlstate)
    return DatabaseUnavailableError(f"{doing}: {detail}", sqlstate=sqlstate)


def _named(cause: BaseException | None, sqlstate: str | None) -> str:
    """Name the driver's error by its class and state; the rest may hold values."""
    name = type(cause).__name__
    if sqlstate is None:
        return name
    remedy = _REMEDIES.get(sqlstate)
    return f"{name} (SQLSTATE {sqlstate}{f': {remedy}' if remedy else ''})"
