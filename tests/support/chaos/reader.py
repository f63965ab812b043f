"""A reader who sees every version of every output, and keeps to what it saw before."""

import base64
import re
import threading
import tomllib
from typing import Any

from support.chaos.fleet import PLURALS, Fleet
from support.kube_proxy import KubeProxy, Unanswered

_OBJECT = re.compile(r"/o/([^/]+)/")
_OUTPUTS = "labelSelector=artifactindex.dev%2Frole%3Doutput"


class Reader:
    """Watches the output Secrets of a namespace; `violations` says what should not have been.

    Every version of a file must parse, must hold each index of the version before that nobody took
    out, and must call it by the same name.
    """

    def __init__(self, proxy: KubeProxy, fleet: Fleet) -> None:
        self.violations: list[str] = []
        self.versions = 0
        self._proxy = proxy
        self._fleet = fleet
        self._path = PLURALS["Secret"].format(fleet.namespace)
        self._last: dict[str, tuple[str, dict[str, str]]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(30)

    def names_at(self, output: str, version: str) -> dict[str, str] | None:
        """The indexes of an output, object -> name in it; None unless this version is the last."""
        seen, names = self._last.get(output, ("", {}))
        return names if seen == version else None

    def _follow(self) -> None:
        since = ""
        while not self._ended.is_set():
            try:
                since = since or self._list()
                for event in self._proxy.watch(self._path, _OUTPUTS, since):
                    if event["type"] == "ERROR":
                        since = ""
                        break
                    since = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self._observe(event["type"], event["object"])
                    if self._ended.is_set():
                        return
            except Unanswered:
                self._ended.wait(0.05)
            except Exception as error:
                self.violations.append(f"the reader failed: {error!r}")
                return

    def _list(self) -> str:
        _, answer = self._proxy.request("GET", f"{self._path}?{_OUTPUTS}")
        for body in answer["items"]:
            self._observe("LISTED", body)
        version: str = answer["metadata"]["resourceVersion"]
        return version

    def _observe(self, event: str, body: dict[str, Any]) -> None:
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
            text = base64.b64decode(body["data"]["uv.toml"]).decode()
            tables = tomllib.loads(text)["index"]
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
