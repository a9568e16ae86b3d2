"""Base of all bodies."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """Base of all bodies; unknown fields are mistakes and are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
