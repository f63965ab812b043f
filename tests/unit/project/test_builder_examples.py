"""What the examples for builders mount is what the other examples have the operator write."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.examples import BUILDERS, EXAMPLES, objects, pod_specs
from support.ways_round import PIP_HARMLESS, UV_HARMLESS, UV_SYSTEM_HARMLESS

pytestmark = pytest.mark.unit

FILES = sorted(BUILDERS.glob("*.yaml"))
FORMAT_OF = {"uv.toml": "UvToml", "pip.conf": "PipConf"}
SYSTEM = ("uv-pod.yaml", "uv-locked-job.yaml")
"""Those that mount uv's file as the system's."""
FROM_ELSEWHERE = {("Secret", "registry-login")}
"""The login to the image registry, which is no business of the operator."""


def written() -> dict[tuple[str, str], list[str]]:
    """Kind, name and formats of every output of the examples."""
    found = [
        each for path in EXAMPLES.glob("*.yaml") for each in yaml.safe_load_all(path.read_text())
    ]
    return {
        (output["kind"], output["name"]): output["formats"]
        for each in found
        if each["kind"] == "IndexOptions"
        for output in each["spec"]["outputs"]
    }


def mounted(spec: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Kind and name of the object behind each volume that has one."""
    found = {}
    for volume in spec["volumes"]:
        if "secret" in volume:
            found[volume["name"]] = ("Secret", volume["secret"]["secretName"])
        elif "configMap" in volume:
            found[volume["name"]] = ("ConfigMap", volume["configMap"]["name"])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_every_object_that_it_takes_is_written_by_an_example(path: Path) -> None:
    found = objects(path)
    own = {(each["kind"], each["metadata"]["name"]) for each in found}
    for spec in pod_specs(found):
        known = written()
        assert set(mounted(spec).values()) <= known.keys() | own | FROM_ELSEWHERE
        for container in spec["containers"]:
            for taken in container.get("envFrom", []):
                assert known["Secret", taken["secretRef"]["name"]] == ["Environment"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_the_file_that_a_variable_names_is_in_the_object_that_is_mounted_there(path: Path) -> None:
    named = 0
    for spec in pod_specs(objects(path)):
        behind = mounted(spec)
        for container in spec["containers"]:
            places = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
            variables = {each["name"]: each["value"] for each in container.get("env", [])}
            files = [text for name, text in variables.items() if name.endswith("_CONFIG_FILE")]
            for file in map(Path, files):
                formats = written()[behind[places[str(file.parent)]]]
                assert FORMAT_OF[file.name] in formats
                named += 1
    without = {*SYSTEM, "buildkit-job.yaml", "kaniko-job.yaml"}
    assert named == (0 if path.name in without else 1)


@pytest.mark.parametrize("name", SYSTEM)
def test_the_pod_mounts_the_file_where_uv_looks_for_it(name: str) -> None:
    (spec,) = pod_specs(objects(BUILDERS / name))
    (container,) = spec["containers"]
    places = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    assert "UvToml" in written()[mounted(spec)[places["/etc/uv"]]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_no_variable_of_an_image_leads_past_the_file(path: Path) -> None:
    """Each container that runs a client sets what docs/how-to/builders.md says beats the file."""
    found = objects(path)
    dockerfiles = [each["data"].get("Dockerfile", "") for each in found if "data" in each]
    stages = [
        dict(each.split("=", 1) for each in shlex.split(stage.replace("\\\n", " ")))
        for stage in re.findall(r"^ENV (UV(?:.*\\\n)*.*)$", "\n".join(dockerfiles), re.MULTILINE)
    ]
    pods = [
        {each["name"]: each["value"] for each in container["env"]}
        for spec in pod_specs(found)
        for container in spec["containers"]
        if container["name"] not in ("buildkit", "kaniko")
    ]
    wanted = {"pip-job.yaml": PIP_HARMLESS, **dict.fromkeys(SYSTEM, UV_SYSTEM_HARMLESS)}
    for env in stages + pods:
        assert wanted.get(path.name, UV_HARMLESS).items() <= env.items()
    assert len(stages + pods) == 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_no_pod_outlives_what_its_options_promise(path: Path) -> None:
    for each in objects(path):
        if each["kind"] == "Job":
            assert each["spec"]["activeDeadlineSeconds"] == 1800
        elif each["kind"] == "TaskRun":
            assert each["spec"]["timeout"] == "30m"
