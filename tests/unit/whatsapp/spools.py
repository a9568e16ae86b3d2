"""How to open a test's own spool, and how to read one to its end."""

from collections.abc import Callable

from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.host.spool import Spool

SEGMENT = 400

OpenSpool = Callable[..., Spool]


def read_all(spool: Spool) -> list[Record]:
    """Read until there is nothing."""
    return list(iter(spool.read, None))


def numbers(spool: Spool) -> list[int]:
    """Read until there is nothing and return the numbers."""
    return [record.number for record in read_all(spool)]
