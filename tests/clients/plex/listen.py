"""Runs one unmodified Python client of Plex servers and prints what it is told: listen.py alert|websocket URL TOKEN.

A line is JSON: {"alert": container}, {"error": text}, {"state": text, "why": text}; the end of stdin ends it.
"""
import asyncio
import json
import sys
import threading

from plexapi.server import PlexServer

kind, url, token = sys.argv[1:]


def say(**line):
    print(json.dumps(line), flush=True)


def alert(server):
    listener = server.startAlertListener(lambda data: say(alert=data), lambda error: say(error=str(error)))
    sys.stdin.read()
    listener.stop()


async def websocket(server):
    from plexwebsocket import SIGNAL_CONNECTION_STATE, PlexWebsocket

    def told(kind, data, why):
        if kind == SIGNAL_CONNECTION_STATE:
            say(state=data, why=why)
        else:
            say(alert=data if isinstance(data, dict) else {"type": kind, "data": str(data)})

    socket = PlexWebsocket(server, told, subscriptions=["playing", "timeline", "activity", "status"])
    loop = asyncio.get_running_loop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(socket.close)), daemon=True).start()
    await socket.listen()


plex = PlexServer(url, token)
say(server=plex.friendlyName)
if kind == "alert":
    alert(plex)
else:
    asyncio.run(websocket(plex))
