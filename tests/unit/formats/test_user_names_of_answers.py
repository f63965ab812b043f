"""User names that come with a token: every format writes what it reads back, or says that not."""

from typing import Final

import pytest
from pydantic import SecretStr

from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.registry import FORMATS

pytestmark = pytest.mark.unit

URL: Final = "https://acme.jfrog.example/artifactory/api/pypi/python/simple"
NAMES: Final = [
    "ci", "a b", " a", "a ", "\u2028", "\x85", "\ufeff", "\u202e", "ü", "\U0001f600" * 256,
    "'", '"', "\\", "%", "%(x)s", "#", ";", "[a]", "$", "${HOME}", "{repositories}", "@", "/", "`",
    "a machine b login c", "default",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", FORMATS)
def test_a_user_name_is_written_as_it_is_or_left_out_in_words(form: str, name: str) -> None:
    login = Credential(name, SecretStr("e30.abc.x"))
    entry = IndexEntry("acme", URL, credential=login, credentialed=True, publish_url=f"{URL}/up")
    content = FORMATS[form].render_secret(Document((entry,), public=None))  # type: ignore[index]
    for text in content.files.values():
        text.get_secret_value().encode()
    if content.held:
        read = FORMATS[form].read_back(content.files, {"acme": URL})  # type: ignore[index]
        assert read == {"acme": login}
    else:
        assert content.limits
