"""The keys of tokens in a file, which is read again and again."""

from pathlib import Path

import pytest

from gateway_worker.errors import DependencyError
from gateway_worker.tenants.keys import MAX_BYTES, read_file


async def test_a_file_that_can_hold_keys_is_read(tmp_path: Path) -> None:
    """Up to a size that no document of keys has; whatever else is there costs no memory."""
    path = tmp_path / "keys.json"
    path.write_bytes(b"x" * MAX_BYTES)
    assert len(await read_file(path)) == MAX_BYTES
    path.write_bytes(b"x" * (MAX_BYTES + 1))
    for wrong in (path, Path("/dev/zero"), tmp_path / "none", tmp_path):
        with pytest.raises(DependencyError):
            await read_file(wrong)
