"""Makes all mistakes at once on one API server with one operator, and collects the answers."""

import contextlib
import copy
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from socket import create_server
from typing import Any, Final

import yaml

from support.clouds import Fault
from support.control_plane import wait_until
from support.control_plane.errors import ControlPlaneFailed
from support.first_day.mistakes import GOOGLE_KEY, NAMESPACE, Mistake, Object, mistakes
from support.operator_process import OPERATOR_NAMESPACE, REPOSITORY, OperatorProcess
from support.world import PATIENCE, World, condition_in

_VARIES: Final = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-01-02T03:04:05Z"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:6443"),
    (r"\('127\.0\.0\.1', \d+\)", "('127.0.0.1', 6443)"),
    (r"\(labels in use: ([^,)]+)[^)]*\)", r"(labels in use: \1, …)"),
    (r"\b44m\d\ds\b", "44m50s"),
    (r"valid for (59m\d\ds|1h)\b", "valid for 1h"),
)
_GROUP: Final = "/apis/artifactindex.dev/v1alpha1"
PATHS: Final = {
    "Secret": "/api/v1/namespaces/{}/secrets",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ArtifactIndex": _GROUP + "/namespaces/{}/artifactindexes",
    "IndexOptions": _GROUP + "/namespaces/{}/indexoptions",
}
"""The collections of what users apply, for a namespace."""


@dataclass(frozen=True)
class Answer:
    """What was done, as the reader of the page would do it, who answered and with what text."""

    title: str
    done: str
    by: str
    text: str
    says: tuple[str, ...]


def shown(text: str) -> str:
    """The text without what differs between two runs."""
    for pattern, instead in _VARIES:
        text = re.sub(pattern, instead, text)
    return text


def answers(world: World) -> list[Answer]:
    """Make every mistake, and wait for what is to be said of each; what is said then."""
    world.namespace(NAMESPACE)
    world.aws.inject("GetAuthorizationToken", Fault(reset=True), domain="unreachable")
    refusals = {each.id: _apply(world, each) for each in mistakes()}
    files = [file for each in mistakes() if (file := each.file()) is not None]
    world.apply(*files, namespace=NAMESPACE)
    google = [f"--{k.replace('_', '-')}={v}" for k, v in world.google.settings().items()]
    environment = {**world.aws.env(), **world.google.env()}
    with OperatorProcess(world.kubeconfig, flags=google, env=environment):
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: _all_said(world), "an answer to every mistake", PATIENCE)
        found = [_answer(world, each, refusals[each.id]) for each in mistakes()]
    return [*found, *_starts(world)]


def _apply(world: World, mistake: Mistake) -> str:
    """Create what the user applies; the API server's refusal, or nothing."""
    for manifest in copy.deepcopy(mistake.manifests()):
        values = manifest.get("stringData", {})
        if values.get("key.json") == GOOGLE_KEY:
            values["key.json"] = world.google.make_key_json("reader@acme.example")
        path = PATHS[manifest["kind"]].format(NAMESPACE)
        try:
            world.plane.write("POST", f"{path}?fieldValidation=Strict", manifest)
        except ControlPlaneFailed as refusal:
            status = json.loads(str(refusal).partition("{")[1] + str(refusal).partition("{")[2])
            return str(status["message"])
    return ""


def _answer(world: World, mistake: Mistake, refusal: str) -> Answer:
    done = "---\n".join(_as_yaml(each) for each in mistake.manifests())
    kind = "ArtifactIndex" if mistake.of == "artifactindex" else "IndexOptions"
    if mistake.refused:
        return Answer(mistake.title, done, "the API server", shown(refusal), mistake.says)
    by = f"`{mistake.condition}` of {kind} `{mistake.id}`"
    if mistake.event:
        by = f"event `{mistake.event}` of {kind} `{mistake.id}`"
    text = _message(world, mistake) or refusal
    return Answer(mistake.title, done, by, shown(text), mistake.says)


def _all_said(world: World) -> bool:
    return all(each.refused or says(_message(world, each), each.says) for each in mistakes())


def _message(world: World, mistake: Mistake) -> str:
    if mistake.event:
        return next(
            (str(event["message"]) for event in world.items("events", NAMESPACE)
             if event["reason"] == mistake.event), ""
        )  # fmt: skip
    found = world.get(mistake.of, NAMESPACE, mistake.id) or {}
    return str(condition_in(found, mistake.condition).get("message", ""))


def says(text: str, parts: tuple[str, ...]) -> bool:
    """Whether the text holds the parts in this order."""
    for part in parts:
        _, found, text = text.partition(part)
        if not found:
            return False
    return True


def _as_yaml(manifest: Object) -> str:
    text: str = yaml.safe_dump(manifest, sort_keys=False, width=100)
    return text


# -- mistakes at the start of the operator


def _starts(world: World) -> list[Answer]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda case: _start(*case), _start_cases(world)))


def _start_cases(world: World) -> Iterator[tuple[Any, ...]]:
    folder = world.plane.folder
    stranger = world.plane.kubeconfig_for(NAMESPACE, "stranger")
    yield (
        "The ServiceAccount has no permissions", "stranger.kubeconfig", stranger, (),
        ("refuses the operator: 403 Forbidden", "rbac.create"),
    )  # fmt: skip
    yield (
        "The operator's namespace does not exist", "operator.kubeconfig", world.kubeconfig,
        ("--operator-namespace", "artifact-index-sytem"),
        ("namespace 'artifact-index-sytem'", "does not exist", "kubectl create namespace"),
    )  # fmt: skip
    text = stranger.read_text()
    expired = folder / "expired.kubeconfig"
    expired.write_text(re.sub(r'(token"?: ?"?)[^"\n,}]+', r"\1expired", text))
    yield (
        "The token of the kubeconfig has expired", "expired.kubeconfig", expired, (),
        ("has expired", "renew the login of the kubeconfig"),
    )  # fmt: skip
    with contextlib.closing(create_server(("127.0.0.1", 0))) as free:
        address = f"https://127.0.0.1:{free.getsockname()[1]}"
    dead = folder / "dead.kubeconfig"
    dead.write_text(re.sub(r"https://127\.0\.0\.1:\d+", address, text))
    yield (
        "Nothing answers at the kubeconfig's address", "dead.kubeconfig", dead, (),
        ("cannot be reached", "check the address", "--kubeconfig"),
    )  # fmt: skip


def _start(
    title: str, name: str, kubeconfig: Path, flags: tuple[str, ...], parts: tuple[str, ...]
) -> Answer:
    command = ["run", *flags, "--kubeconfig"]
    namespace = () if flags else ("--operator-namespace", OPERATOR_NAMESPACE)
    ended = subprocess.run(
        [sys.executable, "-m", "artifact_index", *command, str(kubeconfig), *namespace,
         "--health-host", "127.0.0.1", "--health-port", "0"],
        env={"PYTHONPATH": str(REPOSITORY / "operator")}, capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    line = [each for each in ended.stderr.splitlines() + ended.stdout.splitlines() if each][-1]
    text = shown(line.replace(str(kubeconfig), name))
    done = f"artifact-index {' '.join(command)} {name}\n"
    return Answer(title, done, f"the log; exit status {ended.returncode}", text, parts)
