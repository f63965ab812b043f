#!/usr/bin/env bash
# Of two netrc entries for one host, which one counts depends on the reader, and on the URL's user.
#
# A netrc may hold several logins of one machine; ftp, for which it was made, takes the first, or
# the one whose user the URL names. Readers built on Python's `netrc` module keep the last entry of a
# host and forget the others. With the first user in the URL requests, httpx and pip send the other
# one's login; aiohttp and uv send that user with an empty password. So a file in which two teams'
# logins stand one below the other works for the second team alone, and which way the first one
# fails depends on the client.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q pip==26.3 uv==0.13.9 requests==2.34.2 httpx==0.28.1 aiohttp==3.14.5
cd "$t"
venv/bin/python - <<'PY'
import base64, http.server, pathlib, subprocess, sys, threading

EXPECTED = {
    "": {
        "requests": ["b:two"], "httpx": ["b:two"], "aiohttp": ["b:two"],
        "pip": ["b:two"], "uv": ["nobody", "b:two"],
    },
    "a@": {
        "requests": ["b:two"], "httpx": ["b:two"], "aiohttp": ["a:"],
        "pip": ["b:two"], "uv": ["a:"],
    },
}
PAGE = b'<a href="/mine-1.0-py3-none-any.whl">mine-1.0-py3-none-any.whl</a>'
top = pathlib.Path.cwd()
logins = []


class Index(http.server.BaseHTTPRequestHandler):
    """Asks for a login and accepts any that has a password."""

    def do_GET(self):
        kind, _, encoded = self.headers.get("Authorization", "").partition(" ")
        login = base64.b64decode(encoded).decode() if kind == "Basic" else "nobody"
        logins.append(login)
        accepted = login.partition(":")[2] != ""
        body = PAGE if accepted else b""
        self.send_response(200 if accepted else 401)
        if not accepted:
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


def commands(url):
    page = f"{url}mine/"
    asks = (
        "import aiohttp, asyncio\n"
        "async def ask():\n"
        "    async with aiohttp.ClientSession(trust_env=True) as session:\n"
        f"        await session.get({page!r})\n"
        "asyncio.run(ask())\n"
    )
    pip = ["-m", "pip", "download", "-q", "--no-input", "--no-deps", "--index-url", url, "mine"]
    uv = ["pip", "install", "--no-cache", "--dry-run", "--target", "there", "--default-index", url]
    python = str(top / "venv/bin/python")
    return {
        "requests": [python, "-c", f"import requests; requests.get({page!r})"],
        "httpx": [python, "-c", f"import httpx; httpx.get({page!r}, auth=httpx.NetRCAuth())"],
        "aiohttp": [python, "-c", asks],
        "pip": [python, *pip],
        "uv": [str(top / "venv/bin/uv"), *uv, "mine"],
    }


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
threading.Thread(target=server.serve_forever, daemon=True).start()
netrc = top / ".netrc"
entries = (("a", "one"), ("b", "two"))
netrc.write_text("".join(f"machine 127.0.0.1 login {u} password {p}\n" for u, p in entries))
netrc.chmod(0o600)
environment = {
    "HOME": str(top), "NETRC": str(netrc), "PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": "/dev/null",
}
seen = {}
for user in EXPECTED:
    seen[user] = {}
    for name, command in commands(f"http://{user}127.0.0.1:{server.server_port}/simple/").items():
        logins.clear()
        subprocess.run(command, cwd=top, env=environment, capture_output=True, timeout=60)
        seen[user][name] = list(dict.fromkeys(logins))

print("requests 2.34.2, httpx 0.28.1, aiohttp 3.14.5, pip 26.3, uv 0.13.9")
print("netrc: a:one, then b:two, for one host")
for user, by_client in seen.items():
    for name, sent in by_client.items():
        print(f"  {name:9} URL with {user or 'no user':8} sends {', then '.join(sent)}")
if seen != EXPECTED:
    print(f"CHANGED: it was {EXPECTED}")
    sys.exit(1)
print("FINDING: the readers of one netrc with two logins of a host do not agree on which one counts.")
PY
