"""Look up known vulnerabilities of the images in `dist/` and of the locked packages: `make scan`.

osv-scanner, which is on PATH, asks osv.dev by the names that a bill of materials has. Debian's
advisories name source packages, so it gets a copy of each bill in which these stand instead.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from packageurl import PackageURL
from tools.release.files import TOP

_LOCK: Final = TOP / "requirements" / "runtime.txt"


def main() -> int:
    """Return osv-scanner's exit status: 1 where it knows of a vulnerability."""
    with tempfile.TemporaryDirectory(prefix="scan-") as folder:
        files = [f"requirements.txt:{_LOCK}"]
        for bill in sorted((TOP / "dist").glob("*.cdx.json")):
            copy = Path(folder, bill.name)
            copy.write_text(json.dumps(by_source(json.loads(bill.read_text()))))
            files.append(str(copy))
        command = ["osv-scanner", "scan", "source", *(f"--lockfile={file}" for file in files)]
        return subprocess.run(command, check=False).returncode  # noqa: S603 - our own command


def by_source(bill: dict[str, Any]) -> dict[str, Any]:
    """The bill with Debian's source packages instead of what is built from them."""
    return bill | {"components": [_source(component) for component in bill["components"]]}


def _source(component: dict[str, Any]) -> dict[str, Any]:
    url = PackageURL.from_string(component["purl"]) if "purl" in component else None
    if url is None or "upstream" not in url.qualifiers:
        return component
    name, _, version = url.qualifiers["upstream"].partition("@")
    url = url._replace(name=name, version=version or url.version)
    return component | {"name": url.name, "version": url.version, "purl": url.to_string()}


if __name__ == "__main__":
    sys.exit(main())
