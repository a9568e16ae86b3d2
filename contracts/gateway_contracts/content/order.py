"""What somebody wants to buy."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import Jid, WireModel


class OrderContent(WireModel):
    """An order from a business's catalogue, as it arrived. The things in it are not told."""

    kind: Literal["order"] = "order"
    order_id: Annotated[str, PERSONAL]
    title: Annotated[str, PERSONAL] | None = None
    items: int = Field(0, description="How many things there are in it.")
    total_thousandths: int | None = Field(None, description="1,000 times the sum.")
    currency: str | None = None
    business: Jid | None = Field(None, description="Who sells.")
    text: Annotated[str, PERSONAL] | None = Field(None, description="What was written with it.")
    token: Annotated[str, PERSONAL] | None = Field(
        None, description="With which the business's own software can look it up."
    )
