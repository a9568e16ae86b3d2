"""What a command returns that has nothing to tell."""

from typing import Literal

from gateway_contracts.model import WireModel


class Done(WireModel):
    """It is done; there is nothing more to tell."""

    kind: Literal["done"] = "done"
