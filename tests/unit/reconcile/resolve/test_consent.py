"""The administrator's consent and host list, and what a ServiceAccount has to have."""

from dataclasses import replace
from typing import Any

import pytest

from artifact_index.api.constants import EKS_ROLE_ANNOTATION
from artifact_index.reconcile.resolve.checks import public_index_problem
from artifact_index.settings import SettingError, load_settings
from artifact_index.sources.base import RefusedServiceAccount, SourceServiceAccount
from artifact_index.sources.policy import Problem, matches
from artifact_index.wiring import policy_of
from support.reconcile_builders import POLICY, first_problem, index, inputs_of, options, source

pytestmark = pytest.mark.unit

ROLE = "arn:aws:iam::111122223333:role/team-a/builders"
OWN: dict[str, Any] = {"operatorIdentity": {}}
DOMAIN = "arn:aws:codeartifact:eu-west-1:111122223333:domain/acme"
HOSTED = {
    "spec.codeArtifact.endpoint": source("codeArtifact", endpoint="https://pypi.acme.example/x/"),
    "spec.googleArtifactRegistry.host": source("googleArtifactRegistry", host="pypi.acme.example"),
    "spec.azureArtifacts.host": source("azureArtifacts", host="pypi.acme.example"),
    "spec.basicAuth.url": source("basicAuth", url="https://PyPI.acme.example:8443/"),
    "spec.anonymous.url": source("anonymous", url="https://pypi.acme.example/"),
}


def check(spec: dict[str, Any], **changes: Any) -> Problem | None:
    account = changes.pop("account", None)
    record = index(spec=spec)
    inputs = inputs_of(record, policy=replace(POLICY, **changes))
    return first_problem(record, replace(inputs, account=account))


@pytest.mark.parametrize(
    ("glob", "text", "fits"),
    [
        ("*", "anything:at/all", True),
        ("arn:aws:codeartifact:*:domain/acme", DOMAIN, True),
        ("arn:aws:codeartifact:*:domain/acm?", DOMAIN, True),
        ("arn:aws:codeartifact:*:domain/acm", DOMAIN, False),
        ("domain/acme", DOMAIN, False),
        ("acme.build", "acme-build", False),
        ("acme-[a-z]*", "acme-build", False),
        ("(", "(", True),
    ],
)
def test_globs_fit_the_whole_name_and_know_no_other_wildcards(
    glob: str, text: str, fits: bool
) -> None:
    assert matches(text, [glob]) is fits


@pytest.mark.parametrize(
    ("limits", "step", "refused"),
    [
        ((DOMAIN,), {}, None),
        (("*:domain/*",), {"assumeRole": {"roleARN": ROLE}}, "assumeRole.roleARN"),
        (("*:domain/*", "*:role/team-a/*"), {"assumeRole": {"roleARN": ROLE}}, None),
        (("arn:*:domain/others",), {}, "domain"),
    ],
)
def test_consent_for_aws_reaches_as_far_as_its_globs(
    limits: tuple[str, ...], step: dict[str, Any], refused: str | None
) -> None:
    problem = check(source("codeArtifact", auth=OWN, **step), operator_identity_limits=limits)
    assert (problem is None) == (refused is None)
    if problem is not None:
        assert problem.reason == "OperatorIdentityNotAllowed"
        assert problem.message.startswith(f"spec.codeArtifact.{refused} is beyond")
        assert "serviceAccountRef" in problem.message


@pytest.mark.parametrize(
    ("limits", "step", "refused"),
    [
        (("my-project",), {}, None),
        (("my-project",), {"serviceAccount": "a@b.example"}, "impersonate.serviceAccount"),
        (("my-*", "a@b.example"), {"serviceAccount": "a@b.example"}, None),
        (
            ("my-*", "a@b.example"),
            {"serviceAccount": "a@b.example", "delegates": ["c@d.example"]},
            "impersonate.delegates",
        ),
        (("other",), {}, "project"),
    ],
)
def test_consent_for_google_reaches_as_far_as_its_globs(
    limits: tuple[str, ...], step: dict[str, Any], refused: str | None
) -> None:
    spec = source("googleArtifactRegistry", auth=OWN, impersonate=step or None)
    problem = check(spec, operator_identity_limits=limits)
    assert (problem is None) == (refused is None)
    if problem is not None:
        assert problem.message.startswith(f"spec.googleArtifactRegistry.{refused} is beyond")


def test_globs_bound_nobody_who_logs_in_by_himself() -> None:
    assert check(source("codeArtifact"), operator_identity_limits=()) is None


@pytest.mark.parametrize(("field", "spec"), HOSTED.items(), ids=HOSTED)
def test_a_host_list_names_the_field_and_the_setting(field: str, spec: dict[str, Any]) -> None:
    assert check(spec) is None
    for allowed in (("pypi.acme.example", "pypi.acme.example:8443"), ("*.acme.example*",)):
        assert check(spec, allowed_hosts=allowed) is None
    for others in (("acme.example",), ("*.example.com",)):
        problem = check(spec, allowed_hosts=others)
        assert problem is not None
        assert (problem.reason, problem.stalled) == ("HostNotAllowed", True)
        assert field in problem.message and "--allowed-hosts" in problem.message


def test_a_host_in_a_secret_and_a_public_mirror_are_bound_too() -> None:
    problem = check(source("preauthenticated"), allowed_hosts=("pypi.acme.example",))
    assert problem is not None and problem.reason == "HostNotAllowed"
    assert "whole.example" not in problem.message, "the URL is a secret"
    spec = options(spec={"publicIndex": {"url": "https://mirror.example/simple/"}}).spec
    assert spec is not None
    mirror = public_index_problem(spec, replace(POLICY, allowed_hosts=("pypi.acme.example",)))
    assert mirror is not None and "spec.publicIndex.url" in mirror.message
    assert public_index_problem(spec, replace(POLICY, allowed_hosts=("mirror.*",))) is None


TAGGED = {"assumeRole": {"roleARN": ROLE, "tags": {"team": "a"}}}
RESERVED = {"assumeRole": {"roleARN": ROLE, "tags": {"ArtifactIndex.dev/Namespace": "b"}}}


@pytest.mark.parametrize("auth", [OWN, None])
@pytest.mark.parametrize(
    ("spec", "changes", "words"),
    [
        (TAGGED, {}, ("spec.codeArtifact.assumeRole.tags", "--operator-identity-tenant-tags")),
        (TAGGED, {"session_tags": True}, ("--operator-identity-tenant-tags",)),
        (TAGGED, {"tenant_tags": True}, None),
        (RESERVED, {"tenant_tags": True}, ("'artifactindex.dev/'", "only the operator")),
        ({"assumeRole": {"roleARN": ROLE, "externalID": "e-1"}}, {}, None),
    ],
)
def test_a_spec_tags_sessions_of_the_operators_identity_only_if_it_may(
    spec: dict[str, Any], changes: dict[str, bool], words: tuple[str, ...] | None, auth: Any
) -> None:
    problem = check(source("codeArtifact", auth=auth, **spec), **changes)
    assert (problem is None) == (words is None)
    if problem is not None:
        assert (problem.reason, problem.stalled) == ("OperatorIdentityNotAllowed", True)
        assert all(word in problem.message for word in (*(words or ()), "auth.secretRef"))


@pytest.mark.parametrize("given", [None, "true"])
def test_the_settings_of_tags_are_off_unless_they_are_given(given: str | None) -> None:
    names = ("operator_identity_session_tags", "operator_identity_tenant_tags")
    policy = policy_of(load_settings(dict.fromkeys(names, given), {}))("builders")
    assert policy.session_tags is policy.tenant_tags is (given is not None)


def test_whoever_logs_in_with_keys_of_his_own_sets_any_tags() -> None:
    for spec in (TAGGED, RESERVED):
        assert check(source("codeArtifact", **spec)) is None


@pytest.mark.parametrize(
    ("account", "reference", "reason", "words"),
    [
        (SourceServiceAccount("u", {EKS_ROLE_ANNOTATION: ROLE}), {}, None, ()),
        (SourceServiceAccount("u"), {"roleARN": ROLE}, None, ()),
        (SourceServiceAccount("u"), {}, "InvalidSpec", ("is not set", "roleARN")),
        (
            SourceServiceAccount("u", {EKS_ROLE_ANNOTATION: "nonsense"}),
            {},
            "InvalidSpec",
            ("not the ARN", "roleARN"),
        ),
        (None, {}, "ServiceAccountNotFound", ("'builder'", "does not exist")),
        (RefusedServiceAccount(), {}, "TokenRequestDenied", ("serviceaccounts/token",)),
    ],
)
def test_a_service_account_has_to_be_there_readable_and_to_have_a_role(
    account: Any, reference: dict[str, Any], reason: str | None, words: tuple[str, ...]
) -> None:
    auth = {"serviceAccountRef": {"name": "builder", **reference}}
    problem = check(source("codeArtifact", auth=auth), account=account)
    assert (problem.reason if problem else None) == reason
    for word in words:
        assert problem is not None and word in problem.message


@pytest.mark.parametrize(
    ("entries", "limits"),
    [
        ("team-a", ("*",)),
        ("team-b", ()),
        ("team-a=arn:*,team-a=acme-*,team-b", ("arn:*", "acme-*")),
    ],
)
def test_entries_of_one_namespace_add_up(entries: str, limits: tuple[str, ...]) -> None:
    settings = load_settings({"operator_identity_namespaces": [entries]}, {})
    assert settings.operator_identity_limits("team-a") == limits


@pytest.mark.parametrize("entry", ["*", "Team", "team-a=", "=arn:*", "a/b"])
def test_a_consent_that_is_no_consent_is_refused(entry: str) -> None:
    with pytest.raises(SettingError, match="NAMESPACE=GLOB"):
        load_settings({"operator_identity_namespaces": [entry]}, {})


def test_a_single_namespaces_installation_needs_no_entry() -> None:
    settings = load_settings({"namespaces": ["team-a"]}, {})
    assert settings.operator_identity_limits("team-a") == ("*",)
    assert settings.operator_identity_limits("team-b") == ()
