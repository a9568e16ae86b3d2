"""The secrets of messages: where the library keeps them, and what is encrypted with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway_worker.whatsapp.convert.aes_gcm import (
    decrypt,
    decrypt_by_openssl,
    decrypt_by_package,
    openssl,
)
from gateway_worker.whatsapp.convert.message_secrets import decrypted
from gateway_worker.whatsapp.convert.opening import MessageSecret
from gateway_worker.whatsapp.host.message_secrets import QUERY, secrets_in

SECRET, IV = bytes(range(32)), bytes(range(12))
ID, WRITER, SENDER = "3EB0AB", "801@lid", "802@lid"
SCHEMA = """
CREATE TABLE whatsmeow_device (jid TEXT PRIMARY KEY);
CREATE TABLE whatsmeow_lid_map (lid TEXT PRIMARY KEY, pn TEXT UNIQUE NOT NULL);
CREATE TABLE whatsmeow_message_secrets (
    our_jid TEXT, chat_jid TEXT, sender_jid TEXT, message_id TEXT, key bytea NOT NULL,
    PRIMARY KEY (our_jid, chat_jid, sender_jid, message_id),
    FOREIGN KEY (our_jid) REFERENCES whatsmeow_device(jid) ON DELETE CASCADE
);
"""
"""As much of the library's as is read."""


@pytest.fixture
def store() -> Iterator[sqlite3.Connection]:
    """A device store with a message in three chats."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(SCHEMA)
        database.execute("INSERT INTO whatsmeow_device VALUES ('49:1@s.whatsapp.net')")
        database.execute("INSERT INTO whatsmeow_lid_map VALUES ('801', '4915550001')")
        database.executemany(
            "INSERT INTO whatsmeow_message_secrets VALUES ('49:1@s.whatsapp.net', ?, ?, ?, ?)",
            [
                ("801@lid", "801@lid", ID, b"a" * 32),
                ("4915550001@s.whatsapp.net", "49@s.whatsapp.net", ID, b"b" * 32),
                ("1@g.us", "4915550001@s.whatsapp.net", ID, b"c" * 32),
                ("1@g.us", "801@lid", "3EB0AC", b"d" * 32),
            ],
        )
        yield database


@pytest.mark.parametrize(
    ("chat", "found"),
    [
        (
            "801@lid",
            {b"a": ("801@lid", "4915550001@s.whatsapp.net"), b"b": ("49@s.whatsapp.net",)},
        ),
        (
            "4915550001@s.whatsapp.net",
            {b"a": ("801@lid", "4915550001@s.whatsapp.net"), b"b": ("49@s.whatsapp.net",)},
        ),
        ("1@g.us", {b"c": ("4915550001@s.whatsapp.net", "801@lid")}),
        ("2@g.us", {}),
        ("", {}),
    ],
)
def test_the_secrets_of_a_message(
    store: sqlite3.Connection, chat: str, found: dict[bytes, tuple[str, ...]]
) -> None:
    """In its chat, by whichever id, with all ids of its writer."""
    rows = store.execute(QUERY, (chat, ID)).fetchall()

    assert sorted(secrets_in(rows), key=lambda one: one.secret) == [
        MessageSecret(writers=writers, secret=secret * 32)
        for secret, writers in sorted(found.items())
    ]


def test_they_are_looked_up_by_the_index(store: sqlite3.Connection) -> None:
    """The table has a row for each message that there ever was."""
    plan = " ".join(row[3] for row in store.execute(f"EXPLAIN QUERY PLAN {QUERY}", ("a", "b")))

    assert "(our_jid=? AND chat_jid=?" in plan
    assert "SCAN s" not in plan


def test_a_host_needs_no_other_openssl() -> None:
    """Than the one that it has: this image's Python has one that can be called."""
    assert openssl() is not None


@pytest.mark.parametrize("with_it", [decrypt_by_openssl, decrypt_by_package])
@pytest.mark.parametrize("plain", [b"", b"x", bytes(100_000)], ids=["empty", "short", "long"])
@pytest.mark.parametrize("beside", [b"", b"beside"])
def test_both_ways_to_decrypt(
    with_it: Callable[..., bytes | None], plain: bytes, beside: bytes
) -> None:
    """Only what was encrypted so, and not damaged."""
    payload = AESGCM(SECRET).encrypt(IV, plain, beside)

    def opened(payload: bytes, **other: bytes) -> bytes | None:
        return with_it(payload, **({"key": SECRET, "iv": IV, "beside": beside} | other))

    assert opened(payload) == decrypt(payload, key=SECRET, iv=IV, beside=beside) == plain
    assert opened(payload[:-1] + bytes([payload[-1] ^ 1])) is None
    assert opened(bytes([payload[0] ^ 1]) + payload[1:]) is None
    assert opened(payload, key=bytes(32)) is None
    assert opened(payload, iv=bytes(12)) is None
    assert opened(payload, beside=b"other") is None


@pytest.mark.parametrize(("payload", "iv"), [(bytes(15), IV), (bytes(40), b""), (bytes(40), b"x")])
def test_what_is_nothing_encrypted(payload: bytes, iv: bytes) -> None:
    """A stranger's bytes."""
    assert decrypt(payload, key=SECRET, iv=iv) is None


@pytest.mark.parametrize("names_sender", [True, False])
def test_what_is_encrypted_is_opened(names_sender: bool) -> None:  # noqa: FBT001
    """As RFC 5869 and the cipher have it, and with nothing else."""
    info = f"{ID}{WRITER}{SENDER}Enc Reaction".encode()
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(SECRET)
    beside = f"{ID}\0{SENDER}".encode() if names_sender else None
    payload = AESGCM(key).encrypt(IV, b"hidden", beside)

    def opened(**other: str) -> bytes | None:
        used = {
            "message_id": ID,
            "writer": WRITER,
            "sender": SENDER,
            "purpose": "Enc Reaction",
        } | other
        return decrypted(payload, IV, secret=SECRET, names_sender=names_sender, **used)

    assert opened() == b"hidden"
    for name in ("message_id", "writer", "sender", "purpose"):
        assert opened(**{name: "other"}) is None


@pytest.mark.parametrize(
    ("purpose", "names_sender", "payload"),
    [
        ("Message Edit", False, "fa41b32816af346e068e308fda8f888c50f1af1c814b"),
        ("Event Response", True, "6a9103db3fab1189899c1d0d2f82615143ff7b081fe7"),
    ],
)
def test_vectors(purpose: str, names_sender: bool, payload: str) -> None:  # noqa: FBT001
    """With keys from the command line of OpenSSL."""
    assert (
        decrypted(
            bytes.fromhex(payload),
            IV,
            secret=SECRET,
            message_id=ID,
            writer=WRITER,
            sender=SENDER,
            purpose=purpose,
            names_sender=names_sender,
        )
        == b"hidden"
    )
