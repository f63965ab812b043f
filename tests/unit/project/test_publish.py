"""What `make publish` runs for two platforms; tests/node/test_release.py runs the real programs."""

import io
import tarfile
from pathlib import Path

import pytest
from tools.release.publish import main

pytestmark = pytest.mark.unit

TO = "registry.example.com/acme"
IMAGE, CHART = f"{TO}/artifact-index-operator", f"{TO}/charts/artifact-index-operator"
AMD64, ARM64, INDEX, PACKAGE = (f"sha256:{letter * 64}" for letter in "abcd")
CRANE = f"""case "$*" in
  push*amd64) echo "name@{AMD64}"; echo "pushed blob: {PACKAGE}" >&2;;
  push*arm64) echo "name@{ARM64}";;
  *) echo "name@{INDEX}";;
esac"""
HELM = f'echo "Digest: {PACKAGE}" >&2'


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """The folder of a release with two platforms."""
    folder = tmp_path / "dist"
    folder.mkdir()
    for platform in ("linux-amd64", "linux-arm64"):
        begin = f"artifact-index-operator-1.2.3-{platform}"
        with tarfile.open(folder / f"{begin}.oci.tar", "w") as archive:
            archive.addfile(tarfile.TarInfo("oci-layout"), io.BytesIO())
        for end in ("cdx.json", "spdx.json"):
            (folder / f"{begin}.{end}").touch()
    (folder / "artifact-index-operator-1.2.3.tgz").touch()
    return folder


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs that only write down how they are called, a line each."""
    tools, calls = tmp_path / "bin", tmp_path / "calls"
    tools.mkdir()
    for name, script in (("cosign", ""), ("crane", CRANE), ("helm", HELM)):
        (tools / name).write_text(f'#!/bin/sh\necho {name} "$@" >>{calls}\n{script}\n')
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    return calls


def run(dist: Path, *more: str) -> int:
    return main(["--dist", str(dist), "--version", "1.2.3", "--to", TO, *more])


def test_two_platforms_become_one_index_and_only_digests_are_signed(
    dist: Path, called: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(dist) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"image-name={IMAGE}",
        f"image-digest={INDEX}",
        f"chart-name={CHART}",
        f"chart-digest={PACKAGE}",
    ]
    calls = called.read_text().splitlines()
    platforms = f"--manifest {IMAGE}@{AMD64} --manifest {IMAGE}@{ARM64}"
    assert f"crane index append {platforms} --tag {IMAGE}:1.2.3" in calls
    begin = f"{dist}/artifact-index-operator-1.2.3-linux"
    signed = [" ".join(call.split()[-2:]) for call in calls if call.startswith("cosign")]
    assert signed == [
        f"{begin}-amd64.cdx.json {IMAGE}@{AMD64}",
        f"{begin}-amd64.spdx.json {IMAGE}@{AMD64}",
        f"{begin}-arm64.cdx.json {IMAGE}@{ARM64}",
        f"{begin}-arm64.spdx.json {IMAGE}@{ARM64}",
        f"--recursive {IMAGE}@{INDEX}",
        f"--recursive {CHART}@{PACKAGE}",
        f"{dist}/checksums.txt.sigstore.json {dist}/checksums.txt",
    ]
    names = [line.split()[1] for line in (dist / "checksums.txt").read_text().splitlines()]
    assert names == [f"artifact-index-operator-1.2.3{end}" for end in (
        "-linux-amd64.cdx.json", "-linux-amd64.oci.tar", "-linux-amd64.spdx.json",
        "-linux-arm64.cdx.json", "-linux-arm64.oci.tar", "-linux-arm64.spdx.json", ".tgz")
    ]  # fmt: skip


def test_without_a_key_the_identity_signs_and_the_public_log_has_it(
    dist: Path, called: Path
) -> None:
    assert run(dist) == 0
    calls = [call for call in called.read_text().splitlines() if call.startswith("cosign")]
    assert calls and not [call for call in calls if "--key" in call or "tlog" in call]


def test_a_key_signs_without_the_public_log(dist: Path, called: Path) -> None:
    key = dist.parent / "cosign.key"
    key.touch()
    assert run(dist, "--key", str(key)) == 0
    calls = [call for call in called.read_text().splitlines() if call.startswith("cosign")]
    assert calls and all(f"--key={key}" in call for call in calls)
    assert all("--tlog-upload=false" in call for call in calls)


def test_what_is_missing_or_fails_is_told_in_one_line(
    dist: Path, called: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(dist.parent) == 1
    name = "artifact-index-operator-1.2.3-PLATFORM.oci.tar"
    told = f"make publish: no {name} in {dist.parent}: run make release\n"
    assert capsys.readouterr().err == told
    (called.parent / "bin" / "helm").write_text("#!/bin/sh\necho denied >&2; exit 3\n")
    assert run(dist) == 1
    assert capsys.readouterr().err == "make publish: helm push failed: denied\n"
    monkeypatch.setenv("PATH", "/nowhere")
    assert run(dist) == 1
    assert capsys.readouterr().err == "make publish: cosign, crane, helm not on PATH\n"


def test_what_cosign_asks_for_is_seen(
    dist: Path, called: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The passphrase of a key, and where to log in without one."""
    asks = "#!/bin/sh\necho Enter password for private key: >&2\n"
    (called.parent / "bin" / "cosign").write_text(asks)
    assert run(dist) == 0
    assert capfd.readouterr().err.count("Enter password") == 7
    (called.parent / "bin" / "cosign").write_text(f"{asks}exit 1\n")
    assert run(dist) == 1
    assert capfd.readouterr().err.endswith("\nmake publish: cosign attest failed\n")


def test_nothing_is_pushed_while_something_is_missing(
    dist: Path, called: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*more: str) -> str:
        assert run(dist, *more) == 1
        assert not called.exists()
        return capsys.readouterr().err.removeprefix("make publish: ").rstrip()

    example = "is no registry and path: registry.example.com/acme"
    assert refused("--to", "") == f"TO= {example}"
    assert refused("--to", f"https://{TO}") == f"TO=https://{TO} {example}"
    told = "no key lost.key: make one with cosign generate-key-pair"
    assert refused("--key", "lost.key") == told
    (dist / "artifact-index-operator-1.2.3.tgz").unlink()
    told = f"no artifact-index-operator-1.2.3.tgz in {dist}: run make release"
    assert refused() == told
