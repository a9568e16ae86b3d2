"""Says what an operating system's error means, and does not take every one for a silent service."""

import errno
import socket
import ssl
from typing import Final

_OF_THIS_MACHINE: Final = {
    errno.EMFILE: "this process has no file descriptor left: raise its limit of open files",
    errno.ENFILE: "this machine has no file descriptor left",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "not permitted",
    errno.ENOMEM: "this machine has no memory left",
    errno.EADDRINUSE: "the port is taken by another process",
    errno.EADDRNOTAVAIL: "no local address or port is left",
    errno.EIO: "the disk fails",
    errno.ENOENT: "there is no such file",
    errno.ENOTDIR: "it is no directory",
    errno.EISDIR: "it is a directory",
}
_OF_THE_WAY: Final = {
    errno.ECONNREFUSED: "nothing listens there",
    errno.ECONNRESET: "the connection was closed by the other side",
    errno.EPIPE: "the connection was closed by the other side",
    errno.ECONNABORTED: "the connection was closed",
    errno.ETIMEDOUT: "no answer in time",
    errno.EHOSTUNREACH: "there is no way to the host",
    errno.ENETUNREACH: "there is no way to the network",
}


def explain(error: OSError) -> str:
    """Return the cause of an error for an operator, with the file that it is about."""
    if isinstance(error, socket.gaierror):
        return f"the host's name cannot be resolved ({error.strerror})"
    if isinstance(error, ssl.SSLCertVerificationError):
        words = getattr(error, "verify_message", None) or error.strerror
        return f"its certificate is not trusted ({words})"
    if isinstance(error, ssl.SSLError):
        return f"TLS fails ({error.strerror})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = _named(error)
    return f"{error.filename}: {text}" if isinstance(error.filename, str) else text


def described(error: BaseException) -> str:
    """Name any error by its class, with the cause if it is the operating system's.

    The words of the libraries are left out: they may quote what was being sent.
    """
    cause = _behind(error)
    name = type(error).__name__
    return name if cause is None else f"{name}, {explain(cause)}"


def is_of_this_machine(error: OSError) -> bool:
    """Whether an error has its cause here, and not in a service or on the way to it."""
    network = isinstance(error, socket.gaierror | ssl.SSLError | TimeoutError | ConnectionError)
    return not network and error.errno in _OF_THIS_MACHINE


def _behind(error: BaseException) -> OSError | None:
    """Return the operating system's error in what an error was made of, if there is one."""
    seen: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and found not in seen:
        if isinstance(found, OSError):
            return found
        seen.append(found)
        found = found.__cause__ or found.__context__
    return None


def _named(error: OSError) -> str:
    for table in (_OF_THIS_MACHINE, _OF_THE_WAY):
        if error.errno in table:
            return table[error.errno]
    if isinstance(error, ConnectionError):
        return "the connection was closed"
    return error.strerror or type(error).__name__
