"""An API server in memory, for tests: the semantics that the operator depends on, and faults.

It was compared with a real kube-apiserver 1.34 (`support.port_contract` runs against both). What it
does not do: authentication and RBAC, validation by schema or CEL, server-side apply, JSON and
strategic merge patches, deletecollection, dry run, tables, protobuf, OpenAPI.
"""

from support.emulator.emulator import Emulator, wait_for
from support.emulator.faults import Fault, Request, RequestLog
from support.emulator.kinds import OF_PEOPLE
from support.emulator.refusals import Refused

__all__ = ["OF_PEOPLE", "Emulator", "Fault", "Refused", "Request", "RequestLog", "wait_for"]
