"""The kinds of sources: the only place that finds the code for a spec's source."""

from typing import Any, Final

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.sources.anonymous import AnonymousSource
from artifact_index.api.sources.azure_artifacts import AzureArtifactsSource
from artifact_index.api.sources.base import SourceModel
from artifact_index.api.sources.basic_auth import BasicAuthSource
from artifact_index.api.sources.code_artifact import CodeArtifactSource
from artifact_index.api.sources.google_artifact_registry import GoogleArtifactRegistrySource
from artifact_index.api.sources.preauthenticated import PreauthenticatedSource
from artifact_index.api.sources.token_exchange import TokenExchangeSource
from artifact_index.sources.anonymous import Anonymous
from artifact_index.sources.azure_artifacts import AzureArtifacts
from artifact_index.sources.base import SecretUse, Source
from artifact_index.sources.basic_auth import BasicAuth
from artifact_index.sources.cloud import CloudSource
from artifact_index.sources.code_artifact import CodeArtifact
from artifact_index.sources.google_artifact_registry import GoogleArtifactRegistry
from artifact_index.sources.preauthenticated import Preauthenticated
from artifact_index.sources.token_exchange import TokenExchange

BY_MODEL: Final[dict[type[SourceModel], type[Source[Any]]]] = {
    CodeArtifactSource: CodeArtifact,
    GoogleArtifactRegistrySource: GoogleArtifactRegistry,
    AzureArtifactsSource: AzureArtifacts,
    TokenExchangeSource: TokenExchange,
    PreauthenticatedSource: Preauthenticated,
    BasicAuthSource: BasicAuth,
    AnonymousSource: Anonymous,
}
CLOUDS: Final = tuple(kind for kind in BY_MODEL.values() if issubclass(kind, CloudSource))
ACCOUNT_ANNOTATIONS: Final = {
    name: stand_in for kind in CLOUDS for name, stand_in in kind.account_annotations.items()
}
"""All annotations of ServiceAccounts that some source reads, each with its stand-in."""


def of(spec: ArtifactIndexSpec) -> Source[Any]:
    """The source of an index."""
    model = spec.source
    return BY_MODEL[type(model)](model, spec.format)


def secret_use(spec: ArtifactIndexSpec | None) -> SecretUse | None:
    """The Secret that an index's source reads, if any, with its keys."""
    return of(spec).secret() if spec is not None else None


def login_names(spec: ArtifactIndexSpec) -> dict[str, str]:
    """Who logs in at which cloud, by the keys of the log; only what the source has."""
    source = of(spec)
    secret, account = source.secret(), source.service_account()
    names = {"provider": source.provider} if isinstance(source, CloudSource) else {}
    if secret is not None:
        names["secret"] = secret.name
    if account is not None:
        names["serviceAccount"] = account.name
    return names


def service_account_name(spec: ArtifactIndexSpec | None) -> str | None:
    """The name of the ServiceAccount that an index's source logs in as, if any."""
    use = of(spec).service_account() if spec is not None else None
    return use.name if use else None
