"""Status posts, and who sees them."""

from collections.abc import Mapping
from typing import Any, Final

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.methods.messages import Sent
from gateway_worker.host_protocol.methods.status import Audience, PostStatus, PrepareAudience
from gateway_worker.whatsapp.host.methods.run import Run, Tools, ask


def post(tools: Tools, request: Request, call: PostStatus) -> Sent:
    """Post, or delete what was posted."""
    sender = tools.sender
    return sender.send(request, audience=lambda: sender.audience.reach(call))


def prepare(tools: Tools, _request: Request, call: PrepareAudience) -> Audience:
    """Find out who sees the posts, and look up the devices of some of them."""
    return ask(
        lambda: tools.sender.audience.prepare(begin=call.begin, count=call.count),
        "the look-up of those who see the status",
    )


RUNS: Final[Mapping[type[Any], Run]] = {PostStatus: post, PrepareAudience: prepare}
