"""From the sandbox's values to the bodies of the control API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.control import models

if TYPE_CHECKING:
    from gateway_worker.sandbox.phones.media.attachment import Attachment
    from gateway_worker.sandbox.phones.phone import Phone
    from gateway_worker.sandbox.phones.records import HandlingError
    from gateway_worker.sandbox.phones.values import ChatMessage, Companion, SeenReceipt
    from gateway_worker.sandbox.sandbox import Sandbox
    from gateway_worker.sandbox.service.connections import LinkState
    from gateway_worker.sandbox.service.fault_book import ActiveRule
    from gateway_worker.sandbox.service.groups.group import Group


def phone_view(sandbox: Sandbox, phone: Phone) -> models.PhoneView:
    """Show a phone with its companions."""
    return models.PhoneView(
        number=phone.number,
        lid=phone.jid.user,
        push_name=phone.push_name,
        reused_keys=phone.reused_keys,
        companions=tuple(map(companion_view, sandbox.connections.links(phone.number))),
    )


def companion_view(link: LinkState) -> models.CompanionView:
    """Show a companion's link."""
    return models.CompanionView(
        device=link.device.device,
        address=str(link.device),
        online=link.online,
        pending=link.pending,
        prekeys=link.prekeys,
        logins=link.logins,
    )


def linked_view(companion: Companion) -> models.Linked:
    """Show what a pairing led to."""
    return models.Linked(
        device=companion.device.device,
        address=str(companion.device),
        number_address=str(companion.number),
        platform=companion.platform,
    )


def message_view(message: ChatMessage) -> models.MessageView:
    """Show a message."""
    return models.MessageView(
        message_id=message.message_id,
        chat=str(message.chat),
        sender=str(message.sender),
        sender_number=message.sender_number,
        from_me=message.from_me,
        kind=message.kind,
        text=message.text,
        quoted_id=message.quoted_id,
        target_id=message.target_id,
        mentions=tuple(map(str, message.mentions)),
        sent_at=message.sent_at,
        received_at=message.received_at,
        asked_again=message.asked_again,
        media=None if message.media is None else media_view(message.media),
    )


def media_view(media: Attachment) -> models.MediaView:
    """Show a message's file."""
    return models.MediaView(
        kind=media.kind,
        mime_type=media.mime_type,
        size=media.size,
        sha256=media.sha256,
        seconds=media.seconds,
        width=media.width,
        height=media.height,
        file_name=media.file_name,
        waveform=tuple(media.waveform),
        animated=media.animated,
        view_once=media.view_once,
        is_checked=media.is_checked,
        error=media.error,
    )


def content_view(message: ChatMessage) -> models.ContentView:
    """Show what is in a message."""
    return models.ContentView(
        message_id=message.message_id, kind=message.kind, content=message.content
    )


def group_view(group: Group) -> models.GroupView:
    """Show a group."""
    return models.GroupView(
        group=str(group.jid),
        subject=group.subject.text,
        description="" if group.description is None else group.description.text,
        ephemeral_seconds=group.ephemeral_seconds,
        admins_write=group.admins_write,
        admins_edit=group.admins_edit,
        admins_approve=group.admins_approve,
        waiting=tuple(account.lid.user for account in group.requests),
        members=tuple(
            models.MemberView(
                lid=account.lid.user,
                number="" if account.hides_number else account.number.user,
                role=role.value,
            )
            for account, role in group.roles.items()
        ),
        members_version=str(group.members_version),
    )


def receipt_view(receipt: SeenReceipt) -> models.ReceiptView:
    """Show a receipt."""
    return models.ReceiptView(
        message_ids=receipt.message_ids,
        sender=str(receipt.sender),
        kind=receipt.kind,
        sent_at=receipt.sent_at,
    )


def handling_error_view(failed: HandlingError) -> models.HandlingErrorView:
    """Show something that a phone could not handle."""
    error = failed.error
    return models.HandlingErrorView(where=failed.where, error=f"{type(error).__name__}: {error}")


def rule_view(active: ActiveRule) -> models.RuleView:
    """Show a fault rule."""
    return models.RuleView.model_validate({**dict(active.rule), "applied": active.applied})


def health_view(sandbox: Sandbox) -> models.Health:
    """Show the sandbox as a whole."""
    links = [link for phone in sandbox.phones for link in sandbox.connections.links(phone.number)]
    return models.Health(
        phones=len(sandbox.phones),
        companions_online=sum(link.online for link in links),
        egress_attempts=len(sandbox.egress_attempts),
        handling_errors=sum(len(phone.handling_errors) for phone in sandbox.phones),
    )
