"""What can be set about the processes that hold WhatsApp connections."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway_worker.media.fetching.permissions import Permissions, places
from gateway_worker.sessions.proxy_addresses import SCHEME


class WhatsAppSettings(BaseModel):
    """Settings of the fork server and the hosts. All times are in seconds.

    Attributes:
        gogc: Go's GOGC in every host: less memory below 100, less work above.
        gomemlimit_mebibytes: Go's GOMEMLIMIT in every host: above it Go collects garbage at once
            and gives memory back, as after a large file has been uploaded. What a host needs all
            the time has to be below it.
        memory_limit_mebibytes: A host that uses more than this some time after an upload is
            replaced in a quiet moment; 0: never.
        memory_rest_seconds: How long after the upload that is.
        large_upload_mebibytes: While a file of this size is uploaded its host uses a second
            processor, and memory above the limit, so that messages go on; 0: never. Encrypting a
            smaller one holds nothing up for longer than a hundredth of a second.
        malloc_arenas: glibc's MALLOC_ARENA_MAX in every host.
        start_timeout_seconds: For the fork server to import everything.
        launch_timeout_seconds: For one fork.
        send_timeout_seconds: After that long without an acknowledgement a send is uncertain; also
            for other calls, where they have no time of their own.
        drain_seconds: How long a stopping host waits for its last records to be acknowledged.
        stop_seconds: After that long a stopping host is killed.
        orphan_seconds: How long a host whose worker is gone may take to finish a send.
        unreachable_seconds: After so long without a connection a host leaves, and another one is
            started after a pause; each draws its own time, up to a quarter less or more.
        silence_seconds: When WhatsApp has sent nothing over a connection for so long it is asked
            something; the library's own pings are answered every 30 seconds. 0: never.
        probe_seconds: How long its answer may take, before the session connects anew.
        spool_limit_bytes: Above this a host takes nothing more from WhatsApp until the worker has
            caught up.
        spool_segment_bytes: Size of one file of the spool.
        spool_sync: Force records to the disk within milliseconds; without, a power cut takes what
            came in the last seconds.
        in_flight: Records of one host that may await their commit.
        proxy_allowed_hosts: Entries `host[:port]`, where a host is a name, `*.name`, an address or
            a network: sessions' proxies are there and nowhere else. Empty for everywhere that is
            public.
        proxy_private_hosts: Entries of places that need not be public.
        sandbox_proxy_url: Proxy of a sandbox to connect to instead of WhatsApp.
        sandbox_ca_file: Certificate authority (PEM) of that sandbox.
        sandbox_root_key: Root of its Noise certificates, 64 hexadecimal digits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    gogc: int = Field(60, ge=5, le=1000)
    gomemlimit_mebibytes: int = Field(48, ge=16, le=4096)
    memory_limit_mebibytes: int = Field(96, ge=0)
    memory_rest_seconds: float = Field(60.0, ge=0)
    large_upload_mebibytes: int = Field(8, ge=0)
    malloc_arenas: int = Field(1, ge=1, le=64)
    start_timeout_seconds: float = Field(60.0, gt=0)
    launch_timeout_seconds: float = Field(10.0, gt=0)
    send_timeout_seconds: float = Field(30.0, gt=0)
    drain_seconds: float = Field(2.0, ge=0)
    stop_seconds: float = Field(5.0, gt=0)
    orphan_seconds: float = Field(5.0, ge=0, le=60)
    unreachable_seconds: float = Field(20.0, gt=0)
    silence_seconds: float = Field(45.0, ge=0)
    probe_seconds: float = Field(10.0, gt=0)
    spool_limit_bytes: int = Field(64 * 1024 * 1024, ge=1024)
    spool_segment_bytes: int = Field(256 * 1024, ge=256)
    spool_sync: bool = True
    in_flight: int = Field(256, ge=1)
    proxy_allowed_hosts: str = ""
    proxy_private_hosts: str = ""
    sandbox_proxy_url: str | None = None
    sandbox_ca_file: Path | None = None
    sandbox_root_key: str | None = Field(None, pattern=r"^[0-9a-fA-F]{64}$")

    @field_validator("proxy_allowed_hosts", "proxy_private_hosts")
    @classmethod
    def _are_places(cls, text: str) -> str:
        places(text, scheme=SCHEME)
        return text

    @model_validator(mode="after")
    def _sandbox_is_whole(self) -> Self:
        parts = (self.sandbox_proxy_url, self.sandbox_ca_file, self.sandbox_root_key)
        if any(part is None for part in parts) and any(part is not None for part in parts):
            raise ValueError(
                "sandbox_proxy_url, sandbox_ca_file and sandbox_root_key belong together"
            )
        return self

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if self.stop_seconds <= self.drain_seconds:
            raise ValueError("stop_seconds must be above drain_seconds, or hosts are killed")
        return self

    def proxy_permissions(self) -> Permissions:
        """Return where sessions' proxies may be."""
        return Permissions(
            allowed=places(self.proxy_allowed_hosts, scheme=SCHEME),
            private=places(self.proxy_private_hosts, scheme=SCHEME),
            ports=None,
            scheme=SCHEME,
        )
