"""How the outputs in a cluster differ from rendered files, with every secret masked."""

import base64
import difflib
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from pydantic import SecretStr

from artifact_index.api.constants import CHECKPOINT_ANNOTATION
from artifact_index.cli.console import CommandError, Exit
from artifact_index.cli.diff.masks import masked, urls_in
from artifact_index.cli.reports import ObjectRef, RenderedFile
from artifact_index.formats.uv_toml import UV_TOML_KEY, read_entries
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import CONFIG_MAPS, SECRETS
from artifact_index.reconcile.plan.checkpoint import Checkpoint


async def differences(api: KubePort, files: Iterable[RenderedFile]) -> str:
    """What each output of these files would have other than now, as a unified diff.

    Raises CommandError for an output that the caller may not read.
    """
    ordered = sorted(files, key=lambda each: (each.output.text, each.key))
    found = ""
    for output, parts in groupby(ordered, key=lambda each: each.output):
        rendered = {each.key: each.content for each in parts}
        body = await _live(api, output)
        live = _texts(output, body)
        public = _public_urls(body, live) | {
            url for text in rendered.values() for url in urls_in(text)
        }
        for key in sorted(live.keys() | rendered.keys()):
            name = f"{output.kind}/{output.namespace}/{output.name}/{key}"
            old, new = (
                masked(key, texts[key], public) if key in texts else []
                for texts in (live, rendered)
            )
            diff = difflib.unified_diff(
                old, new, f"cluster/{name}", f"rendered/{name}", lineterm=""
            )
            found += "".join(f"{line}\n" for line in diff)
    return found


async def _live(api: KubePort, output: ObjectRef) -> Mapping[str, Any]:
    resource = SECRETS if output.kind == "Secret" else CONFIG_MAPS
    try:
        return await api.get(resource, output.namespace, output.name)
    except ApiError as error:
        if error.not_found:
            return {}
        what = f"{resource.plural}/{output.name} -n {output.namespace}"
        raise CommandError(
            f"{output.text} cannot be read: {error.message}; test with `kubectl auth can-i get "
            f"{what}`",
            Exit.UNKNOWN,
        ) from None


def _texts(output: ObjectRef, body: Mapping[str, Any]) -> dict[str, str]:
    data: Mapping[str, str] = body.get("data") or {}
    if output.kind != "Secret":
        return dict(data)
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}


def _public_urls(body: Mapping[str, Any], live: Mapping[str, str]) -> set[str]:
    """The URLs of which the output's own checkpoint says that they are no secrets."""
    annotations = body.get("metadata", {}).get("annotations") or {}
    try:
        checkpoint = Checkpoint.decode(annotations.get(CHECKPOINT_ANNOTATION, ""))
    except ValueError:
        return set()  # nobody of ours has written it
    urls: Iterator[str | None]
    if UV_TOML_KEY in live:
        verbatim = {name for name, index in checkpoint.indexes.items() if index.verbatim}
        entries = read_entries(SecretStr(live[UV_TOML_KEY]), verbatim=verbatim)
        known = (each for each in entries.values() if each.name not in verbatim)
        urls = (url for each in known for url in (each.url, each.publish_url))
    else:
        recorded = (checkpoint.entries or {}).values()
        urls = (url for each in recorded for url in (each.url, each.publish_url))
    return {url for url in urls if url}
