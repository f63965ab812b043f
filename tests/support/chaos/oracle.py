"""What outputs and statuses must be, by the pure functions and the user's own model."""

import base64
import tomllib
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from artifact_index.api.constants import PYPI_URL
from artifact_index.formats.document import Document, PublicEntry
from support.chaos.fleet import PLURALS, Fleet, Options
from support.chaos.reader import Reader
from support.kube_proxy import KubeProxy
from support.rendered import secret_text

Names = dict[str, dict[str, str]]
"""By output and object: the name of an index in the file."""


def body_of(proxy: KubeProxy, kind: str, namespace: str, name: str) -> dict[str, Any]:
    """An object; empty where there is none. Raises Unanswered."""
    status, body = proxy.request("GET", f"{PLURALS[kind].format(namespace)}/{name}")
    return body if status == 200 else {}


def trouble(fleet: Fleet, reader: Reader) -> str | None:
    """The first way in which the cluster is not what its objects ask for. Raises Unanswered."""
    names: Names = {}
    for options in fleet.options.values():
        if (found := _output_trouble(fleet, options, reader, names)) is not None:
            return found
    _, answer = fleet.proxy.request("GET", PLURALS["Secret"].format(fleet.namespace))
    roles = {
        body["metadata"]["name"]
        for body in answer["items"]
        if body["metadata"].get("labels", {}).get("artifactindex.dev/role") == "output"
    }
    if roles != set(fleet.options):
        return f"there are outputs {sorted(roles)} for {sorted(fleet.options)}"
    return _status_trouble(fleet, names)


def _output_trouble(fleet: Fleet, options: Options, reader: Reader, names: Names) -> str | None:
    """What an output has that the pure functions do not make of the same objects.

    Puts the names in it into `names`, by object.
    """
    body = body_of(fleet.proxy, "Secret", fleet.namespace, options.name)
    if not body:
        return f"{options.name} is missing"
    found = reader.names_at(options.name, body["metadata"]["resourceVersion"])
    if found is None:
        return f"the reader has not seen the last {options.name}"
    names[options.name] = found
    text = base64.b64decode(body["data"]["uv.toml"]).decode()
    urls = {table["name"]: urlsplit(table["url"]) for table in tomllib.loads(text)["index"]}
    order = fleet.expected_order(options)
    if set(found) != {index.name for index in order}:
        return f"{options.name} holds {sorted(found)} and not {sorted(i.name for i in order)}"
    entries = []
    for index in order:
        password = unquote(urls[found[index.name]].password or "")
        if index.kind == "code":
            live = fleet.world.aws.is_valid("aws", password, domain=index.login)
            if not live:
                return f"the token of {index.name} in {options.name} is not live"
        entries.append(fleet.expected_entry(index, found[index.name], SecretStr(password)))
    document = Document(tuple(entries), PublicEntry("pypi", PYPI_URL))
    if secret_text("UvToml", document) != text:
        return f"{options.name} differs from what its objects say"
    return None


def _status_trouble(fleet: Fleet, names: Names) -> str | None:
    """A status that does not say what is so; `names` as in the outputs."""
    expiries = {}
    for name, index in fleet.indexes.items():
        body = body_of(fleet.proxy, "ArtifactIndex", fleet.namespace, name)
        if not _ready(body):
            return f"ArtifactIndex {name} is not ready"
        # Of several files the status speaks of the first: an index may have other names in others.
        first = min(option.name for option in fleet.options.values() if option.selects(index))
        if index.derived and f"available as {names[first][name]!r};" not in _told(body)["message"]:
            return f"ArtifactIndex {name} names another than {names[first][name]}"
        expiries[name] = body["status"].get("credential", {}).get("expiresAt")
    for name, options in fleet.options.items():
        body = body_of(fleet.proxy, "IndexOptions", fleet.namespace, name)
        if not _ready(body):
            return f"IndexOptions {name} is not ready"
        items = body["status"]["indexes"]
        listed = [(item["artifactIndex"], item["name"], item.get("expiresAt")) for item in items]
        order = fleet.expected_order(options)
        if listed != [(item.name, names[name][item.name], expiries[item.name]) for item in order]:
            return f"the status of IndexOptions {name} lists {listed}"
    return None


def _told(body: dict[str, Any]) -> dict[str, Any]:
    """The condition Ready; empty where there is none."""
    conditions = {item["type"]: item for item in body.get("status", {}).get("conditions", [])}
    found: dict[str, Any] = conditions.get("Ready", {})
    return found


def _ready(body: dict[str, Any]) -> bool:
    found = _told(body)
    generation = body.get("metadata", {}).get("generation")
    return (found.get("reason"), found.get("observedGeneration")) == ("Available", generation)
