"""What the chart's values may be, as a JSON Schema: made of the worker's own list of settings.

A setting that does not exist, one that has a value of its own, and a secret written down in plain
text are refused by Helm before anything reaches the cluster.
"""

from typing import Any, Final

from gateway_worker.config.settings import is_secret
from gateway_worker.config.variables import SANDBOX, VARIABLES
from gateway_worker.runtime.budget import TAIL_SECONDS

OWN_VALUES: Final = frozenset(
    {
        "WORKER_ID",
        "ENVIRONMENT",
        "CAPACITY",
        "DRAIN_SECONDS",
        "DATA_DIR",
        "HEALTH_HOST",
        "HEALTH_PORT",
        "MIGRATIONS_DATABASE_URL",
    }
)
"""Settings that the chart itself sets."""

LIBRARIES: Final = (
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "NO_PROXY",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
)
"""Variables that are no settings of the worker's: libraries read them, and documents name them."""

_TEXT: Final = {"type": "string"}
_YES_NO: Final = {"type": "boolean"}
_COUNT: Final = {"type": "integer", "minimum": 1}
_ANYTHING: Final = {"type": "object"}
_LIST: Final = {"type": "array"}
_TEXTS: Final = {"type": "object", "additionalProperties": _TEXT}
_QUANTITY: Final = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(m|[kMGTPE]i?)?$"}
_RETENTION: Final = {"enum": ["Retain", "Delete"]}


def values_schema() -> dict[str, Any]:
    """Return the schema of values.yaml."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart gateway-worker",
        **_closed(
            {
                "global": _ANYTHING,
                "nameOverride": _TEXT,
                "fullnameOverride": _TEXT,
                **_product(),
                **_cluster(),
                "autoscaling": _autoscaling(),
            }
        ),
    }


def _product() -> dict[str, Any]:
    plain = [each.name for each in VARIABLES if each.name not in OWN_VALUES | set(SANDBOX)]
    public = [each.name for each in VARIABLES if each.name in set(plain) and not is_secret(each)]
    item = _closed({"name": {"type": "string", "minLength": 1}, "key": _TEXT}, required=["name"])
    return {
        "image": _closed(
            {
                "repository": {"type": "string", "minLength": 1},
                "tag": _TEXT,
                "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
                "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
                "pullSecrets": {"type": "array", "items": _TEXT},
            }
        ),
        "replicas": {"type": "integer", "minimum": 0},
        "capacity": {"type": "integer", "minimum": 0, "maximum": 5000},
        "drainSeconds": {"type": "number", "exclusiveMinimum": 0},
        "terminationMarginSeconds": {"type": "integer", "minimum": int(TAIL_SECONDS) + 1},
        "environment": {"enum": ["development", "test", "staging", "production"]},
        "settings": _closed(
            {
                **{name: {"type": ["string", "number", "boolean"]} for name in public},
                **dict.fromkeys(LIBRARIES, _TEXT),
            }
        ),
        "secrets": _closed(
            {
                "name": _TEXT,
                "items": {
                    "type": "object",
                    "propertyNames": {"enum": plain},
                    "additionalProperties": item,
                },
            },
            required=["name"],
        ),
        "certificates": _closed({"secretName": _TEXT}),
        "migration": _closed(
            {
                "enabled": _YES_NO,
                "urlSecret": _closed({"name": _TEXT, "key": _TEXT}),
                "activeDeadlineSeconds": _COUNT,
                "backoffLimit": {"type": "integer", "minimum": 0},
                "resources": _ANYTHING,
            }
        ),
        "health": _closed({"port": {"type": "integer", "minimum": 1024, "maximum": 65535}}),
    }


def _cluster() -> dict[str, Any]:
    return {
        "persistence": _closed(
            {
                "size": _QUANTITY,
                "storageClass": _TEXT,
                "whenScaled": _RETENTION,
                "whenDeleted": _RETENTION,
            }
        ),
        "resources": _ANYTHING,
        "temporary": _closed({"size": _QUANTITY}),
        "serviceAccount": _closed({"create": _YES_NO, "name": _TEXT, "annotations": _TEXTS}),
        "podAnnotations": _TEXTS,
        "podLabels": _TEXTS,
        "priorityClassName": _TEXT,
        "nodeSelector": _TEXTS,
        "tolerations": _LIST,
        "affinity": _ANYTHING,
        "topologySpreadConstraints": _LIST,
        "podDisruptionBudget": _closed(
            {"enabled": _YES_NO, "maxUnavailable": {"type": ["integer", "string"]}}
        ),
        "networkPolicy": _closed({"enabled": _YES_NO, "monitoringFrom": _LIST, "egress": _LIST}),
        "serviceMonitor": _closed(
            {"enabled": _YES_NO, "interval": _TEXT, "scrapeTimeout": _TEXT, "labels": _TEXTS}
        ),
        "prometheusRule": _closed({"enabled": _YES_NO, "labels": _TEXTS}),
    }


def _autoscaling() -> dict[str, Any]:
    return _closed(
        {
            "kind": {"enum": ["none", "keda", "hpa"]},
            "minReplicas": _COUNT,  # accounts have to stay connected: never none
            "maxReplicas": _COUNT,
            "fullnessPercent": {"type": "integer", "minimum": 1, "maximum": 100},
            "scaleUpPeriodSeconds": _COUNT,
            "scaleDownPeriodSeconds": _COUNT,
            "scaleDownStabilizationSeconds": {"type": "integer", "minimum": 0, "maximum": 3600},
            "keda": _closed({"serverAddress": _TEXT, "job": _TEXT, "authenticationRef": _TEXT}),
            "hpa": _closed({"memoryPercent": {"type": "integer", "minimum": 1, "maximum": 100}}),
        }
    )


def _closed(properties: dict[str, Any], *, required: list[str] | None = None) -> dict[str, Any]:
    """Return the schema of an object with these members and no other."""
    schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return schema | ({"required": required} if required else {})
