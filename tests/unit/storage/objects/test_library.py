"""What we rely on of the library behind the object store."""

import subprocess
import sys
from importlib.metadata import version


def test_the_library_is_the_one_we_know() -> None:
    """Resolvers go back to aioboto3 7 or 11 without a word when something else wants new parts."""
    assert version("aioboto3").split(".")[:2] == ["15", "5"]
    assert version("aiobotocore").split(".")[:2] == ["2", "25"]


def test_the_library_is_not_imported_before_it_is_used() -> None:
    """It takes a second that most commands of the command line do not have."""
    code = (
        "import sys, gateway_worker.storage.objects;"
        "print(sorted({'aioboto3', 'aiobotocore', 'boto3', 'botocore'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
