"""Which headers go on with a message that a worker sends on."""

from typing import Any

import pytest

from gateway_worker.broker.headers import forwarded_headers, traceparent_in

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_what_a_trace_needs_goes_on() -> None:
    """As long as the standard promises, and no longer."""
    headers = {"traceparent": TRACEPARENT, "tracestate": "k=" + "v" * 510}

    assert forwarded_headers(headers) == headers
    assert traceparent_in(headers) == TRACEPARENT


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": f"{TRACEPARENT}-{'x' * 100_000}"},
        {"traceparent": f"{TRACEPARENT}\n"},
        {"traceparent": TRACEPARENT.upper()},
        {"traceparent": ""},
        {"traceparent": [TRACEPARENT]},
        {"tracestate": "v" * 513},
        {"tracestate": "k=ä"},
        {"tracestate": 7},
        {"other": "x"},
    ],
)
def test_what_cannot_be_that_does_not(headers: dict[str, Any]) -> None:
    """A sender may write anything, as long as it likes."""
    assert forwarded_headers(headers) == {}
    assert traceparent_in(headers) is None
