"""A host from its fork to its end."""

import gc
import importlib
import os
import socket
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from gateway_worker.host_protocol.envelope import Notice, Start
from gateway_worker.host_protocol.framing import WireError
from gateway_worker.host_protocol.layout import ERRORS_NAME
from gateway_worker.host_protocol.signals import Ended
from gateway_worker.runtime.confinement import (
    OLDEST_VERSION,
    UnconfinedError,
    code_and_system,
    confine,
    landlock_version,
)
from gateway_worker.runtime.forking.kernel import name_process
from gateway_worker.runtime.seccomp.install import refuse
from gateway_worker.runtime.seccomp.profiles import HOST
from gateway_worker.whatsapp.host.kernel import coarsen_timers, lock_directory, silence_output
from gateway_worker.whatsapp.host.message_secrets import StoredSecrets
from gateway_worker.whatsapp.host.native import Library
from gateway_worker.whatsapp.host.preload import Deferred
from gateway_worker.whatsapp.host.ratchet_rollback import RatchetRollback
from gateway_worker.whatsapp.host.root_key import RootKeyError, install_root
from gateway_worker.whatsapp.host.send_journal import SendJournal
from gateway_worker.whatsapp.host.session import HostSession
from gateway_worker.whatsapp.host.spool import Spool
from gateway_worker.whatsapp.host.store_file import (
    StoreUnreadableError,
    file_source,
    log_of,
    stored_devices,
)
from gateway_worker.whatsapp.ipc.blocking import BlockingChannel

REPLAY: Final = "gateway_worker.whatsapp.host.replay"
SWITCH_SECONDS: Final = 0.0002
"""How long the library's thread may have to wait for the interpreter. Meanwhile what it has to
store piles up in the library, which has confirmed it already."""
TIMER_SLACK_SECONDS: Final = 0.0002
"""How late timers may be. While there is anything to do Go's monitor looks at its threads every 20
microseconds, and a host always has little to do at a time: that was a tenth of all its work. No
more than this, for it adds to `SWITCH_SECONDS`."""
_FAILED: Final = 70


def run_host(sock: socket.socket, deferred: Deferred) -> NoReturn:
    """Be a host on this socket; never returns.

    The process ends by `os._exit` in every case: the library's threads keep a usual exit waiting.
    """
    status = _FAILED
    try:
        gc.enable()
        sys.setswitchinterval(SWITCH_SECONDS)
        _serve(BlockingChannel(sock), deferred)
        status = 0
    except ConnectionError:
        status = 0  # the worker is gone, and with it all reason to run
    except BaseException:  # noqa: BLE001 - the root of the process
        traceback.print_exc(file=sys.stderr)
        sys.stderr.flush()
    finally:
        os._exit(status)


def _serve(channel: BlockingChannel, deferred: Deferred) -> None:
    start = _first_frame(channel)
    directory = Path(start.directory)
    os.umask(0o077)
    silence_output(directory / ERRORS_NAME)
    name_process("wa-host")
    coarsen_timers(TIMER_SLACK_SECONDS)  # before there are other threads, which inherit it
    lock_directory(directory)
    _confine(_home(start), channel, deferred)
    rollback = _rollback(start, channel, deferred)
    if not start.replay:
        rollback.start()  # in a fork, of which there are no more after the next line
    _refuse_others(channel)
    spool = Spool.open(
        directory=directory,
        limit_bytes=start.spool_limit_bytes,
        segment_bytes=start.spool_segment_bytes,
        sync=start.spool_sync,
        beside=log_of(directory / start.device_store),
    )
    if start.replay:
        importlib.import_module(REPLAY).replay(start=start, channel=channel, spool=spool)
        return
    journal = SendJournal.open(directory=directory, worker_id=start.worker_id, epoch=start.epoch)
    library = _open_library(start, channel, deferred)
    if library is None:
        return
    HostSession(
        start=start,
        channel=channel,
        spool=spool,
        journal=journal,
        library=library,
        rollback=rollback,
        secrets_of=StoredSecrets(library=deferred.path, store=directory / start.device_store).of,
    ).run()


def _open_library(start: Start, channel: BlockingChannel, deferred: Deferred) -> Library | None:
    """Load the library and open the device store; None once it is told why that is not possible."""
    deferred.load()
    if start.root_key is not None:
        try:
            install_root(deferred.path, bytes.fromhex(start.root_key))
        except RootKeyError as error:
            channel.send(Ended(reason="refused", detail=str(error)))
            return None
    source = file_source(Path(start.directory) / start.device_store)
    try:
        resume = _device_to_run(start, source, deferred)
    except StoreUnreadableError:
        channel.send(
            Ended(reason="store_unreachable", detail="the device store cannot be read now")
        )
        return None
    if start.resume_jid is not None and resume is None:
        detail = "the device store does not hold the linked device"
        channel.send(Ended(reason="store_lost", detail=detail))
        return None
    return Library(
        deferred=deferred,
        source=source,
        resume=resume,
        device_name=start.device_name,
        settings=start.settings,
        large_bytes=start.large_upload_bytes,
    )


def _home(start: Start) -> Path:
    """Return the session's directory; a spool that was carried here lies in one inside it."""
    directory = Path(start.directory)
    is_inside = start.replay and not (directory / start.device_store).exists()
    return (
        directory.parent
        if is_inside and (directory.parent / start.device_store).exists()
        else directory
    )


def _confine(directory: Path, channel: BlockingChannel, deferred: Deferred) -> None:
    """Close the rest of the disk to this process, where the kernel can; before any other thread."""
    os.environ["TMPDIR"] = str(directory)
    os.chdir(directory)
    try:
        confine(directory, readable=code_and_system(str(Path(deferred.path).parent)))
    except UnconfinedError as error:
        if landlock_version() >= OLDEST_VERSION:  # else the worker has said so, once for all
            channel.send(Notice(event="unconfined", detail=error.reason))


def _refuse_others(channel: BlockingChannel) -> None:
    """Keep this process from acting on others, likewise."""
    try:
        refuse(HOST)
    except OSError as error:
        channel.send(Notice(event="unconfined", detail=f"seccomp: {error.strerror}"))


def _rollback(start: Start, channel: BlockingChannel, deferred: Deferred) -> RatchetRollback:
    directory = Path(start.directory)
    return RatchetRollback(
        library=deferred.path,
        store=directory / start.device_store,
        directory=directory,
        failed=lambda reason: channel.send(Notice(event="ratchet_rollback_failed", detail=reason)),
        in_fork=partial(_refuse_others, channel),
    )


def _first_frame(channel: BlockingChannel) -> Start:
    while True:
        for frame in channel.receive():
            if isinstance(frame, Start):
                return frame
            raise WireError(f"{type(frame).__name__} came before Start")


def _device_to_run(start: Start, source: str, deferred: Deferred) -> str | None:
    """Return the device of the store to run; None to pair one, or if the wanted one is missing.

    Naming a device that the store does not hold would abort the process. A store that holds one
    although the worker knows of none was linked just before a crash: that link is taken up.
    """
    if not (Path(start.directory) / start.device_store).exists():
        return None
    devices = stored_devices(deferred, source)
    if start.resume_jid is None:
        return devices[-1] if devices else None
    return start.resume_jid if start.resume_jid in devices else None
