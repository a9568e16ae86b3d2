"""Memory and processor time of the worker and its processes."""

import asyncio
import os
import sys
import time

from gateway_worker.health.resources import ResourceMeter, Usage


def spend_processor_time(seconds: float) -> None:
    """Keep one core busy."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


async def test_the_worker_and_its_processes_are_added_up() -> None:
    """The first of the processes is the fork server; the others are hosts."""
    memory = {11: 1_000, 12: 20, 13: 3}
    meter = ResourceMeter(host_pids=lambda: tuple(memory), pss_bytes=lambda pid: memory[pid])

    usage = await meter.measure()

    assert usage.hosts_pss_bytes == 1_023
    assert usage.hosts == 2
    assert usage.worker_rss_bytes > 1_000_000
    assert meter.last == usage


async def test_memory_is_not_measured_each_time() -> None:
    """To measure it costs the kernel more than the rest; but other processes are another sum."""
    memory = {11: 1_000, 12: 20}
    asked: list[int] = []

    def pss_bytes(pid: int) -> int:
        asked.append(pid)
        return memory[pid]

    meter = ResourceMeter(host_pids=lambda: tuple(memory), pss_bytes=pss_bytes)
    first = await meter.measure()
    memory[12] = 30
    second = await meter.measure()
    memory[13] = 5
    third = await meter.measure()

    assert [one.hosts_pss_bytes for one in (first, second, third)] == [1_020, 1_020, 1_035]
    assert asked == [11, 12, 11, 12, 13]


async def test_a_process_that_has_just_ended_counts_as_nothing() -> None:
    """Hosts come and go while they are being measured."""
    ended = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await ended.wait()
    meter = ResourceMeter(host_pids=lambda: (ended.pid,), pss_bytes=lambda _pid: None)

    usage = await meter.measure()

    assert usage.hosts_pss_bytes == 0
    assert usage.cpu_percent >= 0


async def test_processor_time_is_that_since_the_last_measurement() -> None:
    """The first covers the time since the process began; never more than there are cores."""
    meter = ResourceMeter(host_pids=tuple, pss_bytes=lambda _pid: None)

    first = await meter.measure()
    spend_processor_time(0.05)
    second = await meter.measure()

    limit = 100 * (os.cpu_count() or 1) * 1.5  # clocks of different resolution
    assert 0 < first.cpu_percent <= limit
    assert 0 < second.cpu_percent <= limit


async def test_nothing_is_measured_before_somebody_asks() -> None:
    """Until then everything is zero."""
    meter = ResourceMeter(host_pids=tuple, pss_bytes=lambda _pid: None)

    assert meter.last == Usage()
