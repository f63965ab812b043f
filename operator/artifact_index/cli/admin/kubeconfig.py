"""`artifact-index kubeconfig`: a kubeconfig with the token of a ServiceAccount."""

import argparse
import sys
from typing import Any

from artifact_index.cli.cluster.flags import add_cluster_flags, seconds
from artifact_index.cli.console import CommandError, Exit


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "kubeconfig",
        help="write a kubeconfig for a ServiceAccount, such as the operator's outside a cluster",
        description="Request a token of a ServiceAccount and write a kubeconfig that holds it, "
        "with the server, the authority and the proxy of your own context and nothing of your "
        "login. It is written to standard output, which must not be a terminal: `(umask 077; "
        "artifact-index kubeconfig --service-account NAMESPACE/NAME > FILE)`. Needs `create` on "
        "serviceaccounts/token.",
    )
    parser.add_argument(
        "--service-account", required=True, metavar="NAMESPACE/NAME", help="log in as this account"
    )
    parser.add_argument(
        "--duration",
        type=seconds,
        default=3600.0,
        metavar="DURATION",
        help="how long the token is to live, at least 10m; default: 1h",
    )
    parser.add_argument(
        "--show-secrets", action="store_true", help="write the token to a terminal, too"
    )
    add_cluster_flags(parser, all_namespaces=False, namespace="not used: the account names it")
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> int:
    """Write the kubeconfig."""
    import asyncio  # noqa: PLC0415 - slow

    import yaml  # noqa: PLC0415 - slow

    namespace, _, name = chosen.service_account.partition("/")
    if not namespace or not name:
        raise CommandError("--service-account takes NAMESPACE/NAME", Exit.USAGE)
    if chosen.duration < 600:
        raise CommandError("--duration must be at least 10m: no token lives shorter", Exit.USAGE)
    if sys.stdout.isatty() and not chosen.show_secrets:
        message = "this prints a token: write it to a file (> FILE), or give --show-secrets"
        raise CommandError(message, Exit.USAGE)
    config = asyncio.run(_make(chosen, namespace, name))
    yaml.safe_dump(config, sys.stdout, sort_keys=False)
    return Exit.GOOD


async def _make(chosen: argparse.Namespace, namespace: str, name: str) -> dict[str, Any]:
    from artifact_index.cli.cluster.connection import connected  # noqa: PLC0415 - slow
    from artifact_index.kube.errors import ApiError  # noqa: PLC0415 - slow

    async with connected(chosen) as api:
        try:
            token = await api.request_token(
                namespace, name, audiences=(), seconds=int(chosen.duration)
            )
        except ApiError as error:
            test = f"`kubectl auth can-i create serviceaccounts/{name} --subresource=token"
            message = f"no token of ServiceAccount {namespace}/{name}: {error.message}"
            status = Exit.NOT_GOOD if error.not_found else Exit.UNKNOWN
            raise CommandError(f"{message}; test with {test} -n {namespace}`", status) from None
        cluster = api.cluster_entry()
    context = {"cluster": "cluster", "user": name, "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
    }
