"""Logins that fail: what the user is told, what builds still get, and how it heals."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.clouds import Fault
from support.control_plane import wait_until
from support.operator_process import OperatorProcess
from support.uv_clients import NEWEST, Uv
from support.uv_scenes import STRATEGIES, logins
from support.wheels import make_wheel
from support.world import (
    World,
    access_key_secret,
    artifact_index,
    artifact_registry,
    basic_auth,
    code_artifact,
    condition_in,
    google_key_secret,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster

ALLOWED = "identity-allowed"
OWN_PRINCIPAL = "arn:aws:iam::111122223333:role/operator"
FLAGS = (
    *("--cloud-read-timeout", "4s", "--cloud-connect-timeout", "4s", "--mint-patience", "2s"),
    *("--outage-budget", "0s", "--write-time", "0s", "--pod-start-time", "0s"),
    *("--propagation-time", "5s", "--clock-skew", "1s", "--min-refresh-interval", "1s"),
    *("--operator-identity-namespaces", ALLOWED),
)


@pytest.fixture(scope="module")
def operator(world: World) -> Iterator[OperatorProcess]:
    """An operator with an AWS identity of its own, short timeouts and small margins."""
    key = world.aws.add_access_key(principal=OWN_PRINCIPAL)
    with world.operator(*FLAGS, **world.aws.env(key)) as running:
        yield running
    world.aws.clear()
    world.google.clear()


@pytest.fixture
def short_lives(world: World) -> Iterator[int]:
    """CodeArtifact's tokens live 24 s: replaced after 8, withdrawn after 18."""
    world.aws.cap_seconds = 24
    yield 24
    world.aws.cap_seconds = None


def user(name: str) -> str:
    """The ARN of an IAM user of these tests."""
    return f"arn:aws:iam::111122223333:user/failures-{name}"


def account(name: str) -> str:
    """A Google service account of these tests."""
    return f"{name}@failures.iam.gserviceaccount.com"


@dataclass(frozen=True)
class Case:
    """A failure of a login: injected where, and what the condition says of it."""

    name: str
    reason: str
    stalled: bool
    says: tuple[str, ...]
    operation: str = "GetAuthorizationToken"
    fault: Fault | None = None
    google: bool = False

    @property
    def principal(self) -> str:
        """Whose login it is."""
        return account(self.name) if self.google else user(self.name)


CASES = (
    Case(
        "denied", "AccessDenied", True,
        ("codeartifact:GetAuthorizationToken", "'denied'", "secretRef"),
        fault=Fault(status=403, code="AccessDeniedException", message="no"),
    ),
    Case(
        "no-repository", "CloudResourceNotFound", True, ("codeArtifact", "repository"),
        operation="GetRepositoryEndpoint",
        fault=Fault(status=404, code="ResourceNotFoundException",
                    extra={"resourceType": "repository"}),
    ),
    Case(
        "invalid", "InvalidRequest", True, ("codeArtifact",),
        fault=Fault(status=400, code="ValidationException"),
    ),
    Case("wrong-key", "InvalidCredential", True, ("'wrong-key'", "secretRef")),
    Case(
        "throttled", "CloudThrottled", False, ("eu-west-1", "again", "quota"),
        fault=Fault(status=429, code="ThrottlingException"),
    ),
    Case(
        "down", "CloudUnavailable", False, ("eu-west-1", "again"),
        fault=Fault(status=500, code="InternalServerException"),
    ),
    Case("reset", "CloudUnavailable", False, ("eu-west-1", "again"), fault=Fault(reset=True)),
    Case(
        "hanging", "CloudUnavailable", False, ("did not answer", "again"),
        fault=Fault(hang_seconds=20, reset=True),
    ),
    Case(
        "garbage", "CloudUnavailable", False, ("is not CodeArtifact", "again"),
        fault=Fault(status=200, body="<html>captive portal</html>"),
    ),
    Case("deleted-key", "InvalidCredential", True, ("'deleted-key'", "secretRef"), google=True),
    Case(
        "google-down", "CloudUnavailable", False, ("again",), operation="Token", google=True,
        fault=Fault(status=503, code="backend_error"),
    ),
)  # fmt: skip


def objects_of(world: World, case: Case) -> list[dict[str, Any]]:
    """The index of a case and its Secret, named like it."""
    if case.google:
        source = google_key_secret(world, case.name, case.principal)
        spec = {"googleArtifactRegistry": artifact_registry(case.name, repository=case.name)}
    else:
        source = access_key_secret(world, case.name, case.principal)
        spec = {"codeArtifact": code_artifact(case.name, domain=case.name)}
    if case.name == "wrong-key":
        source["stringData"]["AWS_SECRET_ACCESS_KEY"] = "x" * 40
    if case.name == "deleted-key":
        world.google.remove_keys(case.principal)
    return [source, artifact_index(case.name, name=case.name, **spec)]


def told(options: dict[str, Any]) -> dict[str, str]:
    """What the status of an IndexOptions says of its indexes."""
    return {one["artifactIndex"]: one["reason"] for one in options["status"].get("indexes", ())}


def inject(world: World, case: Case) -> None:
    """Let the login of a case fail until cleared: of its principal, whatever key it shows."""
    if case.fault is None:
        return
    if case.google:
        world.google.inject(case.operation, case.fault, principal=case.principal)
    else:
        world.aws.inject(case.operation, case.fault, principal=case.principal)


@pytest.fixture(scope="module")
def failing(world: World, operator: OperatorProcess) -> str:
    """A namespace in which every login fails in its own way, beside two that are well."""
    namespace = world.namespace("failures")
    for case in CASES:
        inject(world, case)
    world.apply(
        access_key_secret(world, "well", user("well")),
        artifact_index("well", name="well", codeArtifact=code_artifact("well")),
        artifact_index("open", name="open", anonymous={"url": "http://127.0.0.1:9/simple/"}),
        *(one for case in CASES for one in objects_of(world, case)),
        namespace=namespace,
    )
    # One watch may be ahead of another, and an IndexOptions with some of its indexes is served.
    for name in ("well", "open", *(case.name for case in CASES)):
        world.wait_condition("artifactindex", namespace, name, reason="NotSelected")
    world.apply(index_options("uv-config"), namespace=namespace)
    return namespace


def test_other_indexes_are_served_although_one_login_hangs(world: World, failing: str) -> None:
    # Written after the patience with first logins, not after the last of them.
    world.wait_served(failing, "uv-config", 'url = "http://127.0.0.1:9/simple/"')
    world.wait_served(failing, "uv-config", "aws:")
    tables = world.indexes(failing, "uv-config")
    assert tables["open"]["url"] == "http://127.0.0.1:9/simple/"
    assert "aws:" in tables["well"]["url"]
    for case in CASES:
        assert tables[case.name]["url"] == f"https://{case.name}.unavailable.invalid/simple/"
        assert tables[case.name]["authenticate"] == "always"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_failed_login_is_explained(world: World, failing: str, case: Case) -> None:
    ready = world.wait_condition("artifactindex", failing, case.name, reason=case.reason)
    assert ready["status"] == "False"
    for part in case.says:
        assert part in ready["message"], ready["message"]
    beside, not_beside = ("Stalled", "Reconciling") if case.stalled else ("Reconciling", "Stalled")
    found = world.condition("artifactindex", failing, case.name, beside)
    assert (found["status"], found["reason"]) == ("True", case.reason)
    assert world.condition("artifactindex", failing, case.name, not_beside) == {}


def test_the_index_options_counts_the_failures_and_names_some(world: World, failing: str) -> None:
    expected = {case.name: case.reason for case in CASES} | {
        "well": "Available",
        "open": "Available",
    }
    found = world.wait_object(
        "indexoptions", failing, "uv-config", lambda one: told(one) == expected, f"{expected}"
    )
    ready = condition_in(found)
    assert ready["reason"] == "IndexesNotReady"
    assert f"{len(CASES)} of {len(CASES) + 2} indexes are not ready" in ready["message"]
    assert "; and 8 more" in ready["message"]
    # Some of them heal by themselves, so that nobody has to act for the whole to move on.
    assert condition_in(found, "Reconciling")["status"] == "True"
    status = found["status"]
    assert (status["indexCount"], status["readyIndexCount"]) == (len(CASES) + 2, 2)


def test_every_failure_heals_and_says_so_once(world: World, failing: str) -> None:
    for case in CASES:
        world.wait_condition("artifactindex", failing, case.name, reason=case.reason)
    # New keys take effect while the old ones' principals are refused as before.
    fresh = [
        access_key_secret(world, "denied", user("denied-no-more")),
        access_key_secret(world, "wrong-key", user("wrong-key")),
        google_key_secret(world, "deleted-key", account("deleted-key")),
        access_key_secret(world, "invalid", user("invalid-no-more")),
        access_key_secret(world, "no-repository", user("no-repository-no-more")),
    ]
    world.apply(*fresh, namespace=failing)
    for one in fresh:
        name = one["metadata"]["name"]
        world.wait_condition("artifactindex", failing, name, reason="Available")
    # What the cloud mends by itself is found out by asking again, once a minute at the latest.
    world.aws.clear()
    world.google.clear()
    for case in CASES:
        world.wait_condition("artifactindex", failing, case.name, reason="Available", seconds=150)
    world.wait_condition("indexoptions", failing, "uv-config", reason="Available")
    assert "unavailable" not in (world.uv_toml(failing, "uv-config") or "")

    names = [case.name for case in CASES] + ["uv-config"]
    events = world.wait_events(failing, *((name, "Available") for name in names))
    for case in CASES:
        assert events[case.name, case.reason] == 1, (case.name, events)
        assert events[case.name, "Available"] == 1, (case.name, events)
    assert events["uv-config", "IndexesNotReady"] == 1
    assert events["uv-config", "Available"] == 1
    assert not [key for key in events if key[0] in ("well", "open")]


def test_a_blocked_index_makes_uv_stop_and_omit_lets_it_pass(
    world: World, operator: OperatorProcess, tmp_path: Path
) -> None:
    namespace = world.namespace("blocked")
    world.aws.inject(
        "GetAuthorizationToken", Fault(status=403, code="AccessDeniedException"), domain="lost-it"
    )
    accepts = world.aws.is_valid
    world.index.add_repository("pypi/sibling", make_wheel("theirs", "1.0"), accepts=accepts)
    world.index.add_repository("pypi/lost", make_wheel("mine", "1.0"), accepts=accepts)
    look_alike = world.index.add_repository("blocked/pypi", make_wheel("mine", "9.9"))
    options = [
        index_options(one, indexStrategy=one, publicIndex={"url": look_alike.url})
        for one in STRATEGIES
    ]
    world.apply(
        access_key_secret(world, "key", user("blocked")),
        artifact_index("sibling", name="sibling",
                       codeArtifact=code_artifact("key", repository="sibling")),
        artifact_index("lost", name="lost",
                       codeArtifact=code_artifact("key", domain="lost-it", repository="lost")),
        *options,
        namespace=namespace,
    )  # fmt: skip
    reasons = {"sibling": "Available", "lost": "AccessDenied"}

    def install(name: str, package: str) -> Any:
        world.index.clear()
        uv = Uv(NEWEST, tmp_path / f"{name}-{package}-{len(list(tmp_path.iterdir()))}",
                https_proxy=world.index.netloc)  # fmt: skip
        return uv.install(world.uv_toml(namespace, name) or "", package)

    for strategy in STRATEGIES:
        found = world.wait_object(
            "indexoptions", namespace, strategy, lambda one: told(one) == reasons, f"{reasons}"
        )
        assert condition_in(found)["reason"] == "IndexesNotReady"
        assert "'lost': AccessDenied" in condition_in(found)["message"]
        run = install(strategy, "mine")
        assert run.returncode != 0 and run.installed == set(), run.output
        assert "lost.unavailable.invalid" in run.output
        asked = world.index.requests()
        assert not [one for one in asked if "/packages/" in one.path or one.method == "CONNECT"]
        # Nobody's token is sent where the lost one's would have gone.
        assert not [one for one in asked if one.path.startswith("/pypi/lost")]
        assert logins(world.index.requests("blocked/pypi")) <= {(None, None)}

    world.patch("artifactindex", namespace, "lost", {"spec": {"whenUnavailable": "Omit"}})
    for strategy in STRATEGIES:
        ready = world.wait_condition("indexoptions", namespace, strategy, reason="Available")
        assert ready["status"] == "True"
        assert "lost" not in world.indexes(namespace, strategy)
        risk = world.condition("indexoptions", namespace, strategy, "DependencyConfusionRisk")
        expected = "IndexOmitted" if strategy == "first-index" else "UnsafeIndexStrategy"
        assert (risk["status"], risk["reason"]) == ("True", expected)
    # The index itself is no better, and what Omit means is seen: the look-alike gets in.
    assert world.condition("artifactindex", namespace, "lost")["reason"] == "AccessDenied"
    assert install("first-index", "mine").installed == {"mine==9.9"}
    assert install("first-index", "theirs").installed == {"theirs==1.0"}

    world.aws.clear("GetAuthorizationToken")
    world.apply(access_key_secret(world, "key", user("blocked")), namespace=namespace)
    world.wait_condition("artifactindex", namespace, "lost", reason="Available")
    world.wait_served(namespace, "first-index", 'name = "lost"')
    assert install("first-index", "mine").installed == {"mine==1.0"}
    world.wait_object(
        "indexoptions", namespace, "first-index",
        lambda one: condition_in(one, "DependencyConfusionRisk") == {}, "without the risk",
    )  # fmt: skip


def test_a_live_token_outlives_failing_refreshes_until_its_withdrawal(
    world: World, operator: OperatorProcess, short_lives: int
) -> None:
    namespace = world.namespace("refresh-failing")
    world.apply(
        access_key_secret(world, "key", user("refresh")),
        artifact_index("acme", name="acme", codeArtifact=code_artifact("key", domain="refresh")),
        index_options("uv-config"),
        namespace=namespace,
    )
    world.wait_condition("artifactindex", namespace, "acme", reason="Available")
    # The promise of 30 minutes cannot be kept with tokens that live 12 seconds.
    short = world.condition("artifactindex", namespace, "acme", "FreshnessNotGuaranteed")
    assert (short["status"], short["reason"]) == ("True", "TokenTooShort")
    # Counted from the second in which it was asked for.
    lives = re.search(r"tokens are valid for (\d+)s", short["message"])
    assert lives is not None and short_lives <= int(lives[1]) <= short_lives + 4
    assert "30m" in short["message"]
    world.aws.inject(
        "GetAuthorizationToken", Fault(status=500, code="InternalServerException"),
        domain="refresh",
    )  # fmt: skip

    found = world.wait_object(
        "artifactindex", namespace, "acme",
        lambda one: condition_in(one, "RefreshFailing").get("reason") == "CloudUnavailable",
        "failing to refresh",
    )  # fmt: skip
    text = world.uv_toml(namespace, "uv-config") or ""
    options = world.condition("indexoptions", namespace, "uv-config")
    ready = condition_in(found)
    assert condition_in(found, "RefreshFailing")["status"] == "True"
    assert (ready["status"], ready["reason"]) == ("True", "Available")
    assert condition_in(found, "Reconciling") == {}
    token = [one for one in world.aws.tokens.all() if one.principal == user("refresh")][-1]
    assert token.value in text
    assert options["status"] == "True"

    found = world.wait_object(
        "artifactindex", namespace, "acme",
        lambda one: condition_in(one).get("reason") == "CredentialExpired", "expired",
    )  # fmt: skip
    assert condition_in(found)["status"] == "False"
    assert "again" in condition_in(found)["message"]
    assert condition_in(found, "Reconciling")["status"] == "True"
    assert condition_in(found, "RefreshFailing") == {}
    assert token.value not in (world.uv_toml(namespace, "uv-config") or "")
    url = world.indexes(namespace, "uv-config")["acme"]["url"]
    assert url == "https://acme.unavailable.invalid/simple/"

    world.aws.cap_seconds = None
    world.aws.clear("GetAuthorizationToken")
    world.wait_condition("artifactindex", namespace, "acme", reason="Available", seconds=150)
    assert "aws:" in world.indexes(namespace, "uv-config")["acme"]["url"]
    reasons = ("TokenTooShort", "CloudUnavailable", "CredentialExpired", "Available")
    events = world.wait_events(namespace, *(("acme", reason) for reason in reasons))
    for reason in reasons:
        assert events["acme", reason] == 1, events


def test_a_token_leaves_the_file_before_it_is_refused(
    world: World, operator: OperatorProcess, short_lives: int
) -> None:
    """An outage that lasts: the file never holds a token that the index refuses."""
    namespace = world.namespace("withdrawn")
    world.apply(
        access_key_secret(world, "key", user("withdrawn")),
        artifact_index("acme", name="acme", codeArtifact=code_artifact("key", domain="withdrawn")),
        index_options("uv-config"),
        namespace=namespace,
    )
    world.wait_condition("artifactindex", namespace, "acme", reason="Available")
    world.aws.inject(
        "GetAuthorizationToken", Fault(status=403, code="AccessDeniedException"),
        domain="withdrawn",
    )  # fmt: skip

    def withdrawn() -> bool:
        begun = time.time()
        text = world.uv_toml(namespace, "uv-config") or ""
        held = [one.expires_at for one in world.aws.tokens.all() if one.value in text]
        assert all(begun < dies for dies in held), "it is served although it has died"
        return not held

    wait_until(withdrawn, "the withdrawal", 60)
    ready = world.wait_condition("artifactindex", namespace, "acme", reason="CredentialExpired")
    assert "codeartifact:GetAuthorizationToken" in ready["message"]
    assert world.condition("artifactindex", namespace, "acme", "Stalled")["status"] == "True"
    world.aws.clear("GetAuthorizationToken")


def test_a_selection_of_nothing_never_leaves_the_public_index_alone(
    world: World, operator: OperatorProcess, short_lives: int
) -> None:
    namespace = world.namespace("nothing-selected")
    world.apply(
        access_key_secret(world, "key", user("nothing")),
        secret("login", {"password": "s3cret"}),
        index_options("typo", indexSelector={"matchLabels": {"env": "pord"}}),
        index_options("uv-config", indexSelector={"matchLabels": {"env": "prod"}}),
        artifact_index("acme", name="acme", labels={"env": "prod"},
                       codeArtifact=code_artifact("key", domain="nothing")),
        artifact_index("static", name="static", labels={"env": "prod"},
                       basicAuth=basic_auth("https://p.example/simple/", "login")),
        namespace=namespace,
    )  # fmt: skip
    world.wait_all_served(namespace, "uv-config")
    none = world.wait_condition("indexoptions", namespace, "typo", reason="NoIndexes")
    assert none["status"] == "False"
    assert "spec.indexSelector matches no ArtifactIndex" in none["message"]
    assert world.condition("indexoptions", namespace, "typo", "Reconciling")["status"] == "True"
    assert world.get("secret", namespace, "typo") is None

    def shown() -> str:
        """The file with the cloud's tokens cut out: one may be replaced meanwhile."""
        text = world.uv_toml(namespace, "uv-config") or ""
        for one in world.aws.tokens.all():
            text = text.replace(one.value, "TOKEN")
        return text

    before = shown()
    assert "aws:TOKEN@" in before

    world.patch(
        "indexoptions", namespace, "uv-config",
        {"spec": {"indexSelector": {"matchLabels": {"env": "prdo"}}}},
    )  # fmt: skip
    world.wait_condition("indexoptions", namespace, "uv-config", reason="NoIndexes")
    world.wait_condition("artifactindex", namespace, "acme", reason="NotSelected")
    assert shown() == before

    # Until its token has to be withdrawn: then the entries stay, blocked.
    world.wait_served(namespace, "uv-config", "aws:", there=False)
    tables = world.indexes(namespace, "uv-config")
    assert tables["acme"]["url"] == "https://acme.unavailable.invalid/simple/"
    assert "ci:s3cret@" in tables["static"]["url"]

    world.aws.cap_seconds = None
    world.patch(
        "indexoptions", namespace, "uv-config",
        {"spec": {"indexSelector": {"matchLabels": {"env": "prod"}}}},
    )  # fmt: skip
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
    assert list(world.indexes(namespace, "uv-config")) == ["pypi", "acme", "static"]


def test_the_operators_own_identity_serves_only_where_the_administrator_allows_it(
    world: World, operator: OperatorProcess
) -> None:
    refused = world.namespace("identity-refused")
    world.namespace(ALLOWED)
    block = {**code_artifact("x", domain="own-identity"), "auth": {"operatorIdentity": {}}}
    absent = {key: value for key, value in block.items() if key != "auth"}
    google = {**artifact_registry("x"), "auth": {"operatorIdentity": {}}}
    objects = [
        artifact_index("block", name="block", codeArtifact=block),
        artifact_index("absent", name="absent", codeArtifact=absent),
        artifact_index("google", name="google", googleArtifactRegistry=google),
        index_options("uv-config"),
    ]
    world.apply(*objects, namespace=refused)
    # An index says so before any IndexOptions selects it, too.
    refusals = dict.fromkeys(("block", "absent", "google"), "OperatorIdentityNotAllowed")
    world.wait_object(
        "indexoptions", refused, "uv-config", lambda one: told(one) == refusals, f"{refusals}"
    )
    for name in refusals:
        ready = world.wait_condition(
            "artifactindex", refused, name, reason="OperatorIdentityNotAllowed"
        )
        for part in (f"'{refused}'", "auth.secretRef", "--operator-identity-namespace"):
            assert part in ready["message"]
        assert world.condition("artifactindex", refused, name, "Stalled")["status"] == "True"
        blocked = f"https://{name}.unavailable.invalid/simple/"
        assert world.indexes(refused, "uv-config")[name]["url"] == blocked
    assert world.aws.mints(principal=OWN_PRINCIPAL) == 0
    options = world.wait_condition(
        "indexoptions", refused, "uv-config", reason="IndexesNotReady", what="Stalled"
    )
    assert options["status"] == "True"

    world.apply(*objects, namespace=ALLOWED)
    for name in ("block", "absent"):
        world.wait_condition("artifactindex", ALLOWED, name, reason="Available")
    assert world.aws.mints("GetAuthorizationToken", principal=OWN_PRINCIPAL) == 1
    # There is a metadata server, but it knows no identity.
    ready = world.wait_condition("artifactindex", ALLOWED, "google", reason="NoOperatorIdentity")
    assert "auth.secretRef" in ready["message"]
    assert world.condition("artifactindex", ALLOWED, "google", "Stalled")["status"] == "True"
