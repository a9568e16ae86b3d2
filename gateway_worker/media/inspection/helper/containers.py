"""Opens what can be played, by one named demuxer: others follow addresses that a file names."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import av
from av.container import InputContainer

from gateway_worker.media.inspection.helper.refusal import DAMAGED, RefusalError


@contextmanager
def opened(file: BinaryIO, demuxer: str) -> Iterator[InputContainer]:
    """Open a file for playing; whatever goes wrong inside means that it is damaged."""
    try:
        with av.open(file, mode="r", format=demuxer, metadata_errors="replace") as container:
            yield container
    except MemoryError:  # FFmpeg's, too
        raise
    except (av.FFmpegError, ValueError, OSError) as error:
        raise RefusalError(DAMAGED) from error


def whole_seconds(seconds: float) -> int:
    """Return a length as it is told: rounded, and never nothing."""
    return max(1, round(seconds))
