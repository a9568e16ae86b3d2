"""`disk …`."""

from typing import Annotated

import typer

from gateway_worker.ctl.options import AsJson

app = typer.Typer(
    help="The disks (DATA_DIR) that workers run on.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def forget(
    worker: Annotated[str, typer.Argument(metavar="WORKER_ID")], *, as_json: AsJson = False
) -> None:
    """Let a worker start on another disk, although stores are lost with the old one.

    That disk must be lost for good: the sessions whose device stores were on it only end with
    `store_lost` and have to be linked again.
    """
    from gateway_worker.ctl import disk  # noqa: PLC0415
    from gateway_worker.ctl.operating import operate  # noqa: PLC0415

    operate(lambda settings: disk.forget(settings, worker, json=as_json))
