"""The pure parts of the port to the API server: addresses, errors, proxies, logins."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from artifact_index.kube.client import KubeApi
from artifact_index.kube.connect import ConnectError, load_configuration, namespace_of_context
from artifact_index.kube.errors import MESSAGE_LIMIT, ApiError, error_from_response
from artifact_index.kube.proxies import proxy_for
from artifact_index.kube.resources import ARTIFACT_INDEXES, SECRETS, Resource
from artifact_index.kube.retries import LONGEST_WAIT, delay_before_retry

pytestmark = pytest.mark.unit

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)

KUBECONFIG = """
apiVersion: v1
kind: Config
clusters:
- {name: one, cluster: {server: "http://one.example"}}
- {name: two, cluster: {server: "http://two.example", proxy-url: "http://its-own:1"}}
contexts:
- {name: one, context: {cluster: one, user: someone}}
- {name: two, context: {cluster: two, user: someone}}
current-context: one
users:
- {name: someone, user: {token: canary}}
"""


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "subresource", "path"),
    [
        (SECRETS, "a", "b", None, "/api/v1/namespaces/a/secrets/b"),
        (
            ARTIFACT_INDEXES,
            "a",
            "b",
            "status",
            "/apis/artifactindex.dev/v1alpha1/namespaces/a/artifactindexes/b/status",
        ),
        (NAMESPACES, None, "a", None, "/api/v1/namespaces/a"),
        (SECRETS, "a/../b", "c?d", None, "/api/v1/namespaces/a%2F..%2Fb/secrets/c%3Fd"),
    ],
)
def test_an_object_has_its_path(
    resource: Resource, namespace: str | None, name: str, subresource: str | None, path: str
) -> None:
    assert resource.object_path(namespace, name, subresource) == path


@pytest.mark.parametrize(("namespace", "name"), [(None, "a"), ("", "a"), ("a", "")])
def test_an_incomplete_address_is_no_path_to_a_collection(namespace: str, name: str) -> None:
    with pytest.raises(ValueError, match="needs a"):
        SECRETS.object_path(namespace, name)


def refusal(status: int, **body: Any) -> bytes:
    return json.dumps({"kind": "Status", "code": status, **body}).encode()


def test_the_message_of_the_server_is_kept_on_one_short_line() -> None:
    body = refusal(403, reason="Forbidden", message="may not\n " + "x" * 2 * MESSAGE_LIMIT)
    error = error_from_response(403, "Forbidden", {}, body, sensitive=False)
    assert error.forbidden
    assert error.message.startswith("may not x")
    assert len(error.message) == MESSAGE_LIMIT


DENIED = (
    '{0} "x" is forbidden: User "system:serviceaccount:a:b" cannot {1} resource "{0}" in API group '
    '"{2}" in the namespace "team"'
)


@pytest.mark.parametrize(
    ("message", "value"),
    [
        (DENIED.format("secrets", "patch", ""), "rbac.create"),
        (DENIED.format("indexoptions/status", "patch", "artifactindex.dev"), "watchNamespaces"),
        (DENIED.format("serviceaccounts/token", "create", ""), "serviceAccountTokens"),
        (DENIED.format("secrets" + "s" * MESSAGE_LIMIT, "get", ""), "rbac.create"),
        ('secrets "x" is forbidden: exceeded quota: all, requested: count/secrets=1', None),
        ('secrets "x" is forbidden: unable to create new content in namespace team', None),
    ],
)
def test_a_missing_permission_is_followed_by_the_value_that_grants_it(
    message: str, value: str | None
) -> None:
    body = refusal(403, reason="Forbidden", message=message)
    error = error_from_response(403, "Forbidden", {}, body, sensitive=True)
    assert error.message.startswith(message[:200])
    assert ("Helm chart" in error.message) is (value is not None)
    assert value is None or value in error.message
    assert len(error.message) <= MESSAGE_LIMIT


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"a": "canary"}', b"\xff"])
def test_an_answer_that_is_no_status_is_not_repeated(body: bytes) -> None:
    for sensitive in (False, True):
        error = error_from_response(502, "Bad Gateway", {}, body, sensitive=sensitive)
        assert (error.status, error.reason, error.transient) == (502, "BadGateway", True)
        assert error.message == "the server answered 502 Bad Gateway"


@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_what_the_server_says_of_the_content_of_a_secret_is_withheld(status: int) -> None:
    body = refusal(
        status,
        reason="Invalid",
        message='patch: Invalid value: "{\\"data\\":{\\"k\\":\\"canary\\"}}"',
        details={
            "kind": "Secret",
            "name": "one",
            "causes": [{"field": "data[k]", "reason": "FieldValueInvalid", "message": "canary"}],
        },
    )
    error = error_from_response(status, "", {}, body, sensitive=True)
    assert "canary" not in f"{error!r} {error}"
    assert 'Secret "one" was refused: data[k] (FieldValueInvalid)' in error.message


def test_details_that_are_not_as_expected_do_no_harm() -> None:
    body = refusal(422, reason="Invalid", details={"causes": ["x", {}]})
    assert error_from_response(422, "", {}, body, sensitive=True).invalid
    assert error_from_response(422, "", {}, refusal(422, details=1), sensitive=True).invalid


@pytest.mark.parametrize(
    ("header", "seconds"), [("1", 1.0), ("0.5", 0.5), ("-3", 0.0), ("soon", None), (None, None)]
)
def test_retry_after_is_read_in_seconds(header: str | None, seconds: float | None) -> None:
    headers = {} if header is None else {"Retry-After": header}
    assert error_from_response(429, "", headers, b"", sensitive=False).retry_after == seconds


@pytest.mark.parametrize(
    ("error", "verb", "attempt", "delay"),
    [
        (ApiError(500, "", ""), "get", 0, 0.2),
        (ApiError(500, "", ""), "get", 1, 0.4),
        (ApiError(500, "", ""), "get", 2, None),
        (ApiError(0, "", ""), "list", 0, 0.2),
        (ApiError(0, "", ""), "patch", 0, None),
        (ApiError(0, "", "", sent=False), "patch", 0, 0.2),
        (ApiError(429, "", "", 1.0), "create", 0, 1.1),
        (ApiError(429, "", ""), "create", 0, None),
        (ApiError(503, "", "", 1.0), "create", 0, None),
        (ApiError(429, "", "", LONGEST_WAIT + 1), "get", 0, None),
        (ApiError(404, "", ""), "list", 0, 0.05),
        (ApiError(404, "", ""), "list", 1, 0.2),
        (ApiError(404, "", ""), "get", 0, None),
        (ApiError(410, "", ""), "list", 0, None),
    ],
)
def test_a_request_is_repeated_only_where_that_is_safe(
    error: ApiError, verb: str, attempt: int, delay: float | None
) -> None:
    decided = delay_before_retry(
        error, verb=verb, resource=ARTIFACT_INDEXES, attempt=attempt, random=0.5
    )
    assert decided == (delay if delay is None else pytest.approx(delay))


def test_a_missing_list_of_a_built_in_kind_is_not_waited_for() -> None:
    error = ApiError(404, "NotFound", "")
    assert delay_before_retry(error, verb="list", resource=SECRETS, attempt=0, random=0.0) is None


PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("url", "no_proxy", "proxied"),
    [
        ("https://10.96.0.1:443", "", True),
        ("https://10.96.0.1:443", "10.0.0.0/8", False),
        ("https://10.96.0.1:443", "192.168.0.0/16, 10.96.0.1", False),
        ("https://10.96.0.1:443", "10.96.0.1:443", False),
        ("https://10.96.0.1:443", "10.96.0.1:6443", True),
        ("https://10.96.0.1:443", "10.96.0.0/not-a-number", True),
        ("https://[fd00::1]:443", "fd00::/8", False),
        ("https://[fd00::1]:443", "[fd00::1]:443", False),
        ("https://[fd00::1]:443", "fd00::1", False),
        ("https://[fd00::1]:443", "10.0.0.0/8", True),
        ("https://api.example.com", "example.com", False),
        ("https://api.example.com", ".example.com", False),
        ("https://api.example.com", "*.example.com", False),
        ("https://API.example.com", "API.Example.com", False),
        ("https://example.com", "example.com", False),
        ("https://example.com", ".example.com", True),
        ("https://notexample.com", "example.com", True),
        ("https://api.example.com:6443", "example.com:6443", False),
        ("https://api.example.com", "example.com:6443", True),
        ("https://api.example.com", "10.0.0.0/8", True),
        ("https://api.example.com", "*", False),
        ("https://127.0.0.1:6443", "", False),
        ("https://localhost:6443", "", False),
    ],
)
def test_the_proxy_is_used_by_the_rules_of_go(url: str, no_proxy: str, proxied: bool) -> None:
    for environ in (
        {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy},
        {"https_proxy": PROXY, "no_proxy": no_proxy},
    ):
        assert proxy_for(url, environ) == (PROXY if proxied else None)


def test_a_proxy_is_for_its_own_scheme_and_may_lack_one() -> None:
    assert proxy_for("https://api.example", {"HTTP_PROXY": PROXY}) is None
    assert proxy_for("http://api.example", {"HTTP_PROXY": "proxy:3128"}) == PROXY


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    return path


def choose(context: str, kubeconfig: Path) -> None:
    kubeconfig.write_text(KUBECONFIG.replace("context: one\n", f"context: {context}\n"))


@pytest.mark.parametrize(
    ("context", "host", "proxy"),
    [("one", "http://one.example", PROXY), ("two", "http://two.example", "http://its-own:1")],
)
async def test_the_current_context_is_taken_and_its_proxy_comes_first(
    context: str, host: str, proxy: str, kubeconfig: Path
) -> None:
    choose(context, kubeconfig)
    environ = {"KUBECONFIG": str(kubeconfig), "HTTP_PROXY": PROXY}
    configuration = await load_configuration(environ=environ)
    assert (configuration.host, configuration.proxy) == (host, proxy)
    assert await configuration.get_api_key_with_prefix("BearerToken") == "Bearer canary"


async def test_the_given_file_comes_before_the_environment(
    kubeconfig: Path, tmp_path: Path
) -> None:
    environ = {"KUBECONFIG": str(tmp_path / "none"), "KUBERNETES_SERVICE_HOST": "10.96.0.1"}
    configuration = await load_configuration(kubeconfig=kubeconfig, environ=environ)
    assert configuration.host == "http://one.example"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no kubeconfig at"),
        ("", "is malformed"),
        ("{a: [", "is malformed"),
        ("[canary]", "is malformed"),
        (KUBECONFIG.replace("context: one", "context: x"), "no context 'x'.*: one, two"),
        (KUBECONFIG.replace("current-context: one", ""), "has no current context"),
        (KUBECONFIG.replace("user: someone", "user: you"), "context 'one' names user 'you'"),
        (KUBECONFIG.replace("cluster: one", "cluster: 1"), "context 'one' names cluster 1"),
        (KUBECONFIG.replace("server:", "srv:"), "has no server"),
        (KUBECONFIG.replace("user: {token: canary}", "token: canary"), "Expected key user"),
    ],
)
async def test_an_unusable_kubeconfig_is_explained(
    text: str | None, message: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConnectError, match=message) as raised:
        await load_configuration(kubeconfig=path, environ={})
    with contextlib.suppress(ConnectError):
        assert namespace_of_context(path, None) == "default"
    assert "canary" not in str(raised.value) + caplog.text
    assert "Config not found" not in caplog.text


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
async def test_what_is_no_text_is_no_kubeconfig(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ConnectError, match=str(path)):
        await load_configuration(kubeconfig=path, environ={})


@pytest.mark.parametrize(
    ("field", "with_certificate"),
    [
        ("server:", "certificate-authority-data: AAAA, server:"),
        ("token: canary", "client-certificate-data: AAAA, client-key-data: AAAA"),
    ],
)
def test_a_certificate_that_cannot_be_read_is_explained(
    field: str, with_certificate: str, tmp_path: Path
) -> None:
    path = tmp_path / "kubeconfig"
    text = KUBECONFIG.replace("http://one", "https://one")
    path.write_text(text.replace(field, with_certificate, 1))
    configuration = asyncio.run(load_configuration(kubeconfig=path, environ={}))
    with pytest.raises(ConnectError, match="certificate-authority, client-certificate"):
        KubeApi(configuration)


async def test_a_pod_without_its_token_is_told_so() -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(ConnectError, match="Service token file does not exist"):
        await load_configuration(environ=environ)
