"""What a failed request says about the file: gone, or only out of reach now.

Neither a detail nor a log ever holds a path or a query, which may be a secret.
"""

import asyncio
from http import HTTPStatus
from typing import Final

import aiohttp

from gateway_worker.errors import GatewayError, MediaSourceError, MediaUnavailableError
from gateway_worker.runtime.os_errors import explain

_LATER: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


def of_status(host: str, status: int) -> GatewayError:
    """Return what an answer without a file means."""
    detail = f"{host} answered {status}"
    if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return MediaSourceError(detail)
    return MediaUnavailableError(detail)


def of_error(host: str, error: Exception) -> GatewayError:
    """Return what a failed connection means."""
    match error:
        case aiohttp.ClientHttpProxyError():
            said = f"the egress proxy answered {error.status}"
        case aiohttp.ClientProxyConnectionError():
            said = "the egress proxy cannot be reached"
        case aiohttp.ClientConnectorCertificateError():
            return MediaUnavailableError(f"the certificate of {host} is not trusted")
        case aiohttp.ClientConnectorSSLError():
            return MediaUnavailableError(f"TLS with {host} fails")
        case asyncio.TimeoutError():
            said = f"{host} did not answer in time"
        case aiohttp.ClientConnectorError():
            said = f"{host} cannot be reached: {explain(error.os_error)}"
        case aiohttp.ClientPayloadError() | aiohttp.ClientConnectionError():
            said = f"{host} ended the connection too early"
        case _:
            return MediaUnavailableError(f"{host} does not speak HTTP as it should")
    return MediaSourceError(said)
