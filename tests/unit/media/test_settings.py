"""What can be set about files."""

import pytest
from pydantic import SecretStr, ValidationError

from gateway_worker.errors import MediaRefusedError
from gateway_worker.media.fetching.urls import parse
from gateway_worker.media.settings import MediaSettings


@pytest.mark.parametrize(
    "wrong",
    [
        {"url_allowed_hosts": "a b"},
        {"url_private_hosts": "10.0.0.1/8"},
        {"url_ports": ""},
        {"url_ports": "https"},
        {"url_ports": "0"},
        {"url_ports": "443,65536"},
        {"egress_proxy": SecretStr("proxy:3128")},
        {"egress_proxy": SecretStr("socks5://proxy:3128")},
        {"egress_proxy": SecretStr("http://proxy")},
        {"egress_proxy": SecretStr("http://proxy:3128/path")},
        {"egress_proxy": SecretStr("http://u:12?34@proxy:3128")},
        {"max_image_bytes": 0},
        {"max_document_bytes": 2**31 + 1},
    ],
)
def test_what_cannot_be_set(wrong: dict[str, str]) -> None:
    """It is told at the start."""
    with pytest.raises(ValidationError):
        MediaSettings.model_validate(wrong)


def test_permissions_are_as_set() -> None:
    """Ports and hosts reach those who decide."""
    settings = MediaSettings(url_ports="443,8443", url_allowed_hosts="a.example")
    permissions = settings.permissions()
    permissions.check_target(parse("https://a.example:8443/"))
    with pytest.raises(MediaRefusedError):
        permissions.check_target(parse("https://b.example:8443/"))


def test_each_kind_has_a_limit() -> None:
    """Of its own."""
    settings = MediaSettings(max_voice_bytes=1)
    assert settings.limit_bytes("voice") == 1
    assert settings.limit_bytes("document") == 100 * 1024 * 1024
