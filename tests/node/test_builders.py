"""The whole cluster served: builder Jobs install with what the operator wrote.

The steps are those of `make kind-demo`: what only that can show is kind itself.
"""

import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from demo.narrator import Narrator
from demo.pods import NAMESPACE, perform

from artifact_index.cli.builder import fresh
from support.control_plane import wait_until
from support.tour import PACKAGE, VERSION, Tour, token_in
from support.world import artifact_index, basic_auth

pytestmark = pytest.mark.node

# The kubelet of these tests looks every 2 s; a cluster's own every minute.
FOLLOW_SECONDS = 120.0
FIRST_TOKEN_SECONDS = 2 * 3600
TOLD = (
    r"uv-job\.yaml.*\n.*\+ {package}=={version}\n",
    r"pip-job\.yaml.*\n.*Successfully installed {package}-{version}\n",
    r"uv-env-job\.yaml.*\n.*\+ {package}=={version}\n",
    r"a new token reaches the mounted file \.",
    r"a new Job builds with the new token.*\n.*\+ {package}=={version}\n",
)


IN_A_POD = "import sys; sys.stderr = open('/work/told', 'w'); exec(sys.argv.pop(1))"
"""Runs the script in an image without the package, and shows others what it says meanwhile."""

NO_LOGIN = artifact_index(
    "no-login",
    name="no-login",
    labels={"env": "prod"},
    basicAuth=basic_auth("https://no.example/simple/", "none"),
)
"""Its Secret is not there."""


class Watched(Tour):
    """The tour, which asks `fresh` in the pod before its new token and after it."""

    def follow_new_token(self, namespace: str, pod: str, seconds: float) -> tuple[str, str]:
        """Follow it with a process that waits in the pod for the kubelet's next file."""
        self._block_an_index(namespace, pod, seconds)
        assert self._fresh(namespace, pod, "--for", "1h").returncode == 0
        refused = self._fresh(namespace, pod, "--for", "3h")
        assert refused.returncode == 1 and ": less than 3h" in refused.stdout

        self.stand_ins.aws.cap_seconds = None
        with ThreadPoolExecutor(1) as threads:
            flags = ("--for", "3h", "--wait", f"{seconds:.0f}s")
            waiting = threads.submit(self._fresh, namespace, pod, *flags)
            wait_until(lambda: "waiting up to" in self._told(namespace, pod), "the wait", seconds)
            tokens = super().follow_new_token(namespace, pod, seconds)
            passed = waiting.result()
        assert passed.returncode == 0 and "good for 11h59m" in passed.stdout
        told = refused.stdout + passed.stdout + self._told(namespace, pod)
        assert not any(token in told for token in tokens)
        return tokens

    def _block_an_index(self, namespace: str, pod: str, seconds: float) -> None:
        """One blocked entry refuses the build, however long the other logins last."""

        def told(words: str) -> bool:
            found = self._fresh(namespace, pod, "--index", "no-login")
            line = re.search(rf"^no-login +{words}$", found.stdout, re.MULTILINE)
            return found.returncode == 1 and line is not None

        self.apply(namespace, NO_LOGIN)
        wait_until(lambda: told("blocked"), "the blocked entry", seconds)
        self.cluster.kubectl("delete", "artifactindex", "no-login", "-n", namespace)
        wait_until(lambda: told("no login in the file"), "its end", seconds)

    def _fresh(self, namespace: str, pod: str, *flags: str) -> subprocess.CompletedProcess[str]:
        script = Path(fresh.__file__).read_text()
        command = ("python3", "-c", IN_A_POD, script, "/etc/uv", "--index", "acme-codeartifact")
        arguments = ("exec", "-n", namespace, pod, "--", *command, *flags)
        return self.cluster.kubectl(*arguments, check=False)

    def _told(self, namespace: str, pod: str) -> str:
        return self.execute(namespace, pod, ["cat", "/work/told"])


@pytest.fixture(scope="module")
def uninstalled(guide: Tour) -> Iterator[Tour]:
    """The tour before its first step; the chart goes with the module."""
    aws = guide.stand_ins.aws
    aws.cap_seconds = FIRST_TOKEN_SECONDS
    yield Watched(guide.cluster, guide.stand_ins, guide.images)
    aws.cap_seconds = None
    guide.uninstall()


def test_jobs_of_the_examples_install_a_private_package_and_follow_a_new_token(
    uninstalled: Tour, capsys: pytest.CaptureFixture[str]
) -> None:
    uninstalled.stand_ins.index.clear()

    perform(Narrator(), uninstalled, follow_seconds=FOLLOW_SECONDS)

    told = capsys.readouterr().out
    version = re.escape(VERSION)
    for line in TOLD:
        found = re.search(line.format(package=PACKAGE, version=version), told)
        assert found, f"{line} is not in what is left:\n{told}"
        told = told[found.end() :]
    opened = [
        request.password
        for request in uninstalled.stand_ins.index.requests("pypi/python")
        if request.status == 200
    ]
    new = token_in(uninstalled.output(NAMESPACE, "uv-config", "uv.toml"))
    # One token opened the repository to the three Jobs, another one to the last.
    (old,) = set(opened) - {new}
    assert opened == sorted(opened, key=lambda password: password == new)
    assert uninstalled.stand_ins.aws.tokens.live(str(old)) is None
