#!/usr/bin/env python3
"""What watching a server costs it: the CPU of its process with somebody watching, less that without.

    benches/watched.py --pid PID --token TOKEN [--target URL] [--metrics URL] [--seconds 6] [--pairs 5] [--scrapes 200] WATCHER

WATCHER is `scraping` (`/metrics` once a second), `console` (what the page at `/console` asks, its two streams open) or
`each-scrape` (one scrape after another, for the cost of one). Windows with and without the watcher follow each other in turn,
and the median of the neighbours' differences is what is printed, with the smallest and the largest. CPU is the nanoseconds the
scheduler gave the server's threads; of the thread that answers scrapes it is printed by itself, too, because the rest of the
process drifts with the load. An administrator's token is needed for the console. Stops by itself.
"""

import argparse
import json
import re
import socket
import statistics
import sys
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

# As the page has it: clients.js, page.js.
SLOWEST_EVERY, ONLINE_EVERY = 2.0, 10.0


def cpu(pid: int) -> dict[str, int]:
    """Nanoseconds each thread has run."""
    used = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            used[task.name] = int((task / "schedstat").read_text("ascii").split()[0])
        except OSError:
            pass  # it has ended
    return used


def between(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {thread: ran - before.get(thread, 0) for thread, ran in after.items()}


def get(url: str, token: str | None = None) -> bytes:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.read()


def every(seconds: float, done: threading.Event, work) -> threading.Thread:
    def run() -> None:
        due = time.monotonic()
        while not done.is_set():
            work()
            due += seconds
            done.wait(max(0.0, due - time.monotonic()))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


class Scraping:
    """Prometheus, once a second."""

    def __init__(self, options: argparse.Namespace):
        self.url = options.metrics + "/metrics"

    def begin(self):
        done = threading.Event()
        thread = every(1.0, done, lambda: get(self.url))
        return done, [thread], []


class Console:
    """The page at `/console` with nothing filtered: what its streams ask for is read from the page itself."""

    def __init__(self, options: argparse.Namespace):
        self.target, self.token = options.target, options.token
        page = get(self.target + "/console").decode()
        self.figures = re.search(r'const STREAM = "([^"]+)"', page).group(1)
        types = re.findall(r'"([^"]+)"', re.search(r"const TYPES = \[(.*?)\]", page, re.DOTALL).group(1))
        self.tail = "sse?events=" + urllib.parse.quote(",".join([*types, "gap"]), safe=",")
        self.received = {}

    def stream(self, path: str) -> socket.socket:
        address = urllib.parse.urlsplit(self.target)
        connection = socket.create_connection((address.hostname, address.port), timeout=10)
        head = f"GET /{path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {self.token}\r\n\r\n"
        connection.sendall(head.encode("ascii"))

        def read() -> None:
            first = b""
            try:
                while some := connection.recv(1 << 18):
                    first = first or some
                    self.received[path] = self.received.get(path, 0) + len(some)
            except OSError:
                pass  # it was shut by us, or nothing came for long
            if not first.startswith(b"HTTP/1.1 200"):
                print(f"/{path}: {first[:60]!r}", file=sys.stderr)

        threading.Thread(target=read, daemon=True).start()
        return connection

    def ask(self, path: str) -> None:
        json.loads(get(f"{self.target}/api/{path}", self.token))

    def begin(self):
        done = threading.Event()
        self.ask("shards")
        streams = [self.stream(self.figures), self.stream(self.tail)]
        self.ask("libraries")
        asks = [(SLOWEST_EVERY, "connections/slowest?limit=10"), (ONLINE_EVERY, "online")]
        return done, [every(seconds, done, lambda path=path: self.ask(path)) for seconds, path in asks], streams


def window(options: argparse.Namespace, watcher) -> dict[str, int]:
    """Nanoseconds of each thread in a window; `None` watches nothing. What opening costs is in it, what closing costs is not."""
    before = cpu(options.pid)
    end = time.monotonic() + options.seconds
    done, threads, streams = watcher.begin() if watcher else (threading.Event(), [], [])
    time.sleep(max(0.0, end - time.monotonic()))
    used = between(before, cpu(options.pid))
    done.set()
    for thread in threads:
        thread.join()
    for stream in streams:
        stream.shutdown(socket.SHUT_RDWR)
        stream.close()
    time.sleep(0.5)  # until the server has noticed
    return used


def answers_scrapes(options: argparse.Namespace) -> str:
    """The worker of the metrics listener: of all workers the one that began last."""
    tasks = Path(f"/proc/{options.pid}/task").iterdir()
    return max((task.name for task in tasks if (task / "comm").read_text("ascii").startswith("actix-rt")), key=int)


def milliseconds(figures: list[float]) -> str:
    figures = sorted(figure / 1e6 for figure in figures)
    return f"{statistics.median(figures):.2f} ms ({figures[0]:.2f}–{figures[-1]:.2f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("watcher", choices=["scraping", "console", "each-scrape"])
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--target", default="http://127.0.0.1:8400")
    parser.add_argument("--metrics", default="http://127.0.0.1:8401")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--scrapes", type=int, default=200)
    options = parser.parse_args()
    scraper = answers_scrapes(options)

    if options.watcher == "each-scrape":
        began, before = time.monotonic(), cpu(options.pid)
        size = max(len(get(options.metrics + "/metrics")) for _ in range(options.scrapes))
        used, seconds = between(before, cpu(options.pid)), time.monotonic() - began
        each, own = sum(used.values()) / options.scrapes / 1e6, used[scraper] / options.scrapes / 1e6
        print(f"{options.scrapes} scrapes of {size} bytes in {seconds:.1f} s: {each:.2f} ms of CPU each, {own:.2f} in their thread")
        return 0

    watcher = {"scraping": Scraping, "console": Console}[options.watcher](options)
    without, with_it, differences, own = [], [], [], []
    for _ in range(options.pairs):
        base, watched = window(options, None), window(options, watcher)
        without.append(sum(base.values()) / options.seconds)
        with_it.append(sum(watched.values()) / options.seconds)
        differences.append(with_it[-1] - without[-1])
        own.append((watched.get(scraper, 0) - base.get(scraper, 0)) / options.seconds)
    line = f"CPU a second: {milliseconds(without)} without, {milliseconds(with_it)} with; difference {milliseconds(differences)}"
    if options.watcher == "scraping":
        line += f"; in the thread of scrapes {milliseconds(own)}"
    else:
        received = [size / 1024 / options.pairs / options.seconds for size in watcher.received.values()]
        line += "; its streams brought " + " and ".join(f"{rate:.0f} KiB/s" for rate in received)
    print(f"{options.watcher}: {line}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
