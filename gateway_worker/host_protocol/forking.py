"""The frames between a worker and a fork server, of hosts or of what looks at files."""

from gateway_worker.host_protocol.envelope import Measure, Measured
from gateway_worker.host_protocol.wire import Frame


class Fork(Frame, frozen=True, kw_only=True):
    """Fork a process; its socket comes along. Answered by `Forked` or `NotForked`."""

    number: int


class Lease(Frame, frozen=True, kw_only=True):
    """Kill every process at `deadline` (`lease_time`), and fork none after it; None: never.

    The next one replaces it. The clock is the machine's, so a frame that was long under way, or a
    worker that stands still, makes nothing longer. If the fork server is too late with that by
    `spare_seconds`, for it stands still as well, the kernel kills it and them.
    """

    deadline: float | None
    spare_seconds: float = 0.0


class Ready(Frame, frozen=True, kw_only=True):
    """The fork server has imported everything."""


class Forked(Frame, frozen=True, kw_only=True):
    """A process runs; a pidfd for it comes along."""

    number: int
    pid: int


class NotForked(Frame, frozen=True, kw_only=True):
    """No process could be started."""

    number: int
    detail: str


class Reaped(Frame, frozen=True, kw_only=True):
    """A process is gone; `status` is its exit code, or minus the signal that killed it."""

    pid: int
    status: int


ToForkServer = Fork | Lease | Measure
FromForkServer = Ready | Forked | NotForked | Reaped | Measured
