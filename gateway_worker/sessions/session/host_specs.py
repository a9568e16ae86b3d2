"""How a session's hosts are started, by what the session is set to now."""

from dataclasses import dataclass, replace

from gateway_contracts import SessionSettings
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.sessions.hosting import HostSpec
from gateway_worker.sessions.proxies import Proxies
from gateway_worker.sessions.settings import host_settings


@dataclass(slots=True, kw_only=True)
class HostSpecs:
    """Makes the specs of one session's hosts.

    Attributes:
        always: What is the same for all of them.
        settings: What the session is set to.
        proxies: Knows what leads to its proxy.
    """

    always: HostSpec
    settings: SessionSettings
    proxies: Proxies

    @property
    def session_id(self) -> str:
        """Whose hosts they are."""
        return self.always.session_id

    @property
    def host_settings(self) -> HostSettings:
        """What a host is to obey now."""
        return host_settings(self.settings)

    async def make(self, resume_jid: str | None) -> HostSpec:
        """Return how the next one is started.

        Args:
            resume_jid: The device to resume; None to pair a new one.

        Raises:
            ProxyUnusableError: Nobody knows through what it is to connect.
        """
        host_settings = self.host_settings  # of the same moment as the proxy
        proxy_url = await self.proxies.url_of(self.session_id, self.settings)
        return replace(
            self.always, resume_jid=resume_jid, settings=host_settings, proxy_url=proxy_url
        )
