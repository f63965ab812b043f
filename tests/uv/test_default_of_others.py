"""An image that names a default index of its own takes no private index out of the file.

uv lets `UV_DEFAULT_INDEX`, and a project's own default, replace the index that the file marks so.
"""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from artifact_index.api.index_options import IndexStrategy
from artifact_index.formats.document import Document
from artifact_index.formats.uv_toml import read_entries
from support.index_server import IndexServer
from support.rendered import public_text, secret_text
from support.uv_clients import Uv
from support.uv_scenes import (
    LOGIN,
    STRATEGIES,
    asked_pages,
    document,
    entry_for,
    logins,
    private_repository,
    public_repository,
)

pytestmark = pytest.mark.uv

VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")


def text_of(asked: Document) -> str:
    """The file, which a restart that reads it back writes again as it is."""
    text = secret_text("UvToml", asked)
    public_name = asked.public.name if asked.public is not None else None
    found = read_entries(SecretStr(text), public_name=public_name)
    described = {entry.name: entry.described_by for entry in asked.entries}
    again = (replace(entry, described_by=described[name]) for name, entry in found.items())
    assert secret_text("UvToml", replace(asked, entries=tuple(again))) == text
    return text


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_private_index_is_asked_before_the_default_of_the_image(
    uv: Uv, server: IndexServer, pypi: IndexServer, variable: str
) -> None:
    first, last = private_repository(server, "first"), private_repository(server, "last", "mine")
    public = public_repository(pypi, "mine", "other")
    config = text_of(document(entry_for(first, "first"), entry_for(last, "last"), public=None))

    run = uv.install(config, "mine", **{variable: public.url})

    assert run.installed == {"mine==1.0"}, run.output
    assert asked_pages(server.requests(), "mine") == ["first", "last"]
    assert logins(server.requests("last")) == {LOGIN}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("package", ["mine", "other"])
def test_a_blocked_index_stops_uv_before_the_default_of_the_image(
    uv: Uv, server: IndexServer, pypi: IndexServer, strategy: IndexStrategy, package: str
) -> None:
    blocked = entry_for(private_repository(server, "private", "mine"), "acme", blocked=True)
    public = public_repository(pypi, "mine", "other")
    config = text_of(document(blocked, public=None, index_strategy=strategy))

    run = uv.install(config, package, UV_DEFAULT_INDEX=public.url)

    assert run.returncode != 0
    assert run.installed == set()
    assert server.requests("private") == []
    assert server.tunnels() == []


@pytest.mark.parametrize("image", [True, False])
def test_the_login_in_variables_reaches_the_index_under_both_of_its_names(
    uv: Uv, server: IndexServer, pypi: IndexServer, image: bool
) -> None:
    """The credential-free file has no login for either name, and there are variables for one."""
    private = private_repository(server, "private", "mine")
    entry = replace(entry_for(private, "acme"), credentialed=True)
    public = public_repository(pypi, "mine")
    env = {"UV_INDEX_ACME_USERNAME": LOGIN[0], "UV_INDEX_ACME_PASSWORD": LOGIN[1]}
    env |= {"UV_DEFAULT_INDEX": public.url} if image else {}

    config = public_text("UvToml", document(entry, public=None))
    found = uv.install(config, "mine", **env)
    missing = uv.install(config, "missing", **env)

    assert found.installed == {"mine==1.0"}, found.output
    assert logins(server.requests("private")) == {LOGIN}
    assert missing.returncode != 0 and "not found" in missing.output
    assert server.tunnels() == []


def test_a_private_index_behind_a_mirror_is_not_replaced_either(
    uv: Uv, server: IndexServer, pypi: IndexServer
) -> None:
    """With `preferPrivate: false` and a mirror the last private index is the default as well."""
    private = private_repository(server, "private", "mine")
    mirror = pypi.add_repository("mirror")
    public = public_repository(pypi, "mine")
    config = text_of(document(entry_for(private, "acme"), public=mirror, prefer_private=False))

    run = uv.install(config, "mine", UV_DEFAULT_INDEX=public.url)

    assert run.installed == {"mine==1.0"}, run.output
    assert asked_pages(server.requests(), "mine") == ["mirror", "private"]
