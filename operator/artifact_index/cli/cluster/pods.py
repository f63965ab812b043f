"""Which pods use an output, how, and whether they can hold the current token. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any, Final, NamedTuple

from artifact_index.api.owners import cluster_mark, controller_of, owner_mark
from artifact_index.api.timestamps import parse_time
from artifact_index.cli.cluster.objects import last_write
from artifact_index.cli.console import duration
from artifact_index.cli.reports import FileStatus, Held, ObjectRef, PodStatus, PodUse
from artifact_index.kube.port import Object
from artifact_index.kube.resources import CONFIG_MAPS, SECRETS, Resource

PODS: Final = Resource("", "v1", "pods", "Pod")

ARRIVES_WITHIN: Final = 120
"""Seconds until a kubelet has a changed Secret in a mounted directory: its sync period of a minute,
and the delay of its cache."""


class Use(NamedTuple):
    """How a running pod uses an object; `started_at` is None before its container runs."""

    namespace: str
    pod: str
    object: ObjectRef
    how: PodUse
    started_at: str | None


Outputs = Mapping[ObjectRef, Set[str]]
"""Outputs with the marks of their owners; without a namespace they are in any namespace."""


def outputs_in(files: Iterable[FileStatus]) -> Outputs:
    """The outputs that are shown; each ClusterIndexOptions has its own in many namespaces."""
    found: dict[ObjectRef, set[str]] = {}
    for each in files:
        kind, _, name = each.file.partition("/")
        ref = ObjectRef(kind=kind, namespace=each.namespace, name=name)
        owner = each.index_options if each.namespace else cluster_mark(each.index_options)
        found.setdefault(ref, set()).add(owner)
    return found


def uses_of(pod: Object, outputs: Outputs) -> list[Use]:
    """How a pod uses what may be one of the outputs; one that has ended uses nothing."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return []
    found = dict.fromkeys(_uses(pod))
    return [use for use in found if use.object in outputs or _anywhere(use.object) in outputs]


def is_output(ref: ObjectRef, metadata: Object | None, outputs: Outputs) -> bool:
    """Whether an object is one of the outputs, of which one without a namespace gives the name.

    Somebody else's may have that name, too. One whose metadata is not known is taken for it.
    """
    if ref in outputs or metadata is None:
        return True
    controller = controller_of(metadata.get("ownerReferences") or ())
    mark = owner_mark(controller, metadata.get("annotations") or {})
    return mark in outputs[_anywhere(ref)]


def _anywhere(ref: ObjectRef) -> ObjectRef:
    return ObjectRef(kind=ref.kind, namespace="", name=ref.name)


def _uses(pod: Object) -> Iterator[Use]:
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    namespace = metadata["namespace"]
    volumes = {each["name"]: list(_in_volume(each)) for each in spec.get("volumes") or ()}
    started = _starts(pod.get("status") or {})
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        found: list[tuple[str, str, PodUse]] = []
        for mount in container.get("volumeMounts") or ():
            partly = mount.get("subPath") or mount.get("subPathExpr")
            how: PodUse = "subPath" if partly else "directory"
            found += [(*each, how) for each in volumes.get(mount["name"], ())]
        found += [(*each, "environment") for each in _in_environment(container)]
        for kind, name, how in found:
            ref = ObjectRef(kind=kind, namespace=namespace, name=name)
            yield Use(namespace, metadata["name"], ref, how, started.get(container["name"]))


def _in_volume(volume: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and name of each Secret and ConfigMap in a volume."""
    if name := (volume.get("secret") or {}).get("secretName"):
        yield SECRETS.kind, name
    if name := (volume.get("configMap") or {}).get("name"):
        yield CONFIG_MAPS.kind, name
    for part in (volume.get("projected") or {}).get("sources") or ():
        yield from _named(part, "secret", "configMap")


def _in_environment(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and name of each Secret and ConfigMap in a container's variables."""
    for each in container.get("envFrom") or ():
        yield from _named(each, "secretRef", "configMapRef")
    for each in container.get("env") or ():
        yield from _named(each.get("valueFrom") or {}, "secretKeyRef", "configMapKeyRef")


def _named(part: Mapping[str, Any], secret: str, config_map: str) -> Iterator[tuple[str, str]]:
    for key, kind in ((secret, SECRETS.kind), (config_map, CONFIG_MAPS.kind)):
        if name := (part.get(key) or {}).get("name"):
            yield kind, name


def _starts(status: Mapping[str, Any]) -> dict[str, str]:
    """When each container that runs was started: only then it gets variables and subPaths."""
    every = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    return {
        each["name"]: at
        for each in every
        if (at := ((each.get("state") or {}).get("running") or {}).get("startedAt"))
    }


def written_at(metadata: Object | None) -> int | None:
    """When the operator last changed an output, in POSIX seconds; None if that is not known."""
    at = last_write(metadata or {}, ours=True)
    return None if at is None else parse_time(at)


def status_of(use: Use, written: int | None, now: float) -> PodStatus:
    """What a pod holds, if the operator last wrote the output at `written`; POSIX seconds."""
    held, message = _held(use, written, now)
    return PodStatus(
        namespace=use.namespace,
        pod=use.pod,
        output=use.object,
        use=use.how,
        started_at=use.started_at,
        token=held,
        message=message,
    )


def _held(use: Use, written: int | None, now: float) -> tuple[Held, str]:
    if written is None:
        return "Unknown", (
            f"when it was written is unknown: test with `kubectl auth can-i get "
            f"{use.object.kind.lower()}s/{use.object.name} -n {use.namespace}`"
        )
    if use.how == "directory":
        if now - written >= ARRIVES_WITHIN:
            return "Current", "current"
        ago = duration(now - written)
        return "Arriving", f"written {ago} ago: in the pod within {ARRIVES_WITHIN} s"
    if use.started_at is None:
        return "Current", "gets what is current when it starts; never renewed in this pod"
    if parse_time(use.started_at) >= written:
        return "Current", "current; never renewed in this pod"
    remedy = "mount the directory" if use.how == "subPath" else "start the pod anew"
    ago = duration(now - written)
    return "Stale", f"STALE: written {ago} ago, after the start; {remedy}"
