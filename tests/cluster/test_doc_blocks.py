"""What the quickstart and the installation print is pasted into a shell, block after block.

kubectl, Helm, API server and operator are real; the clouds are stand-ins.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from socket import create_server

import pytest
import yaml

from support import warm_program
from support.chart import helm as helm_program
from support.clouds import AwsStandIn, GoogleStandIn
from support.control_plane import ControlPlane
from support.doc_blocks import (
    Block,
    Reading,
    Terminal,
    blocks_of,
    checkout,
    command,
    page_named,
    whatever_status,
)
from support.operator_process import OPERATOR_NAMESPACE, REPOSITORY, OperatorProcess
from support.pod_stand_in import NODE, POD, PodStandIn
from support.reader import AWS_KEYS, CORE, CUSTOM, PROD, Builders, acme, build_pod, deploy
from support.uv_clients import NEWEST, uv_binary
from support.world import artifact_index, artifact_registry, index_options, secret

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("helm")]

RUN = ".venv/bin/artifact-index run"
SECRETS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "GOOGLE_KEY_FILE"}
KUBERNETES_OWN = {"default", "kube-node-lease", "kube-public", "kube-system"}


@pytest.fixture(scope="module")
def plane(own_control_plane: ControlPlane) -> ControlPlane:
    """A control plane of its own: the pages take away the definitions, which others need.

    They are there before: the garbage collector learns of a new kind after half a minute only.
    """
    own_control_plane.apply_crds(REPOSITORY / "crds")
    return own_control_plane


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsStandIn]:
    with AwsStandIn() as running:
        yield running


@pytest.fixture(scope="module")
def terminal(
    plane: ControlPlane, aws: AwsStandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal]:
    """A reader's shell in a checkout, with administrator rights and logins for both clouds."""
    home = tmp_path_factory.mktemp("home")
    folder = checkout(home / "checkout")
    tools = home / "bin"
    tools.mkdir()
    (tools / "kubectl").symlink_to(plane.binaries.kubectl)
    (tools / "helm").symlink_to(helm_program())
    (tools / "uv").symlink_to(uv_binary(NEWEST))
    command(tools, "make", 'test "$1" = setup')
    program = f'exec "{sys.executable}" -m artifact_index "$@"'
    command(folder / ".venv" / "bin", "artifact-index", program)
    command(tools, "docker", 'test "$1" = build || test "$1" = push')
    command(tools, "kustomize", 'test "$1" = build && exec kubectl kustomize "$2"')
    with GoogleStandIn() as google, create_server(("", 0)) as free:
        key = aws.add_access_key(principal="arn:aws:iam::111122223333:user/reader")
        key_file = home / "key.json"
        key_file.write_text(google.make_key_json("reader@acme.example"))
        port = free.getsockname()[1]
        free.close()
        urls = {f"ARTIFACT_INDEX_{k.upper()}": v for k, v in google.settings().items()}
        environment = {
            "PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(home), "PS1": "$ ",
            "KUBECONFIG": str(plane.kubeconfig_admin), "PYTHONPATH": str(REPOSITORY / "operator"),
            "VIRTUAL_ENV": sys.prefix, "ARTIFACT_INDEX_HEALTH_PORT": str(port),
            "GOOGLE_KEY_FILE": str(key_file), **aws.env(key), **google.env(), **urls,
        }  # fmt: skip
        with Terminal(folder, environment) as shell:
            yield shell


def test_the_quickstart_runs_as_it_stands(plane: ControlPlane, terminal: Terminal) -> None:
    operator: subprocess.Popen[bytes] | None = None
    printed: dict[int, str] = {}
    for block in blocks_of(page_named("quickstart.md")):
        if not block.is_shell:
            continue
        if block.text.startswith(RUN):
            operator = terminal.beside(block)
            continue
        if "kubectl replace" in block.text:
            assert_nothing_is_overwritten(plane, terminal, block)
        if "kubectl delete namespace" in block.text:
            assert operator is not None and operator.poll() is None
            operator.send_signal(signal.SIGINT)
            assert operator.wait(60) in (0, 130, -signal.SIGINT)
        port = terminal.environment["ARTIFACT_INDEX_HEALTH_PORT"]
        printed[block.line] = terminal.paste(
            block.text.replace("localhost:8080", f"localhost:{port}")
        )
        kubeconfig = terminal.folder / ".venv" / "operator.kubeconfig"
        if kubeconfig.exists():
            assert set(users_in(kubeconfig)) == {"operator"}
    everything = "".join(printed.values())
    assert "acme-codeartifact.unavailable.invalid" in everything  # the placeholder is refused
    assert ":[redacted]@" in everything and "https://aws:ey" not in everything
    assert left_behind(plane, terminal) == set()


def assert_nothing_is_overwritten(plane: ControlPlane, terminal: Terminal, block: Block) -> None:
    """Pasted where the variables are not set, the block leaves every Secret as it is."""
    path = "/api/v1/namespaces/builders/secrets"
    before = plane.read(path)
    said = terminal.paste_without(SECRETS, block.text)
    assert "parameter null or not set" in said, said
    assert [each["data"] for each in (plane.read(path) or {})["items"]] == [
        each["data"] for each in (before or {})["items"]
    ]


def users_in(kubeconfig: Path) -> list[str]:
    return [user["name"] for user in yaml.safe_load(kubeconfig.read_text())["users"]]


def left_behind(plane: ControlPlane, terminal: Terminal) -> set[str]:
    """What the page has made and not taken away again, in the cluster and in the checkout."""
    kinds = "namespaces,clusterroles,clusterrolebindings,customresourcedefinitions"
    names = plane.kubectl("get", kinds, "-o", "name").stdout.split()
    own = {
        name for name in names
        if "artifact" in name or (name.startswith("namespace/") and name[10:] not in KUBERNETES_OWN)
    }  # fmt: skip
    return own | {path.name for path in (terminal.folder / ".venv").iterdir()} - {"bin"}


def test_each_installation_what_helm_prints_then_and_the_way_back(
    plane: ControlPlane, terminal: Terminal
) -> None:
    """After the quickstart's clean-up; there is no kubelet, so that nothing waits for a pod."""
    readme = Reading(terminal, REPOSITORY / "README.md")
    page = Reading(terminal, page_named("install.md"))
    with readme, page:
        page.paste()  # docker, which is not there
        installs = [readme.take(), page.take(), page.take()]
        way_back, without_helm = page.take(), page.take()
    assert "helm rollback" in way_back and "helm uninstall" in way_back
    for number, install in enumerate(installs):
        if number:  # the first one has created it
            install = install.replace("kubectl create namespace builders\n", "")
        notes = terminal.paste(install)
        applied = notes[notes.index("kubectl apply ") :].partition("\n\n")[0]
        terminal.paste(applied.replace("NAMESPACE", "builders") + "\n")
        found = plane.kubectl("get", "artifactindexes,indexoptions", "-A", "-o", "name").stdout
        assert len(found.split()) == 2
        terminal.paste("kubectl delete artifactindexes,indexoptions --all --all-namespaces\n")
        uninstall = way_back.splitlines()[-1]
        terminal.paste(way_back if install == installs[-1] else f"{uninstall}\n")
    values = {"image": {"repository": "registry.example.com/artifact-index-operator"}}
    (terminal.folder / "values.yaml").write_text(yaml.safe_dump(values))
    terminal.paste_for(without_helm, "deployment.apps/artifact-index-operator serverside-applied")
    terminal.paste(without_helm.replace("kubectl apply --server-side", "kubectl delete"))


@pytest.fixture(scope="module")
def builders(plane: ControlPlane, aws: AwsStandIn, terminal: Terminal) -> Iterator[Builders]:
    """What the how-to pages work on: a release, its operator and a pod that shows it.

    The definitions are there from before, and not Helm's where this is the first test.
    """
    page = REPOSITORY / "helm" / "artifact-index-operator" / "README.md"
    terminal.paste("kubectl get namespace builders || kubectl create namespace builders\n")
    with Reading(terminal, page) as chart:
        replaced = {"--create-namespace": "--create-namespace --take-ownership"}
        chart.paste("STATUS: deployed", replaced=replaced)
    passed_on = ("AWS_", "GOOGLE_", "GCE_", "ARTIFACT_INDEX_")
    env = {k: v for k, v in terminal.environment.items() if k.startswith(passed_on)}
    account = plane.kubeconfig_for(OPERATOR_NAMESPACE, "artifact-index-operator")
    flags = ["--log-format", "text", "--health-host", "0.0.0.0", "--leader-elect=true"]
    with OperatorProcess(account, flags=flags, env=env) as operator, PodStandIn(plane, operator):
        prepared = Builders(plane, aws, operator)
        prepared.prepare()
        deploy(terminal)
        yield prepared


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the program, which starts at once."""
    folder = tmp_path_factory.mktemp("program")
    with warm_program.installed(folder):
        yield folder


@pytest.fixture
def shell(terminal: Terminal, program: Path) -> Iterator[Terminal]:
    """A new shell of that reader, which finds the program."""
    path = f"{program}:{terminal.environment['PATH']}"
    with Terminal(terminal.folder, {**terminal.environment, "PATH": path}) as opened:
        yield opened


def test_a_cloud_page_tells_how_to_see_that_it_works(builders: Builders, shell: Terminal) -> None:
    with Reading(shell, page_named("aws.md")) as page:
        page.paste("acme-codeartifact", "Available", "Events:")
    key_file = Path(shell.environment["GOOGLE_KEY_FILE"])
    builders.create(
        secret("gar-key", {"key.json": key_file.read_text()}),
        artifact_index(
            "gar", labels=PROD, name="gar", googleArtifactRegistry=artifact_registry("gar-key")
        ),
    )
    builders.wait("artifactindexes", "gar", "Ready", "Available")
    with Reading(shell, page_named("google.md")) as page:
        page.paste("gar", "Available", "Events:")
    builders.plane.write("DELETE", f"{CUSTOM}/artifactindexes/gar")


def test_what_a_pipeline_and_a_pod_run(builders: Builders, shell: Terminal) -> None:
    mounted = shell.folder / "mounted"
    mounted.mkdir()
    for name, text in builders.file().items():
        (mounted / name).write_text(text)
    home = Path(shell.environment["HOME"])
    (home / ".config" / "uv").mkdir(parents=True)
    replaced = {"/etc/uv-config": str(mounted)}
    builders.rotate()
    before = set(shell.folder.iterdir())
    with Reading(shell, page_named("commands.md")) as page:
        page.paste("uv-config", replaced=replaced)
    assert "https://aws:" in (home / ".config" / "uv" / "uv.toml").read_text()
    assert "2.1.0" in (shell.folder / "check.sarif").read_text()
    with Reading(shell, page_named("gitops.md")) as page:
        page.paste()
    with Reading(shell, page_named("migrate.md")) as page:
        page.paste("3 objects, 0 errors", 'name = "acme"')
    assert {path.name for path in set(shell.folder.iterdir()) - before} <= {
        "check.sarif",
        ".pasted",
    }
    with Reading(shell, page_named("builders.md")) as page:
        (shell.folder / "project").mkdir()
        text = page.take(replaced)
    project = '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.8"\n'
    (shell.folder / "project" / "pyproject.toml").write_text(project)
    shell.paste(f"cd project\n{text}cd ..\n")
    assert (shell.folder / "project" / "uv.lock").exists()
    with Reading(shell, page_named("uv-lock.md")) as page:
        page.paste("https://acme-111122223333.d.codeartifact.")


def test_a_registrys_login_is_not_written_empty(builders: Builders, shell: Terminal) -> None:
    names = {"INDEX_USERNAME", "INDEX_PASSWORD"}
    path = f"{CORE}/secrets/acme-login"
    with Reading(shell, page_named("registries.md")) as page:
        text = page.take()
    assert "parameter null or not set" in shell.paste_without(names, text)
    assert builders.plane.read(path) is None
    shell.paste("INDEX_USERNAME=ci INDEX_PASSWORD=pw\n" + text)
    found = builders.plane.read(path) or {}
    assert set(found["data"]) == {"username", "password"}
    assert found["metadata"]["labels"] == {"artifactindex.dev/role": "source"}


def test_troubleshooting_finds_each_cause(builders: Builders, shell: Terminal) -> None:
    secrets = f"{CORE}/secrets"
    wrong = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wrong"}
    builders.plane.write("DELETE", f"{CUSTOM}/artifactindexes/acme")
    static = {"url": "https://acme.example/simple/", "secretRef": {"name": "acme-login"}}
    builders.create(artifact_index("acme", labels=PROD, name="acme", basicAuth=static))
    builders.wait("artifactindexes", "acme", "Ready", "Available")
    with Reading(shell, page_named("troubleshooting.md")) as page:
        page.find("Whether the index answers is not checked", "https://acme.example/simple/")

        builders.plane.write("DELETE", f"{CUSTOM}/artifactindexes/acme")
        builders.set_key("acme-key", wrong)
        builders.create(acme("acme"))
        builders.wait("artifactindexes", "acme", "Ready", "InvalidCredential")
        page.find("InvalidCredential", "acme-key")

        builders.create(build_pod())
        page.find("/etc/uv/uv.toml uv.toml", "Z\n", replaced={"POD": "build"})

        builders.patch("indexoptions", "uv-config", {"preferPrivate": False})
        builders.wait("indexoptions", "uv-config", "DependencyConfusionRisk", "PublicIndexFirst")
        page.find("PublicIndexFirst", "spec.preferPrivate is false")

        none = {"preferPrivate": None, "indexSelector": {"matchLabels": {"env": "prd"}}}
        builders.patch("indexoptions", "uv-config", none)
        builders.wait("indexoptions", "uv-config", "Ready", "NoIndexes")
        page.find("NoIndexes", "env=prod")

        builders.patch("indexoptions", "uv-config", {"indexSelector": {"matchLabels": PROD}})
        builders.rotate()
        builders.wait("indexoptions", "uv-config", "Ready", "Available")
        builders.set_key("acme-key", wrong)
        builders.wait("artifactindexes", "acme", "RefreshFailing", "InvalidCredential")
        page.find("cannot be refreshed: Secret 'acme-key'", "TokenRefused", "builders/acme")

        builders.create(secret("taken", {"uv.toml": "theirs"}, labelled=False))
        outputs = [{"kind": "Secret", "name": "uv-config"}, {"kind": "Secret", "name": "taken"}]
        builders.patch("indexoptions", "uv-config", {"outputs": outputs})
        builders.wait("indexoptions", "uv-config", "Ready", "TargetNotOwned")
        page.find("TargetNotOwned", "artifactindex.dev/adopt")

        builders.patch("indexoptions", "uv-config", {"outputs": outputs[:1]})
        builders.wait("indexoptions", "uv-config", "Ready", "Available")
        page.find(POD, "health endpoints on port")
    assert builders.plane.read(f"{secrets}/taken") is not None


def test_an_alerts_commands_find_the_cause(builders: Builders, shell: Terminal) -> None:
    """The key of `acme` is still refused. `kubectl top` needs a metrics server."""
    of_index, of_file = (
        "cannot be refreshed: Secret 'acme-key'",
        "ArtifactIndex 'acme': the current",
    )
    started = "health endpoints on port"
    own = {
        "INDEX_OPTIONS": "uv-config",
        "NAMESPACE": "builders",
        "indexoptions/NAME": "indexoptions/uv-config",
        "KIND/NAME": "artifactindex/acme",
        "NAME": "acme",
        "POD:8080": f"{POD}:{builders.operator.health_port}",
    }
    said: dict[str, str] = {}
    with Reading(shell, page_named("alerts.md")) as page:
        for words in (
            (of_index, "type: RefreshFailing", "TokenRefused"),
            (of_file, "GOOD FOR"),
            (of_file,),
            (of_file, "GOOD FOR"),
            (of_index,),
            (of_index, "TokenRefused"),
            (POD, "Node-Selectors:", started, "uv-config"),
            ("\nok: leader",),
            ("HOLDER", "LeaseWon", "leads, and 1 on standby"),
            ("--leader-elect", "LeaseWon"),
            (NODE, "Node-Selectors:"),
            ("LeaseWon", "readyz check passed"),
            ("Metrics API not available",),
            ("Metrics API not available", f"nodeName: {NODE}"),
            (POD, NODE),
        ):
            lines = page.take(own).splitlines()
            for line in lines:  # many alerts have the same commands: each is run once
                said[line] = said.get(line) or shell.paste(whatever_status(line))
            printed = "".join(said[line] for line in lines)
            assert all(word in printed for word in words), (words, lines, printed)


def test_operate(builders: Builders, shell: Terminal) -> None:
    builders.rotate()
    builders.wait("artifactindexes", "acme", "Ready", "Available")
    plane = builders.plane
    with Reading(shell, page_named("operate.md")) as page:
        page.paste("uv-config", "acme-codeartifact", "Available", "builders/")
        page.paste("Z\n")

        text = page.take()
        key = plane.read(f"{CORE}/secrets/{AWS_KEYS[0]}")
        assert "parameter null or not set" in shell.paste_without(SECRETS, text)
        assert plane.read(f"{CORE}/secrets/{AWS_KEYS[0]}") == key
        shell.paste(text)
        assert plane.read(f"{CORE}/secrets/{AWS_KEYS[0]}") != key
        page.paste("acme-codeartifact", "Available")

        for line in page.take().splitlines(keepends=True):
            builders.rotate()
            shell.paste_for(line, "refreshed in")
        page.paste("annotated")
        page.paste("STATUS: deployed")
        page.paste("leads, and 1 on standby")
        page.paste("condition met")

        plane.write("DELETE", f"{CUSTOM}/indexoptions/uv-config")
        url = "https://acme.example/simple/"
        moved = artifact_index("open", name="open", anonymous={"url": url})
        plane.write("POST", "/api/v1/namespaces", {"metadata": {"name": "builders-2"}})
        for plural, body in (("artifactindexes", moved), ("indexoptions", index_options("moved"))):
            plane.write("POST", f"{CUSTOM}-2/{plural}", body)
        page.paste("artifactindex.artifactindex.dev/open condition met", "moved condition met")
    kept = plane.read(f"{CORE}/secrets/uv-config") or {}
    assert "ownerReferences" not in kept["metadata"]
