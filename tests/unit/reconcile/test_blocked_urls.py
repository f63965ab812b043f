"""The URL of a blocked entry leads to its object, and an older form of it is known as such."""

from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from artifact_index.formats.blocked import blocked_url, is_blocked_url
from artifact_index.reconcile.plan.checkpoint import Checkpoint
from support.blocked import blocked_at
from support.engine import GAR, Engine
from support.reconcile_builders import source

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]


async def life(engine: Engine) -> Engine:
    """A process over the same objects, until all is done."""
    later = Engine(engine.port)
    await later.operator.prime()
    engine.port.writes.clear()
    await later.settle(*later.cache.all_keys())
    await later.operator.close()
    return later


async def test_an_upgrade_writes_a_blocked_entry_once_and_mints_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(kind: str, ref: object) -> str:
        return ""

    engine.secret("gcp-key")
    engine.index("gar", GAR)
    engine.index("lost", {**source("basicAuth"), "name": "lost-here"})
    engine.options()
    with monkeypatch.context() as before:
        before.setattr("artifact_index.reconcile.plan.blocked.describing", older)
        await engine.settle()
    entries = engine.entries()
    assert entries["lost-here"] == "https://lost-here.unavailable.invalid/simple/"
    assert "minted-1" in entries["gar"]

    newer = await life(engine)
    assert newer.mints == 0 and newer.port.writes == {("patch", "secrets"): 1}
    assert newer.entries() == entries | {"lost-here": blocked_at("lost", name="lost-here")}

    again = await life(newer)
    assert again.mints == 0 and not again.port.writes


@pytest.mark.parametrize("name", ["acme", "xn--x", "a" * 63])
def test_a_blocked_url_is_known_with_and_without_a_command(name: str) -> None:
    command = "kubectl+describe+artifactindex+acme+-n+builders"
    assert is_blocked_url(blocked_url(name), name)
    assert is_blocked_url(blocked_url(name, command), name)
    assert is_blocked_url(f"https://{name}.unavailable.invalid/simple/", name)
    for other in ("https://acme.example/simple/", f"https://b.unavailable.invalid/{command}/"):
        assert not is_blocked_url(other, name)


def test_what_a_file_blocks_is_read_from_its_text_but_for_the_public_index() -> None:
    command = "kubectl+describe+artifactindex+acme+-n+builders"
    urls = [blocked_url("acme", command), blocked_url("old"), blocked_url("pypi", "for+all")]
    served = "https://user:pass@served.example/unavailable.invalid/simple/"
    text = "".join(f'url = "{url}"\nextra {url}\n' for url in (*urls, served))
    checkpoint = Checkpoint.decode('{"indexes": {}, "grants": {}, "public": "pypi"}')
    read = checkpoint.blocked({"a": SecretStr(text), "b": SecretStr("")})
    assert read == {"acme": command, "old": ""}


async def test_the_url_names_objects_and_nothing_else_of_them(engine: Engine) -> None:
    engine.index("lost", source("basicAuth", url="https://secret-host.example/secret-path/"))
    engine.options({"publicIndex": {"url": "http://mirror.example/simple/"}})
    await engine.settle()
    assert engine.entries() == {
        "secret-host": blocked_at("lost", name="secret-host"),
        "pypi": blocked_at("uv-config", name="pypi", kind="indexoptions"),
    }


@pytest.mark.parametrize("name", ["xn--x", "xn--bcher-kva-2", "xn----2", "xn--" + "a" * 59])
def test_the_host_of_a_blocked_index_is_no_broken_punycode(name: str) -> None:
    label = urlsplit(blocked_url(name)).netloc.removesuffix(".unavailable.invalid")

    assert not label.startswith("xn--") and len(label) <= 63
    assert label[0].isalnum() and label[-1].isalnum()
