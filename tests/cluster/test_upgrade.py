"""The last release is upgraded by Helm: no mint, no output written, no object and no name changed.

Its chart is installed by Helm 3 and upgraded by Helm 4 as the docs say; its operator, and this one,
are processes with the permissions that the chart of the time gives them.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.accounts import allow_tokens, issuer_of, role
from support.chart import CHART, RELEASE, run_helm, with_image
from support.control_plane import ControlPlane, wait_until
from support.frozen.lives import OBJECTS
from support.operator_process import OPERATOR_NAMESPACE, OperatorProcess
from support.other_operator import LAST_RELEASE, RevisionUnavailable, chart_of, environment_of
from support.world import World, condition_in, open_world

pytestmark = pytest.mark.cluster

NAMESPACE = "upgrade"
EXPLAINED = frozenset(
    {
        # A preauthenticated URL without `publicPath` is blocked in ConfigMaps. They also get the
        # empty keys of pip.conf and PDM's repositories.
        *(("configmaps", name) for name in ("all-formats", "config-map-alone")),
        *(("configmaps", name) for name in ("uv-toml", "pip-conf", "pdm-toml")),
        # Blocked entries name their ArtifactIndex.
        *(("secrets", name) for name in ("by-default", "retained", "uv-toml")),
        # A tenant's session tags are blocked with the operator's own identity.
        ("secrets", "logins"),
        # The same keys, and where Poetry uploads to. The last private index stands twice in
        # uv.toml if there is no public one.
        *(("secrets", name) for name in ("pip-conf", "pdm-toml", "environment", "whole-urls")),
        *(("secrets", name) for name in ("all-formats", "all-formats-environment")),
        *(("secrets", name) for name in ("nothing-blocked", "nothing-blocked-environment")),
        *(("secrets", name) for name in ("public-index-first", "without-public-index")),
        ("secrets", "without-public-index-environment"),
        # A comment, or a variable, says until when each login is good.
        *(("secrets", name) for name in ("netrc", "pypirc", "whole-urls-environment")),
    }
)
"""The outputs that the newer operator may write once: the changelog says why under "Upgrade"."""
FLAGS = (
    *("--namespace", NAMESPACE, "--operator-identity-namespaces", NAMESPACE),
    *("--missing-secret-grace", "1s", "--mint-patience", "60s", "--log-level", "debug"),
)
LONG = 180.0
KINDS = ("artifactindexes", "indexoptions")
OUTPUTS = ("secrets", "configmaps")
OUTPUT_COUNT = 24
"""In all formats, with logins of every shape."""
READER = "reader@acme-build.iam.gserviceaccount.com"
GOOGLE_PROVIDER = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool"
GKE = "https://container.googleapis.com/v1/projects/acme-build/locations/europe-west1/clusters/main"


def objects(world: World) -> list[dict[str, Any]]:
    """Those of the frozen outputs, with keys that the stand-ins know."""
    found = yaml.safe_load(OBJECTS.read_text())
    for body in found:
        custom = body["kind"] in ("ArtifactIndex", "IndexOptions")
        body["apiVersion"] = "artifactindex.dev/v1alpha1" if custom else "v1"
        spec, name = body.get("spec", {}), body["metadata"]["name"]
        # The older release does not know the field.
        spec.get("preauthenticated", {}).pop("publicPath", None)
        for source in ("codeArtifact", "googleArtifactRegistry"):
            if body["metadata"].get("labels", {}).get("set") == "logins" and source in spec:
                # A URL of its own: two logins at one URL would block each other.
                spec[source] = {**spec[source], "repository": name}
        if name == "refused":
            spec["codeArtifact"] = {
                **spec["codeArtifact"], "auth": {"secretRef": {"name": "no-such-key"}},
            }  # fmt: skip
        if body["kind"] == "Secret":
            body["stringData"] |= values(world, name)
    unknown = {"AWS_ACCESS_KEY_ID": "AKIANOSUCHKEY", "AWS_SECRET_ACCESS_KEY": "none"}
    labels = {"artifactindex.dev/role": "source"}
    no_key = {
        "apiVersion": "v1", "kind": "Secret", "stringData": unknown,
        "metadata": {"name": "no-such-key", "labels": labels},
    }  # fmt: skip
    # Files come last: a ConfigMap without some index would stay for what it held.
    return sorted([*found, no_key], key=lambda body: str(body["kind"]) == "IndexOptions")


def values(world: World, secret: str) -> dict[str, str]:
    """Keys at the stand-ins for a Secret of the frozen objects."""
    if secret == "aws-key":
        key = world.aws.add_access_key("arn:aws:iam::111122223333:user/upgrade")
        other = world.aws.add_access_key("arn:aws:iam::111122223333:user/session", session=True)
        assert other.session_token is not None
        return {
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "id": other.access_key_id,
            "secret": other.secret_access_key,
            "session": other.session_token,
        }
    if secret == "google-key":
        return {
            key: world.google.make_key_json(f"{key.partition('.')[0]}@acme.iam.gserviceaccount.com")
            for key in ("key.json", "other.json")
        }
    return {}


def trust(world: World) -> None:
    """Let the clouds trust the roles, ServiceAccounts and impersonations of those objects."""
    issuer = issuer_of(world)
    allow_tokens(world, NAMESPACE, "builder", "annotated")
    for arn, external_id in (
        (role("builders"), None),
        (role("builders").replace("arn:aws:", "arn:aws-cn:"), None),
        (role("team/builders"), "external-1"),
    ):
        world.aws.trust_role(arn, external_id=external_id)
    for arn, audience in (
        (role("web"), "sts.amazonaws.com"),
        (role("annotated"), "annotated-audience"),
    ):
        world.aws.trust_web_identity(arn, lambda token, a=audience: issuer.subject(token, a))  # type: ignore[misc]
    provider = f"{GOOGLE_PROVIDER}/providers/k8s-1"
    own, gke = f"https:{provider}", "acme-build.svc.id.goog"
    world.google.trust_provider(
        provider, lambda token: issuer.subject(token, own) or issuer.subject(token, "one")
    )
    world.google.trust_provider(
        f"identitynamespace:{gke}:{GKE}", lambda token: issuer.subject(token, gke)
    )
    world.google.allow_impersonation(READER)


def settle(world: World) -> None:
    """Wait until every object has been worked on, and every cloud has answered."""

    def settled() -> bool:
        bodies = [body for kind in KINDS for body in world.items(kind, NAMESPACE)]
        return all(
            body.get("status", {}).get("observedGeneration") == body["metadata"]["generation"]
            and condition_in(body).get("reason") not in (None, "MintingCredential", "NotSelected")
            for body in bodies
        )

    wait_until(settled, f"{NAMESPACE} to settle", LONG)
    world.wait_condition(
        "artifactindex", NAMESPACE, "blocked", what="Stalled", reason="SecretNotFound"
    )


def restart(world: World, operator: OperatorProcess) -> None:
    """End and start it, and wait until it has worked on everything."""
    operator.stop()
    mark = world.plane.audit_mark()
    operator.start()
    world.wait_second_listing(mark, 1, LONG)


def mints(world: World) -> int:
    """Everything that the clouds have granted, endpoints included."""
    return world.aws.mints() + world.google.mints()


def names(world: World, options: str) -> dict[str, str]:
    """The name in the file of each ArtifactIndex of an IndexOptions."""
    status = (world.get("indexoptions", NAMESPACE, options) or {})["status"]
    return {item["artifactIndex"]: item["name"] for item in status["indexes"]}


def outputs(world: World) -> dict[tuple[str, str], dict[str, Any]]:
    """Every output, by kind and name."""
    return {
        (kind, body["metadata"]["name"]): body
        for kind in OUTPUTS
        for body in world.items(kind, NAMESPACE)
        if body["metadata"].get("labels", {}).get("artifactindex.dev/role") == "output"
    }


def use_helm(command: str, world: World, chart: Path, *flags: str, version: str) -> None:
    """Install or upgrade the release, with an image that nobody pulls here, and its definitions."""
    run_helm(
        command, RELEASE, chart, "--namespace", OPERATOR_NAMESPACE, *flags, version=version,
        values=with_image() if command == "install" else None,
        kubeconfig=world.plane.kubeconfig_admin, home=world.plane.folder / "helm",
    )  # fmt: skip
    world.plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")


def fields_of_indexes(world: World) -> set[str]:
    """Those of the spec of an ArtifactIndex, as the API server serves them."""
    path = (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/artifactindexes.artifactindex.dev"
    )
    (version,) = (world.plane.read(path) or {})["spec"]["versions"]
    return set(version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"])


def identities(world: World) -> set[tuple[str, ...]]:
    """Kind, name, UID and generation of every object of both kinds, and of every output."""
    objects = [(kind, body) for kind in KINDS for body in world.items(kind, NAMESPACE)]
    written = [(kind, body) for (kind, _), body in outputs(world).items()]
    return {
        (kind, *(str(body["metadata"].get(key)) for key in ("name", "uid", "generation")))
        for kind, body in [*objects, *written]
    }


class Before:
    """What there is once the older operator has ended, and a mark of the audit log."""

    def __init__(self, world: World) -> None:
        self.identities, self.fields = identities(world), fields_of_indexes(world)
        self.outputs, self.mints = outputs(world), mints(world)
        self.names = names(world, "by-default")
        self.mark = world.plane.audit_mark()


@pytest.fixture(scope="module")
def world(own_control_plane: ControlPlane, helm: None) -> Iterator[World]:
    """A world of its own, in which nothing is installed."""
    with open_world(own_control_plane, forked=True, installed=False) as opened:
        yield opened


@pytest.fixture(scope="module")
def cloud_variables(world: World) -> Iterator[dict[str, str]]:
    """The operator's own identities, the same for both versions: variables for its process."""
    world.google.metadata_email = "operator@acme-build.iam.gserviceaccount.com"
    yield world.aws.env(world.aws.add_access_key("arn:aws:iam::111122223333:user/operator"))
    world.google.metadata_email = None


@pytest.fixture(scope="module")
def before(
    world: World, cloud_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Before:
    """The older operator's work. It restarts once, so that nothing is left to be done."""
    try:
        python = environment_of(LAST_RELEASE)
        chart = chart_of(LAST_RELEASE, tmp_path_factory.mktemp("chart"))
    except RevisionUnavailable as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    world.namespace(NAMESPACE)
    trust(world)
    use_helm("install", world, chart, version="helm3")
    with world.operator(*FLAGS, python=str(python), **cloud_variables) as older:
        world.apply(*objects(world), namespace=NAMESPACE)
        settle(world)
        # Its token stays in the file, and nobody asks for another.
        world.patch("artifactindex", NAMESPACE, "google-other", {"spec": {"suspend": True}})
        # Its name `open` is free again, and the other one goes on as `open-2`.
        world.delete("artifactindex", NAMESPACE, "anonymous")
        world.wait_served(NAMESPACE, "by-default", 'name = "open"', there=False)
        settle(world)
        restart(world, older)
    return Before(world)


@pytest.fixture(scope="module")
def newer(
    world: World, cloud_variables: dict[str, str], before: Before
) -> Iterator[OperatorProcess]:
    """The operator of this checkout, once it has worked on everything twice."""
    use_helm("upgrade", world, CHART, "--reset-then-reuse-values", version="helm4")
    with world.operator(*FLAGS, **cloud_variables) as running:
        world.wait_second_listing(before.mark, 1, LONG)
        restart(world, running)
        yield running


def test_nothing_is_minted_no_output_written_and_each_status_at_most_once(
    world: World, before: Before, newer: OperatorProcess
) -> None:
    writes = Counter(
        (event.resource, event.subresource, event.name)
        for event in world.operator_writes(before.mark)
        if event.resource != "events"
    )
    assert mints(world) == before.mints
    statuses = {write: count for write, count in writes.items() if write[1] == "status"}
    assert [write for write, count in statuses.items() if count > 1] == []
    written = {(resource, name) for resource, part, name in writes - Counter(statuses)}
    assert written <= EXPLAINED
    assert [write for write, count in writes.items() if count > 1] == []
    after = outputs(world)
    assert after.keys() == before.outputs.keys()
    changed = {output for output, body in after.items() if body != before.outputs[output]}
    assert changed <= EXPLAINED
    assert len(after) == OUTPUT_COUNT
    assert "Traceback" not in newer.log


def test_the_upgrade_brings_new_fields_and_leaves_every_object_and_output_what_it_is(
    world: World, before: Before, newer: OperatorProcess
) -> None:
    assert "format" not in before.fields
    assert "format" in fields_of_indexes(world)
    assert identities(world) == before.identities


def test_names_that_the_older_operator_gave_out_stay(
    world: World, before: Before, newer: OperatorProcess
) -> None:
    assert before.names["anonymous-always"] == "open-2"
    spec = {"spec": {"indexStrategy": "unsafe-first-match"}}
    world.patch("indexoptions", NAMESPACE, "by-default", spec)
    world.wait_served(NAMESPACE, "by-default", 'index-strategy = "unsafe-first-match"')
    assert set(world.indexes(NAMESPACE, "by-default")) - {"pypi"} == {
        name for index, name in before.names.items() if index != "omitted"
    }
    assert names(world, "by-default") == before.names
    assert mints(world) == before.mints


def test_an_output_to_be_retained_is_known_as_its_own_and_released_once_another_is_named(
    world: World, before: Before, newer: OperatorProcess
) -> None:
    served = world.get("secret", NAMESPACE, "retained")
    assert served is not None
    other = {"spec": {"outputs": [{"kind": "Secret", "name": "retained-elsewhere"}]}}
    world.patch("indexoptions", NAMESPACE, "retained", other)

    def released(body: dict[str, Any]) -> bool:
        return "labels" not in body["metadata"]

    found = world.wait_object("secret", NAMESPACE, "retained", released, "released")
    assert found["data"] == served["data"]
    assert "annotations" not in found["metadata"]
    moved = world.get("secret", NAMESPACE, "retained-elsewhere")
    assert moved is not None
    assert moved["data"] == served["data"]
    assert mints(world) == before.mints
