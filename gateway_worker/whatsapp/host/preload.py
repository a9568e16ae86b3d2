"""Imports the library's Python side once, without starting its native side.

The library is a Go shared object. Go starts its threads when the object is loaded, and threads do
not survive a fork, so the fork server must not load it, yet all of neonize's modules load it while
they are imported. `Deferred` stands in for it meanwhile: it takes the declarations that neonize
makes (restype, argtypes, errcheck) and applies them when a host loads the real object.
"""

import ctypes
import importlib
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway_worker.whatsapp.host import unused_packages
from gateway_worker.whatsapp.host.go_runtime import GoLayout, GoRuntime, NotThereError
from gateway_worker.whatsapp.host.relocations import Relocations

_DECLARATIONS = ("restype", "argtypes", "errcheck")


class _DeferredFunction:
    """Holds the declarations of one native function until it is called for the first time.

    neonize declares some two hundred and a host calls ten: making them all would cost every host
    half a megabyte that it does not share.
    """

    def __init__(self, *, name: str, owner: "Deferred") -> None:
        self._name = name
        self._owner = owner

    def __call__(self, *arguments: Any) -> Any:
        return self._owner.resolve(self._name)(*arguments)


class Deferred:
    """Stands in for the native library until `load`.

    Args:
        path: The shared object.
        version: What the object will say that it is; neonize asks while it is imported.
    """

    def __init__(self, *, path: str, version: bytes) -> None:
        # By its true name: it is looked for among what is mapped, which the kernel lists by that.
        self._path = os.path.realpath(path)
        self._library: ctypes.CDLL | None = None
        self._relocations: Relocations | None = None
        self._layout: GoLayout | None = None
        self.GetVersion = _Version(version)

    @property
    def path(self) -> str:
        """Where the shared object is."""
        return self._path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._library is not None:
            return getattr(self._library, name)
        function = _DeferredFunction(name=name, owner=self)
        self.__dict__[name] = function
        return function

    def record(self) -> None:
        """Prepare for the processes that this one forks to share what loading writes.

        And read what they may have to know of the object.
        """
        self._relocations = Relocations.record(self._path)
        with suppress(NotThereError):
            self._layout = GoLayout.read(Path(self._path))

    def runtime(self) -> GoRuntime | None:
        """Return Go's runtime in this process, if it is as it is known; `load` comes first."""
        if self._layout is None:
            return None
        try:
            return GoRuntime.find(self._layout, enter=self.resolve("crosscall2"))
        except NotThereError:
            return None

    def load(self) -> None:
        """Load the shared object into this process; from now on calls reach it directly."""
        if self._relocations is None:
            self._library = ctypes.CDLL(self._path)
        else:
            self._library = self._relocations.load()

    def resolve(self, name: str) -> Any:
        """Return a native function, declared as neonize has declared it.

        Raises:
            RuntimeError: The shared object is not loaded in this process.
            AttributeError: It has no such function; neonize declares some that it lacks.
        """
        if self._library is None:
            raise RuntimeError("the native library is not loaded in this process")
        function = getattr(self._library, name)
        stand_in = self.__dict__.get(name)
        for declaration in _DECLARATIONS:
            if stand_in is not None and declaration in vars(stand_in):
                setattr(function, declaration, vars(stand_in)[declaration])
        self.__dict__[name] = function
        return function


class _Version:
    """Answers neonize's check of the object's version."""

    def __init__(self, version: bytes) -> None:
        self._version = version

    def __call__(self) -> bytes:
        return self._version


def preload() -> Deferred:
    """Import neonize and return the stand-in for its native library.

    Raises:
        ImportError: neonize is missing, or is not the release that this was written for.
    """
    # Other libraries may be loaded in the same way, which are left alone.
    real = ctypes.CDLL
    made: list[Deferred] = []

    def stand_in(name: Any, *args: Any, **kwargs: Any) -> Any:
        if name is None or not Path(str(name)).name.startswith("neonize-"):
            return real(name, *args, **kwargs)
        version = vars(sys.modules["neonize.download"])["__GONEONIZE_VERSION__"]
        made.append(Deferred(path=str(name), version=version.encode()))
        return made[-1]

    ctypes.CDLL = stand_in  # type: ignore[assignment,misc]
    try:
        with unused_packages.left_out():
            importlib.import_module("neonize.client")
    finally:
        ctypes.CDLL = real  # type: ignore[misc]
    if len(made) != 1:
        raise ImportError(f"neonize loaded its native library {len(made)} times, once is expected")
    _end_log_thread()
    return made[0]


def _end_log_thread() -> None:
    # A fork copies only the thread that forks, so one that is alive here would be missing there.
    # Hosts read the library's log themselves.
    module = sys.modules["neonize.utils.log"]
    module._log_queue.put(None)  # noqa: SLF001 - there is no public way to end it
    module._thread.join()  # noqa: SLF001
    logging.getLogger().handlers.clear()
    logging.getLogger().addHandler(logging.NullHandler())
