"""Commands v1. Every command is idempotent by `id`; a repeat gets the stored outcome again.

Each module is a family and ends with the union of its commands and that of what they return. A
command of a known family is one class there; a family more is one more in `Command` and `Result`.
"""

from typing import Annotated

from pydantic import Field

from gateway_contracts.commands.analytics import AnalyticsCommand, AnalyticsResult
from gateway_contracts.commands.bulk import BulkCommand, BulkResult
from gateway_contracts.commands.call import CallCommand
from gateway_contracts.commands.channel import ChannelCommand, ChannelResult
from gateway_contracts.commands.chat import ChatCommand, ChatResult
from gateway_contracts.commands.community import CommunityCommand, CommunityResult
from gateway_contracts.commands.contact import ContactCommand, ContactResult
from gateway_contracts.commands.fleet import FleetCommand, FleetResult
from gateway_contracts.commands.group import GroupCommand, GroupResult
from gateway_contracts.commands.history import HistoryCommand, HistoryResult
from gateway_contracts.commands.media import MediaCommand, MediaResult
from gateway_contracts.commands.message import MessageCommand, MessageResult
from gateway_contracts.commands.presence import PresenceCommand, PresenceResult
from gateway_contracts.commands.privacy import PrivacyCommand, PrivacyResult
from gateway_contracts.commands.profile import ProfileCommand, ProfileResult
from gateway_contracts.commands.queue import QueueCommand, QueueResult
from gateway_contracts.commands.replay import ReplayCommand, ReplayResult
from gateway_contracts.commands.schedule import ScheduleCommand, ScheduleResult
from gateway_contracts.commands.session import (
    PairByCode,
    PairByQr,
    Pairing,
    SessionCommand,
    SessionResult,
)
from gateway_contracts.commands.status import StatusCommand, StatusResult
from gateway_contracts.commands.upload import UploadCommand, UploadResult

__all__ = ["Command", "PairByCode", "PairByQr", "Pairing", "Result"]

Command = Annotated[
    SessionCommand
    | QueueCommand
    | FleetCommand
    | ReplayCommand
    | MessageCommand
    | ScheduleCommand
    | BulkCommand
    | ChatCommand
    | PresenceCommand
    | StatusCommand
    | PrivacyCommand
    | AnalyticsCommand
    | HistoryCommand
    | ContactCommand
    | ProfileCommand
    | GroupCommand
    | CommunityCommand
    | MediaCommand
    | UploadCommand
    | CallCommand
    | ChannelCommand,
    Field(discriminator="type"),
]
"""Every command of this version, told apart by `type`."""

Result = Annotated[
    SessionResult
    | QueueResult
    | FleetResult
    | MessageResult
    | ScheduleResult
    | BulkResult
    | StatusResult
    | PrivacyResult
    | AnalyticsResult
    | HistoryResult
    | ReplayResult
    | ChatResult
    | PresenceResult
    | ContactResult
    | ProfileResult
    | GroupResult
    | CommunityResult
    | MediaResult
    | UploadResult
    | ChannelResult,
    Field(discriminator="kind"),
]
"""What a command returns, told apart by `kind`."""
