#!/usr/bin/env python3
"""A TCP proxy between Kafka clients and their brokers that harms single connections when told to.

    proxy.py LISTEN_PORT:BROKER_PORT...

Told by lines of JSON on standard input; what was done is told by a line of JSON on standard output:

    {"fault": "cut", "pick": 0.4}                              both ends of a connection are reset
    {"fault": "stall", "pick": 0.4, "seconds": 3}              no byte passes either way, then all do
    {"fault": "delay", "pick": 0.4, "seconds": 5, "by": 0.2}   for so long every byte comes so much later
    {"fault": "late", "keys": [26], "seconds": 3}              the next such request is kept, its client cut
                                                               off; the broker gets it so much later
    {"fault": "unanswered", "keys": [26]}                      the next such request is handed on, and its
                                                               client cut off before the answer
    {"fault": "silent", "keys": [26], "seconds": 12}           it is handed on, and its client waits so long
                                                               for an answer that does not come

`pick` in [0, 1) chooses among the connections in use; keys are those of Kafka's protocol.
"""
import asyncio
import collections
import json
import struct
import sys

HEADER = struct.Struct(">ih")  # length of what follows, and the first of it: the request's key
LENGTH_BYTES = 4
IN_USE_SECONDS = 2
ARMED_SECONDS = 20  # after that a fault that met no such request is off
COLLECT_SECONDS = 0.5  # for the rest of a request that is kept
BROKER_READS_SECONDS = 2  # what was handed on late, or is not answered


class Requests:
    """Cuts a client's bytes into requests."""

    def __init__(self):
        self.left = 0  # of the request under way
        self.begun = b""  # of a header that is not whole yet

    def split(self, data):
        """Yields (key, bytes): at a request's beginning its key, else None."""
        data = self.begun + data
        self.begun = b""
        at = 0
        while at < len(data):
            key = None
            if self.left == 0:
                if len(data) - at < HEADER.size:
                    self.begun = data[at:]
                    return
                length, key = HEADER.unpack_from(data, at)
                self.left = length + LENGTH_BYTES
            end = min(len(data), at + self.left)
            self.left -= end - at
            yield key, data[at:end]
            at = end


class End(asyncio.Protocol):
    """One end of a link, the client's or the broker's."""

    def __init__(self, link):
        self.link = link
        self.transport = None
        self.pending = []  # before there is a connection
        self.deliver_at = 0

    def connection_made(self, transport):
        self.transport = transport
        for data in self.pending:
            transport.write(data)
        self.pending.clear()
        self.link.opened(self)

    def data_received(self, data):
        self.link.take(self, data)

    def connection_lost(self, error):
        self.link.lost(self)

    def pause_writing(self):
        self.link.other(self).pause()

    def resume_writing(self):
        self.link.other(self).resume()

    def write(self, data):
        if self.transport is None:
            self.pending.append(data)
        elif not self.transport.is_closing():
            self.transport.write(data)

    def write_later(self, data, by):
        """In order, also where `by` has become less."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self.deliver_at = max(now + by, self.deliver_at)
        if self.deliver_at <= now:
            self.write(data)
        else:
            loop.call_at(self.deliver_at, self.write, data)

    def pause(self):
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self):
        if self.transport is not None and not self.transport.is_closing() and not self.link.stalled:
            self.transport.resume_reading()

    def abort(self):
        if self.transport is not None:
            self.transport.abort()


class Link:
    """A client's connection and the one to the broker that is made for it."""

    def __init__(self, proxy, broker_port):
        self.proxy = proxy
        self.broker_port = broker_port
        self.client = End(self)
        self.broker = End(self)
        self.requests = Requests()
        self.used_at = 0
        self.delayed_by = 0
        self.stalled = False
        self.fault = None  # what happens to a request of it, see Proxy.armed
        self.kept = []

    def other(self, end):
        return self.broker if end is self.client else self.client

    def opened(self, end):
        if end is self.client:
            self.proxy.links.add(self)
            self.connecting = asyncio.ensure_future(self.connect())

    async def connect(self):
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: self.broker, "127.0.0.1", self.broker_port)
        except OSError:  # down
            self.client.abort()

    def take(self, end, data):
        self.used_at = asyncio.get_running_loop().time()
        if end is self.broker:
            if self.fault is None:
                self.client.write_later(data, self.delayed_by)
            return
        for key, part in self.requests.split(data):
            self.pass_on(key, part)

    def pass_on(self, key, part):
        if self.fault is None and key is not None:
            self.fault = self.proxy.fault_for(key)
            if self.fault is not None:
                self.begin_fault()
        if self.fault is None:
            self.broker.write_later(part, self.delayed_by)
        elif self.fault["fault"] == "late":
            self.kept.append(part)
        else:
            self.broker.write(part)

    def begin_fault(self):
        """The request is kept, or handed on, whole: then the client is cut off."""
        loop = asyncio.get_running_loop()
        self.fault["key"] = self.fault.pop("keys")
        if self.fault["fault"] == "silent":
            loop.call_later(self.fault["seconds"], self.cut)
            return
        until = loop.time() + COLLECT_SECONDS

        def look():
            if self.requests.left > 0 and loop.time() < until:
                loop.call_later(0.005, look)
                return
            self.client.abort()
            if self.fault["fault"] == "late":
                loop.call_later(self.fault["seconds"], self.hand_on_late)
            else:
                loop.call_later(BROKER_READS_SECONDS, self.broker.abort)

        loop.call_soon(look)

    def hand_on_late(self):
        data = b"".join(self.kept)
        reached = self.broker.transport is not None and not self.broker.transport.is_closing()
        if reached:
            self.broker.write(data)
        self.proxy.tell({**self.fault, "bytes": len(data), "reached": reached})
        asyncio.get_running_loop().call_later(BROKER_READS_SECONDS, self.broker.abort)

    def lost(self, end):
        if end is self.client:
            self.proxy.links.discard(self)
            if self.fault is None:
                self.broker.abort()
        elif self.fault is None:
            self.client.abort()

    # faults of the whole connection

    def cut(self):
        self.client.abort()
        self.broker.abort()

    def stall(self, seconds):
        self.stalled = True
        self.client.pause()
        self.broker.pause()
        asyncio.get_running_loop().call_later(seconds, self.end_stall)

    def end_stall(self):
        self.stalled = False
        self.client.resume()
        self.broker.resume()

    def delay(self, seconds, by):
        self.delayed_by = by
        asyncio.get_running_loop().call_later(seconds, setattr, self, "delayed_by", 0)


class Proxy:
    def __init__(self):
        self.links = set()
        self.armed = collections.deque()  # (until, fault): waiting for a request of one of its keys

    def tell(self, what):
        print(json.dumps(what), flush=True)

    def fault_for(self, key):
        now = asyncio.get_running_loop().time()
        while self.armed and self.armed[0][0] < now:
            self.armed.popleft()
        for n, (_, fault) in enumerate(self.armed):
            if key in fault["keys"]:
                del self.armed[n]
                told = {**fault, "keys": key}
                if fault["fault"] != "late":
                    self.tell({"fault": fault["fault"], "key": key})
                return told
        return None

    def command(self, fault):
        now = asyncio.get_running_loop().time()
        if "keys" in fault:
            self.armed.append((now + ARMED_SECONDS, fault))
            return
        in_use = sorted((link for link in self.links
                         if now - link.used_at < IN_USE_SECONDS and not link.stalled), key=id)
        if not in_use:
            return
        link = in_use[int(fault["pick"] * len(in_use))]
        if fault["fault"] == "cut":
            link.cut()
        elif fault["fault"] == "stall":
            link.stall(fault["seconds"])
        elif fault["fault"] == "delay":
            link.delay(fault["seconds"], fault["by"])
        self.tell(fault)

    async def run(self, pairs):
        loop = asyncio.get_running_loop()
        for listen_port, broker_port in pairs:
            await loop.create_server(lambda port=broker_port: Link(self, port).client, "127.0.0.1",
                                     listen_port)
        self.tell({"ready": True})
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            self.command(json.loads(line))


if __name__ == "__main__":
    asyncio.run(Proxy().run([tuple(map(int, pair.split(":"))) for pair in sys.argv[1:]]))
