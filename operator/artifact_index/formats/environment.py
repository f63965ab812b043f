"""Environment variables for `envFrom`: the same logins for uv, Poetry, twine, PDM and hatch.

Each key of the output is a variable. uv and Poetry find a login by the index's name; the variables
of uploads and CODEARTIFACT_AUTH_TOKEN exist once, so they are written only if exactly one index is
meant.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.formats import base
from artifact_index.formats.document import Claims, Credential, Document, IndexEntry
from artifact_index.formats.expiry import VARIABLE, expiry_lines
from artifact_index.formats.names import environment_form

LARGEST_VALUE: Final = 128 * 1024 - 512
"""Bytes of one value: Linux takes 128 KiB for `NAME=value` and its end (MAX_ARG_STRLEN)."""

# What Poetry takes for the name of a setting: it replaces it if it knows such a setting, or a
# variable POETRY_<NAME> (reference: `Config.process`).
_BRACES: Final = re.compile("{(.+?)}")
_SETTING: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
NAME_OF_NOBODY: Final = "__token__"
"""The user name that twine, Poetry, PDM and hatch upload with where the login has none: they refuse
an empty one, and this is what PDM itself sends for it."""

_Logins = Mapping[str, tuple[IndexEntry, Credential]]


class Environment(base.Format):
    """The variables of all indexes that have a login."""

    name = "Environment"
    key = None
    needs_claims = True

    def render_secret(self, document: Document) -> base.SensitiveContent:
        """Render each variable as a key."""
        variables: dict[str, SecretStr] = {}
        limits: list[base.FormatLimit] = []
        logins: dict[str, tuple[IndexEntry, Credential]] = {}
        for entry in document.entries:
            login = None if entry.blocked else base.login_of(entry)
            if login is None:
                continue
            if (problem := _problem(login)) is not None:
                message = f"there are no variables for index {entry.name!r}: {problem}"
                limits.append(base.not_expressible(message))
                continue
            logins[entry.name] = entry, login
            name = environment_form(entry.name)
            variables |= _pair(f"UV_INDEX_{name}", login)
            if entry.publish_url is not None:
                variables[f"POETRY_REPOSITORIES_{name}_URL"] = SecretStr(entry.publish_url)
            if (part := _template(login)) is not None:
                message = (
                    f"there is no POETRY_HTTP_BASIC_{name}_* for index {entry.name!r}: Poetry "
                    f"would replace a {{setting}} in its {part}; change the {part}, or take the "
                    "format out of spec.outputs"
                )
                limits.append(base.not_expressible(message))
                continue
            variables |= _pair(f"POETRY_HTTP_BASIC_{name}", login)
            if entry.publish_url is not None and not login.username:
                variables[f"POETRY_PYPI_TOKEN_{name}"] = login.password
        variables |= _publishing(document.claims, logins, limits)
        variables |= _code_artifact_token(document.claims, logins, limits)
        variables |= _expiry(document, logins, limits)
        return base.SensitiveContent(variables, tuple(limits), frozenset(logins))

    def read_back(self, files: Mapping[str, SecretStr], urls: base.URLs) -> dict[str, Credential]:
        """Read the login in uv's two variables for each index."""
        logins = {}
        for name in urls:
            prefix = f"UV_INDEX_{environment_form(name)}"
            username, password = files.get(f"{prefix}_USERNAME"), files.get(f"{prefix}_PASSWORD")
            if username is not None and password is not None:
                logins[name] = Credential(username.get_secret_value(), password)
        return logins


def _pair(prefix: str, login: Credential) -> dict[str, SecretStr]:
    return {f"{prefix}_USERNAME": SecretStr(login.username), f"{prefix}_PASSWORD": login.password}


def _problem(login: Credential) -> str | None:
    for what, value in login.parts:
        if "\0" in value:
            return f"its {what} holds a NUL character; use another format"
        if len(value.encode(errors="replace")) > LARGEST_VALUE:
            return f"its {what} is longer than a variable may be; use another format"
    return None


def _template(login: Credential) -> str | None:
    """Which part of the login Poetry would not send as it is; None if it sends both."""
    for what, value in login.parts:
        if any(_SETTING.fullmatch(name) for name in _BRACES.findall(value)):
            return what
    return None


def _publishing(
    claims: Claims, logins: _Logins, limits: list[base.FormatLimit]
) -> dict[str, SecretStr]:
    if len(claims.publishers) > 1:
        message = (
            "TWINE_*, UV_PUBLISH_*, PDM_PUBLISH_* and HATCH_INDEX_* are not written: they exist "
            f"once, and indexes {base.named(claims.publishers)} set spec.publish; select them by "
            "different IndexOptions, or use .pypirc, config.toml or uv.toml"
        )
        limits.append(base.FormatLimit(Reason.VARIABLES_NOT_WRITTEN, message))
        return {}
    if not claims.publishers or claims.publishers[0] not in logins:
        return {}
    entry, login = logins[claims.publishers[0]]
    if entry.publish_url is None:
        return {}
    url = SecretStr(entry.publish_url)
    named = login if login.username else replace(login, username=NAME_OF_NOBODY)
    return {
        "TWINE_REPOSITORY_URL": url,
        "TWINE_NON_INTERACTIVE": SecretStr("1"),
        "UV_PUBLISH_URL": url,
        "UV_PUBLISH_CHECK_URL": SecretStr(base.url_of(entry, sensitive=True)),
        "PDM_PUBLISH_REPO": url,
        "HATCH_INDEX_REPO": url,
        "HATCH_INDEX_USER": SecretStr(named.username),
        "HATCH_INDEX_AUTH": named.password,
        **_pair("TWINE", named),
        **_pair("UV_PUBLISH", login),
        **_pair("PDM_PUBLISH", named),
    }


def _expiry(
    document: Document, logins: _Logins, limits: list[base.FormatLimit]
) -> dict[str, SecretStr]:
    text = ", ".join(expiry_lines(document.entries, logins))
    if len(text) <= LARGEST_VALUE:
        return {VARIABLE: SecretStr(text)} if text else {}
    message = (
        f"{VARIABLE} is not written: it is longer than a variable may be; select fewer indexes"
    )
    limits.append(base.FormatLimit(Reason.VARIABLES_NOT_WRITTEN, message))
    return {}


def _code_artifact_token(
    claims: Claims, logins: _Logins, limits: list[base.FormatLimit]
) -> dict[str, SecretStr]:
    names = [name for members in claims.domains.values() for name in members]
    tokens = {logins[name][1].raw_password for name in names if name in logins}
    why = "are of different CodeArtifact domains" if len(claims.domains) > 1 else None
    if len(tokens) > 1:
        why = why or "log in to their CodeArtifact domain differently"
    if why is not None:
        message = (
            "CODEARTIFACT_AUTH_TOKEN is not written: it exists once, and indexes "
            f"{base.named(names)} {why}; select them by different IndexOptions"
        )
        limits.append(base.FormatLimit(Reason.VARIABLES_NOT_WRITTEN, message))
        return {}
    return {"CODEARTIFACT_AUTH_TOKEN": SecretStr(tokens.pop())} if tokens else {}
