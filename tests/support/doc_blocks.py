"""The fenced blocks of the pages: extracted, parsed, and run as a reader would paste them."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from support.operator_process import REPOSITORY

SHELL: Final = ("sh", "bash")
RUN_SECONDS: Final = 120.0

_FENCE: Final = re.compile(r"^(\s*)```\s*(.*?)\s*$")
_NOT_RUN: Final = re.compile(r"^\s*<!-- no-run: (\S.*\S) -->\s*$")
_READ: Final = re.compile(r"\$(?:\{(\w+)(:\?)?[^}]*\}|(\w+))")
_SET: Final = re.compile(r"(?:^|[\s;(])(?:export |local |for |read )?([A-Za-z_]\w*)(?:=| in )")
_OF_EVERY_SHELL: Final = {"PATH", "PWD", "HOME", "USER", "KUBECONFIG"}
_END: Final = "@@ the block has ended with"


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line of its fence, its language and its text.

    The site's renderer takes a fence for text if more than a language follows it.
    `not_run` is the reason of the comment `<!-- no-run: REASON -->` on the line above the fence;
    empty without one.
    """

    page: Path
    line: int
    language: str
    text: str
    not_run: str

    @property
    def where(self) -> str:
        """The place, as editors and compilers write it."""
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"

    @property
    def is_shell(self) -> bool:
        """Whether it holds commands."""
        return self.language in SHELL


def pages() -> list[Path]:
    """Every page for users: the README, the chart's, and docs without the decisions."""
    docs = [page for page in (REPOSITORY / "docs").rglob("*.md") if page.parent.name != "adr"]
    return [REPOSITORY / "README.md", *sorted(REPOSITORY.glob("helm/*/README.md")), *sorted(docs)]


def page_named(name: str) -> Path:
    """The page of docs with this file name."""
    (found,) = (REPOSITORY / "docs").rglob(name)
    return found


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order. Raises ValueError if the last one has no end."""
    return list(_blocks(page, page.read_text().splitlines()))


def _blocks(page: Path, lines: list[str]) -> Iterator[Block]:
    begun: tuple[int, str] | None = None
    for number, line in enumerate(lines, start=1):
        fence = _FENCE.match(line)
        if fence is None:
            continue
        if begun is None:
            begun = number, fence[2]
            continue
        start, language = begun
        above = _NOT_RUN.match(lines[start - 2]) if start > 1 else None
        text = textwrap.dedent("\n".join(lines[start : number - 1])) + "\n"
        yield Block(page, start, language, text, above[1] if above else "")
        begun = None
    if begun is not None:
        raise ValueError(f"{page}:{begun[0]}: the block has no end")


# -- what needs no cluster


def syntax_error(text: str) -> str:
    """What bash says of commands that it cannot parse; empty if it can."""
    parsed = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    return parsed.stderr


def unguarded_variables(blocks: list[Block]) -> list[str]:
    """Variables that a page's commands read as they are, and that no block of it sets.

    Where the reader has not set one, the command must end before it does harm: `${NAME:?}`.
    """
    ours = _OF_EVERY_SHELL | {name for block in blocks for name in _SET.findall(block.text)}
    found = []
    for block in blocks:
        for name, guard, bare in _READ.findall(_without_quoted(block.text)):
            read = name or bare
            if not guard and read not in ours and not read.isdigit():
                found.append(f"{block.where}: ${read}")
    return found


def _without_quoted(text: str) -> str:
    """Without what stands in single quotes, in which nothing is expanded, and heredocs with it."""
    return re.sub(r"'[^']*'", "''", text)


def command_lines(text: str, program: str) -> Iterator[list[str]]:
    """The arguments of each call of a program, up to a pipe, a redirection or the next command."""
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>()")
        lexer.whitespace_split = True
        arguments: list[str] | None = None
        for word in lexer:
            if word[0] in "|;&<>()":
                if arguments is not None:
                    yield arguments
                arguments = None
            elif arguments is not None:
                arguments.append(word)
            elif word.rpartition("/")[2] == program:
                arguments = []
        if arguments is not None:
            yield arguments


# -- a reader's terminal


class Terminal:
    """One shell of a reader, into which blocks are pasted one after the other.

    It differs from a person's in that a command that fails ends it, so that nothing fails unseen.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder, env=self.environment, text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._others: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # What it has started as well: that would hold its output open, and go on.
        others = (other.pid for other in self._others if other.poll() is None)
        for group in (self._shell.pid, *others):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        self._shell.communicate()

    def beside(self, block: Block) -> "subprocess.Popen[bytes]":
        """The operator, which a reader runs in a shell of its own."""
        started = subprocess.Popen(
            ["bash", "-c", f"exec {block.text}"], cwd=self.folder, env=self.environment,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._others.append(started)
        return started

    def paste(self, text: str) -> str:
        """Run commands to their end and return what they printed; AssertionError if one fails."""
        assert self._shell.stdin is not None and self._shell.stdout is not None
        script = self.folder / ".pasted"
        script.write_text(text)
        self._shell.stdin.write(f"set -eo pipefail; . ./.pasted; set +e; echo; echo '{_END}' $?\n")
        self._shell.stdin.flush()
        printed: list[str] = []
        for line in self._shell.stdout:
            if line.startswith(_END):
                return "".join(printed)
            printed.append(line)
        raise AssertionError(f"failed:\n{text}\nIt printed:\n{''.join(printed)}")

    def paste_for(self, text: str, *words: str) -> str:
        """Run commands as `paste` does, which must print these words."""
        printed = self.paste(text)
        missing = [word for word in words if word not in printed]
        assert not missing, f"{missing} not printed by:\n{text}\nIt printed:\n{printed}"
        return printed

    def paste_without(self, names: set[str], text: str) -> str:
        """What a person's shell prints in which these variables are not set; it goes on at errors.

        The functions and variables of earlier blocks are not there.
        """
        environment = {key: value for key, value in self.environment.items() if key not in names}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-i"],
            cwd=self.folder, env=environment, input=text, text=True, timeout=RUN_SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, start_new_session=True,
        )  # fmt: skip
        return done.stdout


class Reading:
    """A page whose unmarked blocks are pasted in their order; a context manager.

    Where it is left, every block must have been taken.
    """

    def __init__(self, terminal: Terminal, page: Path) -> None:
        self._terminal = terminal
        self._left = [block for block in blocks_of(page) if block.is_shell and not block.not_run]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert kind is not None or not self._left, [block.where for block in self._left]

    def take(self, replaced: Mapping[str, str] | None = None) -> str:
        """The next block's text, with the words replaced that stand for the reader's own."""
        text = self._left.pop(0).text
        for word, own in (replaced or {}).items():
            text = text.replace(word, own)
        return text

    def paste(self, *words: str, replaced: Mapping[str, str] | None = None) -> str:
        """Paste the next block, which must succeed and print these words; returns its output."""
        return self._terminal.paste_for(self.take(replaced), *words)

    def find(self, *words: str, replaced: Mapping[str, str] | None = None) -> str:
        """The same of a block that looks at a problem: its commands may end with 1."""
        return self._terminal.paste_for(whatever_status(self.take(replaced)), *words)


def whatever_status(text: str) -> str:
    """The commands so that the reader goes on where one fails."""
    return f"{{\n{text}\n}} || true\n"


def command(folder: Path, name: str, script: str) -> None:
    """Put a command into a folder of the reader's PATH."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def checkout(folder: Path) -> Path:
    """A checkout of this repository that blocks may write to: `.venv` is its own."""
    folder.mkdir()
    for entry in REPOSITORY.iterdir():
        if entry.name not in (".venv", ".git"):
            (folder / entry.name).symlink_to(entry)
    (folder / ".venv" / "bin").mkdir(parents=True)
    return folder
