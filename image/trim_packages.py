"""Remove from this environment what the operator never loads; run once, while the image is built.

The SDKs come with descriptions of every service and of every kind of object. The tests install the
image on a real node and log in from it, so that what is missing shows.
"""

import shutil
import sys
import sysconfig
from pathlib import Path

PACKAGES = Path(sysconfig.get_paths()["purelib"])

# Each service that a login may go through; the rest are files about partitions and retries.
SERVICES = {"codeartifact", "sts", "sso", "sso-oidc", "signin"}

# The operator speaks JSON itself and uses the client for TLS, login and sessions only. Its packages
# of generated classes load each on demand.
GENERATED = [
    "kubernetes/client/api",
    "kubernetes/client/models",
    "kubernetes/aio/client/api",
    "kubernetes/aio/client/models",
]
UNUSED = ["boto3/data", "boto3/examples"]


def main() -> None:
    """Remove, and fail where a folder is not where it was: a new version may need a new look."""
    for service in sorted((PACKAGES / "botocore" / "data").iterdir()):
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)
    for module in (each for folder in GENERATED for each in (PACKAGES / folder).iterdir()):
        if module.name != "__init__.py":
            module.unlink()
    for folder in UNUSED:
        shutil.rmtree(PACKAGES / folder)
    for tests in [*PACKAGES.glob("*/tests"), *PACKAGES.glob("*/*/tests")]:
        shutil.rmtree(tests)
    missing = {name for name in SERVICES if not (PACKAGES / "botocore" / "data" / name).is_dir()}
    sys.exit(f"botocore has no data of {', '.join(sorted(missing))}" if missing else 0)


if __name__ == "__main__":
    main()
