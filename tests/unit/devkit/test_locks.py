"""The locked requirements: what is installed anywhere is what was tested here."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[3] / "requirements"
LOCKS = sorted(path.name for path in REQUIREMENTS.glob("*.txt"))


def pins(name: str) -> dict[str, str]:
    """Return package → version of a lock; a package pinned per platform keeps its last version."""
    text = (REQUIREMENTS / name).read_text()
    return dict(re.findall(r"^([A-Za-z0-9_.\[\]-]+)==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_is_a_pin_or_a_hash(name: str) -> None:
    """No address, no option, nothing unpinned: any mirror will do, and no other file."""
    allowed = re.compile(
        r"[A-Za-z0-9_.\[\]-]+==\S+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?"
    )
    strange = [
        line
        for line in (REQUIREMENTS / name).read_text().splitlines()
        if not allowed.fullmatch(line)
    ]

    assert strange == []


@pytest.mark.parametrize("name", ["runtime.txt", "bootstrap.txt"])
def test_the_locks_agree(name: str) -> None:
    """What the image installs, and what builds the environment, is what the tests ran with."""
    dev = pins("dev.txt")

    assert pins(name).items() <= dev.items()


def test_the_images_sbom_is_made_by_what_was_tried() -> None:
    """The tools that check deployment files include the one that the image is built with."""
    assert pins("sbom.txt").items() <= pins("deploy.txt").items()


def test_the_s3_client_has_not_been_downgraded_silently() -> None:
    """A newer boto3, aiobotocore or wrapt makes resolvers pick an aioboto3 of years ago."""
    assert version("aioboto3").startswith("15.5.")
    assert pins("runtime.txt")["aioboto3"].startswith("15.5.")


def test_the_whatsapp_library_is_the_one_that_was_measured() -> None:
    """Its behaviour is known for this version only."""
    assert version("neonize") == pins("runtime.txt")["neonize"] == "0.5.2"
