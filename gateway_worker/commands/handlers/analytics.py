"""What was counted of a session, or of several."""

from gateway_contracts import AnalyticsCounters, AnalyticsFleet, Counters
from gateway_contracts.tenants import tenant_of
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, looked_up
from gateway_worker.commands.lanes import Lane
from gateway_worker.errors import GatewayError


async def counters(context: Context, command: AnalyticsCounters) -> Counters:
    """Return how many messages there were, by day and kind."""
    if context.counters is None:
        raise GatewayError("this worker cannot count")
    return await context.counters.read(command.subject, command.data)


async def fleet(context: Context, command: AnalyticsFleet) -> Effect:
    """Add up what sessions have had, of one tenant if the command is that tenant's."""
    if context.counters is None:
        raise GatewayError("this worker cannot count")
    counted = await context.counters.read_fleet(command.data, tenant=tenant_of(command.subject))
    return Effect(result=counted, session=None, is_kept=False)


HANDLERS: dict[str, Handler] = {
    "wa.analytics.counters.v1": looked_up(counters),
    "wa.analytics.fleet.v1": Handler(run=fleet, lane=Lane.FREE),
}
