"""Bodies of the control API: frozen, JSON, the same at both ends.

Time stamps are ISO 8601 in UTC. Addresses are in text form (`user:device@server`).
"""

from __future__ import annotations

from gateway_worker.sandbox.control.models.base import Body
from gateway_worker.sandbox.control.models.calls import CallView, HangUp, NewCall
from gateway_worker.sandbox.control.models.faults import (
    DeviceQuery,
    FaultsBody,
    LoginFailureBody,
    QueryRefusalBody,
    RuleList,
    RuleView,
)
from gateway_worker.sandbox.control.models.groups import (
    GroupChange,
    GroupList,
    GroupView,
    MemberAction,
    MemberResult,
    MemberResults,
    MembersChange,
    MemberView,
    NewGroup,
    StatusAudience,
)
from gateway_worker.sandbox.control.models.logs import (
    HandlingErrorPage,
    HandlingErrorView,
    MessagePage,
    MessageView,
    Poll,
    ReceiptPage,
    ReceiptView,
)
from gateway_worker.sandbox.control.models.media import MediaBytes, MediaView, NewMedia
from gateway_worker.sandbox.control.models.messages import (
    Choice,
    ContentView,
    Emoji,
    MessageIds,
    NewContent,
    NewMessage,
    NewPoll,
    NewText,
    Sent,
)
from gateway_worker.sandbox.control.models.phones import (
    CompanionView,
    EnterCode,
    Linked,
    NewPhone,
    PhoneChange,
    PhoneList,
    PhoneView,
    Scan,
    ScriptBody,
)
from gateway_worker.sandbox.control.models.problem import Problem, ProblemField
from gateway_worker.sandbox.control.models.service import (
    EgressList,
    EgressView,
    Health,
    Ready,
    ServiceState,
    WorkerEnv,
)
from gateway_worker.sandbox.control.models.stanzas import (
    Ended,
    EndStream,
    Injection,
    Push,
    Pushed,
    StanzaBody,
)

__all__ = [
    "Body",
    "CallView",
    "Choice",
    "CompanionView",
    "ContentView",
    "DeviceQuery",
    "EgressList",
    "EgressView",
    "Emoji",
    "EndStream",
    "Ended",
    "EnterCode",
    "FaultsBody",
    "GroupChange",
    "GroupList",
    "GroupView",
    "HandlingErrorPage",
    "HandlingErrorView",
    "HangUp",
    "Health",
    "Injection",
    "Linked",
    "LoginFailureBody",
    "MediaBytes",
    "MediaView",
    "MemberAction",
    "MemberResult",
    "MemberResults",
    "MemberView",
    "MembersChange",
    "MessageIds",
    "MessagePage",
    "MessageView",
    "NewCall",
    "NewContent",
    "NewGroup",
    "NewMedia",
    "NewMessage",
    "NewPhone",
    "NewPoll",
    "NewText",
    "PhoneChange",
    "PhoneList",
    "PhoneView",
    "Poll",
    "Problem",
    "ProblemField",
    "Push",
    "Pushed",
    "QueryRefusalBody",
    "Ready",
    "ReceiptPage",
    "ReceiptView",
    "RuleList",
    "RuleView",
    "Scan",
    "ScriptBody",
    "Sent",
    "ServiceState",
    "StanzaBody",
    "StatusAudience",
    "WorkerEnv",
]
