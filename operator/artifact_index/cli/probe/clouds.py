"""Asks the clouds' endpoints, as `artifact-index preflight --probe` wants them asked."""

import asyncio

from artifact_index.cli.admin.finding import finding
from artifact_index.cli.cluster.caller_api import CallerApi
from artifact_index.cli.cluster.connection import list_objects
from artifact_index.cli.cluster.objects import source_of
from artifact_index.cli.console import CommandError, Exit
from artifact_index.cli.probe.asking import Asker
from artifact_index.cli.probe.indexes import probe
from artifact_index.cli.reports import IndexProbe, PreflightFinding
from artifact_index.formats.urls import host_of
from artifact_index.kube.resources import ARTIFACT_INDEXES
from artifact_index.sources.cloud import CloudSource
from artifact_index.sources.registry import CLOUDS


def urls_of(clouds: str) -> set[str]:
    """The URLs of clouds such as `aws:eu-west-1,google`. Raises CommandError."""
    kinds = {kind.cloud: kind for kind in CLOUDS}
    urls: set[str] = set()
    for each in filter(None, clouds.split(",")):
        name, _, region = each.strip().partition(":")
        if name not in kinds:
            message = f"--clouds knows no {name!r}, but {', '.join(sorted(kinds))}"
            raise CommandError(message, Exit.USAGE)
        try:
            urls.update(kinds[name].endpoints(region).values())
        except ValueError as error:
            raise CommandError(f"--clouds: {error}", Exit.USAGE) from None
    return urls


async def probe_findings(
    api: CallerApi, served: tuple[str, ...], urls: set[str]
) -> list[PreflightFinding]:
    """What the clouds of the indexes and these URLs answer, and then what the indexes do."""
    found: list[PreflightFinding] = []
    try:
        for namespace in served or (None,):
            for index in await list_objects(api, ARTIFACT_INDEXES, namespace):
                source = source_of(index)
                if isinstance(source, CloudSource):
                    urls.update(source.services())
            probed = await probe(api, namespace)
            found += map(_index, probed)
    except CommandError as error:
        step = "`kubectl get artifactindexes -A`"
        message = f"which indexes there are is unknown: {error}"
        found.append(finding("probe", "Unknown", message, step))
    async with Asker() as asking:
        clouds = await asyncio.gather(*(_cloud(asking, url) for url in sorted(urls)))
    return [*clouds, *found]


async def _cloud(asking: Asker, url: str) -> PreflightFinding:
    host = host_of(url)
    answer = await asking.ask(url, None)
    if answer.problem is None:
        return finding("cloud", "Good", f"{host} answers (name, TCP, TLS)")
    kind, why = answer.problem
    if kind == "UntrustedAuthority":
        message = f"{host}: TLS by an unknown authority ({why})"
        return finding("cloud", "Bad", message, "the chart's caBundle, and SSL_CERT_FILE here")
    step = f"test with `curl -I {url}`; networkPolicy, egress and HTTPS_PROXY decide"
    return finding("cloud", "Bad", f"{host} is not reached from here: {why}", step)


def _index(each: IndexProbe) -> PreflightFinding:
    return finding("index", each.verdict, f"{each.object.text}: {each.message}", each.next_step)
