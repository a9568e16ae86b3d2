"""A file gets its id, its state and its row with its message; its key is nowhere in the event."""

import base64
import secrets

import pytest

from gateway_contracts import ImageContent, MediaState, MessageReceived, encode
from gateway_worker.errors import MediaUnavailableError
from gateway_worker.host_protocol.media import MediaReference
from gateway_worker.media.arriving.intake import MediaIntake, kept_form, restored
from gateway_worker.media.arriving.records import MediaRow
from gateway_worker.media.arriving.sealed import SealedReferences
from gateway_worker.media.settings import MediaDownload
from gateway_worker.sessions.inbound.arrivals import arrival
from gateway_worker.storage.objects.crypto import Keyring
from tests.support.encrypted_files import encrypted
from tests.support.media_events import CHAT, picture

_, REFERENCE = encrypted(bytes(1_000), thumbnail=b"small")


class Intake:
    """An intake, and what it has said is waiting."""

    def __init__(
        self,
        download: MediaDownload = MediaDownload.EAGER,
        *,
        eager_limit_bytes: int = 1_000,
        references: SealedReferences | None = None,
    ) -> None:
        self.waiting: list[tuple[str, str]] = []
        self.intake = MediaIntake(
            download=download,
            eager_limit_bytes=eager_limit_bytes,
            references=references or SealedReferences(seal=None),
            waiting=lambda *key: self.waiting.append(key),
        )

    def enter(self, reference: MediaReference = REFERENCE) -> tuple[MessageReceived, MediaRow]:
        """Enter the file of a message."""
        told, _ = arrival(picture(1, reference), source="/workers/w", session_id="s")
        assert isinstance(told, MessageReceived)
        event, row = self.intake.enter(told, reference, session_id="s")
        assert row is not None
        self.intake.stored("s", row)
        return event, row


@pytest.mark.parametrize(
    ("intake", "state"),
    [
        (Intake(), MediaState.PENDING),
        (Intake(eager_limit_bytes=999), MediaState.DEFERRED),
        (Intake(MediaDownload.LAZY), MediaState.DEFERRED),
        (Intake(MediaDownload.OFF), MediaState.OFF),
    ],
    ids=["eager", "large", "lazy", "off"],
)
def test_its_state(intake: Intake, state: MediaState) -> None:
    """As it is set; only what is pending waits to be fetched."""
    event, row = intake.enter()

    assert isinstance(event.data.content, ImageContent)
    assert event.data.content.media == row.media
    assert (row.media.state, row.media.media_id) == (state, row.media_id)
    assert (row.message_id, row.chat, row.thumbnail) == ("M1", CHAT, b"small")
    assert intake.waiting == ([("s", row.media_id)] if state is MediaState.PENDING else [])


def test_its_key_is_not_told() -> None:
    """Neither the key nor the place is in the event, in whatever form."""
    event, _ = Intake().enter()

    told = encode(event)

    for secret in (REFERENCE.media_key, REFERENCE.file_enc_sha256, b"small"):
        assert secret not in told
        assert base64.b64encode(secret) not in told
    assert REFERENCE.direct_path.encode() not in told


def test_a_message_that_has_no_place_for_a_file() -> None:
    """Such as one that did not fit the contract: it is told as it is."""
    intake = Intake()
    told, fits = arrival(picture(1, REFERENCE, view_once=[]), source="/workers/w", session_id="s")

    assert not fits
    assert intake.intake.enter(told, REFERENCE, session_id="s") == (told, None)


def test_what_is_stored_is_sealed() -> None:
    """Under the key of the copies of device stores, for this file only."""
    keyring = Keyring({"k": secrets.token_bytes(32)})
    references = SealedReferences(seal=keyring)
    _, row = Intake(references=references).enter()

    assert REFERENCE.media_key not in row.reference
    assert base64.b64encode(REFERENCE.media_key) not in row.reference
    opened = references.open(row.reference, session_id="s", media_id=row.media_id)
    assert opened.media_key == REFERENCE.media_key
    assert opened.thumbnail is None
    for other in (SealedReferences(seal=None), SealedReferences(seal=Keyring({"k": bytes(32)}))):
        with pytest.raises(MediaUnavailableError):
            other.open(row.reference, session_id="s", media_id=row.media_id)
    with pytest.raises(MediaUnavailableError):
        references.open(row.reference, session_id="s", media_id="another")


def test_what_was_stored_without_a_key_is_read_with_one() -> None:
    """Setting a key does not lose what is there."""
    _, row = Intake().enter()
    references = SealedReferences(seal=Keyring({"k": bytes(32)}))

    opened = references.open(row.reference, session_id="s", media_id=row.media_id)

    assert opened.media_key == REFERENCE.media_key


@pytest.mark.parametrize("stored", [b"{", b"{}", b"", b"WGS"])
def test_what_is_damaged(stored: bytes) -> None:
    """A row that somebody has spoilt is a file that cannot be had, and no more."""
    with pytest.raises(MediaUnavailableError):
        SealedReferences(seal=Keyring({"k": bytes(32)})).open(stored, session_id="s", media_id="m")


def test_kept_and_restored() -> None:
    """What is kept beside an event, or sent with it to another worker, is the row."""
    event, row = Intake().enter()

    assert restored(event, kept_form(row)) == row
    for damaged in ("", "AAAA", "not base64"):
        with pytest.raises(ValueError, match=r"cannot be read|base64|Incorrect"):
            restored(event, damaged)
