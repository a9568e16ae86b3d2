"""Who may upload: a token that the service gives to a device that is logged in."""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.service.errors import MediaRefusedError
from gateway_worker.sandbox.wire.jid import Jid

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Accounts
    from gateway_worker.sandbox.service.devices import DeviceRecord

TOKEN_SECONDS: Final = 6 * 3600
UNAUTHORIZED: Final = 401


class UploadTokens:
    """Tokens that say themselves whose they are and until when, under a key of the service."""

    def __init__(self, *, accounts: Accounts) -> None:
        """Draw the key."""
        self._accounts = accounts
        self._key = secrets.token_bytes(32)

    def issue(self, device: DeviceRecord) -> str:
        """Return a token that is good for `TOKEN_SECONDS`."""
        claim = f"{device.lid} {int(time.time()) + TOKEN_SECONDS}".encode()
        return base64.urlsafe_b64encode(self._seal(claim) + claim).decode()

    def holder(self, token: str) -> DeviceRecord:
        """Return whose token this is.

        Raises:
            MediaRefusedError: (401) it is none of this service, its time is over, or its device is
                no longer linked.
        """
        try:
            data = base64.urlsafe_b64decode(token.encode())
        except ValueError:
            data = b""
        seal, claim = data[:32], data[32:]
        if not hmac.compare_digest(seal, self._seal(claim)):
            raise MediaRefusedError(UNAUTHORIZED, "not a token")
        address, _, expiry = claim.decode().partition(" ")
        device = self._accounts.find_device(Jid.parse(address))
        if device is None or int(expiry) <= time.time():
            raise MediaRefusedError(UNAUTHORIZED, "the token is no longer good")
        return device

    def _seal(self, claim: bytes) -> bytes:
        return hmac.digest(self._key, claim, "sha256")
