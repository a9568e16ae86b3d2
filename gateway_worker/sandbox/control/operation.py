"""One thing that the control API can do; its route and its method of the client follow from it.

A function takes, by annotation or name: the `Sandbox`, the `Phone` that `{number}` in the path
names, a `body`, a `query`, and what else the path names. What it returns is the answer's body;
nothing is 204.
"""

from __future__ import annotations

import inspect
import re
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BODY: Final = "body"
QUERY: Final = "query"
_IN_PATH: Final = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something to do with a phone or with the service.

    Attributes:
        name: of the client's method.
        route: HTTP method and path, such as `GET /phones/{number}`.
        run: the function; its docstring is the method's.
        status: of the answer, if it has a body.
        returns: the field of the answer that the client's method returns; "" is all of it.
        whole: the argument that is the body or the query as a whole; otherwise each of their fields
            is one, those without a default by position.
        positional: fields with a default that are given by position all the same.
        star: the field that is given as `*arguments`.
    """

    name: str
    route: str
    run: Callable[..., Any]
    status: int = 200
    returns: str = ""
    whole: str = ""
    positional: tuple[str, ...] = ()
    star: str = ""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path, with `{names}`."""
        return self.route.partition(" ")[2]

    @property
    def in_path(self) -> tuple[str, ...]:
        """What the path names, in order."""
        return tuple(_IN_PATH.findall(self.path))

    @property
    def takes(self) -> Mapping[str, Any]:
        """The function's parameters and their types."""
        hints = typing.get_type_hints(self.run)
        return {name: hints[name] for name in inspect.signature(self.run).parameters}

    @property
    def answer(self) -> type[BaseModel] | None:
        """The answer's body; `None` is 204."""
        found = typing.get_type_hints(self.run)["return"]
        return found if isinstance(found, type) and issubclass(found, BaseModel) else None
