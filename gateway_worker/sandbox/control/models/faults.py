"""What shall go wrong."""

from __future__ import annotations

from pydantic import Field

from gateway_worker.sandbox.control.models.base import Body
from gateway_worker.sandbox.service.fault_rules import Rule
from gateway_worker.sandbox.service.faults import (
    ALWAYS,
    Faults,
    LoginFailure,
    QueryRefusal,
    RefusalShape,
)


class DeviceQuery(Body):
    """The query that picks one companion."""

    device: int | None = Field(default=None, ge=1, le=255)


class LoginFailureBody(Body):
    """Refuse logins; see `service.faults.LoginFailure`."""

    reason: int = Field(ge=400, le=599)
    times: int = Field(default=ALWAYS, ge=1)
    ban_code: int = 101
    expire_seconds: int = 3600


class QueryRefusalBody(Body):
    """Refuse queries; see `service.faults.QueryRefusal`."""

    query: str = Field(min_length=1)
    status: int = Field(default=429, ge=400, le=599)
    times: int = Field(default=ALWAYS, ge=0)
    about: str | None = None
    shape: RefusalShape = RefusalShape.WHOLE
    backoff_seconds: int | None = Field(default=None, ge=0)


class FaultsBody(Body):
    """What shall go wrong; see `service.faults.Faults`."""

    login_failure: LoginFailureBody | None = None
    drop_logins: int = Field(default=0, ge=0)
    missing_acks: int = Field(default=0, ge=0)
    error_acks: int = Field(default=0, ge=0)
    ack_error: int = 479
    ack_delay_seconds: float = Field(default=0.0, ge=0)
    lost_receipts: int = Field(default=0, ge=0)
    no_response: int = Field(default=0, ge=0)
    garbled: int = Field(default=0, ge=0)
    altered: int = Field(default=0, ge=0)
    alterations: dict[str, str] = Field(default_factory=dict)
    unregistered: bool = False
    no_bundles: bool = False
    passkey: bool = False
    silent: bool = False
    refused_queries: tuple[QueryRefusalBody, ...] = ()

    @classmethod
    def of(cls, faults: Faults) -> FaultsBody:
        """Show the service's value."""
        return cls.model_validate(faults, from_attributes=True)

    def value(self) -> Faults:
        """Return the service's value."""
        fields = self.model_dump(exclude={"login_failure", "refused_queries"})
        failure = self.login_failure
        return Faults(
            login_failure=None if failure is None else LoginFailure(**failure.model_dump()),
            refused_queries=tuple(
                QueryRefusal(**refusal.model_dump()) for refusal in self.refused_queries
            ),
            **fields,
        )


class RuleView(Rule):
    """A fault rule in force, and how often it has applied."""

    applied: int = 0


class RuleList(Body):
    """All rules, in the order in which they were added."""

    rules: tuple[RuleView, ...]
