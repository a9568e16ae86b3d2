"""Codes that are to be scanned are drawn where they hold nobody up."""

import asyncio
import base64
import io
import threading
from typing import Any

import pytest
import segno
import zxingcpp
from PIL import Image

from gateway_worker.commands import qr_images
from gateway_worker.commands.qr_images import qr_image


async def test_a_code_is_drawn_once_and_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask for it: each time is as long as many messages take."""
    qr_images._drawn.cache_clear()
    threads = list[int]()
    make = segno.make

    def noted(*args: Any, **how: Any) -> segno.QRCode:
        threads.append(threading.get_ident())
        return make(*args, **how)

    monkeypatch.setattr(segno, "make", noted)
    first = await qr_image("2@one")
    again = await asyncio.gather(*(qr_image("2@one") for _ in range(20)))
    other = await qr_image("2@two")

    assert base64.b64decode(first).startswith(b"\x89PNG")
    assert set(again) == {first} != {other}
    assert len(threads) == 2
    assert threading.get_ident() not in threads


async def test_the_picture_shows_the_code() -> None:
    """With a code as long as WhatsApp's."""
    code = "2@" + ",".join(["aB3+/" * 9] * 4) + "=="
    picture = Image.open(io.BytesIO(base64.b64decode(await qr_image(code))))
    assert [found.text for found in zxingcpp.read_barcodes(picture)] == [code]
