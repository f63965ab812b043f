"""Each line under "Publishing" in docs/reference/formats.md, run by the real client."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.formats.document import Claims, Document, IndexEntry
from artifact_index.formats.registry import FORMATS
from artifact_index.reconcile.plan.outputs import document_of
from support.client_runs import Clients, Run
from support.index_server import IndexServer, Repository
from support.python_clients import HATCH, PDM, PDM_NEWEST, POETRY, TWINE, client_python
from support.reconcile_builders import POLICY, index, index_state, plans_from, source
from support.rendered import public_text, secret_text
from support.request_log import IndexRequest
from support.uv_clients import EARLY, FLOOR, NEWEST, uv_binary
from support.uv_scenes import LOGIN, document, entry_for, logins
from support.wheels import make_wheel

pytestmark = pytest.mark.clients

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "formats.md"
LINE = re.compile(r"^((?:[A-Z_]+=\S+ )?([a-z]+) .*\S) +# ([A-Z]\w+)$", re.MULTILINE)
SPECIAL = ("us%er", "p:/?#[]@!$&'()*+,;=%41 \"\\$HOME")
TOKEN = ("", "token-only")
PROJECT = """\
[project]
name = "fresh"
version = "1.2"
requires-python = ">=3.11"

[[tool.poetry.source]]
name = "acme"
url = "{url}"
priority = "supplemental"
"""


def lines() -> Iterator[tuple[str, str, str]]:
    """The client, the command and the format of each line."""
    text = DOCS.read_text().partition("## Publishing")[2].partition("\n## ")[0]
    for command, client, form in LINE.findall(text):
        for version in (PDM, PDM_NEWEST) if client == PDM else (client,):
            yield version, command, form


LINES = [pytest.param(*line, id=f"{line[0]}-{line[2]}") for line in lines()]


def files(asked: Document, form: str) -> dict[str, str]:
    made = FORMATS[form].render_secret(asked)  # type: ignore[index]
    assert made.limits == ()
    return {name: value.get_secret_value() for name, value in made.files.items()}


def publish(clients: Clients, entry: IndexEntry, client: str, command: str, form: str) -> Run:
    """The line in a project with a wheel in `dist/`, and with the file or the variables."""
    wheel = make_wheel("fresh", "1.2")
    (clients.directory / "dist").mkdir(exist_ok=True)
    (clients.directory / "dist" / wheel.filename).write_bytes(wheel.content)
    clients.write("pyproject.toml", PROJECT.format(url=entry.url))
    asked = replace(document(entry, public=None), claims=Claims((entry.name,)))
    env = files(asked, form)
    if form != "Environment":
        for name, text in env.items():
            clients.write(f"config/{name}", text)
        env = {}
    name = client.partition("-")[0]
    start = str(uv_binary(NEWEST)) if name == "uv" else f"{client_python(client)} -m {name}"
    program = clients.write(f"bin/{name}", f'#!/bin/sh\nexec {start} "$@"\n')
    program.chmod(0o755)
    env |= {"PATH": f"{program.parent}:/usr/bin:/bin"}
    done = command.replace("/config/", f"{clients.directory}/config/")
    return clients.run("/bin/sh", "-c", done, env=env)


def uploads(server: IndexServer) -> list[IndexRequest]:
    return [request for request in server.requests() if request.method == "POST"]


def test_every_client_has_its_line() -> None:
    assert {(line[0], line[2]) for line in lines()} == {
        ("uv", "Environment"), ("uv", "UvToml"), (TWINE, "Environment"), (TWINE, "Pypirc"),
        (POETRY, "Environment"), (HATCH, "Environment"),
        *((pdm, form) for pdm in (PDM, PDM_NEWEST) for form in ("Environment", "PdmToml")),
    }  # fmt: skip


@pytest.mark.parametrize(("client", "command", "form"), LINES)
def test_a_client_uploads_a_file_once(
    clients: Clients, server: IndexServer, private: Repository, client: str, command: str,
    form: str,
) -> None:  # fmt: skip
    private.accepts = lambda *given: given == SPECIAL
    entry = replace(entry_for(private, "acme", login=SPECIAL), publish_url=private.publish_url)

    run = publish(clients, entry, client, command, form)

    assert run.returncode == 0, run.output
    assert "fresh" in private.wheels and SPECIAL[1] not in run.output
    (upload,) = uploads(server)
    assert upload.path == "/pypi/acme/" and logins([upload]) == {SPECIAL}

    # uv looks first; twine has the option for PyPI alone, and hatch has none.
    skips = client in (POETRY, PDM, PDM_NEWEST)
    again = publish(clients, entry, client, command + " --skip-existing" * skips, form)

    assert (again.returncode == 0) == (client == "uv" or skips), again.output
    assert again.returncode == 0 or "409" in again.output
    assert len(uploads(server)) == (1 if client == "uv" else 2)
    assert logins(server.requests()) <= {SPECIAL}


@pytest.mark.parametrize(
    ("client", "command", "form"), [line for line in LINES if "Pypirc" not in line.values]
)
def test_a_client_uploads_with_a_token_that_has_no_user_name(
    clients: Clients, server: IndexServer, private: Repository, client: str, command: str,
    form: str,
) -> None:  # fmt: skip
    private.accepts = lambda _, password: password == TOKEN[1]
    entry = replace(entry_for(private, "acme", login=TOKEN), publish_url=private.publish_url)

    run = publish(clients, entry, client, command, form)

    assert run.returncode == 0, run.output
    user = "" if client == "uv" else "__token__"
    assert logins(uploads(server)) == {(user, TOKEN[1])}
    assert "fresh" in private.wheels and TOKEN[1] not in run.output


@pytest.mark.parametrize("version", [FLOOR, NEWEST])
def test_one_login_reads_by_netrc_and_another_uploads(
    clients: Clients, server: IndexServer, private: Repository, version: str
) -> None:
    uploader = ("uploader", "upload-token")
    private.accepts = lambda *given: given in (LOGIN, uploader)
    wheel = make_wheel("fresh", "1.2")
    (clients.directory / wheel.filename).write_bytes(wheel.content)
    upload = entry_for(private, "acme-upload", login=uploader, explicit=True)
    upload = replace(upload, publish_url=private.publish_url)
    asked = document(entry_for(private, "acme"), upload, public=None)
    netrc = FORMATS["Netrc"].render_secret(asked).files["netrc"].get_secret_value()
    env = {
        "NETRC": str(clients.write("netrc", netrc)),
        "UV_CONFIG_FILE": str(clients.write("uv.toml", public_text("UvToml", asked))),
    }

    installed = clients.uv(version, "pip", "install", "--target", "target", "mine", env=env)
    assert installed.returncode == 0, installed.output
    assert logins(server.requests()) == {LOGIN}

    server.clear()
    env |= files(replace(asked, claims=Claims(("acme-upload",))), "Environment")
    published = clients.uv(version, "publish", wheel.filename, env=env)
    assert published.returncode == 0, published.output
    assert logins(uploads(server)) == {uploader}


@pytest.mark.parametrize("version", [FLOOR, NEWEST])
@pytest.mark.parametrize("in_file", [True, False])
def test_uv_reads_with_the_login_of_the_reader_whatever_the_names(
    clients: Clients, server: IndexServer, private: Repository, version: str, in_file: bool
) -> None:
    """Of two indexes with one URL, uv takes the login of the first."""
    private.accepts = lambda *given: given[0] in ("reader", "a-upload")
    policy = replace(POLICY, allow_http=True)
    uploads_to = {"explicit": True, "publish": True, "priority": 200}
    plans = plans_from(*(
        index_state(index(name, {**source("basicAuth", username=name, url=private.url,
                                          publishURL=private.publish_url), **more}), policy=policy)
        for name, more in (("a-upload", uploads_to), ("reader", {}))))  # fmt: skip
    asked = document_of(IndexOptionsSpec(), plans)
    text = (secret_text if in_file else public_text)("UvToml", replace(asked, public=None))
    env = {"UV_CONFIG_FILE": str(clients.write("uv.toml", text))}
    if not in_file:
        env |= files(asked, "Environment")

    run = clients.uv(version, "pip", "install", "--target", "target", "mine", env=env)

    assert run.returncode == 0, run.output
    assert {user for user, _ in logins(server.requests())} == {"reader"}


@pytest.mark.parametrize("version", [EARLY, NEWEST])
@pytest.mark.parametrize("uploader", [("aws", "p:/% x"), ("up", "p:/% x"), ("up", "plain"), TOKEN])
def test_uv_uploads_with_the_login_of_another_index_only_where_a_note_says_so(
    clients: Clients, server: IndexServer, private: Repository, version: str,
    uploader: tuple[str, str],
) -> None:  # fmt: skip
    other = server.add_repository("pypi/other", make_wheel("of-other", "1.0"))
    third = server.add_repository("third", make_wheel("of-third", "1.0"))
    private.accepts = None
    wheel = make_wheel("fresh", "1.2")
    (clients.directory / wheel.filename).write_bytes(wheel.content)
    for repository, to in ((private, private), (other, other), (private, third)):
        upload = entry_for(repository, "acme-upload", login=uploader, explicit=True)
        upload = replace(upload, publish_url=to.publish_url)
        for entries in ((entry_for(private, "acme"), upload), (upload, entry_for(private, "acme"))):
            asked = document(*entries, public=None)
            made = FORMATS["UvToml"].render_secret(asked)
            config = clients.write("uv.toml", made.files["uv.toml"].get_secret_value())
            env = {"UV_CONFIG_FILE": str(config)}
            server.clear()

            run = clients.uv(version, "publish", "--index", "acme-upload", wheel.filename, env=env)

            assert run.returncode == 0, run.output
            sent = logins(uploads(server))
            assert sent == ({LOGIN} if made.limits else {uploader}), (repository.prefix, to.prefix)
            to.wheels.pop("fresh")
