"""Names and order of indexes as users of hosted builders know them, asked by real uv."""

import contextlib
import tomllib
from pathlib import Path

import pytest

from support.control_plane import wait_until
from support.installs import asked, install, private, public, ready
from support.operator_process import OperatorProcess
from support.uv_scenes import logins
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
    # A mirror that is really first needs a default behind it, or uv would add PyPI by itself.
    second = [] if prefer_private else ["_default"]
    assert list(tables) == ["pypi", "acme", *second]
    marked = [name for name, table in tables.items() if table.get("default")]
    assert marked == (second or ["pypi"])

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
        in_status = {item["artifactIndex"]: item.get("name", "") for item in listed}
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
    served = [
        request for request in world.index.requests("pypi/mixed-aws") if request.status == 200
    ]
    assert served
    assert all(world.aws.is_valid(item.username or "", item.password or "") for item in served)


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
    marks = [(item["name"], item.get("default")) for item in file["index"]]
    assert marks == [("open", None), ("_default", True)]
