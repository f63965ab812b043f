"""Refresh requests on both kinds."""

from typing import Any
from urllib.parse import unquote

import pytest

from support.accounts import token_in
from support.control_plane import wait_until
from support.operator_process import OperatorProcess
from support.refreshes import ask, handled, later_than_the_token, mints, serve
from support.world import PATIENCE, World, artifact_index, index_options, secret

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("kind", ["artifactindex", "indexoptions"])
def test_a_request_on_either_kind_is_one_new_token_and_is_echoed(
    world: World, operator: OperatorProcess, kind: str
) -> None:
    principal = f"arn:refresh-{kind}"
    namespace = world.namespace(f"refresh-{kind}")
    serve(world, namespace, principal)
    before = token_in(world, namespace)
    name = "acme" if kind == "artifactindex" else "uv-config"
    asked = later_than_the_token()
    ask(world, kind, namespace, name, asked)
    wait_until(lambda: handled(world, kind, namespace, name) == asked, "the echo", PATIENCE)
    assert token_in(world, namespace) != before
    assert world.aws.is_valid("aws", unquote(token_in(world, namespace)))
    assert mints(world, principal) == 2


def test_a_request_reads_a_secret_that_is_not_watched_at_once(
    world: World, operator: OperatorProcess
) -> None:
    """It would be read again within 5 minutes."""
    namespace = world.namespace("refresh-static")
    source = {"url": "https://packages.example/simple/", "secretRef": {"name": "login"}}

    def login(password: str) -> dict[str, Any]:
        values = {"username": "ci", "password": password}
        return secret("login", values, labelled=False)

    objects = artifact_index("acme", basicAuth=source), index_options("uv-config")
    world.apply(login("first"), *objects, namespace=namespace)
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
    world.apply(login("second"), namespace=namespace)
    asked = later_than_the_token()
    ask(world, "indexoptions", namespace, "uv-config", asked)
    wait_until(lambda: token_in(world, namespace) == "second", "the new password", PATIENCE)
    wait_until(
        lambda: handled(world, "indexoptions", namespace, "uv-config") == asked,
        "the echo",
        PATIENCE,
    )


def test_an_invalid_or_future_request_is_reported_and_ignored(
    world: World, operator: OperatorProcess
) -> None:
    principal, namespace = "arn:refresh-odd", world.namespace("refresh-odd")
    serve(world, namespace, principal)
    for odd, why in (
        ("tomorrow", "is not an RFC 3339 time"),
        ("2062-01-01T00:00:00Z", "is in the future"),
    ):
        ask(world, "artifactindex", namespace, "acme", odd)
        wait_until(
            lambda why=why: (  # type: ignore[misc]
                why in world.condition("artifactindex", namespace, "acme")["message"]
            ),
            why,
            PATIENCE,
        )
    assert mints(world, principal) == 1
    assert handled(world, "artifactindex", namespace, "acme") is None
