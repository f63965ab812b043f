"""Private and public indexes for a test, and what real uv installs and asks for.

Hosts of other names than 127.0.0.1 are reached through the index server as uv's HTTP proxy: it
serves by path alone.
"""

from pathlib import Path

from support.index_server import Repository
from support.uv_clients import NEWEST, Uv, UvRun
from support.uv_scenes import asked_pages
from support.wheels import make_wheel
from support.world import World


def private(world: World, prefix: str, password: str, *packages: str) -> Repository:
    """A repository that lets `ci` in with this password; `name` or `name==version`."""
    wheels = [make_wheel(*(package.split("==") if "==" in package else (package, "1.0")))
              for package in packages]  # fmt: skip
    return world.index.add_repository(
        prefix, *wheels, accepts=lambda user, given: (user, given) == ("ci", password)
    )


def public(world: World, prefix: str, *packages: str) -> Repository:
    """The stand-in for PyPI, with version 9.9 of everything."""
    return world.index.add_repository(prefix, *(make_wheel(package, "9.9") for package in packages))


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
