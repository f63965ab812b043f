"""`render --diff` shows what would change in a cluster, and no secret."""

import asyncio
import base64
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from pydantic import SecretStr

from artifact_index.cli.diff.live_outputs import differences
from artifact_index.cli.diff.masks import masked
from artifact_index.cli.offline.manifests import read_manifests
from artifact_index.cli.offline.operator import run_offline
from artifact_index.cli.offline.stand_ins import REDACTED
from artifact_index.cli.reports import RenderedFile
from artifact_index.formats.document import Claims, Credential, Document, IndexEntry
from artifact_index.formats.registry import FORMATS
from support.engine import Engine
from support.generated_manifests import generated
from support.reconcile_builders import CANARY, NAMESPACE
from support.rendered_offline import CONSENT, Manifests, settled
from support.rendering_strategies import NAMES, UNICODE

pytestmark = pytest.mark.unit


def offline(manifests: Manifests, folder: Path) -> list[RenderedFile]:
    """As `render` makes them: with a word for each login."""
    folder.mkdir()
    (folder / "all.yaml").write_text(yaml.safe_dump_all(manifests))
    read = read_manifests([str(folder)], recursive=False)
    return run_offline(read, NAMESPACE, CONSENT, show_secrets=False).files


@pytest.mark.parametrize("seed", range(3))
async def test_what_the_operator_wrote_is_no_difference(seed: int, tmp_path: Path) -> None:
    manifests = generated(random.Random(seed), selections=25)
    engine = await settled(manifests)

    files = await asyncio.to_thread(offline, manifests, tmp_path / "a")

    assert files
    assert await differences(engine.port, files) == ""


def edited(engine: Engine, plural: str, name: str, key: str, **texts: str) -> None:
    """Replace a part of an output, as an older spec would have had it."""
    body: dict[str, Any] = engine.port.objects[plural, NAMESPACE, name]
    text = base64.b64decode(body["data"][key]).decode()
    for old, new in texts.items():
        assert old in text
        text = text.replace(old, new)
    body["data"][key] = base64.b64encode(text.encode()).decode()


MANIFESTS: Manifests = [
    {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"},
        "stringData": {"username": f"user-{CANARY}", "password": f"p-{CANARY}"},
    },
    {
        "apiVersion": "artifactindex.dev/v1alpha1", "kind": "ArtifactIndex",
        "metadata": {"name": "acme", "labels": {"env": "prod"}},
        "spec": {
            "name": "acme",
            "basicAuth": {"url": "https://acme.example/simple/", "secretRef": {"name": "login"}},
        },
    },
    {
        "apiVersion": "artifactindex.dev/v1alpha1", "kind": "IndexOptions",
        "metadata": {"name": "o"},
        "spec": {
            "indexSelector": {},
            "outputs": [
                {"kind": "Secret", "name": "s", "formats": ["UvToml", "PipConf", "Netrc"]},
                {"kind": "Secret", "name": "e", "formats": ["Environment"]},
            ],
        },
    },
]  # fmt: skip


async def test_what_differs_is_shown_by_line_without_a_login(tmp_path: Path) -> None:
    engine = await settled(MANIFESTS)
    files = await asyncio.to_thread(offline, MANIFESTS, tmp_path / "a")
    edited(engine, "secrets", "s", "uv.toml", first="unsafe-best")
    edited(engine, "secrets", "s", "pip.conf", **{"acme.example": "old.example"})
    edited(engine, "secrets", "s", "netrc", machine=f"# {CANARY}\nmachine")
    del engine.port.objects["secrets", NAMESPACE, "e"]

    found = await differences(engine.port, files)

    lines = found.splitlines()
    assert CANARY not in found
    assert "--- cluster/Secret/builders/s/uv.toml" in lines
    assert '-index-strategy = "unsafe-best-index"' in lines
    assert '+index-strategy = "first-index"' in lines
    # Of a URL that no checkpoint knows the path may be a secret.
    assert "-index-url = https://REDACTED:REDACTED@old.example/REDACTED" in lines
    assert "+index-url = https://REDACTED:REDACTED@acme.example/simple/" in lines
    assert "-REDACTED" in lines
    assert "+UV_INDEX_ACME_PASSWORD=REDACTED" in lines
    assert "+ARTIFACT_INDEX_EXPIRES=acme: no expiry known" in lines


@given(UNICODE, UNICODE, NAMES)
def test_a_mask_leaves_nothing_of_a_login(username: str, password: str, name: str) -> None:
    login = Credential(f"{username}{CANARY}", SecretStr(f"{CANARY}{password}"))
    url = SecretStr(f"https://h.example/{CANARY}/simple/")
    entries = (
        IndexEntry(name, "https://h.example/simple/", login, publish_url="https://h.example/up/"),
        IndexEntry(f"{name}-url", "", verbatim_url=url),
    )
    for form in FORMATS.values():
        for key, text in form.render_secret(Document(entries, public=None)).files.items():
            assert CANARY not in "\n".join(masked(key, text.get_secret_value(), ()))


@pytest.mark.parametrize("name", ["acme", "a-url"])
def test_a_login_that_looks_like_a_url_is_masked(name: str) -> None:
    word = f"https://{CANARY}.example/"
    for login in (Credential(word, SecretStr(word)), Credential("", SecretStr(word))):
        entry = IndexEntry(
            name, "https://h.example/simple/", login, publish_url="https://h.example/"
        )
        claims = Claims(publishers=(name,))
        for form in FORMATS.values():
            files = form.render_secret(Document((entry,), public=None, claims=claims)).files
            for key, text in files.items():
                assert (
                    CANARY.lower()
                    not in "\n".join(masked(key, text.get_secret_value(), ())).lower()
                )


@pytest.mark.parametrize(
    "line",
    ["find-links = ./wheels https://u:canary@h.example/", "extra-index-url = HTTPS://u:canary@h/"],
)
def test_a_file_of_somebody_else_shows_no_login(line: str) -> None:
    assert "canary" not in masked("pip.conf", line, ())[0]


def test_what_the_operator_says_of_a_file_is_shown() -> None:
    said = ["# acme: unavailable", "# b: no expiry known", "# no logins"]

    assert masked("netrc", "\n".join([*said, "# by hand"]), ()) == [*said, REDACTED]
    assert masked("ARTIFACT_INDEX_EXPIRES", "no logins", ()) == ["ARTIFACT_INDEX_EXPIRES=no logins"]
