"""Files of this machine in commands: checked without one first, then uploaded and named."""

from pathlib import Path
from typing import Final

from gateway_contracts.client import GatewayClient
from gateway_contracts.client.client import UPLOAD_SECONDS

TO_BE_UPLOADED: Final = {"source": "upload", "media_id": "to-be-uploaded"}
"""Stands for a file while a command is checked before anything is contacted."""


async def uploaded(
    client: GatewayClient,
    session: str,
    path: Path,
    *,
    mime_type: str | None = None,
    seconds: float = UPLOAD_SECONDS,
) -> dict[str, str]:
    """Upload a file and return how a command names it; raises as `GatewayClient.upload` does."""
    media_id = await client.upload(session, path, mime_type=mime_type, seconds=seconds)
    return {"source": "upload", "media_id": media_id}
