"""Each file says until when its logins are good, as `artifact-index fresh` reads it."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from pydantic import SecretStr

from artifact_index.api.index_options import OutputFormat
from artifact_index.cli.builder.fresh import VARIABLE, Life, UnreadableError, lives_in
from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.environment import LARGEST_VALUE
from artifact_index.formats.expiry import NO_LOGINS
from artifact_index.formats.registry import FORMATS
from support.format_cases import HOSTILE_DOCUMENTS

pytestmark = pytest.mark.unit

EXPIRY = 1_800_000_000
LOGIN = Credential("u", SecretStr("token"))
UPLOADS = "https://host.example/up/"


def entry(name: str, expires_at: int | None = None) -> IndexEntry:
    url = f"https://{name}.example/simple/"
    return IndexEntry(name, url, LOGIN, publish_url=UPLOADS, expires_at=expires_at)


OPEN = IndexEntry("open", "https://open.example/simple/")
ENTRIES = (
    entry("token", EXPIRY),
    entry("static"),
    replace(entry("lost"), blocked=True, credential=None, publish_url=None),
    OPEN,
)
LIVES = {
    "token": Life("token", EXPIRY),
    "static": Life("static"),
    "lost": Life("lost", blocked=True),
}


def written(folder: Path, name: OutputFormat, document: Document, *, public: bool = False) -> Path:
    """The folder with the files of an output, as the kubelet mounts it."""
    form = FORMATS[name]
    if public:
        for key, text in form.render_public(document).files.items():
            (folder / key).write_text(text)
    else:
        for key, secret in form.render_secret(document).files.items():
            (folder / key).write_bytes(secret.get_secret_value().encode(errors="replace"))
    return folder


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_how_long_each_login_is_good(name: OutputFormat, tmp_path: Path) -> None:
    found = lives_in([str(written(tmp_path, name, Document(ENTRIES, public=None)))])

    # Whether a blocked index is published to is not known, so .pypirc does not name it.
    assert found == {key: life for key, life in LIVES.items() if (key, name) != ("lost", "Pypirc")}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("entries", [(OPEN,), (replace(OPEN, publish_url=UPLOADS),), ()])
def test_a_file_without_logins_says_so(
    name: OutputFormat, entries: tuple[IndexEntry, ...], tmp_path: Path
) -> None:
    assert lives_in([str(written(tmp_path, name, Document(entries, public=None)))]) == {}


@pytest.mark.parametrize("name", ["PipConf", "PdmToml", "Pypirc"])
def test_a_login_that_the_file_is_not_for_is_none_that_it_lacks(
    name: OutputFormat, tmp_path: Path
) -> None:
    elsewhere = replace(entry("token", EXPIRY), explicit=True, publish_url=None)
    document = Document((elsewhere, OPEN), public=None)

    assert lives_in([str(written(tmp_path, name, document))]) == {}


LACKING = [
    # Whether a blocked index is published to is not known.
    ("Pypirc", replace(entry("lost"), blocked=True, credential=None, publish_url=None)),
    (
        "PdmToml",
        replace(entry("lost"), blocked=True, explicit=True, credential=None, publish_url=None),
    ),
    ("PdmToml", entry("username")),
    ("Pypirc", entry("distutils")),
    ("Netrc", replace(entry("spaced"), credential=Credential("u", SecretStr("a b")))),
    ("Environment", replace(entry("nul"), credential=Credential("u", SecretStr("a\0b")))),
]


@pytest.mark.parametrize(("name", "lacking"), LACKING)
def test_a_file_that_lacks_a_login_does_not_say_that_there_is_none(
    name: OutputFormat, lacking: IndexEntry, tmp_path: Path
) -> None:
    document = Document((lacking, OPEN), public=None)

    with pytest.raises(UnreadableError, match="does not say"):
        lives_in([str(written(tmp_path, name, document))])


@pytest.mark.parametrize("name", ["UvToml", "PipConf", "PdmToml", "Pypirc"])
def test_a_config_map_says_nothing(name: OutputFormat, tmp_path: Path) -> None:
    document = Document((OPEN,), public=None)

    with pytest.raises(UnreadableError, match="a ConfigMap has no logins"):
        lives_in([str(written(tmp_path, name, document, public=True))])


@pytest.mark.parametrize("name", FORMATS)
def test_a_new_token_changes_the_line_and_the_same_one_nothing(name: OutputFormat) -> None:
    def rendered(entries: tuple[IndexEntry, ...]) -> list[str]:
        files = FORMATS[name].render_secret(Document(entries, public=None)).files
        return [f"{key}={text.get_secret_value()}" for key, text in files.items()]

    before = rendered(ENTRIES)
    assert rendered((entry("token", EXPIRY), *ENTRIES[1:])) == before
    after = rendered((entry("token", EXPIRY + 3600), *ENTRIES[1:]))
    lines = zip("\n".join(before).split("\n"), "\n".join(after).split("\n"), strict=True)
    assert sum(old != new for old, new in lines) == 1


@pytest.mark.parametrize("name", ["UvToml", "PipConf", "PdmToml", "Pypirc"])
def test_a_config_map_does_not_change_with_a_token(name: OutputFormat) -> None:
    def rendered(expires_at: int) -> object:
        document = Document((entry("token", expires_at),), public=None)
        return FORMATS[name].render_public(document).files

    assert rendered(EXPIRY) == rendered(EXPIRY + 1)


@given(HOSTILE_DOCUMENTS)
def test_no_login_reads_like_a_line(document: Document) -> None:
    names = {each.name for each in document.entries}
    for form in FORMATS.values():
        for key, text in form.render_secret(document).files.items():
            lines = [line for line in text.get_secret_value().split("\n") if line[:2] == "# "]
            told = {line[2:].partition(":")[0] for line in lines if "Written by" not in line}
            assert key == VARIABLE or form.key is None or told <= names or told == {NO_LOGINS}


def test_a_variable_that_is_too_long_for_linux_is_left_out_with_a_note() -> None:
    many = tuple(
        IndexEntry(f"{number:063}", "", blocked=True) for number in range(LARGEST_VALUE // 70)
    )

    rendered = FORMATS["Environment"].render_secret(Document(many, public=None))

    assert not rendered.files
    assert [limit.reason for limit in rendered.limits] == ["VariablesNotWritten"]
