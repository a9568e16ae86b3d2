"""What can go wrong while services are started or controlled; each message says what to do next."""


class ServicesError(RuntimeError):
    """Base of everything that the launcher raises."""


class ServiceUnavailableError(ServicesError):
    """No source can provide the service; the message names what to install or to set."""


class ServiceStartError(ServicesError):
    """The service was started and did not become ready; the message ends with its last output."""


class ServiceControlError(ServicesError):
    """The operation makes no sense for this source, such as killing a broker given by URL."""
