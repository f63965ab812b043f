"""What an IndexOptions requires of the token manager and of the endpoints. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.credentials.requests import Requirement
from artifact_index.reconcile.cache.objects import ObjectRef, kind_of
from artifact_index.reconcile.cache.status_parsing import reported_expiry
from artifact_index.reconcile.resolve.resolution import Resolution, Resolved
from artifact_index.sources.registry import login_names


class Requirements(NamedTuple):
    """The tokens and the repository URLs that one IndexOptions requires, by digest."""

    tokens: dict[str, Requirement]
    urls: dict[str, Requirement]


def requirements(resolved: Iterable[Resolution]) -> Requirements:
    """Require each token and each URL once, however many indexes share it."""
    required = Requirements({}, {})
    for each in resolved:
        if not isinstance(each, Resolved):
            continue
        login = each.login
        if login.token is not None and each.place.needs_token:
            token = required.tokens.get(login.token_digest) or Requirement(
                login.token_digest,
                login.token,
                login.material,
                each.place.max_build,
                needed_by=reported_expiry(each.index.status),
                about=partial(_about, each.index.ref, each.index.spec),
            )
            required.tokens[token.digest] = _as_fresh(token, each.fresh_after)
        if login.endpoint is not None:
            url = required.urls.get(login.endpoint_digest) or Requirement(
                login.endpoint_digest,
                login.endpoint,
                login.material,
                login=login.token_digest if each.place.needs_token else None,
                about=partial(_about, each.index.ref, each.index.spec),
            )
            required.urls[url.digest] = _as_fresh(url, each.fresh_after)
    return required


def _about(ref: ObjectRef, spec: ArtifactIndexSpec | None) -> dict[str, str]:
    """What the log says of a login: an index that needs it, and who logs in."""
    index = {"namespace": ref.namespace, "kind": kind_of(ref), "name": ref.name}
    return index | (login_names(spec) if spec is not None else {})


def _as_fresh(requirement: Requirement, fresh_after: int | None) -> Requirement:
    """The requirement with the later of two refresh requests."""
    before = requirement.fresh_after
    if fresh_after is None or (before is not None and before >= fresh_after):
        return requirement
    return replace(requirement, fresh_after=fresh_after)
