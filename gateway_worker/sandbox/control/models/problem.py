"""Errors."""

from __future__ import annotations

from pydantic import ConfigDict, model_validator

from gateway_worker.sandbox.control.models.base import Body


class ProblemField(Body):
    """One mistake in a body."""

    pointer: str
    detail: str


class Problem(Body):
    """An error, RFC 9457; `errors` lists what is wrong with a body, by JSON pointer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str = ""
    errors: tuple[ProblemField, ...] = ()

    @model_validator(mode="after")
    def _is_an_error(self) -> Problem:
        if self.status < 400:  # noqa: PLR2004 - where HTTP's errors begin
            raise ValueError("a problem has an error status")
        return self
