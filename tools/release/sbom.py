"""The bill of materials of an image: CycloneDX and SPDX, of its Debian packages and distributions.

Both are of the same inventory. What they have that looks random, an ID and a time, is made of the
image's digest and of the release's time, so that one image gives the same bytes.

Debian's advisories name source packages, so each package tells its own in the way that Grype and
Trivy read, and Trivy looks up none unless the distribution is named as well.
"""

import datetime
import uuid
from pathlib import Path
from typing import Final

from boolean import ParseError
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression as CyclonedxLicence
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from license_expression import ExpressionError, LicenseExpression, get_spdx_licensing
from packageurl import PackageURL
from spdx_tools.spdx.model.actor import Actor, ActorType
from spdx_tools.spdx.model.checksum import Checksum, ChecksumAlgorithm
from spdx_tools.spdx.model.document import CreationInfo, Document
from spdx_tools.spdx.model.package import (
    ExternalPackageRef,
    ExternalPackageRefCategory,
    PackagePurpose,
)
from spdx_tools.spdx.model.package import Package as SpdxPackage
from spdx_tools.spdx.model.relationship import Relationship, RelationshipType
from spdx_tools.spdx.model.spdx_no_assertion import SpdxNoAssertion
from spdx_tools.spdx.writer.json.json_writer import write_document_to_file
from tools.release.inventory import Image, Package

_NAME: Final = "artifact-index-operator"
_SPDX: Final = get_spdx_licensing()


class Bill:
    """What both forms say of one image."""

    def __init__(self, image: Image, version: str, digest: str, epoch: int) -> None:
        """Take the image with its digest, its version, and the time in seconds since 1970."""
        self._packages, self._distribution = image.packages(), image.distribution
        self._version, self._digest = version, digest
        self._time = datetime.datetime.fromtimestamp(epoch, datetime.UTC)
        self._id = uuid.uuid5(uuid.NAMESPACE_URL, f"{_NAME}@{digest}")

    def write_cyclonedx(self, to: Path) -> None:
        """Write CycloneDX 1.6 as JSON."""
        sha256 = HashType(alg=HashAlgorithm.SHA_256, content=self._digest.removeprefix("sha256:"))
        image = Component(
            name=_NAME, version=self._version, type=ComponentType.CONTAINER, bom_ref="image",
            purl=self._own_url(), hashes=[sha256], licenses=_cyclonedx_licence("Apache-2.0"),
        )  # fmt: skip
        name, release = self._distribution
        distribution = Component(
            name=name, version=release, type=ComponentType.OPERATING_SYSTEM, bom_ref="distribution"
        )
        bom = Bom(
            serial_number=self._id,
            metadata=BomMetaData(component=image, timestamp=self._time),
            components=[distribution, *(self._component(package) for package in self._packages)],
        )
        bom.register_dependency(image, bom.components)
        written = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6)
        to.write_text(written.output_as_string(indent=1) + "\n")

    def write_spdx(self, to: Path) -> None:
        """Write SPDX 2.3 as JSON."""
        info = CreationInfo(
            spdx_version="SPDX-2.3", spdx_id="SPDXRef-DOCUMENT", name=f"{_NAME}-{self._version}",
            document_namespace=f"urn:uuid:{self._id}", created=self._time,
            creators=[Actor(ActorType.TOOL, "spdx-tools")],
        )  # fmt: skip
        sha256 = Checksum(ChecksumAlgorithm.SHA256, self._digest.removeprefix("sha256:"))
        image = _spdx_package("image", _NAME, self._version, self._own_url(), "Apache-2.0")
        image.checksums, image.primary_package_purpose = [sha256], PackagePurpose.CONTAINER
        distribution = _spdx_package("OperatingSystem", *self._distribution)
        distribution.primary_package_purpose = PackagePurpose.OPERATING_SYSTEM
        parts = [distribution, *(self._part(*numbered) for numbered in enumerate(self._packages))]
        contains = [
            Relationship(image.spdx_id, RelationshipType.CONTAINS, part.spdx_id) for part in parts
        ]
        describes = Relationship(info.spdx_id, RelationshipType.DESCRIBES, image.spdx_id)
        document = Document(info, [image, *parts], relationships=[describes, *contains])
        write_document_to_file(document, str(to), validate=True)

    def _component(self, package: Package) -> Component:
        url = self._url(package)
        return Component(
            name=package.name, version=package.version, type=ComponentType.LIBRARY, purl=url,
            bom_ref=url.to_string(), licenses=_cyclonedx_licence(package.licence),
            properties=[Property(name="aquasecurity:trivy:SrcName", value=package.source[0])]
            if package.source else [],
        )  # fmt: skip

    def _part(self, number: int, package: Package) -> SpdxPackage:
        url = self._url(package)
        part = _spdx_package(f"part-{number}", package.name, package.version, url, package.licence)
        if package.source:
            part.source_info = f"built package from: {' '.join(package.source)}"
        return part

    def _url(self, package: Package) -> PackageURL:
        if package.kind != "deb":
            return PackageURL(package.kind, None, package.name, package.version)
        qualifiers = {
            "arch": package.architecture or "",
            "distro": "-".join(self._distribution),
            "upstream": _upstream(package),
        }
        return PackageURL("deb", "debian", package.name, package.version, qualifiers)

    def _own_url(self) -> PackageURL:
        return PackageURL("oci", None, _NAME, self._digest)


def _upstream(package: Package) -> str:
    """The source package where it is named otherwise; with its version where that is another."""
    name, version = package.source or (package.name, package.version)
    if version != package.version:
        return f"{name}@{version}"
    return name if name != package.name else ""


def _spdx_package(
    name: str, title: str, version: str, url: PackageURL | None = None, licence: str | None = None
) -> SpdxPackage:
    manager = ExternalPackageRefCategory.PACKAGE_MANAGER
    references = [ExternalPackageRef(manager, "purl", url.to_string())] if url else []
    parsed = _parsed(licence)
    declared = SpdxNoAssertion() if parsed is None else parsed
    return SpdxPackage(
        spdx_id=f"SPDXRef-{name}", name=title, version=version, external_references=references,
        download_location=SpdxNoAssertion(), files_analyzed=False, copyright_text=SpdxNoAssertion(),
        license_concluded=SpdxNoAssertion(), license_declared=declared,
    )  # fmt: skip


def _cyclonedx_licence(text: str | None) -> list[CyclonedxLicence]:
    parsed = _parsed(text)
    return [] if parsed is None else [CyclonedxLicence(str(parsed))]


def _parsed(text: str | None) -> LicenseExpression | None:
    """The licence, if it is said in SPDX's terms: many older distributions say it in words."""
    try:
        return _SPDX.parse(text, validate=True) if text else None
    except (ExpressionError, ParseError):
        return None
