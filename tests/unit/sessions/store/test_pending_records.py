"""What a dead host has left is counted as a host would read it."""

from pathlib import Path

from gateway_worker.host_protocol.layout import SPOOL_ACK_NAME, SPOOL_DIGITS, SPOOL_PREFIX
from gateway_worker.host_protocol.spool_format import ack_of, acknowledged_in, header_of, records_in
from gateway_worker.sessions.store.store_files import pending_records


def segment(*numbers: int) -> bytes:
    """Return a segment with records of these numbers."""
    payload = b"raw"
    return b"".join(header_of(number, 17, 0, payload) + payload for number in numbers)


def write(directory: Path, first: int, data: bytes) -> None:
    """Write a segment."""
    (directory / f"{SPOOL_PREFIX}{first:0{SPOOL_DIGITS}d}").write_bytes(data)


def test_records_that_nobody_has_acknowledged(tmp_path: Path) -> None:
    """Over all segments; none without a spool."""
    assert pending_records(tmp_path) == 0
    write(tmp_path, 1, segment(1, 2))
    write(tmp_path, 3, segment(3))
    assert pending_records(tmp_path) == 3

    (tmp_path / SPOOL_ACK_NAME).write_bytes(ack_of(2))

    assert pending_records(tmp_path) == 1


def test_a_segment_of_which_nothing_is_whole_hides_none_before_it(tmp_path: Path) -> None:
    """A record is torn when the process dies in the middle of it."""
    write(tmp_path, 1, segment(1, 2))
    write(tmp_path, 3, segment(3)[:-1])

    assert pending_records(tmp_path) == 2


def test_an_acknowledgement_that_is_damaged_counts_for_nothing(tmp_path: Path) -> None:
    """What was acknowledged comes again, which is harmless; otherwise it would be lost."""
    write(tmp_path, 1, segment(1, 2))
    (tmp_path / SPOOL_ACK_NAME).write_bytes(b"\xff" * 12)

    assert pending_records(tmp_path) == 2
    assert [acknowledged_in(packed) for packed in (b"", ack_of(7)[:-1], ack_of(7))] == [0, 0, 7]


def test_a_record_whose_bytes_have_changed_ends_the_segment() -> None:
    """Its checksum says so, and what comes after it has no certain place."""
    whole = segment(1, 2, 3)
    size = len(segment(1))
    damaged = whole[: size + 5] + bytes([whole[size + 5] ^ 1]) + whole[size + 6 :]

    assert [record.number for record in records_in(damaged)] == [1]
