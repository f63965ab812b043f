"""The files that may hold an index, as far as the caller may read them."""

import base64
from collections.abc import Collection, Iterable, Mapping
from itertools import islice, zip_longest
from typing import Final

from pydantic import SecretStr

from artifact_index.cli.cluster.caller_api import CallerApi
from artifact_index.cli.cluster.connection import explained, flags_of, list_all
from artifact_index.cli.cluster.objects import Observed, spec_of
from artifact_index.cli.console import CommandError, Exit
from artifact_index.cli.reports import ObjectRef
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import Object
from artifact_index.kube.resources import CONFIG_MAPS, NAMESPACES, SECRETS

_PLACES: Final = 100
"""Namespaces in which the file with an index of cluster scope is looked for."""


class Places:
    """The namespaces whose files may hold an index.

    For an index of cluster scope that is `place` alone, if it is not None.
    """

    def __init__(self, api: CallerApi, place: str | None) -> None:
        self._api = api
        self._place = place
        self._labels: Mapping[str, Mapping[str, str]] | None = None

    async def of(self, options: Observed, indexes: Collection[Observed]) -> list[str]:
        """Those into which the options write one of the indexes. Raises CommandError."""
        if not indexes:
            return []
        if options.namespace or self._place is not None:
            return [options.namespace or self._place or ""]
        if self._labels is None:
            try:
                self._labels = dict(await list_all(self._api, NAMESPACES, None, _labels))
            except CommandError as error:
                message = f"{error}, or give with -n a namespace that has its file"
                raise CommandError(message, error.status) from None
        return _places(options, indexes, self._labels)


def _labels(body: Object) -> tuple[str, Mapping[str, str]]:
    metadata = body["metadata"]
    return metadata["name"], metadata.get("labels") or {}


def _places(
    options: Observed, indexes: Iterable[Observed], labels: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """The first namespaces that a ClusterIndexOptions selects and each index consents to."""
    spec = spec_of(options)
    if spec is None:
        return []
    failing = {each.get("namespace") for each in options.status.get("failingNamespaces") or ()}
    selected = [
        name
        for name in sorted(labels)
        if name not in failing and spec.namespace_selector.matches(labels[name])
    ]
    consents = [found.namespaces for each in indexes if (found := spec_of(each)) is not None]
    of_each = [
        islice((name for name in selected if consent.includes(name, labels[name])), _PLACES)
        for consent in consents
    ]
    in_turn = (name for names in zip_longest(*of_each) for name in names)
    return [name for name in dict.fromkeys(in_turn) if name is not None]


async def files_of(api: CallerApi, ref: ObjectRef) -> Mapping[str, SecretStr]:
    """The files of an output, of which there are none if there is no output.

    Raises CommandError if it may not be read.
    """
    resource = SECRETS if ref.kind == SECRETS.kind else CONFIG_MAPS
    try:
        body = await api.get(resource, ref.namespace, ref.name)
    except ApiError as error:
        if error.not_found:
            return {}
        message = explained(error, "get", resource, ref.namespace, flags=flags_of(api))
        raise CommandError(message, Exit.UNKNOWN) from None
    texts = {
        key: base64.b64decode(value).decode(errors="replace") if resource == SECRETS else value
        for key, value in (body.get("data") or {}).items()
    }
    return {key: SecretStr(text) for key, text in texts.items()}
