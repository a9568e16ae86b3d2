"""Settings of tenants that would let in whom nobody wants are refused."""

import pytest

from gateway_worker.config import InvalidSettingsError, load_settings
from gateway_worker.tenants.build import build_tenants
from gateway_worker.tenants.settings import Tenancy
from tests.unit.config.test_env_example import REQUIRED

JWT = {"TENANTS": "jwt", "JWT_AUDIENCE": "gateway", "JWT_JWKS": "https://idp.example/keys"}
SECRET = "s" * 32


def test_without_a_word_there_are_no_tenants() -> None:
    """Whoever may publish is trusted, as before."""
    settings = load_settings(REQUIRED).tenants

    assert settings.mode is Tenancy.OFF
    assert build_tenants(settings).verifier is None


@pytest.mark.parametrize(
    "given",
    [
        {"TENANTS": "user_id"},
        JWT,
        {**JWT, "JWT_JWKS": "http://127.0.0.1:8080/keys"},
        {**JWT, "JWT_JWKS": "/etc/gateway/keys.json"},
        {**JWT, "JWT_ALGORITHMS": "RS256,HS256", "JWT_SECRET": SECRET},
        {**JWT, "TENANT_WEIGHTS": "acme=2, smith=0.5", "TENANT_COMMANDS_PER_SECOND": "10"},
        {
            "TENANTS": "jwt",
            "JWT_AUDIENCE": "gateway",
            "JWT_ALGORITHMS": "HS256",
            "JWT_SECRET": SECRET,
        },
    ],
)
def test_what_can_be_set(given: dict[str, str]) -> None:
    """Each makes a verifier."""
    assert build_tenants(load_settings(REQUIRED | given).tenants).verifier is not None


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"TENANTS": "yes"}, "TENANTS"),
        ({"TENANT_MAX_SESSIONS": "5"}, "TENANTS"),
        ({"TENANT_COMMANDS_PER_SECOND": "5"}, "TENANTS"),
        ({"TENANT_COMMANDS_IN_PROGRESS": "5"}, "TENANTS"),
        ({**JWT, "TENANT_COMMANDS_WAITING": "65000"}, "TENANT_COMMANDS_WAITING"),
        ({"TENANT_WEIGHTS": "acme"}, "TENANT_WEIGHTS"),
        ({"TENANT_WEIGHTS": "acme=0"}, "TENANT_WEIGHTS"),
        ({"TENANT_WEIGHTS": "acme=nan"}, "TENANT_WEIGHTS"),
        ({"TENANT_WEIGHTS": "a.b=2"}, "TENANT_WEIGHTS"),
        ({**JWT, "JWT_AUDIENCE": ""}, "JWT_AUDIENCE"),
        ({**JWT, "JWT_JWKS": ""}, "JWT_JWKS"),
        ({**JWT, "JWT_JWKS": "http://idp.example/keys"}, "JWT_JWKS"),
        ({**JWT, "JWT_JWKS": "ftp://idp.example/keys"}, "JWT_JWKS"),
        ({**JWT, "JWT_ALGORITHMS": "none"}, "JWT_ALGORITHMS"),
        ({**JWT, "JWT_ALGORITHMS": "RS256,HS384"}, "JWT_ALGORITHMS"),
        ({**JWT, "JWT_ALGORITHMS": "HS256"}, "JWT_SECRET"),
        ({**JWT, "JWT_SECRET": SECRET}, "JWT_SECRET"),
        ({**JWT, "JWT_ALGORITHMS": "HS256", "JWT_SECRET": "short"}, "JWT_SECRET"),
    ],
)
def test_what_is_refused(given: dict[str, str], variable: str) -> None:
    """By the name of the variable, and without a secret."""
    with pytest.raises(InvalidSettingsError) as refused:
        load_settings(REQUIRED | given)

    assert [problem.variable for problem in refused.value.problems] == [variable]
    assert "short" not in str(refused.value)
