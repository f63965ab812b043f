"""Finds the API server and the login: inside a cluster, or from a kubeconfig."""

import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException, incluster_config, kube_config

from artifact_index.kube.proxies import proxy_for

_logger = logging.getLogger(__name__)

_DEFAULT: Final = "~/.kube/config"
_QUOTED_ENTRY: Final = re.compile(r"/\{.*\}", re.DOTALL)
"""An entry of the kubeconfig in an error of the client, with the login that it may hold."""

TOKEN_REFRESH_SECONDS: Final = 60.0
"""How long a token from a file or a login plugin is used before it is read again."""


class ConnectError(Exception):
    """No usable API server is configured; the message says where the configuration was sought."""


class Connection(Configuration):  # type: ignore[misc]
    """The client's configuration."""

    origin = "the pod's ServiceAccount"
    """Where URL and login come from."""
    proxy_url: str | None = None
    """The proxy that the kubeconfig names, and not the environment."""


async def load_configuration(
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Connection:
    """Find the API server and the login, and return the client's configuration.

    `context` is one of the kubeconfig; None for its current one.

    In this order, as in other controllers: the given kubeconfig, `KUBECONFIG` (files separated by
    a colon are merged), the pod's own ServiceAccount, `~/.kube/config`. Tokens from files (the
    ServiceAccount's, `tokenFile`) and from login plugins are read again every minute. Raises
    ConnectError.
    """
    environ = os.environ if environ is None else environ
    configuration = Connection()
    paths = str(kubeconfig) if kubeconfig else environ.get("KUBECONFIG", "")
    try:
        if not (paths or context) and environ.get(incluster_config.SERVICE_HOST_ENV_NAME):
            incluster_config.InClusterConfigLoader(
                token_filename=incluster_config.SERVICE_TOKEN_FILENAME,
                cert_filename=incluster_config.SERVICE_CERT_FILENAME,
                environ=environ,
            ).load_and_set(configuration)
        else:
            paths = paths or _DEFAULT
            await _load_kubeconfig(configuration, paths, context)
    except _UNUSABLE as error:
        raise _explained(error, paths) from None
    configuration.proxy_url = configuration.proxy
    configuration.proxy = configuration.proxy or proxy_for(configuration.host, environ)
    return configuration


def namespace_of_context(kubeconfig: Path | None, context: str | None) -> str:
    """The namespace of a context, by default the current one, else of the pod, else `default`.

    Raises ConnectError.
    """
    paths = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG", "")
    pod = Path(incluster_config.SERVICE_TOKEN_FILENAME).with_name("namespace")
    if not (paths or context) and pod.exists():
        return pod.read_text().strip()
    paths = paths or _DEFAULT
    if not _any_exists(paths):
        return "default"
    try:
        loader = _loader_of(paths, context)
        namespace: str | None = loader.current_context["context"].get("namespace")
    except _UNUSABLE as error:
        raise _explained(error, paths) from None
    return namespace or "default"


async def _load_kubeconfig(configuration: Connection, paths: str, context: str | None) -> None:
    if not _any_exists(paths):
        raise ConnectError(
            f"cannot connect to a cluster: there is no kubeconfig at {paths}; give --kubeconfig, "
            "set KUBECONFIG, or run inside a cluster"
        )
    loader = _loader_of(paths, context)
    await loader.load_and_set(configuration)
    if not getattr(loader, "host", None):
        # The client would silently connect to http://localhost.
        raise ConfigException(f"the cluster of the context in {paths} has no server")
    configuration.origin = f"context {loader.current_context['name']} of {paths}"
    if renew := _renewal(loader):
        configuration.refresh_api_key_hook = _at_most_every(TOKEN_REFRESH_SECONDS, renew, loader)


def _loader_of(paths: str, context: str | None) -> Any:
    """The client's loader of a context. Raises ConnectError, or one of `_UNUSABLE`."""
    config = kube_config.KubeConfigMerger(paths).config
    contexts = {str(each["name"]): each for each in config.value["contexts"]}
    wanted = context or config.value.get("current-context")
    if wanted not in contexts:
        what = f"has no context {wanted!r}" if wanted else "has no current context"
        raise ConnectError(
            f"cannot connect to a cluster: {paths} {what}; choose one with --context or `kubectl "
            f"config use-context`: {', '.join(contexts) or 'there is none'}"
        )
    chosen = contexts[wanted]["context"].value
    for part in "cluster", "user":
        name = chosen.get(part)
        if name and name not in [each["name"] for each in config.value[f"{part}s"]]:
            raise ConfigException(f"context {wanted!r} names {part} {name!r}, which is not there")
    return kube_config.KubeConfigLoader(config, active_context=context)


_UNUSABLE: Final = (
    ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError
)  # fmt: skip
"""What the client raises for a kubeconfig that it cannot use: it does not validate the file."""


def _explained(error: Exception, paths: str) -> ConnectError:
    """The error without the logins that it may quote; `paths` is empty for a pod's own login."""
    what = f"{paths or 'the login'} is malformed ({type(error).__name__})"
    if isinstance(error, ConfigException | OSError):
        what = f"cannot connect to a cluster: {_QUOTED_ENTRY.sub('', str(error))}"
    return ConnectError(f"{what}; see `kubectl config view`" if paths else what)


def _any_exists(paths: str) -> bool:
    return any(Path(path).expanduser().is_file() for path in paths.split(os.pathsep) if path)


def _renewal(loader: Any) -> Callable[[], Awaitable[object]] | None:
    user = loader._user
    if loader.provider == "gcp":
        return loader.load_gcp_token  # type: ignore[no-any-return]
    if user is None or ("exec" not in user and "tokenFile" not in user):
        return None
    return loader._load_authentication  # type: ignore[no-any-return]


def _at_most_every(
    seconds: float, renew: Callable[[], Awaitable[object]], loader: Any
) -> Callable[[Configuration], Awaitable[None]]:
    due = time.monotonic() + seconds

    async def refresh(configuration: Configuration) -> None:
        nonlocal due
        now = time.monotonic()
        if now < due:
            return
        due = now + seconds  # before the await: only one of several concurrent requests renews it
        try:
            await renew()
        except (ConfigException, OSError) as error:
            _logger.warning("The login to the API server could not be renewed: %s", error)
        if token := getattr(loader, "token", None):
            configuration.api_key["BearerToken"] = token

    return refresh
