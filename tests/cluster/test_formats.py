"""All formats on a real API server: one IndexOptions, four outputs, each read by its client."""

import base64
import configparser
import tomllib
from pathlib import Path
from typing import Any

import pytest

from artifact_index.cli.main import main
from support.client_runs import Clients
from support.control_plane import wait_until
from support.operator_process import OperatorProcess
from support.python_clients import PDM, PIP_NEWEST, POETRY, POETRY_PROJECT, TWINE
from support.uv_clients import NEWEST
from support.wheels import make_wheel
from support.world import (
    OPERATOR_USER,
    World,
    access_key_secret,
    artifact_index,
    basic_auth,
    code_artifact,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster

OUTPUTS = [
    {
        "kind": "Secret",
        "name": "files",
        "formats": ["UvToml", "Netrc", "PipConf", "Pypirc", "PdmToml"],
    },
    {"kind": "ConfigMap", "name": "public", "formats": ["UvToml"]},
    {"kind": "Secret", "name": "variables", "formats": ["Environment"]},
]  # fmt: skip
KEYS: dict[tuple[str, str], set[str]] = {
    ("Secret", "files"): {"uv.toml", "netrc", "pip.conf", ".pypirc", "config.toml"},
    ("ConfigMap", "public"): {"uv.toml"},
    ("Secret", "variables"): {
        "ARTIFACT_INDEX_EXPIRES",
        "CODEARTIFACT_AUTH_TOKEN", "HATCH_INDEX_AUTH", "HATCH_INDEX_REPO", "HATCH_INDEX_USER",
        "PDM_PUBLISH_PASSWORD", "PDM_PUBLISH_REPO", "PDM_PUBLISH_USERNAME",
        "POETRY_HTTP_BASIC_ACME_PASSWORD", "POETRY_HTTP_BASIC_ACME_USERNAME",
        "POETRY_REPOSITORIES_ACME_URL", "TWINE_NON_INTERACTIVE",
        "TWINE_PASSWORD", "TWINE_REPOSITORY_URL", "TWINE_USERNAME", "UV_INDEX_ACME_PASSWORD",
        "UV_INDEX_ACME_USERNAME", "UV_PUBLISH_CHECK_URL", "UV_PUBLISH_PASSWORD", "UV_PUBLISH_URL",
        "UV_PUBLISH_USERNAME",
    },
}  # fmt: skip


def data_of(world: World, namespace: str, kind: str, name: str) -> dict[str, str]:
    found = world.get(kind, namespace, name) or {}
    data: dict[str, str] = found["data"]
    if kind == "ConfigMap":
        return data
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def pip_install(target: str, package: str = "mine") -> tuple[str, ...]:
    return ("pip", "install", "--target", target, package)


def test_one_index_options_serves_every_client(
    world: World, operator: OperatorProcess, tmp_path: Path
) -> None:
    namespace = world.namespace("formats")
    principal = "arn:aws:iam::111122223333:user/formats"
    repository = world.index.add_repository(
        "pypi/formats", make_wheel("mine", "1.0"), accepts=world.aws.is_valid
    )
    source = code_artifact("key", domain="formats", repository="formats")
    world.apply(
        access_key_secret(world, "key", principal),
        artifact_index("acme", name="acme", publish=True, codeArtifact=source),
        index_options("all", publicIndex={"enabled": False}, outputs=OUTPUTS),
        namespace=namespace,
    )
    world.wait_condition("indexoptions", namespace, "all", reason="Available")
    data = {key: data_of(world, namespace, *key) for key in KEYS}
    assert {key: set(held) for key, held in data.items()} == KEYS
    status = (world.get("indexoptions", namespace, "all") or {})["status"]
    written = {
        (output["kind"], output["name"]): set(output["keys"]) for output in status["outputs"]
    }
    assert written == KEYS
    assert world.aws.mints("GetAuthorizationToken", principal=principal) == 1

    files, variables = data["Secret", "files"], data["Secret", "variables"]
    token = variables["CODEARTIFACT_AUTH_TOKEN"]
    assert token not in data["ConfigMap", "public"]["uv.toml"]
    clients = Clients(tmp_path, proxy=f"http://{world.index.netloc}")
    paths = {key: str(clients.write(key, text)) for key, text in files.items()}
    public = str(clients.write("public.toml", data["ConfigMap", "public"]["uv.toml"]))

    def works(client: str, env: dict[str, str], *command: str) -> None:
        if client == "uv":
            run = clients.uv(NEWEST, *command, env=env)
        else:
            run = clients.python(client, *command, env=env)
        assert run.returncode == 0, run.output

    # Each command into a directory of its own.
    works("uv", {"UV_CONFIG_FILE": paths["uv.toml"]}, *pip_install("1"))
    works("uv", {"UV_CONFIG_FILE": public, "NETRC": paths["netrc"]}, *pip_install("2"))
    works("uv", {"UV_CONFIG_FILE": public, **variables}, *pip_install("3"))
    works(PIP_NEWEST, {"PIP_CONFIG_FILE": paths["pip.conf"]}, *pip_install("4")[1:])

    wheel = make_wheel("fresh", "1.2")
    (tmp_path / wheel.filename).write_bytes(wheel.content)
    upload = ("upload", "--config-file", paths[".pypirc"], "--repository", "acme", wheel.filename)
    works(TWINE, {}, *upload)
    assert "fresh" in repository.wheels
    del repository.wheels["fresh"]
    works("uv", variables, "publish", wheel.filename)
    works("uv", {"UV_CONFIG_FILE": paths["uv.toml"]}, *pip_install("5", "fresh"))

    clients.write(
        "pyproject.toml",
        '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["mine"]\n[tool.pdm]\ndistribution = false\n',
    )
    works(PDM, {"PDM_CONFIG_FILE": paths["config.toml"]}, "lock")
    clients.write("pyproject.toml", POETRY_PROJECT.format(url=repository.url))
    works(POETRY, variables, "lock")

    asked = world.index.requests("pypi/formats")
    assert {(item.username, item.password) for item in asked if item.status == 200} == {
        ("aws", token)
    }
    assert world.index.tunnels() == []


def test_a_restart_over_variables_alone_writes_and_mints_nothing(world: World) -> None:
    namespace = world.namespace("formats-restart")
    principal = "arn:aws:iam::111122223333:user/formats-restart"
    source = code_artifact("key", domain="formats-restart", repository="formats-restart")
    outputs: list[dict[str, Any]] = [
        {"kind": "Secret", "name": each.lower(), "formats": [each]}
        for each in ("Environment", "Netrc", "PipConf", "PdmToml")
    ]
    flags = ("--namespace", namespace)
    with world.operator(*flags):
        world.apply(
            access_key_secret(world, "key", principal),
            artifact_index("acme", name="acme", codeArtifact=source),
            *(index_options(output["name"], outputs=[output]) for output in outputs),
            namespace=namespace,
        )
        for output in outputs:
            world.wait_condition("indexoptions", namespace, output["name"], reason="Available")
        world.wait_condition("artifactindex", namespace, "acme", reason="Available")
    mints = world.aws.mints(principal=principal)
    before = {
        output["name"]: data_of(world, namespace, "Secret", output["name"]) for output in outputs
    }
    mark = world.plane.audit_mark()

    def listings() -> int:
        events = world.plane.audit_events(OPERATOR_USER, verbs=("list",), since=mark)
        return sum(event.resource == "configmaps" for event in events)

    with world.operator(*flags):
        # By us, by the watch, and by us again: by then every object has been worked on.
        wait_until(lambda: listings() >= 3, "the second own listing", 90)

    after = {
        output["name"]: data_of(world, namespace, "Secret", output["name"]) for output in outputs
    }
    assert after == before
    # By principal and namespace: the module's operator goes on trying what others left refused.
    assert world.aws.mints(principal=principal) == mints
    assert [write for write in world.operator_writes(mark) if write.namespace == namespace] == []


def test_a_host_with_two_logins_is_refused_for_netrc_and_named(
    world: World, operator: OperatorProcess
) -> None:
    namespace = world.namespace("formats-netrc")
    world.apply(
        secret("one", {"username": "a", "password": "first-secret"}),
        secret("two", {"username": "b", "password": "second-secret"}),
        artifact_index("a", name="a", basicAuth=basic_auth("https://h.example/a/simple/", "one")),
        artifact_index("b", name="b", basicAuth=basic_auth("https://h.example/b/simple/", "two")),
        index_options(
            "all",
            outputs=[
                {"kind": "Secret", "name": "files", "formats": ["UvToml", "Netrc", "PipConf"]}
            ],
        ),
        namespace=namespace,
    )

    ready = world.wait_condition("indexoptions", namespace, "all", reason="NotExpressible")

    assert "'a', 'b'" in ready["message"] and "h.example" in ready["message"]
    data = data_of(world, namespace, "Secret", "files")
    assert data["netrc"] == ""
    assert len(tomllib.loads(data["uv.toml"])["index"]) == 3
    parser = configparser.RawConfigParser()
    parser.read_string(data["pip.conf"])
    assert "first-secret" in parser["global"]["index-url"]
    risk = world.condition("indexoptions", namespace, "all", "DependencyConfusionRisk")
    assert risk["reason"] == "FormatWithoutOrder"


def test_files_without_logins_let_a_build_begin_at_once(
    world: World, operator: OperatorProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    namespace = world.namespace("formats-open")
    repository = world.index.add_repository("pypi/open", make_wheel("mine", "1.0"))
    world.apply(
        artifact_index("open", name="open", anonymous={"url": repository.url}),
        index_options("all", publicIndex={"enabled": False}, outputs=OUTPUTS),
        namespace=namespace,
    )
    world.wait_condition("indexoptions", namespace, "all", reason="Available")

    clients = Clients(tmp_path, proxy=f"http://{world.index.netloc}")
    for name in ("files", "variables"):
        for key, text in data_of(world, namespace, "Secret", name).items():
            path = clients.write(f"{name}/{key}", text)
            assert main(["fresh", str(path), "--for", "30m", "--wait", "5m"]) == 0
            assert capsys.readouterr() == ("no logins: nothing can expire\n", "")
    public = clients.write(
        "public/uv.toml", data_of(world, namespace, "ConfigMap", "public")["uv.toml"]
    )
    assert main(["fresh", str(public)]) == 2
    # A netrc of a comment alone is one for each client.
    for index, file in enumerate(("files/uv.toml", "public/uv.toml")):
        env = {"UV_CONFIG_FILE": str(tmp_path / file), "NETRC": str(tmp_path / "files/netrc")}
        run = clients.uv(NEWEST, *pip_install(str(index)), env=env)
        assert run.returncode == 0, run.output
