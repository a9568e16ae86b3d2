"""What texts call a setting is one."""

import re
from itertools import chain
from pathlib import Path

import pytest

from gateway_worker.config.variables import BY_NAME
from gateway_worker.devkit.deploy.values_schema import LIBRARIES

CHECKOUT = Path(__file__).parents[3]
NAMES = (
    "README.md",
    "UPGRADING.md",
    "contracts/README.md",
    "docs/first-message.md",
    "docs/measurements.md",
)
TEXTS = sorted(
    chain(
        (CHECKOUT / name for name in NAMES),
        (CHECKOUT / ".github").glob("*.md"),
        (CHECKOUT / "deploy").rglob("*.md"),
    )
)
OTHERS = {"CAP_SYS_PTRACE", "CTL_AMQP_URL", "SECRETS_DIR", *LIBRARIES}
"""Of the system, of libraries, and of what is no worker."""


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_each_setting_that_is_named_exists(text: Path) -> None:
    """A reader looks for it in vain otherwise."""
    named = re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=[^`]*)?`", text.read_text())

    unknown = {name for name in named if not name.startswith("WA_")} - BY_NAME.keys() - OTHERS
    assert unknown == set()
