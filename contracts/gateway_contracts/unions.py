"""Tagged unions: what makes them, and what they are made of."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo


def told_apart_by(tag: str, union: Any) -> FieldInfo:
    """Return the annotation that lets the field `tag` choose the member of a plain union.

    A union of one is the model itself, which pydantic does not let a tag choose.
    """
    field: FieldInfo = Field(discriminator=tag) if get_args(union) else Field()
    return field


def members(union: Any, tag: str) -> Mapping[str, type[BaseModel]]:
    """Return the models of an annotated tagged union by the values of their tags, in its order.

    Raises:
        LookupError: Two members have the same tag.
    """
    plain = get_args(union)[0]
    models = get_args(plain) or (plain,)
    found = {str(model.model_fields[tag].default): model for model in models}
    if len(found) < len(models):
        raise LookupError(f"two members of a union have the same {tag}")
    return MappingProxyType(found)
