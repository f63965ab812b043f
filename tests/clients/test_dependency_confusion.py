"""Every way in which a public package can take a private one's place: flagged exactly where it can.

Each row is one setting. With it the status warns, and the real client installs the public
look-alike (`mine` 9.9); with the remedy that the message names it does neither.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.base import parse_spec
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.reasons import Reason
from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.registry import formats_of
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import document_of
from artifact_index.reconcile.resolve.resolution import SelectedIndex
from artifact_index.reconcile.status.risks import confusion_risk
from artifact_index.sources.policy import Problem
from support.client_runs import Clients, Run
from support.index_server import IndexServer, Repository
from support.python_clients import PDM, PIPS
from support.reconcile_builders import index as index_record
from support.rendered import public_text, secret_text
from support.uv_clients import FOUR_VERSIONS
from support.uv_scenes import good
from support.wheels import make_wheel

pytestmark = pytest.mark.clients

GOOD = ("aws", "good-token")
STALE = ("aws", "expired-token")
GITLAB = "api/v4/projects/7/packages/pypi"
INSTALL = ("install", "--target", "target", "mine")


@dataclass
class Scene:
    """A private index that holds `mine` 1.0, and what else the row needs.

    `options` and `index` are fields of the two specs. `login` is what the file holds.
    """

    options: dict[str, Any] = field(default_factory=dict)
    index: dict[str, Any] = field(default_factory=dict)
    login: tuple[str, str] | None = GOOD
    omitted: bool = False


@dataclass
class Row:
    """A risk and its remedy: two scenes between which one setting differs."""

    reason: str
    risky: Scene
    safe: Scene


UNSAFE = {"indexStrategy": "unsafe-best-match"}
ROWS = [
    Row("PublicIndexFirst", Scene({"preferPrivate": False}), Scene({"preferPrivate": True})),
    Row("UnsafeIndexStrategy", Scene(UNSAFE), Scene({"indexStrategy": "first-index"})),
    Row(
        "UnsafeIndexStrategy",
        Scene({"indexStrategy": "unsafe-first-match"}, login=STALE),
        Scene(login=STALE),
    ),
    Row("UnsafeIndexStrategy", Scene(UNSAFE), Scene({**UNSAFE, "publicIndex": {"enabled": False}})),
    Row(
        "ErrorCodesIgnored",
        Scene(index={"ignoreErrorCodes": [401]}, login=STALE),
        Scene(index={"ignoreErrorCodes": [500]}, login=STALE),
    ),
    Row("IndexOmitted", Scene(omitted=True), Scene(login=None)),
]


def _placed(scene: Scene, url: str, name: str = "acme") -> IndexPlan:
    """The private index as the reconciler would place it."""
    when = "Omit" if scene.omitted else "Block"
    spec = {
        "name": name,
        "basicAuth": {"url": url, "secretRef": {"name": "login"}},
        "whenUnavailable": when,
        **scene.index,
    }
    record = SelectedIndex.of(index_record(name, spec))
    parsed = parse_spec(ArtifactIndexSpec, spec)
    if scene.omitted or scene.login is None:
        problem = Problem(Reason.SECRET_NOT_FOUND, "gone", must_act=True)
        entry = None if scene.omitted else IndexEntry(name, "", blocked=True)
        return IndexPlan(record, name, entry, None, problem, shown_url=url)
    entry = IndexEntry(
        name=name,
        url=url,
        credential=Credential(scene.login[0], SecretStr(scene.login[1])),
        credentialed=True,
        explicit=parsed.explicit,
        authenticate=parsed.authenticate,
        ignore_error_codes=parsed.ignore_error_codes,
    )
    return IndexPlan(record, name, entry, None, None, shown_url=url)


def _options(scene: Scene, public: Repository, *formats: str) -> IndexOptionsSpec:
    index = {"url": public.url, **scene.options.get("publicIndex", {})}
    outputs = [{"kind": "Secret", "name": "out", "formats": list(formats or ("UvToml",))}]
    return parse_spec(IndexOptionsSpec, {**scene.options, "publicIndex": index, "outputs": outputs})


def _risk(spec: IndexOptionsSpec, *plans: IndexPlan) -> str | None:
    found = confusion_risk(spec, plans, formats_of(spec, "out"))
    return found.reason if found else None


def _uv(clients: Clients, version: str, asked: Document) -> Run:
    config = clients.write("uv.toml", secret_text("UvToml", asked))
    return clients.uv(version, "pip", *INSTALL, env={"UV_CONFIG_FILE": str(config)})


@pytest.mark.parametrize("version", FOUR_VERSIONS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reason)
def test_what_is_flagged_installs_the_look_alike_and_the_remedy_ends_it(
    clients: Clients, private: Repository, public: Repository, version: str, row: Row
) -> None:
    spec, plans = _options(row.risky, public), _placed(row.risky, private.url)
    assert _risk(spec, plans) == row.reason
    run = _uv(clients, version, document_of(spec, [plans]))
    assert clients.installed("target") == {"mine==9.9"}, run.output

    (clients.directory / "target").rename(clients.directory / "before")
    spec, plans = _options(row.safe, public), _placed(row.safe, private.url)
    assert _risk(spec, plans) is None
    run = _uv(clients, version, document_of(spec, [plans]))
    assert clients.installed("target") <= {"mine==1.0"}, run.output


def _pip(clients: Clients, client: str, asked: Document) -> Run:
    text = secret_text("PipConf", asked)
    env = {"PIP_CONFIG_FILE": str(clients.write("pip.conf", text))}
    return clients.python(client, *INSTALL, env=env)


@pytest.mark.parametrize("pip", PIPS)
@pytest.mark.parametrize("login", [GOOD, STALE])
def test_pip_takes_the_look_alike_of_a_public_index(
    clients: Clients, private: Repository, public: Repository, pip: str, login: tuple[str, str]
) -> None:
    risky, safe = Scene(login=login), Scene({"publicIndex": {"enabled": False}}, login=login)
    spec, plans = _options(risky, public, "PipConf"), _placed(risky, private.url)
    assert _risk(spec, plans) == "FormatWithoutOrder"
    run = _pip(clients, pip, document_of(spec, [plans]))
    assert clients.installed("target") == {"mine==9.9"}, run.output

    (clients.directory / "target").rename(clients.directory / "before")
    spec = _options(safe, public, "PipConf")
    assert _risk(spec, plans) is None
    run = _pip(clients, pip, document_of(spec, [plans]))
    assert clients.installed("target") == ({"mine==1.0"} if login == GOOD else set()), run.output


@pytest.mark.parametrize("login", [GOOD, STALE])
def test_pdm_takes_the_look_alike_of_a_public_index(
    clients: Clients, private: Repository, public: Repository, login: tuple[str, str]
) -> None:
    risky, safe = Scene(login=login), Scene({"publicIndex": {"enabled": False}}, login=login)
    for scene, reason in ((risky, "FormatWithoutOrder"), (safe, None)):
        spec, plans = _options(scene, public, "PdmToml"), _placed(scene, private.url)
        assert _risk(spec, plans) == reason
        text = secret_text("PdmToml", document_of(spec, [plans]))
        config = clients.write("config.toml", text)
        clients.write(
            "pyproject.toml",
            '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\n'
            'dependencies = ["mine"]\n[tool.pdm]\ndistribution = false\n',
        )
        env = {"PDM_CONFIG_FILE": str(config), "PDM_CACHE_DIR": str(clients.directory / "cache")}
        lock = clients.directory / "pdm.lock"
        lock.unlink(missing_ok=True)
        clients.python(PDM, "lock", env=env)
        text = lock.read_text() if lock.exists() else ""
        assert ('version = "9.9"' in text) == (reason is not None)


@pytest.fixture
def gitlab(server: IndexServer, public: Repository) -> Repository:
    """A project of GitLab that lacks `mine` and forwards to the public index, as is its default."""
    repository = server.add_repository(GITLAB, accepts=good)
    repository.forwards_to = public.url
    return repository


@pytest.mark.parametrize("version", FOUR_VERSIONS)
def test_gitlab_forwards_before_the_private_index_that_is_searched_after_it(
    clients: Clients, private: Repository, public: Repository, gitlab: Repository, version: str
) -> None:
    """The remedy is the lowest priority for GitLab's."""
    spec = _options(Scene(), public)
    own, forwarding = _placed(Scene(), private.url), _placed(Scene(), gitlab.url, "gitlab")

    assert _risk(spec, forwarding, own) == "RequestsForwarded"
    run = _uv(clients, version, document_of(spec, [forwarding, own]))
    assert clients.installed("target") == {"mine==9.9"}, run.output

    (clients.directory / "target").rename(clients.directory / "before")
    assert _risk(spec, own, forwarding) is None
    run = _uv(clients, version, document_of(spec, [own, forwarding]))
    assert clients.installed("target") == {"mine==1.0"}, run.output


@pytest.mark.parametrize("version", FOUR_VERSIONS)
def test_gitlab_forwards_although_there_is_no_public_index(
    clients: Clients, public: Repository, gitlab: Repository, version: str
) -> None:
    """The remedy is in GitLab, where forwarding can be turned off."""
    scene = Scene({"publicIndex": {"enabled": False}})
    spec, plans = _options(scene, public), _placed(scene, gitlab.url, "gitlab")
    asked = document_of(spec, [plans])

    assert _risk(spec, plans) == "RequestsForwarded"
    run = _uv(clients, version, asked)
    assert clients.installed("target") == {"mine==9.9"}, run.output

    (clients.directory / "target").rename(clients.directory / "before")
    gitlab.forwards_to = None
    run = _uv(clients, version, asked)
    assert run.returncode != 0
    assert clients.installed("target") == set()


@pytest.mark.parametrize("version", FOUR_VERSIONS)
@pytest.mark.parametrize(
    ("authenticate", "reason", "installed"),
    [("auto", "RequestsForwarded", {"mine==9.9"}), ("always", None, set())],
)
def test_gitlab_forwards_a_request_without_a_login(
    clients: Clients, public: Repository, gitlab: Repository, version: str,
    authenticate: str, reason: str | None, installed: set[str],
) -> None:  # fmt: skip
    """With the credential-free file alone: `auto` asks without a login first, `always` never."""
    gitlab.add(make_wheel("mine", "1.0"))
    scene = Scene(index={"authenticate": authenticate})
    spec, plans = _options(scene, public), _placed(scene, gitlab.url, "gitlab")
    config = clients.write("uv.toml", public_text("UvToml", document_of(spec, [plans])))

    assert _risk(spec, plans) == reason
    run = clients.uv(version, "pip", *INSTALL, env={"UV_CONFIG_FILE": str(config)})
    assert clients.installed("target") == installed, run.output


def test_the_message_names_every_risk_at_once(private: Repository, public: Repository) -> None:
    scene = Scene(
        {"preferPrivate": False, "indexStrategy": "unsafe-best-match"},
        {"ignoreErrorCodes": [403]},
    )
    spec = _options(scene, public, "UvToml", "PipConf")

    found = confusion_risk(spec, [_placed(scene, private.url)], formats_of(spec, "out"))

    assert found is not None and found.reason == "PublicIndexFirst"
    for setting in ("preferPrivate", "indexStrategy", "ignoreErrorCodes", "publicIndex.enabled"):
        assert f"spec.{setting}" in found.message


def test_packages_pinned_to_an_explicit_index_are_at_no_risk(
    private: Repository, public: Repository
) -> None:
    scene = Scene({"preferPrivate": False}, {"explicit": True, "ignoreErrorCodes": [401]})

    assert _risk(_options(scene, public), _placed(scene, private.url)) is None
