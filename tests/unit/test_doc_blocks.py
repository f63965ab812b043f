"""The fenced blocks of all pages, without a cluster: commands parse, and harm nothing if pasted.

tests/cluster/test_doc_blocks.py pastes those of the pages in RUN, and what Helm prints. A block
that it cannot paste says why: `<!-- no-run: REASON -->` on the line above it.
"""

import contextlib
import io
import json
import tomllib
from collections.abc import Callable

import pytest
import yaml

from artifact_index.cli.main import parser_of
from support.doc_blocks import (
    Block,
    blocks_of,
    command_lines,
    page_named,
    pages,
    syntax_error,
    unguarded_variables,
)
from support.operator_process import REPOSITORY

pytestmark = pytest.mark.unit

PAGES = {page.relative_to(REPOSITORY).as_posix(): page for page in pages()}
LANGUAGES = {
    "",
    "bash",
    "console",
    "json",
    "mermaid",
    "promql",
    "python",
    "sh",
    "text",
    "toml",
    "yaml",
}
PROGRAMS = {"artifact-index", "curl", "docker", "gcloud", "helm", "kubectl", "make", "pip", "uv"}
PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": lambda text: list(yaml.safe_load_all(text)),
}
RUN = {
    "README.md",
    "docs/how-to/aws.md",
    "docs/how-to/builders.md",
    "docs/how-to/gitops.md",
    "docs/how-to/google.md",
    "docs/how-to/install.md",
    "docs/how-to/migrate.md",
    "docs/how-to/operate.md",
    "docs/how-to/registries.md",
    "docs/how-to/troubleshooting.md",
    "docs/how-to/uv-lock.md",
    "docs/how-to/verify.md",  # by tests/node/test_release.py
    "docs/reference/alerts.md",
    "docs/reference/commands.md",
    "docs/reference/messages.md",  # by tests/cluster/test_first_day.py
    "docs/tutorial/quickstart.md",
    "helm/artifact-index-operator/README.md",
}
"""The pages of which a test pastes every block of commands that is not marked."""


@pytest.fixture(scope="module")
def blocks() -> dict[str, list[Block]]:
    return {name: blocks_of(page) for name, page in PAGES.items()}


@pytest.mark.parametrize("name", PAGES)
def test_the_blocks_of_a_page_parse(name: str, blocks: dict[str, list[Block]]) -> None:
    faults = [f"{block.where}: {fault}" for block in blocks[name] if (fault := fault_of(block))]
    assert not faults, "\n".join(faults)


def fault_of(block: Block) -> str:
    """What is wrong with a block's text; empty if nothing is."""
    if block.language not in LANGUAGES:
        return f"{block.language!r} is none of {sorted(LANGUAGES)}"
    if not block.language and PROGRAMS & set(block.text.split()[:1]):
        return "it has commands: write sh after the fence"
    if block.is_shell:
        return syntax_error(block.text) or unknown_argument(block)
    try:
        if block.language in PARSERS:
            PARSERS[block.language](block.text)
    except (ValueError, yaml.YAMLError) as error:
        return str(error)
    return ""


def unknown_argument(block: Block) -> str:
    """What the command line says of a call in a block that it does not understand."""
    for arguments in command_lines(block.text, "artifact-index"):
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            try:
                parser_of().parse_args(arguments)
            except SystemExit as exit_:
                if exit_.code:
                    return said.getvalue()
    return ""


@pytest.mark.parametrize("name", PAGES)
def test_a_block_stops_where_a_variable_is_not_set(
    name: str, blocks: dict[str, list[Block]]
) -> None:
    assert unguarded_variables([block for block in blocks[name] if block.is_shell]) == []


def test_a_block_that_is_not_run_says_why(blocks: dict[str, list[Block]]) -> None:
    silent = [
        block.where
        for name, found in blocks.items()
        for block in found
        if block.is_shell and name not in RUN and not block.not_run
    ]
    assert silent == []


def test_what_a_block_may_not_do_is_noticed() -> None:
    page = page_named("quickstart.md")
    bad = Block(page, 1, "sh", 'kubectl create secret generic x --from-literal=a="$A"\n', "")
    assert unguarded_variables([bad]) == ["docs/tutorial/quickstart.md:1: $A"]
    good = 'B=1\necho "${A:?}" $B \'$C\'\nfor d in x; do echo "$d"; done\n'
    assert unguarded_variables([Block(page, 1, "sh", good, "")]) == []
    assert fault_of(Block(page, 1, "sh", "if true; then\n", ""))
    assert "--nmespace" in fault_of(Block(page, 1, "sh", "x | artifact-index run --nmespace\n", ""))
    assert fault_of(Block(page, 1, "yaml", "a: [\n", ""))
    assert fault_of(Block(page, 1, "", "helm list\n", ""))
    assert fault_of(Block(page, 1, "sh no-run: needs a cloud", "helm list\n", ""))
    assert not fault_of(Block(page, 1, "", "what the operator says\n", ""))
