"""Logins that fail: what the user reads, what builds still get, and the recovery."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.blocked import blocked_at
from support.clouds import Fault
from support.failing_logins import ALLOWED, OWN_PRINCIPAL, failing_operator, reasons_of, user
from support.operator_process import OperatorProcess
from support.uv_clients import NEWEST, Uv
from support.uv_scenes import STRATEGIES, logins
from support.wheels import make_wheel
from support.world import (
    World,
    access_key_secret,
    artifact_index,
    artifact_registry,
    code_artifact,
    condition_in,
    google_key_secret,
    index_options,
)

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def operator(world: World) -> Iterator[OperatorProcess]:
    """An operator with an AWS identity of its own, short timeouts and small margins."""
    with failing_operator(world) as running:
        yield running


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
        *(item for case in CASES for item in objects_of(world, case)),
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
        assert tables[case.name]["url"] == blocked_at(case.name, failing)
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
        "indexoptions",
        failing,
        "uv-config",
        lambda item: reasons_of(item) == expected,
        f"{expected}",
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
    for item in fresh:
        name = item["metadata"]["name"]
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
        index_options(item, indexStrategy=item, publicIndex={"url": look_alike.url})
        for item in STRATEGIES
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
            "indexoptions",
            namespace,
            strategy,
            lambda item: reasons_of(item) == reasons,
            f"{reasons}",
        )
        assert condition_in(found)["reason"] == "IndexesNotReady"
        assert "'lost': AccessDenied" in condition_in(found)["message"]
        run = install(strategy, "mine")
        assert run.returncode != 0 and run.installed == set(), run.output
        assert "lost.unavailable.invalid" in run.output
        asked = world.index.requests()
        assert not [item for item in asked if "/packages/" in item.path or item.method == "CONNECT"]
        # Nobody's token is sent where the lost one's would have gone.
        assert not [item for item in asked if item.path.startswith("/pypi/lost")]
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
        lambda item: condition_in(item, "DependencyConfusionRisk") == {}, "without the risk",
    )  # fmt: skip


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
        "indexoptions",
        refused,
        "uv-config",
        lambda item: reasons_of(item) == refusals,
        f"{refusals}",
    )
    for name in refusals:
        ready = world.wait_condition(
            "artifactindex", refused, name, reason="OperatorIdentityNotAllowed"
        )
        for part in (f"'{refused}'", "auth.secretRef", "--operator-identity-namespace"):
            assert part in ready["message"]
        assert world.condition("artifactindex", refused, name, "Stalled")["status"] == "True"
        blocked = blocked_at(name, refused)
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
