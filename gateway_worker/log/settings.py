"""What can be set about the logs."""

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from gateway_contracts import LogLevel

__all__ = ["LogFormat", "LogLevel", "LogSettings"]


class LogFormat(StrEnum):
    """How lines look on stdout; in a file they are always JSON."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class LogSettings(BaseModel):
    """Settings of the logs.

    Attributes:
        level: Of the worker's own events. Libraries are heard from `warning` on.
        format: `auto` is `console` on a terminal and `json` elsewhere.
        file: Also write to this file, in a directory that exists; None writes to stdout only.
        file_max_bytes: The file is rotated before it gets larger.
        file_backups: How many rotated files are kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: LogLevel = LogLevel.INFO
    format: LogFormat = LogFormat.AUTO
    file: Path | None = None
    file_max_bytes: int = Field(50_000_000, ge=10_000)
    file_backups: int = Field(5, ge=1, le=1000)
