"""Bounds of time."""

import pytest

from gateway_worker.runtime.bounds import shortest


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((3.0, 2.0), 2.0),
        ((3.0, None), 3.0),
        ((None, 3.0), 3.0),
        ((None, 0.0, 1.0), 0.0),
        ((None, None), None),
        ((), None),
    ],
)
def test_what_is_missing_bounds_nothing(
    bounds: tuple[float | None, ...], expected: float | None
) -> None:
    """The others do."""
    assert shortest(*bounds) == expected
