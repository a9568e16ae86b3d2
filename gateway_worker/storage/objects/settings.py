"""What can be set about the object store."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from gateway_worker.runtime.tls import ClientFiles
from gateway_worker.storage.objects.crypto import Keyring


class ObjectsSettings(BaseModel):
    """Settings of the object store. All times are in seconds.

    Attributes:
        endpoint_url: The store's URL; None for AWS.
        public_endpoint_url: The same store as backends reach it, for links; None if it is the same.
        ca_file: Authorities that may have signed the store's certificate, as PEM; None: those that
            the library brings along.
        cert_file: The worker's own certificate for the store; None: it has none.
        key_file: Its key; None: it is in `cert_file`.
        region: Part of every signature; stores other than AWS take any.
        bucket: Where everything goes.
        create_bucket: Create the bucket if it is missing; None: only where `endpoint_url` is set.
        access_key_id: None, with the secret, for the credentials of the surroundings (AWS roles).
        secret_access_key: Belongs to it.
        prefix: Stands before every key, as it is.
        connect_timeout_seconds: For one new connection.
        read_timeout_seconds: For one silence of the store.
        operation_timeout_seconds: For one call, with everything it needs.
        max_connections: Connections held at most.
        snapshot_keys: `id:base64[,id2:base64]`, 32 bytes each: the first encrypts device stores,
            all decrypt. None: no copies of device stores are made.
        snapshot_quiet_seconds: A device store is copied when it has not changed for so long.
        snapshot_maximum_seconds: So long after the first change it is copied in any case.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    endpoint_url: str | None = None
    public_endpoint_url: str | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    region: str = Field("us-east-1", min_length=1)
    bucket: str = Field(min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]+[a-z0-9]$")
    create_bucket: bool | None = None
    access_key_id: str | None = None
    secret_access_key: SecretStr | None = None
    prefix: str = Field("", max_length=256, pattern=r"^([A-Za-z0-9._-][A-Za-z0-9._/-]*)?$")
    connect_timeout_seconds: float = Field(3.0, gt=0)
    read_timeout_seconds: float = Field(10.0, gt=0)
    operation_timeout_seconds: float = Field(30.0, gt=0)
    max_connections: int = Field(16, ge=1, le=256)
    snapshot_keys: SecretStr | None = None
    snapshot_quiet_seconds: float = Field(5.0, gt=0)
    snapshot_maximum_seconds: float = Field(30.0, gt=0)

    @field_validator("endpoint_url", "public_endpoint_url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise ValueError("not a URL of an object store: http(s)://host:port is expected")
        return url

    @field_validator("snapshot_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None:
            Keyring.parse(keys.get_secret_value())
        return keys

    @model_validator(mode="after")
    def _credentials_are_whole(self) -> Self:
        if (self.access_key_id is None) is not (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key go together")
        return self

    @model_validator(mode="after")
    def _key_has_its_certificate(self) -> Self:
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file belongs to a cert_file")
        return self

    @model_validator(mode="after")
    def _quiet_comes_first(self) -> Self:
        if self.snapshot_maximum_seconds < self.snapshot_quiet_seconds:
            raise ValueError("snapshot_maximum_seconds must not be below snapshot_quiet_seconds")
        return self

    @property
    def may_create_bucket(self) -> bool:
        """Whether a missing bucket is created."""
        if self.create_bucket is None:
            return self.endpoint_url is not None
        return self.create_bucket

    @property
    def address(self) -> str:
        """Where it is, for messages."""
        host = "AWS" if self.endpoint_url is None else urlsplit(self.endpoint_url).netloc
        return f"{host}/{self.bucket}"

    @property
    def tls(self) -> ClientFiles:
        """The files of its TLS."""
        return ClientFiles(ca_file=self.ca_file, cert_file=self.cert_file, key_file=self.key_file)

    def keyring(self) -> Keyring | None:
        """Return the keys for device stores, or None if there are none."""
        if self.snapshot_keys is None:
            return None
        return Keyring.parse(self.snapshot_keys.get_secret_value())
