"""Where the sandbox listens and what it writes; and the refusal to stand beside a real service."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from gateway_worker.sandbox.service.media.store import (
    DEFAULT_LIFETIME_SECONDS,
    DEFAULT_TOTAL_BYTES,
)

PRODUCTION: Final = "production"


class SandboxRefusedError(Exception):
    """The sandbox does not start here; the text says why."""


def _environment() -> str:
    # Read here and not in the worker's configuration: whoever embeds the sandbox, from a test or
    # from another program, must be stopped as well.
    return os.environ.get("ENVIRONMENT", "development")


class SandboxSettings(BaseModel):
    """Settings of one sandbox, which listens on 127.0.0.1 only; every default suits a test.

    Attributes:
        environment: name of the deployment; from ENVIRONMENT when not given.
        proxy_port: port of the CONNECT proxy; 0 picks a free one.
        control_port: port of the control API; 0 picks a free one.
        control_token: bearer token that the control API demands; None demands nothing.
        lazy_phones: phones that nobody watches acknowledge messages and decrypt them when somebody
            looks: less work under load, and they are late to ask again for what they cannot read.
        media_bytes: how much of uploaded files is kept on disk; beyond that, the oldest go.
        media_seconds: how long one is kept; then its download is answered with 410.
        directory: where certificates are written; None makes a temporary directory and removes it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: str = Field(default_factory=_environment)
    proxy_port: int = Field(default=0, ge=0, le=65535)
    control_port: int = Field(default=0, ge=0, le=65535)
    control_token: SecretStr | None = None
    lazy_phones: bool = False
    media_bytes: int = Field(default=DEFAULT_TOTAL_BYTES, gt=0)
    media_seconds: float = Field(default=DEFAULT_LIFETIME_SECONDS, gt=0)
    directory: Path | None = None

    def refuse_in_production(self) -> None:
        """Stop before anything is opened.

        Raises:
            SandboxRefusedError: the environment is production.
        """
        if self.environment.strip().casefold() == PRODUCTION:
            raise SandboxRefusedError(
                "ENVIRONMENT is production: the sandbox stands in for WhatsApp and must not run "
                "beside the real service"
            )
