"""The operator's settings as chart values: one typed key each, named after its flag."""

from dataclasses import Field as SettingField
from typing import Annotated, Any, Final, Literal

from pydantic import Field, create_model
from pydantic.alias_generators import to_camel
from tools.chart.kubernetes import Model
from tools.settings_reference import go_duration, meaning

from artifact_index.setting_values import OneOf
from artifact_index.settings import setting_fields

SET_BY_THE_CHART: Final = {
    "namespaces": "watchNamespaces",
    "leader_elect": "leaderElection.enabled",
    "lease_duration": "leaderElection.leaseDuration",
    "renew_deadline": "leaderElection.renewDeadline",
    "retry_period": "leaderElection.retryPeriod",
    "cluster_kinds": "clusterKinds.enabled",
    "cluster_resource_namespace": "clusterKinds.resourceNamespace",
    "cluster_kinds_namespaces": "clusterKinds.namespaces",
}
"""Settings that another chart value sets, because that value also decides permissions."""

_BOUNDLESS_AT_0: Final = {"writes_per_second"}
DURATION: Final = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
"""The pattern of a duration as the operator's flags take it."""
_OPTIONAL_DURATION: Final = rf"^$|{DURATION}"
_ITEM_PATTERNS: Final = {
    "operator_identity_namespaces": r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(=[^,]+)?$",
    "allowed_hosts": r"^[A-Za-z0-9.*?:\[\]-]+$",
}


def chart_settings() -> tuple[SettingField[Any], ...]:
    """Return the settings that appear under `settings` in the values."""
    return tuple(setting for setting in setting_fields() if setting.name not in SET_BY_THE_CHART)


def settings_model() -> type[Model]:
    """Return a model with one key per setting and the operator's defaults."""
    fields: dict[str, Any] = {
        setting.name: (
            Annotated[_type_of(setting), Field(description=_meaning(setting))],
            _default_of(setting),
        )
        for setting in chart_settings()
    }
    for setting in chart_settings():
        if former := setting.metadata["former_name"]:
            text = f"Former name of `{to_camel(setting.name)}`; where it is set, it wins."
            # Only a duration has been renamed so far.
            fields[former] = Annotated[_text(_OPTIONAL_DURATION), Field(description=text)], ""
    return create_model("Settings", __base__=Model, **fields)


def setting_value(name: str) -> Any:
    """The value of a setting that stands in another group than `settings`."""
    (setting,) = (each for each in setting_fields() if each.name == name)
    return Field(default=_default_of(setting), description=_meaning(setting))


def _meaning(setting: SettingField[Any]) -> str:
    # In the chart a repeatable flag is a list.
    return meaning(setting).replace(" repeatable;", "") + "."


def _default_of(setting: SettingField[Any]) -> Any:
    default: Any = setting.default
    if isinstance(default, float):  # all floats are durations
        return go_duration(default)
    return list(default) if setting.metadata["repeatable"] else default


def _type_of(setting: SettingField[Any]) -> Any:
    parse, default, name = setting.metadata["parse"], setting.default, setting.name
    if isinstance(parse, OneOf):
        return Literal[parse.choices]
    if setting.metadata["repeatable"]:
        return list[_text(_ITEM_PATTERNS[name])]  # type: ignore[misc]
    if isinstance(default, bool):
        return bool
    if isinstance(default, int):
        # 0 means any free port, which neither a probe nor a Service could find.
        least = 0 if name in _BOUNDLESS_AT_0 else 1
        return Annotated[int, Field(ge=least, le=65535 if name.endswith("_port") else None)]
    if isinstance(default, float):
        return _text(DURATION)
    return _text(r"^https?://[^\s/?#]+") if name.endswith("_url") else str


def _text(pattern: str) -> Any:
    return Annotated[str, Field(pattern=pattern)]
