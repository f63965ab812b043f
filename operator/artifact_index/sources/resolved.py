"""From a checked index to its login: URL and credential, or what to ask the clouds for. Pure."""

from dataclasses import dataclass, field

from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.interning import intern_equal
from artifact_index.api.sources import (
    BasicAuthSource,
    CodeArtifactSource,
    GoogleArtifactRegistrySource,
    PreauthenticatedSource,
)
from artifact_index.credentials.aws.requests import (
    CodeArtifactEndpointRequest,
    CodeArtifactTokenRequest,
)
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.requests import NO_KEY_MATERIAL, KeyMaterial, TokenRequest
from artifact_index.formats.document import Credential
from artifact_index.formats.urls import safe_url, without_userinfo
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.resolve.checks import Inputs
from artifact_index.sources.identities import (
    aws_identity,
    aws_role,
    google_identity,
    google_impersonation,
    source_secret_of,
)


@dataclass(frozen=True, slots=True)
class ResolvedSource:
    """How one index is reached.

    `url` is the index URL without userinfo; None while only the `endpoint` request can tell it.
    Static sources carry `credential` or `verbatim_url`, minted ones a `token` request with the
    user name that goes with it. The requests stand beside their digests.
    """

    url: str | None
    credential: Credential | None = None
    verbatim_url: SecretStr | None = None
    username: str = ""
    token: TokenRequest | None = None
    token_digest: str = ""
    endpoint: TokenRequest | None = None
    endpoint_digest: str = ""
    material: KeyMaterial = field(default_factory=lambda: NO_KEY_MATERIAL, repr=False)

    @property
    def credentialed(self) -> bool:
        """Whether a user or password belongs to the index."""
        return self.token is not None or self.credential is not None


def login_of(facts: Inputs, digester: Digester) -> ResolvedSource:
    """The login of an index that has passed all checks."""
    spec = facts.spec
    if spec.code_artifact:
        return _code_artifact(spec.code_artifact, facts, digester)
    if spec.google_artifact_registry:
        return _google(spec.google_artifact_registry, facts, digester)
    if spec.preauthenticated:
        return _preauthenticated(spec.preauthenticated, facts)
    if spec.basic_auth:
        return _basic_auth(spec.basic_auth, facts)
    if spec.anonymous:
        return ResolvedSource(url=spec.anonymous.url)
    raise ValueError("an ArtifactIndex without a source")


def scope_of(spec: ArtifactIndexSpec, digester: Digester) -> str:
    """A digest of where a credential of this index may be sent, whoever logs in.

    While it stands, an older credential may be served in place of one that cannot be had.
    """
    if source := spec.code_artifact:
        where = (source.region, source.domain, source.domain_owner, source.repository)
        return digester.scope("codeArtifact", *where, source.endpoint_type, source.endpoint)
    if spec.google_artifact_registry:
        url = google_index_url(spec.google_artifact_registry)
        return digester.scope("googleArtifactRegistry", url)
    if spec.preauthenticated:
        reference = spec.preauthenticated.url_secret_ref
        return digester.scope("preauthenticated", reference.name, reference.key)
    if spec.basic_auth:
        # A login goes where packages are uploaded to as well.
        uploads = [spec.basic_auth.publish_url] if spec.basic_auth.publish_url else []
        return digester.scope("basicAuth", spec.basic_auth.url, *uploads)
    return digester.scope("anonymous", spec.anonymous.url if spec.anonymous else None)


def url_in_spec(spec: ArtifactIndexSpec) -> str | None:
    """The index URL where the spec alone tells it: whoever logs in, and whether or not one can."""
    if spec.code_artifact:
        return index_url(spec.code_artifact.endpoint) if spec.code_artifact.endpoint else None
    if spec.google_artifact_registry:
        return google_index_url(spec.google_artifact_registry)
    if spec.basic_auth:
        return spec.basic_auth.url
    return spec.anonymous.url if spec.anonymous else None


def shown_url_of(spec: ArtifactIndexSpec, url: str | None) -> str | None:
    """What a status may say of the URL: of a preauthenticated one only scheme and host."""
    return safe_url(url) if spec.preauthenticated and url is not None else url


def publish_url_of(spec: ArtifactIndexSpec, url: str) -> str | None:
    """Where packages are uploaded; None where `publish` is off.

    CodeArtifact and Artifact Registry take uploads at the index URL without `simple/`.
    """
    if not spec.publish:
        return None
    if spec.basic_auth:
        return spec.basic_auth.publish_url
    return url.removesuffix("simple/")


def index_url(endpoint: str) -> str:
    """The index URL below a CodeArtifact repository endpoint (AWS: append `simple/`)."""
    return f"{endpoint.rstrip('/')}/simple/"


def google_index_url(source: GoogleArtifactRegistrySource) -> str:
    """The index URL of a Google Artifact Registry repository, with `host` as an override."""
    host = source.host or f"{source.location}-python.pkg.dev"
    base = host if host.startswith("http://") else f"https://{host}"
    return f"{base}/{source.project}/{source.repository}/simple/"


def _code_artifact(source: CodeArtifactSource, facts: Inputs, digester: Digester) -> ResolvedSource:
    identity, material = aws_identity(source, facts, digester)
    role = aws_role(source, facts.record.ref.namespace)
    token = intern_equal(
        CodeArtifactTokenRequest(
            region=source.region,
            domain=source.domain,
            domain_owner=source.domain_owner,
            duration=source.token_duration.seconds,
            identity=identity,
            role=role,
        )
    )
    endpoint = intern_equal(
        CodeArtifactEndpointRequest(
            region=source.region,
            domain=source.domain,
            domain_owner=source.domain_owner,
            repository=source.repository,
            endpoint_type=source.endpoint_type,
            identity=identity,
            role=role,
        )
    )
    given = url_in_spec(facts.spec)
    return ResolvedSource(
        url=given,
        username="aws",
        token=token,
        token_digest=digester.request(token),
        endpoint=None if given else endpoint,
        endpoint_digest="" if given else digester.request(endpoint),
        material=material,
    )


def _google(
    source: GoogleArtifactRegistrySource, facts: Inputs, digester: Digester
) -> ResolvedSource:
    identity, material = google_identity(source, facts, digester)
    token = intern_equal(GoogleTokenRequest(identity, google_impersonation(source)))
    return ResolvedSource(
        url=google_index_url(source),
        username="oauth2accesstoken",
        token=token,
        token_digest=digester.request(token),
        material=material,
    )


def _preauthenticated(source: PreauthenticatedSource, facts: Inputs) -> ResolvedSource:
    url = source_secret_of(facts).values[source.url_secret_ref.key].get_secret_value()
    return ResolvedSource(url=without_userinfo(url), verbatim_url=SecretStr(url))


def _basic_auth(source: BasicAuthSource, facts: Inputs) -> ResolvedSource:
    reference = source.secret_ref
    secret = source_secret_of(facts)
    username = source.username
    if username is None:
        username = secret.values[reference.username_key].get_secret_value()
    return ResolvedSource(
        url=source.url,
        credential=Credential(username, secret.values[reference.password_key]),
    )
