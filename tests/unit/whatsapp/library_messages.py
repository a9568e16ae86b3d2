"""The library's message classes without the library: importing `neonize` would load Go."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any


def load(module: str) -> Any:
    """Return a generated module of neonize, such as `Neonize_pb2`."""
    spec = importlib.util.find_spec("neonize")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = str(Path(spec.submodule_search_locations[0]) / "proto")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(module)


events = load("Neonize_pb2")
e2e = load("waE2E.WAWebProtobufsE2E_pb2")


@contextmanager
def only_messages() -> Iterator[None]:
    """Let modules of hosts be imported that need the library's messages and nothing else of it."""
    assert "neonize" not in sys.modules
    names = {"neonize": ModuleType("neonize"), "neonize.proto": ModuleType("neonize.proto")}
    sys.modules.update(names | {"neonize.proto.Neonize_pb2": events})
    try:
        yield
    finally:
        for name in (*names, "neonize.proto.Neonize_pb2"):
            del sys.modules[name]


LID, PHONE, GROUP = "lid", "s.whatsapp.net", "g.us"


def jid(user: str, server: str = PHONE, device: int = 0) -> Any:
    """Return a JID as the library fills it in."""
    return events.JID(
        User=user, Server=server, Device=device, RawAgent=0, Integrator=0, IsEmpty=not user
    )


def source(**values: Any) -> Any:
    """Return where a message or receipt comes from; ids not given are empty, as from Go."""
    nobody = jid("", "")
    filled = {
        "Chat": nobody,
        "Sender": nobody,
        "SenderAlt": nobody,
        "RecipientAlt": nobody,
        "IsFromMe": False,
        "IsGroup": False,
    } | values
    return events.MessageSource(**filled)


def arrival(content: Any, *, origin: Any, message_id: str = "3EB0AA", name: str = "Ben") -> Any:
    """Return a message event."""
    info = events.MessageInfo(
        MessageSource=origin,
        ID=message_id,
        Pushname=name,
        Timestamp=1_795_502_481_000,
        Type="text",
        ServerID=0,
    )
    return events.Message(Info=info, Message=content)
