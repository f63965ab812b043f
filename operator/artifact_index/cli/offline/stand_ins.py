"""What stands for logins offline: values of Secrets, ServiceAccounts, tokens of clouds. Pure."""

import base64
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.credentials.calls import Issue
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.formats.urls import safe_url, without_userinfo
from artifact_index.kube.port import Object
from artifact_index.kube.resources import NAMESPACES
from artifact_index.sources.base import SecretUse, Source
from artifact_index.sources.registry import ACCOUNT_ANNOTATIONS, of

REDACTED: Final = "REDACTED"
"""Stands for every secret: a word that a URL, a file and a shell take as it is."""

NAME_LABEL: Final = "kubernetes.io/metadata.name"
"""The label that the API server gives each namespace: its name."""

_URL: Final = f"https://{REDACTED}:{REDACTED}@redacted.invalid/simple/"
"""Stands for a URL of which nothing is known."""


def issue_with(value: str, clock: Callable[[], float]) -> Issue:
    """Answer as the clouds usually do, without asking one; `value` is every token."""

    async def issue(request: TokenRequest, material: KeyMaterial) -> Token:
        return request.stand_in(SecretStr(value), int(clock()))

    return issue


def redacted_secret(body: Object, uses: Collection[tuple[Source[Any], SecretUse]]) -> Object:
    """The Secret with a stand-in for each value that a source uses, and without its other values.

    A value that the source cannot use stays: it gets into no output, and the operator says why.
    """
    data = body.get("data") or {}
    kept = {
        key: _redacted(source, key, data[key])
        for source, use in uses
        for key in use.all_keys
        if key in data
    }
    return {**body, "data": kept}


def stand_in_secret(
    namespace: str, name: str, uses: Collection[tuple[Source[Any], SecretUse]]
) -> Object:
    """A Secret that is in no manifest, with all that its sources need."""
    data = {key: encoded(_word(source, key) or _URL) for source, use in uses for key in use.keys}
    return {"metadata": {"namespace": namespace, "name": name}, "data": data}


def stand_in_account(namespace: str, name: str) -> Object:
    """A ServiceAccount that is in no manifest; it may have any annotation or need none.

    No output shows their values.
    """
    metadata = {"namespace": namespace, "name": name, "annotations": ACCOUNT_ANNOTATIONS}
    return {"metadata": metadata}


def secret_uses(
    specs: Iterable[tuple[str, ArtifactIndexSpec]],
) -> dict[tuple[str, str], list[tuple[Source[Any], SecretUse]]]:
    """The sources that read each Secret, by its namespace and name.

    `specs` are given with the namespace of what they refer to.
    """
    found: dict[tuple[str, str], list[tuple[Source[Any], SecretUse]]] = {}
    for namespace, spec in specs:
        source = of(spec)
        if (use := source.secret()) is not None:
            found.setdefault((namespace, use.name), []).append((source, use))
    return found


def account_names(
    specs: Iterable[tuple[str, ArtifactIndexSpec]],
) -> Iterator[tuple[str, str]]:
    """Namespace and name of each ServiceAccount that a source logs in as."""
    for namespace, spec in specs:
        if (use := of(spec).service_account()) is not None:
            yield namespace, use.name


def namespaces(objects: Mapping[tuple[str, str, str], Object], default: str) -> list[Object]:
    """The namespaces among the objects, each with the label of its name, and those that are named.

    Without one among the objects, the `default` stands in, with the labels that are selected.
    """
    given = {
        name: body["metadata"].get("labels") or {}
        for (plural, _, name), body in objects.items()
        if plural == NAMESPACES.plural
    }
    specs = [
        body.get("spec") or {}
        for (plural, namespace, _), body in objects.items()
        if plural != NAMESPACES.plural and not namespace
    ]
    named = [name for spec in specs for name in (spec.get("namespaces") or {}).get("names") or ()]
    others = {namespace for _, namespace, _ in objects if namespace}.union(named)
    if not given:
        selectors = [
            selector
            for spec in specs
            for selector in (
                spec.get("namespaceSelector"),
                (spec.get("namespaces") or {}).get("selector"),
            )
        ]
        labels = [(selector or {}).get("matchLabels") or {} for selector in selectors]
        given[default] = {key: value for each in labels for key, value in each.items()}
    found = {name: {} for name in sorted(others)} | given
    return [
        {"metadata": {"name": name, "labels": {**labels, NAME_LABEL: name}}}
        for name, labels in found.items()
    ]


def encoded(value: str) -> str:
    """A value as the API has it in the data of a Secret."""
    return base64.b64encode(value.encode()).decode()


def _redacted(source: Source[Any], key: str, data: str) -> str:
    """A stand-in of the same form, in base64; what the source cannot use stays as it is."""
    try:
        given = base64.b64decode(data).decode()
    except ValueError:
        return data
    if not given or source.unusable(key, given) is not None:
        return data
    return encoded(_word(source, key) or _redacted_url(source, given))


def _word(source: Source[Any], key: str) -> str | None:
    """The usual stand-in, unless the source takes only a URL for this key."""
    return REDACTED if source.unusable(key, REDACTED) is None else None


def _redacted_url(source: Source[Any], url: str) -> str:
    """The URL with its host, and with its path if that is public."""
    bare = without_userinfo(url)
    shown = bare if source.public_path() else f"{safe_url(url)}/{REDACTED}/simple/"
    login = f"{REDACTED}:{REDACTED}@" if bare != url else ""
    return shown.replace("://", f"://{login}", 1)
