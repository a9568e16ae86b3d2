"""The broker's part of a backend: its queues and bindings, which the operator makes."""

import argparse
import shlex
from collections.abc import Iterator
from typing import Any

from gateway_contracts import BackendTopology
from gateway_contracts.permissions import UserRights, backend_rights
from gateway_worker.broker import add_backend
from gateway_worker.config import Settings
from gateway_worker.ctl.output import as_json, say


def add_arguments(groups: Any) -> None:
    """Add `broker` and its words."""
    broker = groups.add_parser("broker", help="the backends' part of the broker")
    words = broker.add_subparsers(required=True, metavar="ACTION")
    adding = words.add_parser(
        "add-backend",
        help="make the queues and bindings of a backend service",
        description="Make the queues of events, heartbeats, replays and dead letters of a backend "
        "service, and bind them. Uses AMQP_OPERATOR_URL, or AMQP_URL if that user may. What is "
        "there already stays; run it again for further patterns. Prints how to make the user with "
        "whose rights the backend then logs in.",
    )
    adding.add_argument("name", metavar="NAME", help="1 to 64 letters, digits, - or _")
    adding.add_argument(
        "--events",
        nargs="+",
        default=["#"],
        metavar="PATTERN",
        help="topic patterns of the events it wants (default: all)",
    )
    adding.add_argument(
        "--unordered",
        action="store_true",
        help="let several consumers read its events at once; they keep no order",
    )
    adding.add_argument(
        "--refuse-when-full",
        action="store_true",
        help="have its full queue refuse events, which holds up those of every backend",
    )
    adding.add_argument("--json", action="store_true", help="print JSON for programs")
    adding.set_defaults(action=_add, check=_check, parser=adding)


def _check(arguments: argparse.Namespace) -> None:
    """Leave with a usage error unless the name can be one."""
    try:
        BackendTopology(service=arguments.name)
    except ValueError as error:
        arguments.parser.error(str(error))


async def _add(settings: Settings, arguments: argparse.Namespace) -> int:
    broker = settings.broker.for_operator
    backend = BackendTopology(
        service=arguments.name,
        topology=broker.topology,
        events=tuple(arguments.events),
        ordered=not arguments.unordered,
        refuses_when_full=arguments.refuse_when_full,
    )
    await add_backend(broker, backend)
    queues = [queue.name for queue in backend.queues()]
    rights = backend_rights(broker.topology, service=backend.service)
    commands = list(_commands(rights, broker.vhost))
    if arguments.json:
        say(as_json({"queues": queues, "user": rights.user, "commands": commands}))
        return 0
    say("\n".join(queues))
    say("\nIts user, if there is none yet:\n")
    say("\n".join(commands))
    return 0


def _commands(rights: UserRights, vhost: str) -> Iterator[str]:
    """Say how to make a user, for a shell."""
    yield shlex.join(("rabbitmqctl", "add_user", rights.user))
    patterns = (rights.configure, rights.write, rights.read)
    yield shlex.join(("rabbitmqctl", "set_permissions", "-p", vhost, rights.user, *patterns))
    for topic in rights.topics:
        yield shlex.join(
            (
                *("rabbitmqctl", "set_topic_permissions", "-p", vhost, rights.user),
                *(topic.exchange, topic.write, topic.read),
            )
        )
