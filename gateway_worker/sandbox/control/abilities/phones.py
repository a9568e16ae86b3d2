"""Phones and their companions."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.control.views import linked_view, phone_view
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.sandbox import Sandbox


def list_phones(sandbox: Sandbox) -> models.PhoneList:
    """List the phones, in the order in which they were added."""
    return models.PhoneList(phones=tuple(phone_view(sandbox, phone) for phone in sandbox.phones))


async def add_phone(sandbox: Sandbox, body: models.NewPhone) -> models.PhoneView:
    """Register an account and switch its phone on; without a number a free one is chosen."""
    phone = await sandbox.add_phone(
        body.number, push_name=body.push_name, lid=body.lid, hides_number=body.hides_number
    )
    return phone_view(sandbox, phone)


def show(sandbox: Sandbox, phone: Phone) -> models.PhoneView:
    """Show a phone and its companions."""
    return phone_view(sandbox, phone)


def rename(sandbox: Sandbox, phone: Phone, body: models.PhoneChange) -> models.PhoneView:
    """Rename an account."""
    sandbox.rename(phone.number, body.push_name)
    return phone_view(sandbox, phone)


async def scan(phone: Phone, body: models.Scan) -> models.Linked:
    """Link the companion that shows a QR."""
    return linked_view(await phone.scan(body.qr))


async def enter_code(phone: Phone, body: models.EnterCode) -> models.Linked:
    """Link the companion that shows a code."""
    return linked_view(await phone.enter_code(body.code, timeout=body.timeout_seconds))


def unlink(phone: Phone, device: int) -> None:
    """Remove a companion."""
    phone.unlink(device)


OPERATIONS: Final = (
    Operation(name="phones", route="GET /phones", run=list_phones, returns="phones"),
    Operation(
        name="add_phone",
        route="POST /phones",
        run=add_phone,
        status=201,
        positional=("number",),
    ),
    Operation(name="phone", route="GET /phones/{number}", run=show),
    Operation(name="rename", route="PATCH /phones/{number}", run=rename),
    Operation(name="scan", route="POST /phones/{number}/scan", run=scan, status=201),
    Operation(name="enter_code", route="POST /phones/{number}/code", run=enter_code, status=201),
    Operation(name="unlink", route="DELETE /phones/{number}/companions/{device}", run=unlink),
)
