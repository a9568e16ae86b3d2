"""What the logs of end-to-end tests are searched for is found in them, wherever it stands."""

import json

import pytest

from gateway_contracts.codec import parse_event
from gateway_contracts.spec.examples import example_files
from gateway_worker.devkit.received import ReceivedEvent
from tests.support.planted import Planted, private_in

IDS = {"12025550101", "112025550101"}
PRESIGNED = "https://files.example/a?X-Amz-Signature=0123456789abcdef"


def received() -> list[ReceivedEvent]:
    """Return examples as they come to a backend."""
    files = example_files()
    found = []
    for name in ("session.qr", "session.pair_code", "message.received", "media.ready"):
        payload = json.loads(files[f"wa.{name}.v1.json"])
        if name == "message.received":
            payload["data"]["content"]["text"] = 'Dear Ada, "seven" it is\n'
        if name == "media.ready":
            payload["data"]["media"]["url"] = PRESIGNED
        body = json.dumps(payload).encode()
        found.append(ReceivedEvent(routing_key="", event=parse_event(body), body=body))
    return found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("to 12025550101", "12025550101"),
        ("12025550101@s.whatsapp.net", "12025550101"),
        ('of "112025550101"', "112025550101"),
        ("c2FtcGxlLW5vaXNlLWtleQ==", "c2FtcGxlLW5vaXNlLWtleQ=="),
        ('[Dear Ada, "seven" it is\n]', 'Dear Ada, \\"seven\\" it is\\n'),
        (f"cannot read {PRESIGNED}", PRESIGNED),
    ],
)
def test_what_is_private_is_found(said: str, found: str) -> None:
    """In a line of JSON."""
    line = json.dumps({"event": "x", "detail": said}, ensure_ascii=False)
    assert private_in(f"{{}}\n{line}\n", IDS, received()) == {found}


@pytest.mark.parametrize("said", ["120255501012", "seven it is", "Ada", "2@", "files.example"])
def test_what_is_not_private_is_not(said: str) -> None:
    """Other numbers, and single words."""
    assert private_in(json.dumps({"detail": said}), IDS, received()) == set()


def test_a_word_that_is_planted_is_no_part_of_another() -> None:
    """And secrets are found wherever they stand, numbers as wholes."""
    planted = Planted()
    word, other = planted.word("Name"), planted.word("NameOfAda")
    planted.secret("secret", "a+b/c=d.e")
    planted.number("number", "12025550101")
    planted.key("key", b"0123456789")

    assert planted.found_in(f"<{word}>") == {"Name"}
    assert planted.found_in(other) == {"NameOfAda"}
    assert planted.found_in("xa+b/c=d.e") == {"secret"}
    assert planted.found_in("+12025550101 120255501012") == {"number"}
    assert planted.found_in("MDEyMzQ1Njc4OQ==") == {"key in base64"}
    assert planted.found_in(b"0123456789".hex()) == {"key in hexadecimal"}
    with pytest.raises(ValueError, match="so short"):
        planted.secret("short", "seven")
