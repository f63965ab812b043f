"""Every setting of the operator: one field gives a flag and an environment variable."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

ENV_PREFIX: Final = "ARTIFACT_INDEX_"
_POD_NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_UNIT_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class SettingError(ValueError):
    """A setting has an invalid value; the message names the flag and what it accepts."""


def parse_duration(text: str) -> float:
    """Convert a Go duration such as `30m` or `1h30m` to seconds. Raises ValueError."""
    if not text or _DURATION.sub("", text):
        raise ValueError("must be a duration such as 30s, 10m or 1h30m")
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION.findall(text))


def _parse_period(text: str) -> float:
    seconds = parse_duration(text)
    if seconds <= 0:
        raise ValueError("must be a duration of more than 0s")
    return seconds


def _parse_bool(text: str) -> bool:
    if text.lower() in ("true", "1", "yes"):
        return True
    if text.lower() in ("false", "0", "no", ""):
        return False
    raise ValueError("must be true or false")


def _whole(accepted: str, least: int = 0, most: int = 999_999_999) -> Callable[[str], int]:
    """A parser of whole numbers; `accepted` is the message of its ValueError."""

    def parse(text: str) -> int:
        if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError(accepted)
        return int(text)

    return parse


_parse_count: Final = _whole("must be a whole number of at least 1", least=1)
_parse_rate: Final = _whole("must be a whole number; 0 means no limit")
_parse_port: Final = _whole("must be a port number from 0 to 65535", most=65535)


def _parse_url(text: str) -> str:
    if not re.match(r"^https?://[^\s/?#]+", text):
        raise ValueError("must be an absolute http or https URL")
    return text


def _parse_consent(text: str) -> str:
    namespace, equals, glob = text.partition("=")
    if not re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", namespace) or (equals and not glob):
        raise ValueError(
            "must be NAMESPACE or NAMESPACE=GLOB, where the glob matches ARNs of domains or roles, "
            "Google projects and service accounts"
        )
    return text


def _parse_host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.*?:\[\]-]+", text):
        raise ValueError("must be a host such as pypi.example.com or *.example.com")
    return text.lower()


class OneOf:
    """Parser of a setting with a fixed set of words, `choices`."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def __call__(self, text: str) -> str:
        """Return the word. Raises ValueError, which lists the choices."""
        if text not in self.choices:
            raise ValueError(f"must be one of {', '.join(self.choices)}")
        return text


def _setting(
    default: Any,
    parse: Callable[[str], Any],
    help_text: str,
    *,
    repeatable: bool = False,
    flag: str | None = None,
    former_name: str | None = None,
) -> Any:
    """Declare a setting; `former_name` is its name in older releases, which stays an alias."""
    metadata = {
        "parse": parse, "help": help_text, "repeatable": repeatable,
        "flag": flag, "former_name": former_name,
    }  # fmt: skip
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of `artifact-index run`. Durations are in seconds; flags take Go durations."""

    namespaces: tuple[str, ...] = _setting(
        (), str,
        "serve only these namespaces; repeatable; default: the whole cluster",
        repeatable=True, flag="namespace",
    )  # fmt: skip
    operator_namespace: str = _setting(
        "", str,
        "keep the Secret with the operator's own key in this namespace; default: the pod's "
        "namespace, else the only served one, else artifact-index-system",
    )  # fmt: skip
    kubeconfig: str = _setting(
        "", str,
        "connect with this kubeconfig file; default: KUBECONFIG, else the pod's ServiceAccount, "
        "else ~/.kube/config",
    )  # fmt: skip
    allow_http: bool = _setting(
        False, _parse_bool,
        "accept index and endpoint URLs without TLS (http://), which send logins in clear text",
    )  # fmt: skip
    operator_identity_namespaces: tuple[str, ...] = _setting(
        (), _parse_consent,
        "let these namespaces log in with the operator's own cloud identity, each as NAMESPACE or "
        "NAMESPACE=GLOB, where the glob limits the domains, projects, roles and service accounts; "
        "repeatable; default: none, or the served namespace if there is only one",
        repeatable=True,
    )  # fmt: skip
    operator_identity_session_tags: bool = _setting(
        False, _parse_bool,
        "tag AWS sessions of the operator's own identity with artifactindex.dev/namespace and "
        "artifactindex.dev/name; trust policies of the roles must then allow sts:TagSession",
    )  # fmt: skip
    operator_identity_tenant_tags: bool = _setting(
        False, _parse_bool, "accept assumeRole.tags beside the operator's own identity"
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (), _parse_host,
        "reject index URLs with a host other than these, such as *.example.com; repeatable; "
        "default: accept any host",
        repeatable=True,
    )  # fmt: skip
    google_token_url: str = _setting(
        "https://oauth2.googleapis.com/token", _parse_url,
        "exchange Google service account keys for tokens at this OAuth endpoint",
    )  # fmt: skip
    google_sts_url: str = _setting(
        "https://sts.googleapis.com/v1/token", _parse_url,
        "exchange tokens of ServiceAccounts and the operator's external account credentials at "
        "this Google STS endpoint",
    )  # fmt: skip
    google_iam_credentials_url: str = _setting(
        "https://iamcredentials.googleapis.com", _parse_url,
        "impersonate Google service accounts at this IAM Credentials endpoint",
    )  # fmt: skip
    relist_interval: float = _setting(
        600.0, _parse_period,
        "list all objects again this often, to find changes that watches missed",
        former_name="resync_interval",
    )  # fmt: skip
    watch_patience: float = _setting(
        300.0, parse_duration, "retry a refused or unanswered watch for this long, then exit"
    )
    source_reread_interval: float = _setting(
        300.0, _parse_period,
        "reread source Secrets without the label artifactindex.dev/role=source this often",
    )  # fmt: skip
    missing_secret_grace: float = _setting(
        300.0, parse_duration,
        "wait this long for a missing Secret or key, and serve its last password or URL meanwhile; "
        "after that, the index is Stalled",
    )  # fmt: skip
    mint_patience: float = _setting(
        5.0, parse_duration, "wait this long for a first token before publishing a file without it"
    )
    outage_budget: float = _setting(
        600.0, parse_duration, "refresh early enough to survive a cloud outage of this length (R)"
    )
    write_time: float = _setting(5.0, parse_duration, "allow this long for writing an output (W)")
    propagation_time: float = _setting(
        95.0, parse_duration, "allow this long for the kubelet to update a Secret in a pod (P)"
    )
    pod_start_time: float = _setting(
        120.0, parse_duration, "allow this long from reading the file to the first request (S)"
    )
    clock_skew: float = _setting(
        60.0, parse_duration, "allow for clocks that differ by this much (e)"
    )
    min_refresh_interval: float = _setting(
        300.0, parse_duration,
        "wait at least this long between refreshes of tokens too short for maxBuildDuration, but "
        "never longer than half of their life",
    )  # fmt: skip
    mints_per_second: int = _setting(
        10, _parse_count,
        "request at most this many tokens per second; namespaces take turns, and in each the most "
        "urgent go first",
    )  # fmt: skip
    writes_per_second: int = _setting(
        1000, _parse_rate,
        "write to the API server at most this often per second on average, 0 = no limit; outputs "
        "go before statuses, and tokens that expire soonest go first",
    )  # fmt: skip
    write_burst: int = _setting(1000, _parse_count, "allow at most this many API writes at once")
    workers: int = _setting(16, _parse_count, "reconcile at most this many objects at a time")
    cloud_threads: int = _setting(16, _parse_count, "make at most this many cloud calls at a time")
    cloud_connect_timeout: float = _setting(
        5.0, _parse_period, "give up connecting to a cloud endpoint after this long"
    )
    cloud_read_timeout: float = _setting(
        10.0, _parse_period, "give up waiting for data from a cloud endpoint after this long"
    )
    health_host: str = _setting(
        "0.0.0.0",  # noqa: S104 - a pod's probes come from outside
        str,
        "serve /healthz, /readyz and /metrics on this address",
    )
    health_port: int = _setting(
        8080, _parse_port, "serve /healthz, /readyz and /metrics on this port; 0 = any free port"
    )
    object_metrics: bool = _setting(
        True, _parse_bool, "expose a series for each output and each login on /metrics"
    )
    log_format: str = _setting("text", OneOf("text", "json"), "write logs as text or json")
    log_level: str = _setting(
        "info", OneOf("debug", "info", "warning", "error"),
        "log messages of at least this level: debug, info, warning or error",
    )  # fmt: skip

    def may_use_operator_identity(self, namespace: str) -> bool:
        """Whether the administrator consents to the operator's cloud identity in this namespace."""
        return bool(self.operator_identity_limits(namespace))

    def operator_identity_limits(self, namespace: str) -> tuple[str, ...]:
        """Globs of what the namespace may use the identity for; empty without consent."""
        if not self.operator_identity_namespaces:
            return ("*",) if self.namespaces == (namespace,) else ()
        entries = (entry.partition("=") for entry in self.operator_identity_namespaces)
        return tuple(glob or "*" for name, _, glob in entries if name == namespace)


def setting_fields() -> tuple[Field[Any], ...]:
    """Return the fields of `Settings` in the order of `--help` and the docs."""
    return fields(Settings)


def flag_of(setting: Field[Any]) -> str:
    """Return the flag of a field, such as `--relist-interval` for relist_interval."""
    return flags_of(setting)[0]


def flags_of(setting: Field[Any]) -> tuple[str, ...]:
    """Return the flag of a field, then the flag of its former name, if it has one."""
    names = (setting.metadata["flag"] or setting.name, setting.metadata["former_name"])
    return tuple("--" + name.replace("_", "-") for name in names if name)


def environment_of(setting: Field[Any]) -> str:
    """Return the environment variable of a field; lists in it are comma-separated."""
    return environment_names_of(setting)[0]


def environment_names_of(setting: Field[Any]) -> tuple[str, ...]:
    """Return the environment variable of a field, then that of its former name, if any."""
    names = (setting.name, setting.metadata["former_name"])
    return tuple(ENV_PREFIX + name.upper() for name in names if name)


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
    return Settings(**values)


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
