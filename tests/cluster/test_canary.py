"""No secret leaves the Secrets: searched for in every object, log line, status and event."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from support.canaries import Dump, forms, strings
from support.clouds import Fault
from support.control_plane import wait_until
from support.operator_process import OperatorProcess, health
from support.world import (
    World,
    access_key_secret,
    artifact_index,
    artifact_registry,
    basic_auth,
    code_artifact,
    google_key_secret,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster

NAMESPACE = "canary"
SHORTEST = 12
"""Characters of the shortest value that is searched for."""

ODD = "canary-%s-name[canary-%s-in-brackets]canary-%s-behind@:%%5B%%'\"\u2100\uff0fcanary-%s-last"
"""What other parsers of URLs, files and messages stumble over, with a canary in each part."""


def canaries(values: dict[str, str]) -> set[str]:
    """The secret parts of a source Secret's values."""
    found = set(values.values())
    for value in values.values():
        if "PRIVATE KEY" in value:
            pem = json.loads(value)["private_key"]
            found |= {line for line in pem.splitlines() if len(line) >= 60}
            found.add(json.loads(value)["private_key_id"])
        found |= set(re.findall(r"canary[\w/+.~ -]{6,}", value))
    return {value for value in found if len(value) >= SHORTEST}


def odd(name: str) -> str:
    """A value that is hard to quote, and whose parts are canaries as well."""
    return ODD % ((name,) * 4)


def sources(world: World) -> list[dict[str, Any]]:
    """A Secret of each kind, good and bad, labelled and not."""
    session = world.aws.add_access_key(
        principal="arn:aws:iam::111122223333:user/canary-session", session=True
    )
    broken_key = json.loads(world.google.make_key_json("broken@canary.iam.gserviceaccount.com"))
    broken_key["private_key"] = broken_key["private_key"][:800] + "canary-truncated-private-key"
    host = world.index.netloc
    return [
        access_key_secret(world, "aws", "arn:aws:iam::111122223333:user/canary"),
        secret("aws-session", {
            "AWS_ACCESS_KEY_ID": session.access_key_id,
            "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
            "AWS_SESSION_TOKEN": session.session_token or "",
        }),
        access_key_secret(world, "aws-denied", "arn:aws:iam::111122223333:user/canary-denied"),
        secret("aws-wrong", {
            "AWS_ACCESS_KEY_ID": "AKIACANARYWRONGKEYID",
            "AWS_SECRET_ACCESS_KEY": "canary/wrong+" * 3,
        }, labelled=False),
        google_key_secret(world, "google", "ci@canary.iam.gserviceaccount.com"),
        secret("google-broken", {"key.json": json.dumps(broken_key)}),
        secret("google-garbage", {"key.json": '{"type": "canary-garbage-key'}),
        secret("basic", {"username": "canary-user-name", "password": "canary/p@ss word%41 1"}),
        secret("basic-broken", {"password": "canary-line-break-1\ncanary-line-break-2"}),
        secret("basic-unlabelled", {"password": "canary-unlabelled-password"}, labelled=False),
        secret("url", {"url": f"http://canary-url-user:canary%2Furl-password@{host}/v/simple/"}),
        secret("url-query", {"url": f"http://{host}/v/simple/?token=canary-query-token-1"}),
        secret("url-path", {"url": f"http://{host}/canary-path-token-1/simple/"}),
        secret("url-broken", {"url": "htp:/canary-broken-user:canary-broken-password@host"}),
        secret("basic-odd", {
            "username": odd("user").replace(":", ";"), "password": odd("password") + "\\n{}",
        }),
        secret("aws-odd", {
            "AWS_ACCESS_KEY_ID": odd("key-id"), "AWS_SECRET_ACCESS_KEY": odd("secret-key"),
        }),
        secret("google-odd", {"key.json": json.dumps({
            "type": "service_account", "client_email": odd("email"), "private_key": odd("pem\n"),
        })}),
        secret("url-odd", {"url": f"http://{odd('url-user')}:{odd('url')}@{host}/v/simple/"}),
        secret("url-token", {"url": f"http://{odd('url-token')}@{host}/token/simple/"}),
        secret("url-odd-path", {
            "url": f"http://ci:{odd('with-path')}@{host}/{odd('path')}/?{odd('query')}#{odd('part')}",
        }),
        secret("url-odd-host", {"url": f"http://{odd('at')}@[{odd('host')}]/v/simple/"}),
        secret("url-elsewhere", {"url": f"http://ci:{odd('far')}@elsewhere.example/simple/"}),
        secret("url-port", {"url": "https://canary-port-user:canary-port-password@host:99999/"}),
    ]  # fmt: skip


def indexes(world: World) -> list[dict[str, Any]]:
    """An index for each source Secret; `open` tells which may go into a ConfigMap."""
    url = "https://packages.example/simple/"
    session = {
        "auth": {"secretRef": {"name": "aws-session", "sessionTokenKey": "AWS_SESSION_TOKEN"}}
    }
    specs: dict[str, dict[str, Any]] = {
        "aws": {"codeArtifact": code_artifact("aws", domain="canary")},
        "aws-session": {"codeArtifact": {**code_artifact("x", domain="canary"), **session}},
        "aws-denied": {"codeArtifact": code_artifact("aws-denied", domain="canary-denied")},
        "aws-wrong": {"codeArtifact": code_artifact("aws-wrong", domain="canary")},
        "google": {"googleArtifactRegistry": artifact_registry("google")},
        "google-broken": {"googleArtifactRegistry": artifact_registry("google-broken")},
        "google-garbage": {"googleArtifactRegistry": artifact_registry("google-garbage")},
        "basic": {"basicAuth": basic_auth(url, "basic", None)},
        "basic-broken": {"basicAuth": basic_auth(url, "basic-broken")},
        "basic-unlabelled": {"basicAuth": basic_auth(url, "basic-unlabelled")},
        "basic-odd": {"basicAuth": basic_auth("https://odd.packages.example/", "basic-odd", None)},
        "aws-odd": {"codeArtifact": code_artifact("aws-odd", domain="canary")},
        "google-odd": {"googleArtifactRegistry": artifact_registry("google-odd")},
        **{
            name: {"preauthenticated": {"urlSecretRef": {"name": name}, "publicPath": True}}
            for name in ("url", "url-broken", "url-port", "url-odd", "url-token", "url-odd-host",
                         "url-elsewhere")
        },
        **{name: {"preauthenticated": {"urlSecretRef": {"name": name}}} for name in SECRETIVE},
    }  # fmt: skip
    return [
        artifact_index(name, labels={"public": str(name not in SECRETIVE).lower()}, **spec)
        for name, spec in specs.items()
    ]


SECRETIVE = ("url-query", "url-path", "url-odd-path")
"""Indexes whose URL may be a secret as a whole."""

UNREADY = ("aws-denied", "aws-wrong", "google-broken", "google-garbage", "basic-broken",
           "url-broken", "url-port", "aws-odd", "google-odd", "url-odd-host",
           "url-elsewhere")  # fmt: skip


@pytest.fixture(scope="module")
def operator(world: World) -> Iterator[OperatorProcess]:
    """An operator that tells everything it would ever tell."""
    hosts = f"{world.index.netloc.partition(':')[0]},*packages.example"
    flags = ("--log-level", "debug", "--namespace", NAMESPACE, "--allowed-hosts", hosts)
    with world.operator(*flags) as running:
        yield running
    world.aws.clear()


@pytest.fixture(scope="module")
def secrets_seen(world: World, operator: OperatorProcess) -> set[str]:
    """The whole life of each login: served, failed, rotated, restarted, deleted. All its values."""
    world.namespace(NAMESPACE)
    world.aws.inject(
        "GetAuthorizationToken",
        Fault(status=403, code="AccessDeniedException", message="canary-message-of-the-cloud"),
        domain="canary-denied",
    )
    made = sources(world)
    public = {"matchLabels": {"public": "true"}}
    create(
        world,
        *made,
        *indexes(world),
        index_options("everything"),
        index_options(
            "split", indexSelector=public,
            outputs=[{"kind": "ConfigMap", "name": "public"}, {"kind": "Secret", "name": "split"}],
        ),
        index_options("refused", outputs=[{"kind": "ConfigMap", "name": "refused"}]),
    )  # fmt: skip
    for name in (index["metadata"]["name"] for index in indexes(world)):
        wanted = "False" if name in UNREADY else "True"
        wait_until(
            lambda name=name, wanted=wanted: world.condition(  # type: ignore[misc]
                "artifactindex", NAMESPACE, name
            ).get("status") == wanted,
            f"{name} to be Ready={wanted}", 60,
        )  # fmt: skip
    world.wait_condition("indexoptions", NAMESPACE, "refused", reason="NotCredentialFree")
    found = {"canary-message-of-the-cloud"}
    for item in made:
        found |= canaries(item["stringData"])
    # Rotated by new keys, forced through an unwatched edit, and over a restart.
    changed = access_key_secret(world, "aws", "arn:aws:iam::111122223333:user/canary-again")
    found |= canaries(changed["stringData"])
    patch = {"stringData": changed["stringData"]}
    world.patch("secret", NAMESPACE, "aws", patch)
    again = "arn:aws:iam::111122223333:user/canary-again"
    wait_until(lambda: world.aws.mints("GetAuthorizationToken", principal=again) == 1, "it", 60)
    token = next(item.value for item in world.aws.tokens.all() if item.principal == again)
    world.wait_served(NAMESPACE, "everything", token)
    world.patch("secret", NAMESPACE, "split", {"stringData": {"uv.toml": "canary-by-hand-edit"}})
    wait_until(
        lambda: "canary-by-hand" not in (world.uv_toml(NAMESPACE, "split") or ""), "repair", 60
    )
    operator.stop()
    operator.start()
    world.delete("secret", NAMESPACE, "basic-unlabelled")
    world.delete("artifactindex", NAMESPACE, "basic")
    for name, kind in (("everything", "Secret"), ("split", "Secret"), ("public", "ConfigMap")):
        wait_until(
            lambda name=name, kind=kind: (  # type: ignore[misc]
                "packages" not in world.indexes(NAMESPACE, name, kind)
            ),
            f"{kind} {name} without the deleted index", 60,
        )  # fmt: skip
    found |= {item.value for item in world.aws.tokens.all() if "canary" in item.principal}
    found |= {item.value for item in world.google.tokens.all() if "canary" in item.principal}
    return found | {"canary-by-hand-edit"}


def create(world: World, *objects: dict[str, Any]) -> None:
    """kubectl create: kubectl apply would annotate the Secrets with their own content."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    world.plane.kubectl("create", "-n", NAMESPACE, "-f", "-", input=text)


@pytest.fixture(scope="module")
def dump(world: World, operator: OperatorProcess, secrets_seen: set[str]) -> Dump:
    """All objects of every kind in the namespace, and the log; of Secrets all but the data."""
    answer = world.plane.kubectl(
        "api-resources", "--verbs=list", "--namespaced", "-o", "name", "--request-timeout=20s"
    )
    pages = ("metrics", "healthz", "readyz")
    places = {page: health(operator.health_port, page)[1] for page in pages}
    places["log"] = operator.log
    kinds = ",".join(answer.stdout.split())
    objects = world.plane.kubectl("get", kinds, "-n", NAMESPACE, "-o", "json").stdout
    for item in json.loads(objects)["items"]:
        if item["kind"] == "Secret":
            del item["data"]
        place = f"{item['kind']}/{item['metadata']['name']}"
        places[place] = json.dumps(item)
        # The text of each field by itself, so that JSON's own escaping hides nothing.
        places[f"{place} fields"] = "\n".join(strings(item))
    return Dump(places)


def test_no_secret_is_found_outside_the_data_of_secrets(
    world: World, dump: Dump, secrets_seen: set[str]
) -> None:
    assert len(secrets_seen) > 60
    found = {value[:24]: where for value in secrets_seen if (where := dump.search(value))}
    assert found == {}


def test_the_search_would_find_them(world: World, dump: Dump, secrets_seen: set[str]) -> None:
    """Where they do belong each of them, or the token it stands for, is found."""
    kinds = {place.partition("/")[0] for place in dump.places}
    expected = {"log", "ConfigMap", "Secret", "ArtifactIndex", "IndexOptions", "Event"}
    assert expected <= kinds
    assert "Secret 'url-broken'" in dump.places["ArtifactIndex/url-broken"]
    assert "public" in {place.partition("/")[2] for place in dump.places}
    assert "DEBUG" in dump.places["log"]
    assert 'identity="secret/aws"' in dump.places["metrics"]

    data = {item["metadata"]["name"]: item["data"] for item in world.items("secrets", NAMESPACE)}
    with_data = Dump({name: json.dumps(content) for name, content in data.items()})
    in_outputs = [
        value
        for value in secrets_seen
        if {"everything", "split"} & {p.partition(" ")[0] for p in with_data.search(value)}
    ]
    assert len(in_outputs) >= 4  # fmt: skip
    for value in ("canary/p@ss word%41 1", "canary%2Furl-password"):
        for form, text in forms(value).items():
            assert Dump({"here": f"a {text} b"}).search(value), form


def test_the_config_map_serves_the_same_indexes_without_a_login(world: World, dump: Dump) -> None:
    tables = world.indexes(NAMESPACE, "public", "ConfigMap")
    assert set(tables) == set(world.indexes(NAMESPACE, "split"))
    for table in tables.values():
        assert "@" not in table["url"]
    assert world.get("configmap", NAMESPACE, "refused") is None
