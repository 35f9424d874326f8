"""An HTTP handler over WASI 0.3."""

import componentize_py_async_support
import wit_world
from componentize_py_async_support.streams import ByteStreamWriter
from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.wasi_http_types import Fields, Request, Response

from answer import answer


class Handler(exports.Handler):
    async def handle(self, request: Request) -> Response:
        body = answer(request.get_path_with_query() or "/").encode()
        writer, reader = wit_world.byte_stream()
        # The body is written after the response has been returned.
        componentize_py_async_support.spawn(write(writer, body))
        trailers = wit_world.result_option_wasi_http_types_fields_wasi_http_types_error_code_future(lambda: Ok(None))[1]
        headers = Fields.from_list([("content-type", b"text/plain")])
        return Response.new(headers, reader, trailers)[0]


async def write(writer: ByteStreamWriter, body: bytes) -> None:
    with writer:
        await writer.write_all(body)
