"""The chain of checks: its order, and messages with the object, the field and the next step."""

from dataclasses import replace
from typing import Any

import pytest

from artifact_index.crdgen.reason_docs import REASONS
from artifact_index.reconcile.resolve.checks import kind_is_satisfied, values_are_text
from artifact_index.sources.policy import Problem
from support.reconcile_builders import (
    CANARY,
    POLICY,
    SECRET_OF,
    SECRETS,
    SOURCES,
    first_problem,
    index,
    inputs_of,
    source,
)
from support.sources import resolve

pytestmark = pytest.mark.unit

STRICT = replace(POLICY, operator_identity=False)
URL_FIELDS = {
    "spec.codeArtifact.endpoint": source("codeArtifact", endpoint="http://in.example/"),
    "spec.googleArtifactRegistry.host": source("googleArtifactRegistry", host="http://in.example"),
    "spec.basicAuth.url": source("basicAuth", url="http://in.example/"),
    "spec.anonymous.url": source("anonymous", url="http://in.example/"),
}


def check(spec: dict[str, Any], **gathered: Any) -> Problem | None:
    """The first violation of the whole chain."""
    record = index(spec=spec)
    inputs = inputs_of(record, **gathered) if record.spec is not None else None
    return first_problem(record, inputs)


def found(problem: Problem | None) -> Problem:
    assert problem is not None
    return problem


@pytest.mark.parametrize("kind", SOURCES)
def test_a_usable_source_passes_every_check(kind: str) -> None:
    assert check(source(kind)) is None


@pytest.mark.parametrize(("field", "spec"), URL_FIELDS.items(), ids=URL_FIELDS)
def test_http_needs_the_administrators_leave(field: str, spec: dict[str, Any]) -> None:
    problem = found(check(spec))
    assert (problem.reason, problem.stalled) == ("InsecureURL", True)
    assert field in problem.message and "--allow-http" in problem.message

    assert check(spec, policy=replace(POLICY, allow_http=True)) is None


@pytest.mark.parametrize("kind", ["codeArtifact", "googleArtifactRegistry"])
@pytest.mark.parametrize("auth", [None, {"operatorIdentity": {}}])
def test_the_operators_identity_needs_consent(kind: str, auth: Any) -> None:
    spec = source(kind, auth=auth)
    assert check(spec) is None

    problem = found(check(spec, policy=STRICT))
    assert (problem.reason, problem.stalled) == ("OperatorIdentityNotAllowed", True)
    for part in (
        f"spec.{kind} ",
        "'builders'",
        f"spec.{kind}.auth.secretRef",
        "--operator-identity-namespaces",
    ):
        assert part in problem.message


@pytest.mark.parametrize("kind", SOURCES)
def test_a_login_of_ones_own_needs_no_consent(kind: str) -> None:
    assert check(source(kind), policy=STRICT) is None


MISSING = [(kind, key) for kind, secret in SECRET_OF.items() for key in (None, *SECRETS[secret])]


@pytest.mark.parametrize(("kind", "key"), MISSING)
@pytest.mark.parametrize(("seconds", "stalled"), [(0, False), (299, False), (300, True)])
def test_a_missing_secret_or_key_is_waited_for_and_then_the_users(
    kind: str, key: str | None, seconds: int, stalled: bool
) -> None:
    name = SECRET_OF[kind]
    values = {known: value for known, value in SECRETS[name].items() if known != key}
    problem = found(check(source(kind), values=values, missing=key is None, missing_for=seconds))

    assert problem.reason == ("SecretNotFound" if key is None else "SecretKeyMissing")
    assert problem.stalled is stalled
    assert repr(name) in problem.message
    assert f"spec.{kind}." in problem.message and "ecretRef" in problem.message
    assert key is None or repr(key) in problem.message
    assert ("Stalled if it is missing at 1970-01-01T00:0" in problem.message) is not stalled


def test_a_session_token_that_the_spec_names_has_to_be_there() -> None:
    spec = source("codeArtifact", auth={"secretRef": {"name": "aws-key", "sessionTokenKey": "T"}})
    problem = found(check(spec, values=SECRETS["aws-key"]))
    assert problem.reason == "SecretKeyMissing" and "'T'" in problem.message


def test_an_emptied_key_counts_as_missing() -> None:
    # Emptying a value revokes it as deleting it does.
    values = {**SECRETS["basic"], "password": ""}
    problem = found(check(source("basicAuth"), values=values))
    assert (problem.reason, problem.stalled) == ("SecretKeyMissing", False)
    assert "'password'" in problem.message


BAD_VALUES = {
    "binary password": ("basicAuth", {"password": b"\xff"}, "not UTF-8"),
    "binary session token": ("codeArtifact", {"TOKEN": b"\xff"}, "not UTF-8"),
    "line break at the end": ("basicAuth", {"password": f"{CANARY}\n"}, "line break"),
    "line break in an AWS key": ("codeArtifact", {"AWS_ACCESS_KEY_ID": "a\nb"}, "line break"),
    "echo": ("basicAuth", {"password": f"{CANARY}\n"}, "at its end (`echo` adds one"),
    "Windows": ("basicAuth", {"password": f"{CANARY}\r\n"}, "Windows) at its end"),
    "tab": ("basicAuth", {"username": f"a\t{CANARY}"}, "a tab within it"),
    "NUL": ("basicAuth", {"username": f"\0{CANARY}"}, "a control character at its beginning"),
    "DEL": ("basicAuth", {"password": f"{CANARY}\x7f"}, "a control character within it"),
    "mark": ("basicAuth", {"password": f"\ufeff{CANARY}"}, "byte order mark at its beginning"),
    "last mark": ("basicAuth", {"password": f"{CANARY}\ufeff"}, "byte order mark at its end"),
    "mark of a key": ("codeArtifact", {"AWS_ACCESS_KEY_ID": f"\ufeff{CANARY}"}, "byte order mark"),
    "mark of a file": ("googleArtifactRegistry", {"key.json": "\ufeff{}"}, "byte order mark"),
    "escape in a file": ("googleArtifactRegistry", {"key.json": "{\x1b}"}, "control character"),
    "mark of a URL": ("preauthenticated", {"url": "\ufeffhttps://h/"}, "byte order mark"),
    "blank after a URL": ("preauthenticated", {"url": "https://h/ "}, "white space at its end"),
    "quoted URL": ("preauthenticated", {"url": "'https://h/'"}, "quotes around it"),
    "quoted key": ("codeArtifact", {"AWS_SECRET_ACCESS_KEY": f'"{CANARY}"'}, "quotes around it"),
    "one quote": ("codeArtifact", {"AWS_SECRET_ACCESS_KEY": f'"{CANARY}'}, "no AWS key has"),
    "blank in a key": ("codeArtifact", {"AWS_ACCESS_KEY_ID": f"a {CANARY}"}, "no AWS key has"),
    "blank key": ("codeArtifact", {"AWS_ACCESS_KEY_ID": " \n"}, "is empty"),
    "colon in a user name": ("basicAuth", {"username": f"a:{CANARY}"}, "colon"),
    "no URL": ("preauthenticated", {"url": CANARY}, "not absolute"),
    "a URL with a blank": ("preauthenticated", {"url": f"https://u:{CANARY} @h/"}, "white space"),
    "a URL without host": ("preauthenticated", {"url": f"https://{CANARY}@/simple/"}, "no host"),
}


@pytest.mark.parametrize(("kind", "values", "why"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_an_unusable_value_names_secret_key_and_reason_but_never_itself(
    kind: str, values: dict[str, Any], why: str
) -> None:
    name = SECRET_OF[kind]
    spec = source(kind)
    if "TOKEN" in values:
        spec[kind]["auth"] = {"secretRef": {"name": name, "sessionTokenKey": "TOKEN"}}
    problem = found(check(spec, values={**SECRETS[name], **values}))

    assert (problem.reason, problem.stalled) == ("InvalidSecretValue", True)
    assert repr(name) in problem.message and repr(next(iter(values))) in problem.message
    assert why in problem.message
    assert CANARY not in problem.message


def test_all_unusable_values_are_named_at_once() -> None:
    values = {"username": f"{CANARY}:", "password": f"{CANARY}\r"}
    message = found(check(source("basicAuth"), values=values)).message
    assert "'username'" in message and "colon" in message
    assert "'password'" in message and "carriage return" in message
    assert message.endswith("; correct the values") and CANARY not in message


def test_all_missing_keys_are_named_at_once() -> None:
    message = found(check(source("basicAuth"), values={"username": ""})).message
    wrong = (
        "has an empty key 'username' and has no key 'password'. It has the key username; add them"
    )
    assert wrong in message


@pytest.mark.parametrize("around", [" {}", "{}\n", "{}\r\n", "\t{} "])
def test_white_space_around_an_aws_key_is_no_part_of_it(around: str) -> None:
    values = {key: around.format(value) for key, value in SECRETS["aws-key"].items()}
    assert check(source("codeArtifact"), values=values) is None


@pytest.mark.parametrize(
    ("password", "note"),
    [
        (f" {CANARY}", "white space at its beginning"),
        (f"{CANARY} ", "white space at its end"),
        (f"{CANARY}\u00a0", "white space at its end"),
        (f'"{CANARY}"', "quotes around it"),
        (f"'{CANARY}'", "quotes around it"),
        (f"'{CANARY}\"", ""),
        ("'", ""),
        (f"{CANARY}'", ""),
        ("a b", ""),
        ("a\ufeffb", ""),
        ("größe", ""),
    ],
)
def test_a_legal_password_that_looks_like_a_slip_is_served_with_a_note(
    password: str, note: str
) -> None:
    values = {**SECRETS["basic"], "password": password}
    assert check(source("basicAuth"), values=values) is None
    login = resolve(source("basicAuth"), values=values)
    assert login.credential is not None
    assert login.credential.password.get_secret_value() == password
    assert (note in login.note and "'password'" in login.note) if note else not login.note
    assert CANARY not in login.note


def test_a_key_file_may_have_many_lines() -> None:
    assert "\n" in SECRETS["gcp-key"]["key.json"]
    assert check(source("googleArtifactRegistry")) is None


def test_a_literal_user_name_leaves_the_secrets_own_unread() -> None:
    values = {"password": "p", "username": "a:b"}
    assert check(source("basicAuth", username="ci"), values=values) is None
    assert found(check(source("basicAuth"), values=values)).reason == "InvalidSecretValue"


def test_an_insecure_url_in_a_secret_needs_the_administrators_leave() -> None:
    values = {"url": f"http://u:{CANARY}@whole.example/"}
    problem = found(check(source("preauthenticated"), values=values))
    assert (problem.reason, problem.stalled) == ("InsecureURL", True)
    assert "'url'" in problem.message and "'whole-url'" in problem.message
    assert CANARY not in problem.message

    allowed = replace(POLICY, allow_http=True)
    assert check(source("preauthenticated"), values=values, policy=allowed) is None


@pytest.mark.parametrize("end", ["cpu.html", "CPU.HTM", "cpu.html/", "cpu.html?a=b"])
def test_a_page_of_links_in_a_secret_needs_its_format(end: str) -> None:
    values = {"url": f"https://u:{CANARY}@whole.example/wheels/{end}"}
    problem = found(check(source("preauthenticated"), values=values))
    assert (problem.reason, problem.stalled) == ("InvalidSpec", True)
    assert "'url'" in problem.message and "spec.format to `flat`" in problem.message
    assert CANARY not in problem.message

    for known in ("flat", "simple"):
        spec = {**source("preauthenticated"), "format": known}
        assert check(spec, values=values) is None


@pytest.mark.parametrize("url", ["https://whole.html", "https://whole.example/a.html/simple/"])
def test_other_urls_in_a_secret_are_simple_indexes(url: str) -> None:
    assert check(source("preauthenticated"), values={"url": url}) is None


def test_an_output_is_no_source() -> None:
    problem = found(check(source("basicAuth"), secret_is_output=True))
    assert (problem.reason, problem.stalled) == ("SourceIsOutput", True)
    assert "'basic'" in problem.message and "spec.basicAuth.secretRef" in problem.message


def test_a_spec_that_cannot_be_read_is_named_by_its_field() -> None:
    problem = found(check(source("codeArtifact", region="Europe")))
    assert (problem.reason, problem.stalled) == ("InvalidSpec", True)
    assert "spec.codeArtifact.region" in problem.message


LADDER: list[tuple[str, dict[str, Any]]] = [
    ("InvalidSpec", {"spec": {"region": "Europe"}}),
    ("InsecureURL", {"spec": {"endpoint": "http://x.example/"}}),
    ("SourceIsOutput", {"secret_is_output": True}),
    ("SecretNotFound", {"missing": True}),
    ("SecretKeyMissing", {"values": {"AWS_ACCESS_KEY_ID": "a\nb"}}),
    ("InvalidSecretValue", {"values": {**SECRETS["aws-key"], "AWS_ACCESS_KEY_ID": "a\nb"}}),
]


@pytest.mark.parametrize("first", range(len(LADDER)))
def test_the_first_violation_wins(first: int) -> None:
    faults: dict[str, Any] = {}
    spec: dict[str, Any] = {}
    for _, fault in reversed(LADDER[first:]):
        faults |= {key: value for key, value in fault.items() if key != "spec"}
        spec |= fault.get("spec", {})

    assert found(check(source("codeArtifact", **spec), **faults)).reason == LADDER[first][0]


def test_the_operators_identity_is_judged_after_the_url() -> None:
    spec = source("codeArtifact", auth=None, endpoint="http://x.example/")
    assert found(check(spec, policy=STRICT)).reason == "InsecureURL"


def test_every_reason_of_a_check_is_in_the_table() -> None:
    kinds = {str(reason): doc.kinds for reason, doc in REASONS.items()}
    for reason, _ in [*LADDER, ("OperatorIdentityNotAllowed", {})]:
        assert "ArtifactIndex" in kinds[reason]


@pytest.mark.parametrize("kind", SECRET_OF)
def test_values_are_not_judged_without_a_secret(kind: str) -> None:
    inputs = inputs_of(index(spec=source(kind)), missing=True)
    assert values_are_text(inputs) is None
    assert kind_is_satisfied(inputs) is None
