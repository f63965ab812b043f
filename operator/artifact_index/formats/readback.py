"""The reverse of `uv_toml`: entries from a uv.toml of ours, to get tokens back after a restart.

Trust is the caller's matter: only text whose digest was verified may come here. Rendering the
entries again gives the same text.
"""

import tomllib
from collections.abc import Collection
from typing import Any, get_args

from pydantic import SecretStr

from artifact_index.formats.document import Authenticate, IndexEntry
from artifact_index.formats.urls import (
    UnusableURLError,
    safe_url,
    split_userinfo,
    without_userinfo,
)
from artifact_index.formats.uv_toml import blocked_url


def read_entries(
    text: SecretStr, *, verbatim: Collection[str] = (), public_name: str | None = None
) -> dict[str, IndexEntry]:
    """The private indexes of a rendered uv.toml in file order: name -> entry.

    `verbatim` names those whose URL stands as the user wrote it; a text cannot tell. The index
    called `public_name` is left out. So is whatever does not look like ours; a text that is no
    TOML holds no entry. `authenticate` comes back as written, so the entry may hold `always` where
    it was absent.
    """
    try:
        tables = tomllib.loads(text.get_secret_value()).get("index")
    except ValueError:
        return {}
    if not isinstance(tables, list):
        return {}
    entries = (_entry(table, verbatim) for table in tables if isinstance(table, dict))
    return {e.name: e for e in entries if e is not None and e.name != public_name}


def _entry(table: dict[str, Any], verbatim: Collection[str]) -> IndexEntry | None:
    name, written, codes = table.get("name"), table.get("url"), table.get("ignore-error-codes", [])
    explicit, authenticate = table.get("explicit", False), table.get("authenticate")
    publish = table.get("publish-url")
    if not isinstance(name, str) or not isinstance(written, str) or not isinstance(explicit, bool):
        return None
    if publish is not None and not isinstance(publish, str):
        return None
    if authenticate is not None and authenticate not in get_args(Authenticate):
        return None
    if not isinstance(codes, list) or not all(type(code) is int for code in codes):
        return None
    blocked = written == blocked_url(name)
    is_verbatim = name in verbatim and not blocked
    try:
        url, credential = split_userinfo(written)
        publish = publish and without_userinfo(publish)
    except UnusableURLError:
        if not is_verbatim:
            return None
        url, credential = "", None
    return IndexEntry(
        name=name,
        # A verbatim URL may be a secret as a whole: only its host goes where statuses look.
        url=(safe_url(written) or "") if is_verbatim else url,
        credential=None if is_verbatim else credential,
        verbatim_url=SecretStr(written) if is_verbatim else None,
        explicit=explicit,
        authenticate=authenticate,
        ignore_error_codes=tuple(codes),
        blocked=blocked,
        publish_url=publish,
    )
