"""What can be set about how fast sessions send."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gateway_contracts import PacingProfile
from gateway_worker.commands.pacing.quiet_hours import zone_of


class PacingSettings(BaseModel):
    """How fast sessions send of which their backend has said nothing else.

    Attributes:
        profile: How much an account can be trusted with: `new`, `normal`, `trusted` or `off`.
        recipient_burst: How many messages one chat gets at once, after a rest.
        recipient_seconds: Then one each so many seconds.
        jitter: A wait is longer by up to this share of the time between two messages.
        time_zone: Where days begin, and hours are quiet whose recipient does not tell its own.
        longest_wait_seconds: A message that would have to wait for longer is refused at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    profile: PacingProfile = PacingProfile.TRUSTED
    recipient_burst: int = Field(45, ge=1, le=1_000)
    recipient_seconds: float = Field(6.0, gt=0, le=3_600)
    jitter: float = Field(0.2, ge=0, le=1)
    time_zone: str = "UTC"
    longest_wait_seconds: float = Field(300.0, ge=0, le=1_200)

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if zone_of(name) is None:
            raise ValueError("not the name of a time zone that this machine knows")
        return name
