"""Firefox by its own protocol, WebDriver BiDi: a WebSocket with JSON in it, and of it only what a test needs.

Without a display it has no WebGL; where there is Xvfb, it gets one that nobody sees.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

PATIENCE = 60.0


def _display() -> tuple[subprocess.Popen[bytes] | None, dict[str, str]]:
    """Start a display where there is none, and return it with the environment that names it."""
    program = shutil.which("Xvfb")
    if os.environ.get("DISPLAY") or not program:
        return None, {}
    command = [program, "-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    with process.stdout:
        return process, {"DISPLAY": f":{process.stdout.readline().decode().strip()}"}


class Firefox:
    """A running Firefox with one page open; a context manager."""

    def __init__(self, program: str, profile: Path, size: tuple[int, int]) -> None:
        profile.mkdir()
        # Its port is found in what it prints; a profile of its own keeps it apart from any other.
        (profile / "user.js").write_text(
            'user_pref("ui.prefersReducedMotion", 1);\nuser_pref("webgl.force-enabled", true);\n'
        )
        self.output = profile / "output.txt"
        self.display, display = _display()
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [program, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"],
                stdout=output, stderr=subprocess.STDOUT, env={**os.environ, "HOME": str(profile), **display},
            )  # fmt: skip
        self.asked = 0
        self.said: list[str] = []
        try:
            self.socket = self._connect()
            self.ask("session.new", capabilities={})
            self.context = self.ask("browsingContext.getTree")["contexts"][0]["context"]
            self.ask("session.subscribe", events=["log.entryAdded"])
            viewport = {"width": size[0], "height": size[1]}
            self.ask("browsingContext.setViewport", context=self.context, viewport=viewport)
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Firefox:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()
        self._end()

    def _end(self) -> None:
        for process in filter(None, (self.process, self.display)):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    @property
    def has_display(self) -> bool:
        """Whether it can have WebGL."""
        return self.display is not None or bool(os.environ.get("DISPLAY"))

    def go(self, address: str) -> None:
        self.ask("browsingContext.navigate", context=self.context, url=address, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, a promise's once it is there, by way of JSON."""
        found = self.ask(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then((value) => JSON.stringify(value) ?? null)",
            target={"context": self.context}, awaitPromise=True,
        )  # fmt: skip
        if found["type"] != "success":
            raise AssertionError(found["exceptionDetails"]["text"])
        return json.loads(found["result"].get("value") or "null")

    def drag(self, start: tuple[float, float], by: tuple[float, float]) -> None:
        x, y = (round(each) for each in start)
        moves = [
            {"type": "pointerMove", "x": round(x + by[0] * part), "y": round(y + by[1] * part)} for part in (0.5, 1.0)
        ]
        press = [{"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0}]
        actions = [*press, *moves, {"type": "pointerUp", "button": 0}]
        self.ask(
            "input.performActions", context=self.context, actions=[{"type": "pointer", "id": "m", "actions": actions}]
        )

    def screenshot(self) -> bytes:
        return base64.b64decode(self.ask("browsingContext.captureScreenshot", context=self.context)["data"])

    def ask(self, method: str, **params: Any) -> Any:
        """Send a command and return its result; what the page writes to the console meanwhile is kept in ``said``."""
        self.asked += 1
        self._send(json.dumps({"id": self.asked, "method": method, "params": params}).encode())
        while True:
            answer = json.loads(self._receive())
            if answer.get("method") == "log.entryAdded":
                self.said.append(f"{answer['params']['level']}: {answer['params']['text']}")
            elif answer.get("id") == self.asked:
                if answer["type"] == "error":
                    raise AssertionError(f"{method}: {answer['message']}")
                return answer["result"]

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + PATIENCE
        found = None
        while found is None:
            found = re.search(r"BiDi listening on ws://127\.0\.0\.1:(\d+)", self.output.read_text("utf-8", "replace"))
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"Firefox did not start: {self.output.read_text('utf-8', 'replace')[-2000:]}")
            time.sleep(0.1)
        port = int(found.group(1))
        connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        connection.sendall(
            f"GET /session HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise AssertionError(head.decode())
        return connection

    def _send(self, data: bytes) -> None:
        """One text frame (RFC 6455, section 5.2): a client's are masked."""
        mask = os.urandom(4)
        size = len(data)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        masked = bytes(byte ^ mask[k % 4] for k, byte in enumerate(data))
        self.socket.sendall(b"\x81" + length + mask + masked)

    def _receive(self) -> bytes:
        message = b""
        while True:
            first, second = self._read(2)
            size = second & 0x7F
            if size >= 126:
                size = int.from_bytes(self._read(2 if size == 126 else 8), "big")
            data = self._read(size)
            if first & 0x0F in (0, 1):
                message += data
                if first & 0x80:
                    return message

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise AssertionError("Firefox closed the connection")
            data += part
        return bytes(data)
