"""Sender keys: one ciphertext that a whole group can read.

Each device has a key of its own per group: a symmetric chain, which every member is given in a
session between two, and a signing key, for the chain alone would let every member write in the
name of the others. Nothing changes before a message's signature and padding were right.

Whoever has left must not read on, so a sender draws a new key (`SenderKeyBook.renew`) then.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.signal import cbc
from gateway_worker.sandbox.signal.errors import ForgedMessageError, NoSenderKeyError
from gateway_worker.sandbox.signal.group_messages import SenderKeyDistribution, SenderKeyMessage
from gateway_worker.sandbox.signal.kdf import ChainKey, GroupMessageKeys
from gateway_worker.sandbox.signal.keys import KEY_BYTES, KeyPair
from gateway_worker.sandbox.signal.reading import MAX_AHEAD, ReadingChain
from gateway_worker.sandbox.signal.sessions import Ciphertext, CiphertextKind

if TYPE_CHECKING:
    from gateway_worker.sandbox.signal.sessions import PeerAddress

MAX_KEYS_PER_SENDER: Final = 5
_KEY_ID_BITS: Final = 31


@dataclass(slots=True, kw_only=True)
class OwnKey:
    """What this device writes with in one group."""

    key_id: int
    signing: KeyPair
    chain: ChainKey

    @classmethod
    def generate(cls) -> OwnKey:
        """Draw a key."""
        return cls(
            key_id=secrets.randbits(_KEY_ID_BITS),
            signing=KeyPair.generate(),
            chain=ChainKey(key=secrets.token_bytes(KEY_BYTES)),
        )

    @property
    def distribution(self) -> SenderKeyDistribution:
        """What reads the messages from the next one on."""
        return SenderKeyDistribution(
            key_id=self.key_id,
            iteration=self.chain.index,
            chain_key=self.chain.key,
            signing_public=self.signing.public,
        )

    def encrypt(self, plaintext: bytes) -> SenderKeyMessage:
        """Encrypt the next message."""
        keys = GroupMessageKeys.from_seed(self.chain.message_seed())
        message = SenderKeyMessage.sealed(
            key_id=self.key_id,
            iteration=self.chain.index,
            ciphertext=cbc.encrypt(key=keys.cipher_key, iv=keys.iv, plaintext=plaintext),
            signing=self.signing,
        )
        self.chain = self.chain.following()
        return message


@dataclass(slots=True, kw_only=True)
class SenderKey:
    """What reads one key's messages.

    Attributes:
        key_id: its number, drawn by the sender.
        signing_public: raw; every message must be signed by its owner.
        reading: its chain.
    """

    key_id: int
    signing_public: bytes
    reading: ReadingChain

    @classmethod
    def of(cls, given: SenderKeyDistribution) -> SenderKey:
        """Begin where the sender says."""
        return cls(
            key_id=given.key_id,
            signing_public=given.signing_public,
            reading=ReadingChain(next_key=ChainKey(key=given.chain_key, index=given.iteration)),
        )

    def covers(self, given: SenderKeyDistribution) -> bool:
        """Tell whether this reads all that a distribution would, and perhaps earlier ones."""
        if (given.key_id, given.signing_public) != (self.key_id, self.signing_public):
            return False
        return given.iteration - self.reading.next_key.index <= MAX_AHEAD

    def decrypt(self, message: SenderKeyMessage) -> bytes:
        """Decrypt a message of this key, in whatever order it arrives.

        Raises:
            DuplicateMessageError: its seed was used before, or dropped as too old.
            ForgedMessageError: the key's owner has not signed it.
            MalformedMessageError: the signature is right and the ciphertext is not.
            TooFarAheadError: too many messages before it are missing.
        """
        if not message.is_signed_by(self.signing_public):
            raise ForgedMessageError("the signature does not verify")
        return self.reading.open(message.iteration, lambda seed: _unseal(seed, message))


class SenderKeyBook:
    """The sender keys of one device, its own and those it was given; groups are told by name."""

    def __init__(self) -> None:
        """Start with none."""
        self._own: dict[str, OwnKey] = {}
        self._given: dict[tuple[str, PeerAddress], list[SenderKey]] = {}

    def distribution(self, group: str) -> bytes:
        """Return what another device needs to read this one's messages from the next one on."""
        return self._own_key(group).distribution.to_bytes()

    def encrypt(self, group: str, plaintext: bytes) -> Ciphertext:
        """Encrypt the next message for a group."""
        message = self._own_key(group).encrypt(plaintext)
        return Ciphertext(kind=CiphertextKind.SENDER_KEY, data=message.to_bytes())

    def renew(self, group: str) -> None:
        """Draw a new key for the next message, which nobody has been given."""
        self._own.pop(group, None)

    def accept(self, group: str, sender: PeerAddress, distribution: bytes) -> None:
        """Take a key that another device gives; the last few of each stay readable.

        Raises:
            MalformedMessageError: it is none.
        """
        given = SenderKeyDistribution.from_bytes(distribution)
        known = self._given.setdefault((group, sender), [])
        if any(key.covers(given) for key in known):
            return
        known.insert(0, SenderKey.of(given))
        del known[MAX_KEYS_PER_SENDER:]

    def forget(self, group: str, sender: PeerAddress) -> None:
        """Drop what a device has given; a no-op when there is nothing."""
        self._given.pop((group, sender), None)

    def decrypt(self, group: str, sender: PeerAddress, data: bytes) -> bytes:
        """Decrypt what a device wrote to a group.

        Raises:
            DuplicateMessageError: it was decrypted before.
            ForgedMessageError: the sender has not signed it.
            MalformedMessageError: it is no message of a sender key.
            NoSenderKeyError: this device was not given its key.
            TooFarAheadError: too many messages before it are missing.
        """
        message = SenderKeyMessage.from_bytes(data)
        for key in self._given.get((group, sender), ()):
            if key.key_id == message.key_id:
                return key.decrypt(message)
        raise NoSenderKeyError("the sender has not given this key")

    def _own_key(self, group: str) -> OwnKey:
        if group not in self._own:
            self._own[group] = OwnKey.generate()
        return self._own[group]


def _unseal(seed: bytes, message: SenderKeyMessage) -> bytes:
    keys = GroupMessageKeys.from_seed(seed)
    return cbc.decrypt(key=keys.cipher_key, iv=keys.iv, ciphertext=message.ciphertext)
