"""The store's port: passes connections on to whichever Redis the scenario at hand runs on.

The deployed store's endpoint stays what the deployment says, and each scenario still has a Redis of its own to look
into and to break.
"""

import asyncio
import threading

CHUNK = 64 * 1024


class Forwarder:
    """Listens on a loopback port, in a thread of its own."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.open: set[asyncio.StreamWriter] = set()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self.server.sockets[0].getsockname()[1]

    def switch(self, upstream: int) -> None:
        """Passes on to another port from now on; what is connected is cut."""
        async def switch() -> None:
            self.upstream = upstream
            for writer in list(self.open):
                writer.transport.abort()
        self._run(switch())

    def stop(self) -> None:
        async def stop() -> None:
            self.server.close()
            for writer in list(self.open):
                writer.transport.abort()
        self._run(stop())
        self.loop.call_soon_threadsafe(self.loop.stop)

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, upstream}
        self.open |= both
        ways = [asyncio.create_task(pass_on(reader, upstream)), asyncio.create_task(pass_on(upstream_reader, writer))]
        # A connection that one side has closed is of no use to the other.
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        self.open -= both
        for end in both:
            end.transport.abort()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
