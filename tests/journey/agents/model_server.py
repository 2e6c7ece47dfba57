#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A model that follows a script, for agents that talk to one.

    model_server.py SCRIPT.json [--port N] [--log FILE] [--port-file FILE] [--tls DIR]

It speaks Anthropic Messages, OpenAI Responses and OpenAI Chat Completions, streaming or not. SCRIPT is a list of turns:

    [{"text": "I will look.", "run": "ls"}, {"text": "Done."}]

A turn with "run" calls the agent's shell tool with that command; the turn is chosen by how many tool results the
conversation holds, so a second conversation begins at the start. A request without tools (a title, a summary) gets a
short text. Other turns: {"status": 402, "message": "..."} answers with an error of the API, {"hang": seconds} sends
nothing for so long, {"truncate": true} breaks the stream off. Each turn counts 100 tokens in (20 of them cached) and
10 out. Every request is a line of the log: path, credentials, number of tool results, the last thing that was said,
the most tokens that it may answer.
"""
import argparse
import json
import os
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHELLS = ("Bash", "bash", "exec_command", "shell_command", "shell", "local_shell")


def shell_of(names):
    return next((n for n in SHELLS if n in names), None)


def text_of(content):
    if isinstance(content, str):
        return content
    return " ".join(p.get("text", "") for p in content or [] if isinstance(p, dict))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script, log = [], None
    lock = threading.Lock()

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.note({"results": 0, "said": ""})
        self.answer(404, {"error": {"message": "not here", "type": "invalid_request_error"}})

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while (size := int(self.rfile.readline().split(b";")[0], 16)) > 0:
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(length)
        if self.headers.get("Content-Encoding") == "zstd":
            body = subprocess.run(["zstd", "-dcq"], input=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            request = {}
        self.most = request.get("max_tokens") or request.get("max_output_tokens") or request.get("max_completion_tokens")
        path = self.path.split("?")[0]
        for end, speak in (("/messages", self.speak_messages), ("/responses", self.speak_responses), ("/chat/completions", self.speak_chat)):
            if path.endswith(end):
                return speak(request)
        self.note({"results": 0, "said": ""})
        self.answer(404, {"error": {"message": "not here", "type": "invalid_request_error"}})

    # --- what they have in common

    def note(self, what):
        if self.log is None:
            return
        line = {"path": self.path, "authorization": self.headers.get("authorization") or self.headers.get("x-api-key") or ""}
        line.update(what, most=getattr(self, "most", None))
        with self.lock, open(self.log, "a", encoding="utf-8") as f:
            f.write(json.dumps(line) + "\n")

    def turn(self, results, tools, said):
        self.note({"results": results, "tools": sorted(t for t in tools if t), "said": said[-2000:]})
        if not shell_of(tools):
            return {"text": "a title"}
        return self.script[min(results, len(self.script) - 1)]

    def begin(self, turn):
        """False: the turn is answered already."""
        if "status" in turn:
            self.answer(turn["status"], {"type": "error", "error": {"type": "api_error", "message": turn.get("message", "refused")}})
            return False
        if "hang" in turn:
            time.sleep(turn["hang"])
        return True

    def answer(self, status, document):
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, events, turn, named=True):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for i, (name, data) in enumerate(events):
            if turn.get("truncate") and i == len(events) // 2:
                return
            text = data if isinstance(data, str) else json.dumps(data)
            self.wfile.write(((f"event: {name}\n" if named else "") + f"data: {text}\n\n").encode())
            self.wfile.flush()

    # --- Anthropic Messages

    def speak_messages(self, request):
        results, said = 0, ""
        for m in request.get("messages", []):
            for part in m["content"] if isinstance(m["content"], list) else [{"type": "text", "text": m["content"]}]:
                results += part.get("type") == "tool_result"
                if m["role"] == "user" and part.get("type") == "text":
                    said += part["text"] + "\n"
        tools = [t.get("name") for t in request.get("tools", [])]
        turn = self.turn(results, tools, said)
        if not self.begin(turn):
            return
        blocks = [{"type": "text", "text": turn.get("text", "")}] if turn.get("text") else []
        if "run" in turn:
            blocks.append({"type": "tool_use", "id": f"toolu_{results}", "name": shell_of(tools),
                           "input": {"command": turn["run"], "description": "as the script says"}})
        stop = "tool_use" if "run" in turn else "end_turn"
        usage = {"input_tokens": 80, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 0, "output_tokens": 10}
        message = {"id": f"msg_{results}", "type": "message", "role": "assistant", "model": request.get("model", "m"),
                   "content": blocks, "stop_reason": stop, "stop_sequence": None, "usage": usage}
        if not request.get("stream"):
            return self.answer(200, message)
        events = [("message_start", {"type": "message_start", "message": {**message, "content": [], "stop_reason": None,
                                                                          "usage": {**usage, "output_tokens": 1}}})]
        for i, block in enumerate(blocks):
            empty = {"type": "text", "text": ""} if block["type"] == "text" else {**block, "input": {}}
            delta = {"type": "text_delta", "text": block["text"]} if block["type"] == "text" else \
                {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            events += [("content_block_start", {"type": "content_block_start", "index": i, "content_block": empty}),
                       ("content_block_delta", {"type": "content_block_delta", "index": i, "delta": delta}),
                       ("content_block_stop", {"type": "content_block_stop", "index": i})]
        events += [("message_delta", {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 10}}),
                   ("message_stop", {"type": "message_stop"})]
        self.stream(events, turn)

    # --- OpenAI Responses

    def speak_responses(self, request):
        results, said = 0, ""
        entries = request.get("input", [])
        for item in entries if isinstance(entries, list) else []:
            results += item.get("type", "") in ("function_call_output", "local_shell_call_output", "custom_tool_call_output")
            if item.get("role") == "user":
                said += text_of(item.get("content")) + "\n"
        tools = [t.get("name") for t in request.get("tools", [])]
        turn = self.turn(results, tools, said)
        if not self.begin(turn):
            return
        output = []
        if turn.get("text"):
            output.append({"type": "message", "id": f"msg_{results}", "role": "assistant", "status": "completed",
                           "content": [{"type": "output_text", "text": turn["text"], "annotations": []}]})
        if "run" in turn:
            shell = shell_of(tools)
            arguments = {"cmd": turn["run"]} if shell == "exec_command" else {"command": turn["run"] if shell == "shell_command" else ["bash", "-c", turn["run"]]}
            output.append({"type": "function_call", "id": f"fc_{results}", "call_id": f"call_{results}", "name": shell,
                           "arguments": json.dumps(arguments), "status": "completed"})
        response = {"id": f"resp_{results}", "object": "response", "status": "completed", "model": request.get("model", "m"), "output": output,
                    "usage": {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 20}, "output_tokens": 10,
                              "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 110}}
        if not request.get("stream"):
            return self.answer(200, response)
        events = [("response.created", {"type": "response.created", "response": {"id": response["id"]}})]
        for i, item in enumerate(output):
            events.append(("response.output_item.added", {"type": "response.output_item.added", "output_index": i, "item": item}))
            events.append(("response.output_item.done", {"type": "response.output_item.done", "output_index": i, "item": item}))
        events.append(("response.completed", {"type": "response.completed", "response": response}))
        self.stream(events, turn)

    # --- OpenAI Chat Completions

    def speak_chat(self, request):
        results, said = 0, ""
        for m in request.get("messages", []):
            results += m.get("role") == "tool"
            if m.get("role") == "user":
                said += text_of(m.get("content")) + "\n"
        tools = [t.get("function", {}).get("name") for t in request.get("tools", [])]
        turn = self.turn(results, tools, said)
        if not self.begin(turn):
            return
        calls = []
        if "run" in turn:
            calls = [{"index": 0, "id": f"call_{results}", "type": "function",
                      "function": {"name": shell_of(tools), "arguments": json.dumps({"command": turn["run"], "description": "as the script says"})}}]
        finish = "tool_calls" if calls else "stop"
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110, "prompt_tokens_details": {"cached_tokens": 20}}
        head = {"id": f"chatcmpl-{results}", "created": 1, "model": request.get("model", "m")}
        if not request.get("stream"):
            message = {"role": "assistant", "content": turn.get("text")}
            if calls:
                message["tool_calls"] = [{k: v for k, v in c.items() if k != "index"} for c in calls]
            return self.answer(200, {**head, "object": "chat.completion", "usage": usage, "choices": [{"index": 0, "message": message, "finish_reason": finish}]})
        chunks = []

        def chunk(delta, reason=None):
            chunks.append({**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
        chunk({"role": "assistant", "content": ""})
        if turn.get("text"):
            chunk({"content": turn["text"]})
        if calls:
            chunk({"tool_calls": calls})
        chunk({}, finish)
        chunks.append({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
        self.stream([("", c) for c in chunks] + [("", "[DONE]")], turn, named=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("script")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log")
    parser.add_argument("--port-file")
    parser.add_argument("--tls", help="a folder with server.pem and server.key")
    o = parser.parse_args()
    with open(o.script, encoding="utf-8") as f:
        Handler.script = json.load(f)
    Handler.log = o.log
    server = ThreadingHTTPServer(("127.0.0.1", o.port), Handler)
    if o.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(o.tls, "server.pem"), os.path.join(o.tls, "server.key"))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    if o.port_file:
        with open(o.port_file + ".new", "w", encoding="ascii") as f:
            f.write(f"{server.server_port}\n")
        os.rename(o.port_file + ".new", o.port_file)
    server.serve_forever()


main()
