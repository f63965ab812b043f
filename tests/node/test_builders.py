"""The whole cluster served: builder Jobs install with what the operator wrote."""

import datetime
import re
from collections.abc import Iterator

import pytest

from support.control_plane import wait_until
from support.tour import PACKAGE, VERSION, Tour

pytestmark = pytest.mark.node

NAMESPACE = "builders"
# The kubelet of these tests looks every 2 s; a cluster's own every minute.
FOLLOW_SECONDS = 30.0
_LOGIN = re.compile(r"http://aws:([^@]+)@")


@pytest.fixture(scope="module")
def served(guide: Tour) -> Iterator[Tour]:
    """The operator installed for the whole cluster, and one namespace with all examples."""
    guide.install()
    guide.namespace(NAMESPACE)
    guide.declare(NAMESPACE)
    yield guide
    guide.uninstall()


def token_in(text: str) -> str:
    """The one CodeArtifact token of a file."""
    (found,) = _LOGIN.findall(text)
    token: str = found
    return token


def passwords(guide: Tour) -> set[str | None]:
    """Which passwords opened the CodeArtifact repository."""
    requests = guide.stand_ins.index.requests("pypi/python")
    return {one.password for one in requests if one.status == 200}


@pytest.mark.parametrize(
    ("example", "says"),
    [
        ("uv-job.yaml", f"+ {PACKAGE}=={VERSION}"),
        ("pip-job.yaml", f"Successfully installed {PACKAGE}-{VERSION}"),
        ("uv-env-job.yaml", f"+ {PACKAGE}=={VERSION}"),
    ],
)
def test_a_job_of_the_examples_installs_a_private_package(
    served: Tour, example: str, says: str
) -> None:
    served.stand_ins.index.clear()

    log = served.build(NAMESPACE, example)

    assert says in log
    assert passwords(served) == {served.stand_ins.aws.tokens.all()[-1].value}


def test_a_mounted_file_follows_a_new_token_and_a_later_job_builds_with_it(served: Tour) -> None:
    pod = served.start(NAMESPACE, "uv-pod.yaml")
    mounted = ["cat", "/etc/uv/uv.toml"]
    old = token_in(served.execute(NAMESPACE, pod, mounted))

    now = datetime.datetime.now(datetime.UTC)
    served.refresh(NAMESPACE, now.isoformat(timespec="seconds"))

    wait_until(
        lambda: token_in(served.execute(NAMESPACE, pod, mounted)) != old,
        "the new token in the pod",
        FOLLOW_SECONDS,
    )
    new = token_in(served.execute(NAMESPACE, pod, mounted))
    assert new == token_in(served.output(NAMESPACE, "uv-config", "uv.toml"))
    served.stand_ins.aws.tokens.revoke(old)
    served.stand_ins.index.clear()
    install = ["uv", "pip", "install", "--target", "/work/packages", PACKAGE]
    served.execute(NAMESPACE, pod, install)
    served.build(NAMESPACE, "uv-job.yaml", name="uv-build-later")
    assert passwords(served) == {new}
