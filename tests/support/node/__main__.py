"""Prepare this machine for the node tier: packages, programs and images; print the image's size."""

import sys
from concurrent.futures import ThreadPoolExecutor

from support.control_plane.errors import ControlPlaneUnavailable
from support.node.images import ensure_images, megabytes
from support.node.machine import ensure_packages, ensure_programs

OF_COMMANDS = ("artifact_index/cli", "argcomplete")
"""Folders of site-packages that only they need: their modules, and their one library."""


def main() -> int:
    """Return the exit status: 1, with one line of why, where there can be no node."""
    try:
        ensure_packages()
        # Compilers keep the processors busy, image builds mostly the network.
        with ThreadPoolExecutor() as side:
            building = side.submit(ensure_images)
            ensure_programs()
            images = building.result()
    except ControlPlaneUnavailable as error:
        print(error.reason, file=sys.stderr)
        return 1
    print(f"the operator's image: {images.operator.stat().st_size / 1e6:.0f} MB, not compressed")
    sizes = [f"{megabytes(images.operator, each):.1f} MB in {each}" for each in OF_COMMANDS]
    print(f"of these for the commands other than run: {', '.join(sizes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
