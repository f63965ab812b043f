"""What each version of uv does with what we write: one probe a line of reference/uv-versions.md.

A probe looks at what uv asked of the stand-in index, not at what it says. It answers in a few words
that stand in the table.
"""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from support.client_runs import Clients, Run
from support.index_server import IndexServer
from support.uv_scenes import LOGIN, good, logins
from support.wheels import make_wheel

INSTALL = ("pip", "install", "--target", "target", "mine")
TOKEN = LOGIN[1]


class Bench:
    """A private index with `mine` 1.0, a public host with `mine` 9.9, and one version of uv."""

    def __init__(
        self, version: str, directory: Path, server: IndexServer, pypi: IndexServer
    ) -> None:
        self.server = server
        self.version = version
        self.clients = Clients(directory, proxy=f"http://{server.netloc}")
        self.private = server.add_repository("private", make_wheel("mine", "1.0"), accepts=good)
        self.public = pypi.add_repository("public", make_wheel("mine", "9.9"))

    def index(self, name: str, url: str, *lines: str, login: str = "") -> str:
        """An `[[index]]` table."""
        url = url.replace("://", f"://{login}", 1)
        return "\n".join(("[[index]]", f'name = "{name}"', f'url = "{url}"', *lines, ""))

    def acme(self, *lines: str, login: str = f"{LOGIN[0]}:{TOKEN}@") -> str:
        """The private index, with its login unless another is given."""
        return self.index("acme", self.private.url, *lines, login=login)

    def pypi(self, *lines: str) -> str:
        """The public index, asked last unless `lines` say otherwise."""
        return self.index("pypi", self.public.url, *(lines or ("default = true",)))

    def run(self, config: str, *arguments: str, env: Mapping[str, str] | None = None) -> Run:
        """`uv`, by default `uv pip install mine`."""
        path = self.clients.write("uv.toml", config)
        variables = {"UV_CONFIG_FILE": str(path), **(env or {})}
        return self.clients.uv(self.version, *(arguments or INSTALL), env=variables)

    def installed(self, config: str, env: Mapping[str, str] | None = None) -> str:
        """What became of `uv pip install mine`."""
        self.run(config, env=env)
        return {
            frozenset({"mine==1.0"}): "private package",
            frozenset({"mine==9.9"}): "**public look-alike**",
        }.get(frozenset(self.clients.installed("target")), "stops")

    def sends_login(self, prefix: str = "private") -> bool:
        """Whether the login came to a repository."""
        return LOGIN in logins(self.server.requests(prefix))


Probe = Callable[[Bench], str]


def _login_in_url(bench: Bench) -> str:
    bench.installed(bench.acme() + bench.pypi())
    return "at once" if logins(bench.server.requests("private")) == {LOGIN} else "after a refusal"


def _variables(bench: Bench) -> str:
    env = {"UV_INDEX_ACME_USERNAME": LOGIN[0], "UV_INDEX_ACME_PASSWORD": TOKEN}
    bench.installed(bench.acme(login="") + bench.pypi(), env)
    return "at once" if logins(bench.server.requests("private")) == {LOGIN} else "after a refusal"


def _netrc(bench: Bench) -> str:
    text = f"machine 127.0.0.1\n  login {LOGIN[0]}\n  password {TOKEN}\n"
    env = {"NETRC": str(bench.clients.write("netrc", text))}
    return bench.installed(bench.acme('authenticate = "always"', login="") + bench.pypi(), env)


def _default_first(bench: Bench) -> str:
    bench.installed(bench.pypi() + bench.acme())
    return "asked first" if bench.server.requests("public") else "asked last"


def _no_default(bench: Bench) -> str:
    bench.run(bench.acme(), "pip", "install", "--target", "target", "not-there")
    return "adds PyPI" if "pypi.org:443" in bench.server.tunnels() else "asks no other"


def _explicit(bench: Bench) -> str:
    return bench.installed(bench.acme("explicit = true") + bench.pypi())


def _always(bench: Bench) -> str:
    found = bench.installed(bench.acme('authenticate = "always"', login="") + bench.pypi())
    return found + ("" if bench.server.requests() else ", sends no request")


def _without_always(bench: Bench) -> str:
    bench.private.denied_status = 404
    return bench.installed(bench.acme(login="") + bench.pypi())


def _refused(status: int, *lines: str, top: str = "") -> Probe:
    def probe(bench: Bench) -> str:
        bench.private.denied_status = status
        return bench.installed(top + bench.acme(*lines, login="aws:stale@") + bench.pypi())

    return probe


def _strategy(name: str) -> str:
    return f'index-strategy = "{name}"\n'


def _blocked(bench: Bench) -> str:
    line = 'authenticate = "always"'
    table = bench.index("acme", "https://acme.unavailable.invalid/simple/", line)
    found = bench.installed(_strategy("unsafe-best-match") + table + bench.pypi())
    return found + ("" if bench.server.tunnels() else ", resolves no host")


def _no_index(bench: Bench) -> str:
    found = bench.installed("no-index = true\n")
    return found + ("" if bench.server.requests() else ", sends no request")


def _unknown_at_the_top(bench: Bench) -> str:
    run = bench.run("no-such-key = true\n" + bench.acme() + bench.pypi())
    return "rejects the file" if run.returncode else "ignores it"


def _unknown_in_index(bench: Bench) -> str:
    run = bench.run(bench.acme("no-such-key = true") + bench.pypi())
    return "rejects the file" if run.returncode else "ignores it"


def _shadowed(bench: Bench) -> str:
    """A project's own index of the same name and URL, without a login."""
    config = bench.clients.write("system/uv/uv.toml", bench.acme())
    project = (
        '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["mine"]\n[[tool.uv.index]]\nname = "acme"\n'
        f'url = "{bench.private.url}"\ndefault = true\n'
    )
    bench.clients.write("pyproject.toml", project)
    env = {"XDG_CONFIG_DIRS": str(config.parents[1])}
    run = bench.clients.uv(bench.version, "lock", env=env)
    return "sends it" if run.returncode == 0 and bench.sends_login() else "does not send it"


def _publish(bench: Bench) -> Run:
    wheel = make_wheel("fresh", "1.0")
    (bench.clients.directory / wheel.filename).write_bytes(wheel.content)
    login = f"{LOGIN[0]}:{TOKEN}@"
    url = bench.private.publish_url.replace("://", f"://{login}", 1)
    config = bench.acme(f'publish-url = "{url}"', "default = true")
    return bench.run(config, "publish", "--index", "acme", wheel.filename)


def _publishes(bench: Bench) -> str:
    return "uploads" if _publish(bench).returncode == 0 else "fails"


def _publish_output(bench: Bench) -> str:
    return "**shows the password**" if TOKEN in _publish(bench).output else "hides the password"


def _publish_variables(bench: Bench) -> str:
    wheel = make_wheel("fresh", "1.0")
    (bench.clients.directory / wheel.filename).write_bytes(wheel.content)
    env = {"UV_PUBLISH_URL": bench.private.publish_url}
    run = bench.run(bench.acme(), "publish", "--index", "acme", wheel.filename, env=env)
    return (
        "rejects both"
        if run.returncode == 2 and "cannot be used with" in run.output
        else "accepts both"
    )


def _beside(bench: Bench) -> str:
    refusing = bench.server.add_repository("open", accepts=lambda *given: False)
    bench.installed(bench.acme() + bench.index("open", refusing.url) + bench.pypi())
    bench.run(
        bench.acme() + bench.index("open", refusing.url) + bench.pypi(),
        "pip", "install", "--target", "other", "not-there",
    )  # fmt: skip
    return "sends it" if bench.sends_login("open") else "does not send it"


def _above(bench: Bench) -> str:
    other = ("other", "login")
    root = bench.server.add_repository("", accepts=good)
    below = bench.server.add_repository(
        "below", make_wheel("mine", "1.0"), accepts=lambda *given: given == other
    )
    tables = bench.index("root", root.url, login=f"{LOGIN[0]}:{TOKEN}@")
    tables += bench.index("below", below.url, "default = true", login="other:login@")
    found = bench.installed(tables)
    return f"sends it; {found}" if bench.sends_login("below") else "does not send it"


def _page(bench: Bench, *lines: str, login: str = f"{LOGIN[0]}:{TOKEN}@") -> str:
    """A page of links that is asked for with a login."""
    url = f"{bench.private.url}mine/"
    return bench.index(
        "acme", url, 'format = "flat"', 'authenticate = "always"', *lines, login=login
    )


def _flat(bench: Bench) -> str:
    return bench.installed(_page(bench) + bench.pypi())


def _flat_default(bench: Bench) -> str:
    found = bench.installed(_page(bench, "default = true"))
    bench.run(_page(bench, "default = true"), "pip", "install", "--target", "other", "not-there")
    return found + (", adds PyPI" if bench.server.tunnels() else ", asks no other")


def _flat_refused(bench: Bench) -> str:
    bench.private.denied_status = 404
    return bench.installed(_page(bench, login="aws:stale@") + bench.pypi())


def _flat_output(bench: Bench) -> str:
    run = bench.run(_page(bench, login="aws:stale@") + bench.pypi())
    return "**shows the password**" if "stale" in run.output else "hides the password"


def _cut_off(*lines: str, **env: str) -> Probe:
    """The private index gives no upload times."""

    def probe(bench: Bench) -> str:
        return bench.installed(bench.acme(*lines) + bench.pypi(), env)

    return probe


PROBES: dict[str, Probe] = {
    "a login in `url` is sent": _login_in_url,
    "a login in `UV_INDEX_<NAME>_*` is sent": _variables,
    'a login in netrc, with `authenticate = "always"`': _netrc,
    "an index with `default = true`, written first": _default_first,
    "a private index alone, none marked `default`": _no_default,
    "a package that is not pinned to the index with `explicit = true`": _explicit,
    'no login, with `authenticate = "always"`': _always,
    "no login, without `authenticate`, if the host answers 404": _without_always,
    "a rejected login: 401": _refused(401),
    "a rejected login: 403": _refused(403),
    "a rejected login: 404": _refused(404),
    "401 with `ignore-error-codes = [401]`": _refused(401, "ignore-error-codes = [401]"),
    "401 with `unsafe-first-match`": _refused(401, top=_strategy("unsafe-first-match")),
    "401 with `unsafe-best-match`": _refused(401, top=_strategy("unsafe-best-match")),
    "a blocked index, with `unsafe-best-match`": _blocked,
    "`no-index = true`": _no_index,
    "an unknown key at the top": _unknown_at_the_top,
    "an unknown key in `[[index]]`": _unknown_in_index,
    "a login in the system's uv.toml for an index that the project also declares": _shadowed,
    '`format = "flat"`, a page of links with a login': _flat,
    '`format = "flat"` with `default = true`, no other index': _flat_default,
    '`format = "flat"`, a rejected login: 404': _flat_refused,
    "how uv prints the login of a page that it cannot read": _flat_output,
    "`UV_EXCLUDE_NEWER`, an index without upload times": _cut_off(UV_EXCLUDE_NEWER="2026-06-01"),
    "the same, with `exclude-newer = false` in `[[index]]`": _cut_off(
        "exclude-newer = false", UV_EXCLUDE_NEWER="2026-06-01"
    ),
    '`exclude-newer = "7 days"` in `[[index]]` without upload times': _cut_off(
        'exclude-newer = "7 days"'
    ),
    "`publish-url` with a login": _publishes,
    "how `uv publish` prints it": _publish_output,
    "`uv publish --index` with `UV_PUBLISH_URL`": _publish_variables,
    "the login of one index, to another on the same host that rejects it": _beside,
    "the login of an index at a host's root, to an index below it": _above,
}
"""What the table says at the left, and how it is found out."""


def measure(version: str) -> dict[str, str]:
    """The answers of one version, each in a world of its own."""
    answers = {}
    for what, probe in PROBES.items():
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = stack.enter_context(IndexServer())
            pypi = stack.enter_context(IndexServer(log=server.log))
            answers[what] = probe(Bench(version, directory, server, pypi))
    return answers
