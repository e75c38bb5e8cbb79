"""A stub of an OpenAI-compatible server: chat completions, streamed or whole, steered by prompts.

Standard library only, on loopback, as a library for tests and as a program (prints its base URL).
Words of the last user message steer it:
    err:429     answers with that status (429 with Retry-After: 7)
    slow:0.5    waits that many seconds first
    chunks:500  streams that many words
    endless     streams until the client leaves
    cut         breaks the stream off in the middle
    unended     ends the stream in good order in the middle, without a reason and `[DONE]`
    unreasoned  ends it at its end, but without a reason
    junk        answers something that is no completion
    tool        calls the first tool offered, then reports what it returned
    key         answers with the Authorization header that it got
Anything else is answered with "You said: " and the message; a request for a forced tool (structured
output) calls that tool with a value for each required field.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

__all__ = ["StubOpenAI"]

RETRY_AFTER_S = 7
ENDLESS_PACE_S = 0.01
ENDLESS_CHUNKS_MAX = 6_000
"""Chunks of an endless stream, whose reader has then been gone for a minute: tests are bounded."""

Body = dict[str, Any]

_ERRORS = {
    400: ("invalid_request_error", None, "the request is malformed"),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided"),
    404: ("invalid_request_error", "model_not_found", "The model does not exist"),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached"),
    500: ("server_error", None, "The server had an error"),
    503: ("server_error", None, "The engine is overloaded"),
}


class StubOpenAI:
    """A running server; use it as a context manager."""

    def __init__(self) -> None:
        """Bind a free port of loopback."""
        self.requests: list[Body] = []
        self.disconnected = threading.Event()
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    @property
    def base_url(self) -> str:
        """What `OPENAI_BASE_URL` is to be."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> StubOpenAI:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    stub: StubOpenAI
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: standard error is the test's."""

    def do_POST(self) -> None:
        body: Body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.stub.requests.append(body)
        try:
            self._answer(body)
        except (BrokenPipeError, ConnectionResetError):
            self.stub.disconnected.set()
            self.close_connection = True

    def _answer(self, body: Body) -> None:
        prompt = _last_user_text(body)
        if not self.path.endswith("/chat/completions"):
            return self._refuse(404, f"no route {self.path}")
        if waits := re.search(r"\bslow:([\d.]+)", prompt):
            time.sleep(float(waits[1]))
        if error := re.search(r"\berr:(\d+)", prompt):
            return self._refuse(int(error[1]))
        if re.search(r"\bjunk\b", prompt):
            return self._send(200, {"object": "chat.completion", "choices": []})
        message = _message(body, prompt, self.headers.get("Authorization", ""))
        if body.get("stream"):
            return self._stream(body, prompt, message)
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return self._send(
            200, {**_envelope(body, "chat.completion"), "choices": [choice], "usage": _USAGE}
        )

    def _refuse(self, status: int, message: str | None = None) -> None:
        kind, code, said = _ERRORS.get(status, ("server_error", None, "error"))
        error = {"message": message or said, "type": kind, "code": code, "param": None}
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 429 else {}
        self._send(status, {"error": error}, headers)

    def _send(self, status: int, body: Body, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, body: Body, prompt: str, message: Body) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        cut = re.search(r"\bcut\b", prompt) is not None
        for sent, delta in enumerate(_deltas(prompt, message)):
            if cut and sent == 3:
                # In the middle of the body: what a proxy that gives up looks like.
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            if sent == 3 and re.search(r"\bunended\b", prompt):
                return self._chunk(b"")
            self._event({**_envelope(body, "chat.completion.chunk"), "choices": [_choice(delta)]})
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        if re.search(r"\bunreasoned\b", prompt):
            reason = None
        self._event({**_envelope(body, "chat.completion.chunk"), "choices": [_choice({}, reason)]})
        if cast("Body", body.get("stream_options") or {}).get("include_usage"):
            self._event(
                {**_envelope(body, "chat.completion.chunk"), "choices": [], "usage": _USAGE}
            )
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, body: Body) -> None:
        self._chunk(b"data: " + json.dumps(body).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()


_USAGE = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}


def _envelope(body: Body, kind: str) -> Body:
    return {"id": "chatcmpl-stub", "object": kind, "created": 1, "model": body.get("model", "stub")}


def _choice(delta: Body, reason: str | None = None) -> Body:
    return {"index": 0, "delta": delta, "finish_reason": reason}


def _last_user_text(body: Body) -> str:
    for message in reversed(cast("list[Body]", body.get("messages", []))):
        if message.get("role") == "user":
            return _text(message.get("content"))
    return ""


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = cast("list[Body]", content or [])
    return " ".join(str(part.get("text", "")) for part in parts)


def _message(body: Body, prompt: str, authorization: str) -> Body:
    messages = cast("list[Body]", body.get("messages", []))
    tools = cast("list[Body]", body.get("tools", []))
    if messages and messages[-1].get("role") == "tool":
        return _said(f"the tool said {_text(messages[-1].get('content'))}")
    if tools and (body.get("tool_choice") == "required" or re.search(r"\btool\b", prompt)):
        return _calling(tools[0]["function"])
    if re.search(r"\bkey\b", prompt):
        return _said(authorization)
    if chunks := re.search(r"\bchunks:(\d+)", prompt):
        return _said(" ".join(f"w{number}" for number in range(int(chunks[1]))))
    return _said(f"You said: {prompt}")


def _said(text: str) -> Body:
    return {"role": "assistant", "content": text}


def _calling(function: Body) -> Body:
    schema = cast("Body", function.get("parameters") or {})
    properties = cast("Body", schema.get("properties") or {})
    values = {
        name: _value(properties.get(name) or {}) for name in schema.get("required") or properties
    }
    called = {"name": function["name"], "arguments": json.dumps(values)}
    call = {"id": f"call_{function['name']}", "type": "function", "function": called}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _value(schema: Body) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    samples: Body = {"integer": 3, "number": 1.5, "boolean": True, "array": [], "object": {}}
    return samples.get(str(schema.get("type")), "stub")


def _deltas(prompt: str, message: Body) -> Iterator[Body]:
    yield {"role": "assistant"}
    for index, call in enumerate(cast("list[Body]", message.get("tool_calls") or [])):
        function = {"name": call["function"]["name"], "arguments": ""}
        yield {
            "tool_calls": [
                {"index": index, "id": call["id"], "type": "function", "function": function}
            ]
        }
        arguments = str(call["function"]["arguments"])
        for piece in (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
    if re.search(r"\bendless\b", prompt):
        for number in range(ENDLESS_CHUNKS_MAX):
            time.sleep(ENDLESS_PACE_S)
            yield {"content": f"w{number} "}
    elif message.get("content"):
        for piece in re.findall(r"\S+\s*", str(message["content"])):
            yield {"content": piece}


def main() -> None:
    """Serve until standard input ends."""
    with StubOpenAI() as stub:
        sys.stdout.write(stub.base_url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
