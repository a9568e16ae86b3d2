"""What a backend and the gateway worker say to each other over RabbitMQ.

`commands` go in, `events` come out, both in families and in the CloudEvents envelope of `envelope`;
a family of commands has what they return, too. `content` is what messages carry, a module per kind.
`errors` is the closed set of error codes, `topology` names exchanges, queues and keys, and `codec`
turns bytes into models and back. The JSON Schemas in `schemas/`, `asyncapi.json` and RabbitMQ's
definitions are made from these models by `python -m gateway_contracts.export`.
"""

from gateway_contracts.backend import (
    BackendTopology,
    backend_events_queue,
    backend_heartbeats_queue,
)
from gateway_contracts.codec import (
    MAX_COMMAND_BYTES,
    REQUIRED_ATTRIBUTES,
    CommandRejectedError,
    encode,
    is_event_type,
    oversized_command,
    parse_command,
    parse_event,
    parse_known_event,
    readable_id,
    session_id_in,
)
from gateway_contracts.commands import Command, Result
from gateway_contracts.commands.contact import (
    CheckedNumber,
    ContactCheck,
    ContactCheckData,
    ContactsChecked,
)
from gateway_contracts.commands.done import Done
from gateway_contracts.commands.media import MediaGet, MediaGetData, MediaInfo
from gateway_contracts.commands.message import (
    MessageSend,
    MessageSendData,
    OnUncertain,
    SentInfo,
)
from gateway_contracts.commands.replay import ReplayInfo, SessionReplay, SessionReplayData
from gateway_contracts.commands.session import (
    NoData,
    PairByCode,
    PairByQr,
    QrInfo,
    SessionCreate,
    SessionCreateData,
    SessionDelete,
    SessionGetQr,
    SessionGetQrData,
    SessionGetStatus,
    SessionInfo,
    SessionLogout,
    SessionMigrate,
    SessionMigrateData,
    SessionRestart,
    SessionStop,
)
from gateway_contracts.commands.upload import MediaUpload, MediaUploadUrl, MediaUploadUrlData
from gateway_contracts.content import Content, ContentToSend
from gateway_contracts.content.album import AlbumContent, AlbumToSend
from gateway_contracts.content.audio import AudioContent, AudioToSend
from gateway_contracts.content.buttons import Button, ButtonsContent, ButtonsToSend, ButtonToSend
from gateway_contracts.content.contact import (
    ContactCard,
    ContactCardToSend,
    ContactContent,
    ContactToSend,
)
from gateway_contracts.content.document import DocumentContent, DocumentToSend
from gateway_contracts.content.edit import EditContent, EditToSend
from gateway_contracts.content.event import EventContent, EventToSend
from gateway_contracts.content.forward import ForwardedMessage, ForwardToSend
from gateway_contracts.content.group_invite import GroupInviteContent, GroupInviteToSend
from gateway_contracts.content.image import ImageContent, ImageToSend
from gateway_contracts.content.interactive_reply import InteractiveReplyContent, ReplyForm
from gateway_contracts.content.keep import KeepContent, KeepToSend
from gateway_contracts.content.list_menu import (
    ListMenuContent,
    ListMenuToSend,
    ListRow,
    ListRowToSend,
    ListSection,
    ListSectionToSend,
)
from gateway_contracts.content.live_location import LiveLocationContent, LiveLocationToSend
from gateway_contracts.content.location import LocationContent, LocationToSend
from gateway_contracts.content.order import OrderContent
from gateway_contracts.content.pin import PinContent, PinToSend
from gateway_contracts.content.poll import PollContent, PollToSend
from gateway_contracts.content.poll_vote import PollVoteContent, PollVoteState, PollVoteToSend
from gateway_contracts.content.product import ProductContent
from gateway_contracts.content.reaction import ReactionContent, ReactionToSend
from gateway_contracts.content.revoke import RevokeContent, RevokeToSend
from gateway_contracts.content.sticker import StickerContent, StickerToSend
from gateway_contracts.content.sticker_pack import StickerPackContent
from gateway_contracts.content.text import TextContent, TextToSend
from gateway_contracts.content.timer import TimerContent
from gateway_contracts.content.unsupported import UnsupportedContent
from gateway_contracts.content.video import VideoContent, VideoToSend
from gateway_contracts.content.voice import VoiceContent, VoiceToSend
from gateway_contracts.envelope import (
    CONTENT_TYPE,
    CommandEnvelope,
    Envelope,
    SessionEventEnvelope,
    WorkerEventEnvelope,
    dataschema_for,
    format_sequence,
    new_id,
    utc_now,
)
from gateway_contracts.errors import ErrorBody, ErrorCategory, ErrorCode, FieldError
from gateway_contracts.events import Event, SessionEvent
from gateway_contracts.events.call import (
    CallEnded,
    CallEndedData,
    CallReceived,
    CallReceivedData,
)
from gateway_contracts.events.change import (
    ChangeData,
    ChatTimerChanged,
    ChatTimerChangedData,
    MessageEdited,
    MessageEditedData,
    MessageKept,
    MessageKeptData,
    MessagePinned,
    MessagePinnedData,
    MessageReaction,
    MessageReactionData,
    MessageRevoked,
    MessageRevokedData,
    PollVote,
    PollVoteData,
)
from gateway_contracts.events.chat import ChatMerged, ChatMergedData
from gateway_contracts.events.media import MediaData, MediaFailed, MediaReady
from gateway_contracts.events.message import (
    MessageData,
    MessageReceipt,
    MessageReceiptData,
    MessageReceived,
    MessageSent,
    MessageUndecryptable,
    MessageUndecryptableData,
    ReceiptStatus,
    UndecryptableReason,
)
from gateway_contracts.events.outcome import (
    NO_SESSION,
    CommandFailed,
    CommandFailedData,
    CommandResolved,
    CommandResolvedData,
    CommandSucceeded,
    CommandSucceededData,
    CommandWarning,
    Evidence,
    WarningCode,
)
from gateway_contracts.events.session import (
    SessionPairCode,
    SessionPairCodeData,
    SessionQr,
    SessionQrData,
    SessionStatus,
    SessionStatusData,
)
from gateway_contracts.events.worker import (
    WorkerCapacity,
    WorkerCapacityData,
    WorkerDraining,
    WorkerHeartbeat,
    WorkerLoad,
    WorkerStarted,
    WorkerStopped,
)
from gateway_contracts.link_preview import AutomaticPreview, CardPreview, LinkPreview
from gateway_contracts.media import (
    Media,
    MediaError,
    MediaSource,
    MediaState,
    ObjectSource,
    UploadSource,
    UrlSource,
)
from gateway_contracts.origins import Forwarded, Referral
from gateway_contracts.people import Account, Participant
from gateway_contracts.properties import AmqpProperties, properties_for
from gateway_contracts.references import MessageReference, MessageTarget, Quoted, ReplyTarget
from gateway_contracts.states import SessionState, StatusReason
from gateway_contracts.topology import (
    RETRY_DELAYS,
    BindingSpec,
    ExchangeBindingSpec,
    ExchangeSpec,
    QueueSpec,
    Topology,
)

__all__ = [
    "CONTENT_TYPE",
    "MAX_COMMAND_BYTES",
    "NO_SESSION",
    "REQUIRED_ATTRIBUTES",
    "RETRY_DELAYS",
    "Account",
    "AlbumContent",
    "AlbumToSend",
    "AmqpProperties",
    "AudioContent",
    "AudioToSend",
    "AutomaticPreview",
    "BackendTopology",
    "BindingSpec",
    "Button",
    "ButtonToSend",
    "ButtonsContent",
    "ButtonsToSend",
    "CallEnded",
    "CallEndedData",
    "CallReceived",
    "CallReceivedData",
    "CardPreview",
    "ChangeData",
    "ChatMerged",
    "ChatMergedData",
    "ChatTimerChanged",
    "ChatTimerChangedData",
    "CheckedNumber",
    "Command",
    "CommandEnvelope",
    "CommandFailed",
    "CommandFailedData",
    "CommandRejectedError",
    "CommandResolved",
    "CommandResolvedData",
    "CommandSucceeded",
    "CommandSucceededData",
    "CommandWarning",
    "ContactCard",
    "ContactCardToSend",
    "ContactCheck",
    "ContactCheckData",
    "ContactContent",
    "ContactToSend",
    "ContactsChecked",
    "Content",
    "ContentToSend",
    "DocumentContent",
    "DocumentToSend",
    "Done",
    "EditContent",
    "EditToSend",
    "Envelope",
    "ErrorBody",
    "ErrorCategory",
    "ErrorCode",
    "Event",
    "EventContent",
    "EventToSend",
    "Evidence",
    "ExchangeBindingSpec",
    "ExchangeSpec",
    "FieldError",
    "ForwardToSend",
    "Forwarded",
    "ForwardedMessage",
    "GroupInviteContent",
    "GroupInviteToSend",
    "ImageContent",
    "ImageToSend",
    "InteractiveReplyContent",
    "KeepContent",
    "KeepToSend",
    "LinkPreview",
    "ListMenuContent",
    "ListMenuToSend",
    "ListRow",
    "ListRowToSend",
    "ListSection",
    "ListSectionToSend",
    "LiveLocationContent",
    "LiveLocationToSend",
    "LocationContent",
    "LocationToSend",
    "Media",
    "MediaData",
    "MediaError",
    "MediaFailed",
    "MediaGet",
    "MediaGetData",
    "MediaInfo",
    "MediaReady",
    "MediaSource",
    "MediaState",
    "MediaUpload",
    "MediaUploadUrl",
    "MediaUploadUrlData",
    "MessageData",
    "MessageEdited",
    "MessageEditedData",
    "MessageKept",
    "MessageKeptData",
    "MessagePinned",
    "MessagePinnedData",
    "MessageReaction",
    "MessageReactionData",
    "MessageReceipt",
    "MessageReceiptData",
    "MessageReceived",
    "MessageReference",
    "MessageRevoked",
    "MessageRevokedData",
    "MessageSend",
    "MessageSendData",
    "MessageSent",
    "MessageTarget",
    "MessageUndecryptable",
    "MessageUndecryptableData",
    "NoData",
    "ObjectSource",
    "OnUncertain",
    "OrderContent",
    "PairByCode",
    "PairByQr",
    "Participant",
    "PinContent",
    "PinToSend",
    "PollContent",
    "PollToSend",
    "PollVote",
    "PollVoteContent",
    "PollVoteData",
    "PollVoteState",
    "PollVoteToSend",
    "ProductContent",
    "QrInfo",
    "QueueSpec",
    "Quoted",
    "ReactionContent",
    "ReactionToSend",
    "ReceiptStatus",
    "Referral",
    "ReplayInfo",
    "ReplyForm",
    "ReplyTarget",
    "Result",
    "RevokeContent",
    "RevokeToSend",
    "SentInfo",
    "SessionCreate",
    "SessionCreateData",
    "SessionDelete",
    "SessionEvent",
    "SessionEventEnvelope",
    "SessionGetQr",
    "SessionGetQrData",
    "SessionGetStatus",
    "SessionInfo",
    "SessionLogout",
    "SessionMigrate",
    "SessionMigrateData",
    "SessionPairCode",
    "SessionPairCodeData",
    "SessionQr",
    "SessionQrData",
    "SessionReplay",
    "SessionReplayData",
    "SessionRestart",
    "SessionState",
    "SessionStatus",
    "SessionStatusData",
    "SessionStop",
    "StatusReason",
    "StickerContent",
    "StickerPackContent",
    "StickerToSend",
    "TextContent",
    "TextToSend",
    "TimerContent",
    "Topology",
    "UndecryptableReason",
    "UnsupportedContent",
    "UploadSource",
    "UrlSource",
    "VideoContent",
    "VideoToSend",
    "VoiceContent",
    "VoiceToSend",
    "WarningCode",
    "WorkerCapacity",
    "WorkerCapacityData",
    "WorkerDraining",
    "WorkerEventEnvelope",
    "WorkerHeartbeat",
    "WorkerLoad",
    "WorkerStarted",
    "WorkerStopped",
    "backend_events_queue",
    "backend_heartbeats_queue",
    "dataschema_for",
    "encode",
    "format_sequence",
    "is_event_type",
    "new_id",
    "oversized_command",
    "parse_command",
    "parse_event",
    "parse_known_event",
    "properties_for",
    "readable_id",
    "session_id_in",
    "utc_now",
]
