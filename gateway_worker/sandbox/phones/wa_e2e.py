"""What is inside a message, and a history: the protocol buffers that the client library ships.

`import neonize` would start the library's Go runtime in this process. Its generated modules need
nothing of that, so they are imported from their folder, without the package around them. They name
each other as if that folder were in `sys.path`, and so it is while they are imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import (
        ContextInfo,
        EventResponseMessage,
        Message,
        PollVoteMessage,
        ProtocolMessage,
        SecretEncryptedMessage,
    )
    from neonize.proto.waHistorySync.WAWebProtobufsHistorySync_pb2 import HistorySync

__all__ = [
    "ContextInfo",
    "EventResponseMessage",
    "HistorySync",
    "Message",
    "PollVoteMessage",
    "ProtocolMessage",
    "SecretEncryptedMessage",
]


def _load(name: str) -> ModuleType:
    spec = importlib.util.find_spec("neonize")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("the neonize package is not installed")
    folder = str(Path(spec.submodule_search_locations[0]) / "proto")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)


if not TYPE_CHECKING:
    _module = _load("waE2E.WAWebProtobufsE2E_pb2")
    ContextInfo = _module.ContextInfo
    EventResponseMessage = _module.EventResponseMessage
    Message = _module.Message
    PollVoteMessage = _module.PollVoteMessage
    ProtocolMessage = _module.ProtocolMessage
    SecretEncryptedMessage = _module.SecretEncryptedMessage
    HistorySync = _load("waHistorySync.WAWebProtobufsHistorySync_pb2").HistorySync
