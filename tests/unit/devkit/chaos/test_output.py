"""What a worker prints is copied, unless it is to be left in its pipe."""

import os
from pathlib import Path

from gateway_worker.devkit.chaos.output import Output
from tests.support.eventually import eventually


async def test_a_pipe_is_full_soon_while_nobody_reads_and_loses_nothing(tmp_path: Path) -> None:
    """All that was written stands in the file in the end."""
    pipe, file = tmp_path / "pipe", tmp_path / "file"
    with Output.open(pipe, file) as output:
        writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        written = os.write(writer, b"first\n")
        await eventually(lambda: file.read_bytes() == b"first\n")

        output.leave_unread()
        try:
            while written < 1_000_000:
                written += os.write(writer, b"x" * 512)
        except BlockingIOError:
            pass
        assert written < 10_000
        assert file.read_bytes() == b"first\n"

        output.read()
        await eventually(lambda: file.stat().st_size == written)
        os.close(writer)
