#!/usr/bin/env bash
# For pip an empty value in a file means "none", in a variable "not set".
#
# A user's pip.conf has an extra-index-url. `extra-index-url =` in the virtual environment's file,
# which ranks higher, takes it away. PIP_EXTRA_INDEX_URL="" ranks higher still and takes nothing
# away: pip goes by the file then.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q pip==26.3
cd "$t"
venv/bin/python - <<'PY'
import http.server, pathlib, subprocess, sys, threading

top = pathlib.Path.cwd()
asked = []


class Empty(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path.split("/")[1])
        self.send_error(404)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Empty)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
user_file = top / ".config" / "pip" / "pip.conf"
user_file.parent.mkdir(parents=True)
user_file.write_text(f"[global]\nindex-url = {url}/main/\nextra-index-url = {url}/extra/\n")
site_file = top / "venv" / "pip.conf"


def indexes(site, **variables):
    """The indexes that pip asks with this site file (none if empty) and these variables."""
    site_file.write_text(site)
    asked.clear()
    environment = {"HOME": str(top), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = ["venv/bin/pip", "download", "-q", "--no-deps", "--retries", "0", "mine"]
    subprocess.run(command, env=environment | variables, capture_output=True)
    return asked.copy()


EMPTY_LINE = "[global]\nextra-index-url =\n"
seen = {
    "the user's file alone": indexes(""),
    "an empty line in the environment's file": indexes(EMPTY_LINE),
    "an empty variable": indexes("", PIP_EXTRA_INDEX_URL=""),
    "an empty variable for the main index": indexes(EMPTY_LINE, PIP_INDEX_URL=""),
}
EXPECTED = {
    "the user's file alone": ["main", "extra"],
    "an empty line in the environment's file": ["main"],
    "an empty variable": ["main", "extra"],
    "an empty variable for the main index": ["main"],
}
print('FINDING: for pip an empty value in a file means "none", in a variable "not set"')
print("versions: pip 26.3")
for label, names in seen.items():
    print(f"{label}: asks {names}")
    if names != EXPECTED[label]:
        print(f"  CHANGED, was {EXPECTED[label]}")
sys.exit(seen != EXPECTED)
PY
