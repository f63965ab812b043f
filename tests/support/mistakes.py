"""Ordinary mistakes of a first day, and what the operator has to say about each."""

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
from botocore.exceptions import EndpointConnectionError

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.call import AwsCall
from artifact_index.credentials.aws.errors import login_error
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.identities import ServiceURLs, secret_key_login
from artifact_index.kube.errors import without_definition
from artifact_index.kube.resources import ARTIFACT_INDEXES
from artifact_index.reconcile.cache.objects import OutputObject, OutputRef
from artifact_index.reconcile.plan.ownership import ownership_problem
from artifact_index.reconcile.resolve.checks import invalid_spec
from artifact_index.reconcile.status.index_status import index_status
from artifact_index.reconcile.status.options_status import no_indexes
from artifact_index.sources.base import RefusedServiceAccount
from support.clouds.logins import token_request
from support.reconcile_builders import (
    CANARY,
    HOUR,
    NAMESPACE,
    NOW,
    POLICY,
    first_problem,
    index,
    index_state,
    inputs_of,
    issued_token,
    options,
    source,
    token_state_of,
)
from support.statuses import fallback_of, message_of, plan_of, status_of

NO_CONSENT: Final = replace(POLICY, operator_identity=False)
AWS: Final = "Secret 'aws-key' in spec.codeArtifact.auth.secretRef"


@dataclass(frozen=True)
class Mistake:
    """What a user did, how the message about it begins, and what else it says, in this order."""

    message: Callable[[], str]
    begins: str
    says: tuple[str, ...]


def problem(spec: dict[str, Any], **how: Any) -> str:
    """What the checks say of an index."""
    record = index("acme", spec)
    found = first_problem(record, inputs_of(record, **how) if record.spec is not None else None)
    assert found is not None
    return found.message


def missing(**how: Any) -> str:
    """What the checks say of an access key in a Secret with other keys, a minute after."""
    record = index("acme", source("codeArtifact"))
    inputs = inputs_of(record, missing_for=60.0, missing_since=NOW - 60.0, **how)
    found = first_problem(record, inputs)
    assert found is not None
    return found.message


def too_short(*lives: tuple[str, int]) -> str:
    """What an IndexOptions says whose builds may last longer than these tokens."""
    plans = [
        plan_of(
            name,
            source("googleArtifactRegistry"),
            token=token_state_of(issued_token(life=life)),
            max_build=12 * HOUR,
        )
        for name, life in lives
    ]
    return message_of(status_of(*plans), "FreshnessNotGuaranteed")


def unreachable(region: str, cause: OSError | None = None) -> str:
    """What an index says while nothing answers in this region."""
    cause = cause or socket.gaierror(-2, "Name or service not known")
    error = EndpointConnectionError(endpoint_url="https://u:p@x/", error=cause)
    call = AwsCall("GetAuthorizationToken", replace(token_request(), region=region))
    failure = login_error(error, call, now=NOW)
    spec = source("codeArtifact", region=region)
    found = index_state(index("acme", spec), token=token_state_of(error=failure)).problem
    assert found is not None
    return found.message


def refused(kind: str, message: str) -> str:
    """What an index says whose login is refused with this message."""
    failure = LoginError(Reason.INVALID_CREDENTIAL, message)
    found = index_state(index("acme", source(kind)), token=token_state_of(error=failure)).problem
    assert found is not None
    return found.message


def google_key(key: dict[str, str]) -> str:
    """How the client refuses a key file."""
    with pytest.raises(LoginError) as caught:
        secret_key_login(json.dumps({**key, "refresh_token": CANARY}), ServiceURLs())
    return caught.value.message


def account(kind: str) -> str:
    """What an index says whose ServiceAccount the operator may not read."""
    record = index("acme", source(kind, auth={"serviceAccountRef": {"name": "builder"}}))
    found = first_problem(record, replace(inputs_of(record), account=RefusedServiceAccount()))
    assert found is not None
    return found.message


def unselected(labels: dict[str, str], in_use: set[str]) -> str:
    """What an IndexOptions says that selects nothing."""
    record = options(spec={"indexSelector": {"matchLabels": labels}})
    return no_indexes(record, outputs_stay=False, labels=in_use).message


def taken(**how: Any) -> str:
    """What an IndexOptions says whose output is somebody else's object."""
    existing = OutputObject(
        **{
            "ref": OutputRef("Secret", NAMESPACE, "existing"), "uid": "u", "resource_version": 1,
            "controller": None, "labelled": False, "annotations": {}, "adopt": None,
            "keys": frozenset({"pip.conf", "ca.crt"}), "digest": "", "secret_type": "Opaque",
            "immutable": False, **how,
        }
    )  # fmt: skip
    found = ownership_problem(existing, options(), ())
    assert found is not None
    return found.message


def available(spec: dict[str, Any], refresh: str | None = None) -> str:
    """What Ready says of a good index."""
    plan = plan_of("acme", spec)
    record = replace(index("acme", spec), refresh_requested=refresh)
    return message_of(index_status(record, plan, NOW))


def rotated(**how: Any) -> str:
    """What Ready says of an index with this login, which was good."""
    plan = fallback_of("acme", source("basicAuth"), **how)
    return message_of(index_status(index("acme", source("basicAuth")), plan, NOW))


def in_config_map() -> str:
    """What an IndexOptions says of a URL that may be a secret as a whole."""
    plan = plan_of("m14", source("preauthenticated", publicPath=False))
    return message_of(status_of(plan, spec={"outputs": [{"kind": "ConfigMap", "name": "public"}]}))


def bad_options(spec: dict[str, Any]) -> str:
    """What an IndexOptions says that the API server took by older definitions."""
    found = options(spec=spec).problem
    assert found is not None
    return invalid_spec(found).message


MISTAKES: dict[str, Mistake] = {
    "other names of keys": Mistake(
        lambda: missing(values={"aws_access_key_id": "A", "aws_secret_access_key": "s"}),
        AWS,
        ("has no key 'AWS_ACCESS_KEY_ID' and has no key 'AWS_SECRET_ACCESS_KEY'. It has ",
         "the keys aws_access_key_id, aws_secret_access_key; add them, or set "
         "spec.codeArtifact.auth.secretRef.accessKeyIDKey and secretAccessKeyKey to the keys that "
         "hold the values", "Stalled if it is missing at 2027-01-15T08:04:00Z"),
    ),
    "an empty key": Mistake(
        lambda: missing(values={"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": ""}),
        AWS, ("has an empty key 'AWS_SECRET_ACCESS_KEY'; add it, or set "
              "spec.codeArtifact.auth.secretRef.secretAccessKeyKey to the key that",
              "Stalled if it is missing at "),
    ),
    "another name of the password's key": Mistake(
        lambda: problem(source("basicAuth"), values={"token": "t", "pw": CANARY, "username": "u"}),
        "Secret 'basic' in spec.basicAuth.secretRef",
        ("has no key 'password'. It has ", "the keys pw, token, username; add it, or set "
         "spec.basicAuth.secretRef.passwordKey to the key that holds the value",),
    ),
    "another name of the URL's key": Mistake(
        lambda: problem(source("preauthenticated"), values={"uri": CANARY}),
        "Secret 'whole-url' in spec.preauthenticated.urlSecretRef",
        ("has no key 'url'. It has ", "the key uri; add it, or set "
         "spec.preauthenticated.urlSecretRef.key to the key that holds the value",),
    ),
    "another name of the key file's key": Mistake(
        lambda: problem(source("googleArtifactRegistry"), values={"sa.json": CANARY}),
        "Secret 'gcp-key' in spec.googleArtifactRegistry.auth.secretRef",
        ("has no key 'key.json'. It has ", "the key sa.json; add it, or set "
         "spec.googleArtifactRegistry.auth.secretRef.key to the key that holds the value",),
    ),
    "no Secret": Mistake(
        lambda: missing(missing=True),
        AWS,
        ("does not exist in namespace 'builders'; create it or correct the name",
         "Stalled if it is missing at 2027-01-15T08:04:00Z"),
    ),
    "line breaks at the end": Mistake(
        lambda: problem(source("basicAuth"), values={"username": "u\n", "password": CANARY + "\n"}),
        "Secret 'basic' in spec.basicAuth.secretRef",
        ("key 'username' cannot be used: it has a line break at its end",
         "`printf %s` does not", "key 'password'", "correct the values"),
    ),
    "a temporary access key without its token": Mistake(
        lambda: problem(
            source("codeArtifact"),
            values={"AWS_ACCESS_KEY_ID": "ASIA1", "AWS_SECRET_ACCESS_KEY": "s", "TOKEN": CANARY},
        ),
        AWS,
        ("begins with ASIA", "without its session token", "as AWS_SESSION_TOKEN,",
         "spec.codeArtifact.auth.secretRef.sessionTokenKey"),
    ),
    "builds longer than the tokens of two indexes": Mistake(
        lambda: too_short(("acme", 12 * HOUR), ("gar", HOUR), ("two", HOUR), ("third", 2 * HOUR)),
        "ArtifactIndex 'gar', 'two'",
        ("The longest build that can be guaranteed is 44m50s: ",
         "lower spec.maxBuildDuration of the IndexOptions to at most 44m50s",
         "other indexes: 'third 1h44m50s', 'acme 11h44m50s'."),
    ),
    "a typo in the region": Mistake(
        lambda: unreachable("eu-wst-1"),
        "spec.codeArtifact.region 'eu-wst-1'",
        ("did you mean 'eu-west-1'?", "could not be reached (its host name is not found)",
         "check codeArtifact.region"),
    ),
    "a way out of the cluster that is closed": Mistake(
        lambda: unreachable("eu-west-1", ConnectionRefusedError()),
        "CodeArtifact in eu-west-1 could not be reached (connection refused)",
        ("the operator's egress", "the operator tries again"),
    ),
    "a refused key": Mistake(
        lambda: refused("codeArtifact", "AWS does not accept the AWS access key of the Secret"),
        f"{AWS}: AWS does not accept", ("The operator tries again within 1h, and at once if",),
    ),
    "credentials of a user as a key of Google": Mistake(
        lambda: refused("googleArtifactRegistry", google_key({"type": "authorized_user"})),
        "Secret 'gcp-key' in spec.googleArtifactRegistry.auth.secretRef: ",
        ("of type authorized_user", "only a service account key", "create one",
         "The operator tries again within 1h"),
    ),
    "a URL without TLS": Mistake(
        lambda: problem(source("basicAuth", url="http://in.example/simple/")),
        "spec.basicAuth.url",
        ("is not https", "use an https URL", "--allow-http (settings.allowHttp of the chart)"),
    ),
    "a host that is not allowed": Mistake(
        lambda: problem(source("basicAuth"), policy=replace(POLICY, allowed_hosts=("x",))),
        "the host of spec.basicAuth.url",
        ("--allowed-hosts (settings.allowedHosts of the chart)",),
    ),
    "no auth": Mistake(
        lambda: problem(source("codeArtifact", auth=None), policy=NO_CONSENT),
        "spec.codeArtifact",
        ("since auth is absent", "'builders' may not", "spec.codeArtifact.auth.secretRef",
         "add 'builders' to --operator-identity-namespaces (settings.operatorIdentityNamespaces"),
    ),
    "a ServiceAccount that the operator may not read": Mistake(
        lambda: account("codeArtifact"),
        "ServiceAccount 'builder' in spec.codeArtifact.auth.serviceAccountRef",
        ("--set serviceAccountTokens.mode=Listed",
         "--set 'serviceAccountTokens.listed.builders={builder}'"),
    ),
    "an output as the source": Mistake(
        lambda: problem(source("basicAuth"), secret_is_output=True),
        "Secret 'basic' in spec.basicAuth.secretRef",
        ("is an output", "name the Secret that holds the original credential"),
    ),
    "user and password in the URL": Mistake(
        lambda: problem(source("basicAuth", url=f"https://u:{CANARY}@x/")),
        "spec.basicAuth.url",
        ("must not hold a user name or password", "basicAuth.secretRef"),
    ),
    "a number without quotes": Mistake(
        lambda: problem(source("codeArtifact", domainOwner=111122223333)),
        "spec.codeArtifact.domainOwner",
        ("string", "correct the field"),
    ),
    "two sources": Mistake(
        lambda: problem({**source("codeArtifact"), **source("basicAuth")}),
        "spec",
        ("must set exactly one source: ", "basicAuth"),
    ),
    "a typo in the selector": Mistake(
        lambda: unselected({"env": "prd"}, {"a=b", "c=d", "e=f", "env=prod", "g=h", "i=j", "k=l"}),
        "spec.indexSelector matches no ArtifactIndex in namespace 'builders'",
        ("correct the selector or the labels", "(labels in use: env=prod, a=b, c=d, e=f, g=h, …)"),
    ),
    "indexes without labels": Mistake(
        lambda: unselected({"env": "prd"}, set()),
        "spec.indexSelector matches no ArtifactIndex in namespace 'builders'",
        ("the labels of the indexes (no label is in use)",),
    ),
    "an output with the name of a Secret": Mistake(
        lambda: taken(),
        "Secret 'existing'",
        ("was there before", "replaces all of its data (ca.crt, pip.conf): ",
         "kubectl -n builders annotate secret existing artifactindex.dev/adopt=uv-config",
         "choose another name in spec.outputs, or delete it"),
    ),
    "an output with the name of an immutable Secret": Mistake(
        lambda: taken(immutable=True, adopt="uv-config"),
        "Secret 'existing'",
        ("is immutable", "delete it", "spec.outputs"),
    ),
    "an output with the name of a typed Secret": Mistake(
        lambda: taken(secret_type="kubernetes.io/basic-auth", adopt="uv-config"),
        "Secret 'existing'",
        ("has type 'kubernetes.io/basic-auth', and outputs are Opaque", "delete it",
         "spec.outputs"),
    ),
    "a repository of Google that does not exist": Mistake(
        lambda: available(source("googleArtifactRegistry")),
        "the index is available",
        ("Whether the repository exists is not checked",),
    ),
    "a location as AWS spells it": Mistake(
        lambda: available(source("googleArtifactRegistry", location="europe-west-1")),
        "the index is available",
        ("spec.googleArtifactRegistry.location 'europe-west-1'",
         "did you mean 'europe-west1'? Whether"),
    ),
    "a wrong endpoint of AWS": Mistake(
        lambda: available(source("codeArtifact", endpoint="https://x.example/a/")),
        "the index is available",
        ("Whether the repository exists is not checked",),
    ),
    "a wrong password": Mistake(
        lambda: available(source("basicAuth")),
        "the index is available",
        ("Whether the index answers is not checked",),
    ),
    "a wrong URL": Mistake(
        lambda: available(source("anonymous")),
        "the index is available",
        ("Whether the index answers is not checked",),
    ),
    "a refresh request that is no time": Mistake(
        lambda: available(source("anonymous"), refresh="now"),
        "the index is available",
        ("artifactindex.dev/refresh-requested-at is not an RFC 3339 time",
         'set artifactindex.dev/refresh-requested-at="$(date -u +%FT%TZ)"'),
    ),
    "a rotation to an unusable password": Mistake(
        lambda: rotated(values={"username": "u", "password": CANARY + "\n"}),
        "Secret 'basic' in spec.basicAuth.secretRef",
        ("key 'password'", "correct the value", "the outputs keep the last usable login"),
    ),
    "no definitions": Mistake(
        lambda: without_definition(ARTIFACT_INDEXES).message,
        "there is no CustomResourceDefinition artifactindexes.artifactindex.dev",
        ("artifact-index crds | kubectl apply -f -",),
    ),
    "a preauthenticated URL in a ConfigMap": Mistake(
        lambda: in_config_map(),
        "ConfigMap 'public' must not hold the preauthenticated URL of ArtifactIndex 'm14'",
        ("spec.preauthenticated.publicPath", "write it to a Secret"),
    ),
    "longer builds than any token": Mistake(
        lambda: bad_options({"maxBuildDuration": "24h"}),
        "spec.maxBuildDuration",
        ("must be between `1s` and `12h`: no cloud's token lives longer",),
    ),
    "builds in words": Mistake(
        lambda: bad_options({"maxBuildDuration": "30 minutes"}),
        "spec.maxBuildDuration",
        ("must be a duration such as `30m`",),
    ),
    "a kind in lower case": Mistake(
        lambda: bad_options({"outputs": [{"kind": "secret", "name": "x"}]}),
        "spec.outputs[0].kind",
        ("'Secret' or 'ConfigMap'",),
    ),
    "a format by the name of its file": Mistake(
        lambda: bad_options({"outputs": [{"kind": "Secret", "name": "x", "formats": ["uv.toml"]}]}),
        "spec.outputs[0].formats[0]",
        ("'UvToml', 'Netrc', 'PipConf'",),
    ),
}  # fmt: skip
