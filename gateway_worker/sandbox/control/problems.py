"""Errors of the control API: every one is problem+json (RFC 9457) with a code of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web
from pydantic import ValidationError

from gateway_worker.sandbox.control.models import Problem, ProblemField
from gateway_worker.sandbox.phones import errors as phones
from gateway_worker.sandbox.sandbox import UnknownPhoneError
from gateway_worker.sandbox.service import errors as service

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

CONTENT_TYPE: Final = "application/problem+json"

_KNOWN: Final[dict[type[Exception], tuple[int, str, str]]] = {
    UnknownPhoneError: (404, "phone_unknown", "No such phone"),
    service.UnknownAccountError: (404, "account_unknown", "No such account or device"),
    service.AccountExistsError: (409, "account_exists", "The account exists"),
    service.UnknownCallError: (404, "call_unknown", "No such call"),
    service.UnknownRuleError: (404, "rule_unknown", "No such rule"),
    service.GroupRefusedError: (409, "group_refused", "The service refuses it"),
    service.PairingRefusedError: (409, "pairing_refused", "The companion could not be linked"),
    phones.InvalidQrError: (422, "invalid_qr", "Not a pairing QR"),
    phones.WrongCodeError: (422, "wrong_code", "Not the companion's code"),
    phones.NothingToEnterError: (409, "nothing_to_enter", "No companion asked for a code"),
    phones.ForgedCompanionError: (409, "forged_companion", "The companion's signature is wrong"),
    phones.UnknownRecipientError: (404, "recipient_unknown", "No such recipient"),
    phones.UnknownMessageError: (404, "message_unknown", "No such message"),
    phones.UnknownDeviceError: (404, "device_unknown", "No such companion"),
    phones.InvalidContentError: (422, "invalid_content", "Not a message's content"),
    phones.NoMediaError: (409, "no_media", "The message has no file"),
    phones.MediaUnavailableError: (502, "media_unavailable", "The file cannot be had or sent"),
    phones.MediaDamagedError: (502, "media_damaged", "The file is not what was announced"),
    FileNotFoundError: (422, "file_unknown", "There is no such file on this machine"),
    phones.NotDeliveredError: (502, "not_delivered", "The service refused the message"),
    phones.NothingHappenedError: (504, "nothing_happened", "It did not happen in time"),
    ValueError: (422, "invalid_value", "A value is not acceptable"),
}

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class UnsupportedBodyError(Exception):
    """A body that is not announced as JSON."""


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error of a handler into a problem."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004 - a redirect is no error
            raise
        code = (error.reason or "error").casefold().replace(" ", "_")
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return response(
            _problem(error.status, code, error.reason or "Error", error.text or ""), headers
        )
    except UnsupportedBodyError as error:
        return response(_problem(415, "not_json", "Send application/json", str(error)))
    except ValidationError as error:
        return response(invalid_body(error))
    except Exception as error:  # the root of a request
        for kind, (status, code, title) in _KNOWN.items():
            if isinstance(error, kind):
                return response(_problem(status, code, title, str(error)))
        log.exception("sandbox.control_failed")
        return response(_problem(500, "internal", "The sandbox failed", type(error).__name__))


def invalid_body(error: ValidationError) -> Problem:
    """Say what is wrong with a body or a query, field by field, without repeating its values."""
    details = error.errors(include_url=False, include_input=False, include_context=False)
    malformed = any(item["type"] == "json_invalid" for item in details)
    return Problem(
        title="Not JSON" if malformed else "The body or query is not acceptable",
        status=400 if malformed else 422,
        code="malformed" if malformed else "invalid_body",
        errors=tuple(
            ProblemField(pointer="/" + "/".join(map(str, item["loc"])), detail=item["msg"])
            for item in details
        ),
    )


def unauthorized() -> web.Response:
    """Answer a request without the right token."""
    problem = _problem(401, "unauthorized", "A bearer token is needed", "")
    return response(problem, {"WWW-Authenticate": "Bearer"})


def misdirected() -> web.Response:
    """Answer a request for another host, as a page in a browser might send."""
    return response(_problem(421, "misdirected", "Only loopback names are served", ""))


def response(problem: Problem, headers: dict[str, str] | None = None) -> web.Response:
    """Put a problem into a response."""
    return web.Response(
        status=problem.status,
        body=problem.model_dump_json().encode(),
        content_type=CONTENT_TYPE,
        headers=headers,
    )


def _problem(status: int, code: str, title: str, detail: str) -> Problem:
    return Problem(title=title, status=status, code=code, detail=detail)
