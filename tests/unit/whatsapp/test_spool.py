"""The spool loses nothing that it said it has, and never says what it does not have."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.host.spool import Spool
from tests.unit.whatsapp.spools import OpenSpool, numbers, read_all


@pytest.mark.parametrize("sync", [True, False])
def test_records_come_out_as_they_went_in(open_spool: OpenSpool, sync: bool) -> None:  # noqa: FBT001
    """In order, with code, flags and bytes, over several files."""
    spool = open_spool(sync=sync)
    payloads = [os.urandom(size) for size in (0, 1, 50, 900, 3)]

    for place, payload in enumerate(payloads):
        spool.append(17 + place, place, payload)

    assert read_all(spool) == [
        Record(number=place + 1, code=17 + place, flags=place, payload=payload)
        for place, payload in enumerate(payloads)
    ]
    spool.close()


def test_what_was_not_acknowledged_comes_again(open_spool: OpenSpool) -> None:
    """After a restart, before anything new."""
    first = open_spool()
    for _ in range(40):
        first.append(17, 0, b"x" * 20)
    assert numbers(first) == list(range(1, 41))
    first.acknowledge(13)
    first.close()

    second = open_spool()
    second.append(17, 0, b"new")

    assert numbers(second) == list(range(14, 42))
    assert second.pending == 28
    second.close()


def test_files_go_when_they_are_acknowledged(open_spool: OpenSpool, tmp_path: Path) -> None:
    """Nothing is left of what the worker has, and numbers go on."""
    spool = open_spool()
    for _ in range(100):
        spool.append(17, 0, b"x" * 20)
    spool.acknowledge(100)
    spool.close()
    again = open_spool()

    assert again.pending == 0
    assert again.append(17, 0, b"next") == 101
    assert len(list(tmp_path.glob("spool-*"))) == 1
    again.close()


def test_acknowledging_what_is_not_there(open_spool: OpenSpool) -> None:
    """Numbers from the future or the past do no harm."""
    spool = open_spool()
    spool.append(17, 0, b"x")
    spool.acknowledge(99)
    spool.acknowledge(0)

    assert spool.acknowledged == 1
    assert spool.append(17, 0, b"y") == 2
    assert numbers(spool) == [2]
    spool.close()


@settings(max_examples=60)
@given(cut=st.integers(0, 260))
def test_a_torn_tail_costs_only_what_was_being_written(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    """Cut anywhere: the records before the cut are there, the rest is gone, writing goes on."""
    directory = tmp_path_factory.mktemp("spool")
    values: dict[str, Any] = {"directory": directory, "limit_bytes": 10**6, "sync": False}
    spool = Spool.open(segment_bytes=10**6, **values)
    for size in range(10):
        spool.append(17, 0, bytes(size))
    spool.close()
    (file,) = directory.glob("spool-*")
    ends = [sum(18 + size for size in range(count)) for count in range(11)]
    os.truncate(file, min(cut, file.stat().st_size))

    again = Spool.open(segment_bytes=10**6, **values)

    whole = max(count for count, end in enumerate(ends) if end <= cut)
    assert numbers(again) == list(range(1, whole + 1))
    assert again.append(17, 0, b"on") == whole + 1
    assert numbers(again) == [whole + 1]
    again.close()


@settings(max_examples=60)
@given(place=st.integers(0, 224), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    """The damaged record and those behind it in its file are dropped and counted, none is wrong."""
    directory = tmp_path_factory.mktemp("spool")
    values: dict[str, Any] = {"directory": directory, "limit_bytes": 10**6, "sync": False}
    spool = Spool.open(segment_bytes=10**6, **values)
    sent = [bytes([size]) * size for size in range(10)]
    for payload in sent:
        spool.append(17, 0, payload)
    spool.close()
    (file,) = directory.glob("spool-*")
    data = bytearray(file.read_bytes())
    data[place] ^= 1 << bit
    file.write_bytes(data)

    again = Spool.open(segment_bytes=10**6, **values)

    got = [record.payload for record in read_all(again)]
    assert got == sent[: len(got)]
    assert len(got) < len(sent)
    assert again.damaged_bytes > 0
    again.close()


def test_a_damaged_file_does_not_take_the_next_one_along(
    open_spool: OpenSpool, tmp_path: Path
) -> None:
    """Records in later files are delivered."""
    spool = open_spool(segment_bytes=256)
    for _ in range(30):
        spool.append(17, 0, b"x" * 20)
    spool.close()
    first, second, *_ = sorted(tmp_path.glob("spool-*"))
    os.truncate(first, 100)

    again = open_spool()

    later = int(second.name.removeprefix("spool-"))
    assert numbers(again) == [1, 2, *range(later, 31)]
    again.close()


def test_a_lost_acknowledgement_file(open_spool: OpenSpool, tmp_path: Path) -> None:
    """Everything that is still there comes again: twice is better than never."""
    spool = open_spool()
    for _ in range(5):
        spool.append(17, 0, b"x")
    spool.acknowledge(3)
    spool.close()
    (tmp_path / "spool.ack").write_bytes(b"rubbish")

    again = open_spool()

    assert numbers(again) == [1, 2, 3, 4, 5]
    again.close()
