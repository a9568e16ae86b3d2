"""Where the four services are, as values that pass between processes as JSON or as environment."""

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


class Source(enum.StrEnum):
    """Where a service came from."""

    EXTERNAL = "external"
    DOCKER = "docker"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStore:
    """An S3 endpoint with the credentials and the bucket to use; the bucket exists."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str
    region: str
    bucket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Addresses of a whole set, ready to use, credentials included."""

    amqp_url: str
    database_url: str
    redis_url: str
    s3: ObjectStore

    def environment(self) -> dict[str, str]:
        """Return the set as the variables that the worker reads."""
        return {
            "AMQP_URL": self.amqp_url,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "S3_ENDPOINT_URL": self.s3.endpoint_url,
            "S3_ACCESS_KEY_ID": self.s3.access_key_id,
            "S3_SECRET_ACCESS_KEY": self.s3.secret_access_key,
            "S3_REGION": self.s3.region,
            "S3_BUCKET": self.s3.bucket,
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Services":
        """Read what `to_json` wrote; raises KeyError or TypeError for anything else."""
        return cls(
            amqp_url=value["amqp_url"],
            database_url=value["database_url"],
            redis_url=value["redis_url"],
            s3=ObjectStore(**value["s3"]),
        )
