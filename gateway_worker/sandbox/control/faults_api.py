"""Routes of the service: health, the worker's settings, faults, links, refused requests."""

from __future__ import annotations

from aiohttp import web

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.exchange import (
    done,
    phone_of,
    query,
    read,
    reply,
    sandbox_of,
)
from gateway_worker.sandbox.control.views import health_view, rule_view
from gateway_worker.sandbox.hub.rules import Rule

routes = web.RouteTableDef()


@routes.get("/health")
async def health(request: web.Request) -> web.Response:
    """Say that the sandbox is up."""
    return reply(health_view(sandbox_of(request)))


@routes.get("/worker-env")
async def worker_env(request: web.Request) -> web.Response:
    """Return the three settings for a worker."""
    sandbox = sandbox_of(request)
    return reply(
        models.WorkerEnv(
            proxy_url=sandbox.proxy_url,
            ca_file=str(sandbox.ca_file),
            root_key=sandbox.root_key_hex,
        )
    )


@routes.get("/egress-attempts")
async def egress_attempts(request: web.Request) -> web.Response:
    """List the requests for other hosts; all were refused."""
    attempts = sandbox_of(request).egress_attempts
    views = tuple(models.EgressView(method=one.method, target=one.target) for one in attempts)
    return reply(models.EgressList(attempts=views))


@routes.get("/faults")
async def list_rules(request: web.Request) -> web.Response:
    """All fault rules, those set for phones among them."""
    rules = tuple(map(rule_view, sandbox_of(request).faults.rules))
    return reply(models.RuleList(rules=rules))


@routes.post("/faults")
async def add_rule(request: web.Request) -> web.Response:
    """Put a fault rule in force; it takes the place of one with the same id."""
    rule = await read(request, Rule)
    sandbox_of(request).faults.add(rule)
    return reply(models.RuleView.model_validate(dict(rule)), status=201)


@routes.delete("/faults/{rule}")
async def remove_rule(request: web.Request) -> web.Response:
    """End a fault rule."""
    sandbox_of(request).faults.remove(request.match_info["rule"])
    return done()


@routes.put("/phones/{number}/faults")
async def set_faults(request: web.Request) -> web.Response:
    """Replace the faults of a phone's companions, or of one of them."""
    phone, body = phone_of(request), await read(request, models.FaultsBody)
    device = query(request, models.DeviceQuery).device
    sandbox_of(request).faults.set(phone.number, body.value(), device=device)
    return done()


@routes.delete("/phones/{number}/faults")
async def clear_faults(request: web.Request) -> web.Response:
    """End the faults."""
    device = query(request, models.DeviceQuery).device
    sandbox_of(request).faults.clear(phone_of(request).number, device=device)
    return done()


@routes.get(r"/phones/{number}/companions/{device:\d+}/faults")
async def show_faults(request: web.Request) -> web.Response:
    """Show the faults in force for one companion."""
    device = int(request.match_info["device"])
    faults = sandbox_of(request).faults.get(phone_of(request).number, device=device)
    return reply(models.FaultsBody.of(faults))


@routes.post("/phones/{number}/disconnect")
async def disconnect(request: web.Request) -> web.Response:
    """Cut or end the connections of a phone's companions."""
    phone, body = phone_of(request), await read(request, models.EndStream)
    faults = sandbox_of(request).faults
    if body.stream is None:
        count = faults.drop_link(phone.number, device=body.device)
    else:
        count = faults.end_stream(phone.number, body.stream, device=body.device)
    return reply(models.Ended(connections=count))


@routes.post("/phones/{number}/stanza")
async def inject(request: web.Request) -> web.Response:
    """Send a phone's companions any stanza, as it stands."""
    phone, body = phone_of(request), await read(request, models.Injection)
    count = sandbox_of(request).faults.inject(phone.number, body.value(), device=body.device)
    return reply(models.Ended(connections=count))


@routes.post("/phones/{number}/push")
async def push(request: web.Request) -> web.Response:
    """Send a phone's companions any stanza, as the service does."""
    phone, body = phone_of(request), await read(request, models.Push)
    count = sandbox_of(request).faults.push(phone.number, body.value(), device=body.device)
    return reply(models.Pushed(devices=count))


@routes.put("/service")
async def reach(request: web.Request) -> web.Response:
    """Make the whole service unreachable, or reachable again."""
    sandbox, body = sandbox_of(request), await read(request, models.ServiceState)
    if body.reachable:
        await sandbox.faults.service_up()
    else:
        await sandbox.faults.service_down()
    return done()
