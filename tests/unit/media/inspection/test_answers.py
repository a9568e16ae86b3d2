"""What a helper process may answer: it may have been taken over by the file that it looks at."""

import base64
import json
from typing import Any

import msgspec
import pytest

from gateway_worker.media.inspection import inspector as inspection
from gateway_worker.media.inspection.protocol import Answer, Broken, Found, Page, Refused

FOUND = {"type": "found", "mime_type": "image/png"}
PAGE = {"type": "page", "title": "t", "description": None, "image": None}


@pytest.mark.parametrize(
    "answer",
    [
        Found(mime_type="audio/ogg; codecs=opus", seconds=1, waveform=bytes(64)),
        Found(mime_type="application/vnd.oasis.opendocument.text"),
        Found(mime_type="image/svg+xml", thumbnail=bytes(32 * 1024)),
        Page(title="t", description=None, image=None),
        Refused(detail="no"),
        Broken(detail="no"),
    ],
)
def test_an_answer(answer: Answer) -> None:
    """It is taken as it was meant."""
    assert inspection._decoded(msgspec.json.encode(answer)) == answer


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"type": "other"},
        {**FOUND, "mime_type": "png"},
        {**FOUND, "mime_type": "image/png\r\nX: y"},
        {**FOUND, "mime_type": "a/" + "b" * 200},
        {**FOUND, "width": 0},
        {**FOUND, "height": -1},
        {**FOUND, "seconds": 1 << 40},
        {**FOUND, "seconds": 1.5},
        {**FOUND, "waveform": base64.b64encode(bytes(65)).decode()},
        {**FOUND, "thumbnail": base64.b64encode(bytes(32 * 1024 + 1)).decode()},
        {**FOUND, "converted": "yes"},
        {**PAGE, "title": "t" * 301},
        {**PAGE, "image": "h" * 2_049},
        {"type": "refused", "detail": "x" * 1_000},
    ],
)
def test_no_answer(answer: Any) -> None:
    """What no helper of ours would say is not taken at all."""
    assert inspection._decoded(json.dumps(answer).encode()) is None


def test_what_is_no_json() -> None:
    """Neither."""
    assert inspection._decoded(b"") is None
    assert inspection._decoded(b'{"type": "found"') is None
