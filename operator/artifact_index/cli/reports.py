"""The answers of the commands as JSON and YAML: an object with a kind and a version each.

A field is only ever added within a version. Times are as in the API; None where there is none.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from artifact_index.cli.console import printable

Text = Annotated[str, AfterValidator(printable)]
"""Words that others may have written: on one line, without control characters."""
Severity = Literal["error", "warning"]
Ready = Literal["True", "False", "Unknown"]
Verdict = Literal["Good", "Warning", "Bad", "Unknown"]
PodUse = Literal["directory", "subPath", "environment"]
Held = Literal["Current", "Arriving", "Stale", "Unknown"]
ProbeOutcome = Literal[
    "Answers", "Anonymous", "NoJson", "NoUploadTimes", "LoginRefused", "NotAllowed", "Expired",
    "NoSuchRepository", "Redirects", "NotAnIndex", "UntrustedAuthority", "Unreachable",
    "ServerFails", "Blocked", "NotInFile",
]  # fmt: skip
Outcome = Literal[
    "Requested", "Refreshed", "Suspended", "Resumed", "Unchanged", "Refused", "TimedOut", "Failed",
    "WouldAdopt", "Adopted",
]  # fmt: skip


class Part(BaseModel):
    """A part of a report."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class Report(Part):
    """What all reports begin with."""

    api_version: Literal["cli.artifactindex.dev/v1"] = "cli.artifactindex.dev/v1"


class OperatorVersion(Part):
    """An operator of the cluster, and the namespaces that it serves: none means all.

    `leader` is the pod that works, empty if none does; None if the replicas elect none, the Lease
    may not be read, or nobody asked. `standbys` are the other replicas that are ready.
    """

    namespace: str
    name: str
    version: str | None
    ready: bool
    namespaces: list[str] = Field(default_factory=list)
    leader: Text | None = None
    standbys: int = 0


class VersionReport(Report):
    """`artifact-index version`.

    `definitions` is what this program knows, `served` what the cluster has. Without a cluster the
    last three fields are None; `operators` also if they may not be listed.
    """

    kind: Literal["VersionReport"] = "VersionReport"
    client: str
    definitions: str
    server: str | None = None
    served: list[str] | None = None
    operators: list[OperatorVersion] | None = None


class ObjectRef(Part):
    """An object; of one of cluster scope the namespace is empty."""

    kind: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Such as `builders/uv-config`; the name alone of an object of cluster scope."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def text(self) -> str:
        """Such as `Secret builders/uv-config`."""
        return f"{self.kind} {self.path}"


class RenderedFile(Part):
    """One file that the operator would write."""

    index_options: str
    output: ObjectRef
    key: str
    content: str = Field(repr=False)


class RenderReport(Report):
    """`artifact-index render`."""

    kind: Literal["RenderReport"] = "RenderReport"
    files: list[RenderedFile]


class CheckFinding(Part):
    """One thing wrong with one manifest."""

    file: Text
    line: int
    severity: Severity
    object: Text
    reason: str
    message: Text


class CheckReport(Report):
    """`artifact-index check`; `objects` counts those of our kinds."""

    kind: Literal["CheckReport"] = "CheckReport"
    objects: int
    findings: list[CheckFinding]


class LoginLife(Part):
    """How long the login of one index lasts, by its name in the file."""

    name: str
    state: Literal["Good", "TooShort", "Expired", "Blocked", "Missing", "NoExpiryKnown"]
    expires_at: str | None
    seconds_left: int | None


class FreshReport(Report):
    """`artifact-index fresh`, which writes it without this model."""

    kind: Literal["FreshReport"] = "FreshReport"
    indexes: list[LoginLife]


class NamespaceCounts(Part):
    """In how many namespaces a ClusterIndexOptions should write, has written, and fails."""

    selected: int
    written: int
    failing: int


class FileStatus(Part):
    """An output of an IndexOptions; without `namespace`, of a ClusterIndexOptions."""

    namespace: str
    index_options: str
    file: Text
    indexes: int
    ready_indexes: int
    ready: Ready
    reason: str
    expires_at: str | None
    warnings: list[str]
    namespaces: NamespaceCounts | None = None


class IndexStatus(Part):
    """An ArtifactIndex; without `namespace`, a ClusterArtifactIndex.

    `login` is `secret/NAME`, `sa/NAME`, `operator` or `-`.
    """

    namespace: str
    name: str
    ready: Ready
    reason: str
    url: Text | None
    expires_at: str | None
    refresh_at: str | None
    login: str
    warnings: list[str]


class ObjectProblem(Part):
    """One thing wrong with one object in the cluster."""

    severity: Severity
    object: ObjectRef
    reason: str
    since: str | None
    message: Text


class PodStatus(Part):
    """How a pod uses an output, and which token it can hold."""

    namespace: str
    pod: str
    output: ObjectRef
    use: PodUse
    started_at: str | None
    token: Held
    message: Text


class StatusReport(Report):
    """`artifact-index status`; `pods` are listed with `--pods`.

    `operators` are those that serve the namespace; None if the caller may not know. `last_write_at`
    is when one of them last wrote one of these objects. They are behind if objects are `waiting`:
    for a minute for a new spec to be handled, or for two for a token that is due.
    """

    kind: Literal["StatusReport"] = "StatusReport"
    files: list[FileStatus]
    indexes: list[IndexStatus]
    problems: list[ObjectProblem]
    pods: list[PodStatus] = Field(default_factory=list)
    operators: list[OperatorVersion] | None = None
    last_write_at: str | None = None
    waiting: int = 0
    waiting_since: str | None = None


class Root(ObjectProblem):
    """A problem that no other object causes, with what the reference says of its reason."""

    meaning: str | None
    remedy: str | None


class WhyReport(Report):
    """`artifact-index why`; `holds` are the things that are in order."""

    kind: Literal["WhyReport"] = "WhyReport"
    object: ObjectRef
    holds: list[Text]
    roots: list[Root]


class ObjectChange(Part):
    """What became of one object; Failed if the API server did not accept the change."""

    object: ObjectRef
    outcome: Outcome
    message: Text
    expires_at: str | None = None


class ChangeReport(Report):
    """`artifact-index refresh`, `suspend`, `resume` and `adopt`."""

    kind: Literal["ChangeReport"] = "ChangeReport"
    objects: list[ObjectChange]


class PreflightFinding(Part):
    """One thing that was looked at; the next step is a command, and None if it is good."""

    check: str
    verdict: Verdict
    message: Text
    next_step: str | None = None


class PreflightReport(Report):
    """`artifact-index preflight`."""

    kind: Literal["PreflightReport"] = "PreflightReport"
    findings: list[PreflightFinding]


class IndexProbe(Part):
    """What one index answered to the login in a file.

    `file` is the output that holds it, and None if no readable one does. `status` is that of HTTP.
    """

    object: ObjectRef
    file: ObjectRef | None
    outcome: ProbeOutcome
    verdict: Verdict
    status: int | None
    milliseconds: int | None
    message: Text
    next_step: str | None = None


class ProbeReport(Report):
    """`artifact-index check --probe`."""

    kind: Literal["ProbeReport"] = "ProbeReport"
    indexes: list[IndexProbe]


class ObjectReport(Part):
    """The conditions of an object, and nothing of its spec."""

    object: ObjectRef
    generation: int
    handled: bool
    conditions: list[Text]


class SupportReport(Report):
    """`artifact-index report`; `missing` says what could not be read, and why.

    Every text went through the redaction of the operator's log.
    """

    kind: Literal["SupportReport"] = "SupportReport"
    versions: VersionReport
    settings: dict[str, list[Text]]
    leases: list[Text] = Field(default_factory=list)
    objects: list[ObjectReport]
    events: list[Text]
    log: list[Text]
    metrics: list[Text]
    missing: list[Text]
