"""Mistakes at the start of the operator, which ends with a line that says what to do."""

import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from socket import create_server
from typing import Any

from support.first_day.answer import Answer, shown
from support.first_day.mistakes import NAMESPACE
from support.operator_process import OperatorProcess
from support.world import PATIENCE, World


def starts(world: World) -> list[Answer]:
    """What each of them prints."""
    with ThreadPoolExecutor(2) as pool, create_server(("127.0.0.1", 0)) as busy:
        cases = _cases(world, busy.getsockname()[1])
        return list(pool.map(lambda case: start(*case), cases))


def _cases(world: World, busy: int) -> Iterator[tuple[Any, ...]]:
    folder = world.plane.folder
    stranger = world.plane.kubeconfig_for(NAMESPACE, "stranger")
    yield (
        "The ServiceAccount has no permissions", "stranger.kubeconfig", stranger, (),
        ("refuses the operator: 403 Forbidden", "rbac.create"),
    )  # fmt: skip
    yield (
        "The operator's namespace does not exist", "operator.kubeconfig", world.kubeconfig,
        ("--operator-namespace", "artifact-index-sytem"),
        ("namespace 'artifact-index-sytem'", "does not exist", "kubectl create namespace"),
    )  # fmt: skip
    text = stranger.read_text()
    expired = folder / "expired.kubeconfig"
    expired.write_text(re.sub(r'(token"?: ?"?)[^"\n,}]+', r"\1expired", text))
    yield (
        "The token of the kubeconfig has expired", "expired.kubeconfig", expired, (),
        ("has expired", "renew the login of the kubeconfig"),
    )  # fmt: skip
    with contextlib.closing(create_server(("127.0.0.1", 0))) as free:
        address = f"https://127.0.0.1:{free.getsockname()[1]}"
    dead = folder / "dead.kubeconfig"
    dead.write_text(re.sub(r"https://127\.0\.0\.1:\d+", address, text))
    yield (
        "Nothing answers at the kubeconfig's address", "dead.kubeconfig", dead, (),
        ("cannot be reached", "check the address", "--kubeconfig"),
    )  # fmt: skip
    yield (
        "The port of the health endpoints is in use", "operator.kubeconfig", world.kubeconfig,
        ("--health-port", str(busy)),
        ("cannot serve /healthz, /readyz and /metrics on", "in use", "--health-port"),
    )  # fmt: skip


def start(
    title: str, name: str, kubeconfig: Path, flags: tuple[str, ...], parts: tuple[str, ...]
) -> Answer:
    """What a start with these flags prints last; `name` stands for the kubeconfig in it."""
    operator = OperatorProcess(kubeconfig, flags=flags, forked=True)
    operator.start(wait=False)
    assert operator.process is not None
    status = operator.process.wait(PATIENCE)
    operator.stop()
    line = [each for each in operator.log.splitlines() if each][-1]
    text = shown(line.replace(str(kubeconfig), name))
    done = f"artifact-index {' '.join(('run', *flags, '--kubeconfig'))} {name}\n"
    return Answer(title, shown(done), f"the log; exit status {status}", text, parts)
