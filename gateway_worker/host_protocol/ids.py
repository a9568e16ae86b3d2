"""What stands for an id that the contract does not take."""

import hashlib
from typing import Final

ID_CHARACTERS: Final = 128
"""The longest JID, message id or name that the contract takes."""
STAND_IN: Final = "invalid-"
DIGEST_DIGITS: Final = 32


def stand_in(text: str | bytes) -> str:
    """Return what stands for an id that the contract does not take: the same for the same one."""
    data = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    return f"{STAND_IN}{hashlib.sha256(data).hexdigest()[:DIGEST_DIGITS]}"
