"""A release from a registry on loopback: verified and installed as the page says, or refused."""

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tools.release.containers import PLATFORM

from artifact_index import __version__
from support.chart import RELEASE, helm, next_steps, run_helm
from support.control_plane import wait_until
from support.control_plane.errors import ControlPlaneUnavailable
from support.doc_blocks import Reading, Terminal, blocks_of, page_named
from support.node.images import BUILDER
from support.node.node import Node
from support.operator_process import OPERATOR_NAMESPACE
from support.published import NAME, Published, flip, publish
from support.release_tools import FOR_TESTS, programs
from support.tour import PACKAGE, VERSION, Images, StandIns, Tour
from support.wheels import make_wheel

pytestmark = pytest.mark.node

NAMESPACE = "default"
PATIENCE = 180.0
PAGE = page_named("verify.md")
EXAMPLE = 'anonymous: {url: "https://packages.example.com/simple/"}'
PASSWORD = "of-the-reader"
LOGIN = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "login", "labels": {"artifactindex.dev/role": "source"}},
    "stringData": {"username": "ci", "password": PASSWORD},
}


@pytest.fixture(scope="module")
def published(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    try:
        programs(*FOR_TESTS)
    except ControlPlaneUnavailable as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(error.reason)
    pair = node.plane.server_certificate("registry", ips=["127.0.0.1"])
    folder = tmp_path_factory.mktemp("published")
    with publish(folder, node.images.operator, pair, node.plane.ca_path) as released:
        (released.tools / "kubectl").symlink_to(node.plane.binaries.kubectl)
        node.trust(released.registry.address, node.plane.ca_path)
        yield released


@pytest.fixture
def reader(published: Published, node: Node, tmp_path: Path) -> Iterator[Terminal]:
    """A shell in a folder that has nothing but the signer's public key."""
    shutil.copy(published.public_key, tmp_path)
    cluster = {"KUBECONFIG": str(node.plane.kubeconfig_admin)}
    with Terminal(tmp_path, published.environment(tmp_path) | cluster) as shell:
        yield shell
    kinds = "indexoptions,artifactindexes,jobs,secrets"
    node.plane.kubectl("delete", kinds, "--all", "--namespace", NAMESPACE)
    where = ("--namespace", OPERATOR_NAMESPACE)
    run_helm("uninstall", RELEASE, *where, "--wait", kubeconfig=node.plane.kubeconfig_admin)
    # Helm takes the right to release the Lease away before the pods end.
    node.plane.kubectl("delete", "leases", "--all", *where)


def test_the_page_verifies_and_installs_a_release_and_a_pod_builds_with_it(
    published: Published, node: Node, reader: Terminal, stand_ins: StandIns
) -> None:
    repository = stand_ins.index.add_repository(
        "released", make_wheel(PACKAGE, VERSION), accepts=lambda user, word: word == PASSWORD
    )
    with Reading(reader, PAGE) as page:
        page.paste(replaced={"registry.example.com/acme": published.to})
        page.paste()  # who signs: a key
        page.paste(f"image {published.image_digest}, chart {published.chart_digest}")
        # The index that stands in for a reader's own speaks no TLS.
        notes = page.paste(replaced={"helm install": "helm install --set settings.allowHttp=true"})
        page.paste(replaced={"linux-amd64": PLATFORM})
        download(published, reader.folder)
        page.paste(f"{NAME}-{__version__}.tgz: OK")
    bill = json.loads((reader.folder / f"{NAME}.cdx.json").read_text())
    assert bill == json.loads(one(published.dist, "*.cdx.json").read_text())

    checks, _, _ = notes.partition("Check the installation:\n")[2].partition("\nNext, ")
    reader.paste_for(checks, "successfully rolled out", "Phase:          Succeeded")
    guide = Tour(node.plane, stand_ins, Images(operator=published.image, builder=BUILDER))
    guide.apply(NAMESPACE, LOGIN)
    source = f'basicAuth: {{url: "{repository.url}", secretRef: {{name: login}}}}'
    applied = next_steps(notes).replace(EXAMPLE, source)
    assert source in applied
    reader.paste(applied)
    node.plane.kubectl(
        *("wait", "indexoptions/uv-config", "--namespace", NAMESPACE),
        *("--for=condition=Ready", f"--timeout={PATIENCE:.0f}s"),
    )
    pods = node.plane.read(f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods") or {}
    running = [pod["status"]["containerStatuses"][0]["imageID"] for pod in pods["items"]]
    assert running and set(running) == {published.image}
    assert f"+ {PACKAGE}=={VERSION}" in guide.build(NAMESPACE, "uv-job.yaml")


def test_helm_3_installs_the_chart_as_well(
    published: Published, reader: Terminal, tmp_path_factory: pytest.TempPathFactory
) -> None:
    older = tmp_path_factory.mktemp("helm3")
    (older / "helm").symlink_to(helm("helm3"))
    digests = f"CHART={published.chart_digest} IMAGE={published.image_digest}"
    reader.paste(f"PATH={older}:$PATH REGISTRY={published.to} {digests}\n")
    (install,) = (block.text for block in blocks_of(PAGE) if "helm install" in block.text)
    reader.paste_for(f"helm version\n{install}", 'Version:"v3.', "STATUS: deployed")


# -- one byte changed: who refuses, and how

Refusal = Callable[..., str]
SIGNER = ("--key=cosign.pub", "--insecure-ignore-tlog=true")
VERIFY = ("cosign", "verify", *SIGNER, f"--annotations=version={__version__}")
CHECKSUMS = ("cosign", "verify-blob", "--bundle=checksums.txt.sigstore.json", "checksums.txt")


@pytest.fixture
def folder(published: Published, tmp_path: Path) -> Path:
    """The files of the release, and the signer's public key."""
    download(published, tmp_path)
    shutil.copy(published.public_key, tmp_path)
    return tmp_path


def download(published: Published, folder: Path) -> None:
    """Copy the files of the release but the image, which is large and in the registry as well."""
    for file in published.dist.iterdir():
        if file.suffix != ".tar":
            shutil.copy(file, folder)


@pytest.fixture
def refusal(published: Published, folder: Path) -> Refusal:
    """Run a command there; returns what it says if it fails, and nothing otherwise."""

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=folder, env=published.environment(folder) | {"COSIGN_PASSWORD": ""},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        return done.stdout if done.returncode else ""

    return run


def test_a_tag_that_was_moved_is_refused(published: Published, refusal: Refusal) -> None:
    tag = f"{published.to}/{NAME}:moved"
    assert refusal("crane", "copy", published.image, tag) == ""
    assert refusal(*VERIFY, tag) == ""
    platform = f"{published.to}/{NAME}:{__version__}-{PLATFORM}"
    assert refusal("crane", "mutate", platform, "--label=changed=1", f"--tag={tag}") == ""
    assert "no signatures found" in refusal(*VERIFY, tag)
    older = ("--yes", "--use-signing-config=false", "--tlog-upload=false", "--recursive")
    key = f"--key={published.public_key.with_suffix('.key')}"
    assert refusal("cosign", "sign", *older, key, "--annotations=version=0.0.1", tag) == ""
    assert "missing or incorrect annotation" in refusal(*VERIFY, tag)


def test_another_key_verifies_nothing(published: Published, refusal: Refusal) -> None:
    assert refusal("cosign", "generate-key-pair", "--output-key-prefix=other") == ""
    signer = ("--key=other.pub", "--insecure-ignore-tlog=true")
    for command in (("cosign", "verify", published.image), CHECKSUMS):
        assert "failed to verify signature" in refusal(*command, *signer)


def test_a_changed_signature_or_bill_of_materials_is_refused(
    published: Published, refusal: Refusal
) -> None:
    platform = f"{published.to}/{NAME}:{__version__}-{PLATFORM}"
    for digest, command, told in (
        (published.image_digest, (*VERIFY, published.image), "no signatures"),
        (
            published.registry.tagged(f"acme/{NAME}", platform.rpartition(":")[2]),
            ("cosign", "verify-attestation", *SIGNER, "--type=spdxjson", platform),
            "no matching attestations",
        ),
    ):
        assert refusal(*command) == ""
        bundles = published.bundles(f"acme/{NAME}", digest)
        for bundle in bundles:
            flip(bundle)
        assert told in refusal(*command)
        for bundle in bundles:
            flip(bundle)


def test_a_changed_chart_is_refused(published: Published, refusal: Refusal) -> None:
    (layer,) = published.registry.content(published.chart_digest)["layers"]
    pull = ("helm", "pull", f"oci://{published.chart}")
    assert refusal(*pull) == ""
    flip(published.registry.blob(layer["digest"]))
    assert "mismatched digest" in refusal(*pull)
    flip(published.registry.blob(layer["digest"]))


def test_a_changed_file_is_refused(folder: Path, refusal: Refusal) -> None:
    check = ("sha256sum", "--check", "--ignore-missing", "checksums.txt")
    assert refusal(*CHECKSUMS, *SIGNER) == refusal(*check) == ""
    flip(one(folder, "*.cdx.json"))
    assert ".cdx.json: FAILED" in refusal(*check)
    flip(folder / "checksums.txt")
    assert "failed to verify signature" in refusal(*CHECKSUMS, *SIGNER)


def test_a_node_does_not_run_a_changed_layer(
    published: Published, node: Node, folder: Path, refusal: Refusal
) -> None:
    layer = folder / "layer.tar"
    with tarfile.open(layer, "w") as archive:
        archive.add(folder / "cosign.pub", arcname="changed")
    name = f"{published.to}/changed"
    append = ("crane", "append", f"--base={published.image}", f"--new_layer={layer}")
    assert refusal(*append, f"--new_tag={name}:1") == ""
    digest = published.registry.tagged("acme/changed", "1")
    flip(published.registry.blob(published.registry.content(digest)["layers"][-1]["digest"]))
    container = {"name": "main", "image": f"{name}@{digest}", "command": ["python3", "-c", ""]}
    pod = {"restartPolicy": "Never", "containers": [container]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "changed"}, "spec": pod}
    node.plane.kubectl("apply", "-n", NAMESPACE, "-f", "-", input=json.dumps(body))

    def waiting() -> dict[str, str]:
        found = node.plane.read(f"/api/v1/namespaces/{NAMESPACE}/pods/changed") or {}
        (status,) = found["status"].get("containerStatuses") or [{}]
        reason: dict[str, str] = status.get("state", {}).get("waiting", {})
        return reason

    wait_until(lambda: "digest" in waiting().get("message", ""), "the node's refusal", PATIENCE)
    assert waiting()["reason"] in ("ErrImagePull", "ImagePullBackOff")
    node.plane.kubectl("delete", "pod", "changed", "-n", NAMESPACE, "--now")


def one(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found
