"""Give the checkout a version: `make version VERSION=1.2.3`, the commit before its tag.

What the changelog lists as unreleased becomes the version's section.
"""

import datetime
import re
import sys
from typing import Final

from tools.release.files import TOP
from tools.release.notes import ChangelogError, close

_OWN: Final = TOP / "operator" / "artifact_index" / "__init__.py"


def main(version: str) -> None:
    """Write the version's place and the changelog; `make golden` writes what follows from it."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        sys.exit(f"make version: VERSION={version} is no semantic version such as 1.2.3")
    text, count = re.subn(
        r'^__version__ = ".*"$', f'__version__ = "{version}"', _OWN.read_text(), flags=re.M
    )
    if count != 1:
        sys.exit(f"make version: {_OWN} does not say its version once")
    changelog = TOP / "CHANGELOG.md"
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    try:
        closed = close(changelog.read_text(), version, today)
    except ChangelogError as error:
        sys.exit(f"make version: {error}")
    _OWN.write_text(text)
    changelog.write_text(closed)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
