"""The session itself."""

from gateway_worker.host_protocol.methods.method import Done, Effect, HostLane, Method, WhenLate
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.wire import Answer


class Heard(Answer, frozen=True, kw_only=True, tag="heard"):
    """How long ago WhatsApp has last sent anything; None: there is no connection.

    `retries` is how often devices of others have asked this host for a message again.
    """

    seconds: float | None = None
    retries: int = 0


class Logout(Method[Done], frozen=True, kw_only=True, tag="session.logout"):
    """Unlink the device."""

    result = Done
    effect = Effect.IDEMPOTENT
    lane = HostLane.ORDERED
    when_late = WhenLate.CUT
    timeout_seconds = 10.0
    ends_host = True


class Listen(Method[Heard], frozen=True, kw_only=True, tag="session.listen"):
    """Tell how long ago WhatsApp has last sent anything; a host that hangs says nothing."""

    result = Heard
    effect = Effect.QUERY
    lane = HostLane.NONE
    when_late = WhenLate.LEAVE
    timeout_seconds = 5.0


class Probe(Method[Done], frozen=True, kw_only=True, tag="session.probe"):
    """Ask WhatsApp something, so that it has to answer."""

    result = Done
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = 20.0


class Configure(Method[Done], frozen=True, kw_only=True, tag="session.configure"):
    """Obey other settings from now on.

    Attributes:
        settings: All of them.
    """

    result = Done
    effect = Effect.IDEMPOTENT
    lane = HostLane.NONE
    when_late = WhenLate.LEAVE
    # One that is just being started answers only once it runs.
    timeout_seconds = 30.0

    settings: HostSettings


SessionCall = Logout | Listen | Probe | Configure
"""Every method of this family."""

SessionAnswer = Heard
"""What they are answered with."""
