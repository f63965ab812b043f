"""Finds the API server and the login: inside a cluster, or from a kubeconfig."""

import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException, incluster_config, kube_config

from artifact_index.kube.proxies import proxy_for

_logger = logging.getLogger(__name__)

TOKEN_REFRESH_SECONDS: Final = 60.0
"""How long a token from a file or a login plugin is used before it is read again."""


class ConnectError(Exception):
    """No usable API server is configured; the message says where the configuration was sought."""


class Connection(Configuration):  # type: ignore[misc]
    """The client's configuration."""

    origin = "the pod's ServiceAccount"
    """Where URL and login come from."""


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
            paths = paths or "~/.kube/config"
            await _load_kubeconfig(configuration, paths, context)
    except (ConfigException, OSError) as error:
        raise ConnectError(f"cannot connect to a cluster: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        # The client does not validate the file. Its error may quote a login, so it is left out.
        what = paths or "the login"
        raise ConnectError(f"{what} is malformed ({type(error).__name__})") from None
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
    try:
        config = kube_config.KubeConfigMerger(paths or "~/.kube/config").config
        if config is None:
            return "default"
        loader = kube_config.KubeConfigLoader(config, active_context=context)
        namespace: str | None = loader.current_context["context"].get("namespace")
    except (ConfigException, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        # The error may quote a login.
        raise ConnectError(f"the kubeconfig is unusable ({type(error).__name__})") from None
    return namespace or "default"


async def _load_kubeconfig(configuration: Connection, paths: str, context: str | None) -> None:
    if not _any_exists(paths):
        raise ConfigException(
            f"there is no kubeconfig at {paths}; give --kubeconfig, set KUBECONFIG, "
            "or run inside a cluster"
        )
    loader = kube_config.KubeConfigLoader(
        kube_config.KubeConfigMerger(paths).config, active_context=context
    )
    await loader.load_and_set(configuration)
    if not getattr(loader, "host", None):
        # The client would silently connect to http://localhost.
        raise ConfigException(f"the cluster of the context in {paths} has no server")
    configuration.origin = f"context {loader.current_context['name']} of {paths}"
    if renew := _renewal(loader):
        configuration.refresh_api_key_hook = _at_most_every(TOKEN_REFRESH_SECONDS, renew, loader)


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
