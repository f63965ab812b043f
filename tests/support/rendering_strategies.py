"""Hypothesis strategies for what the renderers take."""

from hypothesis import strategies as st
from pydantic import SecretStr

from artifact_index.formats.document import Credential, Document, IndexEntry, PublicEntry

UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
URLS = st.from_regex(
    r"https?://[a-z0-9][a-z0-9.-]{0,20}(:[0-9]{1,4})?(/[A-Za-z0-9%+._~'\"=-]{0,12}){0,3}",
    fullmatch=True,
)
CODES = st.lists(st.integers(400, 599), max_size=3).map(tuple)
CREDENTIALS = st.builds(Credential, UNICODE, UNICODE.map(SecretStr))
SPANS = st.sampled_from([None, "false", "7 days"])
AUTHENTICATE = st.sampled_from([None, "auto", "always", "never"])

COMPOSED = st.builds(
    IndexEntry,
    name=NAMES,
    url=URLS,
    credential=st.none() | CREDENTIALS,
    credentialed=st.booleans(),
    explicit=st.booleans(),
    authenticate=AUTHENTICATE,
    ignore_error_codes=CODES,
    flat=st.booleans(),
    exclude_newer=SPANS,
    blocked=st.booleans(),
)
VERBATIM = st.builds(
    IndexEntry,
    name=NAMES,
    url=URLS,
    verbatim_url=(UNICODE | UNICODE.map(lambda t: f"https://{t}@host/")).map(SecretStr),
    credentialed=st.booleans(),
    explicit=st.booleans(),
    authenticate=AUTHENTICATE,
    ignore_error_codes=CODES,
    flat=st.booleans(),
    exclude_newer=SPANS,
)
DOCUMENTS = st.builds(
    Document,
    entries=st.lists(COMPOSED | VERBATIM, max_size=5, unique_by=lambda e: e.name).map(tuple),
    public=st.none() | st.builds(PublicEntry, name=st.just("the_public_one"), url=URLS),
    prefer_private=st.booleans(),
    index_strategy=st.sampled_from(["first-index", "unsafe-first-match", "unsafe-best-match"]),
)
