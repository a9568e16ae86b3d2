"""RabbitMQ: commands come in, events go out, and both survive whatever happens to the connection.

Built on aio-pika's plain connection, channel, queue, exchange and message. Its robust ones restore
channels, queues and consumers behind the caller's back, at a fixed pace and in ways that cannot be
seen or bounded from outside; here every step of a recovery is one of ours. What has to reach below
aio-pika stands in `underlay`, with the reasons.

The way through the modules: `client` opens and closes everything and is what `app.py` uses. Below
it `connection` keeps one connection up, `reopening_channel` one channel, `topology` says what is to
be there and `making` makes it, `publisher` publishes through the channels of `confirms`, `consumer`
holds the `subscription` of each queue (those of dead workers by `peer_queues`), which lets in as
many messages as its `prefetch` allows. It hands each message on as a `delivery`, which the
`delivery_tracker` remembers until `settlement` has settled it; `ack_writer` tells the broker.
`headers` names what workers put on what they send on, and says when it can be believed.
`dead_letters` is for whoever runs the gateway: it goes over that queue by `queue_browser`, and
knows `letters`. `tolerant_transport` keeps one malformed message from taking a connection down.
`failures` turns the library's errors into ours, `stats` is what can be measured.
"""

from gateway_worker.broker.client import Broker
from gateway_worker.broker.consumer import CommandConsumer
from gateway_worker.broker.dead_letters import DeadLetterOffice, Handled
from gateway_worker.broker.letters import DeadLetterView
from gateway_worker.broker.making import add_backend
from gateway_worker.broker.publisher import Publisher
from gateway_worker.broker.settings import BrokerSettings
from gateway_worker.broker.stats import BrokerHealth, BrokerStats
from gateway_worker.broker.topology import Bindings

__all__ = [
    "Bindings",
    "Broker",
    "BrokerHealth",
    "BrokerSettings",
    "BrokerStats",
    "CommandConsumer",
    "DeadLetterOffice",
    "DeadLetterView",
    "Handled",
    "Publisher",
    "add_backend",
]
