"""What to do if the API server's RBAC refuses the operator itself."""

import re
from typing import Final


def account_permissions(namespace: str, name: str) -> str:
    """What a login as a ServiceAccount needs, in the words of a problem's message."""
    return (
        "get on serviceaccounts and create on serviceaccounts/token; ask the administrator to "
        "grant them with the Helm chart: --set serviceAccountTokens.mode=Listed --set "
        f"'serviceAccountTokens.listed.{namespace}={{{name}}}'"
    )


# RBAC's message in every Kubernetes (`NewForbidden` of k8s.io/apiserver/pkg/endpoints/handlers/
# responsewriters). The 403 of quotas, webhooks and terminating namespaces reads differently.
_DENIAL: Final = re.compile(r'User "[^"]*" cannot \S+ resource "([^"]+)" in API group')


def remedy_of(message: str) -> str | None:
    """Which chart value grants the permission that a 403 misses; None for any other 403."""
    denied = _DENIAL.search(message)
    if denied is None:
        return None
    value = "rbac.create, in namespaced mode in each of watchNamespaces and in its own"
    if denied[1].partition("/")[0] == "serviceaccounts":
        value = "serviceAccountTokens"
    needs = "the operator's ServiceAccount needs this permission, which the Helm chart grants with"
    return f"{needs} {value}"
