"""ServiceAccounts that log in: what the API server, and the clouds, need to know of them."""

from typing import Any

from support.clouds import ClusterIssuer
from support.control_plane import wait_until
from support.installation import granted_by_chart, install
from support.world import World

AUDIENCE = "sts.amazonaws.com"
DOMAIN_OWNER = "111122223333"


def role(name: str) -> str:
    """The ARN of a role of the test account."""
    return f"arn:aws:iam::{DOMAIN_OWNER}:role/{name}"


def assumed(name: str, session: str) -> str:
    """The principal that a session of a role is."""
    return f"arn:aws:sts::{DOMAIN_OWNER}:assumed-role/{name}/{session}"


def allow_tokens(world: World, namespace: str, *accounts: str) -> None:
    """What the chart grants where these ServiceAccounts, by default `builder`, are on its list."""
    listed = {namespace: list(accounts or ("builder",))}
    tokens = granted_by_chart({"serviceAccountTokens": {"mode": "Listed", "listed": listed}})
    install(
        world.plane, *(token for token in tokens if token["metadata"].get("namespace") == namespace)
    )


def issuer_of(world: World) -> ClusterIssuer:
    """The cluster as an OIDC provider, by the keys that its API server publishes."""
    return ClusterIssuer(world.plane.kubectl("get", "--raw", "/openid/v1/jwks").stdout)


def service_account(name: str, **annotations: str) -> dict[str, Any]:
    """A ServiceAccount; annotations with dots and slashes as a mapping."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "annotations": annotations},
    }


def trust(
    world: World, issuer: ClusterIssuer, role_arn: str, subject: str, audience: str = AUDIENCE
) -> None:
    """Let a role trust one subject of the cluster, as its trust policy would."""

    def subject_of(token: str) -> str | None:
        found = issuer.subject(token, audience)
        return found if found == subject else None

    world.aws.trust_web_identity(role_arn, subject_of)


def code_artifact_by(auth: dict[str, Any], *, domain: str, **more: Any) -> dict[str, Any]:
    """The `codeArtifact` source with this `auth`; its endpoint is given, so only tokens cost."""
    return {
        "domain": domain,
        "domainOwner": DOMAIN_OWNER,
        "region": "eu-west-1",
        "repository": "python",
        "endpoint": f"https://{domain}.example/pypi/python/",
        "auth": auth,
        **more,
    }


def token_in(world: World, namespace: str, variable: str = "uv-config") -> str:
    """The only index's password in the output."""
    (table,) = [
        index
        for index in world.indexes(namespace, variable).values()
        if "@" in index.get("url", "")
    ]
    userinfo: str = table["url"].partition("//")[2].partition("@")[0]
    return userinfo.partition(":")[2]


def person(world: World, namespace: str, name: str, role: str | None) -> list[str]:
    """Flags of a ServiceAccount with a ClusterRole in the namespace; of one without any if None.

    Returns when the role holds the chart's rules, which a controller aggregates into it.
    """
    kubeconfig = world.plane.kubeconfig_for(namespace, name)
    if role is not None:
        account = f"--serviceaccount={namespace}:{name}"
        binding = ("create", "rolebinding", name, f"--clusterrole={role}", account)
        world.plane.kubectl(*binding, "-n", namespace)
        reads = ("auth", "can-i", "list", "indexoptions.artifactindex.dev", "-n", namespace)
        whoever = ("--as", f"system:serviceaccount:{namespace}:{name}")
        wait_until(
            lambda: world.plane.kubectl(*reads, *whoever, check=False).returncode == 0,
            f"{role} to hold the chart's rules",
            60,
        )
    return ["--kubeconfig", str(kubeconfig)]
