"""The commands of the examples for builders, by real clients, with the files the operator writes.

A pod's paths are folders of the test here; in pods of a real kubelet the Jobs run in tests/node.
"""

import re
import shlex
from typing import Any

import pytest
import yaml

from artifact_index.formats.document import Document
from artifact_index.formats.environment import Environment
from support.client_runs import ENVIRONMENT, Clients
from support.examples import BUILDERS, EXAMPLES, objects, pod_specs, shell_scripts
from support.index_server import IndexServer, Repository
from support.python_clients import PINS, PIP_NEWEST, POETRY, client_python
from support.rendered import public_text, secret_text
from support.uv_clients import NEWEST, uv_binary
from support.uv_scenes import LOGIN, document, entry_for, logins
from support.ways_round import PIP_HARMLESS, UV_HARMLESS
from support.wheels import make_wheel

pytestmark = pytest.mark.clients

INDEX = "acme-artifactory"
PACKAGES = "work/packages"
UV_FILE = "etc/uv-config/uv.toml"


class Pod:
    """Folders in place of a pod's root, and the image's programs by their names on PATH."""

    def __init__(self, clients: Clients, harmful: dict[str, str]) -> None:
        self.clients = clients
        self._harmful = harmful
        programs = clients.directory / "bin"
        programs.mkdir()
        (clients.directory / "work").mkdir()
        (programs / "uv").symlink_to(uv_binary(NEWEST))
        for name, command in (
            ("python3", shlex.quote(str(client_python(PIP_NEWEST)))),
            # Poetry in the pinned version, which `uvx` would fetch.
            ("uvx", f"shift; {shlex.quote(str(client_python(POETRY)))} -m poetry"),
        ):
            (programs / name).write_text(f'#!/bin/sh\n{command} "$@"\n')
            (programs / name).chmod(0o755)
        self._path = f"{programs}:{ENVIRONMENT['PATH']}"

    def write(self, path: str, text: str) -> None:
        self.clients.write(path, text)

    def run(self, command: list[str], env: dict[str, str]) -> None:
        """Run a command of the pod, in an image with harmful variables, and have it succeed."""
        here = {**self._harmful, **{name: self._moved(value) for name, value in env.items()}}
        moved = [self._moved(part) for part in command]
        run = self.clients.run(*moved, env={**here, "PATH": self._path})
        assert run.returncode == 0, run.output

    def start(self, file: str, secret: dict[str, str] | None = None) -> None:
        """Run the one container of an example, with its variables and those of its Secret."""
        (spec,) = pod_specs(objects(BUILDERS / file))
        (container,) = spec["containers"]
        assert ("envFrom" in container) == (secret is not None)
        env = {each["name"]: each["value"] for each in container["env"]}
        self.run(container["command"], {**(secret or {}), **env})

    def _moved(self, text: str) -> str:
        """The same with the test's folders for the pod's, and the package that there is."""
        pattern = r"(?<![\w/:])/(?=(app|etc|project|run/secrets|uv-config|work)\b)"
        return re.sub(pattern, f"{self.clients.directory}/", text).replace("acme-lib", "mine")


@pytest.fixture
def pod(clients: Clients, public: Repository) -> Pod:
    """Its image leads past the file in each way that a variable can, to a look-alike 9.9."""
    page = f"{public.url}mine/"
    urls = {name: public.url for name in {**UV_HARMLESS, **PIP_HARMLESS} if "INDEX" in name}
    links = {"UV_FIND_LINKS": page, "PIP_FIND_LINKS": page}
    flags = {"UV_NO_CONFIG": "true", "UV_NO_SYSTEM_CONFIG": "true"}
    return Pod(clients, {**urls, **links, **flags, "UV_INDEX_STRATEGY": "unsafe-best-match"})


@pytest.fixture
def asked(private: Repository) -> Document:
    return document(entry_for(private, INDEX), public=None)


@pytest.fixture
def variables(asked: Document) -> dict[str, str]:
    made = Environment().render_secret(asked)
    return {name: value.get_secret_value() for name, value in made.files.items()}


def test_the_uv_job_installs_with_the_mounted_file(
    pod: Pod, asked: Document, server: IndexServer
) -> None:
    pod.write(UV_FILE, secret_text("UvToml", asked))

    pod.start("uv-job.yaml")

    assert pod.clients.installed(PACKAGES) == {"mine==1.0"}
    assert logins(server.requests()) == {LOGIN}


def test_the_uv_job_with_a_lock_builds_with_the_cut_off_that_it_was_locked_with(
    pod: Pod, private: Repository, server: IndexServer
) -> None:
    """In dev and prod alike: the lock stays as it is."""
    project, job = objects(BUILDERS / "uv-locked-job.yaml")
    (source,) = yaml.safe_load_all((EXAMPLES / "basic-auth.yaml").read_text())
    there = source["spec"]["basicAuth"]["url"].removesuffix("/simple")
    here = private.url.removesuffix("/simple/")
    private.url = f"{here}/simple"
    private.add(make_wheel("acme-lib", "1.0"))
    for name, text in project["data"].items():
        assert f'"{there}/simple"' in text
        pod.write(f"project/{name}", text.replace(there, here))
    asked = document(entry_for(private, INDEX), public=None)
    pod.write("etc/uv/uv.toml", secret_text("UvToml", asked))
    (spec,) = pod_specs([job])
    (container,) = spec["containers"]
    env = {each["name"]: each["value"] for each in container["env"]}

    pod.run(container["command"], {**env, "XDG_CONFIG_DIRS": str(pod.clients.directory / "etc")})

    (site,) = pod.clients.directory.glob("work/venv/lib/*/site-packages")
    assert pod.clients.installed(str(site.relative_to(pod.clients.directory))) == {"acme-lib==1.0"}
    assert logins(server.requests()) == {LOGIN}


def test_the_uv_job_with_variables_installs_with_them(
    pod: Pod, asked: Document, variables: dict[str, str], server: IndexServer
) -> None:
    pod.write(UV_FILE, public_text("UvToml", asked))

    pod.start("uv-env-job.yaml", variables)

    assert pod.clients.installed(PACKAGES) == {"mine==1.0"}
    assert logins(server.requests()) == {LOGIN}


def test_the_pip_job_installs_with_the_mounted_file(
    pod: Pod, asked: Document, server: IndexServer
) -> None:
    pod.write("etc/pip-config/pip.conf", secret_text("PipConf", asked))

    pod.start("pip-job.yaml")

    assert pod.clients.installed(PACKAGES) == {"mine==1.0"}
    assert (LOGIN in logins(server.requests())) and server.tunnels() == []


def test_the_poetry_job_locks_and_installs_with_the_variables(
    pod: Pod, asked: Document, private: Repository, variables: dict[str, str], server: IndexServer
) -> None:
    (project,) = (
        each["data"]["pyproject.toml"]
        for each in objects(BUILDERS / "poetry-job.yaml")
        if each["kind"] == "ConfigMap"
    )
    (source,) = yaml.safe_load_all((EXAMPLES / "basic-auth.yaml").read_text())
    url = source["spec"]["basicAuth"]["url"]
    assert f'name = "{source["spec"]["name"]}"' in project and url in project
    pod.write(
        "project/pyproject.toml", project.replace(url, private.url).replace("acme-lib", "mine")
    )
    pod.write(UV_FILE, public_text("UvToml", asked))

    pod.start("poetry-job.yaml", {**variables, "POETRY_VIRTUALENVS_CREATE": "1"})

    assert LOGIN[1] not in (pod.clients.directory / "work" / "poetry.lock").read_text()
    (site,) = pod.clients.directory.glob("work/.cache/pypoetry/**/site-packages")
    assert "mine==1.0" in pod.clients.installed(str(site.relative_to(pod.clients.directory)))
    assert logins(server.requests()) == {LOGIN} and server.tunnels() == []


def test_the_poetry_job_names_the_version_that_is_tested() -> None:
    pins = (PINS / "poetry.txt").read_text()
    (script,) = shell_scripts(objects(BUILDERS / "poetry-job.yaml"))
    (version,) = set(re.findall(r"uvx poetry@(\S+)", script))
    assert f"poetry=={version}" in pins.splitlines()


def test_the_tekton_step_installs_with_the_workspace(
    pod: Pod, asked: Document, server: IndexServer
) -> None:
    pod.write(UV_FILE, secret_text("UvToml", asked))
    found = objects(BUILDERS / "tekton.yaml")
    (spec,), (script,) = pod_specs(found), shell_scripts(found)
    (container,) = spec["containers"]
    env: dict[str, Any] = {each["name"]: each["value"] for each in container["env"]}

    pod.run(["sh", "-c", script], {**env, "PACKAGE": "mine"})

    assert pod.clients.installed(PACKAGES) == {"mine==1.0"}
    assert logins(server.requests()) == {LOGIN}


@pytest.mark.parametrize(
    ("file", "mounted"),
    [("buildkit-job.yaml", "run/secrets/uv-config"), ("kaniko-job.yaml", "uv-config/uv.toml")],
)
def test_the_dockerfile_installs_with_the_file_where_the_builder_puts_it(
    pod: Pod, asked: Document, server: IndexServer, file: str, mounted: str
) -> None:
    pod.write(mounted, secret_text("UvToml", asked))
    (dockerfile,) = (
        each["data"]["Dockerfile"]
        for each in objects(BUILDERS / file)
        if each["kind"] == "ConfigMap"
    )
    (run,) = re.findall(r"^RUN (?:--mount=\S+ )?((?:.*\\\n)*.*)$", dockerfile, re.MULTILINE)
    (stage,) = re.findall(r"^ENV (UV(?:.*\\\n)*.*)$", dockerfile, re.MULTILINE)

    env = dict(each.split("=", 1) for each in shlex.split(stage.replace("\\\n", " ")))
    pod.run(["sh", "-euc", run.replace("\\\n", " ").strip()], env)

    assert pod.clients.installed("app") == {"mine==1.0"}
    assert logins(server.requests()) == {LOGIN}
