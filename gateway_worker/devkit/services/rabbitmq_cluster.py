"""Three private RabbitMQ nodes that are one broker, each of which can be killed or cut off.

They share a port mapper, a cookie and the password. Queues of theirs that are quorum queues have a
copy on each.
"""

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from gateway_worker.devkit.services import probes, programs
from gateway_worker.devkit.services.errors import ServiceStartError
from gateway_worker.devkit.services.local import LocalService
from gateway_worker.devkit.services.loopback import LOOPBACK
from gateway_worker.devkit.services.process import Command, base_environment
from gateway_worker.devkit.services.rabbitmq import LocalRabbitMq, Membership
from gateway_worker.devkit.services.values import Source
from gateway_worker.devkit.services.workspace import Workspace

SIZE: Final = 3


class RabbitMqCluster:
    """A broker of several nodes; its URL names them all."""

    name = "rabbitmq"
    source = Source.LOCAL

    def __init__(self, *, workspace: Workspace) -> None:
        self._mapper = _PortMapper(workspace=workspace)
        names = [f"gateway{number}@localhost" for number in range(1, SIZE + 1)]
        self._names: Sequence[str] = names
        self.nodes = tuple(
            LocalRabbitMq(
                workspace=workspace,
                member=Membership(
                    label=f"rabbitmq-{number}",
                    node=name,
                    nodes=names,
                    epmd_port=self._mapper.port,
                ),
            )
            for number, name in enumerate(names, start=1)
        )

    @property
    def url(self) -> str:
        """AMQP URL of all nodes, with user and password; virtual host `/`."""
        return self._over_all(self.nodes[0].url)

    async def start(self) -> None:
        """Start what does not run; the first node alone, for the others join it."""
        await self._mapper.start()
        await self.nodes[0].start()
        await asyncio.gather(*(node.start() for node in self.nodes[1:]))

    async def stop(self) -> None:
        """Stop all nodes, the first one last."""
        for node in reversed(self.nodes):
            await node.stop()
        await self._mapper.stop()

    async def discard(self) -> None:
        """Stop."""
        await self.stop()

    async def kill(self) -> None:
        """Kill all nodes."""
        await asyncio.gather(*(node.kill() for node in self.nodes))
        await self._mapper.kill()

    async def pause(self) -> None:
        """Freeze all nodes."""
        for node in self.nodes:
            await node.pause()

    async def resume(self) -> None:
        """Let them run again."""
        for node in self.nodes:
            await node.resume()

    async def add_vhost(self, name: str) -> str:
        """Create a virtual host for our user."""
        return self._over_all(await self.nodes[0].add_vhost(name))

    async def isolate(self, place: int) -> None:
        """Cut one node off from the others, both ways; its clients still reach it.

        The node takes the others for strangers from here on, and refuses to talk to them.
        """
        await self.nodes[place].evaluate(
            f"[begin erlang:set_cookie(N, cut_off), erlang:disconnect_node(N) end"
            f" || N <- {self._others(place)}]."
        )

    async def rejoin(self, place: int) -> None:
        """Undo `isolate`; returns when the node takes connections."""
        await self.nodes[place].evaluate(
            f"[erlang:set_cookie(N, erlang:get_cookie()) || N <- {self._others(place)}]."
        )
        await self.nodes[place].ready()

    async def heal(self, place: int) -> bool:
        """Start a node anew if the others have gone on without it; return whether they had.

        One that stood still takes up again beside the others, with its own idea of what is bound:
        `pause_minority` stops nodes that lose the others, and it never knew that it had.
        """
        node = self.nodes[place]
        try:
            await node.evaluate("[] = rabbit_node_monitor:partitions().")
        except ServiceStartError:
            await node.stop()
            await node.start()
            return True
        return False

    def _others(self, place: int) -> str:
        names = [f"'{name}'" for number, name in enumerate(self._names) if number != place]
        return f"[{', '.join(names)}]"

    def _over_all(self, url: str) -> str:
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        hosts = ",".join(node.address for node in self.nodes)
        return urlunsplit(parts._replace(netloc=f"{login}@{hosts}"))


class _PortMapper(LocalService):
    """Erlang's epmd, which tells the nodes where the others listen."""

    name = "epmd"

    def __init__(self, *, workspace: Workspace) -> None:
        super().__init__(workspace=workspace)
        self.port = workspace.take_ports(self.name, ("epmd",))["epmd"]

    async def start(self) -> None:
        """Start it, or do nothing when it runs."""
        if self._is_running(self.name):
            return
        command = Command(
            arguments=[programs.epmd(), "-address", LOOPBACK, "-port", str(self.port)],
            environment=base_environment(),
            directory=self._workspace.directory(self.name),
            log_path=self._workspace.log_path(self.name),
        )
        await self._run(self.name, command, lambda: probes.tcp_answers(self.port))
