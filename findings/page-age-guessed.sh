#!/usr/bin/env bash
# uv and PDM guess how long an index page stays fresh; pip asks each time.
#
# A page with Last-Modified and without Cache-Control, as static file servers send it, leaves the
# age to the client (RFC 9111 section 4.2.2). One run locks 1.0, the index gets 2.0, a second run
# locks again: uv and PDM send no request for the page and do not see 2.0. `Expires: 0` means
# "already expired" (section 5.3): PDM then asks, uv still does not.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q uv==0.13.9 pip==26.3 pdm==2.29.4 hishel==1.4.0
cd "$t"
env -i PATH="$t/venv/bin:$PATH" PIP_CONFIG_FILE=/dev/null \
  PIP_DISABLE_PIP_VERSION_CHECK=1 PDM_CHECK_UPDATE=0 python - <<'PY'
import email.utils, http.server, io, os, pathlib, subprocess, sys, tempfile
import threading, time, zipfile

top = pathlib.Path.cwd()
WHEEL = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
thirty_days_ago = email.utils.formatdate(time.time() - 30 * 86400, usegmt=True)
HEADERS = {
    "neither": {},
    "Last-Modified": {"Last-Modified": thirty_days_ago},
    "Last-Modified and Expires: 0": {"Last-Modified": thirty_days_ago, "Expires": "0"},
}
LOCK = {
    "uv": "uv pip compile -q --no-header --default-index {url} requirements.in -o lock",
    "pip": "pip install -q --dry-run --ignore-installed --report lock --index-url {url} mine",
    "pdm": "pdm lock -q -L lock",
}
EXPECTED = {
    "neither": {"uv": "2.0", "pip": "2.0", "pdm": "2.0"},
    "Last-Modified": {"uv": "1.0", "pip": "2.0", "pdm": "1.0"},
    "Last-Modified and Expires: 0": {"uv": "1.0", "pip": "2.0", "pdm": "2.0"},
}
versions, headers, pages = ["1.0"], {}, []


def wheel(version):
    out, folder = io.BytesIO(), f"mine-{version}.dist-info/"
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(folder + "METADATA", f"Metadata-Version: 2.1\nName: mine\nVersion: {version}\n")
        z.writestr(folder + "WHEEL", WHEEL)
        z.writestr(folder + "RECORD", "")
    return out.getvalue()


class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/files/"):
            body, sent = wheel(self.path.split("-")[1]), {}
        else:
            pages.append(self.path)
            names = [f"mine-{version}-py3-none-any.whl" for version in versions]
            body = "".join(f'<a href="/files/{name}">{name}</a>' for name in names).encode()
            sent = {"Content-Type": "text/html", **headers}
        self.send_response(200)
        for name, value in {**sent, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


def second_lock(tool):
    """Lock twice in a new home; return the second version, "1.0" only if the page was not asked."""
    global versions
    home = pathlib.Path(tempfile.mkdtemp(dir=top))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/simple/"
    (home / "requirements.in").write_text("mine\n")
    (home / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n'
        f'dependencies = ["mine"]\n[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\n')
    environment = {**os.environ, "HOME": str(home)}
    for versions in ["1.0"], ["1.0", "2.0"]:
        (home / "lock").unlink(missing_ok=True)
        pages.clear()
        subprocess.run(LOCK[tool].format(url=url).split(), cwd=home, env=environment, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server.shutdown()
    lock = (home / "lock").read_text()
    version = "2.0" if "mine-2.0" in lock or "==2.0" in lock else "1.0"
    return version if bool(pages) == (version == "2.0") else f"{version}, page asked: {bool(pages)}"


seen = {}
for label, headers in HEADERS.items():
    seen[label] = {tool: second_lock(tool) for tool in LOCK}
print("FINDING: uv and PDM guess how long an index page stays fresh; pip asks each time")
print("versions: uv 0.13.9, pip 26.3, PDM 2.29.4 with hishel 1.4.0")
for label, row in seen.items():
    print(f"page with {label}: the second run locks {row}")
    if row != EXPECTED[label]:
        print(f"  CHANGED, was {EXPECTED[label]}")
sys.exit(seen != EXPECTED)
PY
