"""HTTP in front of the store: paths, verbs, paging, watches and faults."""

import itertools
import json
from collections import OrderedDict
from typing import Any, Final, NamedTuple

from aiohttp import web

from support.emulator import discovery, refusals
from support.emulator.faults import Fault, Faults, Request, RequestLog
from support.emulator.kinds import REVIEWS, Kind
from support.emulator.refusals import Refused
from support.emulator.selectors import Predicate, parse_selectors
from support.emulator.store import Record, Store
from support.emulator.watches import Watch

_PATCH_TYPE: Final = "application/merge-patch+json"
_VERBS: Final = {"GET": "get", "POST": "create", "PATCH": "patch", "PUT": "update"}
_KEPT_SNAPSHOTS: Final = 1000


class Target(NamedTuple):
    """What a path points to; `namespace` is None for all of them."""

    kind: Kind
    namespace: str | None
    name: str
    subresource: str


class Snapshot(NamedTuple):
    """The rest of a listing, as of the version at which it was begun."""

    records: list[Record]
    version: int


class Server:
    """The request handler of the emulator, over one store."""

    def __init__(self, store: Store, faults: Faults, log: RequestLog) -> None:
        self.store = store
        self.faults = faults
        self.log = log
        self.watches: set[Watch] = set()
        self.bookmark_every = 60.0
        self.denied: set[str] = set()
        self.texts: dict[str, str] = {}
        self._snapshots: OrderedDict[str, Snapshot] = OrderedDict()
        self._tokens = itertools.count(1)

    def expire_continue_tokens(self) -> None:
        """Let every listing that is on its way be answered with 410."""
        self._snapshots.clear()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = tuple(part for part in request.path.split("/") if part)
        if (text := self.texts.get(request.path)) is not None:
            return web.Response(text=text)
        if path in (("healthz",), ("livez",), ("readyz",)):
            return web.Response(text="ok")
        found = discovery.document(path, self.store.kinds)
        if found is not None and request.method == "GET":
            return web.json_response(found)
        try:
            target = self._target(path)
        except Refused as refused:
            return _refusal(refused)
        if target is None:
            return web.Response(status=404, text="404 page not found\n")
        entry = self._logged(request, target)
        try:
            entry.body = await _body(request)
            return await self._answer(request, target, entry)
        except Refused as refused:
            entry.status = refused.status
            return _refusal(refused)

    async def _answer(
        self, request: web.Request, target: Target, entry: Request
    ) -> web.StreamResponse:
        fault = self.faults.take(entry)
        await self.faults.hold(entry)
        if fault is not None and fault.outcome != "lost":
            _fail(request, fault)
        if entry.verb == "watch":
            return await self._watch(request, target, entry)
        response = self._act(request, target, entry)
        if fault is not None:
            _fail(request, fault)
        entry.status = response.status
        return response

    def _act(self, request: web.Request, target: Target, entry: Request) -> web.Response:
        kind, namespace, name = target.kind, target.namespace or "", target.name
        manager = request.query.get("fieldManager") or entry.user_agent.partition("/")[0]
        subresource = target.subresource or None
        if kind.group == REVIEWS:
            return self._review(entry.body)
        match entry.verb:
            case "list":
                return self._list(request, target)
            case "get":
                return _object(self.store.read(kind, namespace, name))
            case "create":
                created = self.store.create(kind, namespace, entry.body, manager=manager)
                return _object(created, status=201)
            case "patch":
                if request.content_type != _PATCH_TYPE:
                    raise _unsupported_type()
                return _object(
                    self.store.merge_patch(
                        kind, namespace, name, entry.body, manager=manager, subresource=subresource
                    )
                )
            case "update":
                return _object(
                    self.store.replace(
                        kind, namespace, name, entry.body, manager=manager, subresource=subresource
                    )
                )
            case _:
                options = entry.body or {}
                gone = self.store.delete(kind, namespace, name, options.get("preconditions"))
                if gone.metadata.get("finalizers"):
                    return _object(gone)
                details = {"name": name, "kind": kind.plural, "uid": gone.metadata["uid"]}
                done = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
                return web.json_response({**done, "details": details})

    def _review(self, body: dict[str, Any]) -> web.Response:
        asked = body["spec"]["resourceAttributes"]
        part = f"/{asked['subresource']}" if asked.get("subresource") else ""
        allowed = f"{asked['verb']} {asked['resource']}{part}" not in self.denied
        return web.json_response({**body, "status": {"allowed": allowed}}, status=201)

    def _list(self, request: web.Request, target: Target) -> web.Response:
        limit = _number(request, "limit") or 0
        if request.query.get("resourceVersion") == "0":
            limit = 0  # the watch cache of the real server does not page
        if token := request.query.get("continue"):
            snapshot = self._snapshots.get(token)
            if snapshot is None:
                raise refusals.expired(
                    "The provided continue parameter is too old to display a consistent list "
                    "result. You must start a new list without the continue parameter."
                )
        else:
            records = self.store.select(target.kind, target.namespace, _predicate(request))
            snapshot = Snapshot(records, self.store.version)
        page = snapshot.records[:limit] if limit else snapshot.records
        rest = snapshot.records[len(page) :]
        metadata: dict[str, Any] = {"resourceVersion": str(snapshot.version)}
        if rest:
            metadata["continue"] = f"emulated-{next(self._tokens)}"
            metadata["remainingItemCount"] = len(rest)
            self._snapshots[metadata["continue"]] = Snapshot(rest, snapshot.version)
            while len(self._snapshots) > _KEPT_SNAPSHOTS:
                self._snapshots.popitem(last=False)
        return web.Response(
            text=_list_text(target.kind, metadata, page), content_type="application/json"
        )

    async def _watch(
        self, request: web.Request, target: Target, entry: Request
    ) -> web.StreamResponse:
        since = _number(request, "resourceVersion") or None
        bookmarks = request.query.get("allowWatchBookmarks") in ("true", "1")
        watch = Watch(
            self.store,
            target.kind,
            namespace=target.namespace,
            predicate=_predicate(request),
            since=since,
            bookmark_every=self.bookmark_every if bookmarks else None,
            user_agent=entry.user_agent,
        )
        watch.muted = target.kind.plural in self.faults.silent
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        entry.status = 200
        self.watches.add(watch)
        try:
            watch.begin()
            async for line in watch.lines(_number(request, "timeoutSeconds")):
                await response.write(line)
            await response.write_eof()
        except ConnectionError:
            pass  # the watcher has gone
        finally:
            self.watches.discard(watch)
            watch.end()
        return response

    def _target(self, path: tuple[str, ...]) -> Target | None:
        match path:
            case ("api", "v1", *rest):
                group, version = "", "v1"
            case ("apis", group, version, *rest):
                if not any(kind.api_version == f"{group}/{version}" for kind in self.store.kinds):
                    return None
            case _:
                return None
        namespace: str | None = None
        if len(rest) >= 3 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        if not 1 <= len(rest) <= 3:
            raise refusals.no_such_path()
        plural, name, subresource = (*rest, "", "")[:3]
        kind = self.store.kind(plural, group)
        if kind.version != version or (
            subresource and not (kind.has_status and subresource == "status")
        ):
            raise refusals.no_such_path()
        return Target(kind, namespace, name, subresource)

    def _logged(self, request: web.Request, target: Target) -> Request:
        verb = _VERBS.get(request.method, "delete")
        if verb == "get" and not target.name:
            watching = request.query.get("watch") in ("true", "1")
            verb = "watch" if watching else "list"
        entry = Request(
            verb,
            target.kind.plural,
            target.subresource,
            target.namespace or "",
            target.name,
            request.headers.get("User-Agent", ""),
            dict(request.query),
        )
        self.log.append(entry)
        return entry


async def _body(request: web.Request) -> Any:
    content = await request.read()
    if not content:
        return None
    if "json" not in request.content_type:
        raise _unsupported_type()
    try:
        body = json.loads(content)
    except ValueError as error:
        raise refusals.bad_request(f"couldn't get the body: {error}") from None
    if not isinstance(body, dict):
        raise refusals.bad_request("the body is not a JSON object")
    return body


def _unsupported_type() -> Refused:
    message = f"415: Unsupported Media Type (only JSON and {_PATCH_TYPE} are emulated)"
    return Refused(415, "UnsupportedMediaType", message, {})


def _predicate(request: web.Request) -> Predicate:
    query = request.query
    return parse_selectors(query.get("labelSelector", ""), query.get("fieldSelector", ""))


def _number(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise refusals.bad_request(f"invalid {name}: {text}") from None


def _list_text(kind: Kind, metadata: dict[str, Any], records: list[Record]) -> str:
    if kind.custom:
        items = [record.text for record in records]
    else:
        # Items of built-in kinds do not say what they are.
        untyped = ("kind", "apiVersion")
        items = [
            json.dumps({key: value for key, value in record.body.items() if key not in untyped})
            for record in records
        ]
    head = json.dumps(
        {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata}
    )
    return f'{head[:-1]},"items":[{",".join(items)}]}}'


def _object(record: Record, status: int = 200) -> web.Response:
    return web.Response(status=status, text=record.text, content_type="application/json")


def _refusal(refused: Refused) -> web.Response:
    wait = refused.retry_after
    headers = {} if wait is None else {"Retry-After": f"{wait:g}"}
    return web.json_response(refused.body, status=refused.status, headers=headers)


def _fail(request: web.Request, fault: Fault) -> None:
    if fault.outcome != "status":
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("a fault drops this connection")
    reasons = {410: "Expired", 429: "TooManyRequests", 500: "InternalError", 403: "Forbidden"}
    reason = reasons.get(fault.status, "ServiceUnavailable" if fault.status >= 500 else "Unknown")
    message = fault.message or f"emulated fault {fault.status}"
    raise Refused(fault.status, reason, message, {}, retry_after=fault.retry_after)
