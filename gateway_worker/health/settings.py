"""What can be set about the health sidecar."""

from ipaddress import ip_address

from pydantic import BaseModel, ConfigDict, Field, field_validator


class HealthSettings(BaseModel):
    """Settings of the sidecar. All times are in seconds.

    Attributes:
        host: IP address to listen on. Probes of an orchestrator come from outside: 0.0.0.0 in a
            container.
        port: TCP port; 0 picks a free one.
        check_interval_seconds: Time between two checks of one dependency.
        check_timeout_seconds: A check that takes longer counts as failed.
        stuck_seconds: After how long without a turn the event loop counts as stuck.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    check_interval_seconds: float = Field(5.0, gt=0)
    check_timeout_seconds: float = Field(3.0, gt=0)
    stuck_seconds: float = Field(15.0, gt=0)

    @field_validator("host")
    @classmethod
    def _is_address(cls, host: str) -> str:
        try:
            return str(ip_address(host))
        except ValueError:
            raise ValueError("not an IP address such as 127.0.0.1, 0.0.0.0 or ::") from None
