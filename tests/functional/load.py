# SPDX-License-Identifier: Apache-2.0
"""Many messages at a time: floods from one socket, and whole calls between two, without the comfort
(and the cost) of siplib's peers."""
import collections
import re
import select
import socket
import time

from siplib import WAIT_S, unique
from conftest import SLOW

RCVBUF = 4 << 20
WINDOW = 32
PROBE = b"flood-probe-"
PROBE_REQUEST = (b"OPTIONS sip:%(to)s SIP/2.0\r\nVia: SIP/2.0/UDP %(at)s;branch=z9hG4bK%(id)s;rport\r\nMax-Forwards: 70\r\n"
                 b"From: <sip:x@y.invalid>;tag=1\r\nTo: <sip:%(to)s>\r\nCall-ID: %(id)s\r\nCSeq: 1 OPTIONS\r\n"
                 b"Content-Length: 0\r\n\r\n")


def rss_kib(server):
    with open("/proc/%d/status" % server.process.pid) as f:
        return int(re.search(r"^VmRSS:\s+(\d+)", f.read(), re.M)[1])


def udp_socket(ip="127.0.0.1"):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RCVBUF)
    s.bind((ip, 0))
    s.setblocking(False)
    return s


class Flood:
    """Sends without waiting for each answer, but no faster than the server's socket takes it; counts
    the bytes in both directions, and the answers by status."""

    def __init__(self, server, ip="127.0.0.1"):
        self.server, self.sock = server, udp_socket(ip)
        self.sent = self.received = 0
        self.statuses = collections.Counter()
        self.probes = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def read(self, timeout=0):
        """Everything that is there, after a wait for something; how many answers."""
        n, some = 0, select.select([self.sock], [], [], timeout)[0]
        while some:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                break
            if PROBE in data:
                self.probes.discard(field(data, b"Call-ID"))
                continue
            n += 1
            self.received += len(data)
            if data.startswith(b"SIP/2.0 "):
                self.statuses[int(data[8:11])] += 1
        return n

    def run(self, messages, answered=True):
        """With @answered every one gets one datagram back; without, the server is asked now and then for
        a sign that all workers have got so far: what would wait there takes memory."""
        waiting = 0
        for i, m in enumerate(messages):
            self.sent += len(m)
            self.sock.sendto(m, self.server.addr())
            waiting += 1
            if answered:
                waiting -= self.read()
                while waiting >= WINDOW:
                    n = self.read(1.0 * SLOW)
                    waiting = waiting - n if n else 0  # lost: a full socket
            elif i % WINDOW == WINDOW - 1:
                self.keep_up()
        while answered and waiting > 0:
            n = self.read(1.0 * SLOW)
            waiting = waiting - n if n else 0

    def keep_up(self):
        """Some Call-IDs for each worker; what gets lost is asked again."""
        host, port = self.sock.getsockname()
        self.probes = {PROBE + unique().encode() for _ in range(4)}
        end = time.monotonic() + WAIT_S
        while self.probes:
            assert time.monotonic() < end, "the server does not answer during the flood"
            for call_id in self.probes:
                self.sock.sendto(PROBE_REQUEST % {b"to": b"127.0.0.1:%d" % self.server.port, b"id": call_id,
                                                  b"at": b"%s:%d" % (host.encode(), port)}, self.server.addr())
            before = len(self.probes)
            while self.probes:
                self.read(1.0 * SLOW)
                if len(self.probes) == before:
                    break
                before = len(self.probes)

    def read_rest(self):
        while self.read(0.05):
            pass


INVITE = (b"INVITE sip:%(to)s@example.com SIP/2.0\r\nVia: SIP/2.0/UDP %(at)s;branch=z9hG4bK%(id)s;rport\r\n"
          b"Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=%(id)s\r\nTo: <sip:%(to)s@example.com>\r\nCall-ID: %(id)s\r\n"
          b"CSeq: 1 INVITE\r\nContact: <sip:a@%(at)s>\r\nContent-Length: 0\r\n\r\n")
IN_DIALOG = (b"%(method)s %(target)s SIP/2.0\r\nVia: SIP/2.0/UDP %(at)s;branch=z9hG4bK%(id)s%(cseq)s%(method)s;rport\r\n"
             b"%(routes)sMax-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=%(id)s\r\nTo: <sip:%(to)s@example.com>;tag=b\r\n"
             b"Call-ID: %(id)s\r\nCSeq: %(cseq)s %(method)s\r\nContent-Length: 0\r\n\r\n")


def field(data, name):
    m = re.search(rb"(?m)^%s:[ \t]*(.*?)\r$" % name, data)
    return m.group(1) if m else b""


class Calls:
    """INVITE, 200, ACK, BYE, 200 between two phones, WINDOW calls at a time; what gets lost is sent
    again."""

    def __init__(self, server):
        self.server, self.to = server, unique("callee").encode()
        self.uac, self.uas = udp_socket(), udp_socket()
        self.at = b"127.0.0.1:%d" % self.uac.getsockname()[1]
        self.uas_at = b"127.0.0.1:%d" % self.uas.getsockname()[1]
        self.open, self.done, self.failed = {}, 0, collections.Counter()
        server.ctl("location", "add", self.to.decode() + "@example.com",
                   "sip:%s@%s" % (self.to.decode(), self.uas_at.decode()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.uac.close()
        self.uas.close()

    def answer(self, data):
        method = data.split(b" ", 1)[0]
        if method in (b"ACK", b"SIP/2.0"):
            return
        keep = [l for l in data.split(b"\r\n") if l.startswith((b"Via:", b"Record-Route:", b"From:", b"Call-ID:", b"CSeq:"))]
        to = field(data, b"To")
        to = to if b";tag=" in to else to + b";tag=b"
        self.uas.sendto(b"SIP/2.0 200 OK\r\n%s\r\nTo: %s\r\nContact: <sip:%s@%s>\r\nContent-Length: 0\r\n\r\n" % (
            b"\r\n".join(keep), to, self.to, self.uas_at), self.server.addr())

    def send(self, call_id, data):
        self.open[call_id] = (time.monotonic(), data)
        self.uac.sendto(data, self.server.addr())

    def in_dialog(self, method, cseq, data, call_id):
        routes = b"".join(b"Route: %s\r\n" % r for r in reversed(re.findall(rb"(?m)^Record-Route:[ \t]*(.*?)\r$", data)))
        target = field(data, b"Contact").strip(b"<>") or b"sip:%s@%s" % (self.to, self.uas_at)
        return IN_DIALOG % {b"method": method, b"target": target, b"at": self.at, b"id": call_id, b"cseq": cseq,
                            b"routes": routes, b"to": self.to}

    def advance(self, data):
        status, call_id, cseq = int(data[8:11]), field(data, b"Call-ID"), field(data, b"CSeq")
        if status < 200 or call_id not in self.open:
            return
        if status != 200:
            self.failed[status] += 1
            del self.open[call_id]
        elif cseq == b"1 INVITE":
            self.uac.sendto(self.in_dialog(b"ACK", b"1", data, call_id), self.server.addr())
            if self.open[call_id][1].startswith(b"INVITE"):
                self.send(call_id, self.in_dialog(b"BYE", b"2", data, call_id))
        else:
            del self.open[call_id]
            self.done += 1

    def step(self, timeout):
        ready, _, _ = select.select([self.uac, self.uas], [], [], timeout)
        for s in ready:
            while True:
                try:
                    data = s.recv(65536)
                except BlockingIOError:
                    break
                (self.advance if s is self.uac else self.answer)(data)
        if not ready:
            for call_id, (at, data) in list(self.open.items()):
                if time.monotonic() - at > 0.2 * SLOW:
                    self.send(call_id, data)

    def run(self, n):
        started, self.done, self.failed = 0, 0, collections.Counter()
        end = time.monotonic() + WAIT_S + n / 100 * SLOW
        while self.done + sum(self.failed.values()) < n:
            assert time.monotonic() < end, "%d of %d calls" % (self.done, n)
            while started < n and len(self.open) < WINDOW:
                call_id = unique("load").encode()
                self.send(call_id, INVITE % {b"to": self.to, b"at": self.at, b"id": call_id})
                started += 1
            self.step(0.1)
        assert not self.failed, self.failed
