#!/usr/bin/env bash
# The asynchronous leader election of the kubernetes client writes local time and calls it UTC.
#
# Both elections of one package renew the same Lease, in a process whose clock shows UTC+5:30. The
# synchronous one writes the moment. The asynchronous one puts a "Z" behind the local time: by the
# Lease, the renewal is five and a half hours ahead. Candidates wait for changes of the Lease and do
# not mind; a person or a dashboard that reads renewTime is misled.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q kubernetes==37.0.2
cd "$t"
env -i PATH="$PATH" HOME="$t" TZ=IST-05:30 venv/bin/python - <<'PY'
import asyncio, datetime, http.server, json, sys, threading
import kubernetes.aio.client
import kubernetes.client
from kubernetes.aio.leaderelection import electionconfig as aio_config
from kubernetes.aio.leaderelection import leaderelection as aio_election
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock as AioLeaseLock
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

LEASE = {
    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
    "metadata": {"name": "leader", "namespace": "default", "resourceVersion": "1"},
    "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15,
             "acquireTime": "2026-11-30T00:00:00.000001Z",
             "renewTime": "2026-11-30T00:00:00.000001Z"},
}
written = []


class ApiServer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(LEASE)

    def do_PUT(self):
        written.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(written[-1])

    def answer(self, lease):
        body = json.dumps(lease).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def hours_ahead():
    """Hours by which the renewTime just written is ahead of the clock."""
    renewed = datetime.datetime.fromisoformat(written.pop()["spec"]["renewTime"])
    return round((renewed - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 3600, 1)


def renew(host):
    configuration = kubernetes.client.Configuration(host=host)
    kubernetes.client.Configuration.set_default(configuration)
    config = electionconfig.Config(
        LeaseLock("leader", "default", "me"), lease_duration=15, renew_deadline=10,
        retry_period=2, onstarted_leading=lambda: None, onstopped_leading=lambda: None)
    return leaderelection.LeaderElection(config).try_acquire_or_renew()


async def work():
    """What a leader would do."""


async def aio_renew(host):
    configuration = kubernetes.aio.client.Configuration(host=host)
    async with kubernetes.aio.client.ApiClient(configuration) as api_client:
        config = aio_config.Config(
            AioLeaseLock("leader", "default", "me", api_client), lease_duration=15,
            renew_deadline=10, retry_period=2, onstarted_leading=work, onstopped_leading=work)
        return await aio_election.LeaderElection(config).try_acquire_or_renew()


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ApiServer)
threading.Thread(target=server.serve_forever, daemon=True).start()
host = f"http://127.0.0.1:{server.server_port}"
seen = {}
assert renew(host), "the synchronous election did not renew"
seen["synchronous"] = hours_ahead()
assert asyncio.run(aio_renew(host)), "the asynchronous election did not renew"
seen["asynchronous"] = hours_ahead()
EXPECTED = {"synchronous": 0.0, "asynchronous": 5.5}
print("FINDING: kubernetes.aio's leader election writes local time into the Lease and calls it UTC")
print("versions: kubernetes 37.0.2")
for label, hours in seen.items():
    print(f"{label}: at UTC+5:30, renewTime is {abs(hours)} hours ahead of the clock")
if seen != EXPECTED:
    print(f"CHANGED, was {EXPECTED}")
    sys.exit(1)
PY
