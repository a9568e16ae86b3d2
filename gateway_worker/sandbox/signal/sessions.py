"""The book of keys and sessions that one device keeps.

Per peer device the book holds the current session and a few earlier ones: both sides may open a
session at the same moment, and messages of the losing one are still on their way. A message is
tried on each; the session that reads it becomes the current one.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from gateway_worker.sandbox.signal.errors import NoSessionError, UnknownPreKeyError
from gateway_worker.sandbox.signal.keys import (
    KeyPair,
    PreKey,
    PreKeyBundle,
    PublicPreKey,
    SignedPreKey,
    new_registration_id,
)
from gateway_worker.sandbox.signal.messages import PreKeySignalMessage, SignalMessage
from gateway_worker.sandbox.signal.x3dh import initiate, respond

if TYPE_CHECKING:
    from gateway_worker.sandbox.signal.ratchet import Session

MAX_SESSIONS_PER_PEER: Final = 20


class CiphertextKind(enum.StrEnum):
    """The `type` attribute of an `enc` node; the last is for a group, see `sender_keys`."""

    PRE_KEY = "pkmsg"
    MESSAGE = "msg"
    SENDER_KEY = "skmsg"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAddress:
    """One device of a peer: the user part of its LID and the device number."""

    user: str
    device: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ciphertext:
    """An encrypted message and how it must be announced."""

    kind: CiphertextKind
    data: bytes


class SessionBook:
    """Keys and sessions of one device. Not thread-safe; holds everything in memory."""

    def __init__(self, *, identity: KeyPair, signed: SignedPreKey, registration_id: int) -> None:
        self.identity = identity
        self.registration_id = registration_id
        self._signed = {signed.key_id: signed}
        self._current_signed = signed
        self._one_time: dict[int, PreKey] = {}
        self._next_key_id = 1
        self._sessions: dict[PeerAddress, list[Session]] = {}

    @classmethod
    def generate(cls) -> Self:
        """Make the book of a new device."""
        identity = KeyPair.generate()
        return cls(
            identity=identity,
            signed=SignedPreKey.generate(identity=identity, key_id=1),
            registration_id=new_registration_id(),
        )

    @property
    def one_time_left(self) -> int:
        """How many one-time keys were handed out or lie ready, and were not used yet."""
        return len(self._one_time)

    def bundle(self, *, one_time: PublicPreKey | None = None) -> PreKeyBundle:
        """Return the public bundle, with the given one-time key if any."""
        return PreKeyBundle(
            registration_id=self.registration_id,
            identity=self.identity.public,
            signed=self._current_signed.published,
            one_time=one_time,
        )

    def new_one_time_key(self) -> PublicPreKey:
        """Draw a one-time key and keep its secret until a message uses it."""
        key = PreKey(key_id=self._next_key_id, pair=KeyPair.generate())
        self._next_key_id += 1
        self._one_time[key.key_id] = key
        return PublicPreKey(key_id=key.key_id, public=key.pair.public)

    def new_one_time_keys(self, count: int) -> list[PublicPreKey]:
        """Draw some; see `new_one_time_key`."""
        return [self.new_one_time_key() for _ in range(count)]

    def has_session(self, peer: PeerAddress) -> bool:
        """Tell whether a message for `peer` can be encrypted without its bundle."""
        return bool(self._sessions.get(peer))

    def open(self, peer: PeerAddress, bundle: PreKeyBundle) -> None:
        """Open a new current session with `peer`; earlier ones stay readable.

        Raises:
            UntrustedBundleError: the bundle's signature does not verify.
        """
        self._keep(
            peer,
            initiate(identity=self.identity, registration_id=self.registration_id, bundle=bundle),
        )

    def forget(self, peer: PeerAddress) -> None:
        """Drop every session with `peer`; a no-op when there is none."""
        self._sessions.pop(peer, None)

    def encrypt(self, peer: PeerAddress, plaintext: bytes) -> Ciphertext:
        """Encrypt for `peer` in the current session.

        Raises:
            NoSessionError: none was opened or received.
        """
        sessions = self._sessions.get(peer)
        if not sessions:
            raise NoSessionError("no session with this device")
        message = sessions[0].encrypt(plaintext)
        kind = (
            CiphertextKind.PRE_KEY
            if isinstance(message, PreKeySignalMessage)
            else CiphertextKind.MESSAGE
        )
        return Ciphertext(kind=kind, data=message.to_bytes())

    def decrypt(self, peer: PeerAddress, ciphertext: Ciphertext) -> bytes:
        """Decrypt what `peer` sent.

        Raises:
            DuplicateMessageError: it was decrypted before.
            MalformedMessageError: it is not a Signal message.
            NoSessionError: no session reads it.
            UnknownPreKeyError: it names a key of ours that is gone.
        """
        if ciphertext.kind is CiphertextKind.PRE_KEY:
            return self._decrypt_first(peer, PreKeySignalMessage.from_bytes(ciphertext.data))
        return self._decrypt_any(peer, SignalMessage.from_bytes(ciphertext.data))

    def _decrypt_first(self, peer: PeerAddress, message: PreKeySignalMessage) -> bytes:
        for session in self._sessions.get(peer, []):
            if session.base_public == message.base_public:
                return self._decrypt_any(peer, message.message)
        session = self._respond(message)
        plaintext = session.decrypt(message.message)
        self._keep(peer, session)
        if message.pre_key_id is not None:
            del self._one_time[message.pre_key_id]
        return plaintext

    def _respond(self, message: PreKeySignalMessage) -> Session:
        signed = self._signed.get(message.signed_key_id)
        if signed is None:
            raise UnknownPreKeyError(f"no signed pre-key {message.signed_key_id}")
        one_time = None
        if message.pre_key_id is not None:
            one_time = self._one_time.get(message.pre_key_id)
            if one_time is None:
                raise UnknownPreKeyError(f"no one-time key {message.pre_key_id}")
        return respond(
            identity=self.identity,
            registration_id=self.registration_id,
            signed=signed,
            one_time=one_time,
            message=message,
        )

    def _decrypt_any(self, peer: PeerAddress, message: SignalMessage) -> bytes:
        sessions = self._sessions.get(peer, [])
        for position, session in enumerate(sessions):
            try:
                plaintext = session.decrypt(message)
            except NoSessionError:
                continue
            sessions.insert(0, sessions.pop(position))
            return plaintext
        raise NoSessionError("no session reads this message")

    def _keep(self, peer: PeerAddress, session: Session) -> None:
        sessions = self._sessions.setdefault(peer, [])
        sessions.insert(0, session)
        del sessions[MAX_SESSIONS_PER_PEER:]
