"""Draws codes that are to be scanned as images.

That takes some 25 ms each: not on the event loop, and once for as many as ask for the same one.
"""

import asyncio
import base64
import io
from functools import lru_cache
from typing import Final

import segno

_REMEMBERED: Final = 16
"""A code is void within a minute."""


async def qr_image(code: str) -> str:
    """Return a QR code as a PNG image in base64."""
    return await asyncio.to_thread(_drawn, code)


@lru_cache(maxsize=_REMEMBERED)
def _drawn(code: str) -> str:
    image = io.BytesIO()
    segno.make(code, error="l", boost_error=False).save(image, kind="png", scale=6, border=4)
    return base64.b64encode(image.getvalue()).decode()
