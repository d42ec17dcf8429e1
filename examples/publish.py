#!/usr/bin/env python3
"""Publish to Fanfare with the standard library alone: one event, then a stream of NDJSON.

FANFARE_URL and FANFARE_TOKEN say where and with which token; without them the server running on this machine is found
through its run file, as `fanfare publish` does.
"""

import http.client
import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit


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


def lines(count):
    """One event per line; a scanner would yield them as it finds them."""
    for number in range(count):
        media = {"id": f"py{number}", "name": f"{number}.mkv", "type": "video"}
        event = {"type": "medias", "data": {"library": "films", "medias": [{"action": "Added", "media": media}]}}
        yield json.dumps(event).encode() + b"\n"


def main():
    url, token = target()
    server = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=60)
    authorization = {"Authorization": f"Bearer {token}"}

    # One event. With `id` and `source` it may be sent again after a lost connection: it is delivered once.
    event = {"type": "message", "id": f"py-{os.getpid()}", "source": "/publish.py", "data": {"text": "hello from python"}}
    server.request("POST", "/api/events", json.dumps(event), authorization | {"Content-Type": "application/json"})
    answer = server.getresponse()
    print(answer.status, answer.read().decode())
    if answer.status != 200:
        sys.exit(1)

    # Many events. An iterator is sent in chunks, so nothing is held in memory. The server reads on only as its answers
    # are taken, and this client takes them at the end: keep such a stream to some thousand lines.
    server.request("POST", "/api/events", lines(5), authorization | {"Content-Type": "application/x-ndjson"}, encode_chunked=True)
    answer = server.getresponse()
    refused = 0
    for line in answer:
        print(answer.status, line.decode().strip())
        refused += "error" in json.loads(line)
    sys.exit(1 if refused or answer.status != 200 else 0)


main()
