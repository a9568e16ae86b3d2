"""A file is decrypted as it comes, whatever its pieces are, and told whole only if it is whole."""

import hashlib
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_worker.errors import MediaRefusedError
from gateway_worker.host_protocol.media import MediaReference, MediaType
from gateway_worker.media.arriving.decryption import Decryption, encrypted_bytes
from tests.support.encrypted_files import encrypted

PLAIN = bytes(range(256)) * 5


def decrypted(reference: MediaReference, *pieces: bytes) -> bytes:
    """Decrypt a file that comes in these pieces."""
    decryption = Decryption(reference)
    plain = b"".join(map(decryption.feed, pieces))
    return plain + decryption.finish()


def changed(reference: MediaReference, **values: object) -> MediaReference:
    """Return what a message says, but for some of it."""
    return msgspec.structs.replace(reference, **values)


@st.composite
def cut(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    """Return a file and where its ciphertext is cut into pieces."""
    plain = draw(st.binary(max_size=400))
    places = st.integers(min_value=0, max_value=encrypted_bytes(len(plain)))
    return plain, sorted(draw(st.lists(places, max_size=12)))


@given(file=cut(), media_type=st.sampled_from(MediaType))
def test_pieces_do_not_matter(file: tuple[bytes, list[int]], media_type: MediaType) -> None:
    """Wherever they end: inside a block, inside the code at the end, or nowhere."""
    plain, places = file
    body, reference = encrypted(plain, media_type=media_type)
    ends = [0, *places, len(body)]
    pieces = [body[start:end] for start, end in pairwise(ends)]

    assert decrypted(reference, *pieces) == plain
    assert len(body) == encrypted_bytes(len(plain))


def test_a_known_file() -> None:
    """The same bytes as ever: what is made here and what is read here could be wrong together."""
    body, reference = encrypted(b"hello", media_type=MediaType.DOCUMENT, key=bytes(range(32)))

    assert (
        hashlib.sha256(body).hexdigest()
        == "3bdacd39716d5ac14d6ebc247e0873b1d86159e16a3a0aa4bc8a644fc57ffcc3"
    )
    assert decrypted(reference, body) == b"hello"


@pytest.mark.parametrize("place", [0, 17, -11, -10, -1])
def test_a_flipped_bit(place: int) -> None:
    """It is noticed, in the file as in the code at its end, also if the message fits to it."""
    body, reference = encrypted(PLAIN)
    flipped = bytearray(body)
    flipped[place] ^= 1
    fitting = changed(reference, file_enc_sha256=hashlib.sha256(flipped).digest())

    with pytest.raises(MediaRefusedError, match="encrypted file does not match"):
        decrypted(reference, bytes(flipped))
    with pytest.raises(MediaRefusedError, match="authentication code"):
        decrypted(fitting, bytes(flipped))


@pytest.mark.parametrize("size", [0, 9, 10])
def test_too_short(size: int) -> None:
    """What is no longer than the code at its end is no file."""
    body, reference = encrypted(PLAIN)

    with pytest.raises(MediaRefusedError, match="too short"):
        decrypted(reference, body[:size])


@pytest.mark.parametrize("size", [11, 26, 500, 1_305])
def test_cut_off(size: int) -> None:
    """What is only the beginning is not the file."""
    body, reference = encrypted(PLAIN)

    with pytest.raises(MediaRefusedError, match="encrypted file does not match"):
        decrypted(reference, body[:size])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"file_sha256": bytes(32)}, "hash of the file does not match"),
        ({"file_length": len(PLAIN) - 1}, "does not have the length"),
        ({"media_key": bytes(32)}, "authentication code"),
        ({"media_type": MediaType.VIDEO}, "authentication code"),
    ],
)
def test_another_file_than_the_message_says(values: dict[str, object], reason: str) -> None:
    """Another hash, length, key or use."""
    body, reference = encrypted(PLAIN)

    with pytest.raises(MediaRefusedError, match=reason):
        decrypted(changed(reference, **values), body)


@pytest.mark.parametrize(
    ("values", "reason"),
    [({"media_key": b"short"}, "no key"), ({"file_sha256": b""}, "no hash")],
)
def test_a_message_that_does_not_say_enough(values: dict[str, object], reason: str) -> None:
    """It is refused before anything is asked for."""
    _, reference = encrypted(PLAIN)

    with pytest.raises(MediaRefusedError, match=reason):
        Decryption(changed(reference, **values))


def test_an_unknown_length() -> None:
    """A message need not say how long its file is."""
    body, reference = encrypted(PLAIN)

    assert decrypted(changed(reference, file_length=0), body) == PLAIN
