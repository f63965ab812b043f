"""A reader who sees every version of every output, and keeps to what it saw before."""

import re
from typing import Any

from support.chaos.fleet import PLURALS, Fleet
from support.chaos.follower import Follower, text_and_tables
from support.kube_proxy import KubeProxy

_OBJECT = re.compile(r"/o/([^/]+)/")
_OUTPUTS = "labelSelector=artifactindex.dev%2Frole%3Doutput"


class Reader(Follower):
    """Watches the output Secrets of a namespace; `violations` says what should not have been.

    Every version of a file must parse, must hold each index of the version before that nobody took
    out, and must call it by the same name.
    """

    def __init__(self, proxy: KubeProxy, fleet: Fleet) -> None:
        super().__init__(proxy, PLURALS["Secret"].format(fleet.namespace), _OUTPUTS)
        self._fleet = fleet
        self._last: dict[str, tuple[str, dict[str, str]]] = {}

    def names_at(self, output: str, version: str) -> dict[str, str] | None:
        """The indexes of an output, object -> name in it; None unless this version is the last."""
        seen, names = self._last.get(output, ("", {}))
        return names if seen == version else None

    def observe(self, event: str, body: dict[str, Any]) -> None:
        """Judge a version, or a deletion."""
        output = body["metadata"]["name"]
        if event == "DELETED":
            if output not in self._fleet.may_vanish:
                self.violations.append(f"{output} was deleted")
            self._last.pop(output, None)
            return
        version = body["metadata"]["resourceVersion"]
        seen, before = self._last.get(output, ("", {}))
        if seen == version:
            return  # listed anew, as after a watch that came to its end
        self.versions += 1
        try:
            _, tables = text_and_tables(body)
        except (KeyError, ValueError) as error:
            self.violations.append(f"{output} does not parse: {error!r}")
            return
        now = self._objects(before, tables)
        for index, name in before.items():
            if index not in now:
                if not self._fleet.may_lack(output, index):
                    self.violations.append(f"{output} lost {index}")
            elif now[index] != name:
                self.violations.append(f"{output} renamed {index} from {name} to {now[index]}")
        self._last[output] = version, now

    def _objects(self, before: dict[str, str], tables: list[dict[str, Any]]) -> dict[str, str]:
        """Object -> name; a blocked entry has no URL of its own, but the name it had before."""
        by_name = {name: index for index, name in before.items()}
        found = {}
        for table in tables:
            if table["name"] == "pypi":
                continue
            match = _OBJECT.search(table["url"])
            found[match[1] if match else by_name.get(table["name"], table["name"])] = table["name"]
        return found
