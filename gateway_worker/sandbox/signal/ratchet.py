"""The double ratchet: one session between two devices, from the first root key on.

Sending walks a symmetric chain; every reply brings a new ratchet key and with it new chains. A
message that arrives early leaves the keys of those it overtook in the receiving chain (`reading`),
so any order of delivery decrypts. `decrypt` changes the session only after the message's MAC was
verified: a forged or damaged message leaves no trace.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Final

from gateway_worker.sandbox.signal import cbc
from gateway_worker.sandbox.signal.errors import NoSessionError
from gateway_worker.sandbox.signal.kdf import ChainKey, MessageKeys, ratchet_root
from gateway_worker.sandbox.signal.keys import KeyPair
from gateway_worker.sandbox.signal.messages import PreKeySignalMessage, SignalMessage
from gateway_worker.sandbox.signal.reading import ReadingChain

MAX_RECEIVING_CHAINS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingPreKey:
    """What every message repeats until the other side has answered once."""

    pre_key_id: int | None
    signed_key_id: int
    base_public: bytes


@dataclass(slots=True, kw_only=True)
class ReceivingChain:
    """The keys for messages sent under one of the peer's ratchet keys."""

    ratchet_public: bytes
    reading: ReadingChain


@dataclass(slots=True, kw_only=True)
class Session:
    """The state shared with one device of a peer.

    Attributes:
        local_identity: our raw public identity key.
        remote_identity: theirs.
        local_registration_id: sent along while the session is unanswered.
        base_public: the initiator's ephemeral key; names the session.
        root_key: 32 bytes, replaced at every turn of the ratchet.
        sending_pair: our current ratchet key.
        sending_chain: its chain.
        receiving: newest last, at most `MAX_RECEIVING_CHAINS`.
        previous_counter: length of our previous sending chain, minus one.
        pending: set while the peer has not answered.
    """

    local_identity: bytes
    remote_identity: bytes
    local_registration_id: int
    base_public: bytes
    root_key: bytes = field(repr=False)
    sending_pair: KeyPair
    sending_chain: ChainKey
    receiving: list[ReceivingChain] = field(default_factory=list)
    previous_counter: int = 0
    pending: PendingPreKey | None = None

    def encrypt(self, plaintext: bytes) -> SignalMessage | PreKeySignalMessage:
        """Encrypt the next message; a pre-key message until the peer has answered."""
        keys = MessageKeys.from_seed(self.sending_chain.message_seed())
        message = SignalMessage.sealed(
            mac_key=keys.mac_key,
            sender_identity=self.local_identity,
            receiver_identity=self.remote_identity,
            ratchet_public=self.sending_pair.public,
            counter=self.sending_chain.index,
            previous_counter=self.previous_counter,
            ciphertext=cbc.encrypt(key=keys.cipher_key, iv=keys.iv, plaintext=plaintext),
        )
        self.sending_chain = self.sending_chain.following()
        if self.pending is None:
            return message
        return PreKeySignalMessage(
            registration_id=self.local_registration_id,
            pre_key_id=self.pending.pre_key_id,
            signed_key_id=self.pending.signed_key_id,
            base_public=self.pending.base_public,
            identity=self.local_identity,
            message=message,
        )

    def decrypt(self, message: SignalMessage) -> bytes:
        """Decrypt a message of this session, in whatever order it arrives.

        Raises:
            DuplicateMessageError: its key was used before, or dropped as too old.
            MalformedMessageError: the MAC is right and the ciphertext is not.
            NoSessionError: the MAC does not verify: it belongs to another session or was changed;
                or it is too many messages ahead (`TooFarAheadError`).
        """
        known = self._chain_of(message.ratchet_public)
        if known is not None:
            return self._open(known, message)
        pair = KeyPair.generate()
        root, chain = ratchet_root(self.root_key, self.sending_pair.agree(message.ratchet_public))
        received = ReceivingChain(
            ratchet_public=message.ratchet_public, reading=ReadingChain(next_key=chain)
        )
        plaintext = self._open(received, message)
        self._turn(received, root, pair)
        return plaintext

    def _turn(self, received: ReceivingChain, root: bytes, pair: KeyPair) -> None:
        self.root_key, next_sending = ratchet_root(root, pair.agree(received.ratchet_public))
        self.previous_counter = max(self.sending_chain.index - 1, 0)
        self.sending_pair, self.sending_chain = pair, next_sending
        self.receiving.append(received)
        del self.receiving[:-MAX_RECEIVING_CHAINS]

    def _chain_of(self, ratchet_public: bytes) -> ReceivingChain | None:
        for chain in reversed(self.receiving):
            if chain.ratchet_public == ratchet_public:
                return chain
        return None

    def _open(self, received: ReceivingChain, message: SignalMessage) -> bytes:
        """Open with the chain's key and only then keep the chain's progress."""
        plaintext = received.reading.open(
            message.counter,
            lambda seed: self._unseal(MessageKeys.from_seed(seed), message),
        )
        self.pending = None
        return plaintext

    def _unseal(self, keys: MessageKeys, message: SignalMessage) -> bytes:
        expected = message.mac_for(
            mac_key=keys.mac_key,
            sender_identity=self.remote_identity,
            receiver_identity=self.local_identity,
        )
        if not hmac.compare_digest(expected, message.mac):
            raise NoSessionError("the MAC does not verify")
        return cbc.decrypt(key=keys.cipher_key, iv=keys.iv, ciphertext=message.ciphertext)
