"""What can happen to a namespace with one served index, and what each text has to say of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from botocore.exceptions import ClientError, EndpointConnectionError

from artifact_index.credentials.aws.call import AwsCall
from artifact_index.credentials.aws.errors import login_error
from artifact_index.credentials.errors import LoginError
from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.cache.sources.parsing import parse_source_secret
from support.clouds.logins import token_request
from support.engine import WITHDRAWAL, Engine
from support.reconcile_builders import HOUR, NAMESPACE, secret_body, source

URL: Final = "https://acme.example/pypi/acme/"
ACME: Final = {**source("codeArtifact", endpoint=URL), "name": "acme"}
PASSWORD: Final = {**source("basicAuth", url=f"{URL}simple/"), "name": "acme"}
QUOTA: Final = ApiError(403, "Forbidden", 'secrets "uv-config" is forbidden: exceeded quota')

Happen = Callable[[Engine], Awaitable[None]]


@dataclass(frozen=True)
class Incident:
    """One cause, how it comes about, and how it shows.

    `section` is the beginning of a heading of the troubleshooting page, and `page` are words that
    it has. `alert` is the alert whose text leads to it, "" if nobody can be woken by it. `object`
    is the one that is at fault. `columns` are words of its row in `kubectl get -o wide`, `log`
    words of the operator's lines about it, and `client` what a build meets: `blocked`, the number
    in a section's heading, or "" while builds go on. `reason` is where `artifact-index why` ends,
    "" if it finds nothing wrong.
    """

    happen: Happen
    section: str
    columns: tuple[str, ...]
    log: tuple[str, ...] = ()
    alert: str = ""
    client: str = ""
    object: str = "ArtifactIndex/acme"
    reason: str = ""
    page: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outage:
    """Something about the operator itself: no object tells it by a condition."""

    alert: str
    section: str


def refused(code: str) -> LoginError:
    """How the client of CodeArtifact tells this answer of AWS."""
    answer: Any = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": 403, "RequestId": "4be7-9c1f"},
    }
    call = AwsCall("GetAuthorizationToken", token_request())
    return login_error(ClientError(answer, "GetAuthorizationToken"), call, now=0)


def unreachable() -> LoginError:
    """How it tells that nothing answers."""
    error = EndpointConnectionError(endpoint_url="https://x/", error=ConnectionRefusedError())
    return login_error(error, AwsCall("GetAuthorizationToken", token_request()), now=0)


async def served(engine: Engine, spec: dict[str, Any] = ACME, *, ready: bool = True) -> None:
    """One index with a login, in one file."""
    engine.secret("aws-key")
    engine.secret("basic")
    engine.index("acme", spec)
    engine.options()
    await engine.settle()
    assert (engine.ready()[1] == "Available") is ready, engine.ready()


def put_secret(engine: Engine, name: str, values: dict[str, str]) -> None:
    """Replace a labelled source Secret."""
    labels = {"artifactindex.dev/role": "source"}
    body = engine.port.put("secrets", secret_body(name, values, labels=labels))
    ref = ObjectRef(NAMESPACE, name)
    engine.cache.put_source(ref, parse_source_secret(body, engine.cache.named_keys(ref)))


async def _first_login(engine: Engine, error: LoginError) -> None:
    engine.secret("aws-key")
    engine.error = error
    engine.index("acme", ACME)
    engine.options()
    await engine.settle()


async def _refresh(engine: Engine, error: LoginError) -> None:
    """A refresh fails an hour after the token was issued."""
    await served(engine)
    engine.error = error
    engine.time += HOUR
    engine.index("acme", ACME, refresh_requested=engine.time)
    await engine.settle()


async def key_deleted(engine: Engine) -> None:
    await _refresh(engine, refused("UnrecognizedClientException"))


async def permission_missing(engine: Engine) -> None:
    await _first_login(engine, refused("AccessDeniedException"))


async def throttled(engine: Engine) -> None:
    await _refresh(engine, refused("ThrottlingException"))


async def cloud_away(engine: Engine) -> None:
    await _refresh(engine, unreachable())
    engine.time += WITHDRAWAL - HOUR
    await engine.settle()


async def secret_deleted(engine: Engine) -> None:
    await served(engine)
    del engine.port.objects["secrets", NAMESPACE, "aws-key"]
    engine.cache.drop_source(ObjectRef(NAMESPACE, "aws-key"))
    await engine.settle()


async def unusable_rotation(engine: Engine) -> None:
    await served(engine, PASSWORD)
    put_secret(engine, "basic", {"username": "builder", "password": "new\n"})
    await engine.settle()


async def same_name(engine: Engine) -> None:
    await served(engine)
    engine.index("acme-2", {**PASSWORD, "name": "acme"}, created="2026-01-02T00:00:00Z")
    await engine.settle()


async def consent_withdrawn(engine: Engine) -> None:
    engine.policy = replace(engine.policy, operator_identity=False)
    engine.index("acme", {**source("codeArtifact", auth=None, endpoint=URL), "name": "acme"})
    engine.options()
    await engine.settle()


async def key_missing(engine: Engine) -> None:
    put_secret(engine, "aws-key", {"id": "A", "key": "s"})
    engine.index("acme", ACME)
    engine.options()
    await engine.settle()


async def host_forbidden(engine: Engine) -> None:
    engine.policy = replace(engine.policy, allowed_hosts=("other.example",))
    await served(engine, PASSWORD, ready=False)


async def output_taken(engine: Engine) -> None:
    engine.port.put("secrets", secret_body("uv-config", {"mine": "x"}))
    engine.secret("aws-key")
    engine.index("acme", ACME)
    engine.options()
    await engine.settle()


async def write_refused(engine: Engine) -> None:
    engine.refuse(QUOTA, lambda verb, plural, name: (verb, plural) == ("create", "secrets"))
    engine.secret("aws-key")
    engine.index("acme", ACME)
    engine.options()
    for _ in range(3):  # the first two failures in a row are not reported
        await engine.settle()


async def nothing_selected(engine: Engine) -> None:
    engine.index("acme", ACME)
    engine.options({"indexSelector": {"matchLabels": {"env": "prd"}}})
    await engine.settle()


async def public_first(engine: Engine) -> None:
    await served(engine)
    engine.options({"preferPrivate": False})
    await engine.settle()


async def index_with_password(engine: Engine) -> None:
    await served(engine, PASSWORD)


KEY: Final = "Secret 'aws-key' in spec.codeArtifact.auth.secretRef"
INCIDENTS: Final[dict[str, Incident]] = {
    "a key was deleted at the cloud": Incident(
        key_deleted, "A refresh fails",
        ("True", "Available", "RefreshFailing", KEY, "put a current access key", "valid until"),
        ("TokenRefused", "secret=aws-key", "reason=InvalidCredential", "put a current access key",
         "requestID=4be7-9c1f", "nextTry="),
        alert="ArtifactIndexRefreshFailing", reason="InvalidCredential",
    ),
    "the cloud throttles": Incident(
        throttled, "A refresh fails",
        ("True", "Available", "RefreshFailing", "AWS throttles", "raise the account's quota"),
        ("TokenRefused", "reason=CloudThrottled", "AWS throttles", "raise the"),
        alert="ArtifactIndexRefreshFailing", reason="CloudThrottled",
    ),
    "the cloud is away until a token must go": Incident(
        cloud_away, ".unavailable.invalid",
        ("False", "CredentialExpired", "could not be reached", "egress"),
        ("TokenRefused", "reason=CloudUnavailable", "could not be reached", "egress"),
        alert="ArtifactIndexBuildsBlocked", client="blocked", reason="CredentialExpired",
    ),
    "a permission is missing at the first login": Incident(
        permission_missing, ".unavailable.invalid",
        ("False", "AccessDenied", "codeartifact:GetAuthorizationToken", "allow"),
        ("TokenRefused", "reason=AccessDenied", "allow", "codeartifact:GetAuthorizationToken"),
        alert="ArtifactIndexBuildsBlocked", client="blocked", reason="AccessDenied",
    ),
    "a source Secret was deleted": Incident(
        secret_deleted, ".unavailable.invalid",
        ("False", "SecretNotFound", KEY, "create it"),
        ("ConditionChanged", "reason=SecretNotFound", KEY, "create it"),
        alert="ArtifactIndexBuildsBlocked", reason="SecretNotFound",
    ),
    "a password was rotated to an unusable one": Incident(
        unusable_rotation, ".unavailable.invalid",
        ("False", "InvalidSecretValue", "key 'password'", "line break", "printf %s"),
        ("ConditionChanged", "reason=InvalidSecretValue", "key 'password'", "line break"),
        alert="ArtifactIndexBuildsBlocked", reason="InvalidSecretValue",
    ),
    "a key of the Secret has another name": Incident(
        key_missing, ".unavailable.invalid",
        ("False", "SecretKeyMissing", KEY, "has no key 'AWS_ACCESS_KEY_ID'", "the keys id, key"),
        ("ConditionChanged", "reason=SecretKeyMissing", "the keys id, key"),
        alert="ArtifactIndexBuildsBlocked", client="blocked", reason="SecretKeyMissing",
    ),
    "the administrator has not allowed the host": Incident(
        host_forbidden, ".unavailable.invalid",
        ("False", "HostNotAllowed", "spec.basicAuth.url", "--allowed-hosts"),
        ("ConditionChanged", "reason=HostNotAllowed", "settings.allowedHosts"),
        alert="ArtifactIndexBuildsBlocked", client="blocked", reason="HostNotAllowed",
    ),
    "two indexes have one name": Incident(
        same_name, ".unavailable.invalid",
        ("False", "NameConflict", "'acme'", "kubectl"),
        ("ConditionChanged", "reason=NameConflict", "kubectl"),
        alert="ArtifactIndexBuildsBlocked", client="blocked", reason="NameConflict",
        object="ArtifactIndex/acme-2",
    ),
    "consent to the operator's identity was withdrawn": Incident(
        consent_withdrawn, ".unavailable.invalid",
        ("False", "OperatorIdentityNotAllowed", "--operator-identity-namespaces"),
        ("ConditionChanged", "reason=OperatorIdentityNotAllowed", "operatorIdentityNamespaces"),
        alert="ArtifactIndexBuildsBlocked", client="blocked", reason="OperatorIdentityNotAllowed",
    ),
    "the output's name is taken": Incident(
        output_taken, "An output is not written",
        ("False", "TargetNotOwned", "Secret 'uv-config'", "artifactindex.dev/adopt"),
        ("ConditionChanged", "reason=TargetNotOwned", "artifactindex.dev/adopt"),
        alert="ArtifactIndexNotReady", object="IndexOptions/uv-config", reason="TargetNotOwned",
    ),
    "the API server refuses the output": Incident(
        write_refused, "An output is not written",
        ("False", "WriteFailed", "Secret", "exceeded quota"),
        ("ConditionChanged", "reason=WriteFailed", "exceeded quota"),
        alert="ArtifactIndexNotReady", object="IndexOptions/uv-config", reason="WriteFailed",
    ),
    "nothing is selected, so that pods wait for the Secret": Incident(
        nothing_selected, "The pod does not start",
        ("False", "NoIndexes", "spec.indexSelector", "correct"),
        ("ConditionChanged", "reason=NoIndexes", "spec.indexSelector"),
        alert="ArtifactIndexNotReady", object="IndexOptions/uv-config", reason="NoIndexes",
    ),
    "the file lets a public package win": Incident(
        public_first, "A public package instead of yours",
        ("True", "Available", "DependencyConfusionRisk", "spec.preferPrivate", "set it to true"),
        ("ConditionChanged", "reason=PublicIndexFirst", "preferPrivate"),
        object="IndexOptions/uv-config", reason="PublicIndexFirst",
    ),
    "a password was changed at the index": Incident(
        index_with_password, "401",
        ("True", "Available", "Whether the index answers is not checked"),
        client="401", page=("Whether the index answers is not checked", "put the new password"),
    ),
    "the repository in the spec is another one": Incident(
        served, "404",
        ("True", "Available", "Whether the repository exists is not checked"),
        client="404", page=("Whether the repository exists is not checked", "correct `repository`"),
    ),
    "a permission is missing at the index": Incident(
        served, "403", ("True", "Available"),
        client="403", page=("codeartifact:ReadFromRepository", "roles/artifactregistry.reader"),
    ),
    "a pod has the file of an hour ago": Incident(
        served, "An old token", ("True", "Available"),
        client="401", page=("subPath", "envFrom", "Mount the directory"),
    ),
}  # fmt: skip

OUTAGES: Final[dict[str, Outage]] = {
    "the process is gone": Outage("ArtifactIndexDown", "The operator does not run"),
    "the API server refuses its login": Outage("ArtifactIndexUnready", "The operator does not run"),
    "no replica gets the Lease": Outage("ArtifactIndexNoLeader", "The operator does not run"),
    "two processes lead": Outage("ArtifactIndexTwoLeaders", "The operator does not run"),
    "nobody stands by": Outage("ArtifactIndexNoStandby", "The operator does not run"),
    "renewals of the Lease fail": Outage("ArtifactIndexRenewalsFail", "The operator is slow"),
    "nothing leaves the queue": Outage("ArtifactIndexQueueStuck", "The operator is slow"),
    "its event loop lags": Outage("ArtifactIndexLoopLag", "The operator is slow"),
    "its clock is wrong": Outage("ArtifactIndexClockOff", "The operator is slow"),
    "a cloud answers nobody": Outage("ArtifactIndexCloudFailing", "A refresh fails"),
    "a refresh is late for no known cause": Outage("ArtifactIndexRefreshLate", "A refresh fails"),
    "a token is about to be withdrawn": Outage("ArtifactIndexTokenExpiresSoon", "A refresh fails"),
}
"""What stops the operator or all of its logins, by what happened."""
