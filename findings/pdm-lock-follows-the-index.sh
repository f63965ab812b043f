#!/usr/bin/env bash
# pdm.lock names no index, and its check sees a move of the index in one place but not the other.
#
# The index moves from one address to another, with the same files. If pyproject.toml holds the URL,
# `pdm lock --check` fails; if PDM_PYPI_URL holds it, the check passes. `pdm sync` takes the files
# from the new address either way, with only a warning in the first case. Poetry writes the URL,
# without its last slash, into its lock and stops.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q pdm==2.29.4 hishel==1.4.0
python3 -m venv "$t/poetry"
"$t/poetry/bin/pip" install -q poetry==2.5.1
cd "$t"
env -i PATH="$t/venv/bin:$t/poetry/bin:$PATH" PDM_CHECK_UPDATE=0 python - <<'PY'
import http.server, io, os, pathlib, subprocess, sys, tempfile, threading, zipfile

top = pathlib.Path.cwd()
WHEEL = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
NAME = "mine-1.0-py3-none-any.whl"
EXPECTED = {
    "PDM, URL in pyproject.toml": ("check fails", "install works", ["new"], "no URL"),
    "PDM, URL in PDM_PYPI_URL": ("check passes", "install works", ["new"], "no URL"),
    "Poetry, URL in pyproject.toml": ("check fails", "install fails", [], "URL without last slash"),
}
asked = []


def wheel():
    out, folder = io.BytesIO(), "mine-1.0.dist-info/"
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(folder + "METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
        z.writestr(folder + "WHEEL", WHEEL)
        names = [folder + "METADATA", folder + "WHEEL", folder + "RECORD"]
        z.writestr(folder + "RECORD", "".join(f"{name},,\n" for name in names))
    return out.getvalue()


MINE = wheel()


class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.server.label)
        body, kind = f'<a href="/files/{NAME}">{NAME}</a>'.encode(), "text/html"
        if self.path.startswith("/files/"):
            body, kind = MINE, "application/octet-stream"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def start(label):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    server.label = label
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/simple/"


def move(tool, variable):
    """Lock with the old index, then check the lock and install from it with the new one."""
    home, old, new = pathlib.Path(tempfile.mkdtemp(dir=top)), start("old"), start("new")

    def run(words, url):
        name = "pypi" if tool == "pdm" else "acme"
        source = f'[[tool.{tool}.source]]\nname = "{name}"\nurl = "{url}"\n'
        (home / "pyproject.toml").write_text(
            '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11,<4"\n'
            'dependencies = ["mine"]\n[tool.pdm]\ndistribution = false\n'
            "[tool.poetry]\npackage-mode = false\n" + ("" if variable else source))
        environment = {**os.environ, "HOME": str(home), **({variable: url} if variable else {})}
        run = subprocess.run(words.split(), cwd=home, env=environment, capture_output=True)
        return "works" if run.returncode == 0 else "fails"

    assert run(f"{tool} lock", old) == "works"
    check = run("pdm lock --check" if tool == "pdm" else "poetry check --lock", new)
    asked.clear()
    install = run("pdm sync" if tool == "pdm" else "poetry install", new)
    lock = (home / f"{tool}.lock").read_text()
    in_lock = "a URL" if "http://" in lock else "no URL"
    if f'"{old.rstrip("/")}"' in lock:
        in_lock = "URL without last slash"
    verdict = check.replace("works", "passes")
    return f"check {verdict}", f"install {install}", sorted(set(asked)), in_lock


seen = {
    "PDM, URL in pyproject.toml": move("pdm", ""),
    "PDM, URL in PDM_PYPI_URL": move("pdm", "PDM_PYPI_URL"),
    "Poetry, URL in pyproject.toml": move("poetry", ""),
}
print("FINDING: pdm.lock names no index, and its check sees a moved index in one place only")
print("versions: PDM 2.29.4, Poetry 2.5.1")
for label, (check, install, servers, in_lock) in seen.items():
    print(f"{label}: {check}, {install}, asked {servers}, the lock holds {in_lock}")
    if seen[label] != EXPECTED[label]:
        print(f"  CHANGED, was {EXPECTED[label]}")
sys.exit(seen != EXPECTED)
PY
