# SPDX-License-Identifier: Apache-2.0
"""`belfryctl dns`: the records behind a URI, and the targets in the order they are tried (RFC 3263)."""
import socket
import struct
import threading

import pytest

TYPES = {"A": 1, "AAAA": 28, "SRV": 33, "NAPTR": 35}


def labels(name):
    parts = [p for p in name.rstrip(".").split(".") if p]
    return b"".join(bytes([len(p)]) + p.encode() for p in parts) + b"\0"


def text(s):
    return bytes([len(s)]) + s.encode()


def rdata(type_, data):
    f = data.split()
    if type_ == "A":
        return socket.inet_pton(socket.AF_INET, data)
    if type_ == "SRV":
        return struct.pack("!HHH", *map(int, f[:3])) + labels(f[3])
    return struct.pack("!HH", int(f[0]), int(f[1])) + text(f[2]) + text(f[3]) + text("") + labels(f[4])


class NameServer:
    """Answers from a table {(name, type): [(ttl, data)]}; names it does not have do not exist."""

    def __init__(self, records):
        self.records = records
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
            found = [(t, d) for (n, k), v in self.records.items() if n == name and TYPES[k] == type_
                     for t, d in [(x[0], rdata(k, x[1])) for x in v]]
            rcode = 0 if any(n == name for n, _ in self.records) else 3
            answer = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", type_, 1, t, len(d)) + d for t, d in found)
            self.sock.sendto(q[:2] + struct.pack("!HHHHH", 0x8580 | rcode, 1, len(found), 0, 0) +
                             q[12:at + 5] + answer, who)

    def close(self):
        self.sock.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join()
        self.sock.close()


@pytest.fixture
def server(make_server):
    ns = NameServer({
        ("one.example", "NAPTR"): [(300, "10 20 s SIP+D2T _sip._tcp.one.example"),
                                   (300, "20 20 s SIP+D2U _sip._udp.one.example")],
        ("_sip._tcp.one.example", "SRV"): [(60, "10 5 5070 a.one.example"), (60, "20 5 5070 b.one.example")],
        ("a.one.example", "A"): [(30, "127.0.0.11")],
        ("b.one.example", "A"): [(90, "127.0.0.12")],
        ("empty.example", "SRV"): [],
    })
    server = make_server(workers=2, extra='dns: { nameservers = ( "127.0.0.1@%d" ); timeout = 2; };' % ns.port)
    yield server
    ns.close()


def test_records_and_targets_are_told_in_order(server):
    got = server.json("dns", "sip:bob@one.example")
    assert [(t["order"], t["transport"], t["address"], t["ttl"], t["failed"]) for t in got["targets"]] == [
        (1, "tcp", "127.0.0.11:5070", 30, False), (2, "tcp", "127.0.0.12:5070", 60, False)]
    rows = [(r["name"], r["type"], r["data"]) for r in got["records"]]
    assert rows[0] == ("one.example", "NAPTR", '10 20 "s" "SIP+D2T" "" _sip._tcp.one.example.')
    assert ("_sip._tcp.one.example", "SRV", "20 5 5070 b.one.example.") in rows
    assert ("a.one.example", "A", "127.0.0.11") in rows
    assert [r["ttl"] for r in got["records"] if r["type"] == "SRV"] == [60, 60]
    out = server.ctl("dns", "sip:bob@one.example").stdout
    assert out.index("NAPTR") < out.index("SRV") < out.index("ORDER") < out.index("127.0.0.12:5070")


def test_a_target_that_failed_is_told_and_tried_last(server, peer):
    alice = peer(server, user="alice")
    req = alice.request("MESSAGE", "sip:bob@one.example")
    alice.send(req.raw)  # nobody listens at either address
    assert alice.final(req).status in (500, 503, 408)
    got = server.json("dns", "sip:bob@one.example")["targets"]
    assert [t["failed"] for t in got] == [True, True]


def test_what_was_asked_is_told_when_nothing_is_found(server):
    r = server.ctl("dns", "sip:bob@nowhere.example", check=False)
    assert r.returncode == 1 and "there is no such name" in r.stderr
    assert "NAPTR nowhere.example: no such name" in r.stderr and "SRV _sip._udp.nowhere.example" in r.stderr
    r = server.ctl("dns", "sip:bob@empty.example", check=False)
    assert r.returncode == 1 and "NAPTR empty.example: none" in r.stderr and "A empty.example: none" in r.stderr


def test_explain_tells_the_next_hops_of_a_name(server):
    got = [d["text"] for d in server.json("explain", "MESSAGE", "sip:bob@one.example")["decisions"]]
    assert "sent by TCP to 127.0.0.11:5070" in got and "if that fails, by TCP to 127.0.0.12:5070" in got
    got = [d["text"] for d in server.json("explain", "MESSAGE", "sip:bob@nowhere.example")["decisions"]]
    assert "DNS knows no host of sip:bob@nowhere.example" in got
