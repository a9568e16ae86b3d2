"""How far something long has come: a bar where somebody looks on, nothing where nobody does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int, int, str], None]
"""Told how much is done, of how much, and how it stands."""


@contextmanager
def bar(title: str, *, quiet: bool = False) -> Iterator[Advance]:
    """Draw on standard error, if that is a terminal."""
    from rich.console import Console  # noqa: PLC0415 - only what takes long needs it
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[how]}", markup=False),
    )
    with Progress(
        *columns, console=console, disable=quiet or not console.is_terminal, transient=True
    ) as progress:
        task = progress.add_task(title, total=None, how="")

        def advance(done: int, total: int, how: str) -> None:
            progress.update(task, completed=done, total=total, how=how)

        yield advance
