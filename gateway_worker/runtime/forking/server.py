"""The fork server itself: what its program does beside importing.

Everything is imported once and stays shared with all processes, copy on write: the collector leaves
what it finds here alone.

It is also their dead man's switch. When the lease that the worker gave it ends, they are killed,
whatever has become of the worker. Should this process itself stand still by then, as when a machine
or a container is paused, the kernel ends it, and them with it: otherwise they would wake up before
they could be killed, and log in once more to what is somebody else's by now. When the worker is
gone they get as long as the program was told to finish what they are at, and then die with this
process.

The sockets are of the kind that keeps packets apart (SOCK_SEQPACKET): each is one frame and carries
at most one descriptor, a process's socket on the way in and its pidfd on the way out. The lease has
a socket of its own, and is looked at before every fork: it never waits for requests.
"""

import errno
import gc
import math
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NoReturn

import msgspec

from gateway_worker.host_protocol.envelope import LEAVE_SECONDS, Measure, Measured
from gateway_worker.host_protocol.forking import (
    Fork,
    Forked,
    FromForkServer,
    Lease,
    NotForked,
    Ready,
    Reaped,
    ToForkServer,
)
from gateway_worker.host_protocol.framing import FrameDecoder, encode
from gateway_worker.runtime.confinement import keep_private
from gateway_worker.runtime.forking.kernel import (
    count_threads,
    die_with_parent,
    name_process,
    outlive_parent,
)
from gateway_worker.runtime.forking.kill_timer import KillTimer
from gateway_worker.runtime.lease_clock import lease_time
from gateway_worker.runtime.memory import pss_bytes

MAX_PACKET_BYTES: Final = 4096
SPARE_SECONDS: Final = 1.0
"""So much too late this process may be at least: it gives time to leave, and is not quick when the
machine is busy. More would not fit into what is left unused of a lease of four seconds."""
_DECODER: Final[msgspec.json.Decoder[ToForkServer]] = msgspec.json.Decoder(ToForkServer)

Run = Callable[[socket.socket], NoReturn]
"""What a forked process does with its socket, to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the worker gives a fork server.

    Attributes:
        control: The descriptor of the socket for requests and answers.
        lease: That of the socket for the lease.
        orphan_seconds: How long processes may live on without the worker.
    """

    control: int
    lease: int
    orphan_seconds: float


def begin(arguments: Sequence[str], *, name: str) -> Given:
    """Become a fork server.

    Args:
        arguments: `SOCKET LEASE PARENT SECONDS`, as `client` gives them.
        name: For process lists.
    """
    control, lease, worker = (int(argument) for argument in arguments[:3])
    die_with_parent(worker)
    keep_private()
    name_process(name)
    gc.disable()  # a collection would leave holes that processes then fill, page by page
    return Given(control=control, lease=lease, orphan_seconds=float(arguments[3]))


def serve(given: Given, run: Run, *, groups: bool = False) -> NoReturn:
    """Fork processes until the worker is gone, and end then.

    Args:
        given: What `begin` returned.
        run: What each does.
        groups: Whether each leads a session of its own, all of which is killed when it ends.

    Raises:
        RuntimeError: There are threads, which would be missing in what is forked.
    """
    gc.freeze()
    if (threads := count_threads()) != 1:
        raise RuntimeError(f"{threads} threads run, so nothing may be forked")
    if given.orphan_seconds:
        outlive_parent()  # its end of the socket is closed then, and they get their time
    with (
        socket.socket(fileno=given.control) as control,
        socket.socket(fileno=given.lease) as lease,
    ):
        ForkServer(
            control=control,
            lease=lease,
            run=run,
            orphan_seconds=given.orphan_seconds,
            groups=groups,
        ).serve()
    os._exit(0)  # those that are left die with this process


class ForkServer:
    """Forks processes and tells when they are gone.

    Args:
        control: The socket for requests and answers.
        lease: The socket for the lease.
        run: What a process does with its socket.
        orphan_seconds: How long they may live on without the worker.
        groups: Whether each leads a session of its own.
    """

    def __init__(
        self,
        *,
        control: socket.socket,
        lease: socket.socket,
        run: Run,
        orphan_seconds: float,
        groups: bool,
    ) -> None:
        self._control = control
        self._lease = lease
        self._lease.settimeout(0)
        self._run = run
        self._groups = groups
        self._orphan_seconds = orphan_seconds
        self._deadline = math.inf
        self._lease_ended = False
        self._kill_at = math.inf
        self._kill_timer = _kill_timer()
        self._pid = os.getpid()
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._poll.register(lease, select.POLLIN)
        self._children: dict[int, int] = {}  # by pidfd

    def serve(self) -> None:
        """Serve until the worker has closed its end and the processes have left."""
        self._tell(Ready())
        is_open = True
        while is_open:
            # A lease that has come in the meantime counts, also if its end would have come before.
            ready = self._poll.poll(_milliseconds(self._next_deadline()))
            self._take_lease()
            if lease_time() >= self._next_deadline():
                self._end_lease()
            for descriptor, _ in ready:
                if descriptor in self._children:
                    self._reap(descriptor)
                elif descriptor == self._control.fileno():
                    is_open = self._take()
        self._wait_for_orphans()

    def _take_lease(self) -> None:
        """Learn how long the lease lasts by now; the last one counts."""
        with suppress(OSError):  # nothing more, or the worker is gone, which shows on the other one
            while data := self._lease.recv(MAX_PACKET_BYTES):
                for frame in FrameDecoder(_DECODER).feed(data):
                    assert isinstance(frame, Lease)
                    self._deadline = math.inf if frame.deadline is None else frame.deadline
                    self._lease_ended = False
                    # One that is over when it comes ends as any other: there is time to leave.
                    least = max(self._deadline, lease_time()) + SPARE_SECONDS
                    self._set_kill_timer(max(least, self._deadline + frame.spare_seconds))

    def _set_kill_timer(self, at: float) -> None:
        """Have the kernel end this process then; never before the lease, nor its orphans' time."""
        if self._kill_timer is not None:
            self._kill_timer.set(at)

    def _next_deadline(self) -> float:
        if self._lease_ended:
            return self._kill_at if self._children else math.inf
        return self._deadline

    def _end_lease(self) -> None:
        """Tell them to leave, and kill those that have not after a moment."""
        order = signal.SIGKILL if self._lease_ended else signal.SIGTERM
        self._kill_at = math.inf if self._lease_ended else lease_time() + LEAVE_SECONDS
        self._lease_ended = True
        for pidfd in self._children:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, order)
        if order == signal.SIGKILL or not self._children:
            self._set_kill_timer(math.inf)

    def _wait_for_orphans(self) -> None:
        """Let them finish without the worker, until the lease ends: before the timer would kill."""
        self._poll.unregister(self._control)
        self._poll.unregister(self._lease)
        until = min(lease_time() + self._orphan_seconds, self._deadline)
        while self._children and lease_time() < until:
            for pidfd, _ in self._poll.poll(_milliseconds(until)):
                self._reap(pidfd)
        for pid in self._children.values():
            self._kill_group(pid)

    def _take(self) -> bool:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, MAX_PACKET_BYTES, 1)
        except OSError:
            return False
        if not data:
            return False
        self._take_lease()
        for frame in FrameDecoder(_DECODER).feed(data):
            if isinstance(frame, Measure):
                self._tell(Measured(pss_bytes=pss_bytes(self._pid) or 0))
                continue
            assert isinstance(frame, Fork)
            if descriptors:
                self._fork(frame.number, socket.socket(fileno=descriptors[0]))
            else:  # the kernel leaves out what this process has no number for
                self._tell(NotForked(number=frame.number, detail=os.strerror(errno.EMFILE)))
        return True

    def _fork(self, number: int, theirs: socket.socket) -> None:
        with theirs:
            if lease_time() >= self._deadline:
                self._tell(NotForked(number=number, detail="the worker's lease has ended"))
                return
            try:
                pid = os.fork()
            except OSError as error:
                self._tell(NotForked(number=number, detail=error.strerror or "fork failed"))
                return
            if pid == 0:
                self._become(theirs)
        try:
            pidfd = os.pidfd_open(pid)
        except OSError as error:  # the others must not end for that
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._tell(NotForked(number=number, detail=error.strerror or "no pidfd"))
            return
        self._children[pidfd] = pid
        self._poll.register(pidfd, select.POLLIN)
        self._tell(Forked(number=number, pid=pid), pidfd)

    def _become(self, theirs: socket.socket) -> NoReturn:
        """Be a forked process, which has nothing of this one's but its memory."""
        try:
            die_with_parent(self._pid)
            if self._groups:
                os.setsid()
            self._control.close()
            self._lease.close()
            for pidfd in self._children:
                os.close(pidfd)
        except BaseException:  # noqa: BLE001 - must not go on as a second fork server
            os._exit(1)
        self._run(theirs)

    def _reap(self, pidfd: int) -> None:
        pid = self._children.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        self._kill_group(pid)  # before it is waited for: until then its number is nobody else's
        _, status = os.waitpid(pid, 0)
        if self._lease_ended and not self._children:
            self._set_kill_timer(math.inf)
        self._tell(Reaped(pid=pid, status=os.waitstatus_to_exitcode(status)))

    def _kill_group(self, pid: int) -> None:
        """Kill whatever a process has started."""
        if self._groups:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def _tell(self, frame: FromForkServer, *descriptors: int) -> None:
        with suppress(OSError):  # the worker is gone, which is found out by itself
            socket.send_fds(self._control, [encode(frame)], descriptors)


def _kill_timer() -> KillTimer | None:
    """Return what ends this process if it stands still; None where there is no such timer."""
    try:
        return KillTimer()
    except OSError as error:
        sys.stderr.write(f"no timer to end the processes with: {error.strerror}\n")
        return None


def _milliseconds(until: float) -> int | None:
    """Return a timeout for `poll` that does not end before a moment, but for a suspension."""
    return None if until == math.inf else max(0, math.ceil((until - lease_time()) * 1000))
