"""The certificate of a business's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.protobuf import build_messages

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.profile import Profile

_MESSAGES: Final = build_messages(
    "sandbox.business",
    {
        "Certificate": {"details": (1, "bytes"), "signature": (2, "bytes")},
        "Details": {
            "serial": (1, "uint64"),
            "issuer": (2, "string"),
            "verified_name": (4, "string"),
        },
    },
)


def certificate(profile: Profile) -> bytes:
    """Return it as the service sends it; nobody checks the signature."""
    details = _MESSAGES["Details"](
        serial=1, issuer="smb:wa", verified_name=profile.verified_name
    ).SerializeToString()
    data: bytes = _MESSAGES["Certificate"](details=details, signature=bytes(64)).SerializeToString()
    return data
