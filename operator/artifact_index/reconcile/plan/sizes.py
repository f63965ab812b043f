"""How large outputs may be, and from which size on they hold the event loop. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from artifact_index.api.index_options import Output
from artifact_index.api.reasons import Reason
from artifact_index.formats.base import least_size
from artifact_index.formats.document import Document
from artifact_index.formats.registry import Rendering, holds_variables
from artifact_index.reconcile.cache.objects import OptionsObject
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.sources.policy import Problem

LARGEST_OUTPUT: Final = 900 * 1024
"""Bytes of data, decoded. The API server takes 1 MiB, and etcd 1.5 MiB with the metadata."""
LARGEST_ANNOTATIONS: Final = 240 * 1024
"""Bytes of our annotations. The API server takes 256 KiB, those of others with them."""
LARGEST_ENVIRONMENT: Final = 256 * 1024
"""Bytes of variables. Linux takes a quarter of the stack for them and the arguments (execve)."""

MOST_ENTRIES: Final = 20_000
"""Entries in all files of one IndexOptions together, which take up to a second to render.

So 500 indexes fit into 8 outputs of 5 files each, and 2,000 into 10 files.
"""
LARGEST_LOGINS: Final = 8 * 2**20
"""Bytes of all URLs and logins of one IndexOptions: some formats look at more than they write."""

LARGE: Final = 64 * 1024
"""Bytes from which rendering, reading back and digests hold the event loop for 20 ms or more."""
_ENTRY: Final = 256
"""Bytes of text that take as long to render as what an entry holds beside its URL and login."""

_REMEDY: Final = "select fewer indexes, or split them over two IndexOptions"


def are_large(options: OptionsObject, plans: Sequence[IndexPlan]) -> bool:
    """Whether to render the outputs of an IndexOptions would hold the event loop for too long."""
    if options.spec is None:
        return False
    entries = [plan.entry for plan in plans if plan.entry is not None]
    size = least_size(entries, sensitive=True) + _ENTRY * len(entries)
    return size * _file_count(options.spec.outputs_of(options.ref.name)) > LARGE


def too_much(outputs: Sequence[Output], document: Document) -> Problem | None:
    """Why none of the outputs is rendered: it would take too long."""
    count, files = len(document.entries), _file_count(outputs)
    if count * files > MOST_ENTRIES:
        return _problem(
            f"{count} indexes in {files} files of {len(outputs)} outputs are {count * files} "
            f"entries, more than the {MOST_ENTRIES} of one IndexOptions; {_REMEDY}, or list fewer "
            "formats in spec.outputs"
        )
    if (size := least_size(document.entries, sensitive=True)) > LARGEST_LOGINS:
        return _problem(
            f"the URLs and logins of {count} indexes have {size} bytes, more than the "
            f"{LARGEST_LOGINS} of one IndexOptions; {_REMEDY}"
        )
    return None


def cannot_fit(output: Output, rendering: Rendering) -> Problem | None:
    """Why an output is not rendered: a lower bound of its size is too large already."""
    if (least := rendering.least_size(output)) > LARGEST_OUTPUT:
        what = f"at least {least} bytes of data"
        return _does_not_fit(output, what, LARGEST_OUTPUT, rendering.document)
    return None


def too_large(
    output: Output, data: Mapping[str, str], annotations: Mapping[str, str], document: Document
) -> Problem | None:
    """Why an output is not written: the API server, or a pod, would not take it."""
    # Four characters of base64 are three bytes.
    share = 3 / 4 if output.kind == "Secret" else 1
    by_key = {key: int(share * _size({key: value})) for key, value in data.items()}
    total = "data", sum(by_key.values()), LARGEST_OUTPUT
    if holds_variables(output.formats):
        # Each variable has a `=` and an end.
        total = "variables", sum(by_key.values()) + 2 * len(by_key), LARGEST_ENVIRONMENT
    for what, size, largest in (total, ("annotations", _size(annotations), LARGEST_ANNOTATIONS)):
        if size > largest:
            by_file = ""
            if what == "data" and len(by_key) > 1:
                by_file = f" ({', '.join(f'{key} {of_key}' for key, of_key in by_key.items())})"
            return _does_not_fit(output, f"{size} bytes of {what}{by_file}", largest, document)
    return None


def _does_not_fit(output: Output, what: str, largest: int, document: Document) -> Problem:
    return _problem(
        f"{output.kind} {output.name!r} would hold {what} for {len(document.entries)} indexes, "
        f"more than the {largest} that fit; {_REMEDY}"
    )


def _problem(message: str) -> Problem:
    return Problem(Reason.TARGET_TOO_LARGE, message)


def _file_count(outputs: Sequence[Output]) -> int:
    return sum(len(output.formats) for output in outputs)


def _size(values: Mapping[str, str]) -> int:
    return sum(len(key) + len(value.encode()) for key, value in values.items())
