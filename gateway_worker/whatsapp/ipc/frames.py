"""Every frame between the worker, the fork server and a host, as a value."""

from typing import Any, Final

from gateway_worker.host_protocol.methods import Call, Result
from gateway_worker.host_protocol.wire import Person, Wire

LEAVE_SECONDS: Final = 0.4
"""How long a host that may not run any more (SIGTERM) has before it is killed."""


# The worker to a host.


class Start(Wire, frozen=True, kw_only=True):
    """The first frame to a host.

    Attributes:
        directory: The session's directory; it exists.
        device_store: The library's database file inside it.
        worker_id: Whose host it is, for the journal of sends.
        epoch: Under which epoch, likewise.
        orphan_seconds: How long a host whose worker is gone may take to finish a send.
        unreachable_seconds: After so long without a connection the host leaves; 0: it never does.
        replay: Only tell what is in the spool, without the library, and leave.
        resume_jid: The device to resume (`user:device@server`); None to pair a new one.
        pair_number: Pair by a code for this number (digits) instead of by QR code.
        device_name: What the phone's list of devices shows.
        proxy_url: Where the library connects instead of to WhatsApp.
        root_key: Root of the server's certificates, 64 hexadecimal digits, if not WhatsApp's.
        spool_limit_bytes: Above this the spool blocks the library's callback.
        spool_segment_bytes: Size of one file of the spool.
        spool_sync: Whether records are forced to the disk, soon after the callback has returned.
        in_flight: Records that may be sent to the worker and not yet be acknowledged.
        drain_seconds: How long a host that was told to stop waits for acknowledgements.
    """

    directory: str
    device_store: str
    resume_jid: str | None
    pair_number: str | None
    device_name: str
    proxy_url: str | None
    root_key: str | None
    spool_limit_bytes: int
    spool_segment_bytes: int
    spool_sync: bool
    in_flight: int
    drain_seconds: float
    worker_id: str = ""
    epoch: int = 0
    orphan_seconds: float = 5.0
    unreachable_seconds: float = 0.0
    replay: bool = False


class Request(Wire, frozen=True, kw_only=True):
    """Call a method; answered by `Response` or `Failed`.

    Attributes:
        request: Its number.
        call: The method and its parameters.
        command_id: The command that it is for; what must not be done twice is journalled under it.
    """

    request: int
    call: Call
    command_id: str | None = None


class Cancel(Wire, frozen=True, kw_only=True):
    """Forget a request that has not begun; then it is answered by `Failed(not_begun)`."""

    request: int


class Stop(Wire, frozen=True, kw_only=True):
    """Disconnect and leave."""


class Ack(Wire, frozen=True, kw_only=True):
    """Spooled records are not needed any more: those up to `record`, and single ones beyond it."""

    record: int
    beyond: tuple[int, ...] = ()


class Measure(Wire, frozen=True, kw_only=True):
    """Answer with `Measured`: no other process may look."""


# A host to the worker.


class QrCode(Wire, frozen=True, kw_only=True):
    """A new QR code."""

    code: str
    valid_seconds: float


class PairCode(Wire, frozen=True, kw_only=True):
    """A code to type on the phone."""

    code: str
    valid_seconds: float


class Linked(Wire, frozen=True, kw_only=True):
    """The phone linked this device; `account.jid` has the device part."""

    account: Person


class PairingFailed(Wire, frozen=True, kw_only=True):
    """Pairing ended without a link; the host leaves."""

    timed_out: bool
    detail: str


class Up(Wire, frozen=True, kw_only=True):
    """Logged in; `account.jid` has the device part."""

    account: Person


class Down(Wire, frozen=True, kw_only=True):
    """The connection is gone; the library reconnects."""

    detail: str


class Ended(Wire, frozen=True, kw_only=True):
    """The connection has ended for good; the host leaves. The reasons are those of the port."""

    reason: str
    detail: str
    retry_after_seconds: float | None = None


class Message(Wire, frozen=True, kw_only=True):
    """A spooled message; its `content` is as the contract writes it.

    Something of it did not fit, and is not told as it is, if it is `partial`.
    """

    record: int
    message_id: str
    chat: str
    sender: Person
    from_me: bool
    is_group: bool
    timestamp: int
    content: dict[str, Any]
    quoted_id: str | None = None
    quoted_participant: str | None = None
    offline: bool = False
    partial: bool = False


class Receipt(Wire, frozen=True, kw_only=True):
    """A spooled receipt; `status` is `delivered`, `read` or `played`."""

    record: int
    message_ids: tuple[str, ...]
    chat: str
    participant: Person
    status: str
    timestamp: int
    partial: bool = False


class Undecryptable(Wire, frozen=True, kw_only=True):
    """A spooled word of a message that cannot be read; `reason` is one of the contract's."""

    record: int
    message_id: str
    chat: str | None
    sender: Person | None
    timestamp: int | None
    reason: str


class Response(Wire, frozen=True, kw_only=True):
    """A request has succeeded."""

    request: int
    result: Result


class Failed(Wire, frozen=True, kw_only=True):
    """A request failed; `kind` is one of the `Failure` texts.

    Attributes:
        request: Which one.
        kind: What kind of failure.
        detail: For a person, without personal data.
        retry_after_seconds: How long to wait before another attempt, if that is known.
        attempts: How many attempts are worth while at most, if there are fewer than usual.
    """

    request: int
    kind: str
    detail: str
    retry_after_seconds: float | None = None
    attempts: int | None = None


class Notice(Wire, frozen=True, kw_only=True):
    """Something worth a log line; `event` is a fixed name, `detail` has no personal data."""

    event: str
    detail: str = ""


class Measured(Wire, frozen=True, kw_only=True):
    """The process's proportional memory; 0 if it cannot be told."""

    pss_bytes: int


# The worker and the fork server.


class Ready(Wire, frozen=True, kw_only=True):
    """The fork server has imported everything."""


class Fork(Wire, frozen=True, kw_only=True):
    """Fork a host; its socket comes along. Answered by `Forked` or `NotForked`."""

    number: int


class Lease(Wire, frozen=True, kw_only=True):
    """Kill every host at `deadline` (monotonic clock), and fork none after it; None: never.

    The next one replaces it. The clock is the machine's, so a frame that was long under way, or a
    worker that stands still, makes nothing longer.
    """

    deadline: float | None


class Forked(Wire, frozen=True, kw_only=True):
    """A host runs; a pidfd for it comes along."""

    number: int
    pid: int


class NotForked(Wire, frozen=True, kw_only=True):
    """No process could be started."""

    number: int
    detail: str


class Reaped(Wire, frozen=True, kw_only=True):
    """A host is gone; `status` is its exit code, or minus the signal that killed it."""

    pid: int
    status: int


class Failure:
    """Why a request failed: the texts of `Failed.kind`."""

    NOT_BEGUN: Final = "not_begun"
    NOT_CONNECTED: Final = "not_connected"
    UNKNOWN_RECIPIENT: Final = "unknown_recipient"
    INVALID: Final = "invalid"
    REJECTED: Final = "rejected"
    RATE_LIMITED: Final = "rate_limited"
    STALE: Final = "stale"
    TIMED_OUT: Final = "timed_out"
    UNCERTAIN: Final = "uncertain"


ToHost = Start | Request | Cancel | Stop | Ack | Measure
FromHost = (
    QrCode
    | PairCode
    | Linked
    | PairingFailed
    | Up
    | Down
    | Ended
    | Message
    | Receipt
    | Undecryptable
    | Response
    | Failed
    | Notice
    | Measured
)
ToForkServer = Fork | Lease | Measure
FromForkServer = Ready | Forked | NotForked | Reaped | Measured
Frame = ToHost | FromHost | ToForkServer | FromForkServer
