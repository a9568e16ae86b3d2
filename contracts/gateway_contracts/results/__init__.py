"""What commands return. Each module is a family and ends with the union of its results."""

from typing import Annotated

from pydantic import Field

from gateway_contracts.results.message import MessageResult
from gateway_contracts.results.plain import PlainResult
from gateway_contracts.results.replay import ReplayResult
from gateway_contracts.results.session import SessionResult

__all__ = ["Result"]

Result = Annotated[
    SessionResult | MessageResult | ReplayResult | PlainResult, Field(discriminator="kind")
]
"""What a command returns, told apart by `kind`."""
