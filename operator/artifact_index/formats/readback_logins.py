"""Logins from our own files of every format but uv.toml, to get tokens back after a restart.

As with `readback`, trust is the caller's matter: only content whose digest was verified may come
here.
"""

import configparser
import tomllib
from collections import defaultdict
from collections.abc import Mapping

from pydantic import SecretStr

from artifact_index.formats.document import Credential
from artifact_index.formats.names import environment_form
from artifact_index.formats.pip_conf import ascii_url
from artifact_index.formats.urls import UnusableURLError, host_of, split_userinfo

URLs = Mapping[str, str]


def read_logins(files: Mapping[str, SecretStr], urls: URLs) -> dict[str, Credential]:
    """The logins of indexes, by name. `files` are all keys of an output, `urls` URLs by name.

    What is not in any of the files, or not in our form, is left out.
    """
    text = {key: value.get_secret_value() for key, value in files.items()}
    found: dict[str, Credential] = {}
    for key, read in (
        ("netrc", _from_netrc),
        ("pip.conf", _from_pip_conf),
        (".pypirc", _from_pypirc),
        ("config.toml", _from_pdm_toml),
    ):
        if key in text:
            found |= read(text[key], urls)
    return found | _from_variables(text, urls)


def _from_netrc(text: str, urls: URLs) -> dict[str, Credential]:
    words = text.split()
    hosts = {
        host: Credential(username, SecretStr(password))
        for host, username, password in zip(words[1::6], words[3::6], words[5::6], strict=False)
    }
    by_name = {name: host_of(url) for name, url in urls.items()}
    return {name: hosts[host] for name, host in by_name.items() if host in hosts}


def _from_pip_conf(text: str, urls: URLs) -> dict[str, Credential]:
    section = _sections(text).get("global", {})
    listed = f"{section.get('index-url', '')} {section.get('extra-index-url', '')}".split()
    logins: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for url in listed:
        try:
            bare, login = split_userinfo(url)
        except UnusableURLError:
            continue
        if login is not None:
            logins[bare].add((login.username, login.password.get_secret_value()))
    found = {}
    for name, url in urls.items():
        candidates = logins.get(ascii_url(url), set())
        if len(candidates) == 1:  # two logins at one URL cannot be told apart here
            username, password = next(iter(candidates))
            found[name] = Credential(username, SecretStr(password))
    return found


def _from_pypirc(text: str, urls: URLs) -> dict[str, Credential]:
    return _named(_sections(text), urls)


def _from_pdm_toml(text: str, urls: URLs) -> dict[str, Credential]:
    try:
        tables = tomllib.loads(text).get("pypi", {})
    except tomllib.TOMLDecodeError:
        return {}
    return _named({name: one for name, one in tables.items() if isinstance(one, dict)}, urls)


def _from_variables(text: Mapping[str, str], urls: URLs) -> dict[str, Credential]:
    found = {}
    for name in urls:
        prefix = f"UV_INDEX_{environment_form(name)}"
        username, password = text.get(f"{prefix}_USERNAME"), text.get(f"{prefix}_PASSWORD")
        if username is not None and password is not None:
            found[name] = Credential(username, SecretStr(password))
    return found


def _named(tables: Mapping[str, Mapping[str, str]], urls: URLs) -> dict[str, Credential]:
    return {
        name: Credential(tables[name]["username"], SecretStr(tables[name]["password"]))
        for name in urls
        if {"username", "password"} <= tables.get(name, {}).keys()
    }


def _sections(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {section: dict(parser[section]) for section in parser.sections()}
