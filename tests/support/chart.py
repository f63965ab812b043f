"""The chart, rendered and installed by real Helm 4 and Helm 3."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from support.control_plane.builder import Program, Toolchain, ensure_built
from support.control_plane.errors import ControlPlaneUnavailable
from support.control_plane.processes import environment, run_noted
from support.operator_process import OPERATOR_NAMESPACE, REPOSITORY

CHART: Final = REPOSITORY / "helm" / "artifact-index-operator"
RELEASE: Final = "artifact-index-operator"
HELM_VERSIONS: Final = {"helm4": "v4.3.1", "helm3": "v3.22.0"}
NEWEST: Final = "helm4"
IMAGE: Final = "registry.example.com/artifact-index-operator"
HELM_SECONDS: Final = 300.0
# What Helm believes of the cluster where it cannot ask one; unset, Helm 3 says 1.20.
_KUBERNETES_MINOR: Final = "37"
_FOLDERS: Final = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "KUBECACHEDIR")
_VALUES: Final = {
    "helm.sh/helm/v4/internal/version.version": HELM_VERSIONS["helm4"],
    "helm.sh/helm/v3/internal/version.version": HELM_VERSIONS["helm3"],
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": _KUBERNETES_MINOR,
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": _KUBERNETES_MINOR,
}
_HELM: Final = Toolchain(
    name="helm",
    version="-".join(HELM_VERSIONS.values()),
    modules=Path(__file__).with_name("helm_builds"),
    ldflags=" ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in _VALUES.items())]),
    programs={
        "helm4": Program("helm.sh/helm/v4/cmd/helm", "helm4"),
        "helm3": Program("helm.sh/helm/v3/cmd/helm", "helm3"),
    },
)


def helm(version: str = NEWEST) -> Path:
    """The program `helm4` or `helm3`, built from its pinned module where it is not cached.

    A cold build of both takes about three minutes. Raises ControlPlaneUnavailable where there is
    no way to build it.
    """
    return ensure_built(list(HELM_VERSIONS), _HELM) / version


def run_helm(
    *arguments: str | Path,
    version: str = NEWEST,
    values: Mapping[str, Any] | None = None,
    kubeconfig: Path | None = None,
    home: Path = Path("/nonexistent"),
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run Helm with nothing of this machine's configuration; `values` go in as a file of values.

    Raises CalledProcessError, with standard error as a note, when `check` and it fails, and
    TimeoutExpired after 300 s.
    """
    command: list[str | Path] = [helm(version), *arguments]
    if values is not None:
        command += ["--values", "-"]
    machine = environment("HELM_")
    return run_noted(
        command,
        input=yaml.safe_dump(dict(values)) if values is not None else None,
        env=machine
        | {name: str(home) for name in _FOLDERS}
        | {"KUBECONFIG": str(kubeconfig or home)},
        seconds=HELM_SECONDS,
        check=check,
    )


def with_image(values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The values with an image, unless they name one: the chart refuses to do without."""
    given = dict(values or {})
    return given | {"image": {"repository": IMAGE} | given.get("image", {})}


def render(
    values: Mapping[str, Any] | None = None,
    *,
    namespace: str = OPERATOR_NAMESPACE,
    release: str = RELEASE,
    version: str = NEWEST,
    hooks: bool = False,
) -> list[dict[str, Any]]:
    """What `helm install` would create, as parsed objects in Helm's order; with `hooks` also what
    `helm test` does.
    """
    left_out = [] if hooks else ["--no-hooks"]
    answer = run_helm(
        "template", release, CHART, "--namespace", namespace, *left_out,
        version=version, values=with_image(values),
    )  # fmt: skip
    # The definitions are large, and without libyaml they take longer than Helm.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [item for item in yaml.load_all(answer.stdout, Loader=loader) if item]


def next_steps(notes: str) -> str:
    """The commands that the notes of an installation print for what comes next."""
    _, _, rest = notes.partition("\nNext, ")
    commands, _, _ = rest.partition("\n")[2].partition("Defaults you kept:")
    return commands


def main() -> int:
    """`python -m support.chart`: build both Helms ahead of time and print their folder."""
    try:
        print(helm().parent)
    except ControlPlaneUnavailable as error:
        print(f"helm: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
