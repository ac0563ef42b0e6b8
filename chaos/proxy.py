"""A TCP proxy that a scenario cuts, delays or turns into a black hole."""

import asyncio
import threading

QUEUED_MAX = 256  # pieces on their way, each of up to 64 KiB


class Proxy:
    """Forwards 127.0.0.1:port to `target`, a port, in a thread of its own.

    cut()        ends every connection and refuses new ones
    black_hole() nothing passes any more, nobody is told: what was sent arrives after open()
    delay(s)     every byte takes so much longer, each way
    open()       all of it is over
    """

    def __init__(self, port=0, target=None):
        self.target, self.delay_s, self.refusing = target, 0.0, False
        self.loop = asyncio.new_event_loop()
        self.writers = set()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._main, args=(port,), daemon=True)
        self.thread.start()
        self.ready.wait(10)

    def _main(self, port):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._listen(port))
        self.loop.run_forever()

    async def _listen(self, port):
        self.gate = asyncio.Event()
        self.gate.set()
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = self.server.sockets[0].getsockname()[1]
        self.ready.set()

    async def _accept(self, reader, writer):
        if self.refusing:
            writer.transport.abort()
            return
        await self.gate.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, far_writer}
        self.writers |= both
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self.writers -= both

    async def _pump(self, reader, writer):
        """Bytes keep their order, whatever the delay was when they came."""
        queue = asyncio.Queue(QUEUED_MAX)
        sending = asyncio.ensure_future(self._send(queue, writer))
        try:
            while data := await reader.read(1 << 16):
                await queue.put((self.loop.time() + self.delay_s, data))
        except OSError:
            pass
        await queue.put((self.loop.time() + self.delay_s, None))
        await sending

    async def _send(self, queue, writer):
        """Until the end of what comes; what the far side no longer takes is thrown away."""
        data = b""
        while data is not None:
            due, data = await queue.get()
            if due > self.loop.time():
                moment = self.loop.create_future()
                self.loop.call_at(due, moment.set_result, None)
                await moment
            await self.gate.wait()
            try:
                if data is not None and not writer.is_closing():
                    writer.write(data)
                    await writer.drain()
            except OSError:
                writer.close()
        writer.close()

    def _do(self, what):
        done = threading.Event()

        def call():
            what()
            done.set()

        self.loop.call_soon_threadsafe(call)
        done.wait(10)

    def _abort_all(self):
        for writer in list(self.writers):
            writer.transport.abort()

    def cut(self, to=None):
        """`to`: the port that connections made from now on lead to; they are not refused then."""
        self.refusing = to is None
        self.target = to or self.target
        self._do(self._abort_all)

    def black_hole(self):
        self._do(self.gate.clear)

    def delay(self, seconds):
        self.delay_s = seconds

    def open(self):
        self.refusing, self.delay_s = False, 0.0
        self._do(self.gate.set)
