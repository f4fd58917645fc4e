"""The brokers of a run, and the proxy that its daemons reach them through."""
import json
import pathlib
import random
import socket
import subprocess
import sys
import threading

from harness import BROKER, end_with_parent, environment, spawn
from waiting import until

PROXY = pathlib.Path(__file__).resolve().parent / "proxy.py"
READY = "ready on"
START_SECONDS = 180
# Below the ports that the system gives to outgoing connections: one of those could take a broker's while
# that is down.
PORTS = (20_000, 32_000)
ENOUGH = {1: 1, 3: 2}  # brokers up, of so many, with which work can go on


def steady_ports(count):
    found = []
    while len(found) < count:
        port = random.randrange(*PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


class Node:
    """One broker: started, killed, started again on the same data."""

    def __init__(self, number, directory, version, ports):
        self.number = number
        self.version = version
        self.directory = directory / f"broker-{number}"
        self.directory.mkdir()
        self.port, self.controller_port, self.second_port, self.proxy_port = ports
        self.process = None
        self.starts = 0
        self.start_due = False  # it is down, and a start is on the agenda

    def start(self, voters):
        self.starts += 1
        self.log = self.directory / f"start-{self.starts}.log"
        with open(self.log, "wb") as output:
            self.process = spawn(
                [BROKER, "start", "--dir", self.directory, "--port", self.port, "--controller-port",
                 self.controller_port, "--second-port", self.second_port, "--second-advertised-port",
                 self.proxy_port, "--node-id", self.number, "--voters", voters, "--version",
                 self.version], output)

    def up(self):
        return self.running() and READY in self.log.read_text()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()


class Proxy:
    """The process, and what it says it has done."""

    def __init__(self, nodes, told):
        """`told(fault)` is called, in a thread, for every fault that has happened."""
        self.told = told
        self.ready = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, "-B", str(PROXY), *(f"{n.proxy_port}:{n.second_port}" for n in nodes)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent,
            env=environment())
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        assert self.ready.wait(20), "the proxy does not start"

    def listen(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if "ready" in said:
                self.ready.set()
            else:
                self.told(said)

    def do(self, fault):
        assert self.process.poll() is None, "the proxy has ended"
        self.process.stdin.write(json.dumps(fault) + "\n")
        self.process.stdin.flush()

    def close(self):
        self.process.kill()
        self.process.wait()


class Cluster:
    def __init__(self, directory, count, version):
        ports = steady_ports(4 * count)
        self.nodes = [Node(n + 1, directory, version, ports[4 * n:4 * n + 4]) for n in range(count)]
        self.voters = ",".join(f"{n.number}@127.0.0.1:{n.controller_port}" for n in self.nodes)
        self.direct = ",".join(f"127.0.0.1:{n.port}" for n in self.nodes)
        self.proxied = ",".join(f"127.0.0.1:{n.proxy_port}" for n in self.nodes)
        # KAFKA-20734, of 4.x, open: while a partition has no leader, as with one broker that starts again, the
        # coordinator forgets markers that it has still to write. The transaction then stays open for ever,
        # or another one's end becomes its own. So one broker dies between two ends of transactions only.
        self.forgets_markers = count == 1 and not version.startswith("3.")
        self.tell = lambda fault: None
        self.proxy = None

    def start(self):
        for node in self.nodes:
            node.start(self.voters)
        until(lambda: all(node.up() for node in self.nodes) or self.check(), START_SECONDS,
              lambda: "\n".join(node.log.read_text() for node in self.nodes))
        self.proxy = Proxy(self.nodes, lambda fault: self.tell(fault))

    def check(self):
        for node in self.nodes:
            assert node.running(), f"broker {node.number} ended: {node.log.read_text()}"

    def restart(self, node):
        node.start(self.voters)

    def available(self):
        return sum(node.up() for node in self.nodes) >= ENOUGH[len(self.nodes)]

    def close(self):
        if self.proxy is not None:
            self.proxy.close()
        for node in self.nodes:
            if node.running():
                node.kill()
