"""Flags of the commands that read manifests."""

import argparse
from typing import Final

from artifact_index.cli.console import CommandError, Exit
from artifact_index.cli.run import add_setting_flag
from artifact_index.settings import SettingError, Settings, load_settings, setting_fields

_POLICY: Final = (
    "allow_http",
    "allowed_hosts",
    "operator_identity_namespaces",
    "operator_identity_tenant_tags",
    "cluster_resource_namespace",
    "cluster_kinds_namespaces",
    "outage_budget",
    "write_time",
    "propagation_time",
    "pod_start_time",
    "clock_skew",
)
"""The settings of the operator that decide on a file or a condition."""


def add_manifest_flags(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the flags that name manifests, and those of `run` that decide what becomes of them.

    `required`: without manifests the command has nothing to do.
    """
    parser.add_argument(
        "-f",
        "--filename",
        action="append",
        required=required,
        metavar="PATH",
        help="read this file, the manifests in this folder, or standard input (-), to which "
        "`kustomize build` or `helm template` may write; repeatable",
    )
    parser.add_argument(
        "-R", "--recursive", action="store_true", help="read the folders in a folder, too"
    )
    parser.add_argument(
        "-n",
        "--namespace",
        default="default",
        help="namespace of manifests that name none; default: default",
    )
    group = parser.add_argument_group("settings of the operator, as of `artifact-index run`")
    for setting in setting_fields():
        if setting.name in _POLICY:
            add_setting_flag(group, setting, setting.metadata["help"])


def settings_of(chosen: argparse.Namespace) -> Settings:
    """The settings that the flags give; the environment is the operator's and does not count."""
    flags = {name: getattr(chosen, name) for name in _POLICY}
    if flags["cluster_kinds_namespaces"]:
        flags["cluster_kinds"] = "true"  # they are served wherever manifests have them
    try:
        return load_settings(flags, {})
    except SettingError as error:
        raise CommandError(str(error), Exit.USAGE) from None
