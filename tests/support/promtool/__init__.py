"""Prometheus's own promtool: checks rules, runs them over series, parses PromQL."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from support.control_plane.builder import Program, Toolchain, ensure_built

_VERSION: Final = "v0.315.0"
_RUN_SECONDS: Final = 300.0
_MEMORY: Final = Path("/dev/shm")
_TOOLS: Final = Toolchain(
    name="promtool",
    version=_VERSION,
    modules=Path(__file__).parent,
    ldflags="-s -w",
    programs={"promtool": Program("github.com/prometheus/prometheus/cmd/promtool", "promtool")},
    # Without the service discoveries of all clouds, which take half of the time.
    tags="remove_all_sd",
)


def program() -> Path:
    """Promtool, built in some minutes if it is not cached.

    Raises ControlPlaneUnavailable where it cannot be.
    """
    return ensure_built(["promtool"], _TOOLS) / "promtool"


def promtool(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run promtool.

    Raises CalledProcessError, with the output as a note, when `check` and it fails.
    """
    environment = dict(os.environ)
    if _MEMORY.is_dir():
        # Each test of rules has a database of its own, and on a disk that takes most of the time.
        environment["TMPDIR"] = str(_MEMORY)
    done = subprocess.run(
        [program(), *arguments],
        capture_output=True,
        text=True,
        timeout=_RUN_SECONDS,
        check=False,
        env=environment,
    )
    try:
        if check:
            done.check_returncode()
    except subprocess.CalledProcessError as error:
        error.add_note(done.stdout + done.stderr)
        raise
    return done


def rule_test(folder: Path, rules: Mapping[str, Any], **content: Any) -> Path:
    """Write a file for `promtool test rules` in a folder of its own, beside these rules."""
    folder.mkdir()
    (folder / "rules.yaml").write_text(yaml.safe_dump(dict(rules)))
    path = folder / "test.yaml"
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    path.write_text(
        yaml.dump({"rule_files": ["rules.yaml"], **content}, Dumper=dumper, width=10**9)
    )
    return path
