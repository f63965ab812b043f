"""ArtifactIndex: one index and the way to log in to it."""

from collections.abc import Iterable
from types import NoneType
from typing import Annotated, ClassVar, Final, Literal, cast, get_args

from pydantic import Field

from artifact_index.api.base import ApiModel
from artifact_index.api.conditions import Condition
from artifact_index.api.fields import PAGE_PATTERN, ExcludeNewer, IndexName, is_page
from artifact_index.api.interning import SHARED
from artifact_index.api.rules import SET, ListType, Rule, exactly_one
from artifact_index.api.sources.anonymous import AnonymousSource
from artifact_index.api.sources.azure_artifacts import AzureArtifactsSource
from artifact_index.api.sources.base import SourceModel
from artifact_index.api.sources.basic_auth import BasicAuthSource
from artifact_index.api.sources.code_artifact import CodeArtifactSource
from artifact_index.api.sources.google_artifact_registry import GoogleArtifactRegistrySource
from artifact_index.api.sources.preauthenticated import PreauthenticatedSource
from artifact_index.api.sources.token_exchange import TokenExchangeSource
from artifact_index.api.timestamps import Timestamp

IndexFormat = Literal["simple", "flat"]
Authenticate = Literal["auto", "always", "never"]
WhenUnavailable = Literal["Block", "Omit"]


class Sources(ApiModel):
    """The sources that an index can have, a field for each kind; the rules follow from these."""

    code_artifact: Annotated[CodeArtifactSource | None, SHARED] = None
    """An AWS CodeArtifact repository. Exactly one source must be set."""

    google_artifact_registry: Annotated[GoogleArtifactRegistrySource | None, SHARED] = None
    """A Python repository of Google Artifact Registry. Exactly one source must be set."""

    azure_artifacts: Annotated[AzureArtifactsSource | None, SHARED] = None
    """A Python feed of Azure Artifacts. Exactly one source must be set."""

    token_exchange: Annotated[TokenExchangeSource | None, SHARED] = None
    """A repository whose host exchanges the token of a ServiceAccount: JFrog, Cloudsmith, RFC 8693.
    Exactly one source must be set."""

    preauthenticated: Annotated[PreauthenticatedSource | None, SHARED] = None
    """A complete URL from a Secret, used unchanged. Exactly one source must be set."""

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
_MAY_BE_FLAT: Final = [name for name, kind in _KINDS.items() if kind.may_be_flat]
_HAS_URL: Final = [name for name, kind in _KINDS.items() if "url" in kind.model_fields]


def _any_of(names: Iterable[str]) -> str:
    *most, last = (f"`{name}`" for name in names)
    return f"{', '.join(most)} or {last}" if most else last


def _upload_url_is_known() -> str:
    """CEL for `knows_where_to_publish` of the source that is set."""
    always = (f"has(self.{name})" for name in _UPLOADS_TO_INDEX)
    by_field = (f"(has(self.{name}) && has(self.{name}.publishURL))" for name in _HAS_PUBLISH_URL)
    return " || ".join((*always, *by_field))


def _url_is_a_page() -> str:
    """CEL for `is_page` of the URL that the spec holds, if it does."""
    page = f"url.matches('{PAGE_PATTERN}')"
    return " || ".join(f"(has(self.{name}) && self.{name}.{page})" for name in _HAS_URL)


class ArtifactIndexSpec(Sources):
    """Where the index is, how to log in to it, and how it appears in uv.toml."""

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
        Rule(
            cel="!has(self.format) || self.format != 'flat' || "
            + " || ".join(f"has(self.{name})" for name in _MAY_BE_FLAT),
            message="must not set `format: flat` with the repository of a cloud, which is a "
            f"simple index; remove `format`, or use {_any_of(_MAY_BE_FLAT)}",
            holds=lambda spec: spec.format != "flat" or spec.source.may_be_flat,
        ),
        Rule(
            cel="!has(self.format) || self.format != 'flat' || "
            "((!has(self.publish) || !self.publish) && !has(self.excludeNewer))",
            message="must not set `publish` or `excludeNewer` with `format: flat`, since a page "
            "of links takes no uploads and uv knows no age of its files; remove it",
            holds=lambda spec: spec.format != "flat" or not (spec.publish or spec.exclude_newer),
        ),
        Rule(
            cel=f"has(self.format) || !({_url_is_a_page()})",
            message="must set `format: flat` where the URL ends in `.html` or `.htm`, as that of "
            "a page of links does, since uv would ask for pages below it; set `format: simple` if "
            "a simple index is there",
            holds=lambda spec: spec.format or not is_page(getattr(spec.source, "url", "")),
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

    format: IndexFormat | None = None
    """uv's `format`. `flat`: the URL is that of one page with links to files, such as `cpu.html`,
    from which uv, pip and PDM take packages; not with the repository of a cloud. Absent: `simple`,
    a simple index."""

    exclude_newer: ExcludeNewer | None = None
    """uv's `exclude-newer` for this index: a span, such as `7 days`, hides files that were uploaded
    within it, and all files without an upload time. `"false"` (in quotes) exempts the index from
    the cut-off of a project, which CodeArtifact and others need, since they give no upload times.
    uv before 0.11.5 ignores it, and other clients have nothing like it."""

    explicit: bool = False
    """uv's `explicit`: only packages that a project pins to this index are taken from it. The
    project must declare an index of the same name and URL, since `tool.uv.sources` does not see
    those in uv.toml; the entry then serves as its login."""

    publish: bool = False
    """Whether packages are uploaded to this index. What is written for NAME, the index's name:
    `publish-url` in UvToml (`uv publish --index NAME`), a server in Pypirc (`twine upload
    --repository NAME`), a repository in PdmToml (`pdm publish -r NAME`), and in Environment
    `POETRY_REPOSITORIES_<NAME>_URL` (`poetry publish -r NAME`). Where no other selected index sets
    it, Environment also has `UV_PUBLISH_*`, `TWINE_*`, `PDM_PUBLISH_*` and `HATCH_INDEX_*`, with
    which these clients upload without an option."""

    authenticate: Authenticate | None = None
    """uv's `authenticate`, in uv's spelling. Absent: `always` where the entry has a login or is
    blocked. `never` is for `anonymous` only."""

    ignore_error_codes: Annotated[
        tuple[Annotated[int, Field(ge=100, le=999)], ...], Field(max_length=32), SET
    ] = ()
    """uv's `ignore-error-codes`: HTTP statuses after which uv goes on to the next index. With 401
    or 403 an expired credential can turn into a public package of the same name."""

    when_unavailable: WhenUnavailable = "Block"
    """What is in the file while there is no usable credential. `Block`: an entry at which uv
    stops, rather than fall through to a public package; one such index stops every build that
    uses the file, but not `uv sync --frozen`, which asks the URLs in uv.lock. `Omit`: no entry."""

    suspend: bool = False
    """Stop minting for this index. Its entry and token stay until the token is withdrawn."""

    @property
    def is_for_uploads(self) -> bool:
        """Whether the index may be for uploads alone: no installer asks an explicit one itself."""
        return self.explicit and self.publish

    @property
    def is_read_with_login(self) -> bool:
        """Whether the index is read, with a login."""
        return self.source.has_login and not self.is_for_uploads


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

    last_refused_refresh_at: Timestamp | None = None
    """The annotation that was last tried in vain, as it was written; Ready or RefreshFailing says
    why. The operator goes on trying."""
