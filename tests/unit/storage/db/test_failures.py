"""What the driver and SQLAlchemy raise, as the worker's errors: to try again, or never."""

import asyncio
import errno
import socket
import ssl

import asyncpg
import pytest
import uvloop
from sqlalchemy import exc

from gateway_worker.errors import DatabaseUnavailableError, DependencyError, PermanentError
from gateway_worker.storage.db.failures import StatementRefusedError, reaching, translated

PRIVATE = "Key (id)=(12025550100) already exists"


def raised(error: BaseException, *, doing: str = "committing") -> BaseException:
    """Return what becomes of an error."""
    with pytest.raises((DependencyError, StatementRefusedError)) as caught, translated(doing):
        raise error
    return caught.value


def wrapped(error: asyncpg.PostgresError) -> exc.DBAPIError:
    """Return a driver's error as SQLAlchemy hands it on."""
    original = Exception(str(error))
    original.sqlstate = error.sqlstate  # type: ignore[attr-defined]
    original.__cause__ = error
    return exc.DBAPIError("INSERT", {}, original)


class UnheardOfError(asyncpg.PostgresError):
    """What a later release of the server may say."""

    sqlstate = "ZZ001"


LATER = [
    asyncpg.ConnectionDoesNotExistError("gone"),
    asyncpg.InvalidPasswordError("changed"),
    asyncpg.DeadlockDetectedError("deadlock"),
    asyncpg.SerializationError("again"),
    asyncpg.TooManyConnectionsError("full"),
    asyncpg.DiskFullError("full"),
    asyncpg.AdminShutdownError("bye"),
    asyncpg.CannotConnectNowError("starting"),
    asyncpg.QueryCanceledError("statement timeout"),
    asyncpg.LockNotAvailableError("locked"),
    asyncpg.ReadOnlySQLTransactionError("standby"),
    asyncpg.IdleInTransactionSessionTimeoutError("froze"),
    asyncpg.InvalidCatalogNameError("not yet"),
    asyncpg.ObjectNotInPrerequisiteStateError("logins are refused"),
    asyncpg.ProtocolViolationError("a pooler does not know a parameter"),
    asyncpg.InvalidSQLStatementNameError("prepared at another server"),
    asyncpg.DuplicatePreparedStatementError("prepared by somebody else"),
    asyncpg.InsufficientPrivilegeError("a role that lost its rights"),
    asyncpg.UndefinedTableError("not migrated yet"),
    asyncpg.UndefinedColumnError("not migrated yet"),
    asyncpg.FeatureNotSupportedError("another release"),
    asyncpg.ConfigurationLimitExceededError("temporary files"),
    asyncpg.InternalServerError("a fault of the server's"),
    asyncpg.DataCorruptedError("a broken disk"),
    asyncpg.RaiseError("somebody's trigger"),
    asyncpg.InvalidParameterValueError("a role that there is not"),
    asyncpg.UntranslatableCharacterError("a database in LATIN1"),
    UnheardOfError("of a class that nobody knows"),
]


@pytest.mark.parametrize("error", LATER, ids=lambda error: type(error).__name__)
def test_a_database_that_cannot_be_used_now(error: asyncpg.PostgresError) -> None:
    """From the driver as through SQLAlchemy; the message names the class and the state."""
    for each in (error, wrapped(error)):
        message = str(raised(each))
        assert message.startswith(f"committing: {type(error).__name__} (SQLSTATE {error.sqlstate}")


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("lost the thread"),
        asyncpg.InvalidCachedStatementError("migrated"),
        TimeoutError(),
        ConnectionRefusedError(111, "refused"),
        OSError(113, "no route"),
        exc.TimeoutError("QueuePool limit"),
        exc.InterfaceError("SELECT", {}, Exception("connection is closed")),
        exc.DBAPIError("SELECT", {}, Exception("in the middle"), connection_invalidated=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_says_that_without_a_state(error: Exception) -> None:
    """Lost connections, silence, a full pool, and statements from before a migration."""
    assert isinstance(raised(error), DependencyError)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "nothing listens there"),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "the host's name cannot be resolved"),
        (ssl.SSLCertVerificationError(1, "self-signed"), "its certificate is not trusted"),
        (OSError(errno.EHOSTUNREACH, "no route"), "there is no way to the host"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_in_the_way_is_told(error: OSError, text: str) -> None:
    """While a connection is made, and on one that is lost."""
    for way in (translated, reaching):
        with pytest.raises(DatabaseUnavailableError) as caught, way("asking"):
            raise error
        assert str(caught.value).startswith(f"asking: the database cannot be reached, {text}")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.EMFILE, "full"), "this process has no file descriptor left"),
        (FileNotFoundError(errno.ENOENT, "gone", "ca.pem"), "ca.pem: there is no such file"),
        (PermissionError(errno.EACCES, "denied", "key.pem"), "key.pem: permission denied"),
        (OSError(errno.EADDRNOTAVAIL, "none"), "no local address or port is left"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_this_machine_lacks_is_no_fault_of_the_database(error: OSError, text: str) -> None:
    """Whoever reads it looks in the right place."""
    for way in (translated, reaching):
        with pytest.raises(DatabaseUnavailableError) as caught, way("asking"):
            raise error
        assert str(caught.value).startswith(f"asking: {text}")


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UniqueViolationError(PRIVATE),
        asyncpg.NotNullViolationError(PRIVATE),
        asyncpg.CharacterNotInRepertoireError(PRIVATE),
        asyncpg.NumericValueOutOfRangeError(PRIVATE),
        asyncpg.ProgramLimitExceededError(PRIVATE),
        asyncpg.DataError(PRIVATE),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_row_that_would_be_refused_again(error: asyncpg.PostgresError) -> None:
    """Its state is named; the driver's words, which repeat the row, are nowhere."""
    for each in (error, wrapped(error)):
        refusal = raised(each)
        assert isinstance(refusal, StatementRefusedError)
        assert refusal.sqlstate == error.sqlstate
        assert "12025550100" not in str(refusal)
        assert refusal.__suppress_context__


@pytest.mark.parametrize(
    ("error", "named", "is_rows"),
    [
        (asyncpg.UniqueViolationError, {"constraint_name": "messages_pkey"}, True),
        (asyncpg.UniqueViolationError, {"constraint_name": "outbox_pkey"}, False),
        (asyncpg.CheckViolationError, {"constraint_name": "no_shouting"}, True),
        (asyncpg.CheckViolationError, {}, False),
        (asyncpg.SequenceGeneratorLimitExceededError, {}, False),
        (asyncpg.NotNullViolationError, {"table_name": "messages", "column_name": "chat"}, True),
        (asyncpg.NotNullViolationError, {"table_name": "messages", "column_name": "new"}, False),
    ],
)
def test_a_rule_of_a_table_that_no_row_can_keep(
    error: type[asyncpg.PostgresError], named: dict[str, str], *, is_rows: bool
) -> None:
    """A counter that is behind or at its end, a missing partition, a later release's column."""
    found = error(PRIVATE)
    for name, text in named.items():
        setattr(found, name, text)
    for each in (found, wrapped(found)):
        assert isinstance(raised(each), StatementRefusedError) is is_rows


def test_a_value_that_cannot_be_encoded_is_its_rows_own_fault() -> None:
    """Nothing of it has reached the server, through SQLAlchemy."""
    error = exc.StatementError("no", "INSERT", {}, OverflowError("of " + PRIVATE))
    assert isinstance(
        raised(exc.StatementError("no", "X", {}, ValueError(PRIVATE))), PermanentError
    )
    assert isinstance(raised(error), DependencyError)


def test_whatever_comes_of_a_lost_connection_is_that() -> None:
    """Drivers raise anything then."""
    with (
        pytest.raises(
            DependencyError, match=r"^committing: the connection was lost \(TypeError\)$"
        ),
        translated("committing", is_lost=lambda: True),
    ):
        raise TypeError("'NoneType' object is not callable")


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.DataError(PRIVATE),
        asyncpg.InvalidAuthorizationSpecificationError(PRIVATE),
        asyncpg.ClientConfigurationError(PRIVATE),
        UnicodeError(PRIVATE),
        KeyError(PRIVATE),
        exc.TimeoutError("QueuePool limit"),
        ConnectionRefusedError(111, "refused"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_row_has_a_part_in_a_connection_that_cannot_be_made(error: Exception) -> None:
    """Whatever the way to the database ends in."""
    with (
        pytest.raises(DatabaseUnavailableError, match=r"^reaching: ") as caught,
        reaching("reaching"),
    ):
        raise error
    assert "12025550100" not in str(caught.value)


def test_a_state_that_somebody_can_mend_is_explained() -> None:
    """Where its name alone says little."""
    found = str(raised(asyncpg.ObjectNotInPrerequisiteStateError("no logins")))
    assert found.endswith(
        "(SQLSTATE 55000: it accepts no logins: ALTER DATABASE … ALLOW_CONNECTIONS true)"
    )


def test_a_constraint_is_named() -> None:
    """With its table."""
    error = asyncpg.UniqueViolationError(PRIVATE)
    error.constraint_name, error.table_name = "commands_pkey", "commands"
    assert str(raised(error)).endswith("(SQLSTATE 23505, constraint commands_pkey, table commands)")


def test_writing_to_a_connection_that_is_closed_under_us() -> None:
    """The worker's event loop has an error of its own for that."""

    class Peer(asyncio.Protocol):
        def __init__(self) -> None:
            self.lost = asyncio.Event()

        def connection_lost(self, exc: Exception | None) -> None:
            self.lost.set()

    async def write() -> None:
        loop = asyncio.get_running_loop()
        left, right = socket.socketpair()
        ours, peer = await loop.create_connection(Peer, sock=left)
        other, _ = await loop.create_connection(Peer, sock=right)
        ours.abort()
        await peer.lost.wait()
        other.abort()
        with translated("committing"):
            ours.write(b"COMMIT")

    with (
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        pytest.raises(DependencyError, match=r"^committing: the connection was closed$"),
    ):
        runner.run(write())


@pytest.mark.parametrize("error", [ValueError("ours"), RuntimeError("ours")], ids=repr)
def test_faults_of_our_own_pass(error: Exception) -> None:
    """They are neither the database's nor to be tried again."""
    with pytest.raises(type(error), match="ours"), translated("committing"):
        raise error
