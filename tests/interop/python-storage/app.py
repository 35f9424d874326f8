"""Keyvalue over wasmcloud:keyvalue, whose functions are async, from the bindings that componentize-py makes of the WIT.

POST /counters/KEY  adds one                PUT, GET, DELETE /values/KEY, GET /values
POST /swaps/KEY     appends, atomically
POST /races/KEY     appends, while another writes the same bytes

`?store=NAME` says where; without it, it is the store without a name.
"""

from urllib.parse import parse_qs, unquote, urlsplit

import componentize_py_async_support
import wit_world
from componentize_py_async_support.streams import ByteStreamWriter
from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import atomics, cas, store
from wit_world.imports.cas import CasOptions, CasResult_Swapped
from wit_world.imports.wasi_http_types import (
    Fields,
    Method_Delete,
    Method_Get,
    Method_Post,
    Method_Put,
    Request,
    Response,
)
from wit_world.imports.wasmcloud_keyvalue_types import Bucket, Error_PreconditionFailed, SetOptions


class Handler(exports.Handler):
    async def handle(self, request: Request) -> Response:
        method = request.get_method()
        target = urlsplit(request.get_path_with_query() or "")
        body = await read(request)
        name = parse_qs(target.query).get("store", [""])[0]
        try:
            with await store.open(name) as bucket:
                match method, *(unquote(part) for part in target.path.split("/")[1:]):
                    case Method_Post(), "counters", key:
                        return respond(200, str(await atomics.increment(bucket, key, 1)).encode())
                    case Method_Post(), "swaps", key:
                        return respond(200, await append(bucket, key, body))
                    case Method_Post(), "races", key:
                        return respond(200, await append(bucket, key, body, races=1))
                    case Method_Put(), "values", key:
                        await bucket.set(key, body, None)
                        return respond(204)
                    case Method_Get(), "values", key:
                        value = await bucket.get(key)
                        return respond(404) if value is None else respond(200, value)
                    case Method_Delete(), "values", key:
                        await bucket.delete(key)
                        return respond(204)
                    case Method_Get(), "values":
                        return respond(200, "".join(f"{key}\n" for key in await keys(bucket)).encode())
                    case _:
                        return respond(404)
        except Err as error:
            # What a function of WIT returns as an error, these bindings raise.
            return respond(500, type(error.value).__name__.encode())


async def append(bucket: Bucket, key: str, more: bytes, races: int = 0) -> bytes:
    """Retries if another client has written in between."""
    while True:
        entry = await cas.current(bucket, key)
        if races:
            races -= 1
            await bucket.set(key, more, None)
        if entry is not None:
            whole = entry.value + more
            if isinstance(await cas.swap(bucket, key, whole, CasOptions(entry.version, None)), CasResult_Swapped):
                return whole
            continue
        try:
            await bucket.set(key, more, SetOptions(ttl_ms=None, if_not_exists=True))
            return more
        except Err as error:
            if not isinstance(error.value, Error_PreconditionFailed):
                raise


async def keys(bucket: Bucket) -> list[str]:
    page = await bucket.list_keys(None, None)
    found = page.keys
    while page.cursor is not None:
        page = await bucket.list_keys(None, page.cursor)
        found += page.keys
    return found


async def read(request: Request) -> bytes:
    done = wit_world.result_unit_wasi_http_types_error_code_future(lambda: Ok(None))[1]
    reader, _ = Request.consume_body(request, done)
    body = b""
    with reader:
        while not reader.writer_dropped:
            body += await reader.read(16 * 1024)
    return body


def respond(status: int, body: bytes = b"") -> Response:
    writer, reader = wit_world.byte_stream()
    # The body is written after the response has been returned.
    componentize_py_async_support.spawn(write(writer, body))
    trailers = wit_world.result_option_wasi_http_types_fields_wasi_http_types_error_code_future(lambda: Ok(None))[1]
    response = Response.new(Fields(), reader, trailers)[0]
    response.set_status_code(status)
    return response


async def write(writer: ByteStreamWriter, body: bytes) -> None:
    with writer:
        await writer.write_all(body)
