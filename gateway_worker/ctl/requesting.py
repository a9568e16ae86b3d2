"""What most words do: send one command and show its result.

What that takes is imported when a word runs: `--help` is not to wait for it.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

import typer


def ask(
    context: typer.Context,
    command_type: str,
    session: str,
    data: Mapping[str, Any] | None = None,
    *,
    seconds: float,
    as_json: bool,
    command_id: str | None = None,
) -> NoReturn:
    """Send a command, print its result and end the program; see `asking.Question` and `show`."""
    from gateway_worker.ctl.asking import Question, show  # noqa: PLC0415

    question = Question(
        type=command_type,
        session=session,
        data=data or {},
        seconds=seconds,
        command_id=command_id,
    )
    show(context, question, as_json=as_json)
