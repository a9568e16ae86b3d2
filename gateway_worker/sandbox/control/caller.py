"""How the client talks to the control API."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, overload

from pydantic import BaseModel

from gateway_worker.sandbox.control.models import Problem

if TYPE_CHECKING:
    import aiohttp

AnswerT = TypeVar("AnswerT", bound=BaseModel)


class ControlError(Exception):
    """The sandbox refused a request.

    Attributes:
        problem: what it answered; `problem.code` is for programs.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.code}: {problem.title} {problem.detail}".rstrip())
        self.problem = problem


class Caller:
    """Sends a request and reads its answer."""

    def __init__(self, *, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    @overload
    async def _call(
        self,
        method: str,
        path: str,
        answer: type[AnswerT],
        *,
        body: BaseModel | None = None,
        query: BaseModel | None = None,
    ) -> AnswerT: ...

    @overload
    async def _call(
        self,
        method: str,
        path: str,
        answer: None,
        *,
        body: BaseModel | None = None,
        query: BaseModel | None = None,
    ) -> None: ...

    async def _call(
        self,
        method: str,
        path: str,
        answer: type[AnswerT] | None,
        *,
        body: BaseModel | None = None,
        query: BaseModel | None = None,
    ) -> AnswerT | None:
        data = None if body is None else body.model_dump_json().encode()
        headers = None if data is None else {"Content-Type": "application/json"}
        params = None if query is None else query.model_dump(mode="json", exclude_none=True)
        async with self._session.request(
            method, self._url + path, data=data, headers=headers, params=params
        ) as response:
            text = await response.read()
        if response.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
            raise ControlError(Problem.model_validate_json(text))
        return None if answer is None else answer.model_validate_json(text)
