"""What is kept of an object, what a digest covers, and what a spec refers to."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.constants import ADOPT_ANNOTATION
from artifact_index.api.owners import Owner
from artifact_index.credentials.aws.requests import (
    CodeArtifactEndpointRequest,
    CodeArtifactTokenRequest,
)
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.requests import (
    Identity,
    OperatorIdentity,
    SecretIdentity,
    TokenRequest,
)
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import (
    OUR_ANNOTATIONS,
    ObjectRef,
    OutputRef,
    declared_outputs,
    parse_custom_object,
    parse_output,
)
from artifact_index.reconcile.cache.sources.parsing import parse_source_secret
from artifact_index.reconcile.cache.status_parsing import decoded_status
from support.output_builders import controller_of, output
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    NAMESPACE,
    body_of,
    index,
    options,
    secret_body,
    source,
)

pytestmark = pytest.mark.unit


# -- custom resources


def test_a_record_holds_what_decides_and_no_more() -> None:
    body = body_of("acme", source("anonymous"), labels={"env": "x"}, generation=4, version=17)
    body["metadata"]["managedFields"] = [{"x": "y"}]
    body["metadata"]["annotations"] = {"a": "b"}
    record = parse_custom_object(ArtifactIndexSpec, body)
    assert record.ref == ObjectRef(NAMESPACE, "acme")
    assert (record.uid, record.generation, record.resource_version) == ("uid-of-acme", 4, 17)
    assert record.labels == {"env": "x"} and record.problem is None
    assert decoded_status(record.status) == {"observedGeneration": -1}


@pytest.mark.parametrize("spec", [{}, {"anonymous": {"url": "x"}}, {"anonymous": None}])
def test_an_unusable_spec_is_a_problem_and_no_exception(spec: dict[str, Any]) -> None:
    record = parse_custom_object(ArtifactIndexSpec, body_of("acme", spec))
    assert record.spec is None and record.problem is not None


def test_the_spec_of_a_known_generation_is_not_read_again() -> None:
    body = body_of("acme", source("anonymous"), generation=4, version=17)
    known = parse_custom_object(ArtifactIndexSpec, body)
    echo = body_of("acme", source("anonymous"), generation=4, version=18, labels={"env": "x"})
    record = parse_custom_object(ArtifactIndexSpec, echo, known)
    assert record.spec is known.spec
    assert (record.resource_version, record.labels) == (18, {"env": "x"})


@pytest.mark.parametrize("change", [{"generation": 5}, {"uid": "another"}, {"generation": None}])
def test_the_spec_of_another_generation_or_object_is_read(change: dict[str, Any]) -> None:
    known = parse_custom_object(
        ArtifactIndexSpec, body_of("acme", source("anonymous"), generation=4)
    )
    body = body_of("acme", source("anonymous") | {"name": "other"}, generation=4)
    body["metadata"] |= change
    record = parse_custom_object(ArtifactIndexSpec, body, known)
    assert record.spec is not None and record.spec.name == "other"


@pytest.mark.parametrize("missing", ["spec", "status"])
def test_an_object_without_spec_or_status_has_a_record(missing: str) -> None:
    body = body_of("acme", source("anonymous"))
    body[missing] = None
    record = parse_custom_object(ArtifactIndexSpec, body)
    assert (record.spec is None) is (missing == "spec")
    assert decoded_status(record.status) == (
        {} if missing == "status" else {"observedGeneration": -1}
    )


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"version": 99999}, True),
        ({"version": 1}, False),
        ({"status": {"x": 1}}, True),
        ({"generation": 2}, False),
        ({"uid": "other"}, False),
        ({"labels": {"a": "b"}}, False),
    ],
)
def test_only_what_reconciling_reads_makes_a_difference(change: Any, same: bool) -> None:
    before = index()
    assert index(**change).same_input(before) is same
    assert not index().same_input(None)


# -- outputs


def test_of_an_output_only_a_digest_of_its_data_is_kept() -> None:
    record = output(data={"uv.toml": CANARY})
    assert CANARY not in repr(record)
    assert record.keys == {"uv.toml"}


def test_of_an_output_little_is_kept_whatever_somebody_wrote_into_it() -> None:
    body = secret_body("x", {f"key-{number}": "" for number in range(5000)})
    body["metadata"]["annotations"] = dict.fromkeys(
        (*OUR_ANNOTATIONS, ADOPT_ANNOTATION), "x" * 9000
    )
    assert len(repr(parse_output("Secret", body, DIGESTER))) < 32_000


@pytest.mark.parametrize(
    ("references", "owner"),
    [
        ([], None),
        ([{**controller_of(), "controller": False}], None),
        ([controller_of("a", "1")], Owner(True, "a", "1")),
        ([{**controller_of("a", "1"), "kind": "Deployment"}], Owner(False, "a", "1")),
        ([{**controller_of("a", "1"), "apiVersion": "x/v1"}], Owner(False, "a", "1")),
        (
            [{**controller_of("a", "1"), "controller": False}, controller_of("b", "2")],
            Owner(True, "b", "2"),
        ),
    ],
)
def test_the_controller_of_an_output_is_known(references: Any, owner: Owner | None) -> None:
    body = secret_body("x", {})
    body["metadata"]["ownerReferences"] = references
    assert parse_output("Secret", body, DIGESTER).controller == owner


def test_binary_data_of_a_config_map_counts() -> None:
    body = {"metadata": secret_body("x", {})["metadata"], "data": {"a": "b"}}
    plain = parse_output("ConfigMap", body, DIGESTER)
    more = parse_output("ConfigMap", {**body, "binaryData": {"c": "eA=="}}, DIGESTER)
    assert more.keys == {"a", "c"} and more.digest != plain.digest


def test_an_output_may_have_no_data_at_all() -> None:
    body = {"metadata": secret_body("x", {})["metadata"], "data": None}
    assert parse_output("ConfigMap", body, DIGESTER).keys == frozenset()


# -- source Secrets


def test_a_source_is_decoded_and_its_values_do_not_show() -> None:
    body = secret_body("s", {"a": CANARY, "b": "", "ü": "é", "bin": b"\xff\x00", "more": "x"})
    record = parse_source_secret(body, ["a", "b", "ü", "bin", "no"])
    assert {k: v.get_secret_value() for k, v in record.values.items()} == {
        "a": CANARY, "b": "", "ü": "é"
    }  # fmt: skip
    assert record.binary == {"bin"} and record.missing == {"no"}
    assert CANARY not in repr(record)


def test_what_is_no_base64_is_binary() -> None:
    body = {**secret_body("s", {}), "data": {"a": "x"}}
    assert parse_source_secret(body, ["a"]).binary == {"a"}


# -- digests

IDENTITIES: list[Identity] = [
    OperatorIdentity(),
    SecretIdentity("a", "u", "d"),
    SecretIdentity("b", "u", "d"),
    SecretIdentity("a", "v", "d"),
    SecretIdentity("a", "u", "e"),
]
REQUESTS: list[TokenRequest] = [
    *(GoogleTokenRequest(identity) for identity in IDENTITIES),
    *(CodeArtifactTokenRequest("r", "d", "o", 900, identity) for identity in IDENTITIES),
    CodeArtifactTokenRequest("x", "d", "o", 900, OperatorIdentity()),
    CodeArtifactTokenRequest("r", "x", "o", 900, OperatorIdentity()),
    CodeArtifactTokenRequest("r", "d", "x", 900, OperatorIdentity()),
    CodeArtifactTokenRequest("r", "d", "o", 901, OperatorIdentity()),
    *(CodeArtifactEndpointRequest("r", "d", "o", "p", "IPv4", identity) for identity in IDENTITIES),
    CodeArtifactEndpointRequest("r", "d", "o", "x", "IPv4", OperatorIdentity()),
    CodeArtifactEndpointRequest("r", "d", "o", "p", "DualStack", OperatorIdentity()),
]


def test_every_input_of_a_login_is_in_its_digest() -> None:
    digests = [DIGESTER.request(request) for request in REQUESTS]
    assert len(set(digests)) == len(REQUESTS)


def test_a_digest_is_the_same_in_another_process_and_needs_the_key() -> None:
    again, other = Digester(b"k" * 32), Digester(b"K" * 32)
    ways: list[Callable[[Digester], str]] = [
        lambda d: d.request(REQUESTS[0]),
        lambda d: d.material({"a": "b"}),
        lambda d: d.destination("a", None),
        lambda d: d.output(OutputRef("Secret", "n", "o"), {"a": "b"}, "s"),
    ]
    for made in ways:
        assert made(DIGESTER) == made(again) != made(other)
        assert len(made(DIGESTER)) == 22


TEXT = st.text(max_size=3)
PLACES = st.builds(OutputRef, st.sampled_from(["Secret", "ConfigMap"]), TEXT, TEXT)
CONTENTS = st.tuples(PLACES, st.dictionaries(TEXT, TEXT, max_size=2), TEXT)


@given(one=CONTENTS, other=CONTENTS)
def test_the_digest_of_an_output_covers_place_data_and_trace(one: Any, other: Any) -> None:
    assert (DIGESTER.output(*one) == DIGESTER.output(*other)) is (one == other)


@given(one=st.lists(TEXT | st.none()), other=st.lists(TEXT | st.none()))
def test_scopes_are_one_only_where_all_parts_are(one: list[Any], other: list[Any]) -> None:
    assert (DIGESTER.destination(*one) == DIGESTER.destination(*other)) is (one == other)


def test_no_kind_of_digest_passes_for_another() -> None:
    digests = {
        DIGESTER.material({}),
        DIGESTER.destination({}),
        DIGESTER.destination(),
        DIGESTER.output(OutputRef("Secret", "n", "o"), {}, ""),
    }
    assert len(digests) == 4


# -- declared outputs


def test_an_unreadable_spec_declares_nothing() -> None:
    assert list(declared_outputs(options(spec={"outputs": "x"}))) == []


def test_without_outputs_one_secret_of_the_same_name_is_declared() -> None:
    assert list(declared_outputs(options("o"))) == [OutputRef("Secret", NAMESPACE, "o")]


def test_every_output_is_declared() -> None:
    outputs = [
        {"kind": kind, "name": name}
        for kind, name in itertools.product(("Secret", "ConfigMap"), ("a", "b"))
    ]
    found = list(declared_outputs(options(spec={"outputs": outputs})))
    assert found == [OutputRef(output["kind"], NAMESPACE, output["name"]) for output in outputs]
