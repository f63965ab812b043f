#!/usr/bin/env bash
# One busy answer for an index page: uv retries, PDM does not, pip reads 429 as "no versions".
#
# The index answers a single 503, or a single 429, and serves the page from then on. uv asks again
# in both cases. pip asks again after 503, and after 429 only if Retry-After is there; without it
# pip says "from versions: none", as if the package did not exist. PDM ends at the first answer,
# with Retry-After too.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q uv==0.13.9 pip==26.3 pdm==2.29.4 hishel==1.4.0
cd "$t"
env -i PATH="$t/venv/bin:$PATH" PIP_CONFIG_FILE=/dev/null \
  PIP_DISABLE_PIP_VERSION_CHECK=1 PDM_CHECK_UPDATE=0 python - <<'PY'
import http.server, io, os, pathlib, subprocess, sys, tempfile, threading, zipfile

top = pathlib.Path.cwd()
WHEEL = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
LOCK = {
    "uv": "uv pip compile -q --no-header --default-index {url} requirements.in -o lock",
    "pip": "pip install -q --dry-run --ignore-installed --report lock --index-url {url} mine",
    "pdm": "pdm lock -q -L lock",
}
BUSY = {"503": (503, {}), "429": (429, {}), "429, Retry-After: 1": (429, {"Retry-After": "1"})}
LOCKED, FAILED, NONE = "locks", "fails", 'fails, says "from versions: none"'
EXPECTED = {
    "503": {"uv": LOCKED, "pip": LOCKED, "pdm": FAILED},
    "429": {"uv": LOCKED, "pip": NONE, "pdm": FAILED},
    "429, Retry-After: 1": {"uv": LOCKED, "pip": LOCKED, "pdm": FAILED},
}
answers = []


def wheel():
    out, folder = io.BytesIO(), "mine-1.0.dist-info/"
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(folder + "METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
        z.writestr(folder + "WHEEL", WHEEL)
        z.writestr(folder + "RECORD", "")
    return out.getvalue()


class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = "mine-1.0-py3-none-any.whl"
        status, headers = 200, {"Content-Type": "text/html"}
        body = f'<a href="/{name}">{name}</a>'.encode()
        if self.path.endswith(name):
            headers, body = {}, wheel()
        elif answers:
            (status, headers), body = answers.pop(), b""
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


def lock_against(busy, tool):
    """Lock in a new home against an index whose first answer is `busy`."""
    home = pathlib.Path(tempfile.mkdtemp(dir=top))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/simple/"
    (home / "requirements.in").write_text("mine\n")
    (home / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n'
        f'dependencies = ["mine"]\n[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\n')
    environment = {**os.environ, "HOME": str(home)}
    answers[:] = [busy]
    run = subprocess.run(LOCK[tool].format(url=url).split(), cwd=home, env=environment,
                         capture_output=True, text=True)
    server.shutdown()
    if run.returncode:
        return NONE if "from versions: none" in run.stderr else FAILED
    return LOCKED


seen = {label: {tool: lock_against(busy, tool) for tool in LOCK} for label, busy in BUSY.items()}
print('FINDING: one busy answer: uv retries, PDM does not, pip reads 429 as "no versions"')
print("versions: uv 0.13.9, pip 26.3, PDM 2.29.4 with hishel 1.4.0")
for label, row in seen.items():
    print(f"the first answer is {label}: {row}")
    if row != EXPECTED[label]:
        print(f"  CHANGED, was {EXPECTED[label]}")
sys.exit(seen != EXPECTED)
PY
