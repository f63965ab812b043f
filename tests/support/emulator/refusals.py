"""The answers of the API server that are not what was asked for, in its own words."""

from typing import Any

from support.emulator.kinds import Kind


class Refused(Exception):
    """A request is answered with a `Status` of failure."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.retry_after = retry_after
        self.body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            **({} if details is None else {"details": details}),
            "code": status,
        }


def not_found(kind: Kind, name: str) -> Refused:
    return Refused(
        404, "NotFound", f'{kind.qualified_plural} "{name}" not found', _details(kind, name)
    )


def already_exists(kind: Kind, name: str) -> Refused:
    message = f'{kind.qualified_plural} "{name}" already exists'
    return Refused(409, "AlreadyExists", message, _details(kind, name))


def modified(kind: Kind, name: str) -> Refused:
    return conflict(
        kind,
        name,
        "the object has been modified; please apply your changes to the latest version "
        "and try again",
    )


def conflict(kind: Kind, name: str, why: str) -> Refused:
    message = f'Operation cannot be fulfilled on {kind.qualified_plural} "{name}": {why}'
    return Refused(409, "Conflict", message, _details(kind, name))


def invalid(kind: Kind, name: str, field: str, problem: str) -> Refused:
    """Refuse a field; `problem` is such as `Invalid value: "x": field is immutable`."""
    cause = {
        "Required value": "FieldValueRequired",
        "Too long": "FieldValueTooLong",
        "Forbidden": "FieldValueForbidden",
    }.get(problem.partition(":")[0], "FieldValueInvalid")
    details = {
        "name": name,
        **({"group": kind.group} if kind.group else {}),
        "kind": kind.kind,
        "causes": [{"reason": cause, "message": problem, "field": field}],
    }
    message = f'{kind.qualified_kind} "{name}" is invalid: {field}: {problem}'
    return Refused(422, "Invalid", message, details)


def undecodable(patched: str, problem: str) -> Refused:
    """Refuse a patch whose result is no object of the kind: the real server quotes all of it."""
    problem = f"Invalid value: {patched!r}: {problem}"
    causes = [{"reason": "FieldValueInvalid", "message": problem, "field": "patch"}]
    return Refused(422, "Invalid", f' "" is invalid: patch: {problem}', {"causes": causes})


def bad_request(message: str) -> Refused:
    return Refused(400, "BadRequest", message)


def expired(message: str) -> Refused:
    return Refused(410, "Expired", message)


def no_such_path() -> Refused:
    return Refused(404, "NotFound", "the server could not find the requested resource", {})


def _details(kind: Kind, name: str) -> dict[str, Any]:
    group = {"group": kind.group} if kind.group else {}
    return {"name": name, **group, "kind": kind.plural}
