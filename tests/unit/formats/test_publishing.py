"""Where packages are uploaded to, for each source that takes uploads."""

from typing import Any

import pytest

from artifact_index.reconcile.resolve.checks import SPEC_CHECKS, first_violation
from support.reconcile_builders import (
    destination,
    index,
    index_state,
    inputs_of,
    plans_from,
    published_after,
    source,
    url_state,
)

pytestmark = pytest.mark.unit

UPLOAD = "https://basic.example/upload/"
BASIC = source("basicAuth", publishURL=UPLOAD)


def publish_url(spec: dict[str, Any]) -> str | None:
    endpoint = url_state("https://acme.example/pypi/python/")
    (one,) = plans_from(index_state(index("acme", spec), endpoint=endpoint))
    assert one.entry is not None
    return one.entry.publish_url


@pytest.mark.parametrize(
    ("spec", "url"),
    [
        (source("codeArtifact"), "https://acme.example/pypi/python/"),
        (source("codeArtifact", endpoint="https://vpc.example/x"), "https://vpc.example/x/"),
        (
            source("googleArtifactRegistry"),
            "https://europe-west1-python.pkg.dev/my-project/python/",
        ),
        (
            source("googleArtifactRegistry", host="psc.example:8443"),
            "https://psc.example:8443/my-project/python/",
        ),
        (BASIC, UPLOAD),
    ],
)
def test_uploads_go_to_the_index_url_without_simple_or_where_the_spec_says(
    spec: dict[str, Any], url: str
) -> None:
    assert publish_url({**spec, "publish": True}) == url
    assert publish_url(spec) is None


def test_a_publish_url_must_be_https_like_every_url() -> None:
    record = index("acme", {**source("basicAuth", publishURL="http://basic.example/upload/")})

    problem = first_violation(SPEC_CHECKS, inputs_of(record))

    assert problem is not None
    assert problem.reason == "InsecureURL" and "spec.basicAuth.publishURL" in problem.message


def test_a_login_is_not_carried_over_to_another_place_of_uploads() -> None:
    """The scope says where a login may be sent, and uploads are such a place."""
    one, other, none = (
        destination(record.spec)
        for record in (
            index("a", BASIC),
            index("a", source("basicAuth", publishURL="https://other.example/")),
            index("a", source("basicAuth")),
        )
        if record.spec is not None
    )
    assert len({one, other, none}) == 3


def test_turning_publish_off_takes_the_url_out_of_what_is_still_served() -> None:
    before = plans_from(index_state(index("acme", {**BASIC, "publish": True})))

    (after,) = plans_from(
        index_state(index("acme", BASIC), missing=True), served=published_after(before)
    )

    assert after.entry is not None and after.entry.credential is not None
    assert after.entry.publish_url is None
