"""From each text alone - columns, log, a build's last line, alert - the cause can be found."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tools.monitoring.rules import ALERTS

from artifact_index.cli.cluster import why
from artifact_index.cli.cluster.objects import Observed, named, observed
from artifact_index.crdgen.kinds import ARTIFACT_INDEX, INDEX_OPTIONS, Kind
from artifact_index.kube.errors import ApiError, error_from_response, without_definition
from artifact_index.kube.port import ListPage
from artifact_index.kube.resources import INDEX_OPTIONS as OPTIONS_KIND
from artifact_index.kube.server_check import ServerCheck
from artifact_index.logs import RedactingFilter, TextFormatter
from support.engine import Engine
from support.incident_texts import INCIDENTS, OUTAGES, Incident, Outage
from support.log_handlers import logging_to
from support.memory_port import MemoryPort
from support.reconcile_builders import CANARY, HOUR, NAMESPACE
from support.troubleshooting import quoted, sections

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

KINDS = {"ArtifactIndex": ARTIFACT_INDEX, "IndexOptions": INDEX_OPTIONS}
EACH = pytest.mark.parametrize("incident", INCIDENTS.values(), ids=list(INCIDENTS))


UNAUTHORIZED = error_from_response(401, "Unauthorized", {}, b"", sensitive=False)
FORBIDDEN = ApiError(403, "Forbidden", 'indexoptions is forbidden: User "x" cannot list resource')


class Log(logging.Handler):
    """The operator's lines, as text for people."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.addFilter(RedactingFilter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(TextFormatter().format(record))


class Refusing(MemoryPort):
    """An API server that refuses every listing."""

    def __init__(self, error: ApiError) -> None:
        super().__init__()
        self.error = error

    async def list(self, *_: Any, **__: Any) -> AsyncIterator[ListPage]:
        raise self.error
        yield


@pytest.fixture
def log() -> Iterator[Log]:
    with logging_to(Log()) as handler:
        yield handler


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine()
    yield engine
    await engine.operator.close()


def cell(body: dict[str, Any], path: str) -> str:
    """What `kubectl get` shows for a column."""
    found: Any = body
    if match := re.fullmatch(r'\.status\.conditions\[\?\(@\.type=="(\w+)"\)\]\.(\w+)', path):
        conditions = body["status"]["conditions"]
        return next((str(each[match[2]]) for each in conditions if each["type"] == match[1]), "")
    for part in path.strip(".").split("."):
        found = found.get(part, {}) if isinstance(found, dict) else {}
    return str(found or "")


def row(engine: Engine, kind: Kind, name: str, *, wide: bool) -> str:
    """An object's row of `kubectl get`."""
    body = engine.port.find(kind.plural, NAMESPACE, name)
    assert body is not None
    shown = [each for each in kind.columns if wide or not each.wide]
    return " ".join([name, *(cell(body, each.json_path) for each in shown)])


def seen(engine: Engine, kind: str) -> list[Observed]:
    return [
        observed(kind, body)
        for (plural, _, _), body in engine.port.objects.items()
        if plural == KINDS[kind].plural
    ]


def reasons(engine: Engine, kind: str, name: str) -> set[str]:
    """Where `artifact-index why` ends, asked about an object."""
    indexes, options = seen(engine, "ArtifactIndex"), seen(engine, "IndexOptions")
    (each,) = (one for one in (*indexes, *options) if (one.kind, one.name) == (kind, name))
    roots = why.report_of(each, indexes, options, engine.time).roots
    assert all(root.remedy for root in roots)
    return {root.reason for root in roots}


def section_of(incident: Incident | Outage) -> str:
    (text,) = (text for head, text in sections().items() if head.startswith(incident.section))
    return " ".join(text.split())


def told(alert: str, labels: dict[str, str]) -> str:
    """The text of an alert about these labels; nobody knows the others."""
    (rule,) = (each for each in ALERTS if each["alert"] == alert)
    text = f"{rule['summary']} {rule['description']}"
    text = re.sub(
        r"\{\{ if \$labels\.(\w+) \}\}(.*?)\{\{ end \}\}",
        lambda part: part[2] if labels.get(part[1]) else "",
        text,
    )
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda label: labels.get(label[1], "?"), text)


@EACH
async def test_the_columns_name_the_cause(engine: Engine, incident: Incident) -> None:
    await incident.happen(engine)
    kind, name = incident.object.split("/")

    wide = row(engine, KINDS[kind], name, wide=True)
    assert [part for part in incident.columns if part not in wide] == [], wide
    assert CANARY not in wide
    if incident.reason:
        # The short row shows that something is wrong, too, and so does that of the file.
        for each, its in ((kind, name), ("IndexOptions", "uv-config")):
            short = row(engine, KINDS[each], its, wide=False)
            assert " False " in short or "RefreshFailing" in short or "Confusion" in short, short
            assert incident.reason in reasons(engine, each, its)


@EACH
async def test_the_log_names_the_cause(engine: Engine, log: Log, incident: Incident) -> None:
    await incident.happen(engine)
    kind, name = incident.object.split("/")

    about = [line for line in log.lines if f"{kind} {NAMESPACE}/{name}:" in line]
    text = "\n".join(about)
    assert [part for part in incident.log if part not in text] == [], text
    assert bool(incident.log) is bool(incident.reason)
    assert all(" WARNING " in line for line in about if incident.reason and "reason=" in line) or (
        "reason=Available" in text
    )
    assert CANARY not in "\n".join(log.lines)


@EACH
async def test_a_builds_last_line_leads_to_the_cause(engine: Engine, incident: Incident) -> None:
    await incident.happen(engine)
    _, name = incident.object.split("/")
    entries = {} if incident.section.startswith("An output") else engine.entries()
    blocked = {url for url in entries.values() if ".unavailable.invalid" in url}

    if incident.client == "blocked":
        # uv prints the URL of the entry, as the page quotes it.
        (url,) = blocked
        assert f"/kubectl+describe+artifactindex+{name}+-n+{NAMESPACE}/" in url
        (line, *_) = quoted()[".unavailable.invalid", "uv"]
        assert re.search(r"Failed to fetch: https://[\w-]+\.unavailable\.invalid/kubectl\+", line)
        return
    assert blocked == set()
    if incident.client:
        # uv prints number and URL of the index; the section lists what the conditions cannot tell.
        assert entries["acme"].split("@")[-1].startswith("acme.example/pypi/acme/")
        assert (incident.client, "uv") in quoted()
        assert incident.page


@EACH
def test_the_page_tells_what_to_do(incident: Incident) -> None:
    text = section_of(incident)
    assert [part for part in incident.page if part not in text] == []
    if incident.reason:
        shown = "DependencyConfusionRisk" if "Confusion" in incident.columns[2] else incident.reason
        assert f"`{shown}`" in text and "artifact-index why" in text


@pytest.mark.parametrize("incident", [each for each in INCIDENTS.values() if each.alert])
async def test_an_alert_leads_to_the_cause(engine: Engine, incident: Incident) -> None:
    await incident.happen(engine)
    (rule,) = (each for each in ALERTS if each["alert"] == incident.alert)
    kinds = re.findall(r'kind="(\w+)"', rule["expr"])
    kind, name = (
        ("IndexOptions", "uv-config") if "IndexOptions" in kinds else (incident.object.split("/"))
    )
    labels = {"namespace": NAMESPACE, "kind": kind, "name": name, "reason": incident.reason}

    text = told(incident.alert, labels)

    assert f"{NAMESPACE}/{name}" in text and "?" not in text
    (command,) = re.findall(r"artifact-index why -n builders (\S+)", text)
    assert named(command) == (kind, name)
    assert incident.reason in reasons(engine, kind, name)
    assert incident.alert in section_of(incident)


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=list(OUTAGES))
def test_an_alert_about_the_operator_leads_to_a_section(outage: Outage) -> None:
    labels = dict.fromkeys(("namespace", "index_options", "output", "kind", "pod", "provider"), "x")
    text = told(outage.alert, labels)

    assert re.search(r"\b(kubectl|artifact-index) [a-z]+ ", text), text
    assert outage.alert in section_of(outage)


def test_each_alert_and_each_section_has_its_incident() -> None:
    all_of_them: list[Incident | Outage] = [*INCIDENTS.values(), *OUTAGES.values()]
    assert {each.alert for each in all_of_them} - {""} == {each["alert"] for each in ALERTS}
    without = {"A message of uv about the project", "Ask for help"}
    covered = {each.section for each in all_of_them}
    for heading in sections().keys() - without:
        assert any(heading.startswith(section) for section in covered), heading


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (without_definition(OPTIONS_KIND), "there is no CustomResourceDefinition"),
        (ApiError(0, "Unreachable", "the API server cannot be reached: x"), "cannot be reached"),
        (UNAUTHORIZED, "the operator's login has expired"),
        (FORBIDDEN, "is forbidden"),
    ],
)
async def test_the_log_says_why_the_api_server_does_not_serve(
    log: Log, error: ApiError, words: str
) -> None:
    checking = asyncio.create_task(ServerCheck(Refusing(error), None, lambda: 0).run())
    await asyncio.sleep(60)
    checking.cancel()

    (line,) = log.lines
    assert " ERROR " in line and words in line
    # What is missing follows: the command, the place or the permission.
    assert re.search(r"artifact-index crds|cannot be reached: x|restart the pod|list", line)
    assert words in section_of(OUTAGES["the API server refuses its login"])


@pytest.mark.parametrize(("expires", "reason"), [(-1, "Expired"), (1800, "RefreshOverdue")])
async def test_why_knows_an_operator_that_is_gone(
    engine: Engine, expires: int, reason: str
) -> None:
    """The conditions are those that it left behind, all of them good."""
    await INCIDENTS["a pod has the file of an hour ago"].happen(engine)
    engine.time += 12 * HOUR - expires

    (index,) = seen(engine, "ArtifactIndex")
    (root, *_) = why.report_of(index, [index], seen(engine, "IndexOptions"), engine.time).roots

    assert (
        root.reason == reason and "app.kubernetes.io/name=artifact-index-operator" in root.message
    )
    text = section_of(OUTAGES["the process is gone"])
    assert f"`{reason}`" in text and "app.kubernetes.io/name=artifact-index-operator" in text
