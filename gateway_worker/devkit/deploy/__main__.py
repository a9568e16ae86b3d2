"""`python -m gateway_worker.devkit.deploy install-helm | install | generate | validate`."""

import argparse
import sys

from gateway_worker.devkit.deploy import generated, tools, validate
from gateway_worker.devkit.environments import ToolError


def main() -> int:
    """Do one of them; returns the exit code."""
    parser = argparse.ArgumentParser(prog="./dev deploy", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    commands.add_parser("install-helm", help="install Helm, which renders the chart for the tests")
    commands.add_parser("install", help="install everything that `validate` uses")
    commands.add_parser("generate", help="write the files that follow from settings and contract")
    commands.add_parser("validate", help="check everything in deploy/ and compose.yaml")
    match parser.parse_args().command:
        case "install-helm":
            tools.install_helm()
        case "install":
            tools.install_helm()
            tools.install_validators()
        case "generate":
            generated.write()
        case _:
            return validate.main()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ToolError as error:
        print(f"dev: {error}", file=sys.stderr)
        sys.exit(2)
