"""Remove files that the operator never loads from this environment, while the image is built.

The SDKs contain descriptions of every service and of every kind of object. The tests install the
image on a real node and log in from it, so a missing file fails a test.
"""

import shutil
import sys
import sysconfig
from pathlib import Path

PACKAGES = Path(sysconfig.get_paths()["purelib"])

# The services that a login may use; the remaining files describe partitions and retries.
SERVICES = {"codeartifact", "sts", "sso", "sso-oidc", "signin"}

# Certificates come from certifi: botocore's own are for where there is none.
UNUSED_FILES = ["botocore/cacert.pem"]
SYNCHRONOUS = ["client", "config", "dynamic", "leaderelection", "stream", "utils", "watch"]
# The operator sends JSON itself and uses the asynchronous client only for TLS, login and sessions.
# The packages of generated classes load each class on demand.
GENERATED = ["kubernetes/aio/client/api", "kubernetes/aio/client/models"]
# `artifact_index` tells everybody that there is no synchronous client.
UNUSED = ["boto3/data", "boto3/examples", *(f"kubernetes/{name}" for name in SYNCHRONOUS)]
# Sources of compiled modules, and types.
SOURCES = {".c", ".cpp", ".h", ".pxd", ".pyi", ".pyx"}


def main() -> None:
    """Remove the files; fail if a folder has moved, since a new version may need a review."""
    for service in sorted((PACKAGES / "botocore" / "data").iterdir()):
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)
    for module in (each for folder in GENERATED for each in (PACKAGES / folder).iterdir()):
        if module.name != "__init__.py":
            module.unlink()
    for folder in UNUSED:
        shutil.rmtree(PACKAGES / folder)
    for file in UNUSED_FILES:
        (PACKAGES / file).unlink()
    for file in [each for each in PACKAGES.rglob("*") if each.suffix in SOURCES]:
        file.unlink()
    for tests in [*PACKAGES.glob("*/tests"), *PACKAGES.glob("*/*/tests")]:
        shutil.rmtree(tests)
    missing = {name for name in SERVICES if not (PACKAGES / "botocore" / "data" / name).is_dir()}
    sys.exit(f"botocore has no data of {', '.join(sorted(missing))}" if missing else 0)


if __name__ == "__main__":
    main()
