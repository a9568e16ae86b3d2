"""The words of `gateway-worker`, by typer; each imports what it needs when it is said."""

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from gateway_worker.cli.exit_codes import EXIT_CODES
from gateway_worker.ctl.app import add_ctl

PROGRAM = "gateway-worker"
_OTHERS = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Of words whose arguments are read elsewhere, `--help` included."""

app = typer.Typer(
    name=PROGRAM,
    help="Holds many WhatsApp connections for backends that speak RabbitMQ.",
    # The formatter fills paragraphs; what \b precedes keeps its lines.
    epilog="Settings come from the environment; .env.example describes each of them.\n\n\b\n"
    + EXIT_CODES.replace("\n\n", "\n"),
    no_args_is_help=True,
    rich_markup_mode=None,  # what draws boxes takes longer to import than all the rest
    pretty_exceptions_enable=False,
)


def run_words(words: Sequence[str]) -> int:
    """Do what the words say; returns the exit code."""
    command = typer.main.get_command(app)
    try:
        command.main(args=list(words), prog_name=PROGRAM)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - as typer calls it
    if wanted:
        from gateway_worker.version import VERSION  # noqa: PLC0415 - it asks what is installed

        typer.echo(f"{PROGRAM} {VERSION}")
        raise typer.Exit


@app.callback()
def _program(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    pass


@app.command()
def run() -> None:
    """Run the worker until SIGTERM, then drain and leave."""
    from gateway_worker.cli.worker import run_worker  # noqa: PLC0415

    run_worker()


@app.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    from gateway_worker.cli import worker  # noqa: PLC0415

    raise typer.Exit(worker.migrate())


@app.command()
def check(
    *,
    settings_only: Annotated[
        bool, typer.Option("--settings-only", help="Check the settings, contact no service.")
    ] = False,
) -> None:
    """Check the settings and ask every service: 1 if a worker would not be ready."""
    from gateway_worker.cli.worker import check_services  # noqa: PLC0415

    raise typer.Exit(check_services(settings_only=settings_only))


@app.command(context_settings=_OTHERS, add_help_option=False)
def sandbox(context: typer.Context) -> None:
    """Run the local server that speaks the WhatsApp protocol, with simulated phones."""
    raise typer.Exit(_run_module("gateway_worker.sandbox.cli", context))


@app.command(context_settings=_OTHERS, add_help_option=False)
def demo(context: typer.Context) -> None:
    """Play a whole conversation on this machine, without phone or internet."""
    raise typer.Exit(_run_module("gateway_worker.devkit.demo", context))


contracts = typer.Typer(
    help="The contract's documents.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(contracts, name="contracts")


@contracts.command(context_settings=_OTHERS, add_help_option=False)
def export(context: typer.Context) -> None:
    """Write JSON Schemas, AsyncAPI, examples and the broker's definitions."""
    from gateway_contracts.export import main as write  # noqa: PLC0415

    raise typer.Exit(write(context.args))


add_ctl(app)


def _run_module(name: str, context: typer.Context) -> int:
    """Run a command that reads its arguments itself; the image goes without developer's tools."""
    from gateway_worker.cli.worker import importing  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog=context.command_path)
    try:
        with importing():
            module: Any = import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        parser.error("this installation has no developer's tools (gateway_worker.devkit)")
    module.add_arguments(parser)
    code: int = module.main(parser.parse_args(context.args))
    return code
