"""What holds for every kind of source."""

from dataclasses import replace
from typing import Any

import pytest

from artifact_index.api.artifact_index import ArtifactIndexSpec, Sources
from artifact_index.sources.base import Source
from artifact_index.sources.cloud import CloudSource
from artifact_index.sources.registry import (
    BY_MODEL,
    CLOUDS,
    of,
    secret_use,
    service_account_name,
)
from support.reconcile_builders import (
    BY_ACCOUNT,
    SECRET_OF,
    SOURCES,
    destination,
    index,
    inputs_of,
    resolved,
    source,
)
from support.sources import resolve, source_of

pytestmark = pytest.mark.unit

UPLOADS = {"azureArtifacts": "upload"}
"""Where the API for uploads is, below the place of `simple/`."""


def spec_of(spec: dict[str, Any]) -> ArtifactIndexSpec:
    record = index(spec=spec)
    assert record.spec is not None
    return record.spec


def test_every_source_of_the_api_has_its_kind() -> None:
    assert {kind.field for kind in BY_MODEL.values()} == {f"spec.{kind}" for kind in SOURCES}
    assert len(BY_MODEL) == len(Sources.model_fields) == len(SOURCES)


@pytest.mark.parametrize("kind", SOURCES)
def test_a_spec_has_the_source_of_its_kind(kind: str) -> None:
    spec = spec_of(source(kind))
    found = of(spec)
    assert found.field == f"spec.{kind}"
    assert found.model is spec.source


@pytest.mark.parametrize("kind", SOURCES)
def test_every_field_that_a_source_names_is_its_own(kind: str) -> None:
    fields = named_fields(source_of(source(kind)))
    assert all(field.startswith(f"spec.{kind}.") for field in fields)


def named_fields(found: Source[Any]) -> list[str]:
    uses = [use.field for use in (found.secret(), found.service_account()) if use]
    return [*uses, *(name for name, _ in [*found.urls(), *found.hosts(), *found.cloud_names()])]


@pytest.mark.parametrize("kind", SOURCES)
def test_the_secret_that_a_source_reads_is_known(kind: str) -> None:
    spec = spec_of(source(kind))
    use = secret_use(spec)
    assert (use.name if use else None) == SECRET_OF.get(kind)
    assert service_account_name(spec) == ("builder" if kind == "tokenExchange" else None)


def test_an_unreadable_spec_refers_to_nothing() -> None:
    assert secret_use(None) is None and service_account_name(None) is None


@pytest.mark.parametrize("kind", SOURCES)
def test_the_spec_tells_the_url_unless_somebody_has_to_be_asked(kind: str) -> None:
    asked = kind in ("codeArtifact", "preauthenticated")
    url = source_of(source(kind)).url()
    assert url == (None if asked else resolve(source(kind)).url)


@pytest.mark.parametrize("kind", SOURCES)
def test_a_destination_is_of_the_place_and_not_of_who_logs_in(kind: str) -> None:
    spec = source(kind)
    found = destination(spec_of(spec))
    assert found == destination(spec_of({**spec, "priority": 1, "explicit": True}))
    others = {destination(spec_of(source(other))) for other in SOURCES if other != kind}
    assert found not in others


@pytest.mark.parametrize("kind", SOURCES)
def test_a_status_shows_the_whole_url_unless_it_is_a_secret(kind: str) -> None:
    url = "https://Whole.example/secret/simple/?key=x"
    shown = "https://whole.example" if kind == "preauthenticated" else url
    assert source_of(source(kind)).shown_url(url) == shown
    assert source_of(source(kind)).shown_url(None) is None


@pytest.mark.parametrize("kind", SOURCES)
def test_uploads_go_where_the_api_says_that_they_can(kind: str) -> None:
    found = source_of(source(kind))
    url = found.publish_url("https://a.example/pypi/p/simple/")
    assert (url is not None) is found.model.knows_where_to_publish
    assert url in (None, f"https://a.example/pypi/p/{UPLOADS.get(kind, '')}")


@pytest.mark.parametrize("kind", SOURCES)
def test_only_a_source_without_a_login_is_resolved_without_one(kind: str) -> None:
    found = resolve(source(kind))
    with_login = found.credentialed or found.verbatim_url is not None
    assert with_login is source_of(source(kind)).model.has_login


@pytest.mark.parametrize("kind", SECRET_OF)
def test_nothing_is_resolved_without_the_secret(kind: str) -> None:
    inputs = replace(inputs_of(index(spec=source(kind))), secret=None)
    with pytest.raises(ValueError, match="without its Secret"):
        resolved(inputs)


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.provider)
def test_clouds_have_requests_by_the_name_that_metrics_show(cloud: type[CloudSource[Any]]) -> None:
    token = resolve(source(cloud.field.removeprefix("spec."))).token
    assert token is not None and token.provider == f"{cloud.provider}-token"


@pytest.mark.parametrize("auth", [None, {"operatorIdentity": {}}], ids=["no auth", "own"])
@pytest.mark.parametrize(
    "cloud",
    [cloud for cloud in CLOUDS if cloud.field not in BY_ACCOUNT],
    ids=lambda cloud: cloud.provider,
)
def test_without_a_login_of_its_own_a_cloud_takes_the_operators(
    cloud: type[CloudSource[Any]], auth: Any
) -> None:
    kind = cloud.field.removeprefix("spec.")
    found = source_of(source(kind, auth=auth))
    assert found.uses_operator_identity() and found.secret() is None
    assert not source_of(source(kind)).uses_operator_identity()


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.provider)
def test_a_service_account_without_its_object_is_never_resolved(
    cloud: type[CloudSource[Any]],
) -> None:
    reference = {"name": "builder"}
    if cloud.provider == "google":
        reference["gkeCluster"] = "projects/acme/locations/europe-west1/clusters/main"
    spec = source(cloud.field.removeprefix("spec."), auth={"serviceAccountRef": reference})
    use = source_of(spec).service_account()
    assert use is not None and use.name == "builder"
    assert use.field == f"{cloud.field}.auth.serviceAccountRef"
    assert service_account_name(spec_of(spec)) == "builder"
    with pytest.raises(TypeError, match="without its ServiceAccount"):
        resolve(spec, account=None)
