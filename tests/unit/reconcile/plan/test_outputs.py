"""Outputs: what is written, what is not, and when nothing has to be."""

import base64
import inspect
import json
import tomllib
from dataclasses import replace
from typing import Any, get_type_hints

import pytest

from artifact_index.api.constants import (
    ADOPT_ANNOTATION,
    CHECKPOINT_ANNOTATION,
    CONTENT_DIGEST_ANNOTATION,
    EXPIRES_AT_ANNOTATION,
    OWNER_ANNOTATION,
    OWNER_UID_ANNOTATION,
    REFRESH_AT_ANNOTATION,
)
from artifact_index.formats import registry as formats_module
from artifact_index.formats.base import PublicContent, SensitiveContent
from artifact_index.kube.merge_patch import merge_patched
from artifact_index.reconcile.cache.objects import OutputObject, parse_output
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import (
    DesiredOutput,
    desired_outputs,
    release_patch,
)
from artifact_index.reconcile.plan.sizes import LARGEST_ANNOTATIONS, LARGEST_OUTPUT
from artifact_index.reconcile.resolve.resolution import SelectedIndex
from support.output_builders import controller_of, output, stored, stored_record
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    HOUR,
    NAMESPACE,
    NOW,
    OPTIONS_UID,
    SOURCES,
    index,
    index_state,
    issued_token,
    options,
    plans_from,
    source,
    token_state_of,
)

pytestmark = pytest.mark.unit

BOTH = {"outputs": [{"kind": "Secret", "name": "s"}, {"kind": "ConfigMap", "name": "c"}]}


def desired(
    *plans: IndexPlan, spec: dict[str, Any] | None = None, digester: Any = DIGESTER
) -> list[DesiredOutput]:
    made, problem = desired_outputs(options(spec=spec), plans, digester)
    assert problem is None
    return made


def one_of(*plans: IndexPlan, **how: Any) -> DesiredOutput:
    (made,) = desired(*plans, **how)
    return made


def all_plans() -> list[IndexPlan]:
    """An index of every kind, each with its login."""
    return plans_from(*(index_state(index(kind.lower(), source(kind))) for kind in SOURCES))


def text_of(made: DesiredOutput) -> str:
    text = made.data["uv.toml"]
    return base64.b64decode(text).decode() if made.ref.kind == "Secret" else text


def dumped(value: object) -> str:
    """Everything that would go over the wire, base64 decoded beside it."""
    text = json.dumps(value)
    parts = [text]
    if isinstance(value, dict):
        for encoded in (value.get("data") or {}).values():
            parts.append(base64.b64decode(encoded, validate=False).decode(errors="replace"))
    return "\n".join(parts)


# -- what is written


def test_without_outputs_one_secret_is_named_like_the_object() -> None:
    made = one_of(*all_plans())
    assert made.ref == ("Secret", NAMESPACE, "uv-config")
    assert list(made.data) == ["uv.toml"]


def test_a_secret_is_opaque_and_has_labels_owner_and_nothing_of_the_custom_resource() -> None:
    record = options(labels={"app.kubernetes.io/instance": "argo"})
    ((made,), _) = desired_outputs(record, all_plans(), DIGESTER)
    body = made.creation()
    assert body["type"] == "Opaque"
    assert body["metadata"]["labels"] == {
        "artifactindex.dev/role": "output",
        "app.kubernetes.io/managed-by": "artifact-index-operator",
    }
    (owner,) = body["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == (
        OPTIONS_UID,
        True,
        False,
    )


def test_retain_leaves_the_owner_reference_out_and_keeps_the_marks() -> None:
    made = one_of(*all_plans(), spec={"deletionPolicy": "Retain"})
    assert "ownerReferences" not in made.creation()["metadata"]
    marks = made.creation()["metadata"]["annotations"]
    assert (marks[OWNER_ANNOTATION], marks[OWNER_UID_ANNOTATION]) == ("uv-config", OPTIONS_UID)


def test_an_output_tells_its_first_expiry_and_refresh() -> None:
    short = token_state_of(issued_token(life=6 * HOUR))
    index_states = [
        index_state(index("long", source("codeArtifact"))),
        index_state(index("short", source("googleArtifactRegistry")), token=short),
    ]
    for made in desired(*plans_from(*index_states), spec=BOTH):
        if made.ref.kind == "Secret":
            assert made.annotations[EXPIRES_AT_ANNOTATION] == "2027-01-15T14:00:00Z"
            assert made.annotations[REFRESH_AT_ANNOTATION] < "2027-01-15T14:00:00Z"
        else:
            assert EXPIRES_AT_ANNOTATION not in made.annotations
            assert REFRESH_AT_ANNOTATION not in made.annotations


def test_annotations_hold_digests_and_never_a_secret() -> None:
    for made in desired(*all_plans(), spec=BOTH):
        text = json.dumps(dict(made.annotations))
        assert CANARY not in text and "token-1" not in text


# -- credential-free content


def test_a_config_map_never_holds_a_credential() -> None:
    secret, config_map = desired(*all_plans(), spec=BOTH)
    assert CANARY in text_of(secret) and "token-1" in text_of(secret)
    wire = dumped(config_map.creation()) + dumped(config_map.patch(output(kind="ConfigMap")))
    assert CANARY not in wire and "token-1" not in wire
    assert len(tomllib.loads(text_of(config_map))["index"]) == 1 + len(SOURCES)


def test_the_writer_of_config_maps_takes_public_content_alone() -> None:
    writers = {
        name: get_type_hints(function)["content"]
        for name, function in inspect.getmembers(formats_module, inspect.isfunction)
        if "content" in inspect.signature(function).parameters
    }
    assert writers == {"_config_map_data": PublicContent, "_secret_data": SensitiveContent}


def test_nothing_that_is_desired_shows_its_data_in_a_repr() -> None:
    for made in desired(*all_plans(), spec=BOTH):
        assert "uv.toml" not in repr(made)


# -- too large


def open_indexes(count: int) -> list[SelectedIndex]:
    return [SelectedIndex.of(index(f"i{n}", source("anonymous"))) for n in range(count)]


def test_a_file_that_does_not_fit_is_not_written_and_the_others_are() -> None:
    # 1,000 tokens of 1,000 characters fit into no Secret; without them they fit a ConfigMap.
    token = token_state_of(issued_token("t" * 1000))
    source_of_all = index_state(index(spec=source("googleArtifactRegistry")), token=token)
    index_states = [
        replace(source_of_all, selected=SelectedIndex.of(index(f"i{n}", source("anonymous"))))
        for n in range(1000)
    ]
    made, problem = desired_outputs(options(spec=BOTH), plans_from(*index_states), DIGESTER)

    assert [output.ref.kind for output in made] == ["ConfigMap"]
    assert problem is not None
    assert (problem.reason, problem.stalled) == ("TargetTooLarge", True)
    assert "Secret 's'" in problem.message and "1000 indexes" in problem.message
    assert str(LARGEST_OUTPUT) in problem.message


def test_the_size_is_that_of_the_decoded_data() -> None:
    # 700 kB are 933 kB of base64: the limit of the API server is on the bytes.
    token = token_state_of(issued_token("t" * 1000))
    source_of_all = index_state(index(spec=source("googleArtifactRegistry")), token=token)
    index_states = [
        replace(source_of_all, selected=SelectedIndex.of(index(f"i{n}", source("anonymous"))))
        for n in range(600)
    ]
    made = one_of(*plans_from(*index_states))
    assert len(made.data["uv.toml"]) > LARGEST_OUTPUT > len(text_of(made)) > 600_000


def test_annotations_that_do_not_fit_are_too_large_as_well() -> None:
    index_states = [index_state(index(f"index-{n}", uid=f"{n:036}")) for n in range(3000)]
    made, problem = desired_outputs(options(), plans_from(*index_states), DIGESTER)
    assert made == []
    assert problem is not None and problem.reason == "TargetTooLarge"
    assert "annotations" in problem.message and str(LARGEST_ANNOTATIONS) in problem.message


# -- digests bound to their place


def test_the_same_file_elsewhere_has_another_digest() -> None:
    plans = all_plans()
    digests = {
        desired_outputs(record, plans, DIGESTER)[0][0].digest
        for record in (
            options(),
            options("other"),
            options(namespace="elsewhere"),
            options(spec={"outputs": [{"kind": "ConfigMap", "name": "uv-config"}]}),
        )
    }
    assert len(digests) == 4


# -- when nothing has to be written


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
def test_what_was_written_needs_no_write(policy: str) -> None:
    for made in desired(*all_plans(), spec={**BOTH, "deletionPolicy": policy}):
        assert made.is_met_by(stored_record(made))


def drifted(made: DesiredOutput, **metadata: Any) -> OutputObject:
    body = stored(made)
    body["metadata"] |= metadata
    return parse_output(made.ref.kind, body, DIGESTER)


def with_data(made: DesiredOutput, data: dict[str, str]) -> OutputObject:
    return parse_output(made.ref.kind, {**stored(made), "data": data}, DIGESTER)


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_every_drift_needs_a_write(kind: str) -> None:
    made = one_of(*all_plans(), spec={"outputs": [{"kind": kind, "name": "x"}]})
    annotations = stored(made)["metadata"]["annotations"]
    for what, existing in {
        "a changed file": with_data(made, {"uv.toml": "eA=="}),
        "a key more": with_data(made, {**made.data, "more": "eA=="}),
        "a key less": with_data(made, {}),
        "no label": drifted(made, labels={}),
        "another role": drifted(made, labels={"artifactindex.dev/role": "source"}),
        "no owner": drifted(made, ownerReferences=[]),
        "another owner": drifted(made, ownerReferences=[controller_of(uid="other")]),
        **{
            f"no {key}": drifted(
                made, annotations={k: v for k, v in annotations.items() if k != key}
            )
            for key in annotations
        },
        **{
            f"another {key}": drifted(made, annotations={**annotations, key: "x"})
            for key in annotations
        },
    }.items():
        assert not made.is_met_by(existing), what


def test_annotations_of_others_need_no_write() -> None:
    made = one_of(*all_plans())
    annotations = {**made.annotations, "team": "a", ADOPT_ANNOTATION: "uv-config"}
    assert made.is_met_by(drifted(made, annotations=annotations))


# -- patches


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_a_patch_makes_any_object_what_it_ought_to_be(kind: str, policy: str) -> None:
    spec = {"outputs": [{"kind": kind, "name": "x"}], "deletionPolicy": policy}
    tokens_before = one_of(*all_plans(), spec=spec)
    made = one_of(*plans_from(index_state(index())), spec=spec)
    body = stored(tokens_before)
    body["metadata"]["annotations"] |= {"team": "a", EXPIRES_AT_ANNOTATION: "x"}
    body["metadata"]["labels"] = {"team": "a"}
    body["metadata"]["ownerReferences"] = [controller_of()]
    body["data"] |= {"netrc": "eA==", "other": "eA=="}
    if kind == "ConfigMap":
        body["binaryData"] = {"blob": "eA=="}
    existing = parse_output(kind, body, DIGESTER)

    patched = merge_patched(body, made.patch(existing))

    assert patched["data"] == made.data and not patched.get("binaryData")
    assert made.is_met_by(parse_output(kind, patched, DIGESTER))
    assert EXPIRES_AT_ANNOTATION not in patched["metadata"]["annotations"]
    assert patched["metadata"]["annotations"]["team"] == "a"
    assert patched["metadata"]["labels"]["team"] == "a"


def test_a_patch_is_bound_to_the_object_that_was_seen() -> None:
    made = one_of(*all_plans())
    assert made.patch(output(uid="seen"))["metadata"]["uid"] == "seen"


def test_a_released_output_is_an_ordinary_object() -> None:
    made = one_of(*all_plans(), spec={"deletionPolicy": "Retain"})
    body = stored(made)
    released = merge_patched(body, release_patch(parse_output("Secret", body, DIGESTER)))
    assert released["data"] == body["data"]
    assert not released["metadata"]["labels"] and not released["metadata"]["annotations"]


# -- what a restart needs to know


def checkpoint_of(made: DesiredOutput) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(made.annotations[CHECKPOINT_ANNOTATION])
    return content


def test_tokens_of_one_login_with_different_times_are_told_apart() -> None:
    # A suspended index keeps the token that it had; its neighbour has been refreshed since.
    old, new = (
        token_state_of(issued_token("token-1")),
        token_state_of(issued_token("token-2", issued_at=NOW + HOUR)),
    )
    before = plans_from(index_state(index("a", source("googleArtifactRegistry")), token=old))
    served = {plan.selected.uid: plan.published for plan in before if plan.published}
    later = [
        index_state(index("a", {**source("googleArtifactRegistry"), "suspend": True})),
        index_state(index("b", source("googleArtifactRegistry", repository="other")), token=new),
    ]
    content = checkpoint_of(one_of(*plans_from(*later, served=served)))

    assert len(content["grants"]) == 1
    times = {
        item["uid"]: item.get("grant") or content["grants"][item["token"]]
        for item in content["indexes"].values()
    }
    assert times["uid-of-a"][:2] == [NOW, NOW + 12 * HOUR]
    assert times["uid-of-b"][:2] == [NOW + HOUR, NOW + 13 * HOUR]


def test_a_blocked_entry_is_not_in_the_checkpoint() -> None:
    plans = plans_from(index_state(index(spec=source("basicAuth")), missing=True))
    assert checkpoint_of(one_of(*plans))["indexes"] == {}


def test_the_content_digest_is_in_the_annotation() -> None:
    made = one_of(*all_plans())
    assert made.annotations[CONTENT_DIGEST_ANNOTATION] == made.digest == stored_record(made).digest
