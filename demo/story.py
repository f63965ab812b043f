"""The steps of the demo. Each asserts what it shows: a demo that cannot fail proves nothing."""

import re
import time
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from demo.cluster import Cluster, condition, uv_toml, wait_for
from demo.kubectl import Object
from demo.narrator import Narrator
from demo.stage import GOOGLE_ACCOUNT, LOOK_ALIKE, PRIVATE, TOKEN_SECONDS, Index, Stage
from support.operator_process import OperatorProcess
from support.uv_clients import NEWEST, Uv, UvRun

# Real margins are minutes; the demo's tokens live for seconds, so its margins must be shorter.
MARGINS = [
    f"--{name}=1s"
    for name in (
        "outage-budget", "write-time", "propagation-time", "pod-start-time", "clock-skew",
        "min-refresh-interval",
    )
]  # fmt: skip
PATIENCE = 90.0
"""Seconds allowed for one step on a busy machine."""

DENIED = ("InvalidCredential", "CredentialExpired")
"""Reasons of an index with a rejected login: before and after its last token expires."""

_USERINFO = re.compile(r"""(://[^:/@\s"']+):[^@\s"']+@""")


class UnexpectedError(Exception):
    """A step did not show the expected result."""


def expect(holds: bool, otherwise: str) -> None:
    """Raise UnexpectedError if the condition is false (Python can disable asserts)."""
    if not holds:
        raise UnexpectedError(otherwise)


def operator_process(stage: Stage, cluster: Cluster) -> OperatorProcess:
    """Configure the operator for the stand-ins by its documented settings; not started yet."""
    google = [f"--{k.replace('_', '-')}={v}" for k, v in stage.google.settings().items()]
    return OperatorProcess(
        cluster.kubeconfig(),
        flags=["--allow-http", *MARGINS, *google, *cluster.operator_flags],
        env={**stage.aws.env(), **stage.google.env()},
        namespace=cluster.operator_namespace,
    )


@dataclass
class Story:
    """The steps, and the components that they use."""

    narrator: Narrator
    stage: Stage
    cluster: Cluster
    folder: Path

    def tell(self) -> None:
        """Run every step; the operator is already running."""
        self.everything_becomes_available()
        self.the_file()
        for index in self.stage.indexes.values():
            self.install_through(index)
        self.the_token_dies()
        self.a_login_is_denied()
        self.the_login_is_mended()
        self.nothing_left_the_machine()

    def everything_becomes_available(self) -> None:
        """Wait until all objects are Available and show the columns that a user sees."""
        with self.narrator.step(f"{self.cluster.listing}: all Available"):
            for name in ("uv-config", "all-clients"):
                self._wait_ready("indexoptions", name, "Available")
            for name in (*self.stage.indexes, "pytorch-cpu"):
                self._wait_ready("artifactindexes", name, "Available")
            self.narrator.detail(self.cluster.table())
            if (requests := self.cluster.operator_requests()) is not None:
                expect(requests > 0, "the audit log has no write under the operator's account")
                self.narrator.detail(f"{requests} writes, all under the operator's ServiceAccount")
        with self.narrator.step(
            f"tokens live for {TOKEN_SECONDS} s here, too short for a 30m build"
        ):
            found = self.cluster.get("artifactindexes", "acme-codeartifact")
            note = condition(found, "FreshnessNotGuaranteed")
            expect(note.get("reason") == "TokenTooShort", f"no FreshnessNotGuaranteed: {note}")
            self.narrator.detail(f"FreshnessNotGuaranteed: {note['message'].partition(' (')[0]} …")

    def the_file(self) -> None:
        """Show uv.toml with credentials redacted."""
        with self.narrator.step("Secret uv-config holds uv.toml (passwords redacted)"):
            text = uv_toml(self.cluster)
            indexes = _tables(text)
            # PyPI comes first, but uv asks it last, since it is the default index.
            expect(
                list(indexes) == ["pypi", *self.stage.search_order] and indexes["pypi"]["default"],
                f"unexpected indexes: {list(indexes)}",
            )
            for index in self.stage.indexes.values():
                user = urlsplit(indexes[index.name]["url"]).username
                expect(user == index.username, f"{index.name} has user {user}")
            self.narrator.detail(_redacted(text))

    def install_through(self, index: Index) -> None:
        """Install one package, which only this index may serve, with real uv."""
        title = f"uv pip install {index.package}: {PRIVATE} through {index.title}"
        with self.narrator.step(f"{title}, not {LOOK_ALIKE} from PyPI"):
            self._installs(uv_toml(self.cluster), index)

    def the_token_dies(self) -> None:
        """Show that a copy of the old file stops working while the mounted file works."""
        index, aws = self.stage.indexes["acme-codeartifact"], self.stage.aws
        with self.narrator.step("the operator replaces CodeArtifact's token before it expires"):
            old = uv_toml(self.cluster)
            username, password = _login(old, index)
            token = aws.tokens.live(password)
            if token is None:
                raise UnexpectedError("the file holds an expired token")
            wait_for(
                lambda: _login(uv_toml(self.cluster), index)[1] != password,
                "a new token in the file",
                PATIENCE,
            )
            left = token.expires_at - time.time()
            expect(aws.is_valid(username, password), "it expired before it was replaced")
            self.narrator.detail(
                f"expires {_clock(token.expires_at)}; replaced {left:.0f} s earlier; keep a copy"
            )
        with self.narrator.step("the token in the copy expires"):
            wait_for(lambda: not aws.is_valid(username, password), "the old token's end", PATIENCE)
        with self.narrator.step("uv pip install with the copy: 401, nothing installed"):
            refused = self._uv(old, index.package)
            expect(not refused.installed, f"installed {refused.installed}")
            self._shows_error(refused, "401")
        with self.narrator.step("uv pip install with the current file: works"):
            self._installs(uv_toml(self.cluster), index)

    def a_login_is_denied(self) -> None:
        """Break one login: no public package replaces the index's; other indexes still work."""
        index = self.stage.indexes["acme-gar"]
        with self.narrator.step("the Google service account key is deleted; its token expires"):
            self.stage.google.remove_keys(GOOGLE_ACCOUNT)
            # The statuses follow the file; that of the IndexOptions names the failing index.
            ready = self._wait_ready("artifactindexes", index.name, *DENIED)
            self._wait_ready("indexoptions", "uv-config", "IndexesNotReady", names=index.name)
            self.narrator.detail(self.cluster.table())
            self.narrator.detail(f"{ready['reason']}: {ready['message']}")
        with self.narrator.step(f"its entry is blocked: uv pip install {index.package} stops"):
            text = uv_toml(self.cluster)
            url = _tables(text)[index.name]["url"]
            expect(urlsplit(url).hostname == f"{index.name}.unavailable.invalid", url)
            before = len(self.stage.log.requests())
            stopped = self._uv(text, index.package)
            expect(not stopped.installed, f"installed {stopped.installed}, the look-alike")
            asked = [request.path for request in self.stage.log.requests()[before:]]
            files = [path for path in asked if path.endswith(".whl")]
            expect(not files, f"uv fetched {files}")
            self._shows_error(stopped, index.name)
        first = self.stage.indexes["acme-codeartifact"]
        with self.narrator.step(
            f"uv pip install {first.package} from an index searched earlier: works"
        ):
            self._installs(uv_toml(self.cluster), first)

    def the_login_is_mended(self) -> None:
        """Show that a changed Secret takes effect at once."""
        index = self.stage.indexes["acme-gar"]
        with self.narrator.step("a new key in the index's Secret: Available again"):
            key = self.stage.replace_google_key()
            self.cluster.set_secret("google-service-account-key", "key.json", key)
            self._wait_ready("artifactindexes", index.name, "Available")
            self._wait_ready("indexoptions", "uv-config", "Available")
        self.install_through(index)

    def nothing_left_the_machine(self) -> None:
        """Check the log of the proxy, which is uv's only way out."""
        tunnels = [r.path for r in self.stage.log.requests() if r.method == "CONNECT"]
        expect(not tunnels, f"uv tried to reach {tunnels}")

    def _wait_ready(self, plural: str, name: str, *reasons: str, names: str = "") -> Object:
        """Wait until Ready has one of the reasons, and `names` in its message; returns it."""
        seen: Object = {}

        def reached() -> bool:
            seen.update(condition(self.cluster.get(plural, name), "Ready"))
            return seen.get("reason") in reasons and names in seen["message"]

        try:
            wait_for(reached, f"{plural}/{name} to be {' or '.join(reasons)}", PATIENCE)
        except TimeoutError as error:
            raise UnexpectedError(
                f"{error}; it is {seen.get('reason')}: {seen.get('message')}"
            ) from None
        return seen

    def _installs(self, text: str, index: Index) -> None:
        """Install, then check in the index's log which login uv sent."""
        before = len(self.stage.log.requests())
        run = self._uv(text, index.package)
        wanted = f"{index.package}=={PRIVATE}"
        expect(run.returncode == 0 and run.installed == {wanted}, self._report(run))
        login = _login(text, index)
        served = [
            request
            for request in self.stage.log.requests()[before:]
            if request.path.endswith(".whl") and request.status == 200
        ]
        expect(
            {(request.username, request.password) for request in served} == {login},
            f"{index.name} served the wheel to another login",
        )

    def _uv(self, text: str, package: str) -> UvRun:
        uv = Uv(NEWEST, self.folder / f"uv-{time.monotonic_ns()}", https_proxy=self.stage.proxy)
        return uv.install(text, package)

    def _shows_error(self, run: UvRun, needle: str) -> None:
        expect(run.returncode != 0, "uv did not fail")
        expect(needle in run.output, f"uv does not say {needle}: {self._report(run)}")
        lines = [line.strip() for line in _redacted(run.output).splitlines()]
        self.narrator.detail("uv: " + next(line for line in lines if needle in line)[:170])

    def _report(self, run: UvRun) -> str:
        return f"uv ended with {run.returncode}, {set(run.installed)}: {_redacted(run.output)}"


def _tables(text: str) -> dict[str, dict[str, Any]]:
    return {table["name"]: table for table in tomllib.loads(text)["index"]}


def _login(text: str, index: Index) -> tuple[str, str]:
    """User name and password in the URL of an index, percent-decoded."""
    parts = urlsplit(_tables(text)[index.name]["url"])
    return unquote(parts.username or ""), unquote(parts.password or "")


def _redacted(text: str) -> str:
    return _USERINFO.sub(r"\1:••••@", text)


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%SZ")
