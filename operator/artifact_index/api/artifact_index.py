"""ArtifactIndex: one index and the way to log in to it."""

from collections.abc import Iterable
from types import NoneType
from typing import Annotated, ClassVar, Final, Literal, cast, get_args

from pydantic import Field

from artifact_index.api.base import ApiModel
from artifact_index.api.conditions import Condition
from artifact_index.api.fields import IndexName
from artifact_index.api.interning import SHARED
from artifact_index.api.rules import SET, ListType, Rule, exactly_one
from artifact_index.api.sources.anonymous import AnonymousSource
from artifact_index.api.sources.base import SourceModel
from artifact_index.api.sources.basic_auth import BasicAuthSource
from artifact_index.api.sources.code_artifact import CodeArtifactSource
from artifact_index.api.sources.google_artifact_registry import GoogleArtifactRegistrySource
from artifact_index.api.sources.preauthenticated import PreauthenticatedSource
from artifact_index.api.timestamps import Timestamp

Authenticate = Literal["auto", "always", "never"]
WhenUnavailable = Literal["Block", "Omit"]


class Sources(ApiModel):
    """The sources that an index can have, a field for each kind; the rules follow from these."""

    code_artifact: Annotated[CodeArtifactSource | None, SHARED] = None
    """An AWS CodeArtifact repository. Exactly one source must be set."""

    google_artifact_registry: Annotated[GoogleArtifactRegistrySource | None, SHARED] = None
    """A Python repository of Google Artifact Registry. Exactly one source must be set."""

    preauthenticated: Annotated[PreauthenticatedSource | None, SHARED] = None
    """A complete URL from a Secret, used as it stands. Exactly one source must be set."""

    basic_auth: Annotated[BasicAuthSource | None, SHARED] = None
    """A URL with a user name and a password or token: Artifactory, Nexus, devpi, GitLab, Azure
    DevOps, Gemfury and others. Exactly one source must be set."""

    anonymous: Annotated[AnonymousSource | None, SHARED] = None
    """A URL without any login. Exactly one source must be set."""

    @property
    def source(self) -> SourceModel:
        """The one source that is set; ValueError if there is none."""
        for name in _SOURCE_FIELDS:
            given = getattr(self, name)
            if given is not None:
                return cast(SourceModel, given)
        raise ValueError("an ArtifactIndex without a source")


_SOURCE_FIELDS: Final = tuple(Sources.model_fields)
_KINDS: Final[dict[str, type[SourceModel]]] = {
    info.alias or name: kind
    for name, info in Sources.model_fields.items()
    for kind in get_args(info.annotation)
    if kind is not NoneType
}
_UPLOADS_TO_INDEX: Final = [name for name, kind in _KINDS.items() if kind.uploads_to_index]
_HAS_PUBLISH_URL: Final = [
    name for name, kind in _KINDS.items() if "publish_url" in kind.model_fields
]


def _any_of(names: Iterable[str]) -> str:
    *most, last = (f"`{name}`" for name in names)
    return f"{', '.join(most)} or {last}" if most else last


def _upload_url_is_known() -> str:
    """CEL for `knows_where_to_publish` of the source that is set."""
    always = (f"has(self.{name})" for name in _UPLOADS_TO_INDEX)
    by_field = (f"(has(self.{name}) && has(self.{name}.publishURL))" for name in _HAS_PUBLISH_URL)
    return " || ".join((*always, *by_field))


class ArtifactIndexSpec(Sources):
    """Where the index is, how to log in to it, and how it stands in uv.toml."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one(
            _KINDS,
            f"must set exactly one source: {_any_of(_KINDS)}; a second index is a second "
            "ArtifactIndex",
        ),
        Rule(
            cel="!has(self.authenticate) || self.authenticate != 'never' || has(self.anonymous)",
            message="must not set `authenticate: never` with a source that has a credential, since "
            "uv would not send it; remove `authenticate`, or use `anonymous`",
            holds=lambda spec: spec.authenticate != "never" or spec.anonymous is not None,
        ),
        Rule(
            cel=f"!has(self.publish) || !self.publish || {_upload_url_is_known()}",
            message="must not set `publish` where the URL for uploads is not known: set "
            f"{_any_of(f'{name}.publishURL' for name in _HAS_PUBLISH_URL)}, or use "
            f"{_any_of(_UPLOADS_TO_INDEX)}",
            holds=lambda spec: not spec.publish or spec.source.knows_where_to_publish,
        ),
    )

    name: IndexName | None = None
    """Name of the index in uv.toml, by which environment variables give its login. For
    `tool.uv.sources` a project must declare an index of this name with the same URL itself; uv
    takes the login from the file. Absent: the first label of the URL's host, with a number where
    two are the same; the status of the IndexOptions shows it. Set it where projects depend on
    it."""

    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 100
    """Place in the search order: higher is searched first, ties go by the object's name."""

    explicit: bool = False
    """uv's `explicit`: only packages that a project pins to this index are taken from it. The
    project must declare an index of the same name and URL, since `tool.uv.sources` does not see
    those in uv.toml; the entry then serves as its login."""

    publish: bool = False
    """Whether uv and twine upload packages to this index: `publish-url` in uv.toml, a server in
    .pypirc, and `TWINE_*` and `UV_PUBLISH_*` where no other selected index sets it."""

    authenticate: Authenticate | None = None
    """uv's `authenticate`, in uv's spelling. Absent: `always` where the entry has a login or is
    blocked. `never` is for `anonymous` only."""

    ignore_error_codes: Annotated[
        tuple[Annotated[int, Field(ge=100, le=999)], ...], Field(max_length=32), SET
    ] = ()
    """uv's `ignore-error-codes`: HTTP statuses after which uv goes on to the next index. With 401
    or 403 an expired credential can turn into a public package of the same name."""

    when_unavailable: WhenUnavailable = "Block"
    """What stands in the file while there is no usable credential. `Block`: an entry at which uv
    stops, rather than fall through to a public package; one such index stops every build that
    uses the file, but not `uv sync --frozen`, which asks the URLs in uv.lock. `Omit`: no entry."""

    suspend: bool = False
    """Stop minting for this index. Its entry and token stay until the token is withdrawn."""


class CredentialStatus(ApiModel):
    """The credential that is being served. Never the credential itself."""

    expires_at: Timestamp | None = None
    """When the served credential expires, in UTC and whole seconds."""

    refresh_at: Timestamp | None = None
    """When it will be replaced, in UTC and whole seconds."""


class ArtifactIndexStatus(ApiModel):
    """What the operator last saw and did; written by the operator alone."""

    observed_generation: int | None = None
    """`metadata.generation` that was last handled; -1 before the first time."""

    conditions: Annotated[
        tuple[Condition, ...], Field(max_length=16), ListType("map", keys=("type",))
    ] = ()
    """Observations: Ready always; Reconciling, Stalled, RefreshFailing and FreshnessNotGuaranteed
    only while they are True."""

    warning: Annotated[str, Field(max_length=316)] | None = None
    """The first of RefreshFailing, FreshnessNotGuaranteed and DependencyConfusionRisk that is True,
    for `kubectl get`; absent if none is."""

    url: Annotated[str, Field(max_length=2048)] | None = None
    """The index's URL, never with user name or password; of a preauthenticated URL only scheme
    and host."""

    credential: CredentialStatus | None = None
    """Times of the served credential; absent where it has no known expiry."""

    last_handled_refresh_at: Timestamp | None = None
    """The annotation `artifactindex.dev/refresh-requested-at` that was last fulfilled, as it was
    written."""
