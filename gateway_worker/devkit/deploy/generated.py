"""Files in `deploy/` that follow from the settings and from the contract.

`python -m gateway_worker.devkit.deploy generate` writes them; `./dev deploy` and a test tell when
they no longer say what they should.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from gateway_worker.devkit.deploy import broker_manifests
from gateway_worker.devkit.deploy.tools import CHECKOUT
from gateway_worker.devkit.deploy.values_schema import values_schema

_DO_NOT_EDIT: Final = "# Made by `python -m gateway_worker.devkit.deploy generate`; do not edit.\n"

_RULES: Final = CHECKOUT / "deploy/prometheus/rules"
_CHARTS_RULES: Final = CHECKOUT / "deploy/helm/gateway-worker/rules"


def contents() -> Mapping[Path, str]:
    """Return what each of the files has to say."""
    kubernetes = CHECKOUT / "deploy/kubernetes"
    return {
        CHECKOUT / "deploy/helm/gateway-worker/values.schema.json": (
            json.dumps(values_schema(), indent=2) + "\n"
        ),
        kubernetes / "rabbitmq-cluster.yaml": _as_yaml([broker_manifests.cluster()]),
        kubernetes / "rabbitmq-topology.yaml": _as_yaml(broker_manifests.topology()),
        # A chart reads no file outside of itself
        **{_CHARTS_RULES / path.name: path.read_text() for path in sorted(_RULES.glob("*.yaml"))},
    }


def stale() -> list[str]:
    """Return the names of files that say something else."""
    wanted = contents()
    wrong = [
        path for path, text in wanted.items() if not path.is_file() or path.read_text() != text
    ]
    wrong += [path for path in _CHARTS_RULES.glob("*") if path not in wanted]
    return [str(path.relative_to(CHECKOUT)) for path in wrong]


def write() -> None:
    """Write them all, and remove copies of what there is no more."""
    shutil.rmtree(_CHARTS_RULES, ignore_errors=True)
    for path, text in contents().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _as_yaml(manifests: Iterable[dict[str, Any]]) -> str:
    documents = (yaml.safe_dump(each, sort_keys=False, width=1_000) for each in manifests)
    return _DO_NOT_EDIT + "---\n" + "---\n".join(documents)
