"""JIDs as the library takes them."""

from typing import Final

from neonize.proto.Neonize_pb2 import JID

from gateway_worker.whatsapp.convert.people import PHONE_SERVER

PLAIN: Final = {"Device": 0, "Integrator": 0, "IsEmpty": False, "RawAgent": 0}
"""What is required of a JID and says nothing."""


def parse_jid(text: str) -> JID:
    """Return a JID from `user:device@server`."""
    user, _, server = text.partition("@")
    user, _, device = user.partition(":")
    return JID(User=user, Server=server or PHONE_SERVER, **{**PLAIN, "Device": int(device or 0)})
