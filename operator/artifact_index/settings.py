"""Every setting of the operator: one field gives a flag and an environment variable."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any, Final

from artifact_index.api.constants import FIELD_MANAGER
from artifact_index.setting_flags import declare, environment_names_of, flag_of
from artifact_index.setting_values import (
    OneOf,
    matches_globs,
    parse_absolute_url,
    parse_bool,
    parse_consent,
    parse_count,
    parse_duration,
    parse_host,
    parse_namespace_glob,
    parse_period,
    parse_port,
    parse_rate,
    parse_whole_seconds,
)

_POD_NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class SettingError(ValueError):
    """A setting has an invalid value; the message names the flag and what it accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of `artifact-index run`. Durations are in seconds; flags take Go durations."""

    namespaces: tuple[str, ...] = declare(
        (), str,
        "serve only these namespaces; repeatable; default: the whole cluster",
        repeatable=True, flag="namespace",
    )  # fmt: skip
    operator_namespace: str = declare(
        "", str,
        "keep the Secret with the operator's own key in this namespace; default: the pod's "
        "namespace, else the only served one, else artifact-index-system",
    )  # fmt: skip
    leader_elect: bool = declare(
        False, parse_bool,
        "write only while this process holds a Lease in the operator's namespace, so that several "
        "replicas can run; the others stand by",
    )  # fmt: skip
    lease_duration: float = declare(
        15.0, parse_whole_seconds,
        "take over a Lease that its holder has not renewed for this long; whole seconds",
    )  # fmt: skip
    renew_deadline: float = declare(
        10.0, parse_period,
        "stop writing when the Lease has not been renewed for this long; at most lease-duration "
        "divided by 1.2",
    )  # fmt: skip
    retry_period: float = declare(
        2.0, parse_period, "renew the Lease this often; at most half of renew-deadline"
    )
    kubeconfig: str = declare(
        "", str,
        "connect with this kubeconfig file; default: KUBECONFIG, else the pod's ServiceAccount, "
        "else ~/.kube/config",
    )  # fmt: skip
    allow_http: bool = declare(
        False, parse_bool,
        "accept index and endpoint URLs without TLS (http://), which send logins in clear text",
    )  # fmt: skip
    operator_identity_namespaces: tuple[str, ...] = declare(
        (), parse_consent,
        "let these namespaces log in with the operator's own cloud identity, each as NAMESPACE or "
        "NAMESPACE=GLOB, where the glob limits the domains, projects, feeds, roles and service "
        "accounts; repeatable; default: none, or the served namespace if there is only one",
        repeatable=True,
    )  # fmt: skip
    cluster_kinds: bool = declare(
        False, parse_bool,
        "serve ClusterArtifactIndex and ClusterIndexOptions, too; only for the whole cluster",
    )  # fmt: skip
    cluster_resource_namespace: str = declare(
        "", str,
        "read the Secrets and ServiceAccounts that ClusterArtifactIndex objects refer to in this "
        "namespace; default: operator-namespace",
    )  # fmt: skip
    cluster_kinds_namespaces: tuple[str, ...] = declare(
        (), parse_namespace_glob,
        "serve ClusterArtifactIndex and ClusterIndexOptions in these namespaces at most, whatever "
        "their specs say, each as NAME or GLOB, or as !GLOB for all but these; repeatable; "
        "default: any namespace",
        repeatable=True,
    )  # fmt: skip
    operator_identity_session_tags: bool = declare(
        False, parse_bool,
        "tag AWS sessions of the operator's own identity with artifactindex.dev/namespace and "
        "artifactindex.dev/name; trust policies of the roles must then allow sts:TagSession",
    )  # fmt: skip
    operator_identity_tenant_tags: bool = declare(
        False, parse_bool, "accept assumeRole.tags beside the operator's own identity"
    )
    allowed_hosts: tuple[str, ...] = declare(
        (), parse_host,
        "reject index URLs with a host other than these, such as *.example.com; repeatable; "
        "default: accept any host",
        repeatable=True,
    )  # fmt: skip
    google_token_url: str = declare(
        "https://oauth2.googleapis.com/token", parse_absolute_url,
        "exchange Google service account keys for tokens at this OAuth endpoint",
    )  # fmt: skip
    google_sts_url: str = declare(
        "https://sts.googleapis.com/v1/token", parse_absolute_url,
        "exchange tokens of ServiceAccounts and the operator's external account credentials at "
        "this Google STS endpoint",
    )  # fmt: skip
    google_iam_credentials_url: str = declare(
        "https://iamcredentials.googleapis.com", parse_absolute_url,
        "impersonate Google service accounts at this IAM Credentials endpoint",
    )  # fmt: skip
    azure_authority_url: str = declare(
        "https://login.microsoftonline.com", parse_absolute_url,
        "request Entra tokens for Azure's public cloud from this authority",
    )  # fmt: skip
    relist_interval: float = declare(
        600.0, parse_period,
        "list all objects again this often, to find changes that watches missed",
        former_name="resync_interval",
    )  # fmt: skip
    watch_patience: float = declare(
        300.0, parse_duration, "retry a refused or unanswered watch for this long, then exit"
    )
    source_reread_interval: float = declare(
        300.0, parse_period,
        "reread source Secrets without the label artifactindex.dev/role=source this often",
    )  # fmt: skip
    missing_secret_grace: float = declare(
        300.0, parse_duration,
        "wait this long for a missing Secret or key, and serve its last password or URL meanwhile; "
        "after that, the index is Stalled",
    )  # fmt: skip
    mint_patience: float = declare(
        5.0, parse_duration, "wait this long for a first token before publishing a file without it"
    )
    outage_budget: float = declare(
        600.0, parse_duration, "refresh early enough to survive a cloud outage of this length (R)"
    )
    write_time: float = declare(5.0, parse_duration, "allow this long for writing an output (W)")
    propagation_time: float = declare(
        95.0, parse_duration, "allow this long for the kubelet to update a Secret in a pod (P)"
    )
    pod_start_time: float = declare(
        120.0, parse_duration, "allow this long from reading the file to the first request (S)"
    )
    clock_skew: float = declare(
        60.0, parse_duration, "allow for clocks that differ by this much (e)"
    )
    min_refresh_interval: float = declare(
        300.0, parse_duration,
        "wait at least this long between refreshes of tokens too short for maxBuildDuration, but "
        "never longer than half of their life",
    )  # fmt: skip
    mints_per_second: int = declare(
        10, parse_count,
        "request at most this many tokens per second; namespaces take turns, and in each the most "
        "urgent go first",
    )  # fmt: skip
    writes_per_second: int = declare(
        1000, parse_rate,
        "write to the API server at most this often per second on average, 0 = no limit; outputs "
        "go before statuses, and tokens that expire soonest go first",
    )  # fmt: skip
    write_burst: int = declare(1000, parse_count, "allow at most this many API writes at once")
    workers: int = declare(16, parse_count, "reconcile at most this many objects at a time")
    cloud_threads: int = declare(16, parse_count, "make at most this many cloud calls at a time")
    cloud_connect_timeout: float = declare(
        5.0, parse_period, "give up connecting to a cloud endpoint after this long"
    )
    cloud_read_timeout: float = declare(
        10.0, parse_period, "give up waiting for data from a cloud endpoint after this long"
    )
    health_host: str = declare(
        "0.0.0.0",  # noqa: S104 - a pod's probes come from outside
        str,
        "serve /healthz, /readyz and /metrics on this address",
    )
    health_port: int = declare(
        8080, parse_port, "serve /healthz, /readyz and /metrics on this port; 0 = any free port"
    )
    object_metrics: bool = declare(
        True, parse_bool, "expose a series for each output and each login on /metrics"
    )
    log_format: str = declare("text", OneOf("text", "json"), "write logs as text or json")
    log_level: str = declare(
        "info", OneOf("debug", "info", "warning", "error"),
        "log messages of at least this level: debug, info, warning or error",
    )  # fmt: skip

    @property
    def scope(self) -> tuple[tuple[str, ...], str | None]:
        """The namespaces that are served and the operator's own; () and None: the whole cluster."""
        return self.namespaces, self.operator_namespace if self.namespaces else None

    @property
    def installation(self) -> str:
        """Namespace and name of the Lease of those that serve this scope, joined by a slash.

        The chart computes the name, too: its Role allows this one alone.
        """
        served = ",".join(sorted(set(self.namespaces)))
        scope = f"-{hashlib.sha256(served.encode()).hexdigest()[:10]}" if served else ""
        return f"{self.operator_namespace}/{FIELD_MANAGER}{scope}"

    @property
    def oldest_listing(self) -> float:
        """The age in seconds of the last complete listing at which the process is unhealthy."""
        return max(60.0, 3 * self.relist_interval)

    def may_use_operator_identity(self, namespace: str) -> bool:
        """Whether the administrator consents to the operator's cloud identity in this namespace."""
        return bool(self.operator_identity_limits(namespace))

    def operator_identity_limits(self, namespace: str) -> tuple[str, ...]:
        """Globs of what the namespace may use the identity for; empty without consent."""
        if not self.operator_identity_namespaces:
            return ("*",) if self.namespaces == (namespace,) else ()
        entries = (entry.partition("=") for entry in self.operator_identity_namespaces)
        return tuple(glob or "*" for name, _, glob in entries if name == namespace)

    def may_serve_cluster_kinds_in(self, namespace: str) -> bool:
        """Whether the administrator lets the kinds of cluster scope be served in this namespace."""
        return matches_globs(namespace, self.cluster_kinds_namespaces)


def setting_fields() -> tuple[Field[Any], ...]:
    """Return the fields of `Settings` in the order of `--help` and the docs."""
    return fields(Settings)


def load_settings(
    flags: Mapping[str, str | list[str] | None], environ: Mapping[str, str] = os.environ
) -> Settings:
    """Read the settings from flags (by field name), then the environment, then the defaults.

    Raises SettingError, which names the flag or variable and what it accepts.
    """
    values: dict[str, Any] = {}
    for setting in setting_fields():
        given = flags.get(setting.name)
        origin = flag_of(setting)
        for variable in environment_names_of(setting):
            if given is None and (text := environ.get(variable)):
                given = [text] if setting.metadata["repeatable"] else text
                origin = variable
        if given is not None:
            values[setting.name] = _parse(setting, given, origin)
    if not values.get("operator_namespace"):
        values["operator_namespace"] = _own_namespace(values.get("namespaces", ()))
    if not values.get("cluster_resource_namespace"):
        values["cluster_resource_namespace"] = values["operator_namespace"]
    settings = Settings(**values)
    _check_election(settings)
    _check_cluster_kinds(settings)
    return settings


def _check_election(settings: Settings) -> None:
    """Raises SettingError for times with which two replicas might write at once."""
    if settings.renew_deadline * 1.2 > settings.lease_duration:
        raise SettingError(
            f"--renew-deadline must be at most --lease-duration ({settings.lease_duration:g}s) "
            f"divided by 1.2, so that a leader is silent before another one can follow; it is "
            f"{settings.renew_deadline:g}s"
        )
    if settings.retry_period * 2 > settings.renew_deadline:
        raise SettingError(
            f"--retry-period must be at most half of --renew-deadline "
            f"({settings.renew_deadline:g}s), so that one failed renewal does not end the "
            f"leadership; it is {settings.retry_period:g}s"
        )


def _check_cluster_kinds(settings: Settings) -> None:
    """Raises SettingError where the kinds of cluster scope cannot be served."""
    if settings.cluster_kinds and settings.namespaces:
        raise SettingError(
            "--cluster-kinds needs an installation for the whole cluster; remove it, or remove "
            "--namespace"
        )
    if settings.cluster_kinds_namespaces and not settings.cluster_kinds:
        raise SettingError(
            "--cluster-kinds-namespaces bounds what --cluster-kinds serves, which is not set; add "
            "--cluster-kinds, or remove --cluster-kinds-namespaces"
        )


def _parse(setting: Field[Any], given: str | list[str], origin: str) -> Any:
    parse: Callable[[str], Any] = setting.metadata["parse"]
    try:
        if isinstance(given, list):
            items = [item.strip() for text in given for item in text.split(",")]
            if not any(items):
                # Probably an unset variable in a script: the default would serve the whole cluster.
                raise ValueError("must not be empty")
            return tuple(parse(item) for item in items if item)
        return parse(given)
    except ValueError as error:
        raise SettingError(f"{origin} {error}") from None


def _own_namespace(served: tuple[str, ...]) -> str:
    if _POD_NAMESPACE_FILE.exists():
        return _POD_NAMESPACE_FILE.read_text().strip()
    return served[0] if len(served) == 1 else "artifact-index-system"
