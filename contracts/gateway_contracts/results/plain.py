"""The result of commands that have nothing to return."""

from typing import Literal

from gateway_contracts.model import WireModel


class Done(WireModel):
    """It is done; there is nothing more to tell."""

    kind: Literal["done"] = "done"


PlainResult = Done
"""Every result of this family."""
