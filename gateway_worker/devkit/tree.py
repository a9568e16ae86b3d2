"""Checks that the repository makes sense on any machine (`python -m gateway_worker.devkit.tree`).

Three things creep in unseen: paths of the machine that a file was written on, the host of a package
index (locks carry hashes and no addresses, so that any mirror will do), and secrets. Of those are
found keys and tokens with a form of their own, what links a WhatsApp account, and long values that
are called a password, secret, token or key. A finding never shows one.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LARGEST_FILE_BYTES = 5_000_000

# Written so that no pattern matches its own source line
FORBIDDEN = {
    "machine path": re.compile(
        r"(?<![\w.:/-])/(?:work|root|Users|home/(?!gateway\b)[a-z]\w*)(?:/|\b(?=['\"\s]))"
    ),
    "package index": re.compile(
        r"py[p]i\.org/|files\.python[h]osted|registry\.np[m]js|test\.py[p]i|--(?:extra-)?index-u[r]l"
        r"|(?:PIP|UV)_(?:EXTRA_|DEFAULT_)?INDE[X]"
    ),
}
_VALUE = r"(?=[A-Za-z+/_-]*[0-9])[A-Za-z0-9+/_-]"
SECRETS = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "cloud key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{35}"),
    "access token": re.compile(
        r"\b(?:gh[pousr]|npm)_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{22}"
        r"|\bglpat-[A-Za-z0-9_-]{20}|\bpy[p]i-AgE|\bxox[abprs]-[A-Za-z0-9-]{10}"
        r"|\b[sr]k_live_[0-9A-Za-z]{16}"
    ),
    "signed token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."),
    "QR code": re.compile(r"\b\d@[A-Za-z0-9+/=_-]{40,},[A-Za-z0-9+/=]{40}"),
    "password in a URL": re.compile(rf"://[^/\s:@\"'{{<$]+:{_VALUE}{{16,}}@"),
    "named secret": re.compile(
        r"(?i)(?<![a-z])(?:password|passwd|secret|token|api_?key|access_key|private_key|snapshot_keys)"
        rf"[\"']?\s{{0,2}}[:=]\s{{0,2}}[\"']?(?:[\w-]{{1,32}}:)?{_VALUE}{{24,}}"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line that does not belong into the repository; without its text if that is a secret."""

    path: Path
    line: int
    what: str
    text: str


def main() -> int:
    """Print the findings; return 1 when there are any."""
    findings = list(findings_in(Path.cwd()))
    for found in findings:
        print(f"{found.path}:{found.line}: {found.what}: {found.text}")
    return 1 if findings else 0


def findings_in(root: Path) -> Iterator[Finding]:
    """Go through all files that git knows or would add, text only."""
    for path in _files(root):
        try:
            text = (root / path).read_text()
        except (OSError, UnicodeDecodeError):
            continue  # deleted but not committed, or not text
        for number, line in enumerate(text.splitlines(), start=1):
            for what, pattern in FORBIDDEN.items():
                if pattern.search(line):
                    yield Finding(path=path, line=number, what=what, text=line.strip()[:120])
            for what, pattern in SECRETS.items():
                if pattern.search(line):
                    yield Finding(path=path, line=number, what=what, text="[hidden]")


def _files(root: Path) -> Iterator[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=root, check=True, capture_output=True)
    for name in sorted(set(listing.stdout.decode().split("\0")) - {""}):
        path = Path(name)
        if (root / path).is_file() and (root / path).stat().st_size < LARGEST_FILE_BYTES:
            yield path


if __name__ == "__main__":
    sys.exit(main())
