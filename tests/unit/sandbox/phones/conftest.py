"""Phones on a service without a server: everything but the wire."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.service.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ANNA, BEN = "4915550001", "4915550002"


@pytest.fixture
def service() -> Service:
    """Return an empty service."""
    return Service()


@pytest.fixture
async def phones(service: Service) -> AsyncIterator[tuple[Phone, Phone]]:
    """Switch Anna's and Ben's phones on; afterwards nothing must have gone wrong on them."""
    async with AsyncExitStack() as stack:
        pair = (
            await stack.enter_async_context(
                Phone.open(service=service, number=ANNA, push_name="Anna")
            ),
            await stack.enter_async_context(
                Phone.open(service=service, number=BEN, push_name="Ben")
            ),
        )
        yield pair
        for phone in pair:
            assert list(phone.handling_errors) == []
