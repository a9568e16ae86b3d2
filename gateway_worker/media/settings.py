"""What can be set about the files that messages carry."""

from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from gateway_worker.media.fetching.permissions import Permissions, places
from gateway_worker.runtime.urls import ENCODED, has_torn_login

_MIB: Final = 1024 * 1024
_MOST_BYTES: Final = 2 * 1024 * _MIB
"""What WhatsApp takes of anybody."""
_MAX_PORT: Final = 65_535
_DAY_SECONDS: Final = 86_400


class MediaDownload(StrEnum):
    """When files that arrive are fetched."""

    EAGER = "eager"
    """At once."""
    LAZY = "lazy"
    """When a backend asks for one."""
    OFF = "off"
    """Never."""


_MEASURED_AS: Final = {"picture": "image"}
"""What has no limit of its own."""


class MediaSettings(BaseModel):
    """Settings of files.

    Attributes:
        url_allowed_hosts: Entries `host[:port]`, where a host is a name, `*.name`, an address or a
            network: URLs lead there and nowhere else. Empty for everywhere that is public.
        url_private_hosts: Entries `[http://]host[:port]` of places that need not be public.
        url_ports: Ports of public hosts, between commas.
        egress_proxy: `http(s)://[user:password@]host:port`, through which files are fetched.
        egress_proxy_resolves: Whether it is given names instead of addresses that were checked.
        max_image_bytes: How large an image to send may be, before and after any conversion.
        max_video_bytes: Likewise a video or a GIF.
        max_audio_bytes: Likewise audio.
        max_voice_bytes: Likewise a voice message.
        max_sticker_bytes: Likewise a sticker.
        max_document_bytes: Likewise a document.
        fetch_seconds: How long it may take to bring one file here.
        parallel_uploads: How many files to send may be under way, each of another session, and one
            less of one tenant's; the library has each of them in memory several times over.
        upload_url_seconds: How long a URL that `media.upload_url` has returned can be used.
        upload_keep_seconds: How long what was put there can be sent; then it is deleted.
        download: When files that arrive are fetched.
        eager_max_bytes: Larger ones are fetched when a backend asks for one.
        parallel: How many are fetched at the same time, one less of one tenant's.
        retention_days: How long files that have arrived are kept.
        url_seconds: How long a URL is valid at which a file can be read.
        cdn_url: `https://host[/path]` behind which the bucket can be read; None without one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url_allowed_hosts: str = ""
    url_private_hosts: str = ""
    url_ports: str = "443"
    egress_proxy: SecretStr | None = None
    egress_proxy_resolves: bool = False
    max_image_bytes: int = Field(16 * _MIB, ge=1, le=_MOST_BYTES)
    max_video_bytes: int = Field(64 * _MIB, ge=1, le=_MOST_BYTES)
    max_audio_bytes: int = Field(64 * _MIB, ge=1, le=_MOST_BYTES)
    max_voice_bytes: int = Field(16 * _MIB, ge=1, le=_MOST_BYTES)
    max_sticker_bytes: int = Field(8 * _MIB, ge=1, le=_MOST_BYTES)
    max_document_bytes: int = Field(100 * _MIB, ge=1, le=_MOST_BYTES)
    fetch_seconds: float = Field(300.0, gt=0)
    parallel_uploads: int = Field(4, ge=1, le=64)
    upload_url_seconds: int = Field(3600, ge=60, le=604_800)
    upload_keep_seconds: int = Field(604_800, ge=60)
    download: MediaDownload = MediaDownload.EAGER
    eager_max_bytes: int = Field(128 * _MIB, ge=0, le=_MOST_BYTES)
    parallel: int = Field(8, ge=1, le=64)
    retention_days: float = Field(30.0, gt=0)
    url_seconds: int = Field(_DAY_SECONDS, ge=60, le=7 * _DAY_SECONDS)
    cdn_url: str | None = None

    @field_validator("url_allowed_hosts", "url_private_hosts")
    @classmethod
    def _are_places(cls, text: str) -> str:
        places(text)
        return text

    @field_validator("url_ports")
    @classmethod
    def _are_ports(cls, text: str) -> str:
        if not all(0 < port <= _MAX_PORT for port in _ports(text)):
            raise ValueError("not ports such as 443,8443")
        return text

    @field_validator("egress_proxy")
    @classmethod
    def _is_proxy(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            try:
                parts = urlsplit(url.get_secret_value())
                is_whole = parts.hostname and parts.port and parts.path in {"", "/"}
            except ValueError:
                is_whole = False
            is_known = is_whole and parts.scheme in {"http", "https"}
            if not is_known or has_torn_login(url.get_secret_value()):
                raise ValueError(
                    f"not a proxy: http(s)://[user:password@]host:port is expected{ENCODED}"
                )
        return url

    @field_validator("cdn_url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
                raise ValueError("not the beginning of URLs: https://host[/path] is expected")
        return url

    def permissions(self) -> Permissions:
        """Return which URLs may be fetched."""
        return Permissions(
            allowed=places(self.url_allowed_hosts),
            private=places(self.url_private_hosts),
            ports=_ports(self.url_ports),
        )

    def limit_bytes(self, kind: str) -> int:
        """Return how large a file of a kind of content may be.

        Raises:
            AttributeError: The kind has no file.
        """
        limit: int = getattr(self, f"max_{_MEASURED_AS.get(kind, kind)}_bytes")
        return limit


def _ports(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError("not ports such as 443,8443") from None
