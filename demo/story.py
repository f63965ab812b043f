"""The steps of the demo. Each one asserts what it shows: a demo that cannot fail shows nothing."""

import re
import time
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from demo.cluster import Cluster, Object, condition, uv_toml, wait_for
from demo.narrator import Narrator
from demo.stage import GOOGLE_ACCOUNT, LOOK_ALIKE, PRIVATE, TOKEN_SECONDS, Index, Stage
from support.operator_process import OperatorProcess
from support.uv_clients import NEWEST, Uv, UvRun

# The freshness margins of a real cluster are minutes; tokens that live some seconds need less.
MARGINS = [
    f"--{name}=1s"
    for name in (
        "outage-budget", "write-time", "propagation-time", "pod-start-time", "clock-skew",
        "min-refresh-interval",
    )
]  # fmt: skip
PATIENCE = 90.0
"""Seconds that a busy machine may take for one step."""

DENIED = ("InvalidCredential", "CredentialExpired")
"""Why an index with a refused login is not ready: before, and after the end of its last token."""

_USERINFO = re.compile(r"""(://[^:/@\s"']+):[^@\s"']+@""")


class UnexpectedError(Exception):
    """A step did not show what it should have."""


def expect(holds: bool, otherwise: str) -> None:
    """Raise UnexpectedError where it does not hold (an assert could be switched off)."""
    if not holds:
        raise UnexpectedError(otherwise)


def operator_process(stage: Stage, cluster: Cluster) -> OperatorProcess:
    """The operator, led to the stand-ins by its documented settings; not started yet."""
    google = [f"--{k.replace('_', '-')}={v}" for k, v in stage.google.settings().items()]
    return OperatorProcess(
        cluster.kubeconfig(),
        flags=["--allow-http", *MARGINS, *google],
        env={**stage.aws.env(), **stage.google.env()},
    )


@dataclass
class Story:
    """The parts on stage, and what happens with them."""

    narrator: Narrator
    stage: Stage
    cluster: Cluster
    folder: Path

    def tell(self) -> None:
        """Every step once the operator runs."""
        self.everything_becomes_available()
        self.the_file()
        for index in self.stage.indexes.values():
            self.install_through(index)
        self.the_token_dies()
        self.a_login_is_denied()
        self.the_login_is_mended()
        self.nothing_left_the_machine()

    def everything_becomes_available(self) -> None:
        """Both kinds, with the columns that a user sees."""
        with self.narrator.step(f"{self.cluster.listing}: all Available"):
            for name in ("uv-config", "all-clients"):
                self._wait_ready("indexoptions", name, "Available")
            for name in (*self.stage.indexes, "pytorch-cpu"):
                self._wait_ready("artifactindexes", name, "Available")
            self.narrator.detail(self.cluster.table())
            if (requests := self.cluster.operator_requests()) is not None:
                expect(requests > 0, "the audit log has no write under the operator's account")
                self.narrator.detail(f"{requests} writes, all under the operator's ServiceAccount")
        with self.narrator.step(f"tokens live {TOKEN_SECONDS} s here, too short for a 30m build:"):
            found = self.cluster.get("artifactindexes", "acme-codeartifact")
            note = condition(found, "FreshnessNotGuaranteed")
            expect(note.get("reason") == "TokenTooShort", f"no FreshnessNotGuaranteed: {note}")
            self.narrator.detail(f"FreshnessNotGuaranteed: {note['message'].partition(' (')[0]} …")

    def the_file(self) -> None:
        """uv.toml without its credentials."""
        with self.narrator.step("Secret uv-config holds uv.toml (passwords hidden here)"):
            text = uv_toml(self.cluster)
            indexes = _tables(text)
            # PyPI comes first, but as the default: uv asks it last.
            expect(
                list(indexes) == ["pypi", *self.stage.search_order] and indexes["pypi"]["default"],
                f"unexpected indexes: {list(indexes)}",
            )
            for index in self.stage.indexes.values():
                user = urlsplit(indexes[index.name]["url"]).username
                expect(user == index.username, f"{index.name} has user {user}")
            self.narrator.detail(_redacted(text))

    def install_through(self, index: Index) -> None:
        """Real uv, one package that only this index may serve."""
        title = f"uv pip install {index.package}: {PRIVATE} through {index.title}"
        with self.narrator.step(f"{title}, not {LOOK_ALIKE} of PyPI"):
            self._installs(uv_toml(self.cluster), index)

    def the_token_dies(self) -> None:
        """The old file stops working, the one that is mounted then does not."""
        index, aws = self.stage.indexes["acme-codeartifact"], self.stage.aws
        with self.narrator.step("the operator replaces CodeArtifact's token before it dies"):
            old = uv_toml(self.cluster)
            username, password = _login(old, index)
            token = aws.tokens.live(password)
            if token is None:
                raise UnexpectedError("the file holds a dead token")
            wait_for(
                lambda: _login(uv_toml(self.cluster), index)[1] != password,
                "a new token in the file",
                PATIENCE,
            )
            left = token.expires_at - time.time()
            expect(aws.is_valid(username, password), "it was dead before it was replaced")
            self.narrator.detail(
                f"expires {_clock(token.expires_at)}; replaced {left:.0f} s before, a copy is kept"
            )
        with self.narrator.step("the kept copy's token dies"):
            wait_for(lambda: not aws.is_valid(username, password), "the old token's end", PATIENCE)
        with self.narrator.step("uv pip install with the kept copy: 401, and nothing installed"):
            refused = self._uv(old, index.package)
            expect(not refused.installed, f"installed {refused.installed}")
            self._shows_error(refused, "401")
        with self.narrator.step("uv pip install with the file as it is now: works"):
            self._installs(uv_toml(self.cluster), index)

    def a_login_is_denied(self) -> None:
        """One index fails; its packages cannot be replaced by public ones, the others install."""
        index = self.stage.indexes["acme-gar"]
        with self.narrator.step("the key of the Google service account is deleted; its token ends"):
            self.stage.google.remove_keys(GOOGLE_ACCOUNT)
            # Its status and that of the IndexOptions, which names the culprit, follow the file.
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
        with self.narrator.step(f"{first.package}, of an index that is searched before, installs"):
            self._installs(uv_toml(self.cluster), first)

    def the_login_is_mended(self) -> None:
        """A changed Secret takes effect at once."""
        index = self.stage.indexes["acme-gar"]
        with self.narrator.step("a new key is put into its Secret: Available again"):
            key = self.stage.replace_google_key()
            self.cluster.set_secret("google-service-account-key", "key.json", key)
            self._wait_ready("artifactindexes", index.name, "Available")
            self._wait_ready("indexoptions", "uv-config", "Available")
        self.install_through(index)

    def nothing_left_the_machine(self) -> None:
        """uv's only way out is a proxy that writes down who wanted to go where."""
        tunnels = [r.path for r in self.stage.log.requests() if r.method == "CONNECT"]
        expect(not tunnels, f"uv wanted to reach {tunnels}")

    def _wait_ready(self, plural: str, name: str, *reasons: str, names: str = "") -> Object:
        """Wait until Ready has one of the reasons and, in its message, a text; returns it."""
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
        """Install, and look at the index' own log for who came with which login."""
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
            f"{index.name} served the wheel to somebody else",
        )

    def _uv(self, text: str, package: str) -> UvRun:
        uv = Uv(NEWEST, self.folder / f"uv-{time.monotonic_ns()}", https_proxy=self.stage.proxy)
        return uv.install(text, package)

    def _shows_error(self, run: UvRun, needle: str) -> None:
        expect(run.returncode != 0, "uv was content")
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
