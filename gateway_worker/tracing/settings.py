"""What can be set about traces; the variables are those that OpenTelemetry has standardised."""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator
from yarl import URL

_SCHEMES: Final = ("http", "https")


def _is_base_url(text: str) -> str:
    try:
        url = URL(text)
    except ValueError as error:
        raise ValueError("should be a URL such as http://collector:4318") from error
    if url.scheme not in _SCHEMES or not url.host or url.query_string or url.fragment:
        raise ValueError("should be a URL such as http://collector:4318")
    if url.user or url.password:
        raise ValueError("should have no credentials: they belong into OTEL_EXPORTER_OTLP_HEADERS")
    return text.rstrip("/")


class TracingSettings(BaseModel):
    """Settings of the traces.

    Attributes:
        endpoint: Base URL of a collector that takes OTLP over HTTP; without it nothing is traced.
        headers: Sent with each request to it, as `name=value,name=value`.
        service_name: What the worker is called in traces.
        sample_ratio: The part of commands that is traced of those whose backend has not decided.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    endpoint: Annotated[str, AfterValidator(_is_base_url)] | None = None
    headers: SecretStr | None = None
    service_name: str = Field("gateway-worker", min_length=1, max_length=255)
    sample_ratio: float = Field(1.0, ge=0, le=1)

    @field_validator("headers")
    @classmethod
    def _are_pairs(cls, headers: SecretStr | None) -> SecretStr | None:
        if headers is not None:
            _pairs(headers)
        return headers

    def header_pairs(self) -> dict[str, str]:
        """Return the headers by name."""
        return {} if self.headers is None else _pairs(self.headers)


def _pairs(headers: SecretStr) -> dict[str, str]:
    """Read headers. Raises `ValueError`, without their values."""
    pairs: dict[str, str] = {}
    for part in headers.get_secret_value().split(","):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise ValueError("should be name=value,name=value")
        pairs[name.strip().lower()] = value.strip()
    return pairs
