"""The frames between a worker and a session's host.

worker ──► Start, Request, Cancel, Ack, HistoryTaken, Stop, Measure ──► host
worker ◄── Response, Event, VolatileEvent, HistoryPage, Notice, Measured, Ignored, signals ◄── host
"""

from typing import Final

import msgspec

from gateway_worker.host_protocol.failures import Failure
from gateway_worker.host_protocol.media import MediaReference
from gateway_worker.host_protocol.methods import Call, Result
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.signals import Signal
from gateway_worker.host_protocol.wire import Frame

LEAVE_SECONDS: Final = 0.4
"""How long a host that may not run any more (SIGTERM) has before it is killed."""


# The worker to a host.


class Start(Frame, frozen=True, kw_only=True):
    """The first frame to a host.

    Attributes:
        directory: The session's directory; it exists.
        device_store: The library's database file inside it.
        worker_id: Whose host it is, for the journal of sends.
        epoch: Under which epoch, likewise.
        orphan_seconds: How long a host whose worker is gone may take to finish a send.
        unreachable_seconds: After so long without a connection the host leaves; 0: it never does.
        memory_limit_bytes: A host that keeps more than this after an upload leaves; 0: never.
        memory_rest_seconds: How long after it.
        large_upload_bytes: A file of this size gets more of the processors and of memory while it
            is uploaded; 0: none does.
        replay: Only tell what is in the spool, without the library, and leave.
        resume_jid: The device to resume (`user:device@server`); None to pair a new one.
        pair_number: Pair by a code for this number (digits) instead of by QR code.
        device_name: What the phone's list of devices shows.
        settings: What it obeys until it is given others.
        proxy_url: The proxy through which the library connects, and never without it.
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
    memory_limit_bytes: int = 0
    memory_rest_seconds: float = 0.0
    large_upload_bytes: int = 0
    replay: bool = False
    settings: HostSettings = HostSettings()


class Request(Frame, frozen=True, kw_only=True):
    """Call a method; answered by a `Response`.

    Attributes:
        request: Its number.
        call: The method and its parameters.
        command_id: The command that it is for; what must not be done twice is journalled under it.
    """

    request: int
    call: Call
    command_id: str | None = None


class Cancel(Frame, frozen=True, kw_only=True):
    """The time of a request is up: one that has not begun is answered by `NOT_BEGUN`."""

    request: int


class Ack(Frame, frozen=True, kw_only=True):
    """Spooled records are not needed any more: those up to `record`, and single ones beyond it."""

    record: int
    beyond: tuple[int, ...] = ()


class HistoryTaken(Frame, frozen=True, kw_only=True):
    """A page of the history is not needed any more; the next one may follow.

    Attributes:
        page: Its name.
    """

    page: str


class Stop(Frame, frozen=True, kw_only=True):
    """Disconnect and leave."""


class Measure(Frame, frozen=True, kw_only=True):
    """Answer with `Measured`: no other process may look."""


# A host to the worker.


class Response(Frame, frozen=True, kw_only=True, omit_defaults=True):
    """How a request has ended: with a result or a failure.

    Attributes:
        request: Its number.
        result: What it is answered with.
        failure: Why there is none.
    """

    request: int
    result: Result | None = None
    failure: Failure | None = None


class Event(Frame, frozen=True, kw_only=True, omit_defaults=True):
    """Something that has arrived, as an event of the contract.

    Attributes:
        record: The spooled record that it is made of; acknowledged after its last part.
        part: Its place among the events of that record, from 0.
        last: Whether it is the last of them.
        type: The event's `type`.
        data: The event's `data`, as JSON: whoever records it is who reads it, once.
        media: Of a message, where its file is, if it has one that can be fetched.
        identity: Of what is told once, however often it comes: what it is known again by.
    """

    record: int
    part: int
    last: bool
    type: str
    data: msgspec.Raw
    media: MediaReference | None = None
    identity: str = ""


class VolatileEvent(Frame, frozen=True, kw_only=True):
    """Something that has happened and is worth telling at once or never: it is in no spool.

    Attributes:
        type: The event's `type`.
        data: The event's `data`, as JSON.
        good_until: When it is not to be told any more, by the machine's monotonic clock, which all
            of its processes share.
    """

    type: str
    data: msgspec.Raw
    good_until: float


class HistoryPage(Frame, frozen=True, kw_only=True):
    """What was written before the account was linked, a page of it: one at a time.

    It is a stream of its own: what arrives neither waits for it nor has to follow it.

    Attributes:
        page: Its name, the same each time that it is told.
        data: The `data` of the contract's `history.messages`, as JSON.
    """

    page: str
    data: msgspec.Raw


class Notice(Frame, frozen=True, kw_only=True):
    """Something worth a log line; `event` is a fixed name, `detail` has no personal data."""

    event: str
    detail: str = ""


class Measured(Frame, frozen=True, kw_only=True):
    """The process's proportional memory; 0 if it cannot be told."""

    pss_bytes: int


class Ignored(Frame, frozen=True, kw_only=True):
    """What has arrived and was ignored since the last such frame: how much, by why (`IGNORED`)."""

    counts: dict[str, int]


ToHost = Start | Request | Cancel | Ack | HistoryTaken | Stop | Measure
FromHost = Response | Event | VolatileEvent | HistoryPage | Notice | Measured | Ignored | Signal
