"""The library's HTTP client, with certificates that are checked on every way, and replaceable."""

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiobotocore.httpsession import AIOHTTPSession
from botocore.httpsession import get_cert_path

from gateway_worker.runtime.tls import ClientFiles, RotatedContext


def session_class(files: ClientFiles) -> type[AIOHTTPSession]:
    """Return the class of HTTP clients that use these files.

    By itself the library reads them once, and behind a proxy (`HTTPS_PROXY`) it does not look at
    the store's certificate at all.

    Args:
        files: Without a `ca_file`, the store's certificate is checked by the authorities that the
            library brings along, or that `AWS_CA_BUNDLE` names.
    """

    class Session(AIOHTTPSession):
        def _get_ssl_context(self) -> ssl.SSLContext:
            return RotatedContext(files if files.ca_file else replace(files, ca_file=self._own()))

        def _own(self) -> Path | None:
            path = get_cert_path(vars(self)["_verify"])
            return None if path is None else Path(path)

        def _setup_proxy_ssl_context(self, proxy_url: Any) -> ssl.SSLContext:
            del proxy_url
            return self._get_ssl_context()

    return Session
