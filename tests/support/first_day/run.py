"""Makes all mistakes at once on one API server with one operator, and collects the answers."""

import contextlib
import copy
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import yaml

from support.clouds import Fault
from support.control_plane import wait_until
from support.control_plane.errors import ControlPlaneFailed
from support.first_day.answer import Answer, says, shown
from support.first_day.mistakes import GOOGLE_KEY, NAMESPACE, Mistake, Object, mistakes
from support.first_day.operators import (
    helm_after_the_quickstart,
    login_expires,
    two_operators,
    without_definitions,
)
from support.first_day.starts import starts
from support.operator_process import OperatorProcess
from support.world import PATIENCE, World, condition_in

_GROUP: Final = "/apis/artifactindex.dev/v1alpha1"
PATHS: Final = {
    "Secret": "/api/v1/namespaces/{}/secrets",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ArtifactIndex": _GROUP + "/namespaces/{}/artifactindexes",
    "IndexOptions": _GROUP + "/namespaces/{}/indexoptions",
}
"""The collections of what users apply, for a namespace."""


def answers(world: World) -> list[Answer]:
    """Make every mistake, and wait for what is to be said of each; what is said then.

    The API server has no definitions afterwards.
    """
    world.namespace(NAMESPACE)
    world.aws.inject("GetAuthorizationToken", Fault(reset=True), domain="unreachable")
    refusals = {each.id: _apply(world, each) for each in mistakes()}
    files = [file for each in mistakes() if (file := each.file()) is not None]
    world.apply(*files, namespace=NAMESPACE)
    google = [f"--{k.replace('_', '-')}={v}" for k, v in world.google.settings().items()]
    environment = {**world.aws.env(), **world.google.env()}
    with ThreadPoolExecutor(1) as pool:
        expired = pool.submit(login_expires, world)
        with OperatorProcess(world.kubeconfig, flags=google, env=environment, forked=True):
            with contextlib.suppress(TimeoutError):
                wait_until(lambda: _all_said(world), "an answer to every mistake", PATIENCE)
            found = [_answer(world, each, refusals[each.id]) for each in mistakes()]
            found.append(two_operators(world))
        found += [*starts(world), expired.result()]
    # The last ones take the definitions away.
    return [*found, helm_after_the_quickstart(world), *without_definitions(world)]


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


def _as_yaml(manifest: Object) -> str:
    text: str = yaml.safe_dump(manifest, sort_keys=False, width=100)
    return text
