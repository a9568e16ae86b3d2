"""What was counted of a session."""

from gateway_contracts import AnalyticsCounters, Counters
from gateway_worker.commands.handlers.effect import Context, Handler, looked_up
from gateway_worker.errors import GatewayError


async def counters(context: Context, command: AnalyticsCounters) -> Counters:
    """Return how many messages there were, by day and kind."""
    if context.counters is None:
        raise GatewayError("this worker cannot count")
    return await context.counters.read(command.subject, command.data)


HANDLERS: dict[str, Handler] = {"wa.analytics.counters.v1": looked_up(counters)}
