"""Reads every version of the file that one definition writes into many namespaces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from support.chaos.follower import Follower, text_and_tables
from support.kube_proxy import KubeProxy

OUTPUT: Final = "platform-uv"
EDITED: Final = "index = []\n"
"""What somebody else writes into an output."""

OUTPUTS: Final = f"fieldSelector=metadata.name%3D{OUTPUT}"
"""Selects all outputs."""

_PATH: Final = "/api/v1/secrets"

Bounds = Callable[[str], tuple[frozenset[str], frozenset[str]]]
"""The indexes that the file of a namespace must have, and those that it may have."""


@dataclass(frozen=True)
class Content:
    """A file: its resourceVersion, and the URLs of its private indexes by name."""

    version: str
    urls: Mapping[str, str]


Contents = Mapping[str, Content]
"""By namespace."""


def secret_path(namespace: str) -> str:
    """The output of a namespace."""
    return f"/api/v1/namespaces/{namespace}/secrets/{OUTPUT}"


class PlatformReader(Follower):
    """Watches the outputs in all namespaces; `violations` says what should not have been.

    Every version must parse, have one login only, and hold no index without consent, and each that
    has had it all the time.
    """

    def __init__(self, proxy: KubeProxy, bounds: Bounds) -> None:
        super().__init__(proxy, _PATH, OUTPUTS)
        self.contents: dict[str, Content] = {}
        self._bounds = bounds

    def observe(self, event: str, body: dict[str, Any]) -> None:
        """Judge a version; an output may be deleted at any time."""
        if event == "DELETED":
            return
        namespace, version = body["metadata"]["namespace"], body["metadata"]["resourceVersion"]
        before = self.contents.get(namespace)
        if before is not None and before.version == version:
            return  # listed anew, as after a watch that came to its end
        try:
            text, tables = text_and_tables(body)
        except (KeyError, ValueError) as error:
            self.violations.append(f"the file of {namespace} does not parse: {error!r}")
            return
        urls = {table["name"]: table["url"] for table in tables if table["name"] != "pypi"}
        if text != EDITED:
            self.versions += 1
            self._judge(namespace, urls)
        self.contents[namespace] = Content(version, urls)

    def _judge(self, namespace: str, urls: Mapping[str, str]) -> None:
        blocked = {name for name, url in urls.items() if ".unavailable.invalid" in url}
        logins = {urlsplit(url).password for name, url in urls.items() if name not in blocked}
        if len(logins) > 1 or (blocked and logins):
            self.violations.append(f"the file of {namespace} is torn: {len(logins)} logins")
        least, most = self._bounds(namespace)
        if not least <= urls.keys() <= most:
            self.violations.append(
                f"{namespace} had {sorted(urls)}: at least {sorted(least)}, at most {sorted(most)}"
            )
