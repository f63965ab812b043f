#!/usr/bin/env bash
# uv retries an index page after one 503, but not an upload; of three clients only twine does.
#
# The server answers the first upload with 503 and takes every later one. The same uv that asks
# three more times for a page gives up. twine sends the file again and succeeds.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q uv==0.13.9 twine==7.0.0 pdm==2.29.4 hishel==1.4.0
cd "$t"
env -i PATH="$t/venv/bin:$PATH" PDM_CHECK_UPDATE=0 python - <<'PY'
import http.server, os, pathlib, subprocess, sys, tempfile, threading, zipfile

top = pathlib.Path.cwd()
WHEEL = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
NAME = "mine-1.0-py3-none-any.whl"
UPLOAD = {
    "twine": "twine upload --non-interactive -u user -p secret --repository-url {url} dist/{name}",
    "uv": "uv publish -u user -p secret --publish-url {url} dist/{name}",
    "pdm": "pdm publish --no-build -r {url} -u user -P secret -d dist",
}
EXPECTED = {"twine": [503, 200], "uv": [503], "pdm": [503]}
EXPECTED_PAGES = [503, 503, 503, 404]
sent, busy = [], 0


class Index(http.server.BaseHTTPRequestHandler):
    def answer(self, last):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "POST" or "pages" in self.path:
            sent.append(503 if len(sent) < busy else last)
        self.send_response(sent[-1] if sent else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        self.answer(200)

    def do_GET(self):
        self.answer(404)

    def log_message(self, *args):
        pass


def run(command, busy_answers):
    """Run one command against a new server; return what the server answered, in order."""
    global busy
    home, busy = pathlib.Path(tempfile.mkdtemp(dir=top)), busy_answers
    (home / "dist").mkdir()
    with zipfile.ZipFile(home / "dist" / NAME, "w") as z:
        folder = "mine-1.0.dist-info/"
        z.writestr(folder + "METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
        z.writestr(folder + "WHEEL", WHEEL)
        z.writestr(folder + "RECORD", "")
    (home / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "1.0"\nrequires-python = ">=3.11"\n')
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    sent.clear()
    words = command.format(url=url + "upload/", pages=url + "pages/", name=NAME)
    environment = {**os.environ, "HOME": str(home)}
    done = subprocess.run(words.split(), cwd=home, env=environment,
                          capture_output=True, text=True)
    server.shutdown()
    accepted = done.returncode == 0
    return sent.copy() if accepted == (sent[-1:] == [200]) else [*sent, done.stdout + done.stderr]


seen = {tool: run(command, 1) for tool, command in UPLOAD.items()}
pages = run("uv pip install --dry-run --target x --default-index {pages} mine", 3)
print("FINDING: uv retries index pages but not uploads; only twine retries an upload")
print("versions: twine 7.0.0, uv 0.13.9, PDM 2.29.4")
print(f"answers to uploads: {seen}")
print(f"answers to uv's requests for a page: {pages}")
if (seen, pages) != (EXPECTED, EXPECTED_PAGES):
    print(f"CHANGED, was {EXPECTED} and {EXPECTED_PAGES}")
    sys.exit(1)
PY
