"""Real Plex clients written in Python, each used as its own users do; what it hears is said as lines of JSON.

    python plex_clients.py alert-listener URL TOKEN [PATH]    PyPI PlexAPI, class AlertListener
    python plex_clients.py plexwebsocket URL TOKEN            PyPI plexwebsocket, which Home Assistant uses
    python plex_clients.py frames URL TOKEN                   PyPI websocket-client, read frame by frame as Tautulli does

A URL of https takes the certificate that REQUESTS_CA_BUNDLE names.
"""

import asyncio
import json
import os
import ssl
import sys


def say(**what):
    print(json.dumps(what), flush=True)


def alert_listener(url, token, path=None):
    from plexapi import alert, server

    class Listener(alert.AlertListener):
        # The class asks for no filter; whoever wants one changes the path, which is a class attribute for that.
        key = path or alert.AlertListener.key

    plex = server.PlexServer(url, token)
    say(server=plex.friendlyName, machine=plex.machineIdentifier, version=plex.version)
    listener = Listener(plex, lambda data: say(container=data), lambda error: say(error=type(error).__name__, text=str(error)))
    listener.start()
    listener.join()
    say(ended=True)


async def plexwebsocket(url, token):
    import aiohttp
    from plexapi.server import PlexServer
    from plexwebsocket import PlexWebsocket

    plex = await asyncio.to_thread(PlexServer, url, token)
    authority = os.environ.get("REQUESTS_CA_BUNDLE")
    trust = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=authority)) if authority else None

    def heard(kind, data, error):
        say(kind=kind, data=data, error=error)

    async with aiohttp.ClientSession(connector=trust) as session:
        client = PlexWebsocket(plex, heard, subscriptions=["playing", "status"], session=session)
        await client.listen()
    say(ended=True)


def frames(url, token):
    from websocket import ABNF, create_connection

    address = url.replace("http", "ws", 1) + "/:/websockets/notifications"
    # Tautulli: 15 s without a frame count as a server that is down.
    socket = create_connection(address, timeout=15, header=[f"X-Plex-Token: {token}"])
    socket.ping("Hi?")
    while True:
        frame = socket.recv_frame()
        if frame.opcode == ABNF.OPCODE_PING:
            socket.pong("Hi!")  # its own word, not the ping's
            say(frame="ping")
        elif frame.opcode == ABNF.OPCODE_PONG:
            say(frame="pong", data=frame.data.decode())
        elif frame.opcode == ABNF.OPCODE_CLOSE:
            socket.send_close()
            return say(frame="close", code=int.from_bytes(frame.data[:2], "big"))
        else:
            say(frame="text" if frame.opcode == ABNF.OPCODE_TEXT else frame.opcode, whole=frame.fin, **json.loads(frame.data))


if __name__ == "__main__":
    client, *arguments = sys.argv[1:]
    try:
        if client == "plexwebsocket":
            asyncio.run(plexwebsocket(*arguments))
        else:
            {"alert-listener": alert_listener, "frames": frames}[client](*arguments)
    except Exception as error:  # the test wants to know how a client fails
        say(failed=type(error).__name__, text=str(error))
