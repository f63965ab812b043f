#!/usr/bin/env bash
# hatch reads `+simple/` below any upload URL before it uploads, and uploads on any error.
#
# `+simple` is where devpi keeps its index. `hatch publish --repo URL` asks every server for
# URL/%2Bsimple/NAME/, the plus sign encoded, with the login of the upload. 404, 401 and 500 change
# nothing: the upload follows. Only a page that links the very file makes hatch skip it. So a
# server's log shows a failed login or a 500 for each upload that went well.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q hatch==1.18.2
cd "$t"
venv/bin/python - <<'PY'
import hashlib, http.server, os, pathlib, subprocess, sys, threading, zipfile

top = pathlib.Path.cwd()
WHEEL = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
NAME = "mine-1.0-py3-none-any.whl"
READ, POST = "GET /up/%2Bsimple/mine/ with login", "POST /up/ with login"
EXPECTED = {404: [READ, POST], 401: [READ, POST], 500: [READ, POST], 200: [READ]}
requests, status = [], 0


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, b"")

    def do_GET(self):
        digest = hashlib.sha256((top / "dist" / NAME).read_bytes()).hexdigest()
        self.answer(status, f'<a href="/files/{NAME}#sha256={digest}">{NAME}</a>'.encode())

    def answer(self, code, body):
        login = "with" if "Authorization" in self.headers else "without"
        requests.append(f"{self.command} {self.path} {login} login")
        self.send_response(code)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


(top / "dist").mkdir()
with zipfile.ZipFile(top / "dist" / NAME, "w") as z:
    folder = "mine-1.0.dist-info/"
    z.writestr(folder + "METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    z.writestr(folder + "WHEEL", WHEEL)
    z.writestr(folder + "RECORD", "")
(top / "pyproject.toml").write_text('[project]\nname = "mine"\nversion = "1.0"\n')
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
command = ["hatch", "publish", "--no-prompt", "-u", "user", "-a", "example", "-r",
           f"http://127.0.0.1:{server.server_port}/up/"]
environment = {"PATH": f"{top}/venv/bin:{os.environ['PATH']}", "HOME": str(top)}
seen, outputs = {}, {}
for status in EXPECTED:
    requests.clear()
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    seen[status], outputs[status] = requests.copy(), (run.returncode, run.stdout + run.stderr)
print("FINDING: hatch reads +simple/ below any upload URL first, and uploads on any error")
print("versions: hatch 1.18.2")
for status, log in seen.items():
    print(f"the page answers {status}: {log}, exit {outputs[status][0]}")
print(f"with the file on the page hatch says: {outputs[200][1].strip()}")
if seen != EXPECTED or [code for code, _ in outputs.values()] != [0, 0, 0, 0]:
    print(f"CHANGED, was {EXPECTED}, exit 0 each")
    sys.exit(1)
PY
