"""The example files: their objects, the pods that these make, and the shell in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from support.operator_process import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
BUILDERS = EXAMPLES / "builders"
NAMESPACE = "builders"
"""The namespace that every example for builders names."""
_SHELLS = ("sh", "/bin/sh", "bash", "/bin/bash")


def objects(path: Path, namespace: str = NAMESPACE) -> list[dict[str, Any]]:
    """Every object of a file, in another namespace; of a chart's values the object they make."""
    text = path.read_text().replace(f"namespace: {NAMESPACE}", f"namespace: {namespace}")
    found = [each for each in yaml.safe_load_all(text) if each]
    return [each if "kind" in each else _runner_set(each, namespace) for each in found]


def _runner_set(values: dict[str, Any], namespace: str) -> dict[str, Any]:
    """What the chart of GitHub's runners makes of its values."""
    return {
        "apiVersion": "actions.github.com/v1alpha1",
        "kind": "AutoscalingRunnerSet",
        "metadata": {"name": "acme-runners", "namespace": namespace},
        "spec": values,
    }


def as_yaml(found: list[dict[str, Any]]) -> str:
    """The objects as one stream: of a List kubectl would check the fields itself, and poorly."""
    text: str = yaml.safe_dump_all(found)
    return text


def pod_specs(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The specs of all pods that the objects make."""
    runs = {each["spec"]["taskRef"]["name"]: each for each in found if each["kind"] == "TaskRun"}
    made = [
        _tekton_pod(each["spec"], runs[each["metadata"]["name"]]["spec"])
        for each in found
        if each["kind"] == "Task"
    ]
    return [*made, *(spec for each in found for spec in _embedded(each))]


def _embedded(found: Any) -> Iterator[dict[str, Any]]:
    if isinstance(found, dict):
        if isinstance(found.get("containers"), list):
            yield found
        for each in found.values():
            yield from _embedded(each)


def _tekton_pod(task: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """The pod of a TaskRun without what Tekton adds: a container for each step, and volumes."""
    bound = {each["name"]: each for each in run["workspaces"]}
    volumes = [
        {"name": name, **{key: value for key, value in each.items() if key != "name"}}
        for name, each in bound.items()
    ]
    mounts = [
        {key: each[key] for key in ("name", "mountPath", "readOnly") if key in each}
        for each in task["workspaces"]
    ]
    containers = [
        {
            **task["stepTemplate"],
            "name": step["name"],
            "image": step["image"],
            "imagePullPolicy": step["imagePullPolicy"],
            "env": [*task["stepTemplate"]["env"], *step["env"]],
            "resources": step["computeResources"],
            "volumeMounts": [*mounts, *step["volumeMounts"]],
        }
        for step in task["steps"]
    ]
    return {
        **run["podTemplate"],
        "containers": containers,
        "volumes": [*volumes, *task["volumes"]],
    }


def shell_scripts(found: Any) -> Iterator[str]:
    """Every shell script in a value: `sh -c` commands, and values called `script`."""
    if isinstance(found, dict):
        command = [*found.get("command", []), *found.get("args", [])]
        if len(command) > 2 and command[0] in _SHELLS:
            yield command[2]
        if isinstance(found.get("script"), str):
            yield found["script"]
        for each in found.values():
            yield from shell_scripts(each)
    elif isinstance(found, list):
        for each in found:
            yield from shell_scripts(each)
