"""URLs and logins of hosted indexes as users know them, asked by real uv."""

from pathlib import Path

import pytest

from support.clouds import GoogleStandIn
from support.installs import asked, install, public, ready
from support.operator_process import OperatorProcess
from support.request_log import IndexRequest
from support.uv_scenes import logins
from support.wheels import make_wheel
from support.world import (
    World,
    artifact_index,
    artifact_registry,
    google_key_secret,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster


def assert_logged_in(requests: list[IndexRequest], google: GoogleStandIn) -> None:
    """Something was served, and each time to a live Google token."""
    served = [request for request in requests if request.status == 200]
    assert served
    assert all(google.is_valid(item.username or "", item.password or "") for item in served)


@pytest.mark.parametrize(
    ("slug", "userinfo", "login"),
    [
        ("with", "ci%40acme:p%2Fss%3Aw%20rd@", ("ci@acme", "p/ss:w rd")),
        ("user-only", "glpat-token@", ("glpat-token", "")),
        ("without", "", (None, None)),
    ],
)
def test_a_preauthenticated_url_is_used_verbatim(
    world: World, operator: OperatorProcess, tmp_path: Path,
    slug: str, userinfo: str, login: tuple[str | None, str | None],
) -> None:  # fmt: skip
    namespace = world.namespace(f"verbatim-{slug}")
    accepts = None if login == (None, None) else (lambda *given: given == login)
    repository = world.index.add_repository(
        f"verbatim/{slug}", make_wheel("lib", "1.0"), accepts=accepts
    )
    url = repository.url.replace("http://", f"http://{userinfo}")
    pypi = public(world, f"verbatim/{slug}-pypi", "lib")
    world.apply(
        secret("url", {"url": url}),
        artifact_index("acme", name="acme", preauthenticated={"urlSecretRef": {"name": "url"}}),
        index_options("uv-config", publicIndex={"url": pypi.url}),
        namespace=namespace,
    )
    ready(world, namespace)

    assert world.indexes(namespace, "uv-config")["acme"]["url"] == url
    run = install(world, namespace, "uv-config", tmp_path, "lib")
    assert run.installed == {"lib==1.0"}, run.output
    assert asked(world, "lib") == [f"verbatim/{slug}"]
    served = [
        request for request in world.index.requests(f"verbatim/{slug}") if request.status == 200
    ]
    assert logins(served) == {login}
    world.wait_condition("artifactindex", namespace, "acme", reason="Available")
    status = (world.get("artifactindex", namespace, "acme") or {})["status"]
    assert status["url"] == f"http://{world.index.netloc.split(':')[0]}"


def test_artifact_registry_urls_come_from_project_location_and_repository(
    world: World, operator: OperatorProcess, tmp_path: Path
) -> None:
    namespace = world.namespace("registry-url")
    email = "ci@registry-url.iam.gserviceaccount.com"
    pypi = public(world, "registry/pypi", "nothing")
    world.apply(
        google_key_secret(world, "key", email),
        artifact_index("python", googleArtifactRegistry=artifact_registry("key")),
        index_options("uv-config", publicIndex={"url": pypi.url}),
        namespace=namespace,
    )
    ready(world, namespace)

    table = world.indexes(namespace, "uv-config")["europe-west1-python"]
    (token,) = [item.value for item in world.google.tokens.all() if item.principal == email]
    host = "europe-west1-python.pkg.dev"
    assert table["url"] == f"https://oauth2accesstoken:{token}@{host}/acme-prod/python/simple/"
    assert table["authenticate"] == "always"
    world.wait_condition("artifactindex", namespace, "python", reason="Available")
    status = (world.get("artifactindex", namespace, "python") or {})["status"]
    assert status["url"] == f"https://{host}/acme-prod/python/simple/"
    # TLS to that host ends at the proxy, which turns it away: uv asks nobody else then.
    run = install(world, namespace, "uv-config", tmp_path, "lib")
    assert run.returncode != 0
    assert set(world.index.tunnels()) == {f"{host}:443"}
    assert world.index.requests("registry/pypi") == []


def test_two_repositories_of_one_region_share_a_login_and_are_told_apart_by_suffix(
    world: World, operator: OperatorProcess, tmp_path: Path
) -> None:
    namespace = world.namespace("registry-host")
    email = "ci@registry-host.iam.gserviceaccount.com"
    pypi = public(world, "registry-host/pypi", "nothing")
    for repository in ("alpha", "beta"):
        world.index.add_repository(
            f"acme-prod/{repository}",
            make_wheel(f"lib-{repository}", "1.0"),
            accepts=world.google.is_valid,
        )
    host = "http://europe-west1-python.pkg.dev"
    world.apply(
        google_key_secret(world, "key", email),
        *(
            artifact_index(
                f"repo-{item}",
                googleArtifactRegistry=artifact_registry("key", repository=item, host=host),
            )
            for item in ("alpha", "beta")
        ),
        index_options("uv-config", publicIndex={"url": pypi.url}),
        namespace=namespace,
    )
    ready(world, namespace)

    tables = world.indexes(namespace, "uv-config")
    assert list(tables) == ["pypi", "europe-west1-python", "europe-west1-python-2"]
    assert world.google.mints("Token", principal=email) == 1
    run = install(world, namespace, "uv-config", tmp_path, "lib-alpha", "lib-beta")
    assert run.installed == {"lib-alpha==1.0", "lib-beta==1.0"}, run.output
    for item in ("alpha", "beta"):
        assert_logged_in(world.index.requests(f"acme-prod/{item}"), world.google)
