#!/usr/bin/env bash
# Five clients look one index up in the keyring under seven service names.
#
# A keyring backend logs what it is asked for and has nothing. pip asks for the index URL, then for
# host and port. uv asks only if the URL has a user name, and once more for the scheme with both.
# Poetry asks for two names of its own, one with an invented user, then for the URL without its
# last slash. twine and hatch ask for the upload URL alone. So only an entry for host and port
# serves pip, uv and Poetry, all indexes on that host share it, and twine and hatch pass it over.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q uv==0.13.9 pip==26.3 twine==7.0.0 keyring==25.7.0 hatch==1.18.2
python3 -m venv "$t/poetry"
"$t/poetry/bin/pip" install -q poetry==2.5.1
cd "$t"
cat > logging_keyring.py <<'PY'
import os
import keyring.backend


class LoggingKeyring(keyring.backend.KeyringBackend):
    priority = 9

    def get_password(self, service, username):
        with open(os.environ["LOOKUPS"], "a") as log:
            log.write(f"{service} {username}\n")

    get_credential = get_password

    def set_password(self, service, username, password):
        raise NotImplementedError
PY
env -i PATH="$t/venv/bin:$t/poetry/bin:$PATH" HOME="$t" LOOKUPS="$t/lookups" PYTHONPATH="$t" \
  PYTHON_KEYRING_BACKEND=logging_keyring.LoggingKeyring PIP_CONFIG_FILE=/dev/null \
  PIP_DISABLE_PIP_VERSION_CHECK=1 python - <<'PY'
import http.server, pathlib, subprocess, sys, threading, zipfile

top = pathlib.Path.cwd()
WHEEL = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
NAME = "mine-1.0-py3-none-any.whl"
UV = "uv pip install --dry-run --target x --keyring-provider subprocess mine --default-index "
COMMANDS = {
    "pip": "pip install --no-input --dry-run --keyring-provider import --index-url {page} mine",
    "uv": UV + "{page}",
    "uv, user in the URL": UV + "{named}",
    "poetry": "poetry lock --no-interaction",
    "twine": "twine upload --non-interactive --repository-url {upload} dist/" + NAME,
    "hatch": "hatch publish --no-prompt -u joe -r {upload} dist/" + NAME,
}
EXPECTED = {
    "pip": ["http://HOST/team/simple/ None", "HOST None"],
    "uv": [],
    "uv, user in the URL": ["http://HOST/team/simple/ joe", "HOST joe", "http://HOST joe"],
    "poetry": ["python-poetry-check python-poetry",
               "poetry-repository-acme __poetry_source_empty_username__",
               "http://HOST/team/simple None", "HOST None"],
    "twine": ["http://HOST/team/upload/ None"],
    "hatch": ["http://HOST/team/upload/ joe"],
}


class Refusing(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="index"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
threading.Thread(target=server.serve_forever, daemon=True).start()
host = f"127.0.0.1:{server.server_port}"
(top / "dist").mkdir()
with zipfile.ZipFile(top / "dist" / NAME, "w") as z:
    z.writestr("mine-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    z.writestr("mine-1.0.dist-info/WHEEL", WHEEL)
(top / "pyproject.toml").write_text(
    '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["mine"]\n'
    f'[[tool.poetry.source]]\nname = "acme"\nurl = "http://{host}/team/simple/"\n')
seen = {}
for client, command in COMMANDS.items():
    (top / "lookups").write_text("")
    words = command.format(page=f"http://{host}/team/simple/", upload=f"http://{host}/team/upload/",
                           named=f"http://joe@{host}/team/simple/").split()
    subprocess.run(words, capture_output=True)
    lookups = (top / "lookups").read_text().replace(host, "HOST").splitlines()
    seen[client] = list(dict.fromkeys(lookups))
print("FINDING: five clients look one index up in the keyring under seven service names")
print("versions: keyring 25.7.0, pip 26.3, uv 0.13.9, Poetry 2.5.1, twine 7.0.0, hatch 1.18.2")
for client, lookups in seen.items():
    print(f"{client}: {lookups}")
    if lookups != EXPECTED[client]:
        print(f"  CHANGED, was {EXPECTED[client]}")
names = {lookup.rsplit(" ", 1)[0] for lookups in seen.values() for lookup in lookups}
print(f"{len(names)} names: {sorted(names)}")
sys.exit(seen != EXPECTED)
PY
