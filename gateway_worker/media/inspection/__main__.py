"""What helper processes are forked from, and what one does: it answers one question.

`python -I -m gateway_worker.media.inspection SOCKET LEASE PARENT SECONDS`
"""

import gc
import os
import socket
import sys
import traceback
from typing import Final, NoReturn

import msgspec

from gateway_worker.media.inspection.helper.kinds import inspect
from gateway_worker.media.inspection.helper.loading import load
from gateway_worker.media.inspection.helper.refusal import RefusalError
from gateway_worker.media.inspection.limits import end_first, give_up
from gateway_worker.media.inspection.protocol import Answer, Broken, Question, Refused
from gateway_worker.runtime.confinement import prepare
from gateway_worker.runtime.forking.server import begin, serve

_FAILED: Final = 70
_OUTPUTS: Final = (1, 2)
_READ_BYTES: Final = 65_536


def main() -> None:
    """Have everything in memory, then serve."""
    end_first()
    given = begin(sys.argv[1:], name="media-zygote")
    load()
    prepare()
    serve(given, answer, groups=True)


def answer(asked: socket.socket) -> NoReturn:
    """Answer the question that comes over a socket; never returns."""
    status = _FAILED
    try:
        gc.enable()
        _silence()
        question = msgspec.json.decode(_received(asked), type=Question)
        asked.sendall(msgspec.json.encode(_looked_at(question)))
        status = 0
    finally:
        os._exit(status)


def _looked_at(question: Question) -> Answer:
    """Give up everything else, and look at a file."""
    try:
        give_up(question)
        return inspect(question)
    except RefusalError as refusal:
        return Refused(detail=str(refusal))
    except MemoryError:
        return Refused(detail="looking at the file takes more memory than it may")
    except Exception as error:  # noqa: BLE001 - the root of the process
        place = traceback.extract_tb(error.__traceback__)[-1]
        detail = f"{type(error).__name__} in {place.name}, line {place.lineno}"
        return Broken(detail=detail)


def _silence() -> None:
    """Let nothing that a file makes a library say come to the worker's log."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in _OUTPUTS:
        os.dup2(nowhere, output)
    os.close(nowhere)


def _received(asked: socket.socket) -> bytes:
    data = bytearray()
    while part := asked.recv(_READ_BYTES):
        data += part
    return bytes(data)


if __name__ == "__main__":
    main()
