"""Objects, tokens, index states and plans for tests of the reconciler, in few words.

Everything is built by the operator's own parsers, from bodies as the API server shows them.
"""

import base64
import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.endpoint_entry import EndpointState
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.requests import OperatorIdentity, Requirement, Token
from artifact_index.credentials.tokens.entry import TokenEntry
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.token_state import TokenState
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import (
    CustomObject,
    IndexObject,
    OptionsObject,
    parse_custom_object,
)
from artifact_index.reconcile.cache.sources.parsing import parse_source_secret
from artifact_index.reconcile.plan.entries import IndexPlan, plan_indexes
from artifact_index.reconcile.plan.fallback import Published
from artifact_index.reconcile.resolve.checks import (
    SOURCE_CHECKS,
    SPEC_CHECKS,
    first_violation,
    invalid_spec,
)
from artifact_index.reconcile.resolve.memo import Place, SourceKey
from artifact_index.reconcile.resolve.resolution import Resolved, SelectedIndex
from artifact_index.reconcile.resolve.token_view import (
    IndexState,
    state_key,
    with_token,
    without_login,
)
from artifact_index.sources.base import (
    Inputs,
    ResolvedSource,
    SourceSecret,
    SourceServiceAccount,
)
from artifact_index.sources.policy import Policy, Problem
from artifact_index.sources.registry import of

NOW = 1_800_000_000
HOUR = 3600
NAMESPACE = "builders"
OPTIONS_UID = "uid-of-uv-config"
MARGINS = Margins()
DIGESTER = Digester(b"k" * 32)
POLICY = Policy(allow_http=False, operator_identity=True, missing_secret_grace=300)
CANARY = "canary-5d2f"

SOURCES: dict[str, dict[str, Any]] = {
    "codeArtifact": {
        "domain": "acme",
        "domainOwner": "111122223333",
        "region": "eu-west-1",
        "repository": "python",
        "auth": {"secretRef": {"name": "aws-key"}},
    },
    "googleArtifactRegistry": {
        "project": "my-project",
        "location": "europe-west1",
        "repository": "python",
        "auth": {"secretRef": {"name": "gcp-key"}},
    },
    "azureArtifacts": {
        "organization": "acme",
        "project": "Build Tools",
        "feed": "python",
        "auth": {
            "secretRef": {
                "name": "azure-app",
                "tenantID": "acme.onmicrosoft.com",
                "clientID": "11111111-2222-3333-4444-555555555555",
                "clientSecretKey": "client-secret",
            }
        },
    },
    "tokenExchange": {
        "url": "https://acme.jfrog.example/artifactory/api/pypi/python/simple/",
        "exchange": {"jfrog": {"url": "https://acme.jfrog.example", "provider": "kubernetes"}},
        "auth": {"serviceAccountRef": {"name": "builder"}},
    },
    "preauthenticated": {"urlSecretRef": {"name": "whole-url"}, "publicPath": True},
    "basicAuth": {"url": "https://basic.example/simple/", "secretRef": {"name": "basic"}},
    "anonymous": {"url": "https://open.example/simple/"},
}
"""A usable source of each kind, by its field."""

SECRETS: dict[str, dict[str, str]] = {
    "aws-key": {"AWS_ACCESS_KEY_ID": "AKIA" + CANARY, "AWS_SECRET_ACCESS_KEY": "s" + CANARY},
    "gcp-key": {"key.json": f'{{"type":\n"service_account", "private_key": "{CANARY}"}}'},
    "azure-app": {"client-secret": CANARY},
    "whole-url": {"url": f"https://user:{CANARY}@whole.example/a/simple/"},
    "basic": {"username": "builder", "password": CANARY},
}
"""The Secrets that those sources name."""

SECRET_OF = {
    "codeArtifact": "aws-key",
    "googleArtifactRegistry": "gcp-key",
    "azureArtifacts": "azure-app",
    "preauthenticated": "whole-url",
    "basicAuth": "basic",
}

ACCOUNT = SourceServiceAccount("uid-of-builder")
"""The ServiceAccount `builder`, which `BY_ACCOUNT` log in as."""

BY_ACCOUNT = ("spec.tokenExchange",)
"""The sources that always log in as a ServiceAccount."""

VERSIONS = itertools.count(1)
"""The resourceVersion of the next body."""
_serials = itertools.count(1)


def source(kind: str, **fields: Any) -> dict[str, Any]:
    """A spec with the usable source of this kind, its fields changed as said (None removes)."""
    changed = {**SOURCES[kind], **fields}
    return {kind: {key: value for key, value in changed.items() if value is not None}}


def body_of(
    name: str,
    spec: Mapping[str, Any],
    *,
    uid: str | None = None,
    namespace: str = NAMESPACE,
    labels: Mapping[str, str] | None = None,
    generation: int = 1,
    version: int | None = None,
    status: Mapping[str, Any] | None = None,
    created: str = "2026-01-01T00:00:00Z",
) -> dict[str, Any]:
    """A custom resource as the API server shows it; each one newer than those before."""
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"uid-of-{name}",
            "generation": generation,
            "resourceVersion": str(version or next(VERSIONS)),
            "labels": dict(labels or {}),
            "creationTimestamp": created,
        },
        "spec": dict(spec),
        "status": {"observedGeneration": -1} if status is None else dict(status),
    }


def index(name: str = "acme", spec: Mapping[str, Any] | None = None, **how: Any) -> IndexObject:
    """The record of an ArtifactIndex; an anonymous one unless `spec` says otherwise."""
    return parse_custom_object(ArtifactIndexSpec, body_of(name, spec or source("anonymous"), **how))


def options(
    name: str = "uv-config", spec: Mapping[str, Any] | None = None, **how: Any
) -> OptionsObject:
    """The record of an IndexOptions."""
    how.setdefault("uid", OPTIONS_UID)
    return parse_custom_object(IndexOptionsSpec, body_of(name, spec or {}, **how))


def secret_body(name: str, values: Mapping[str, str | bytes], **how: Any) -> dict[str, Any]:
    """A Secret as the API server shows it."""
    body = body_of(name, {}, **how)
    del body["spec"], body["status"]
    encoded = {
        key: base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()
        for key, value in values.items()
    }
    return {**body, "data": encoded}


def source_secret(
    name: str, values: Mapping[str, str | bytes] | None = None, keys: Sequence[str] = ()
) -> SourceSecret:
    """The record of a source Secret; its usual values unless others are given.

    `keys` are looked for beside those that it has.
    """
    values = SECRETS[name] if values is None else values
    return parse_source_secret(secret_body(name, values), {*values, *keys})


def inputs_of(
    record: IndexObject,
    *,
    values: Mapping[str, str | bytes] | None = None,
    missing: bool = False,
    policy: Policy = POLICY,
    **more: Any,
) -> Inputs:
    """The inputs of an index whose Secret or ServiceAccount is there, unless `missing`.

    Its spec can be read. `more` are fields of `Inputs`.
    """
    assert record.spec is not None
    if (found := of(record.spec)).field in BY_ACCOUNT and not missing:
        more.setdefault("account", ACCOUNT)
    inputs = replace(Inputs.of(*record.ref, found, policy), **more)
    if inputs.use is None or missing:
        return inputs
    return replace(inputs, secret=source_secret(inputs.use.name, values, inputs.use.keys))


def resolved(inputs: Inputs, digester: Digester = DIGESTER) -> ResolvedSource:
    """How an index that passed its checks is reached."""
    return inputs.source.resolve(inputs, digester)


def destination(spec: ArtifactIndexSpec) -> str:
    """The digest of where a credential of an index may be sent."""
    return DIGESTER.destination(*of(spec).destination())


def first_problem(record: IndexObject, inputs: Inputs | None = None) -> Problem | None:
    """The first problem of the whole chain of checks, all of them applied."""
    if record.problem is not None:
        return invalid_spec(record.problem)
    inputs = inputs or inputs_of(record)
    return first_violation((*SPEC_CHECKS, *SOURCE_CHECKS), inputs)


def issued_token(value: str = "token-1", *, issued_at: int = NOW, life: int = 12 * HOUR) -> Token:
    """A token that a cloud issued."""
    return Token(SecretStr(value), issued_at, issued_at + life)


def repository_url(
    url: str = "https://acme-111122223333.d.codeartifact.example/pypi/python/",
) -> Token:
    """The URL of a repository as a cloud answers it."""
    return Token(SecretStr(url), 0, None)


def token_state_of(
    held: Token | None = None,
    *,
    error: LoginError | None = None,
    pending_since: float | None = None,
    repeats: bool = False,
    now: float = NOW,
) -> TokenState:
    """A token in this state, by the token manager's own rules."""
    entry = TokenEntry(
        digest="login",
        margins=MARGINS,
        requirement=Requirement("login", GoogleTokenRequest(OperatorIdentity())),
        repeats=repeats,
    )
    if held is not None:
        entry.hold(held, now)
    if error is not None:
        entry.failed(error, now, random.Random(1))
    entry.attempts.pending_since = pending_since
    entry.plan(now)
    entry.changed()
    return entry.state(now)


def url_state(
    url: str | None = None,
    *,
    error: LoginError | None = None,
    pending_since: float | None = None,
) -> EndpointState:
    """A repository's URL in this state; known unless there is an error or it is awaited."""
    if url is None and error is None and pending_since is None:
        url = repository_url().value.get_secret_value()
    return EndpointState(url, error, pending_since, next(_serials))


def login_error(reason: Reason = Reason.CLOUD_UNAVAILABLE) -> LoginError:
    """A failed login."""
    return LoginError(reason, f"the cloud said {reason}")


def index_state(
    record: IndexObject,
    *,
    token: TokenState | None = None,
    endpoint: EndpointState | None = None,
    with_credentials: bool = True,
    policy: Policy = POLICY,
    max_build: int = 1800,
    now: float = NOW,
    recheck_at: float | None = None,
    **gathered: Any,
) -> IndexState:
    """The state of an index; its token is issued unless a token state says otherwise."""
    if record.spec is None:
        return without_login(SelectedIndex.of(record), None, first_problem(record), recheck_at)
    bound_to = destination(record.spec)
    inputs = inputs_of(record, policy=policy, **gathered)
    problem = first_violation(SPEC_CHECKS, inputs)
    has_source = inputs.use is not None or inputs.account_use is not None
    if problem is None and has_source and not record.spec.suspend:
        problem = first_violation(SOURCE_CHECKS, inputs)
    if problem is not None or record.spec.suspend:
        return without_login(SelectedIndex.of(record), bound_to, problem, recheck_at)
    login = resolved(inputs)
    needs_token = login.token is not None and with_credentials
    found = Resolved(
        record,
        bound_to,
        login,
        place=Place(record.ref, max_build, with_credentials),
        key=SourceKey(
            record.uid, record.generation, policy, None, None, False, None, inputs.account
        ),
        fresh_after=None,
    )
    held = (token or token_state_of(issued_token(), now=now)) if needs_token else None
    url = (endpoint or url_state()) if login.endpoint else None
    key = state_key(found, held, url, now)
    return with_token(found, key, held, url, margins=MARGINS, now=now)


def index_of(plan: IndexPlan) -> IndexObject:
    """The ArtifactIndex of a plan, with a status that was never written."""
    planned = plan.selected
    # The class itself: called by its alias, Generic writes to the frozen instance.
    return CustomObject(
        planned.ref,
        planned.uid,
        planned.generation,
        next(VERSIONS),
        planned.created,
        labels={},
        spec=planned.spec,
        problem=None,
        status=b'{"observedGeneration":-1}',
    )


def plans_from(
    *index_states: IndexState,
    served: Mapping[str, Published] | None = None,
    assigned: Mapping[str, str] | None = None,
    public_name: str | None = "pypi",
    with_credentials: bool = True,
    now: float = NOW,
) -> list[IndexPlan]:
    """The plans of these indexes."""
    return plan_indexes(
        index_states,
        published=served or {},
        assigned=assigned or {},
        public_name=public_name,
        with_credentials=with_credentials,
        margins=MARGINS,
        now=now,
    )


def published_after(plans: Sequence[IndexPlan]) -> dict[str, Published]:
    """What the outputs hold after these places have been written, by UID."""
    return {item.selected.uid: item.published for item in plans if item.published is not None}
