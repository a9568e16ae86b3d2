"""How each method is run with the library: a module per family, one function per method.

A method more is a function and its line in `RUNS` of its family; a test holds that there is one
for each.
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from gateway_worker.whatsapp.host.methods.run import Run, Tools

__all__ = ["RUNS", "Run", "Tools"]

_SHARED: Final = "run"
"""The module that is no family."""


def _runs() -> Mapping[type[Any], Run]:
    runs: dict[type[Any], Run] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name != _SHARED:
            runs |= import_module(f"{__name__}.{module.name}").RUNS
    return runs


RUNS: Final = _runs()
"""From a method's class to what runs it."""
