"""Files in `deploy/` that follow from the settings and from the contract.

`python -m gateway_worker.devkit.deploy generate` writes them; `./dev deploy` and a test tell when
they no longer say what they should.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from gateway_worker.devkit.deploy import broker_manifests
from gateway_worker.devkit.deploy.tools import CHECKOUT
from gateway_worker.devkit.deploy.values_schema import values_schema

_DO_NOT_EDIT: Final = "# Made by `python -m gateway_worker.devkit.deploy generate`; do not edit.\n"


def contents() -> Mapping[Path, str]:
    """Return what each of the files has to say."""
    kubernetes = CHECKOUT / "deploy/kubernetes"
    return {
        CHECKOUT / "deploy/helm/gateway-worker/values.schema.json": (
            json.dumps(values_schema(), indent=2) + "\n"
        ),
        kubernetes / "rabbitmq-cluster.yaml": _as_yaml([broker_manifests.cluster()]),
        kubernetes / "rabbitmq-topology.yaml": _as_yaml(broker_manifests.topology()),
    }


def stale() -> list[str]:
    """Return the names of files that say something else."""
    return [
        str(path.relative_to(CHECKOUT))
        for path, text in contents().items()
        if not path.is_file() or path.read_text() != text
    ]


def write() -> None:
    """Write them all."""
    for path, text in contents().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _as_yaml(manifests: Iterable[dict[str, Any]]) -> str:
    documents = (yaml.safe_dump(each, sort_keys=False, width=1_000) for each in manifests)
    return _DO_NOT_EDIT + "---\n" + "---\n".join(documents)
