"""What shall go wrong: rules, and the short form for one account or device."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.control.views import rule_view
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.service.fault_rules import Rule


def list_rules(sandbox: Sandbox) -> models.RuleList:
    """List the fault rules and how often each has applied."""
    return models.RuleList(rules=tuple(map(rule_view, sandbox.faults)))


def add_rule(sandbox: Sandbox, body: Rule) -> models.RuleView:
    """Put a fault rule in force; it takes the place of one with the same id."""
    sandbox.faults.add(body)
    return models.RuleView.model_validate(dict(body))


def remove_rule(sandbox: Sandbox, rule_id: str) -> None:
    """End a fault rule."""
    sandbox.faults.remove(rule_id)


def set_faults(
    sandbox: Sandbox, phone: Phone, body: models.FaultsBody, query: models.DeviceQuery
) -> None:
    """Replace the faults of a phone's companions, or of one."""
    sandbox.faults.set(phone.number, body.value(), device=query.device)


def clear_faults(sandbox: Sandbox, phone: Phone, query: models.DeviceQuery) -> None:
    """End the faults of a phone's companions, or of one."""
    sandbox.faults.clear(phone.number, device=query.device)


def show_faults(sandbox: Sandbox, phone: Phone, device: int) -> models.FaultsBody:
    """Show what is left of the faults set for a companion, or else for its account."""
    return models.FaultsBody.of(sandbox.faults.get(phone.number, device=device))


OPERATIONS: Final = (
    Operation(name="rules", route="GET /faults", run=list_rules, returns="rules"),
    Operation(name="add_rule", route="POST /faults", run=add_rule, status=201, whole="rule"),
    Operation(name="remove_rule", route="DELETE /faults/{rule_id}", run=remove_rule),
    Operation(
        name="set_faults", route="PUT /phones/{number}/faults", run=set_faults, whole="faults"
    ),
    Operation(name="clear_faults", route="DELETE /phones/{number}/faults", run=clear_faults),
    Operation(
        name="faults", route="GET /phones/{number}/companions/{device}/faults", run=show_faults
    ),
)
