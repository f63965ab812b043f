"""The demo's stand-ins, all on loopback, and the overlay that points to them."""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from urllib.parse import quote

from support.clouds import AccessKey, AwsStandIn, GoogleStandIn
from support.index_server import IndexServer, Repository
from support.request_log import RequestLog
from support.wheels import make_wheel

TOP = Path(__file__).resolve().parents[1]
OVERLAY = Path(__file__).with_name("overlay")
NAMESPACE = "builders"
"""The namespace of the examples."""

TOKEN_SECONDS = 16
"""Lifetime of minted tokens in the demo; real clouds use one hour or twelve."""

GOOGLE_ACCOUNT = "builder@acme-build.iam.gserviceaccount.com"
PRIVATE, LOOK_ALIKE = "1.0", "99.0"
"""Versions of each private package and of its look-alike on the public index."""


@dataclass(frozen=True)
class Index:
    """A private index and the one package that only this index should serve."""

    name: str
    title: str
    username: str
    package: str
    repository: Repository


@dataclass
class Stage:
    """Both clouds, the private indexes by name, and the public index."""

    aws: AwsStandIn
    google: GoogleStandIn
    log: RequestLog
    indexes: Mapping[str, Index]
    pytorch: Repository
    pypi: Repository
    proxy: str
    """The proxy for all of uv's requests that leave loopback; it refuses and logs them."""
    access_key: AccessKey
    google_key: str
    vendor_password: str
    artifactory_password: str

    def credentials(self) -> list[str]:
        """Return every current credential, so that none is printed."""
        minted = [*self.aws.tokens.all(), *self.google.tokens.all()]
        return [
            *(token.value for token in minted),
            self.access_key.secret_access_key,
            self.vendor_password,
            quote(self.vendor_password, safe=""),
            self.artifactory_password,
            # The private key's lines: 64 characters each.
            *(line for line in self.google_key.split("\\n") if len(line) == 64),
        ]

    def write_overlay(self, folder: Path, namespace: str) -> Path:
        """Write demo/overlay into a folder, with placeholders replaced; returns the folder.

        Kustomize moves all objects into the namespace.
        """
        # Kustomize requires a relative path to a base.
        examples = os.path.relpath(TOP / "examples", folder.resolve())
        values = {
            "NAMESPACE": namespace,
            "REGISTRY": _origin(self.indexes["acme-gar"].repository),
            "ARTIFACTORY": self.indexes["acme-artifactory"].repository.url.rstrip("/"),
            "PYTORCH": self.pytorch.url.removesuffix("/simple/"),
            "PYPI": self.pypi.url,
            "ACCESS_KEY_ID": self.access_key.access_key_id,
            "SECRET_ACCESS_KEY": self.access_key.secret_access_key,
            "GOOGLE_KEY": self.google_key,
            "VENDOR_URL": self._vendor_url(),
            "ARTIFACTORY_PASSWORD": self.artifactory_password,
        }
        # JSON strings are valid YAML double-quoted strings. EXAMPLES is part of a longer string.
        quoted = {name: json.dumps(value) for name, value in values.items()}
        for template in OVERLAY.glob("*.yaml"):
            text = Template(template.read_text()).substitute(quoted, EXAMPLES=examples)
            (folder / template.name).write_text(text)
        return folder

    @property
    def search_order(self) -> list[str]:
        """The names of the private indexes, in the order of their priorities in examples/."""
        return ["acme-codeartifact", "acme-gar", "acme-artifactory", "vendor", "pytorch-cpu"]

    def replace_google_key(self) -> str:
        """Create another key of the service account, as its owner would."""
        self.google_key = self.google.make_key_json(GOOGLE_ACCOUNT)
        return self.google_key

    def _vendor_url(self) -> str:
        vendor = self.indexes["vendor"]
        scheme, _, rest = vendor.repository.url.partition("://")
        return f"{scheme}://{vendor.username}:{quote(self.vendor_password, safe='')}@{rest}"


def _origin(repository: Repository) -> str:
    return "/".join(repository.url.split("/")[:3])


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Start everything, each index on its own host (for uv: port)."""
    log = RequestLog()
    with ExitStack() as stack:
        aws = stack.enter_context(AwsStandIn(cap_seconds=TOKEN_SECONDS))
        google = stack.enter_context(GoogleStandIn(cap_seconds=TOKEN_SECONDS))

        def server() -> IndexServer:
            return stack.enter_context(IndexServer(log=log))

        vendor_password = f"p@ss/{secrets.token_urlsafe(12)}"
        artifactory_password = secrets.token_urlsafe(16)
        code_artifact = server()
        aws.endpoint_template = f"http://{code_artifact.netloc}/pypi/{{repository}}/"
        indexes = (
            Index(
                "acme-codeartifact", "CodeArtifact", "aws", "acme-core",
                code_artifact.add_repository("pypi/python", accepts=aws.is_valid),
            ),
            Index(
                "acme-gar", "Artifact Registry", "oauth2accesstoken", "acme-data",
                server().add_repository("acme-build/python", accepts=google.is_valid),
            ),
            Index(
                "vendor", "a preauthenticated URL", "user", "vendor-sdk",
                server().add_repository(
                    "", accepts=lambda *login: login == ("user", vendor_password)
                ),
            ),
            Index(
                "acme-artifactory", "basic auth", "ci-builder", "acme-tools",
                server().add_repository(
                    "artifactory/api/pypi/python",
                    accepts=lambda *login: login == ("ci-builder", artifactory_password),
                ),
            ),
        )  # fmt: skip
        public = server()
        pypi = public.add_repository("")
        for index in indexes:
            index.repository.add(make_wheel(index.package, PRIVATE))
            pypi.add(make_wheel(index.package, LOOK_ALIKE))
        yield Stage(
            aws=aws,
            google=google,
            log=log,
            indexes={index.name: index for index in indexes},
            pytorch=server().add_repository("whl/cpu"),
            pypi=pypi,
            proxy=f"http://{public.netloc}",
            access_key=aws.add_access_key(principal="arn:aws:iam::111122223333:user/builder"),
            google_key=google.make_key_json(GOOGLE_ACCOUNT),
            vendor_password=vendor_password,
            artifactory_password=artifactory_password,
        )
