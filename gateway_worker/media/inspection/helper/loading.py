"""Loads what libraries otherwise load when they are used first: once for all helper processes."""

import importlib
import mimetypes
from typing import Final

import magic
from PIL import Image

_LATER: Final = ("av.subtitles.stream",)
"""What PyAV imports with the first container that it opens."""


def load() -> None:
    """Have in memory what every helper process would else load for itself, with its disk closed."""
    magic.from_buffer(b"", mime=True)  # reads what tells types apart
    mimetypes.init()
    Image.preinit()
    for module in _LATER:
        importlib.import_module(module)
