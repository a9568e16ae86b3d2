"""Secrets are gone from the environment once they have been read."""

import os
import subprocess
import sys

PROGRAM = """
import os, ctypes
from pathlib import Path
from gateway_worker.config.wiping import wipe_secrets
before = Path("/proc/self/environ").read_bytes()
assert b"hunter2" in before
wipe_secrets()
after = Path("/proc/self/environ").read_bytes()
assert len(after) == len(before)
for secret in (b"hunter2", b"swordfish", b"token-of-aws"):
    assert secret not in after, secret
    assert secret not in b" ".join(value for value in os.environb.values() if b"aws" not in value)
assert b"WORKER_ID=w" in after
assert os.environ["WORKER_ID"] == "w"
assert os.environ["AWS_SECRET_ACCESS_KEY"] == "token-of-aws", "its library may read it later"
assert "AMQP_URL" not in os.environ and "SNAPSHOT_KEYS" not in os.environ
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
assert getenv(b"AMQP_URL") is None
assert getenv(b"LAST") == b"untouched"
wipe_secrets()
"""


def test_nothing_of_a_secret_is_left() -> None:
    """Neither for this process, nor for its children, nor for who reads /proc."""
    environment = {
        **os.environ,
        "AMQP_URL": "amqp://user:hunter2@broker/",
        "SNAPSHOT_KEYS": "k:swordfish",
        "AWS_SECRET_ACCESS_KEY": "token-of-aws",
        "WORKER_ID": "w",
        "LAST": "untouched",
    }
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True)
