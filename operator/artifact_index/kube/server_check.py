"""Asks the API server at intervals whether it still serves us: an idle watch cannot tell."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from artifact_index.kube.errors import ApiError, without_definition
from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import ARTIFACT_INDEXES, INDEX_OPTIONS, Resource

_PERIOD: Final = 20.0
"""Seconds between checks: with an answer that takes 30 s, a failure is known within a minute."""

logger = logging.getLogger(__name__)


class RestoredBackupError(Exception):
    """The API server went back to an older state; the message says what follows."""


class ServerCheck:
    """Lists a single IndexOptions at intervals, which needs the address, TLS, login and CRD.

    `problem` says why that fails, with the remedy; None while it works. `namespace` is one that is
    served, None if all are. `newest` returns the highest resourceVersion that the operator knows.
    """

    def __init__(self, api: KubePort, namespace: str | None, newest: Callable[[], int]) -> None:
        self.problem: str | None = None
        self._api = api
        self._namespace = namespace
        self._newest = newest
        self._version = 0

    async def run(self) -> None:
        """Check until cancelled; the log gets a line when a problem begins and when it ends.

        Raises RestoredBackupError if resourceVersions went back: watches would wait in silence for
        versions that are yet to come.
        """
        while True:
            await asyncio.sleep(_PERIOD)
            before = self.problem
            await self.check(INDEX_OPTIONS)
            if self.problem is not None and before is None:
                logger.error("%s", self.problem)
            elif self.problem is None and before is not None:
                logger.info("the API server serves the operator again")

    async def problem_of_either_kind(self) -> str | None:
        """Check both kinds, and return the first problem."""
        for resource in (ARTIFACT_INDEXES, INDEX_OPTIONS):
            await self.check(resource)
            if self.problem is not None:
                break
        return self.problem

    async def check(self, resource: Resource) -> None:
        """List one object of a kind. Raises RestoredBackupError as `run` does."""
        # Read before the request: while it is under way, events bring later versions.
        known = max(self._version, self._newest())
        try:
            async for page in self._api.list(resource, namespace=self._namespace, page=1):
                version = int(page.resource_version or 0)
                break
        except ApiError as error:
            self.problem = f"the API server does not serve the operator: {error}"
            if resource.custom and error.not_found:
                self.problem = without_definition(resource).message
            return
        self.problem = None
        if version < known:
            raise RestoredBackupError(
                f"the API server's resourceVersion went back from {known} to {version}: "
                "etcd was restored from a backup; the operator ends, and reads everything anew "
                "when it is started again"
            )
        self._version = max(version, known)
