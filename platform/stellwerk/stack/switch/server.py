"""The listening socket of a simulator, and everything behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from stellwerk.stack.switch.connection import Connection
from stellwerk.stack.switch.console import Console
from stellwerk.stack.switch.exchange import Exchange, Options

HOST = "127.0.0.1"


class SwitchServer:
    """A simulator that listens."""

    def __init__(self, exchange: Exchange, server: asyncio.Server) -> None:
        self.exchange = exchange
        self._server = server

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return int(self._server.sockets[0].getsockname()[1])

    async def until_shut_down(self) -> None:
        """Wait for `fsctl shutdown`."""
        await self.exchange.ended.wait()


@asynccontextmanager
async def serving(options: Options) -> AsyncIterator[SwitchServer]:
    """A simulator from here to the end of the block; its calls end with it, as of one killed."""
    exchange = Exchange(options)
    console = Console(exchange)
    clients: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Connection(exchange, console, reader, writer).serve()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if exchange.ended.is_set():
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(serve(reader, writer))
        clients.add(task)
        task.add_done_callback(clients.discard)

    server = await asyncio.start_server(accept, HOST, options.port)
    beating = exchange.run(exchange.beat())
    try:
        yield SwitchServer(exchange, server)
    finally:
        beating.cancel()
        server.close()
        await exchange.close()
        if clients:
            _, late = await asyncio.wait(clients, timeout=1.0 if exchange.ended.is_set() else 0.0)
            for client in late:
                client.cancel()
            await asyncio.gather(*late, return_exceptions=True)
