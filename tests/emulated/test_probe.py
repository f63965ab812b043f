"""`check --probe` and `preflight --probe` with the logins of a file, against stand-ins."""

import base64
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr

from artifact_index.api.timestamps import format_time
from artifact_index.cli import main
from artifact_index.cli.probe import asking
from artifact_index.cli.reports import IndexProbe, PreflightReport, ProbeReport
from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.netrc import Netrc
from support.emulator import OF_PEOPLE, Emulator
from support.index_server import IndexServer, Repository
from support.reconcile_builders import NAMESPACE, source
from support.tls_proxy import TlsProxy
from support.wheels import make_wheel

pytestmark = pytest.mark.emulated

PASSWORD: Final = "canary-9c1d"
FILE: Final = "uv-config"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(more=OF_PEOPLE) as started:
        yield started


@pytest.fixture(scope="module")
def server() -> Iterator[IndexServer]:
    with IndexServer() as started:
        yield started


@pytest.fixture
def repository(server: IndexServer) -> Repository:
    """A repository that is in order, and wants the login of the file."""
    wheel = make_wheel("acme-lib", "1.0")
    found = server.add_repository("acme", wheel, accepts=lambda user, given: given == PASSWORD)
    found.uploaded_at = "2026-01-02T03:04:05.000000Z"
    server.clear()
    return found


def serve(
    emulator: Emulator, url: str, *, spec: dict[str, Any] | None = None, **status: Any
) -> None:
    """An index with this URL in a file, as the operator would have written it."""
    for kind in ("artifactindexes", "indexoptions", "secrets"):
        for each in emulator.list(kind, namespace=NAMESPACE):
            emulator.delete(kind, NAMESPACE, each["metadata"]["name"])
    spec = spec or {"basicAuth": {"url": url, "secretRef": {"name": "login"}}}
    metadata = {"name": "acme", "namespace": NAMESPACE}
    emulator.create("artifactindexes", {"metadata": metadata, "spec": spec})
    emulator.patch("artifactindexes", NAMESPACE, "acme", {"status": status}, subresource="status")
    emulator.create("indexoptions", {"metadata": {**metadata, "name": FILE}, "spec": {}})
    index = {"artifactIndex": "acme", "uid": "u", "name": "acme", "ready": True, "reason": "x"}
    written = {"indexes": [index], "outputs": [{"kind": "Secret", "name": FILE}]}
    emulator.patch("indexoptions", NAMESPACE, FILE, {"status": written}, subresource="status")
    scheme, _, rest = url.partition("://")
    login = f"ci:{PASSWORD}@" if "anonymous" not in spec and ".invalid" not in url else ""
    text = f'[[index]]\nname = "acme"\nurl = "{scheme}://{login}{rest}"\n'
    data = {"uv.toml": base64.b64encode(text.encode()).decode()}
    emulator.create("secrets", {"metadata": {**metadata, "name": FILE}, "data": data})


def probed(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], *flags: str, status: int = 0
) -> IndexProbe:
    """The verdict on the index; no secret is printed in any form."""
    arguments = ["check", "--probe", "--kubeconfig", str(emulator.kubeconfig()), "-n", NAMESPACE]
    assert main([*arguments, *flags]) == status
    text = capsys.readouterr()
    assert main([*arguments, *flags, "-o", "json"]) == status
    answer = capsys.readouterr()
    for each in (*text, *answer):
        assert PASSWORD not in each
        assert base64.b64encode(f"ci:{PASSWORD}".encode()).decode() not in each
    (found,) = ProbeReport.model_validate_json(answer.out).indexes
    assert found.message in text.out and (found.next_step or "") in text.out
    return found


def test_an_index_that_is_in_order(
    emulator: Emulator,
    server: IndexServer,
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
) -> None:
    serve(emulator, repository.url)

    found = probed(emulator, capsys, "acme")

    assert (found.outcome, found.verdict, found.status) == ("Answers", "Good", 200)
    assert found.file is not None and found.file.name == FILE
    asked = [(each.path, each.password) for each in server.requests("acme")[:3]]
    assert asked == [
        ("/acme/simple/", PASSWORD), ("/acme/simple/acme-lib/", PASSWORD), ("/acme/simple/", None),
    ]  # fmt: skip


HOUR: Final = 3600.0


@pytest.mark.parametrize(
    ("change", "outcome", "says", "status"),
    [
        ({"accepts": lambda *_: False}, "LoginRefused", "spec.basicAuth.secretRef (Secret", 1),
        ({"accepts": lambda *_: False, "denied_status": 403}, "NotAllowed", "let the user of", 1),
        ({"accepts": lambda *_: False, "denied_status": 404}, "NoSuchRepository", "or it is", 1),
        ({"accepts": lambda *_: False, "denied_status": 500}, "ServerFails", "again later", 3),
        ({"accepts": lambda *_: False, "denied_status": 418}, "NotAnIndex", "not the answer", 1),
        ({"accepts": None}, "Anonymous", "use spec.anonymous", 0),
        ({"html_only": True}, "NoJson", "spec.excludeNewer", 0),
        ({"uploaded_at": None}, "NoUploadTimes", "spec.excludeNewer", 0),
    ],
)
def test_what_an_index_answers(
    change: dict[str, Any],
    outcome: str,
    says: str,
    status: int,
    emulator: Emulator,
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
) -> None:
    serve(emulator, repository.url, credential={"expiresAt": format_time(time.time() + HOUR)})
    for name, value in change.items():
        setattr(repository, name, value)

    found = probed(emulator, capsys, status=status)

    assert found.outcome == outcome
    assert says in f"{found.message} {found.next_step}"
    if status == 0:
        assert probed(emulator, capsys, "--strict", status=1).verdict == "Warning"


def test_a_missing_repository_and_a_missing_project(
    emulator: Emulator,
    server: IndexServer,
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
) -> None:
    serve(emulator, repository.url.replace("/simple/", "/other/"))
    found = probed(emulator, capsys, status=1)
    assert found.message == "404: there is no such repository; the login is accepted"
    assert found.next_step == "correct spec.basicAuth.url"

    serve(emulator, repository.url)
    server.clear()
    assert probed(emulator, capsys, "--package", "Acme_lib").outcome == "Answers"
    assert {each.path for each in server.requests("acme")} == {"/acme/simple/acme-lib/"}
    found = probed(emulator, capsys, "--package", "none", status=1)
    assert found.message == "404: there is no project 'none', or no such repository"
    assert "without --package" in (found.next_step or "")


@pytest.mark.parametrize("denied", [401, 403, 404])
def test_a_login_that_has_expired_is_told_from_the_rest(
    denied: int,
    emulator: Emulator,
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
) -> None:
    serve(emulator, repository.url, credential={"expiresAt": "2026-01-02T03:04:05Z"})
    repository.accepts, repository.denied_status = (lambda *_: False), denied

    found = probed(emulator, capsys, status=1)

    assert found.outcome == "Expired" and "expired at 2026-01-02T03:04:05Z" in found.message
    assert found.next_step == f"`artifact-index refresh -n {NAMESPACE} acme --wait`"


@pytest.mark.parametrize(
    ("source_kind", "permission", "place"),
    [
        ("codeArtifact", "codeartifact:ReadFromRepository", "spec.codeArtifact.repository"),
        ("googleArtifactRegistry", "roles/artifactregistry.reader", "Registry.repository"),
    ],
)
def test_a_cloud_names_its_own_permission(
    source_kind: str,
    permission: str,
    place: str,
    emulator: Emulator,
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
) -> None:
    serve(emulator, repository.url, spec=source(source_kind))
    repository.accepts, repository.denied_status = (lambda *_: False), 403
    assert permission in (probed(emulator, capsys, status=1).next_step or "")
    repository.denied_status = 404
    assert place in (probed(emulator, capsys, status=1).next_step or "")


def test_a_redirect_is_not_followed(
    emulator: Emulator,
    server: IndexServer,
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
) -> None:
    repository.accepts = lambda *_: False
    with IndexServer() as other:
        elsewhere = other.add_repository("b")
        serve(emulator, repository.url)
        repository.forwards_to = elsewhere.url
        found = probed(emulator, capsys, status=1)
        assert found.outcome == "Redirects" and "another host" in found.message
        assert other.requests() == []
    repository.forwards_to = repository.url.replace("/acme/", "/public/")
    assert "another path" in probed(emulator, capsys, status=1).message
    assert server.requests("public") == []


def test_an_unknown_authority(
    emulator: Emulator,
    server: IndexServer,
    repository: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = int(server.netloc.partition(":")[2])
    with TlsProxy(tmp_path, ["index.test"], port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        serve(emulator, "https://index.test/acme/simple/")
        found = probed(emulator, capsys, status=1)
        assert found.outcome == "UntrustedAuthority"
        assert "SSL_CERT_FILE" in (found.next_step or "")
        monkeypatch.setenv("SSL_CERT_FILE", str(proxy.ca))
        assert probed(emulator, capsys).outcome == "Answers"


def test_an_index_that_takes_too_long(
    emulator: Emulator,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.1)
    over = threading.Event()
    repository.accepts = lambda *_: over.wait(30)
    serve(emulator, repository.url)
    try:
        found = probed(emulator, capsys, status=3)
    finally:
        over.set()
    assert found.message == "not reached from here: no answer in time"


def test_the_login_of_another_format_and_of_a_whole_url(
    emulator: Emulator, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(emulator, repository.url)
    patch = {"status": {"url": repository.url}}
    emulator.patch("artifactindexes", NAMESPACE, "acme", patch, subresource="status")
    login = Credential("ci", SecretStr(PASSWORD))
    entry = IndexEntry("acme", repository.url, login, credentialed=True)
    text = Netrc().render_secret(Document((entry,), None)).files["netrc"].get_secret_value()
    data = {"uv.toml": None, "netrc": base64.b64encode(text.encode()).decode()}
    emulator.patch("secrets", NAMESPACE, FILE, {"data": data})
    assert probed(emulator, capsys).outcome == "Answers"

    serve(emulator, repository.url, spec=source("preauthenticated"))
    assert probed(emulator, capsys).outcome == "Answers"
    serve(emulator, f"{repository.url}?sig={PASSWORD}", spec=source("preauthenticated"))
    assert probed(emulator, capsys).status == 200


def test_a_config_map_counts_for_an_index_without_a_login_alone(
    emulator: Emulator, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.accepts = None
    for spec, status in (({"anonymous": {"url": repository.url}}, 0), (None, 3)):
        serve(emulator, repository.url, spec=spec)
        outputs = [{"kind": "ConfigMap", "name": "public"}]
        patch = {"status": {"outputs": outputs}}
        emulator.patch("indexoptions", NAMESPACE, FILE, patch, subresource="status")
        if emulator.find("configmaps", NAMESPACE, "public") is None:
            text = f'[[index]]\nname = "acme"\nurl = "{repository.url}"\n'
            metadata = {"name": "public", "namespace": NAMESPACE}
            emulator.create("configmaps", {"metadata": metadata, "data": {"uv.toml": text}})
        assert (probed(emulator, capsys, status=status).outcome == "Answers") is (status == 0)


def test_what_is_not_asked(
    emulator: Emulator, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(emulator, "http://127.0.0.1:1/simple/")
    assert probed(emulator, capsys, status=3).outcome == "Unreachable"
    serve(emulator, "https://acme.unavailable.invalid/simple/")
    found = probed(emulator, capsys, status=1)
    assert found.outcome == "Blocked" and found.next_step == "`artifact-index why -n builders acme`"
    emulator.fail("get", "secrets", 403, count=None)
    assert probed(emulator, capsys, status=3).outcome == "NotInFile"
    emulator.clear_faults()

    arguments = ["check", "--kubeconfig", str(emulator.kubeconfig()), "-n", NAMESPACE]
    assert main([*arguments, "--probe", "best"]) == 1
    assert "there is no ArtifactIndex best in namespace builders" in capsys.readouterr().err
    for wrong in (["best"], ["--probe", "-f", "-"], ["--probe", "-o", "sarif"]):
        assert main([*arguments, *wrong]) == 2


def test_preflight_asks_as_well(
    emulator: Emulator,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Nothing listens there: no request leaves this machine.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    serve(emulator, repository.url, spec=source("codeArtifact"))

    flags = ["--kubeconfig", str(emulator.kubeconfig()), "--in-cluster", "--probe", "-o", "json"]
    assert main(["preflight", *flags]) == 1

    report = PreflightReport.model_validate_json(capsys.readouterr().out)
    found = {each.check: each for each in report.findings}
    assert found["index"].verdict == "Good"
    assert found["cloud"].verdict == "Bad"
    assert "codeartifact.eu-west-1.amazonaws.com is not reached" in found["cloud"].message


def test_clouds_are_asked_before_there_are_indexes(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    flags = ["--kubeconfig", str(emulator.kubeconfig()), "--pre", "--probe", "--clouds"]
    for wrong, says in (
        ("oracle", "no 'oracle', but aws, azure, exchange, google"),
        ("aws", "needs a region"),
        ("aws:eu/../x", "needs a region"),
    ):
        assert main(["preflight", *flags, wrong]) == 2
        assert says in capsys.readouterr().err
    assert main(["preflight", *flags[:-2], "--clouds", "google"]) == 2
    assert "--clouds goes with --probe" in capsys.readouterr().err

    assert main(["preflight", *flags, "aws:cn-north-1,google"]) == 1

    printed = capsys.readouterr().out
    for host in ("sts.cn-north-1.amazonaws.com.cn", "oauth2.googleapis.com"):
        assert f"✗ {host} is not reached from here: " in printed


def test_a_file_and_a_status_that_somebody_has_edited(
    emulator: Emulator, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(emulator, repository.url, spec=source("preauthenticated"))
    text = f'[[index]]\nname = "acme"\nurl = "https://u:%ff{PASSWORD}@h.example/simple/"\n'
    data = {"uv.toml": base64.b64encode(text.encode()).decode()}
    emulator.patch("secrets", NAMESPACE, FILE, {"data": data})
    assert probed(emulator, capsys, status=3).outcome == "NotInFile"

    status: dict[str, Any] = {"indexes": [{"uid": "u", "name": "acme"}], "outputs": [{}]}
    emulator.patch("indexoptions", NAMESPACE, FILE, {"status": status}, subresource="status")
    assert probed(emulator, capsys, status=3).outcome == "NotInFile"
