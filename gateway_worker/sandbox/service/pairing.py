"""What passes between a companion that wants to be linked and the phone that links it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from gateway_worker.sandbox.signal.keys import PreKeyBundle
    from gateway_worker.sandbox.wire.jid import Jid

PAIRING_REFS: Final = 6
"""Refs in one offer: clients show the first for 60 s and each later one for 20 s, then give up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanionKeys:
    """What a companion shows when it asks to be paired.

    Attributes:
        noise_public: the key that its logins will prove.
        bundle: its published keys; one-time prekeys come later.
        platform: what it calls itself.
        platform_type: what it says that it is, by WhatsApp's number.
    """

    noise_public: bytes
    bundle: PreKeyBundle
    platform: str
    platform_type: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedDevice:
    """A companion after pairing.

    Attributes:
        number: its address by phone number, device above 0.
        lid: its address by LID, same device.
        platform: what the companion calls itself in its pairing data.
        platform_type: what it says there that it is, by WhatsApp's number.
        identity: its 32-byte identity key.
        device_identity: the serialized ADVSignedDeviceIdentity with the companion's signature
            (verified by the service) and without the account's key.
    """

    number: Jid
    lid: Jid
    platform: str
    platform_type: int
    identity: bytes
    device_identity: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCodeHello:
    """A companion asks to be linked by a typed code: what its phone receives.

    Attributes:
        ref: names this attempt; goes back in `answer_pair_code`.
        wrapped_ephemeral: 80 bytes: salt (32), iv (16), AES-CTR of the companion's ephemeral key.
        noise_public: the companion's 32-byte Noise key.
        platform_id: kind of client as a decimal string.
        platform_display: what to show, such as `Chrome (Linux)`.
    """

    ref: str
    wrapped_ephemeral: bytes
    noise_public: bytes
    platform_id: str
    platform_display: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCodeFinish:
    """The companion's last message in a pairing by code.

    Attributes:
        ref: as in the hello.
        wrapped_bundle: salt (32), nonce (12), AES-GCM of companion identity, phone identity and
            random.
        identity: the companion's 32-byte identity key.
    """

    ref: str
    wrapped_bundle: bytes
    identity: bytes


class Companion(Protocol):
    """A connection that waits to be paired."""

    @property
    def keys(self) -> CompanionKeys:
        """What it brought."""

    async def accept(self, *, identity_container: bytes, number: Jid, lid: Jid, name: str) -> bytes:
        """Show the account's signed identity and wait for the answer.

        Returns:
            The serialized identity with the companion's verified signature.

        Raises:
            PairingRefusedError: it answered with an error, went away or signed wrongly.
        """

    def relay_code_answer(self, *, ref: str, wrapped_ephemeral: bytes, identity: bytes) -> None:
        """Pass the phone's half of a code pairing on."""

    def ask_passkey(self) -> None:
        """Ask for the passkey of the account, for which it needs a person."""

    def finish(self) -> None:
        """Make it reconnect and log in."""
