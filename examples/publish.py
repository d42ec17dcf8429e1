#!/usr/bin/env python3
"""Publish to Fanfare with nothing but the standard library: one event, then a stream of NDJSON.

FANFARE_URL and FANFARE_TOKEN say where and with which token; without them the server running on this machine is found
through its run file, as `fanfare publish` does.
"""

import http.client
import json
import os
import random
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

ATTEMPTS = 6
RUN = f"{os.getpid()}-{time.time_ns()}"


def target():
    url, token = os.environ.get("FANFARE_URL"), os.environ.get("FANFARE_TOKEN")
    if not (url and token):
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
        run_file = Path(state) / "fanfare/run.json"
        if not run_file.exists():
            sys.exit(f"no server runs here ({run_file} is missing): set FANFARE_URL and FANFARE_TOKEN")
        run = json.loads(run_file.read_text())
        url, token = run["url"], run["token"]
    return urlsplit(url), token


def publish(content_type, body):
    """Sends until there is an answer that will not change; `body()` makes the bytes, or an iterator of them, anew each time.

    A lost connection, 429 and 5xx are tried again, later each time and not before the server says. Nothing is delivered
    twice, because every event has an `id` and a `source`.
    """
    url, token = target()
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type}
    for attempt in range(1, ATTEMPTS + 1):
        server = connect(url.hostname, url.port, timeout=60)
        after = 0
        try:
            data = body()
            server.request("POST", "/api/events", data, headers, encode_chunked=not isinstance(data, bytes))
            answer = server.getresponse()
            text = answer.read().decode()
            if (answer.status != 429 and answer.status < 500) or attempt == ATTEMPTS:
                return answer.status, text
            hint = answer.getheader("Retry-After", "")
            after = int(hint) if hint.isdigit() else 0
        except (OSError, http.client.HTTPException):
            if attempt == ATTEMPTS:
                raise
        finally:
            server.close()
        time.sleep(max(after, 0.25 * 2**attempt * random.uniform(0.75, 1.25)))


def lines(numbers):
    """One event per line; a scanner would yield them as it finds them."""
    for number in numbers:
        media = {"id": f"py{number}", "name": f"{number}.mkv", "type": "video"}
        data = {"library": "films", "medias": [{"action": "Added", "media": media}]}
        yield json.dumps({"type": "medias", "id": f"py{number}-{RUN}", "source": "/publish.py", "data": data}).encode() + b"\n"


def main():
    event = {"type": "message", "id": f"hello-{RUN}", "source": "/publish.py", "data": {"text": "hello from python"}}
    status, text = publish("application/json", json.dumps(event).encode)
    print(status, text)
    if status != 200:
        sys.exit(1)

    # Many events. An iterator is sent in chunks, so nothing is held in memory. The server reads on only as its answers
    # are taken, and this client takes them at the end: keep such a stream to some thousand lines. A line that found no
    # room is answered `busy`: those go again.
    left, refused = list(range(5)), 0
    for _ in range(ATTEMPTS):
        status, text = publish("application/x-ndjson", lambda: lines(left))
        for answer in text.splitlines():
            print(status, answer)
        if status != 200:
            break
        answers = [json.loads(answer) for answer in text.splitlines()]
        busy = [number for number, answer in zip(left, answers) if answer.get("status") == 503]
        refused += sum("error" in answer for answer in answers) - len(busy)
        left = busy
        if not left:
            break
        time.sleep(1)
    sys.exit(1 if refused or left else 0)


main()
