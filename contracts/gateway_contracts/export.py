"""Write the contract's documents: `python -m gateway_contracts.export [--check] [--out DIR]`.

JSON Schemas and the AsyncAPI document belong to the package; RabbitMQ's definitions belong to the
repository's `deploy/rabbitmq`. All are committed, and `--check` tells when they no longer say what
the models say. With `--out` the examples, to which the AsyncAPI document refers, are written too,
and all of it as one HTML page.
"""

import argparse
import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway_contracts.backend import BackendTopology
from gateway_contracts.spec.asyncapi import asyncapi_document
from gateway_contracts.spec.definitions import (
    VHOST,
    backend_definitions,
    topology_definitions,
    user_definitions,
)
from gateway_contracts.spec.examples import example_files
from gateway_contracts.spec.page import contract_page
from gateway_contracts.spec.schemas import schema_documents
from gateway_contracts.topology import Topology

_PACKAGE = Path(__file__).resolve().parent
_DEPLOYMENT = _PACKAGE.parent.parent / "deploy"


def documents(topology: Topology, *, vhost: str = VHOST) -> dict[str, str]:
    """Return every document's text by its relative path, with `/` between the parts."""
    trees: dict[str, Mapping[str, Any]] = {
        f"schemas/{name}": schema for name, schema in schema_documents().items()
    }
    trees["asyncapi.json"] = asyncapi_document(topology, vhost=vhost)
    trees["rabbitmq/definitions.json"] = topology_definitions(topology, vhost=vhost)
    trees["rabbitmq/users.json"] = user_definitions(topology, vhost=vhost)
    return {path: _text(tree) for path, tree in trees.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the documents; 1 if a check found a difference, 2 if they have no place."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return _export(options)
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")


def _export(options: argparse.Namespace) -> int:
    if options.out is None and not _DEPLOYMENT.is_dir():
        sys.stderr.write("export: this is no checkout of the repository; say where with --out\n")
        return 2
    if options.backend and options.out is None:
        sys.stderr.write("export: say with --out where a backend's definitions are to go\n")
        return 2
    topology = Topology(
        prefix=options.prefix,
        dead_letter_days=options.dead_letter_days,
        dead_letter_bytes=options.dead_letter_bytes,
    )
    texts = documents(topology, vhost=options.vhost)
    for name in options.backend:
        backend = BackendTopology(service=name, topology=topology)
        definitions = backend_definitions(backend, vhost=options.vhost)
        texts[f"rabbitmq/backend-{name}.json"] = _text(definitions)
    if options.out is not None:
        texts |= {f"examples/{name}": text for name, text in example_files().items()}
        texts["contract.html"] = _page(texts)
    wanted = {_place(path, options.out): text for path, text in texts.items()}
    if options.check:
        return _check(wanted)
    for place, text in wanted.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    for place in _left_over(wanted):
        place.unlink()
    return 0


def _page(texts: Mapping[str, str]) -> str:
    schemas = {
        path.removeprefix("schemas/"): json.loads(text)
        for path, text in texts.items()
        if path.startswith("schemas/")
    }
    return contract_page(json.loads(texts["asyncapi.json"]), schemas)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway_contracts.export")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if files differ")
    parser.add_argument("--out", type=Path, metavar="DIR", help="put everything under DIR instead")
    parser.add_argument("--prefix", default="wa", help="of the broker's names (default: wa)")
    parser.add_argument("--vhost", default=VHOST, help=f"virtual host (default: {VHOST})")
    for name, default in (
        ("days", Topology().dead_letter_days),
        ("bytes", Topology().dead_letter_bytes),
    ):
        parser.add_argument(
            f"--dead-letter-{name}",
            type=int,
            default=default,
            metavar="N",
            help=f"as the workers' AMQP_DEAD_LETTER_{name.upper()} (default: {default})",
        )
    parser.add_argument(
        "--backend",
        action="append",
        default=[],
        metavar="NAME",
        help="also write the queues, bindings and user of this backend service",
    )
    return parser


def _place(path: str, out: Path | None) -> Path:
    if out is not None:
        return out / path
    return (_DEPLOYMENT if path.startswith("rabbitmq/") else _PACKAGE) / path


def _check(wanted: Mapping[Path, str]) -> int:
    differences = [_difference(place, text) for place, text in wanted.items()]
    differences += [f"{place}: belongs to no message any more\n" for place in _left_over(wanted)]
    found = [difference for difference in differences if difference]
    sys.stdout.writelines(found)
    if found:
        sys.stdout.write(
            f"\n{len(found)} of {len(wanted)} documents differ from the models; "
            "run python -m gateway_contracts.export\n"
        )
    return 1 if found else 0


def _difference(place: Path, wanted: str) -> str:
    if not place.exists():
        return f"{place}: missing\n"
    lines = difflib.unified_diff(
        place.read_text("utf-8").splitlines(keepends=True),
        wanted.splitlines(keepends=True),
        fromfile=str(place),
        tofile="what the models say",
    )
    return "".join(lines)


def _left_over(wanted: Mapping[Path, str]) -> list[Path]:
    """Return the documents of messages that there are no more; other files there are not ours."""
    folders = {place.parent for place in wanted if place.parent.name in ("schemas", "examples")}
    return sorted(
        file for folder in folders for file in folder.glob("wa.*.json") if file not in wanted
    )


def _text(tree: Mapping[str, Any]) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
