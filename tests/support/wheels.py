"""The smallest wheels that installers take."""

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Wheel:
    """A wheel file: PEP 427 file name and content."""

    name: str
    version: str
    filename: str
    content: bytes


def normalized(name: str) -> str:
    """The project name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def make_wheel(
    name: str, version: str, *, requires: Iterable[str] = (), command: bool = False
) -> Wheel:
    """Build the smallest valid wheel: a module that knows its version, METADATA, WHEEL, RECORD.

    With `command` it installs a command of its name, which does nothing.
    """
    module = re.sub(r"[-_.]+", "_", name).lower()
    info = f"{module}-{version}.dist-info"
    requirements = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    files = {
        f"{module}.py": f'__version__ = "{version}"\n',
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requirements}"
        ),
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: index-stand-in\nRoot-Is-Purelib: true\n"
            "Tag: py3-none-any\n"
        ),
    }
    if command:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{name} = {module}:len\n"
    record = [f"{path},{_record_digest(text)},{len(text)}\n" for path, text in files.items()]
    files[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, date_time=(2020, 1, 1, 0, 0, 0)), text)
    return Wheel(name, version, f"{module}-{version}-py3-none-any.whl", buffer.getvalue())


def _record_digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
