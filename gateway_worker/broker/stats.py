"""What can be measured at the broker: counters inside, frozen snapshots outside."""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Counters:
    """Running totals since the start, counted where it happens."""

    reconnects: int = 0
    published: int = 0
    returned: int = 0
    refused: int = 0
    publish_timeouts: int = 0
    publish_failures: int = 0
    delivered: int = 0
    reattached: int = 0
    acknowledged_again: int = 0
    settle_failures: int = 0
    dead_lettered: int = 0
    given_back: int = 0
    resubscribed: int = 0
    unanswered: int = 0
    claims_ignored: int = 0
    oversized: int = 0
    unpublishable: int = 0
    mended: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerStats:
    """The broker's figures at one moment; the totals count from the start of the process.

    Attributes:
        reconnects: Connections made again after a loss, all of them together.
        published: Messages that the broker has confirmed.
        returned: Messages that no queue wanted.
        refused: Messages that a full queue refused.
        publish_timeouts: Publications without a confirm in time; they may have been stored.
        publish_failures: Publications that failed with their channel or connection.
        delivered: Commands handed to the dispatcher.
        reattached: Redeliveries of commands that were still in work.
        acknowledged_again: Redeliveries of commands that had been settled.
        settle_failures: Settlements that did not get out; the broker delivers those again.
        dead_lettered: Commands sent to the dead letters.
        given_back: Commands given back to the broker.
        resubscribed: Consumers that were found gone and subscribed again.
        unanswered: Subscriptions that the broker did not answer in time.
        claims_ignored: Messages that said of themselves what only workers may say; ignored.
        oversized: Messages whose body was too large to be read.
        unpublishable: Messages that the broker will never take.
        mended: Queues, exchanges and bindings that were found gone, and made again.
        in_flight: Commands handed out and not settled.
        held_bytes: What the bodies of those over 4 KiB take, and of such as were not looked at yet.
        unconfirmed: Publications without a confirm so far.
        oldest_unconfirmed_seconds: Age of the oldest of them; grows while the broker blocks us.
        blocked: Whether the broker takes no publications (memory or disk alarm).
        connected: Whether the connections are up.
        consuming: Whether the worker's own queue is being consumed.
    """

    reconnects: int
    published: int
    returned: int
    refused: int
    publish_timeouts: int
    publish_failures: int
    delivered: int
    reattached: int
    acknowledged_again: int
    settle_failures: int
    dead_lettered: int
    given_back: int
    resubscribed: int
    unanswered: int
    claims_ignored: int
    oversized: int
    unpublishable: int
    mended: int
    in_flight: int
    held_bytes: int
    unconfirmed: int
    oldest_unconfirmed_seconds: float
    blocked: bool
    connected: bool
    consuming: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerHealth:
    """Whether the broker can be used now; `problems` says in words why not."""

    problems: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems
