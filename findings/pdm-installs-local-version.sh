#!/usr/bin/env bash
# PDM locks 1.0 and installs 1.0+acme.1 from that lock.
#
# An index holds mine 1.0 and a patched build, 1.0+acme.1. By the version rules `mine==1.0` allows
# both and the local one sorts higher: pip and uv choose 1.0+acme.1 and say so. PDM writes
# version 1.0 into the lock with the files of both, `pdm sync` says "Install mine 1.0", and what it
# installs calls itself 1.0+acme.1. A second sync sees nothing to do.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q uv==0.13.9 pip==26.3 pdm==2.29.4 hishel==1.4.0
mkdir "$t/app"
cd "$t/app"
env -i HOME="$t" NO_COLOR=1 PATH="$t/venv/bin:$PATH" PIP_CONFIG_FILE=/dev/null \
  PIP_DISABLE_PIP_VERSION_CHECK=1 PDM_CHECK_UPDATE=0 python - <<'PY'
import http.server, io, json, pathlib, re, subprocess, sys, threading, tomllib, urllib.parse
import zipfile

app = pathlib.Path.cwd()
WHEEL = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel(version):
    out, folder = io.BytesIO(), f"mine-{version}.dist-info/"
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("mine.py", "")
        z.writestr(folder + "METADATA", f"Metadata-Version: 2.1\nName: mine\nVersion: {version}\n")
        z.writestr(folder + "WHEEL", WHEEL)
        names = ["mine.py", folder + "METADATA", folder + "WHEEL", folder + "RECORD"]
        z.writestr(folder + "RECORD", "".join(f"{name},,\n" for name in names))
    return out.getvalue()


FILES = {f"mine-{v}-py3-none-any.whl": wheel(v) for v in ("1.0", "1.0+acme.1")}


class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = urllib.parse.unquote(self.path).removeprefix("/files/")
        body, kind = "".join(f'<a href="/files/{n}">{n}</a>' for n in FILES).encode(), "text/html"
        if name in FILES:
            body, kind = FILES[name], "application/octet-stream"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


def run(command):
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/simple/"
(app / "requirements.in").write_text("mine==1.0\n")
(app / "pyproject.toml").write_text(
    '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n'
    'dependencies = ["mine==1.0"]\n'
    f'[tool.pdm]\ndistribution = false\n[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\n')
report = run(f"pip install -q --dry-run --ignore-installed --report - --index-url {url} mine==1.0")
pip = json.loads(report)["install"][0]["metadata"]["version"]
uv = run(f"uv pip compile -q --no-header --no-annotate --default-index {url} requirements.in")
run("pdm lock -q")
locked = tomllib.loads((app / "pdm.lock").read_text())["package"][0]
first, second = run("pdm sync"), run("pdm sync")
installed = json.loads(run("pdm list --json"))
seen = {
    "pip chooses": pip,
    "uv chooses": uv.strip(),
    "pdm.lock": (locked["version"], sorted(file["file"] for file in locked["files"])),
    "pdm sync says": re.findall(r"Install mine \S+", first),
    "pdm list": [(package["name"], package["version"]) for package in installed],
    "the second sync has nothing to do": "nothing to do" in second,
}
EXPECTED = {
    "pip chooses": "1.0+acme.1",
    "uv chooses": "mine==1.0+acme.1",
    "pdm.lock": ("1.0", sorted(FILES)),
    "pdm sync says": ["Install mine 1.0"],
    "pdm list": [("mine", "1.0+acme.1")],
    "the second sync has nothing to do": True,
}
print("FINDING: PDM locks 1.0 and installs 1.0+acme.1 from that lock")
print("versions: PDM 2.29.4, pip 26.3, uv 0.13.9")
for what, value in seen.items():
    print(f"{what}: {value}")
    if value != EXPECTED[what]:
        print(f"  CHANGED, was {EXPECTED[what]}")
sys.exit(seen != EXPECTED)
PY
