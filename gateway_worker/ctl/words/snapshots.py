"""`snapshots …`."""

import typer

from gateway_worker.ctl.options import AsJson

app = typer.Typer(help="The copies of device stores.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def rotate(*, as_json: AsJson = False) -> None:
    """Seal every copy under the first of the snapshot keys.

    Set the new key first and keep the old ones behind it, in every worker, before this; the old
    ones may go when it ends with 0 unreadable. It can be stopped and run again at any time.
    """
    from gateway_worker.ctl.operating import operate  # noqa: PLC0415
    from gateway_worker.ctl.snapshots import rotate_copies  # noqa: PLC0415

    operate(lambda settings: rotate_copies(settings, json=as_json))
