"""Names, order and URLs as users of hosted builders know them, asked by real uv.

Hosts of other names than 127.0.0.1 are reached through the index server as uv's HTTP proxy: it
serves by path alone.
"""

import contextlib
import tomllib
from pathlib import Path

import pytest

from support.clouds import GoogleStandIn
from support.control_plane import wait_until
from support.index_server import Repository
from support.operator_process import OperatorProcess
from support.request_log import IndexRequest
from support.uv_clients import NEWEST, Uv, UvRun
from support.uv_scenes import asked_pages, logins
from support.wheels import make_wheel
from support.world import (
    PATIENCE,
    World,
    access_key_secret,
    artifact_index,
    artifact_registry,
    basic_auth,
    code_artifact,
    google_key_secret,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster


def private(world: World, prefix: str, password: str, *packages: str) -> Repository:
    """A repository that lets `ci` in with this password; `name` or `name==version`."""
    wheels = [make_wheel(*(package.split("==") if "==" in package else (package, "1.0")))
              for package in packages]  # fmt: skip
    return world.index.add_repository(
        prefix, *wheels, accepts=lambda user, given: (user, given) == ("ci", password)
    )


def public(world: World, prefix: str, *packages: str) -> Repository:
    """The stand-in for PyPI, with version 9.9 of everything."""
    return world.index.add_repository(prefix, *(make_wheel(one, "9.9") for one in packages))


def install(world: World, namespace: str, name: str, tmp_path: Path, *packages: str) -> UvRun:
    """Install with the file of an output Secret; only this run's requests stay in the log."""
    text = world.uv_toml(namespace, name)
    assert text is not None
    world.index.clear()
    proxy = world.index.netloc
    uv = Uv(NEWEST, tmp_path / str(len(list(tmp_path.iterdir()))), https_proxy=proxy)
    return uv.install(text, *packages, HTTP_PROXY=f"http://{proxy}")


def asked(world: World, package: str) -> list[str]:
    """The prefixes that were asked for a package's page, in order."""
    return asked_pages(world.index.requests(), package)


def ready(world: World, namespace: str, name: str = "uv-config") -> None:
    """Wait for the outputs, with every index of the namespace."""
    world.wait_all_served(namespace, name)


@pytest.mark.parametrize(
    ("prefer_private", "of_shared_name", "order_of_public_package"),
    [
        (True, (["order/mine"], "shared==1.0"), ["order/mine", "order/pypi"]),
        (False, (["order/pypi"], "shared==9.9"), ["order/pypi"]),
    ],
)
def test_pypi_stands_first_and_is_asked_last_only_as_the_default(
    world: World, operator: OperatorProcess, tmp_path: Path,
    prefer_private: bool, of_shared_name: tuple[list[str], str],
    order_of_public_package: list[str],
) -> None:  # fmt: skip
    namespace = world.namespace(f"order-{str(prefer_private).lower()}")
    mine = private(world, "order/mine", "s3cret", "shared", "only-mine")
    pypi = public(world, "order/pypi", "shared", "only-public")
    world.apply(
        secret("login", {"password": "s3cret"}),
        artifact_index("acme", name="acme", basicAuth=basic_auth(mine.url, "login")),
        index_options("uv-config", preferPrivate=prefer_private, publicIndex={"url": pypi.url}),
        namespace=namespace,
    )
    ready(world, namespace)

    tables = world.indexes(namespace, "uv-config")
    assert list(tables) == ["pypi", "acme"]
    assert tables["pypi"].get("default", False) is prefer_private
    # A mirror that is really first needs a default behind it, or uv would add PyPI by itself.
    assert tables["acme"].get("default", False) is not prefer_private

    pages, installed = of_shared_name
    assert install(world, namespace, "uv-config", tmp_path, "shared").installed == {installed}
    assert asked(world, "shared") == pages
    install(world, namespace, "uv-config", tmp_path, "only-public")
    assert asked(world, "only-public") == order_of_public_package
    assert logins(world.index.requests("order/pypi")) == {(None, None)}
    run = install(world, namespace, "uv-config", tmp_path, "only-mine")
    assert run.installed == {"only-mine==1.0"}
    assert ("ci", "s3cret") in logins(world.index.requests("order/mine"))

    risk = world.condition("indexoptions", namespace, "uv-config", "DependencyConfusionRisk")
    assert risk.get("reason") == (None if prefer_private else "PublicIndexFirst")


@pytest.mark.parametrize("prefer_private", [True, False])
def test_pypi_itself_is_asked_first_or_last(
    world: World, operator: OperatorProcess, tmp_path: Path, prefer_private: bool
) -> None:
    namespace = world.namespace(f"real-pypi-{str(prefer_private).lower()}")
    mine = private(world, f"{namespace}/mine", "s3cret", "only-mine")
    world.apply(
        secret("login", {"password": "s3cret"}),
        artifact_index("acme", name="acme", basicAuth=basic_auth(mine.url, "login")),
        index_options("uv-config", preferPrivate=prefer_private),
        namespace=namespace,
    )
    ready(world, namespace)

    tables = world.indexes(namespace, "uv-config")
    marks = [(name, table.get("default", False)) for name, table in tables.items()]
    assert marks == [("pypi", prefer_private), ("acme", False)]
    # The proxy turns the tunnel to PyPI away, and uv stops at an index that it cannot reach.
    run = install(world, namespace, "uv-config", tmp_path, "only-mine")
    assert (run.installed == {"only-mine==1.0"}) is prefer_private
    assert bool(world.index.tunnels()) is not prefer_private
    assert bool(asked(world, "only-mine")) is prefer_private


def test_unsafe_first_match_goes_on_to_the_next_index_for_a_version(
    world: World, operator: OperatorProcess, tmp_path: Path
) -> None:
    namespace = world.namespace("unsafe-first-match")
    old = private(world, "ufm/old", "one", "lib==1.0")
    new = private(world, "ufm/new", "two", "lib==2.0")
    pypi = public(world, "ufm/pypi", "lib")
    world.apply(
        secret("one", {"password": "one"}),
        secret("two", {"password": "two"}),
        artifact_index("old", name="old", priority=200, basicAuth=basic_auth(old.url, "one")),
        artifact_index("new", name="new", basicAuth=basic_auth(new.url, "two")),
        index_options("safe", publicIndex={"url": pypi.url}),
        index_options("unsafe", publicIndex={"url": pypi.url}, indexStrategy="unsafe-first-match"),
        namespace=namespace,
    )
    ready(world, namespace, "safe")
    ready(world, namespace, "unsafe")

    assert install(world, namespace, "safe", tmp_path, "lib>=2").returncode != 0
    assert asked(world, "lib") == ["ufm/old"]

    run = install(world, namespace, "unsafe", tmp_path, "lib>=2")
    assert run.installed == {"lib==2.0"}, run.output
    # uv asks the indexes of an unsafe strategy side by side: only who was asked is certain.
    assert {"ufm/old", "ufm/new"} <= set(asked(world, "lib"))
    assert ("ci", "one") in logins(world.index.requests("ufm/old"))
    assert ("ci", "two") in logins(world.index.requests("ufm/new"))
    assert ("ci", "two") not in logins(world.index.requests("ufm/old"))
    risk = world.condition("indexoptions", namespace, "unsafe", "DependencyConfusionRisk")
    assert risk["reason"] == "UnsafeIndexStrategy"


def test_indexes_whose_hosts_derive_one_name_keep_the_names_they_were_given(
    world: World, operator: OperatorProcess, tmp_path: Path
) -> None:
    namespace = world.namespace("derived-names")
    pypi = public(world, "names/pypi", "nothing")

    def add(object_name: str, host: str) -> None:
        private(world, f"names/{object_name}", f"of-{object_name}", f"lib-{object_name}")
        url = f"http://{host}/names/{object_name}/simple/"
        world.apply(
            secret(f"login-{object_name}", {"password": f"of-{object_name}"}),
            artifact_index(object_name, basicAuth=basic_auth(url, f"login-{object_name}")),
            namespace=namespace,
        )

    def names() -> dict[str, str]:
        """Name by object: the file's, which the status repeats."""
        found = world.get("indexoptions", namespace, "uv-config") or {}
        listed = found.get("status", {}).get("indexes", [])
        in_status = {one["artifactIndex"]: one.get("name", "") for one in listed}
        tables = world.indexes(namespace, "uv-config")
        in_file = {
            table["url"].split("/")[-3]: name for name, table in tables.items() if name != "pypi"
        }
        return in_file if in_file == in_status else {}

    def become(expected: dict[str, str]) -> None:
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: names() == expected, "the names", PATIENCE)
        assert names() == expected

    world.apply(index_options("uv-config", publicIndex={"url": pypi.url}), namespace=namespace)
    add("m-first", "acme.one.example")
    become({"m-first": "acme"})
    add("n-second", "acme.two.example:8080")
    become({"m-first": "acme", "n-second": "acme-2"})
    # Ahead of both by object name and by priority's tie: it must take nobody's name.
    add("a-third", "acme.three.example")
    become({"m-first": "acme", "n-second": "acme-2", "a-third": "acme-3"})
    for package in ("lib-m-first", "lib-n-second", "lib-a-third"):
        run = install(world, namespace, "uv-config", tmp_path, package)
        assert run.installed == {f"{package}==1.0"}, run.output
        prefix = package.replace("lib-", "names/")
        expected = {("ci", package.replace("lib-", "of-"))}
        assert logins(world.index.requests(prefix)) - {(None, None)} == expected
        assert asked(world, package)[-1] == prefix

    def told() -> bool:
        message = world.condition("artifactindex", namespace, "n-second").get("message", "")
        return "'acme-2'" in message and "spec.name" in message

    wait_until(told, "the status of the index to name it", PATIENCE)

    world.delete("artifactindex", namespace, "m-first")
    become({"n-second": "acme-2", "a-third": "acme-3"})
    operator.stop()
    operator.start()
    add("z-fourth", "other.example")
    become({"n-second": "acme-2", "a-third": "acme-3", "z-fourth": "other"})
    run = install(world, namespace, "uv-config", tmp_path, "lib-n-second")
    assert run.installed == {"lib-n-second==1.0"}, run.output


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
    served = [one for one in world.index.requests(f"verbatim/{slug}") if one.status == 200]
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
    (token,) = [one.value for one in world.google.tokens.all() if one.principal == email]
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
                f"repo-{one}",
                googleArtifactRegistry=artifact_registry("key", repository=one, host=host),
            )
            for one in ("alpha", "beta")
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
    for one in ("alpha", "beta"):
        assert_logged_in(world.index.requests(f"acme-prod/{one}"), world.google)


def test_three_kinds_of_index_serve_one_install_in_the_order_of_their_priority(
    world: World, operator: OperatorProcess, tmp_path: Path
) -> None:
    namespace = world.namespace("mixed")
    pypi = public(world, "mixed/pypi", "nothing")
    world.index.add_repository(
        "pypi/mixed-aws", make_wheel("lib-aws", "1.0"), accepts=world.aws.is_valid
    )
    world.index.add_repository(
        "acme-prod/mixed", make_wheel("lib-google", "1.0"), accepts=world.google.is_valid
    )
    own = private(world, "mixed/own", "p@ss", "lib-own")
    preauthenticated = own.url.replace("http://", "http://ci:p%40ss@")
    world.apply(
        access_key_secret(world, "aws", "arn:aws:iam::111122223333:user/mixed"),
        google_key_secret(world, "google", "ci@mixed.iam.gserviceaccount.com"),
        secret("url", {"url": preauthenticated}),
        artifact_index(
            "a", name="a", priority=50, codeArtifact=code_artifact("aws", repository="mixed-aws")
        ),
        artifact_index(
            "b", name="b", priority=300,
            googleArtifactRegistry=artifact_registry(
                "google", repository="mixed", host=f"http://{world.index.netloc}"
            ),
        ),
        artifact_index(
            "c", name="c", priority=200, preauthenticated={"urlSecretRef": {"name": "url"}}
        ),
        index_options("uv-config", publicIndex={"url": pypi.url}),
        namespace=namespace,
    )  # fmt: skip
    ready(world, namespace)

    assert list(world.indexes(namespace, "uv-config")) == ["pypi", "b", "c", "a"]
    run = install(world, namespace, "uv-config", tmp_path, "lib-aws", "lib-google", "lib-own")
    assert run.installed == {"lib-aws==1.0", "lib-google==1.0", "lib-own==1.0"}, run.output
    assert asked(world, "lib-aws") == ["acme-prod/mixed", "mixed/own", "pypi/mixed-aws"]
    served = [one for one in world.index.requests("pypi/mixed-aws") if one.status == 200]
    assert served
    assert all(world.aws.is_valid(one.username or "", one.password or "") for one in served)


def assert_logged_in(requests: list[IndexRequest], google: GoogleStandIn) -> None:
    """Something was served, and each time to a live Google token."""
    served = [one for one in requests if one.status == 200]
    assert served
    assert all(google.is_valid(one.username or "", one.password or "") for one in served)


def test_the_file_parses_and_names_its_strategy(world: World, operator: OperatorProcess) -> None:
    namespace = world.namespace("strategy-key")
    options = index_options(
        "uv-config", indexStrategy="unsafe-best-match", publicIndex={"enabled": False}
    )
    world.apply(
        artifact_index("open", name="open", anonymous={"url": "http://127.0.0.1:9/simple/"}),
        options,
        namespace=namespace,
    )
    ready(world, namespace)

    file = tomllib.loads(world.uv_toml(namespace, "uv-config") or "")
    assert file["index-strategy"] == "unsafe-best-match"
    # Without a public index the last private one is the default, or uv would add PyPI itself.
    assert [(one["name"], one.get("default")) for one in file["index"]] == [("open", True)]
