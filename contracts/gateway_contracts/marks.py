"""Marks on types and fields: validation passes over them, the exported schemas tell of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

PART: Final = "x-part"
"""Keyword of a schema that has a name of its own."""

PERSONAL_KEYWORD: Final = "x-personal"
"""Keyword of a schema whose values are personal."""


@dataclass(frozen=True, slots=True)
class Personal:
    """Says that a value tells of a person: who it is, or what they wrote. Logs must not have it."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the type, and that it is personal."""
        return {**handler(core_schema), PERSONAL_KEYWORD: True}


PERSONAL: Final = Personal()
"""The mark of a personal value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Gives a type a name, under which the exported documents keep it once and refer to it.

    It stands last in the type's annotations. A type that is narrowed where it is used must not
    have one: the name would stand for two schemas, which the export refuses.

    Attributes:
        module: The module that defines it (`__name__`).
        name: Its name there.
        description: What it is, for readers of the schemas.
        examples: Values that fit.
        keywords: What pydantic does not say of the type by itself.
    """

    module: str
    name: str
    description: str
    examples: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the type, and say under which name."""
        schema = {**handler(core_schema), **self.keywords, "description": self.description}
        if self.examples:
            schema["examples"] = list(self.examples)
        schema[PART] = f"{self.module}.{self.name}"
        return schema
