"""What a process gives up for good: being looked into and, for a host, the disk but its own part.

A host reads what strangers send, in a library that we have not written. Should one be taken over,
it has the worker's user, but neither its memory nor the other accounts' keys: nobody of that user
can trace a process that is not dumpable, and Landlock closes every directory that is not named.
"""

import ctypes
import errno
import os
import resource
import ssl
import stat
import struct
import sysconfig
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1
_PATH_BENEATH: Final = 1

_CAPABILITY_VERSION: Final = 0x20080522
_CAPABILITY_BYTES: Final = 24
_CAP_DAC_OVERRIDE: Final = 1 << 1

OLDEST_VERSION: Final = 2
"""Of Landlock: before it, files could not be renamed from one directory to another."""
_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIRECTORY: Final = 1 << 3
_TRUNCATE: Final = 1 << 14
_DEVICE_CONTROL: Final = 1 << 15
_EXECUTE: Final = 1 << 0
_ON_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE_CONTROL
_READ: Final = _READ_FILE | _READ_DIRECTORY
_FILE_RIGHTS: Final = ((5, 16), (3, 15), (2, 14), (1, 13))
"""From which version on how many rights on files there are."""
_BIND_TCP: Final = 1
_NETWORK_VERSION: Final = 4
_SCOPES: Final = 0b11
"""No abstract sockets and no signals to processes outside."""
_SCOPES_VERSION: Final = 6

_SYSTEM: Final = (
    "/usr",
    "/lib",
    "/lib64",
    "/proc",
    "/sys",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/etc/ld.so.cache",
    "/etc/mime.types",
    "/etc/magic",
    "/run/systemd/resolve",
    "/run/resolvconf",
)
"""What the library and the interpreter may read wherever they run."""
_WRITTEN_DEVICES: Final = ("/dev/null",)


class UnconfinedError(OSError):
    """The kernel does not confine this process; `reason` is the name of its error."""

    @property
    def reason(self) -> str:
        """The name of the kernel's error."""
        return errno.errorcode.get(self.errno or 0, "unknown")


def keep_private() -> None:
    """Let nobody else of this user look into this process, nor a dump be made of it.

    Its children inherit it until they execute another program.

    Raises:
        OSError: The kernel refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_PR_SET_DUMPABLE, 0)


def drop_capabilities(*, keep: int = 0) -> None:
    """Give up what root may do beyond its files; nothing for anybody else.

    Args:
        keep: A mask of capabilities to keep, as far as they are held.

    Raises:
        OSError: The kernel refuses.
    """
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    held = ctypes.create_string_buffer(_CAPABILITY_BYTES)
    if _LIBC.capget(header, held) != 0:
        raise OSError(ctypes.get_errno(), "capabilities cannot be read")
    effective, permitted, _, high_effective, high_permitted, _ = struct.unpack("=6I", held.raw)
    low, high = keep & 0xFFFFFFFF, keep >> 32
    wanted = (effective & low, permitted & low, 0, high_effective & high, high_permitted & high, 0)
    if _LIBC.capset(header, struct.pack("=6I", *wanted)) != 0:
        raise OSError(ctypes.get_errno(), "capabilities cannot be dropped")


def landlock_version() -> int:
    """Return the version of Landlock that the kernel has; 0 if it has none, or it is off."""
    found: int = _LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    return max(0, found)


@lru_cache(maxsize=1)
def code_and_system(*packages: str) -> tuple[str, ...]:
    """Return what a host reads beside its session's directory.

    Args:
        packages: Directories of packages that are not in the interpreter's own.
    """
    paths = sysconfig.get_paths()
    python = (paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    trust = ssl.get_default_verify_paths()
    named = (trust.cafile, trust.capath, trust.openssl_cafile, trust.openssl_capath)
    given = (os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    own = str(Path(__file__).parents[1])
    every = (*_SYSTEM, *python, own, *packages, *named, *given)
    return tuple(dict.fromkeys(path for path in every if path))


def prepare(*packages: str) -> None:
    """Do once what each forked process would else do for itself, in memory that is not shared."""
    code_and_system(*packages)
    landlock_version()
    for function in ("syscall", "prctl", "capget", "capset"):
        getattr(_LIBC, function)


def confine(directory: Path, *, readable: Iterable[str]) -> None:
    """Leave this process a directory to write in and others to read; nothing else on the disk.

    It can execute nothing, listen nowhere and, where the kernel knows that, signal nobody else. It
    has no capabilities any more, should it be root's, whatever else the kernel can do. For the
    calling thread and all that it starts: to be called before there are others.

    Args:
        directory: Where it may do everything; it exists.
        readable: Directories and files; those that are missing are left out.

    Raises:
        UnconfinedError: The kernel cannot do that.
    """
    # A root whose files are another user's, as in some containers, still has to write them.
    is_own = directory.stat().st_uid == os.geteuid()
    drop_capabilities(keep=0 if is_own else _CAP_DAC_OVERRIDE)
    version = landlock_version()
    if version < OLDEST_VERSION:
        raise UnconfinedError(errno.ENOSYS, "the kernel has no Landlock")
    files = (1 << next(count for since, count in _FILE_RIGHTS if version >= since)) - 1
    rules = _ruleset(version, files)
    try:
        _allow(rules, str(directory), files & ~_EXECUTE)
        for path in readable:
            _allow(rules, path, _READ)
        for device in _WRITTEN_DEVICES:
            _allow(rules, device, (_READ_FILE | _WRITE_FILE) & files)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        if _LIBC.syscall(_RESTRICT_SELF, rules, 0) != 0:
            raise UnconfinedError(ctypes.get_errno(), "the process cannot be restricted")
    finally:
        os.close(rules)


def _ruleset(version: int, files: int) -> int:
    """Return a descriptor of rules that deny everything that this version knows."""
    attributes = struct.pack("=Q", files)
    if version >= _NETWORK_VERSION:
        attributes += struct.pack("=Q", _BIND_TCP)
    if version >= _SCOPES_VERSION:
        attributes += struct.pack("=Q", _SCOPES)
    size = ctypes.c_size_t(len(attributes))
    rules: int = _LIBC.syscall(_CREATE_RULESET, attributes, size, 0)
    if rules < 0:
        raise UnconfinedError(ctypes.get_errno(), "no rules can be made")
    return rules


def _allow(rules: int, path: str, rights: int) -> None:
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            granted = rights if stat.S_ISDIR(os.fstat(place).st_mode) else rights & _ON_FILES
            rule = struct.pack("=Qi", granted, place)
            if _LIBC.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0) != 0:
                raise UnconfinedError(ctypes.get_errno(), "a rule is refused")
        finally:
            os.close(place)


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")
