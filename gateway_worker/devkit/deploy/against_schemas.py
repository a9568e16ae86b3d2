"""Holds manifests to Kubernetes' schemas; run by the validators' own interpreter.

Reads a list of manifests (JSON) from its input and prints what is wrong. One process for all of
them, and each schema read once: the tool's own command takes seconds for each file.
"""

import functools
import json
import sys
from typing import Any

from kubernetes_validate import utils


def main() -> int:
    """Check every manifest against every version that is named; returns 1 if one does not fit."""
    utils.schema_contents = functools.cache(utils.schema_contents)
    manifests = json.load(sys.stdin)
    versions = sys.argv[1:]
    wrong = [line for version in versions for each in manifests for line in look(each, version)]
    sys.stdout.write("\n".join(wrong))
    return 1 if wrong else 0


def look(manifest: dict[str, Any], version: str) -> list[str]:
    """Return what is wrong with one manifest: the first thing, as the library tells no more."""
    name = f"{manifest['kind']} for Kubernetes {version}"
    try:
        utils.validate(manifest, version, strict=True)
    except utils.ValidationError as error:
        place = ".".join(str(step) for step in error.path)
        return [f"{name}: {place}: {error.message}"]
    except (utils.SchemaNotFoundError, utils.VersionNotSupportedError) as error:
        return [f"{name}: {error.message}"]
    return []


if __name__ == "__main__":
    sys.exit(main())
