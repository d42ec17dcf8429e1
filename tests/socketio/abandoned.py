#!/usr/bin/env python3
"""Begins sessions of Engine.IO by polling and never comes back, and looks at what the server holds of it.

    tests/socketio/abandoned.py PORT PATH PID [SECONDS [PER_SECOND]]    300 seconds, 40 a second unless told otherwise

PID is the server's process. Requests come from many addresses of 127.0.0.0/8, because a server bounds what one of them may
leave open. Prints resident memory every ten seconds, and at the end how much it grew after the first minute (or fifth, if the
run is shorter): more than 1 MiB, or a handshake that is refused in any other way than by 503, is a failure. Stops by itself.
"""

import socket
import sys
import time


def resident_kib(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def handshake(port: int, path: str, number: int) -> int:
    source = f"127.{1 + number // 62500 % 200}.{number // 250 % 250}.{1 + number % 250}"
    with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0)) as client:
        request = f"GET {path}?EIO=4&transport=polling HTTP/1.1\r\nHost: fanfare\r\nConnection: close\r\n\r\n"
        client.sendall(request.encode("ascii"))
        return int(client.recv(4096).split()[1])


def main() -> int:
    port, path, pid = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 300.0
    per_second = float(sys.argv[5]) if len(sys.argv) > 5 else 40.0
    began, settled_at = time.monotonic(), min(60.0, seconds / 5)
    settled, next_print, answers = None, 0.0, {}
    for number in range(int(seconds * per_second)):
        elapsed = time.monotonic() - began
        time.sleep(max(0.0, number / per_second - elapsed))
        status = handshake(port, path, number)
        answers[status] = answers.get(status, 0) + 1
        if settled is None and elapsed >= settled_at:
            settled = resident_kib(pid)
        if elapsed >= next_print:
            print(f"{elapsed:5.0f} s  {resident_kib(pid)} KiB  {answers}", flush=True)
            next_print += 10.0
    grown = resident_kib(pid) - (settled or 0)
    print(f"grown by {grown} KiB after the first {settled_at:.0f} s; answers: {answers}")
    return 0 if grown <= 1024 and set(answers) <= {200, 503} else 1


if __name__ == "__main__":
    sys.exit(main())
