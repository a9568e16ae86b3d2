"""A private RabbitMQ node from the system's package, out of the way of the system's own broker.

It shares nothing with that one: own cookie, own epmd, own ports, own data, loopback only. The real
script is called and not Debian's wrapper, which changes to the user `rabbitmq`. epmd is started
first and in the foreground, because a node that finds none starts a daemon that outlives
everything.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from gateway_worker.devkit.services import probes, programs
from gateway_worker.devkit.services.local import LocalService
from gateway_worker.devkit.services.loopback import LOOPBACK
from gateway_worker.devkit.services.process import Command, base_environment, run_once
from gateway_worker.devkit.services.workspace import USER, Workspace

CONTROL_TIMEOUT_SECONDS = 60.0
NODE = "gateway@localhost"  # unique because the epmd that knows it is ours
COOKIE_MODE = 0o400
OWNER_ONLY = 0o700
REGISTERED_SECONDS = 4.0
"""How long a quorum queue has to be there before the node is killed. A younger one is unusable
afterwards (seen on 3.10.8): the node notes only then where the queue's log is."""

CONFIGURATION = """\
listeners.tcp.1 = {host}:{port}
loopback_users = none
default_user = {user}
default_pass = {password}
log.file = false
log.console = true
log.console.level = warning
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 768MB
max_message_size = 4194304
"""
# Quorum queues sync their log before each confirm, and each writes its figures down every five
# seconds. In a throw-away node, where tests leave hundreds of them, nobody needs that.
THROW_AWAY = "[{ra, [{wal_sync_method, none}]}, {rabbit, [{quorum_tick_interval, 300000}]}].\n"


# A node that is with the minority stops until it is not; one that says nothing for so many seconds
# counts as gone.
CLUSTERED = """\
cluster_partition_handling = pause_minority
cluster_formation.peer_discovery_backend = classic_config
"""
TICK_SECONDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One node's place in a cluster.

    Attributes:
        label: What its directory and its log are called.
        node: Erlang's name of it.
        nodes: The names of all, the first to be started in front.
        epmd_port: Of the port mapper that they share.
    """

    label: str
    node: str
    nodes: Sequence[str]
    epmd_port: int


class LocalRabbitMq(LocalService):
    """One node as a child of this process, and its port mapper as another unless it has one.

    Args:
        member: The node's place in a cluster; None for one that is alone.
    """

    start_timeout_seconds = 90.0

    def __init__(self, *, workspace: Workspace, member: Membership | None = None) -> None:
        super().__init__(workspace=workspace)
        self.name = "rabbitmq" if member is None else member.label
        self._member = member
        self._ports: dict[str, int] = {}

    @property
    def url(self) -> str:
        """AMQP URL with user and password, virtual host `/`."""
        return self._url("/")

    @property
    def address(self) -> str:
        """Host and port; valid once started."""
        return f"{LOOPBACK}:{self._ports['amqp']}"

    async def start(self) -> None:
        """Start epmd and the node, and wait until the node opens AMQP connections."""
        if self._is_running(self.name):
            return
        scripts, epmd = programs.rabbitmq_scripts(), programs.epmd()
        self._prepare()
        ports = self._ports
        if self._member is None and not self._is_running("epmd"):
            mapper = [epmd, "-address", LOOPBACK, "-port", str(ports["epmd"])]
            await self._run(
                "epmd", self._command("epmd", mapper), lambda: probes.tcp_answers(ports["epmd"])
            )
        await self._run(
            self.name,
            self._command(self.name, [str(scripts / "rabbitmq-server")]),
            lambda: probes.amqp_answers(ports["amqp"]),
        )

    async def kill(self) -> None:
        """End the node with signal 9; mind `REGISTERED_SECONDS`."""
        await super().kill()

    async def add_vhost(self, name: str) -> str:
        """Create a virtual host for our user; takes about a second (a call of rabbitmqctl)."""
        everything = dict.fromkeys(("configure", "write", "read"), ".*")
        definitions = {
            "vhosts": [{"name": name}],
            "permissions": [{"user": USER, "vhost": name, **everything}],
        }
        file = self.directory / f"vhost-{quote(name, safe='')}.json"
        file.write_text(json.dumps(definitions))
        await self._control("import_definitions", str(file))
        return self._url(name)

    def _url(self, vhost: str) -> str:
        password = self._workspace.secret("rabbitmq")
        return f"amqp://{USER}:{password}@{self.address}/{quote(vhost, safe='')}"

    async def evaluate(self, expression: str) -> None:
        """Have the node evaluate Erlang, also while RabbitMQ is stopped on it."""
        await self._control("eval", expression)

    async def ready(self) -> None:
        """Wait until the node opens AMQP connections (again). Raises `ServiceStartError`."""
        await self._children[self.name].ready(
            lambda: probes.amqp_answers(self._ports["amqp"]),
            timeout_seconds=self.start_timeout_seconds,
        )

    async def _control(self, *arguments: str) -> None:
        script = str(programs.rabbitmq_scripts() / "rabbitmqctl")
        command = self._command("rabbitmqctl", [script, "--quiet", *arguments])
        await run_once(
            command, what=f"rabbitmqctl {arguments[0]}", timeout_seconds=CONTROL_TIMEOUT_SECONDS
        )

    def _command(self, name: str, arguments: Sequence[str]) -> Command:
        return Command(
            arguments=arguments,
            environment=node_environment(self.directory, self._ports, self._node),
            directory=self.directory,
            log_path=self._workspace.log_path(name),
        )

    @property
    def directory(self) -> Path:
        """Where the node keeps all that it has."""
        return self._workspace.directory(self.name)

    @property
    def _node(self) -> str:
        return NODE if self._member is None else self._member.node

    def _take_ports(self) -> dict[str, int]:
        if self._member is None:
            return self._workspace.take_ports(self.name, ("amqp", "dist", "epmd"))
        ports = self._workspace.take_ports(self.name, ("amqp", "dist"))
        return {**ports, "epmd": self._member.epmd_port}

    def _prepare(self) -> None:
        if not self._ports:
            self._ports = self._take_ports()
        root = self.directory
        root.chmod(OWNER_ONLY)  # the configuration holds the password
        (root / "conf.d").mkdir(exist_ok=True)
        (root / "home").mkdir(exist_ok=True)
        (root / "env.conf").write_text("")
        (root / "enabled_plugins").write_text("[].\n")
        (root / "advanced.config").write_text(self._advanced())
        (root / "rabbitmq.conf").write_text(
            CONFIGURATION.format(
                host=LOOPBACK,
                port=self._ports["amqp"],
                user=USER,
                password=self._workspace.secret("rabbitmq"),
            )
            + self._clustered()
        )
        cookie = root / "home/.erlang.cookie"
        if not cookie.exists():
            cookie.write_text(self._workspace.secret("erlang"))
            cookie.chmod(COOKIE_MODE)

    def _advanced(self) -> str:
        if self._member is not None:
            return f"[{{kernel, [{{net_ticktime, {TICK_SECONDS}}}]}}].\n"
        return "[].\n" if self._workspace.is_durable else THROW_AWAY

    def _clustered(self) -> str:
        if self._member is None:
            return ""
        nodes = enumerate(self._member.nodes, start=1)
        named = (f"cluster_formation.classic_config.nodes.{n} = {node}\n" for n, node in nodes)
        return CLUSTERED + "".join(named)


def node_environment(root: Path, ports: Mapping[str, int], node: str = NODE) -> dict[str, str]:
    """Return all that tells the node, and rabbitmqctl, to use this directory and no system file."""
    return base_environment() | {
        "HOME": str(root / "home"),
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "ERL_EPMD_PORT": str(ports["epmd"]),
        "ERL_CRASH_DUMP_SECONDS": "0",
        "RABBITMQ_NODENAME": node,
        "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
        "RABBITMQ_NODE_PORT": str(ports["amqp"]),
        "RABBITMQ_DIST_PORT": str(ports["dist"]),
        "RABBITMQ_CONF_ENV_FILE": str(root / "env.conf"),
        "RABBITMQ_CONFIG_FILE": str(root / "rabbitmq.conf"),
        "RABBITMQ_CONFIG_FILES": str(root / "conf.d"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(root / "advanced.config"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(root / "generated"),
        "RABBITMQ_SCHEMA_DIR": str(root / "schema"),
        "RABBITMQ_MNESIA_BASE": str(root / "mnesia"),
        "RABBITMQ_LOG_BASE": str(root / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(root / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(root / "enabled_plugins"),
        "RABBITMQ_FEATURE_FLAGS_FILE": str(root / "feature_flags"),
        # With input allowed the script execs erl, so that our child is the node itself; -noinput
        # then keeps the Erlang shell from ending at the end of /dev/null
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-noinput +sbwt none +S 2:2 -kernel inet_dist_use_interface {127,0,0,1}"
        ),
    }
