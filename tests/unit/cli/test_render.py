"""`render` prints what the operator writes, byte for byte but for tokens."""

import asyncio
import io
import itertools
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from artifact_index.cli import main
from support.examples import EXAMPLES, objects
from support.generated_manifests import generated, manifest
from support.reconcile_builders import CANARY, NAMESPACE, source
from support.rendered_offline import (
    conditions_in,
    conditions_of,
    files_in,
    files_of,
    offline,
    rendered,
    settled,
    written_by_operator,
)

pytestmark = pytest.mark.unit


def read_in(folder: Path) -> list[dict[str, Any]]:
    """The manifests of a folder that the operator reads."""
    found = [each for path in sorted(folder.glob("*.yaml")) for each in objects(path)]
    return [
        each for each in found if each.get("kind") in ("Secret", "ArtifactIndex", "IndexOptions")
    ]


def folders() -> list[Path]:
    """Those of the examples that hold an IndexOptions."""
    found = {
        path.parent
        for path in EXAMPLES.rglob("*.yaml")
        if any(each.get("kind") == "IndexOptions" for each in objects(path))
    }
    return sorted(found)


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
async def test_the_examples(folder: Path, tmp_path: Path) -> None:
    manifests = read_in(folder)
    manifests.insert(0, manifest("ServiceAccount", "builder", {}))
    if folder != EXAMPLES:
        login = {"stringData": {"username": "ci", "password": CANARY}}
        manifests.insert(0, manifest("Secret", "acme-login", login))

    expected = await written_by_operator(manifests)
    found_files = await asyncio.to_thread(rendered, manifests, tmp_path)

    options = {each["metadata"]["name"] for each in manifests if each["kind"] == "IndexOptions"}
    assert len(expected) >= len(options) > 0
    assert found_files == expected


@pytest.mark.parametrize("seed", range(4))
async def test_generated_selections(seed: int, tmp_path: Path) -> None:
    """500 of them: the files, and what `check` reads, the conditions of all objects."""
    rng = random.Random(seed)
    for number in range(5):
        manifests = generated(rng, selections=25)
        folder = tmp_path / str(number)
        folder.mkdir()

        operator = await settled(manifests)
        outcome = await asyncio.to_thread(offline, manifests, folder)

        assert files_of(outcome) == files_in(operator)
        assert conditions_of(outcome, manifests) == conditions_in(operator)


@pytest.mark.parametrize("kind", ["codeArtifact", "googleArtifactRegistry"])
def test_every_login_gets_its_stand_in_at_once(kind: str, tmp_path: Path) -> None:
    """More logins than a cloud is asked for in a second, and than are in flight at a time."""
    indexes = [
        manifest("ArtifactIndex", f"i{number}", {"spec": source(kind, **own(number))})
        for number in range(300)
    ]
    options = manifest("IndexOptions", "o", {"spec": {}})

    (file,) = rendered([*indexes, options], tmp_path).values()

    assert file.count(":REDACTED@") == 300


def own(number: int) -> dict[str, Any]:
    """A Secret of its own, hence a login."""
    return {"auth": {"secretRef": {"name": f"key-{number}"}}, "repository": f"python-{number}"}


def test_no_secret_is_printed_unless_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests = generated(random.Random(3), selections=5)
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(manifests))

    for output, shown in itertools.product(("text", "json", "yaml"), (False, True)):
        flags = ["--show-secrets"] if shown else []
        assert main(["render", "-f", str(tmp_path), "-o", output, *flags]) == 0
        printed = capsys.readouterr()
        assert (CANARY in printed.out) == shown, output
        assert CANARY not in printed.err


def test_what_an_operator_wrote_is_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`kubectl get -o yaml` of a namespace holds the outputs with their live tokens."""
    taken = manifest("Secret", "o", {"stringData": {"uv.toml": CANARY}})
    taken["metadata"]["annotations"] = {"artifactindex.dev/owner": "o"}
    index = manifest("ArtifactIndex", "i", {"spec": source("anonymous")})
    (tmp_path / "all.yaml").write_text(
        yaml.safe_dump_all([taken, index, manifest("IndexOptions", "o", {"spec": {}})])
    )

    assert main(["render", "-f", str(tmp_path), "--show-secrets"]) == 0

    printed = capsys.readouterr().out
    assert CANARY not in printed
    assert 'url = "https://open.example/simple/"' in printed


def test_one_file_is_printed_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifests = [
        manifest("ArtifactIndex", "i", {"spec": source("anonymous")}),
        manifest("IndexOptions", "o", {"spec": {}}),
    ]
    expected = rendered(manifests, tmp_path)["Secret", "o", "uv.toml"]

    assert main(["render", "-f", str(tmp_path), "--options", "o", "--key", "uv.toml"]) == 0
    assert capsys.readouterr().out == expected

    assert main(["render", "-f", str(tmp_path), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "apiVersion": "cli.artifactindex.dev/v1",
        "kind": "RenderReport",
        "files": [
            {
                "indexOptions": "o",
                "output": {"kind": "Secret", "namespace": NAMESPACE, "name": "o"},
                "key": "uv.toml",
                "content": expected,
            }
        ],
    }


@pytest.mark.parametrize(
    ("name", "text", "status", "says"),
    [
        ("a.yaml", "a: [", 2, "a.yaml:2 is not YAML"),
        ("a.txt", "", 2, "holds no manifests"),
        ("a.yaml", "a: 1", 1, "make no file; `artifact-index check -f` says why"),
        ("a.yaml", "a: \0", 2, "a.yaml is not YAML: control characters are not allowed"),
        (
            "a.yaml",
            "apiVersion: artifactindex.dev/v1alpha1\nkind: ArtifactIndex\nmetadata:\n  name: a",
            1,
            "a.yaml:1: ArtifactIndex a: spec is missing",
        ),
    ],
)
def test_what_cannot_be_rendered(
    name: str,
    text: str,
    status: int,
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / name).write_text(text)

    assert main(["render", "-f", str(tmp_path)]) == status

    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "status", "says"),
    [
        (["--options", "x"], 1, "no file of an IndexOptions 'x'"),
        (["--options", "x"], 1, "there are files of o, p"),
        (["--key", "x"], 1, "no output has the key 'x'; there are uv.toml, pip.conf"),
        (["--key", "uv.toml"], 2, "builders/b of o; choose with --options"),
        (["--key", "uv.toml", "--options", "o"], 2, "leave out --key to see all of them"),
    ],
)
def test_what_flags_do_not_find(
    flags: list[str], status: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = [{"kind": "Secret", "name": "a"}, {"kind": "ConfigMap", "name": "b"}]
    one = [{"kind": "Secret", "name": "p", "formats": ["UvToml", "PipConf"]}]
    manifests = [
        manifest("ArtifactIndex", "i", {"spec": source("anonymous")}),
        manifest("IndexOptions", "o", {"spec": {"outputs": two}}),
        manifest("IndexOptions", "p", {"spec": {"outputs": one}}),
    ]
    (tmp_path / "a.yaml").write_text(yaml.safe_dump_all(manifests))

    assert main(["render", "-f", str(tmp_path), *flags]) == status
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"), [(b"\xff", "it is not UTF-8"), (None, "standard input is closed")]
)
def test_standard_input_that_cannot_be_read(
    content: bytes | None,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stdin = None if content is None else io.TextIOWrapper(io.BytesIO(content))
    monkeypatch.setattr(sys, "stdin", stdin)

    assert main(["render", "-f", "-"]) == 2
    assert says in capsys.readouterr().err
