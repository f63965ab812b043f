"""Flags of the commands that read or change a cluster."""

import argparse

from artifact_index.cli.console import add_output_flags
from artifact_index.setting_values import parse_duration


def add_cluster_flags(
    parser: argparse.ArgumentParser,
    *,
    all_namespaces: bool = True,
    namespace: str = "look here; default: the context's namespace",
) -> None:
    """Add the flags by which kubectl chooses a cluster and a namespace.

    `namespace` is the help of `-n`.
    """
    add_connection_flags(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-n", "--namespace", help=namespace)
    if all_namespaces:
        where.add_argument(
            "-A", "--all-namespaces", action="store_true", help="look in all namespaces"
        )
    else:
        parser.set_defaults(all_namespaces=False)


def add_connection_flags(parser: argparse._ActionsContainer) -> None:
    """Add the flags by which kubectl chooses a cluster."""
    parser.add_argument(
        "--kubeconfig",
        metavar="FILE",
        help="use this kubeconfig; default: KUBECONFIG, else the pod's ServiceAccount, else "
        "~/.kube/config",
    )
    parser.add_argument("--context", metavar="NAME", help="use this context of the kubeconfig")
    parser.add_argument(
        "--request-timeout",
        type=seconds,
        default=30.0,
        metavar="DURATION",
        help="give up a request after this long; default: 30s",
    )


def add_change_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a command that changes objects (`choice.choice_of`)."""
    parser.add_argument(
        "objects",
        nargs="*",
        metavar="[KIND/]NAME",
        help="ArtifactIndexes, or indexoptions/NAME; with --all or -l a kind, which is "
        "artifactindexes by default",
    )
    add_cluster_flags(parser)
    parser.add_argument("-l", "--selector", metavar="LABELS", help="all objects with these labels")
    parser.add_argument("--all", action="store_true", help="all objects of the kind")
    add_output_flags(parser, "text", "json", "yaml")


def seconds(text: str) -> float:
    """Parse a duration of a flag, in seconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
