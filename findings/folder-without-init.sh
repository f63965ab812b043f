#!/usr/bin/env bash
# import-linter keeps a contract that a module in a folder without __init__.py breaks.
#
# Python imports such a folder as a namespace package, so app.low runs code of app.high at the first
# import. grimp does not list the folder's modules: the chain ends there, the contract counts as
# kept, nothing warns, exit status 0. An empty __init__.py, and it is broken.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q import-linter==2.17 grimp==3.20
cd "$t"
mkdir -p app/high app/low app/between
touch app/__init__.py app/high/__init__.py app/low/__init__.py
echo 'import app.between.bridge' > app/low/user.py
echo 'import app.high.engine' > app/between/bridge.py
echo 'STARTED = True' > app/high/engine.py
cat > .importlinter <<'INI'
[importlinter]
root_package = app
[importlinter:contract:layers]
name = high is above low
type = layers
layers =
  app.high
  app.low
INI
PYTHONPATH=. venv/bin/python -c 'import app.low.user, sys; assert "app.high.engine" in sys.modules'
figures() { grep -E '^(Analyzed|Contracts:)' "$1" | tr '\n' ' '; }
without=0
venv/bin/lint-imports --no-logo --no-cache > without.txt || without=$?
touch app/between/__init__.py
with=0
venv/bin/lint-imports --no-logo --no-cache > with.txt || with=$?
echo 'FINDING: import-linter keeps a contract that a module in a folder without __init__.py breaks'
echo 'versions: import-linter 2.17, grimp 3.20'
echo 'Python: import app.low.user loads app.high.engine'
echo "folder without __init__.py: exit $without, $(figures without.txt)"
echo "folder with __init__.py: exit $with, $(figures with.txt)"
if [[ "$without $(figures without.txt)" != *'0 '*'1 kept, 0 broken'* ||
  "$with $(figures with.txt)" != *'1 '*'0 kept, 1 broken'* ]]; then
  echo 'CHANGED, was: exit 0, 1 kept, without the file; exit 1, 1 broken, with it'
  exit 1
fi
