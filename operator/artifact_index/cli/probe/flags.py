"""Flags of `artifact-index check --probe`."""

import argparse

from artifact_index.cli.cluster.flags import add_connection_flags


def add_probe_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose indexes of a cluster beside those of manifests."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="[KIND/]NAME",
        help="with --probe: only these ArtifactIndexes, or such as clusterartifactindex/NAME, with "
        "the file of the namespace that -n gives or of the first that has it",
    )
    group = parser.add_argument_group("indexes of a cluster")
    group.add_argument(
        "--probe",
        action="store_true",
        help="ask the indexes of a cluster with the logins in their files; -n names the "
        "namespace, by default the context's",
    )
    group.add_argument(
        "-A",
        "--all-namespaces",
        action="store_true",
        help="with --probe: in all namespaces, and those of cluster scope",
    )
    group.add_argument(
        "--package",
        metavar="NAME",
        help="with --probe: ask for this project; default: the first one that the index lists",
    )
    add_connection_flags(group)
    # Manifests without a namespace are in `default`, and indexes in the context's.
    parser.set_defaults(namespace=None)
