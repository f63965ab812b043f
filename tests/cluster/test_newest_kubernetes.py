"""What depends on the API server most, on the newest release of Kubernetes that the tests know.

`make test-matrix` runs the whole tier on every release. Here a pytest of its own runs these files
beside all others, which run on the default release.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from support.control_plane import releases

pytestmark = pytest.mark.cluster

TOP = Path(__file__).parents[2]
SECONDS = 300
CHOSEN = (
    "test_control_plane.py::test_the_server_is_of_the_chosen_release",
    "test_cluster_kinds.py",
    "test_cluster_tenants.py",
    "test_crds.py",
    "test_examples.py",
    "test_user_tools.py",
    "test_whole_path.py",
)


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, control_plane: object, helm: None
) -> dict[str, list[tuple[str, str]]]:
    """The name of each test and why it did not pass, if so, by the name of its file."""
    report = tmp_path_factory.mktemp("newest") / "report.xml"
    # This pytest may be a worker of another one, which that one is not.
    machine = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"),
            f"--junit-xml={report}",
            *(f"tests/cluster/{name}" for name in CHOSEN),
        ],
        cwd=TOP,
        env={**machine, releases.VARIABLE: releases.NEWEST.minor, "KUBEBUILDER_ASSETS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode in (0, 1), done.stdout
    found: dict[str, list[tuple[str, str]]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        file = f"{case.get('classname', '').rpartition('.')[2]}.py"
        wrong = "\n".join(part.get("message", "") + (part.text or "") for part in case)
        found.setdefault(file, []).append((case.get("name", ""), wrong))
    return found


@pytest.mark.parametrize("chosen", CHOSEN)
def test_it_passes_on_the_newest_release(
    outcomes: dict[str, list[tuple[str, str]]], chosen: str
) -> None:
    ran = outcomes.get(chosen.partition("::")[0], [])
    assert ran != []
    assert [(name, wrong) for name, wrong in ran if wrong] == []
