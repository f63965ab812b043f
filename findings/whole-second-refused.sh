#!/usr/bin/env bash
# A Lease last renewed on a whole second cannot be read and written back with the Python client.
#
# A MicroTime in JSON has exactly six digits behind the point. The API server writes six zeros for a
# whole second, the client reads a datetime, and `isoformat()` leaves the six out: Kubernetes'
# decoder refuses the whole object, though nobody touched that field. Of times taken from a clock it
# is one in a million, so no test meets it; of rounded ones it is each. Times of the other type,
# such as a `creationTimestamp`, may have digits or none.
set -euo pipefail
t=$(mktemp -d)
trap 'chmod -R u+w "$t"; rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q kubernetes==37.0.2
cd "$t"
cat >go.mod <<'MOD'
module decoder

go 1.26.0

require (
	k8s.io/api v0.37.2
	k8s.io/apimachinery v0.37.2
)
MOD
cat >main.go <<'GO'
// Decodes one object as an API server does and writes it as one.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	coordination "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

func main() {
	scheme := runtime.NewScheme()
	if err := coordination.AddToScheme(scheme); err != nil {
		panic(err)
	}
	text, _ := io.ReadAll(os.Stdin)
	decoder := serializer.NewCodecFactory(scheme).UniversalDeserializer()
	object, _, err := decoder.Decode(text, nil, nil)
	if err != nil {
		fmt.Fprint(os.Stderr, err)
		os.Exit(3)
	}
	written, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(written))
}
GO
export GOFLAGS="-modcacherw -mod=mod -trimpath" GOPATH="$t/go"
go build -o decoder . 2>/dev/null
env -i PATH="$PATH" HOME="$t" venv/bin/python - <<'PY'
import asyncio, http.server, json, subprocess, sys, threading
import kubernetes.aio.client
import kubernetes.client

TIMES = ["2026-12-01T00:00:00.000000Z", "2026-12-01T00:00:00.000001Z", "2026-12-01T00:00:00.500000Z"]
EXPECTED = {TIMES[0]: ["refused"] * 2, TIMES[1]: ["taken"] * 2, TIMES[2]: ["taken"] * 2}
stored, written = {}, []


def decode(lease):
    """Kubernetes' own JSON of a Lease, and what its decoder says against it."""
    done = subprocess.run(["./decoder"], input=json.dumps(lease), capture_output=True, text=True)
    assert done.returncode in (0, 3), done.stderr
    return json.loads(done.stdout or "null"), done.stderr


class ApiServer(http.server.BaseHTTPRequestHandler):
    """Answers every request with the stored Lease and keeps what was sent."""

    def do_GET(self):
        body = json.dumps(stored).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        written.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.do_GET()

    def log_message(self, *args):
        pass


def through(host):
    configuration = kubernetes.client.Configuration(host=host)
    api = kubernetes.client.CoordinationV1Api(kubernetes.client.ApiClient(configuration))
    api.replace_namespaced_lease("one", "default", api.read_namespaced_lease("one", "default"))


async def aio_through(host):
    configuration = kubernetes.aio.client.Configuration(host=host)
    async with kubernetes.aio.client.ApiClient(configuration) as api_client:
        api = kubernetes.aio.client.CoordinationV1Api(api_client)
        lease = await api.read_namespaced_lease("one", "default")
        await api.replace_namespaced_lease("one", "default", lease)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ApiServer)
threading.Thread(target=server.serve_forever, daemon=True).start()
host = f"http://127.0.0.1:{server.server_port}"
seen = {}
print("FINDING: what Kubernetes writes for a whole second, the Python client does not give back")
print("versions: kubernetes 37.0.2, k8s.io/api and k8s.io/apimachinery 0.37.2")
for time in TIMES:
    stored, _ = decode({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "one", "namespace": "default"}, "spec": {"renewTime": time}})
    assert stored["spec"]["renewTime"] == time  # as Kubernetes itself writes it
    through(host)
    asyncio.run(aio_through(host))
    said = [decode(lease)[1] for lease in written]
    seen[time] = ["refused" if reason else "taken" for reason in said]
    sent = {lease["spec"]["renewTime"] for lease in written}
    print(f"read {time}, sent {', '.join(sent)}: {' and '.join(seen[time])}")
    for reason in sorted(filter(None, set(said))):
        print(f"  {reason.partition('Time: ')[2] or reason}")
    written.clear()
if seen != EXPECTED:
    print(f"CHANGED, was {EXPECTED}")
    sys.exit(1)
PY
