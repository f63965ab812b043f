"""Keys that other charts have and this one does not, each with the reason and what to set instead.

Helm prints the answer if such a key is set: its schema allows only this text as a value. The
README of the chart lists the same.
"""

from typing import Any, Final

_ONE_WORKS: Final = (
    "one process does all the work, and more of them only stand by: `resources` gives it more, and "
    "releases with `watchNamespaces` share the work"
)
_STRATEGY: Final = (
    "it follows from `leaderElection.enabled`: with an election a new pod stands by before an old "
    "one ends (RollingUpdate), and without one two never run beside each other (Recreate)"
)
_RESTRICTED: Final = "no value can weaken the pod below the restricted Pod Security Standard"
_EVERY_FLAG: Final = "every flag is a key of `settings`, with its type"
_NO_CONTAINERS: Final = (
    f"{_RESTRICTED}, and a container is more than types can check; let an injector add it "
    "(Vault, a mesh: `podAnnotations`), or patch the rendered Deployment (Kustomize)"
)
_THREE_ANNOTATIONS: Final = (
    "each object has its own: `deploymentAnnotations`, `podAnnotations`, "
    "`serviceAccount.annotations` and `serviceMonitor.serviceAnnotations`; all of them have "
    "`commonAnnotations`"
)
_MONITOR_LABELS: Final = "they are called `labels` here"
_RENDER_MODE: Final = "`enabled` decides; without their CRDs the API server refuses monitors"
_HONOR_LABELS: Final = (
    "it is always true: the label `namespace` is that of the object; where Prometheus overrides "
    "that, the label is `exported_namespace`, and `metricRelabelings` can rename it"
)

NOT_HERE: Final = {
    "replicas": "it is `replicaCount`",
    "autoscaling": _ONE_WORKS,
    "leaderElect": "it is `leaderElection.enabled`",
    "strategy": _STRATEGY,
    "updateStrategy": _STRATEGY,
    "args": _EVERY_FLAG,
    "extraArgs": _EVERY_FLAG,
    "command": "the image runs nothing but the operator",
    "logLevel": "it is `settings.logLevel`",
    "namespace": "those to serve are `watchNamespaces`; that of the release is --namespace of Helm",
    "namespaces": "they are `watchNamespaces`",
    "watchNamespace": "it is a list, `watchNamespaces`",
    "installCRDs": "it is `crds.enabled`",
    "env": "it is `extraEnv`",
    "volumes": "they are `extraVolumes`",
    "volumeMounts": "they are `extraVolumeMounts`",
    "containers": _NO_CONTAINERS,
    "extraContainers": _NO_CONTAINERS,
    "sidecars": _NO_CONTAINERS,
    "initContainers": _NO_CONTAINERS,
    "extraInitContainers": _NO_CONTAINERS,
    "securityContext": f"{_RESTRICTED}; numeric ids are in `podSecurityContext`",
    "containerSecurityContext": f"{_RESTRICTED}; numeric ids are in `podSecurityContext`",
    "hostNetwork": f"{_RESTRICTED}; the API server never connects to the operator (no webhook)",
    "annotations": _THREE_ANNOTATIONS,
    "labels": "they are `commonLabels`, `podLabels` and `serviceAccount.labels`",
    "serviceAccount.imagePullSecrets": "both pods of the chart have `imagePullSecrets` themselves",
    "service": "it comes with `serviceMonitor.enabled`; nothing else connects to the operator",
    "metrics": (
        "`podMonitor` and `serviceMonitor` find them; they name objects and hold no secret, so "
        "they have neither TLS nor a login: `networkPolicy.ingressFrom` says who may read them"
    ),
    "podMonitor.additionalLabels": _MONITOR_LABELS,
    "serviceMonitor.additionalLabels": _MONITOR_LABELS,
    "podMonitor.renderMode": _RENDER_MODE,
    "serviceMonitor.renderMode": _RENDER_MODE,
    "podMonitor.honorLabels": _HONOR_LABELS,
    "serviceMonitor.honorLabels": _HONOR_LABELS,
}
"""The answer for each path of keys, without a full stop."""


def answer(path: str) -> str:
    """What Helm says of the key, without the marks of Markdown."""
    return f"not here, because {NOT_HERE[path]}".replace("`", "")


def add_answers(schema: dict[str, Any]) -> None:
    """Allow each absent key with its answer as the only value, for the sake of the message."""
    for path in NOT_HERE:
        group, _, key = path.rpartition(".")
        owner = schema
        if group:
            reference = schema["properties"][group]["$ref"]
            owner = schema["definitions"][reference.rpartition("/")[2]]
        owner["properties"][key] = {"const": answer(path)}
