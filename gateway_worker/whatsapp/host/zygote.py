"""The fork server: `python -m gateway_worker.whatsapp.host.zygote SOCKET LEASE PARENT SECONDS`.

Everything is imported once and stays shared with all hosts, copy on write: nothing is imported
after the fork, and the collector leaves what it finds here alone. The native library reads the
environment that was there at `exec`, so the worker sets it when it starts this program.

It is also the hosts' dead man's switch. When the lease that the worker gave it ends, they are
killed, whatever has become of the worker. When the worker is gone they get the last argument's
seconds to finish what they are at; they notice by themselves.

The sockets are of the kind that keeps packets apart (SOCK_SEQPACKET): each is one frame and carries
at most one descriptor, a host's socket on the way in and its pidfd on the way out. The lease has a
socket of its own, and is looked at before every fork: it never waits for requests.
"""

import errno
import gc
import importlib
import math
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
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
from gateway_worker.runtime.confinement import keep_private, prepare
from gateway_worker.whatsapp.host.heap import fill_holes
from gateway_worker.whatsapp.host.kernel import (
    count_threads,
    die_with_parent,
    name_process,
    outlive_parent,
    reap_children,
)
from gateway_worker.whatsapp.host.preload import Deferred, preload
from gateway_worker.whatsapp.memory import pss_bytes

MAX_PACKET_BYTES: Final = 4096
_DECODER: Final[msgspec.json.Decoder[ToForkServer]] = msgspec.json.Decoder(ToForkServer)


class ForkServer:
    """Forks hosts and tells when they are gone.

    Args:
        control: The socket for requests and answers.
        lease: The socket for the lease.
        deferred: The native library, not loaded.
        run_host: What a host does with its socket.
        orphan_seconds: How long hosts may live on without the worker.
    """

    def __init__(
        self,
        *,
        control: socket.socket,
        lease: socket.socket,
        deferred: Deferred,
        run_host: Callable[[socket.socket, Deferred], NoReturn],
        orphan_seconds: float,
    ) -> None:
        self._control = control
        self._lease = lease
        self._lease.settimeout(0)
        self._deferred = deferred
        self._run_host = run_host
        self._orphan_seconds = orphan_seconds
        self._deadline = math.inf
        self._lease_ended = False
        self._kill_at = math.inf
        self._pid = os.getpid()
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._poll.register(lease, select.POLLIN)
        self._children: dict[int, int] = {}  # by pidfd

    def serve(self) -> None:
        """Serve until the worker has closed its end and the hosts have left."""
        self._tell(Ready())
        is_open = True
        while is_open:
            # A lease that has come in the meantime counts, also if its end would have come before.
            ready = self._poll.poll(_milliseconds(self._next_deadline()))
            self._take_lease()
            if time.monotonic() >= self._next_deadline():
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

    def _next_deadline(self) -> float:
        if self._lease_ended:
            return self._kill_at if self._children else math.inf
        return self._deadline

    def _end_lease(self) -> None:
        """Tell the hosts to leave, and kill those that have not after a moment."""
        order = signal.SIGKILL if self._lease_ended else signal.SIGTERM
        self._kill_at = math.inf if self._lease_ended else time.monotonic() + LEAVE_SECONDS
        self._lease_ended = True
        for pidfd in self._children:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, order)

    def _wait_for_orphans(self) -> None:
        self._poll.unregister(self._control)
        self._poll.unregister(self._lease)
        until = min(time.monotonic() + self._orphan_seconds, self._deadline)
        while self._children and time.monotonic() < until:
            for pidfd, _ in self._poll.poll(_milliseconds(until)):
                self._reap(pidfd)

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

    def _fork(self, number: int, host: socket.socket) -> None:
        with host:
            if time.monotonic() >= self._deadline:
                self._tell(NotForked(number=number, detail="the worker's lease has ended"))
                return
            try:
                pid = os.fork()
            except OSError as error:
                self._tell(NotForked(number=number, detail=error.strerror or "fork failed"))
                return
            if pid == 0:
                self._become_host(host)
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

    def _become_host(self, host: socket.socket) -> NoReturn:
        try:
            die_with_parent(self._pid)
            self._control.close()
            self._lease.close()
            for pidfd in self._children:
                os.close(pidfd)
        except BaseException:  # noqa: BLE001 - must not go on as a second fork server
            os._exit(1)
        self._run_host(host, self._deferred)

    def _reap(self, pidfd: int) -> None:
        pid = self._children.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        self._tell(Reaped(pid=pid, status=os.waitstatus_to_exitcode(status)))

    def _tell(self, frame: FromForkServer, *descriptors: int) -> None:
        with suppress(OSError):  # the worker is gone, which is found out by itself
            socket.send_fds(self._control, [encode(frame)], descriptors)


def _milliseconds(until: float) -> int | None:
    """Return a timeout for `poll` that does not end before a moment of the monotonic clock."""
    return None if until == math.inf else max(0, math.ceil((until - time.monotonic()) * 1000))


def main() -> None:
    """Import everything, then serve."""
    control_fd, lease_fd, worker = (int(argument) for argument in sys.argv[1:4])
    orphan_seconds = float(sys.argv[4])
    die_with_parent(worker)
    keep_private()
    name_process("wa-zygote")
    gc.disable()  # a collection would leave holes that hosts then fill, page by page
    deferred = preload()
    run = importlib.import_module("gateway_worker.whatsapp.host.run")  # imports neonize: not before
    reap_children()  # importing neonize runs `uname` in a shell and does not wait for its end
    prepare(str(Path(deferred.path).parent))
    deferred.record()
    fill_holes()
    gc.freeze()
    if (threads := count_threads()) != 1:
        raise RuntimeError(f"{threads} threads run, so nothing may be forked")
    outlive_parent()  # its end of the socket is closed then, and hosts get their time
    with socket.socket(fileno=control_fd) as control, socket.socket(fileno=lease_fd) as lease:
        ForkServer(
            control=control,
            lease=lease,
            deferred=deferred,
            run_host=run.run_host,
            orphan_seconds=orphan_seconds,
        ).serve()
    os._exit(0)  # hosts that are left die with this process


if __name__ == "__main__":
    main()
