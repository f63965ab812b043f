#!/usr/bin/env bash
# botocore passes over Retry-After; it heeds x-amz-retry-after, in milliseconds, up to 5 seconds.
#
# A local STS answers 503 once, then 200. With `Retry-After: 4` the second request comes at once,
# as without a header. With `x-amz-retry-after: 2000` it comes after two seconds, and with 60000
# after five, not sixty. So a proxy that answers for AWS slows no client with the standard header.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q botocore==1.44.8
cd "$t"
env -i PATH="$PATH" HOME="$t" AWS_EC2_METADATA_DISABLED=true venv/bin/python - <<'PY'
import http.server, sys, threading, time
import botocore.session

# Header of the 503: bounds of the pause in seconds. The back-off without a header is under 0.2 s.
EXPECTED = {
    "no header": ({}, 0, 1.5),
    "Retry-After: 4": ({"Retry-After": "4"}, 0, 1.5),
    "x-amz-retry-after: 2000": ({"x-amz-retry-after": "2000"}, 2, 4),
    "x-amz-retry-after: 60000": ({"x-amz-retry-after": "60000"}, 5, 20),
}
CALLER = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    "<GetCallerIdentityResult><Account>111122223333</Account></GetCallerIdentityResult>"
    "</GetCallerIdentityResponse>"
)
arrivals, headers = [], {}


class Sts(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        arrivals.append(time.monotonic())
        first = len(arrivals) == 1
        body = "" if first else CALLER
        self.send_response(503 if first else 200)
        for name, value in {**(headers if first else {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sts)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = botocore.session.Session().create_client(
    "sts", region_name="eu-west-1", endpoint_url=f"http://127.0.0.1:{server.server_port}",
    aws_access_key_id="example", aws_secret_access_key="example")
print("FINDING: botocore passes over Retry-After and heeds x-amz-retry-after, up to 5 seconds")
print("versions: botocore 1.44.8")
changed = False
for label, (headers, least, most) in EXPECTED.items():
    arrivals.clear()
    client.get_caller_identity()
    pause = arrivals[1] - arrivals[0]
    fits = len(arrivals) == 2 and least <= pause < most
    changed |= not fits
    print(f"503 with {label}: asks again after {pause:.1f} s" + ("" if fits else "  CHANGED"))
sys.exit(changed)
PY
