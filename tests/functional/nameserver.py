# SPDX-License-Identifier: Apache-2.0
"""A name server for the tests: answers from a table over UDP."""
import socket
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "AAAA": 28, "SRV": 33, "NAPTR": 35}


def labels(name):
    parts = [p for p in name.rstrip(".").split(".") if p]
    return b"".join(bytes([len(p)]) + p.encode() for p in parts) + b"\0"


def text(s):
    return bytes([len(s)]) + s.encode()


def rdata(type_, data):
    f = data.split()
    if type_ == "A":
        return socket.inet_pton(socket.AF_INET, data)
    if type_ == "AAAA":
        return socket.inet_pton(socket.AF_INET6, data)
    if type_ == "CNAME":
        return labels(data)
    if type_ == "SRV":
        return struct.pack("!HHH", *map(int, f[:3])) + labels(f[3])
    return struct.pack("!HH", int(f[0]), int(f[1])) + text(f[2]) + text(f[3]) + text("") + labels(f[4])


class NameServer:
    """Answers from a table {(name, type): [(ttl, data)]}; names it does not have do not exist. Those in
    @silent get no answer, those in @failing a SERVFAIL. @asked holds the questions."""

    def __init__(self, records, silent=(), failing=()):
        self.records, self.silent, self.failing = records, set(silent), set(failing)
        self.asked = []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                q, who = self.sock.recvfrom(4096)
            except OSError:
                return
            if not q:
                return
            name, at = [], 12
            while q[at]:
                name.append(q[at + 1:at + 1 + q[at]].decode().lower())
                at += 1 + q[at]
            type_ = struct.unpack("!H", q[at + 1:at + 3])[0]
            name = ".".join(name)
            self.asked.append((name, type_))
            if name in self.silent:
                continue
            found = [(t, d) for (n, k), v in self.records.items() if n == name and TYPES[k] == type_
                     for t, d in [(x[0], rdata(k, x[1])) for x in v]]
            rcode = 2 if name in self.failing else 0 if any(n == name for n, _ in self.records) else 3
            answer = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", type_, 1, t, len(d)) + d for t, d in found)
            self.sock.sendto(q[:2] + struct.pack("!HHHHH", 0x8580 | rcode, 1, len(found), 0, 0) +
                             q[12:at + 5] + answer, who)

    def close(self):
        self.sock.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join()
        self.sock.close()
