"""Real clients of the MediaBrowser family written in Python, each used as its own users do.

    python mediabrowser_clients.py jellyfin-apiclient-python URL DEVICE
    python mediabrowser_clients.py pyemby URL DEVICE

What they are to do is read as lines of JSON, {"id": 1, "do": "log_in", "with": [...]}, and answered with {"id": 1, "result": ...} or
{"id": 1, "failed": "..."}. What they hear is said as {"heard": MessageType, "data": ...}.
"""

import asyncio
import json
import logging
import sys
import threading
from urllib.parse import urlsplit

speaking = threading.Lock()
# What the clients print themselves is not for the test.
spoken, sys.stdout = sys.stdout, sys.stderr


def say(**what):
    with speaking:
        print(json.dumps(what, default=str), file=spoken, flush=True)


class Repeater(logging.Handler):
    """What a client tells nobody but its log."""

    def emit(self, record):
        say(log=record.getMessage())


class JellyfinApiClient:
    """PyPI jellyfin-apiclient-python, as jellyfin-mpv-shim uses it."""

    def __init__(self, url, device):
        from jellyfin_apiclient_python import JellyfinClient

        self.url, self.failures = url, 0
        self.client = JellyfinClient()
        self.client.config.app("jellyfin-mpv-shim", "3.3.0", "the \"big\" one", device)
        self.client.config.data["auth.ssl"] = False
        self.client.callback = self.heard
        logging.getLogger("JELLYFIN.jellyfin_apiclient_python.ws_client").addHandler(Repeater())
        logging.getLogger("JELLYFIN.jellyfin_apiclient_python.ws_client").setLevel(logging.DEBUG)

    def heard(self, kind, data):
        if kind == "WebSocketError":
            self.failures += 1  # a refused one comes thousands of times
        else:
            say(heard=kind, data=data)

    def log_in(self, name, password):
        state = self.client.auth.connect_to_address(self.url)
        answer = self.client.auth.login(self.url, name, password)
        if not answer:
            return {"state": str(state["State"])}
        return {"user": answer["User"]["Id"], "token": answer["AccessToken"], "server": answer["ServerId"], **self.come_back()}

    def come_back(self):
        """As at its next start: the token it has kept is tried."""
        kept = self.client.auth.credentials.get_credentials()
        return {"state": str(self.client.authenticate({"Servers": kept["Servers"]}, discover=False)["State"])}

    def use(self, user, token):
        self.client.config.auth(self.url, user, token, False)
        self.client.logged_in = True
        self.client.config.data["app.default"] = True  # it has asked no server for its id
        logging.getLogger("JELLYFIN.jellyfin_apiclient_python.ws_client").setLevel(logging.CRITICAL)

    def listen(self):
        self.client.start(websocket=True)

    def send(self, kind, data=""):
        self.client.wsc.send(kind, data)

    def call(self, method, *arguments):
        return getattr(self.client.jellyfin, method)(*arguments)

    def attempts(self):
        return self.failures

    def discover(self, port):
        from jellyfin_apiclient_python.discovery import discover_servers

        return discover_servers(timeout=1.0, address=("127.0.0.1", port))

    def stop(self):
        self.client.stop()


class Emby:
    """PyPI pyEmby, which Home Assistant uses."""

    def __init__(self, url, device):
        # It takes the number of the machine's network card for its device id; here several share a machine.
        import uuid

        from pyemby import EmbyServer

        uuid._node = int(device)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        address = urlsplit(url)
        self.address = (address.hostname, address.port, address.scheme == "https")
        self.server_class, self.server = EmbyServer, None
        logging.getLogger("pyemby").addHandler(Repeater())
        logging.getLogger("pyemby").setLevel(logging.ERROR)

    def wait_for(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def use(self, _user, token):
        self.token = token

    def listen(self):
        async def start():
            host, port, encrypted = self.address
            self.server = self.server_class(host, self.token, port, encrypted, asyncio.get_running_loop())
            process = self.server.process_msg

            def heard(text):
                message = json.loads(text)
                say(heard=message["MessageType"], data=message.get("Data"))
                process(text)

            self.server.process_msg = heard
            self.server.start()

        self.wait_for(start())

    def devices(self):
        return [
            {"id": it.unique_id, "client": it.client, "user": it.username, "state": it.state, "title": it.media_title, "item": it.media_id,
             "position": it.media_position, "length": it.media_runtime, "controllable": it.supports_remote_control}
            for it in list(self.server.devices.values())
        ]

    def call(self, device, method, *arguments):
        found = next(it for it in self.server.devices.values() if it.unique_id == device)
        return self.wait_for(getattr(found, method)(*arguments))

    def stop(self):
        if self.server:
            self.wait_for(self.server.stop())


def main(kind, url, device):
    client = {"jellyfin-apiclient-python": JellyfinApiClient, "pyemby": Emby}[kind](url, device)
    say(ready=True)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            say(id=order["id"], result=getattr(client, order["do"])(*order["with"]))
        except Exception as error:  # the test wants to know how a client fails
            say(id=order["id"], failed=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
