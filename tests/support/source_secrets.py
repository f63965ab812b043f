"""Namespaces of the tests about source Secrets: one index `acme` and one file `uv-config`."""

from typing import Any

from support.world import World, artifact_index, basic_auth, index_options

REREAD = 2.0
GRACE = 3.0
SHORT_WAITS = (
    *("--source-reread-interval", f"{REREAD:.0f}s"),
    *("--missing-secret-grace", f"{GRACE:.0f}s"),
)
"""Flags of an operator that soon rereads Secrets, and soon gives up on missing ones."""

URL = "https://packages.example/simple/"


def serve(world: World, namespace: str, *objects: dict[str, Any]) -> None:
    """A namespace with these objects and an IndexOptions `uv-config`."""
    world.namespace(namespace)
    world.apply(*objects, index_options("uv-config"), namespace=namespace)


def available(world: World, namespace: str) -> None:
    """Wait until everything is served."""
    world.wait_all_served(namespace, "uv-config")


def acme(**spec: Any) -> dict[str, Any]:
    """The index under test."""
    return artifact_index("acme", name="acme", **spec)


def basic_index() -> dict[str, Any]:
    """The index under test, with a password in the Secret `login`."""
    return acme(basicAuth=basic_auth(URL, "login"))


def rewrite(world: World, namespace: str, name: str, values: dict[str, str]) -> None:
    """Change a Secret's values."""
    world.patch("secret", namespace, name, {"stringData": values})


def newest(tokens: list[Any], principal: str) -> str:
    """The principal's newest token; what no file holds where there is none yet."""
    held = [token.value for token in tokens if token.principal == principal]
    return held[-1] if held else "(no token)"
