#!/usr/bin/env bash
# `poetry add` writes the new group outside [tool.poetry] if the first one stands as a dotted key.
#
# `group.dev.dependencies.one = ...` below [tool.poetry] says the same as a table of its own, and
# Poetry reads both. Adding a second group to the dotted form writes [group.test.dependencies] at
# the top of the file's tree: tomlkit leaves out the table around a dotted key when it writes a
# table into it. The command ends with 0 and locks the package. But no tool reads that table, so
# the next `poetry lock` drops the package from the lock without a word.
set -euo pipefail
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
python3 -m venv "$t/venv"
"$t/venv/bin/pip" install -q poetry==2.5.1 tomlkit==0.15.2
cd "$t"
env -i PATH="$PATH" HOME="$t" POETRY_CACHE_DIR="$t/cache" \
  PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring venv/bin/python - <<'PY'
import pathlib, subprocess, sys, tomllib

DOTTED = 'group.dev.dependencies.one = { path = "../one" }\n'
TABLE = '[tool.poetry.group.dev.dependencies]\none = { path = "../one" }\n'
PROJECT = (
    '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n\n'
    "[tool.poetry]\npackage-mode = false\n"
)
EXPECTED = {
    "table": {
        "of [tool.poetry]": ["dev", "test"], "of the file": [],
        "locked by add": ["one", "two"], "locked again": ["one", "two"],
    },
    "dotted key": {
        "of [tool.poetry]": ["dev"], "of the file": ["test"],
        "locked by add": ["one", "two"], "locked again": ["one"],
    },
}
top = pathlib.Path.cwd()
for name in ("one", "two"):
    (top / name).mkdir()
    text = f'[project]\nname = "{name}"\nversion = "1"\nrequires-python = ">=3.11"\n'
    (top / name / "pyproject.toml").write_text(text)


def poetry(folder, *words):
    command = [str(top / "venv/bin/poetry"), *words, "--no-interaction"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def read(path):
    return tomllib.loads(path.read_text())


def locked(folder):
    return [package["name"] for package in read(folder / "poetry.lock")["package"]]


seen = {}
for form, group in {"table": TABLE, "dotted key": DOTTED}.items():
    folder = top / form.replace(" ", "-")
    folder.mkdir()
    project = folder / "pyproject.toml"
    project.write_text(PROJECT + group)
    before = read(project)
    if form == "table":
        first = before
    assert before == first  # two ways to write one thing
    poetry(folder, "check")
    poetry(folder, "add", "--lock", "--group", "test", "../two")
    after = read(project)
    seen[form] = {
        "of [tool.poetry]": list(after["tool"]["poetry"]["group"]),
        "of the file": list(after.get("group", {})),
        "locked by add": locked(folder),
    }
    poetry(folder, "lock")
    seen[form]["locked again"] = locked(folder)
print("FINDING: Poetry writes a new group where nothing reads it, beside one written as a dotted key")
print("versions: Poetry 2.5.1, tomlkit 0.15.2")
for form, figures in seen.items():
    print(f"`dev` stands as a {form}, `test` is added:")
    for what, names in figures.items():
        print(f"  {'groups ' if what.startswith('of') else ''}{what}: {', '.join(names) or 'none'}")
if seen != EXPECTED:
    print(f"CHANGED, was {EXPECTED}")
    sys.exit(1)
PY
