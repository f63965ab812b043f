"""Every setting of the operator: one field, one flag, one environment variable each."""

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
    """A setting has an unusable value; the message names the flag and what it takes."""


def parse_duration(text: str) -> float:
    """Seconds of a Go duration such as `30m` or `1h30m`; raises ValueError."""
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


def _parse_count(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) < 1:
        raise ValueError("must be a whole number of at least 1")
    return int(text)


def _parse_rate(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError("must be a whole number, 0 for no bound")
    return int(text)


def _parse_port(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > 65535:
        raise ValueError("must be a port number from 0 to 65535")
    return int(text)


def _parse_url(text: str) -> str:
    if not re.match(r"^https?://[^\s/?#]+", text):
        raise ValueError("must be an absolute http or https URL")
    return text


def _parse_consent(text: str) -> str:
    namespace, equals, glob = text.partition("=")
    if not re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", namespace) or (equals and not glob):
        raise ValueError(
            "must be NAMESPACE or NAMESPACE=GLOB, where the glob limits ARNs of domains and roles, "
            "Google projects and service accounts"
        )
    return text


def _parse_host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.*?:\[\]-]+", text):
        raise ValueError("must be a host such as pypi.example.com or *.example.com")
    return text.lower()


class OneOf:
    """Parses one of some words; `choices` lists them."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def __call__(self, text: str) -> str:
        """Give the word; raises ValueError, which lists them all."""
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
    """A setting. `former_name` is what an older release called it; it stays an alias."""
    metadata = {
        "parse": parse,
        "help": help_text,
        "repeatable": repeatable,
        "flag": flag,
        "former_name": former_name,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of `artifact-index run`. Durations are seconds here, Go durations in flags."""

    namespaces: tuple[str, ...] = _setting(
        (),
        str,
        "serve only these namespaces; repeatable; default: the whole cluster",
        repeatable=True,
        flag="--namespace",
    )
    operator_namespace: str = _setting(
        "",
        str,
        "namespace of the operator's own key; default: the pod's own, else the only served one, "
        "else artifact-index-system",
    )
    kubeconfig: str = _setting(
        "", str, "kubeconfig file; default: KUBECONFIG, the pod's ServiceAccount, ~/.kube/config"
    )
    allow_http: bool = _setting(
        False, _parse_bool, "accept index and endpoint URLs without TLS (http://)"
    )
    operator_identity_namespaces: tuple[str, ...] = _setting(
        (),
        _parse_consent,
        "namespaces that may log in with the operator's own cloud identity, as NAMESPACE or, for "
        "some domains, projects, roles and service accounts only, NAMESPACE=GLOB; repeatable; "
        "default: none, or the one namespace of a single-namespace installation",
        repeatable=True,
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (),
        _parse_host,
        "hosts that URLs of specs may name, such as *.example.com; repeatable; default: any",
        repeatable=True,
    )
    google_token_url: str = _setting(
        "https://oauth2.googleapis.com/token", _parse_url,
        "Google OAuth token endpoint for service account keys",
    )  # fmt: skip
    google_sts_url: str = _setting(
        "https://sts.googleapis.com/v1/token", _parse_url,
        "Google STS endpoint for the operator's external account credentials",
    )  # fmt: skip
    google_iam_credentials_url: str = _setting(
        "https://iamcredentials.googleapis.com", _parse_url,
        "Google IAM Credentials endpoint for impersonation",
    )  # fmt: skip
    relist_interval: float = _setting(
        600.0, _parse_period,
        "how often everything is listed again, to find what watches missed",
        former_name="resync_interval",
    )  # fmt: skip
    watch_patience: float = _setting(
        300.0, parse_duration,
        "how long a watch that is refused or unanswered is tried again before the process ends",
    )  # fmt: skip
    source_reread_interval: float = _setting(
        300.0, _parse_period, "how often a source Secret without our label is read again"
    )
    missing_secret_grace: float = _setting(
        300.0, parse_duration,
        "how long a missing Secret or key is waited for, and its last value served",
    )  # fmt: skip
    mint_patience: float = _setting(
        5.0, parse_duration, "how long an output waits for a first login before going on without"
    )
    outage_budget: float = _setting(
        600.0, parse_duration, "R: the longest cloud outage that a credential must survive"
    )
    write_time: float = _setting(5.0, parse_duration, "W: how long writing an output may take")
    propagation_time: float = _setting(
        95.0, parse_duration, "P: how long the kubelet takes to show a changed Secret in a pod"
    )
    pod_start_time: float = _setting(
        120.0, parse_duration, "S: from reading the Secret to the start of the build"
    )
    clock_skew: float = _setting(60.0, parse_duration, "e: how far clocks may differ")
    min_refresh_interval: float = _setting(
        300.0, parse_duration, "shortest time between refreshes where no promise can be kept"
    )
    mints_per_second: int = _setting(
        10, _parse_count, "tokens asked for in one second at most, in all; the most urgent go first"
    )
    writes_per_second: int = _setting(
        1000,
        _parse_rate,
        "writes to the API server in one second at most, in the long run, 0 = no bound; outputs go "
        "before statuses, and what has little life left before what has much",
    )
    write_burst: int = _setting(1000, _parse_count, "writes to the API server at once at most")
    workers: int = _setting(16, _parse_count, "objects reconciled at the same time")
    cloud_threads: int = _setting(16, _parse_count, "cloud calls made at the same time")
    cloud_connect_timeout: float = _setting(
        5.0, _parse_period, "timeout of connecting to a cloud endpoint"
    )
    cloud_read_timeout: float = _setting(
        10.0, _parse_period, "timeout of waiting for a cloud endpoint's answer"
    )
    health_host: str = _setting(
        "0.0.0.0",  # noqa: S104 - a pod's probes come from outside
        str,
        "address of /healthz, /readyz and /metrics",
    )
    health_port: int = _setting(
        8080, _parse_port, "port of /healthz, /readyz and /metrics; 0 = any"
    )
    object_metrics: bool = _setting(
        True, _parse_bool, "on /metrics, series for each output and each login"
    )
    log_format: str = _setting("text", OneOf("text", "json"), "log format: text or json")
    log_level: str = _setting(
        "info", OneOf("debug", "info", "warning", "error"), "log level: debug … error"
    )

    def may_use_operator_identity(self, namespace: str) -> bool:
        """Whether the administrator lets this namespace use the operator's cloud identity."""
        return bool(self.operator_identity_limits(namespace))

    def operator_identity_limits(self, namespace: str) -> tuple[str, ...]:
        """Globs of what it may be used for by a namespace; none without consent."""
        if not self.operator_identity_namespaces:
            return ("*",) if self.namespaces == (namespace,) else ()
        entries = (entry.partition("=") for entry in self.operator_identity_namespaces)
        return tuple(glob or "*" for name, _, glob in entries if name == namespace)


def setting_fields() -> tuple[Field[Any], ...]:
    """The fields of `Settings`, in the order in which help and docs list them."""
    return fields(Settings)


def flag_of(setting: Field[Any]) -> str:
    """`--relist-interval` for the field relist_interval."""
    flag: str | None = setting.metadata["flag"]
    return flag or "--" + setting.name.replace("_", "-")


def flags_of(setting: Field[Any]) -> tuple[str, ...]:
    """The flag of a field, then the one of its former name."""
    former: str | None = setting.metadata["former_name"]
    return (flag_of(setting), "--" + former.replace("_", "-")) if former else (flag_of(setting),)


def environment_of(setting: Field[Any]) -> str:
    """The environment variable of a field; a repeatable one takes a comma-separated list."""
    return environment_names_of(setting)[0]


def environment_names_of(setting: Field[Any]) -> tuple[str, ...]:
    """The environment variable of a field, then the one of its former name."""
    names = (setting.name, setting.metadata["former_name"])
    return tuple(ENV_PREFIX + name.upper() for name in names if name)


def load_settings(
    flags: Mapping[str, str | list[str] | None], environ: Mapping[str, str] = os.environ
) -> Settings:
    """Settings from flags (by field name), then environment, then defaults.

    Raises SettingError, which names the flag or variable and what it takes.
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
                # An unset variable in a script: to take it for the default would serve them all.
                raise ValueError("must not be empty")
            return tuple(parse(item) for item in items if item)
        return parse(given)
    except ValueError as error:
        raise SettingError(f"{origin} {error}") from None


def _own_namespace(served: tuple[str, ...]) -> str:
    if _POD_NAMESPACE_FILE.exists():
        return _POD_NAMESPACE_FILE.read_text().strip()
    return served[0] if len(served) == 1 else "artifact-index-system"
