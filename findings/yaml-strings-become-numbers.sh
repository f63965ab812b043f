#!/usr/bin/env bash
# A string that PyYAML writes without quotes is a number to Kubernetes.
#
# PyYAML quotes a string only if it would itself read it as something else, and it reads numbers as
# YAML 1.1 with rules of its own: an exponent needs a point and a sign, an octal number no "o".
# Kubernetes' tools read by sigs.k8s.io/yaml, which takes `1e3`, `12345e6` and `0o17` for numbers.
# So a short commit id of digits and one "e", written by Python as a label or an image's tag, comes
# back as a number with zeros: one abbreviated hash in some hundreds.
set -euo pipefail
t=$(mktemp -d)
trap 'chmod -R u+w "$t"; rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q PyYAML==6.0.4
cd "$t"
cat >go.mod <<'MOD'
module reader

go 1.24
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/yaml"
)

func main() {
	text, _ := io.ReadAll(os.Stdin)
	found, err := yaml.YAMLToJSON(text)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(found))
}
GO
export GOFLAGS=-modcacherw GOPATH="$t/go"
go get sigs.k8s.io/yaml@v1.6.0 2>/dev/null
go build -o reader .
venv/bin/python - <<'PY'
import json, subprocess, sys
import yaml

STRINGS = ["1e3", "12345e6", "0o17", ".5e3", "1_0", "12:30", "123e4567", "007"]
EXPECTED = {
    "1e3": 1000, "12345e6": 12345000000, "0o17": 15, ".5e3": 500,
    "1_0": "1_0", "12:30": "12:30", "123e4567": "123e4567", "007": "007",
}
written = yaml.safe_dump({text: text for text in STRINGS}, sort_keys=False)
assert list(yaml.safe_load(written).values()) == STRINGS  # PyYAML itself reads what it wrote
print("PyYAML 6.0.4, sigs.k8s.io/yaml 1.6.0")
# As values alone: a key of a mapping is a string in JSON.
seen = {}
for text in STRINGS:
    document = yaml.safe_dump({"value": text})
    done = subprocess.run(["./reader"], input=document, capture_output=True, text=True, check=True)
    seen[text] = json.loads(done.stdout)["value"]
    print(f"  {text!r:12} PyYAML writes {document.strip():22} Kubernetes reads {seen[text]!r}")
if seen != EXPECTED:
    print(f"CHANGED: with PyYAML 6.0.4 and sigs.k8s.io/yaml 1.6.0 it was {EXPECTED}")
    sys.exit(1)
print("FINDING: PyYAML leaves strings bare that sigs.k8s.io/yaml reads as numbers.")
PY
