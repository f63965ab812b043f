#!/usr/bin/env bash
# azure-identity goes on with a workload token that its file no longer holds and Entra has refused.
#
# Kubernetes replaces a projected token at four fifths of its life; each cloud's client trades what
# the file holds for a login. google-auth and botocore read the file for each trade.
# `WorkloadIdentityCredential` keeps what it read for ten minutes, and does not look again when
# Entra answers that this token has ended. With a life of one hour the old token outlasts that, with
# less than fifty minutes it need not: at ten minutes, the least that Kubernetes grants, a login
# may fail for eight. The message says that the assertion is out of time, while the file is right.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q azure-identity==1.27.0 azure-core==1.41.0 msal==1.39.0 \
  google-auth==2.63.0 requests==2.34.2 botocore==1.44.8
cd "$t"
env -i PATH="$PATH" HOME="$t" AWS_EC2_METADATA_DISABLED=true venv/bin/python - <<'PY'
import datetime, http.server, json, logging, pathlib, sys, threading, time, urllib.parse
from unittest import mock

import botocore.session
import google.auth.identity_pool
import google.auth.transport.requests
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import WorkloadIdentityCredential

logging.getLogger("azure.identity").addHandler(logging.NullHandler())
token_file = pathlib.Path("token")
received = []
MINUTES = (0, 5, 9, 11)
EXPECTED = {
    "azure-identity": ["first", "first refused", "first refused", "second"],
    "google-auth": ["first", "second", "second", "second"],
    "botocore": ["first", "second", "second", "second"],
}


class Sts(http.server.BaseHTTPRequestHandler):
    """The clouds' token endpoint: it trades the token that the file holds and refuses any other."""

    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        fields = urllib.parse.parse_qs(form)
        names = ("client_assertion", "subject_token", "WebIdentityToken")
        token = next(fields[name][0] for name in names if name in fields)
        current = token == token_file.read_text()
        received.append(token if current else f"{token} refused")
        if "WebIdentityToken" in fields:
            self.answer(200 if current else 400, "text/xml", aws_answer())
        elif current:
            self.answer(200, "application/json", json.dumps({
                "access_token": "example", "token_type": "Bearer", "expires_in": 3600,
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}))
        else:
            self.answer(400, "application/json", json.dumps({
                "error": "invalid_client", "error_codes": [700024],
                "error_description": "AADSTS700024: Client assertion is out of its time."}))

    def answer(self, status, kind, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def aws_answer():
    # Five minutes: botocore asks for the next login each time it is asked for one.
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)
    credentials = (
        "<AccessKeyId>AKIDEXAMPLE</AccessKeyId><SecretAccessKey>example</SecretAccessKey>"
        f"<SessionToken>example</SessionToken><Expiration>{end.isoformat()}</Expiration>")
    return (
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>"
        f"<Credentials>{credentials}</Credentials>"
        "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sts)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


class Transport(RequestsTransport):
    """azure-identity takes only https for Entra: this carries its request to the stand-in."""

    def send(self, request, **options):
        request.url = url
        return super().send(request, **options)


azure_login = WorkloadIdentityCredential(
    tenant_id="11111111-2222-3333-4444-555555555555", client_id="client",
    token_file_path=str(token_file), transport=Transport())
google_login = google.auth.identity_pool.Credentials(
    audience="//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/p",
    subject_token_type="urn:ietf:params:oauth:token-type:jwt", token_url=url,
    credential_source={"file": str(token_file)})
aws_config = pathlib.Path("aws")
aws_config.write_text(
    "[default]\nregion = eu-west-1\nrole_arn = arn:aws:iam::123456789012:role/reader\n"
    f"web_identity_token_file = {token_file}\nendpoint_url = {url}\n")
aws_session = botocore.session.Session()
aws_session.set_config_variable("config_file", str(aws_config))


def azure(trade):
    try:
        azure_login.get_token(f"scope-{trade}/.default")  # another scope: no login to reuse
    except ClientAuthenticationError as error:
        assert "AADSTS700024" in str(error), error


def of_google(trade):
    google_login.refresh(google.auth.transport.requests.Request())


def aws(trade):
    aws_session.get_credentials().get_frozen_credentials()


seen = {name: [] for name in EXPECTED}
asking = {"azure-identity": azure, "google-auth": of_google, "botocore": aws}
token_file.write_text("first")
start = time.time()
for trade, minutes in enumerate(MINUTES):
    # Only `time.time` is moved, so as not to wait: nothing else of the clients is touched.
    with mock.patch("time.time", lambda: start + minutes * 60):
        for name, ask in asking.items():
            received.clear()
            ask(trade)
            seen[name].append(received[-1])
    token_file.write_text("second")  # as the kubelet does, once

print("FINDING: azure-identity goes on with a token that the file no longer holds, refused or not")
print("versions: azure-identity 1.27.0, google-auth 2.63.0, botocore 1.44.8")
print("the file holds `first` for one login of each client, and `second` from then on;")
print(f"asked for logins after {', '.join(map(str, MINUTES))} minutes, they send")
for name, sent in seen.items():
    print(f"  {name:15} {', '.join(sent)}")
if seen != EXPECTED:
    print(f"CHANGED, was {EXPECTED}")
    sys.exit(1)
PY
