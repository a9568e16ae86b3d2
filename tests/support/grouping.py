"""Keeps tests that share something costly in one test process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def keep_modules_together(items: Iterable[pytest.Item], directory: Path) -> None:
    """Run each module of a directory in one process, so that its fixtures are set up once.

    For a hook with `tryfirst=True`, because xdist reads the groups in the same hook. A test that
    has a group already stays in that.
    """
    for item in items:
        if item.path.parent == directory and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(f"{directory.name}-{item.path.stem}"))


def keep_on_one_loop(items: Iterable[pytest.Item], directory: Path) -> None:
    """Run all tests of a directory in one process and on one loop, for what they share.

    For a hook with `tryfirst=True`, as above.
    """
    for item in items:
        if item.path.parent == directory:
            item.add_marker(pytest.mark.xdist_group(f"{directory.name}-gateway"))
            # First: in auto mode the test has one already
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
