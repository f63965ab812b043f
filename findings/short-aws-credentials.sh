#!/usr/bin/env bash
# botocore runs credential_process again for every signature if its logins live under 15 minutes.
#
# A login of 14 minutes is valid for nearly all of them, but botocore wants a new one in the last
# 15 (advisory) and insists in the last 10 (mandatory). So ten presigned URLs, made without any
# request, start the program eleven times; with 16 minutes they start it once. A broker that gives
# short logins gets one call for each request of its caller, not one for each login.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q botocore==1.44.8
cd "$t"
cat > broker <<PY
#!$t/venv/bin/python
import datetime, json, sys
open("$t/calls", "a").write("x")
end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=int(sys.argv[1]))
print(json.dumps({"Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "example",
                  "SessionToken": "example", "Expiration": end.isoformat()}))
PY
chmod +x broker
for minutes in 5 14 16; do
  printf '[profile p%s]\ncredential_process = %s/broker %s\n' "$minutes" "$t" "$minutes" >> config
done
env -i PATH="$PATH" HOME="$t" AWS_CONFIG_FILE="$t/config" AWS_EC2_METADATA_DISABLED=true \
  venv/bin/python - <<'PY'
import pathlib, sys
import botocore.session

EXPECTED = {5: 11, 14: 11, 16: 1}
seen = {}
for minutes in EXPECTED:
    pathlib.Path("calls").write_text("")
    session = botocore.session.Session(profile=f"p{minutes}")
    client = session.create_client("sts", region_name="eu-west-1")
    for _ in range(10):
        client.generate_presigned_url("get_caller_identity")
    seen[minutes] = len(pathlib.Path("calls").read_text())
print("FINDING: botocore asks anew for every signature if logins live under 15 minutes")
print("versions: botocore 1.44.8")
for minutes, calls in seen.items():
    print(f"logins of {minutes} minutes: 10 presigned URLs start the program {calls} times")
if seen != EXPECTED:
    print(f"CHANGED, was {EXPECTED}")
    sys.exit(1)
PY
