"""Real clients of Audiobookshelf's socket written in Python; what they hear is said as lines of JSON.

    python audiobookshelf_clients.py python-socketio URL TOKEN PATH WAY   PyPI python-socketio; WAY: default, websocket, polling
    python audiobookshelf_clients.py aioaudiobookshelf URL NAME PASSWORD  PyPI aioaudiobookshelf, which Music Assistant uses

Whatever a client logs at WARNING or above, and what goes wrong in a handler, is said as {"log": ...}. aioaudiobookshelf does
what it is told by lines: `refresh`, `log out`.
"""

import asyncio
import json
import logging
import sys
import traceback


def say(**what):
    print(json.dumps(what, default=str), flush=True)


class Repeater(logging.Handler):
    def emit(self, record):
        if record.levelno < logging.WARNING:
            return say(trace=record.getMessage())
        error = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        return say(log=f"{record.getMessage()}\n{error}")


logging.getLogger().addHandler(Repeater())


def tell_what_is_lost(loop):
    """What a handler raises ends in a task that nobody looks at: asyncio tells it here."""
    loop.set_exception_handler(lambda _loop, context: say(log=f"{context.get('message')}: {context.get('exception')!r}"))


async def python_socketio(url, token, path, way):
    import socketio

    client = socketio.AsyncClient()

    async def heard(name, *data):
        say(heard=name, data=data)

    async def connected():
        await client.emit("auth", token)

    client.on("*", heard)
    client.on("connect", connected)
    await client.connect(url, socketio_path=path, **({} if way == "default" else {"transports": [way]}))
    say(transport=client.transport())
    await client.wait()


# Each callback that the client has.
CALLBACKS = {
    "item": ["item_added", "item_updated", "item_removed", "items_added", "items_updated"],
    "user": ["user_updated", "user_item_progress_updated", "user_session_closed"],
    "library": ["library_added", "library_updated", "library_removed"],
    "podcast_episode": ["episode_download_finished", "episode_added"],
    "stream": ["stream_open", "stream_closed", "stream_progress", "stream_ready", "stream_reset", "stream_error"],
    "playlist": ["playlist_added", "playlist_updated", "playlist_removed"],
    "author": ["author_added", "author_updated", "author_removed"],
}


async def aioaudiobookshelf(url, name, password):
    import aiohttp

    from aioaudiobookshelf import SessionConfiguration, get_user_and_socket_client, get_user_client_by_token

    def callback(event):
        async def heard(*data):
            say(event=event, types=[type(one).__name__ for one in data], data=[repr(one) for one in data])

        return heard

    async with aiohttp.ClientSession() as session:
        settings = SessionConfiguration(session=session, url=url)
        user, socket = await get_user_and_socket_client(session_config=settings, username=name, password=password)
        again = await get_user_client_by_token(session_config=settings)
        say(logged_in=user.user.username, type=user.user.type_.value, again=again.user.username, version=user.server_settings.version)
        for kind, events in CALLBACKS.items():
            getattr(socket, f"set_{kind}_callbacks")(**{f"on_{event}": callback(event) for event in events})

        async def expired():
            say(event="refresh_token_expired")

        socket.set_refresh_token_expired_callback(on_refresh_token_expired=expired)
        # What it has received is for its log to tell, for it calls nobody at `init`; the log goes to us alone.
        socket.client.logger.handlers.clear()
        socket.client.logger.setLevel(logging.INFO)
        await socket.init_client()
        while order := (await asyncio.to_thread(sys.stdin.readline)).strip():
            if order == "refresh":
                await user.refresh()
            elif order == "log out":
                await socket.shutdown()
                await user.logout()
            say(done=order)


async def main(kind, *parameters):
    tell_what_is_lost(asyncio.get_running_loop())
    await {"python-socketio": python_socketio, "aioaudiobookshelf": aioaudiobookshelf}[kind](*parameters)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
