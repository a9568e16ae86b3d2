"""The one error the wire package raises: bytes from the other side that make no sense."""

from __future__ import annotations


class WireError(ValueError):
    """A frame, stanza or handshake message broke the protocol; the connection cannot go on."""
