"""The models: parsing what the API server stores, rules, selectors, durations, times, errors."""

import json
import tracemalloc
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from artifact_index.api import interning
from artifact_index.api.artifact_index import ArtifactIndexSpec, ArtifactIndexStatus
from artifact_index.api.base import ApiModel, SpecError, parse_spec
from artifact_index.api.duration import GoDuration
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.labels import LabelSelector
from artifact_index.api.sources.anonymous import AnonymousSource
from artifact_index.api.sources.basic_auth import BasicAuthSource
from artifact_index.api.sources.code_artifact import CodeArtifactSource
from artifact_index.api.sources.google_artifact_registry import GoogleArtifactRegistrySource
from artifact_index.api.sources.preauthenticated import PreauthenticatedSource
from artifact_index.api.timestamps import format_time, parse_time
from artifact_index.crdgen.kinds import KINDS
from support.api_case import BASES, Case
from support.api_cases import ACCEPTED, REFUSED

pytestmark = pytest.mark.unit

MODELS: dict[str, type[ApiModel]] = {kind.kind: kind.spec for kind in KINDS}


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_what_the_api_server_accepts_parses(case: Case) -> None:
    parse_spec(MODELS[case.kind], case.spec)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_the_api_server_refuses_is_a_spec_error_at_the_same_field(case: Case) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(MODELS[case.kind], case.spec)
    problems = {problem.field_path: problem.message for problem in caught.value.problems}
    where = {case.refused_at, f"{case.refused_at}.a b", f"{case.refused_at}.a;b"} & set(problems)
    where |= {path for path in problems if path.startswith(f"{case.refused_at}.aaa")}
    assert where
    if case.says.startswith("must not") or case.says.startswith("must set"):
        assert case.says in problems[case.refused_at]


@pytest.mark.parametrize("base", BASES)
def test_a_model_gives_back_what_it_was_parsed_from(base: str) -> None:
    kind, spec = BASES[base]
    # Equal parts are one object, also of a spec that writes out its defaults.
    interning._first.cache_clear()
    model = MODELS[kind].model_validate(spec)
    again = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert again == json.loads(json.dumps(spec))
    assert MODELS[kind].model_validate(again) == model


@pytest.mark.parametrize(
    ("base", "source"),
    [
        ("code-artifact", CodeArtifactSource),
        ("google", GoogleArtifactRegistrySource),
        ("preauthenticated", PreauthenticatedSource),
        ("basic", BasicAuthSource),
        ("anonymous", AnonymousSource),
    ],
)
def test_the_source_is_the_one_that_is_set(base: str, source: type[ApiModel]) -> None:
    assert type(parse_spec(ArtifactIndexSpec, BASES[base][1]).source) is source


def test_acronyms_keep_their_spelling_and_python_names_work_as_well() -> None:
    spec = parse_spec(
        ArtifactIndexSpec,
        Case("", "code-artifact", {"codeArtifact.auth.secretRef.accessKeyIDKey": "id"}).spec,
    )
    assert spec.code_artifact is not None and spec.code_artifact.auth is not None
    assert spec.code_artifact.auth.secret_ref is not None
    assert spec.code_artifact.auth.secret_ref.access_key_id_key == "id"
    assert ArtifactIndexSpec(anonymous=AnonymousSource(url="https://h/")).priority == 100


def test_models_are_immutable_and_ignore_what_a_newer_crd_knows() -> None:
    spec = parse_spec(ArtifactIndexSpec, {"anonymous": {"url": "https://h/", "proxy": "p"}})
    with pytest.raises(ValidationError):
        spec.priority = 1  # type: ignore[misc]


def test_an_empty_index_options_has_the_documented_defaults() -> None:
    spec = parse_spec(IndexOptionsSpec, None)
    (output,) = spec.outputs_of("uv-config")
    assert (output.kind, output.name, output.formats) == ("Secret", "uv-config", ("UvToml",))
    assert spec.public_index.enabled and spec.public_index.url is None
    assert spec.max_build_duration.seconds == 1800
    assert spec.selects(None) and spec.selects({"any": "thing"})


@pytest.mark.parametrize("model", [kind.status for kind in KINDS])
def test_the_status_of_an_unseen_object_parses(model: type[ArtifactIndexStatus]) -> None:
    assert model.model_validate({"observedGeneration": -1}).observed_generation == -1


@given(st.text(min_size=8).filter(lambda text: text.strip()))
def test_an_error_never_repeats_a_value(secret: str) -> None:
    canary = f"canary-{secret}"
    documents: list[dict[str, Any]] = [
        {"anonymous": {"url": f"https://{canary}@h/"}, "name": canary + "_"},
        {"basicAuth": {"url": canary, "username": canary + ":", "secretRef": canary}},
        {"codeArtifact": {"domain": canary, "tokenDuration": canary, "auth": [canary]}},
        {"whenUnavailable": canary, "priority": canary, "ignoreErrorCodes": [canary]},
    ]
    for document in documents:
        with pytest.raises(SpecError) as caught:
            parse_spec(ArtifactIndexSpec, document)
        assert "canary" not in f"{caught.value!r} {caught.value.problems!r}"
        assert caught.value.__cause__ is None and caught.value.__suppress_context__


@pytest.mark.parametrize("host", ["[:::]", "[1.2.3.4]", "[12345::]"])
def test_an_address_that_is_none_is_left_to_the_models(host: str) -> None:
    with pytest.raises(SpecError, match="must be a URL with a host"):
        parse_spec(ArtifactIndexSpec, {"anonymous": {"url": f"https://{host}/simple/"}})
    google = {"project": "acme-build", "location": "us", "repository": "python"}
    with pytest.raises(SpecError, match="must be a host with at most a port"):
        parse_spec(ArtifactIndexSpec, {"googleArtifactRegistry": google | {"host": host}})


@given(st.text(alphabet="htps:/[]@?#\\\\.a1-%\t é", max_size=30))
def test_every_url_that_passes_splits_without_surprise(rest: str) -> None:
    url = "https://" + rest
    try:
        parse_spec(ArtifactIndexSpec, {"anonymous": {"url": url}})
    except SpecError:
        return
    parts = urlsplit(url)
    assert parts.hostname and parts.scheme == "https"
    assert parts.port is None or 0 < parts.port < 65536
    assert (parts.username, parts.password, parts.query, parts.fragment) == (None, None, "", "")
    assert parts.geturl() == url


@pytest.mark.parametrize("raw", ["text", 7, ["list"]])
def test_a_spec_that_is_no_object_is_a_spec_error(raw: Any) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(IndexOptionsSpec, raw)
    assert caught.value.field_path == "spec"


@pytest.mark.parametrize(
    ("selector", "labels", "selected"),
    [
        ({}, {}, True),
        ({"matchLabels": {"env": "prod"}}, {"env": "prod", "team": "a"}, True),
        ({"matchLabels": {"env": "prod"}}, {"env": "dev"}, False),
        ({"matchLabels": {"env": ""}}, {}, False),
        ({"matchLabels": {"env": "prod", "team": "a"}}, {"env": "prod"}, False),
        (("In", ["a", "b"]), {"team": "b"}, True),
        (("In", ["a", "b"]), {"team": "c"}, False),
        (("In", [""]), {}, False),
        (("NotIn", ["a"]), {"team": "b"}, True),
        (("NotIn", ["a"]), {"team": "a"}, False),
        (("NotIn", ["a"]), {}, True),
        (("Exists", []), {"team": ""}, True),
        (("Exists", []), {}, False),
        (("DoesNotExist", []), {}, True),
        (("DoesNotExist", []), {"team": ""}, False),
    ],
)
def test_selectors_mean_what_kubernetes_means(
    selector: Any, labels: dict[str, str], selected: bool
) -> None:
    if isinstance(selector, tuple):
        operator, values = selector
        selector = {"matchExpressions": [{"key": "team", "operator": operator, "values": values}]}
    assert LabelSelector.model_validate(selector).matches(labels) is selected


@pytest.mark.parametrize(
    ("text", "exact", "whole"),
    [
        ("0s", "0", 0),
        ("30m", "1800", 1800),
        ("1h30m", "5400", 5400),
        ("12h", "43200", 43200),
        ("0.5h", "1800", 1800),
        ("1500ms", "1.5", 2),
        ("1m1m", "120", 120),
    ],
)
def test_a_duration_is_kept_as_written_and_counted_as_go_counts(
    text: str, exact: str, whole: int
) -> None:
    spec = IndexOptionsSpec.model_construct(max_build_duration=GoDuration(text))
    duration = spec.max_build_duration
    assert (duration, duration.exact_seconds, duration.seconds) == (text, Decimal(exact), whole)


@given(st.integers(min_value=0, max_value=4_102_444_800))
def test_a_time_survives_its_text(seconds: int) -> None:
    assert parse_time(format_time(seconds)) == seconds
    assert format_time(seconds + 0.9) == format_time(seconds)


def test_times_with_an_offset_are_read_and_others_refused() -> None:
    assert parse_time("2026-01-02T04:04:05.7+01:00") == parse_time("2026-01-02T03:04:05Z")
    for text in ("2026-01-02T03:04:05", "soon", ""):
        with pytest.raises(ValueError):
            parse_time(text)


def test_a_spec_takes_less_than_two_kibibytes() -> None:
    documents = [BASES["code-artifact"][1] for _ in range(1000)]
    tracemalloc.start()
    held = [parse_spec(ArtifactIndexSpec, document) for document in documents]
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / len(held) < 2048
