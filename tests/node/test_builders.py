"""The whole cluster served: builder Jobs install with what the operator wrote.

The steps are those of `make kind-demo`: what only that can show is kind itself.
"""

import re
from collections.abc import Iterator

import pytest
from demo.narrator import Narrator
from demo.pods import NAMESPACE, perform

from support.tour import PACKAGE, VERSION, Tour, token_in

pytestmark = pytest.mark.node

# The kubelet of these tests looks every 2 s; a cluster's own every minute.
FOLLOW_SECONDS = 120.0
TOLD = (
    r"uv-job\.yaml.*\n.*\+ {package}=={version}\n",
    r"pip-job\.yaml.*\n.*Successfully installed {package}-{version}\n",
    r"uv-env-job\.yaml.*\n.*\+ {package}=={version}\n",
    r"a new token reaches the mounted file \.",
    r"a new Job builds with the new token.*\n.*\+ {package}=={version}\n",
)


@pytest.fixture(scope="module")
def uninstalled(guide: Tour) -> Iterator[Tour]:
    """The tour before its first step; the chart goes with the module."""
    yield guide
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
