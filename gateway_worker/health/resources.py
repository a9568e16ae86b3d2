"""Memory and CPU of the worker with its zygote and hosts, measured off the event loop."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil
import structlog

log = structlog.get_logger(__name__)

MEMORY_SECONDS = 30.0
"""How old the figures of memory may be while the processes are the same: for them the kernel walks
through all pages of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the worker and its processes use.

    Attributes:
        worker_rss_bytes: The worker's own process.
        hosts_pss_bytes: Zygote and hosts, shared pages counted once.
        hosts: How many hosts there are.
        cpu_percent: All of them together since the last measurement; 100 is one core.
    """

    worker_rss_bytes: int = 0
    hosts_pss_bytes: int = 0
    hosts: int = 0
    cpu_percent: float = 0.0


class ResourceMeter:
    """Measures on demand.

    Args:
        host_pids: Returns the pids of the zygote and the hosts.
        pss_bytes: Returns the proportional memory of a process; None if it is gone.
        memory_seconds: How old the figures of memory may be.
    """

    def __init__(
        self,
        *,
        host_pids: Callable[[], Sequence[int]],
        pss_bytes: Callable[[int], int | None],
        memory_seconds: float = MEMORY_SECONDS,
    ) -> None:
        self._host_pids = host_pids
        self._pss_bytes = pss_bytes
        self._memory_seconds = memory_seconds
        self._memory_due = 0.0
        self._memory_of: Sequence[int] = ()
        self._worker = psutil.Process()
        # One of its own: in the common one it would wait behind files that are copied.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="resources")
        self._cpu_seconds: dict[int, float] = {}
        self._measured_at: float | None = None
        self.last = Usage()

    async def measure(self) -> Usage:
        """Measure now; reading the memory of many processes takes milliseconds, so in a thread.

        Figures that cannot be had are those of before.
        """
        pids = tuple(self._host_pids())
        try:
            loop = asyncio.get_running_loop()
            self.last = await loop.run_in_executor(self._thread, self._measure, pids)
        except (OSError, psutil.Error) as error:  # no descriptor left, say: no reason to end
            log.warning("resources.not_measured", reason=repr(error))
        return self.last

    def _measure(self, pids: Sequence[int]) -> Usage:
        hosts_pss_bytes = self.last.hosts_pss_bytes
        now = time.monotonic()
        if now >= self._memory_due or pids != self._memory_of:
            hosts_pss_bytes = sum(self._pss_bytes(pid) or 0 for pid in pids)
            # What has told nothing so far will by the next time.
            self._memory_due = now + (self._memory_seconds if hosts_pss_bytes else 0.0)
            self._memory_of = pids
        return Usage(
            worker_rss_bytes=self._worker.memory_info().rss,
            hosts_pss_bytes=hosts_pss_bytes,
            hosts=max(0, len(pids) - 1),
            cpu_percent=self._cpu_percent((self._worker.pid, *pids)),
        )

    def _cpu_percent(self, pids: Sequence[int]) -> float:
        """Return the CPU time since the last call in percent of one core."""
        now = time.monotonic()
        seconds = {pid: used for pid in pids if (used := _cpu_seconds(pid)) is not None}
        spent = sum(used - self._cpu_seconds.get(pid, 0.0) for pid, used in seconds.items())
        if self._measured_at is None:  # all of it was spent since the worker's start
            elapsed = time.time() - self._worker.create_time()
        else:
            elapsed = now - self._measured_at
        self._cpu_seconds, self._measured_at = seconds, now
        return round(100 * spent / max(1e-3, elapsed), 1)


def _cpu_seconds(pid: int) -> float | None:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return None
    return float(times.user + times.system)
