"""Packages that neonize imports and hosts do not use: imported when somebody does use them.

neonize fetches files over HTTP, makes previews of links, stickers, vCards and QR codes. A host does
none of that, and what neonize needs for it is more than half of all that the fork server has in
memory. So stand-ins take the places of these packages while neonize is imported. What neonize has
taken from one is the real thing as soon as it is called or looked into, at the price that the host
that does so imports the package for itself.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

UNUSED: Final = (
    "PIL",
    "concurrent.futures.process",
    "httpx",
    "linkpreview",
    "magic",
    "phonenumbers",
    "requests",
    "segno",
    "tqdm",
)


@contextmanager
def left_out() -> Iterator[None]:
    """Within this, importing one of these gives a stand-in, unless it is imported already."""
    made = {name: _Package(name) for name in UNUSED if name not in sys.modules}
    sys.modules.update(made)
    try:
        yield
    finally:
        for package in made.values():
            _end(package)


class _Package(ModuleType):
    """Stands in for a package; its names are `_Name` for as long as others can import it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _found(self, (name,))


class _Name:
    """Stands in for what was taken from a package."""

    __slots__ = ("_package", "_path")

    def __init__(self, package: _Package, path: tuple[str, ...]) -> None:
        self._package = package
        self._path = path

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return _imported(self._package, self._path)(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _found(self._package, (*self._path, name))

    def __ror__(self, other: object) -> object:
        return other  # of an annotation that is evaluated: nobody reads it


def _found(package: _Package, path: tuple[str, ...]) -> Any:
    if sys.modules.get(package.__name__) is package:
        return _Name(package, path)
    return _imported(package, path)


def _imported(package: _Package, path: tuple[str, ...]) -> Any:
    _end(package)  # what is called while neonize is imported has to be there, too
    found: Any = __import__(package.__name__, fromlist=path[:1])  # the name may be a module's
    for name in path:
        found = getattr(found, name)
    return found


def _end(package: _Package) -> None:
    if sys.modules.get(package.__name__) is package:
        del sys.modules[package.__name__]
