#!/usr/bin/env bash
# uv sends the login in `publish-url` as it is encoded there.
#
# An index's `url` takes a login percent-encoded, and uv decodes it before it asks. In the same
# table, `publish-url` takes one as well, but `uv publish` sends what stands there: of the password
# `tok==`, which a URL holds as `tok%3D%3D`, the server sees `tok%3D%3D` and answers 401. With the
# user name alone in `publish-url`, uv takes the index's own login for the upload, decoded.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q uv==0.13.9
cd "$t"
venv/bin/python - <<'PY'
import base64, http.server, os, pathlib, subprocess, sys, threading, zipfile

top = pathlib.Path.cwd()
WHEEL = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
EXPECTED = {
    "joe:tok%3D%3D@": ["GET joe tok==", "POST joe tok%3D%3D", "exit 2"],
    "joe@": ["GET joe tok==", "POST joe tok==", "exit 0"],
}
seen = []


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200)

    def do_GET(self):
        self.answer(404)

    def answer(self, code):
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        user, _, password = base64.b64decode(given).decode().partition(":")
        entry = f"{self.command} {user} {password}"
        if entry not in seen:
            seen.append(entry)
        self.send_response(code if password == "tok==" else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


NAME = "mine-1.0-py3-none-any.whl"
with zipfile.ZipFile(top / NAME, "w") as z:
    folder = "mine-1.0.dist-info/"
    z.writestr(folder + "METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    z.writestr(folder + "WHEEL", WHEEL)
    z.writestr(folder + "RECORD", "")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
host = f"127.0.0.1:{server.server_port}"
found = {}
for login in EXPECTED:
    seen.clear()
    (top / "uv.toml").write_text(
        f'[[index]]\nname = "acme"\nurl = "http://joe:tok%3D%3D@{host}/simple/"\n'
        f'publish-url = "http://{login}{host}/up/"\n'
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(top), "UV_CONFIG_FILE": "uv.toml"}
    command = ["venv/bin/uv", "publish", "--index", "acme", NAME]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    found[login] = [*seen, f"exit {run.returncode}"]
print("FINDING: uv publish sends the login in publish-url percent-encoded, as it stands there")
print("versions: uv 0.13.9")
for login, log in found.items():
    print(f"publish-url with {login}: {log}")
if found != EXPECTED:
    print(f"CHANGED, was {EXPECTED}")
    sys.exit(1)
PY
