"""A thing for sale."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import Jid, WireModel


class ProductContent(WireModel):
    """A product of a business's catalogue, as it arrived, without its pictures."""

    kind: Literal["product"] = "product"
    product_id: Annotated[str, PERSONAL]
    title: Annotated[str, PERSONAL] | None = None
    description: Annotated[str, PERSONAL] | None = None
    price_thousandths: int | None = Field(None, description="1,000 times the price.")
    currency: str | None = Field(None, examples=["EUR"])
    url: Annotated[str, PERSONAL] | None = None
    business: Jid | None = Field(None, description="Whose catalogue it is.")
    text: Annotated[str, PERSONAL] | None = Field(None, description="What was written with it.")
