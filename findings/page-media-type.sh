#!/usr/bin/env bash
# Poetry reads an index page of any media type, uv refuses `TEXT/HTML`, pip and PDM are in between.
#
# One page of links, served with different headers. Media types ignore case (RFC 9110 section
# 8.3.1), but for uv `TEXT/HTML` is not HTML. Poetry takes the page also as text/plain, which
# object stores give to files without an extension, and without any type. A page that one tool
# installs from is for the others no index.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q uv==0.13.9 pip==26.3 pdm==2.29.4 hishel==1.4.0
python3 -m venv "$t/poetry"
"$t/poetry/bin/pip" install -q poetry==2.5.1
cd "$t"
env -i PATH="$t/venv/bin:$t/poetry/bin:$PATH" PIP_CONFIG_FILE=/dev/null \
  PIP_DISABLE_PIP_VERSION_CHECK=1 PDM_CHECK_UPDATE=0 python - <<'PY'
import http.server, io, os, pathlib, subprocess, sys, tempfile, threading, zipfile

top = pathlib.Path.cwd()
WHEEL = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
LOCK = {
    "uv": "uv pip compile -q --no-header --default-index {url} requirements.in",
    "pip": "pip install -q --dry-run --ignore-installed --index-url {url} mine",
    "poetry": "poetry lock -q",
    "pdm": "pdm lock -q",
}
ALL = {"uv": "reads", "pip": "reads", "poetry": "reads", "pdm": "reads"}
ONLY_POETRY = {"uv": "refuses", "pip": "refuses", "poetry": "reads", "pdm": "refuses"}
EXPECTED = {
    "text/html": ALL,
    "TEXT/HTML": {**ALL, "uv": "refuses"},
    "application/xhtml+xml": ONLY_POETRY,
    "text/plain": ONLY_POETRY,
    "": ONLY_POETRY,
}
media_type = ""


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
        body, kind = f'<a href="/files/{name}">{name}</a>'.encode(), media_type
        if self.path.startswith("/files/"):
            body, kind = wheel(), "application/octet-stream"
        self.send_response(200)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


def lock(tool):
    home = pathlib.Path(tempfile.mkdtemp(dir=top))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/simple/"
    (home / "requirements.in").write_text("mine\n")
    (home / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["mine"]\n'
        f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\n'
        f'[[tool.poetry.source]]\nname = "acme"\nurl = "{url}"\n')
    environment = {**os.environ, "HOME": str(home)}
    run = subprocess.run(LOCK[tool].format(url=url).split(), cwd=home, env=environment,
                         capture_output=True)
    server.shutdown()
    return "refuses" if run.returncode else "reads"


seen = {}
for media_type in EXPECTED:
    seen[media_type] = {tool: lock(tool) for tool in LOCK}
print("FINDING: Poetry reads an index page of any media type; uv refuses TEXT/HTML")
print("versions: uv 0.13.9, pip 26.3, Poetry 2.5.1, PDM 2.29.4")
for label, row in seen.items():
    print(f"{label or 'no Content-Type'}: {row}")
    if row != EXPECTED[label]:
        print(f"  CHANGED, was {EXPECTED[label]}")
sys.exit(seen != EXPECTED)
PY
