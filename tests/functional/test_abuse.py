# SPDX-License-Identifier: Apache-2.0
"""What peers do that are slow, stuck, broken or hostile: others do not notice, memory stays bounded,
nobody is flooded by way of the server, and everything is given back afterwards."""
import os
import random
import re
import resource
import select
import socket
import struct
import time

import pytest
from conftest import SLOW, free_port
from load import Calls, Flood, rss_kib
from siplib import WAIT_S, Msg, unique

CLOSED = dict(relay="users", auth='register = true; calls = "local";')


def quiet(server):
    """Without debug lines a flood is one of messages, not of log lines."""
    server.ctl("log-level", "warning")
    return server


def options(p, **kw):
    return p.request("OPTIONS", "sip:example.com", **kw)


def healthy(server, *peers):
    for p in peers:
        assert p.ask(options(p), timeout=WAIT_S).status == 200
    assert server.process.poll() is None


def drained(server, kinds=("client", "server")):
    def none():
        s = server.ctl("stats", "belfry_transactions").stdout
        return all(re.search(r'kind="%s"}\s+0$' % k, s, re.M) for k in kinds)
    server.wait_for(none, "no transaction", timeout=3 * WAIT_S)


# --- slow and stuck peers -------------------------------------------------------------------------

def test_a_peer_that_never_reads_harms_only_calls_to_itself(make_server, workers, peer):
    server = quiet(make_server(workers=workers, timers="t1 = 20;", proxy="mtu = 0;"))
    bob, alice, carol = peer(server, user="bob", proto="tcp"), peer(server), peer(server, user="carol", proto="tcp")
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(server.addr())
    stuck = bob.connect()
    bob.streams = [stuck]
    stuck.sock.close()
    stuck.sock = s
    bob.register(contact="<sip:bob@%s:%d;transport=tcp>" % s.getsockname())
    carol.register(contact="<%s>" % carol.contact)
    before = rss_kib(server)
    n, open_ = 800, {}
    body = b"x" * 8000
    worst = 0
    for i in range(n):
        inv = alice.request("INVITE", bob.aor, body=body)
        open_[inv["Call-ID"]] = inv
        alice.send(inv.raw)
        if i % 100 == 50:
            t = time.monotonic()
            healthy(server, carol)
            worst = max(worst, time.monotonic() - t)
        while alice.inbox or alice._pump(0):
            finish(alice, open_)
    end = time.monotonic() + 2 * WAIT_S
    while open_ and time.monotonic() < end:
        alice._pump(0.1)
        while alice.inbox:
            finish(alice, open_)
        for inv in list(open_.values())[:5] if not alice.inbox else ():
            alice.send(inv.raw)  # a burst of large datagrams may have met a full socket
    assert not open_, "%d of %d calls to it got no answer" % (len(open_), n)
    assert worst < 5 * SLOW
    m = carol.request("MESSAGE", carol.aor)
    carol.send(m.raw)
    carol.reply(carol.expect("MESSAGE"), 200, "OK")
    assert carol.final(m).status == 200
    drained(server)
    assert SLOW > 1 or rss_kib(server) - before < 24 << 10


def finish(p, open_):
    m = p.recv(0)  # of its inbox
    if m is None or m.status == 100:
        return
    assert m.status in (408, 480, 500, 503), m.start
    inv = open_.pop(m["Call-ID"], None)
    if inv is not None:
        p.finals = getattr(p, "finals", {})
        p.finals[m["Call-ID"]] = inv
    inv = p.finals.get(m["Call-ID"])
    p.ack(inv, m)


def test_bytes_one_at_a_time_on_many_connections(server, peer):
    n = 100
    ps = [peer(server, proto="tcp") for _ in range(n)]
    reqs = [options(p) for p in ps]
    socks = [p.stream().sock for p in ps]
    other = peer(server, proto="tcp")
    for at in range(max(len(r.raw) for r in reqs)):
        for s, r in zip(socks, reqs):
            if at < len(r.raw):
                s.send(r.raw[at:at + 1])
        if at % 100 == 0:
            healthy(server, other)
    for p, r in zip(ps, reqs):
        assert p.final(r, timeout=WAIT_S).status == 200


def test_a_client_that_never_reads_its_answers_is_cut_off(make_server, workers, peer):
    """It sends on and on; what is kept for it has a limit, and when nothing of that gets less for
    message_timeout the connection ends."""
    server = quiet(make_server(workers=workers, server="message_timeout = 1;"))
    other, p = peer(server, proto="tcp"), peer(server, proto="tcp")
    healthy(server, other)
    before = top = rss_kib(server)
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(server.addr())
        s.settimeout(WAIT_S)
        raw = options(p, headers=["X-Fill: " + "x" * 500]).raw * 20
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < WAIT_S:
                for _ in range(500):
                    s.sendall(raw)
                healthy(server, other)
                top = max(top, rss_kib(server))
            pytest.fail("it may go on for ever")
        except (ConnectionResetError, BrokenPipeError):
            assert time.monotonic() - begin > 0.9
    healthy(server, other)
    bound = 8 if workers == 1 else 200  # what waits in between, for a worker that is behind
    assert SLOW > 1 or top - before < bound << 10


def test_drip_writers_get_message_timeout_and_no_more(make_server, workers, peer):
    """A byte now and then does not prolong the time: it runs from the first byte of the message."""
    server = make_server(workers=workers, server="message_timeout = 1;")
    other = peer(server, proto="tcp")
    n = 50
    socks = [socket.create_connection(server.addr()) for _ in range(n)]
    drip = options(other).raw[:-2] + b"X-Drip: " + b"x" * 100000
    begin, i, live = time.monotonic(), 0, list(socks)
    while live and time.monotonic() - begin < WAIT_S:
        ready, _, _ = select.select(live, [], [], 0.02)
        live = [s for s in live if s not in ready]
        for s in live:
            try:
                s.send(drip[i:i + 1])
            except OSError:
                pass  # told by select, too
        i += 1
        if i % 20 == 1:
            healthy(server, other)
    took = time.monotonic() - begin
    for s in socks:
        s.close()
    assert not live, "%d of %d are still connected" % (len(live), n)
    assert took >= 0.9
    assert labelled(server, "belfry_rejected_total", 'reason="message_timeout"') == n
    healthy(server, other)


def labelled(server, name, label):
    m = re.search(r"^%s\{%s\}\s+(\d+)" % (name, label), server.ctl("stats", name).stdout, re.M)
    return int(m[1]) if m else 0


@pytest.fixture
def many_files():
    """Room for 10,000 connections here and, by inheritance, in the server."""
    need = 12000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < need and os.geteuid() != 0:
        pytest.skip("only %d files may be open (ulimit -Hn)" % hard)
    top = hard if hard == resource.RLIM_INFINITY else max(hard, need)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, need), top))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, top))


def test_thousands_of_idle_and_half_open_connections(many_files, make_server, workers, peer):
    """More than the limit: those above it are closed, the others stay, everybody else is served."""
    limit, n = 8000, 10000
    server = quiet(make_server(workers=workers, server="max_connections = %d; message_timeout = 3600; "
                                                       "idle_timeout = 3600;" % limit))
    udp, tcp = peer(server), peer(server, proto="tcp")
    healthy(server, udp, tcp)
    before = rss_kib(server)
    half = b"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;ta"
    socks = []
    try:
        for i in range(n):
            s = socket.socket()
            socks.append(s)
            s.bind(("127.0.0.%d" % (2 + i % 8), 0))
            s.connect(server.addr())
            if i % 2:
                try:
                    s.send(half)
                except OSError:
                    pass  # closed at once: above the limit
            if i % 1000 == 999:
                healthy(server, udp, tcp)
        server.wait_for(lambda: server.json("status")["connections"] == limit, "%d connections" % limit)
        assert labelled(server, "belfry_rejected_total", 'reason="connection_limit"') == n - limit + 1
        closed = sum(1 for s in readable(socks))
        assert closed == n - limit + 1
        healthy(server, udp, tcp)
        used = rss_kib(server) - before
        assert SLOW > 1 or used < 3 * limit, "%d KiB for %d connections" % (used, limit)
    finally:
        for s in socks:
            s.close()
    server.wait_for(lambda: server.json("status")["connections"] == 1, "the connections to be gone")
    healthy(server, udp, tcp, peer(server, proto="tcp"))


def test_one_source_cannot_take_all_connections(many_files, make_server, peer):
    """Half of the limit, at least 1,000; peers that are trusted may have all of it."""
    server = quiet(make_server(workers=2, proxy='trusted = ( "127.0.0.4" );',
                               server="max_connections = 3000; idle_timeout = 3600;"))
    socks, other = [], peer(server, proto="tcp", ip="127.0.0.3")
    healthy(server, other)

    def connect(ip, n):
        for _ in range(n):
            socks.append(socket.socket())
            socks[-1].bind((ip, 0))
            socks[-1].connect(server.addr())
    try:
        connect("127.0.0.2", 1600)
        server.wait_for(lambda: len(readable(socks)) == 100, "those above the share to be closed")
        healthy(server, other)
        connect("127.0.0.4", 1400)
        server.wait_for(lambda: server.json("status")["connections"] == 2901, "those of a trusted peer")
        for s in socks[:1600]:
            s.close()
        server.wait_for(lambda: server.json("status")["connections"] == 1401, "some to be gone")
        connect("127.0.0.2", 1)
        server.wait_for(lambda: server.json("status")["connections"] == 1402, "a place that is free again")
    finally:
        for s in socks:
            s.close()


def readable(socks):
    poll = select.poll()
    for s in socks:
        poll.register(s, select.POLLIN)
    return poll.poll(0)


# --- header bombs ---------------------------------------------------------------------------------

def bomb(p, method="MESSAGE", user="nobody", extra=b"", via=b"", body=b""):
    return (b"%s sip:%s@example.com SIP/2.0\r\nVia: %s\r\n%sMax-Forwards: 70\r\nFrom: <sip:a@b.invalid>;tag=%s\r\n"
            b"To: <sip:%s@example.com>\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (
                method.encode(), user.encode(), p.via().encode(), via, unique("t").encode(), user.encode(),
                unique("bomb").encode(), method.encode(), extra, len(body), body))


BOMBS = {
    "thousands of headers": lambda p: bomb(p, extra=b"Y: z\r\n" * 9000),
    "thousands of empty headers": lambda p: bomb(p, extra=b"Y:\r\n" * 12000),
    "a header of 60 KiB": lambda p: bomb(p, extra=b"X-Large: " + b"a" * 60000 + b"\r\n"),
    "a header name of 60 KiB": lambda p: bomb(p, extra=b"X" * 60000 + b": a\r\n"),
    "deep folding": lambda p: bomb(p, extra=b"X-Folded: a\r\n" + b" b\r\n" * 15000),
    "a folded Via": lambda p: bomb(p, via=b"Via: SIP/2.0/UDP\r\n" + b" \r\n" * 5000 + b" h;branch=z9hG4bKf\r\n"),
    "100 Via fields": lambda p: bomb(p, via=b"Via: SIP/2.0/UDP h.invalid;branch=z9hG4bKv\r\n" * 100),
    "2,000 Via values": lambda p: bomb(p, via=b"Via: " + b",".join([b"SIP/2.0/UDP h;branch=z9hG4bKv"] * 2000) + b"\r\n"),
    "500 Route values": lambda p: bomb(p, extra=b"Route: " + b", ".join([b"<sip:h.invalid;lr>"] * 500) + b"\r\n"),
    "500 Routes that are ours": lambda p: bomb(p, extra=b"Route: <sip:127.0.0.1:%d;lr>\r\n" % p.server.port * 500),
    "2,000 Contacts": lambda p: bomb(p, "REGISTER", extra=b"Contact: " + b",".join(
        b"<sip:%d@h>" % i for i in range(2000)) + b"\r\n"),
    "2,000 Path values": lambda p: bomb(p, "REGISTER", extra=b"Path: " + b",".join(
        [b"<sip:h;lr>"] * 2000) + b"\r\nContact: <sip:a@h>\r\n"),
    "a Contact with 5,000 parameters": lambda p: bomb(p, "REGISTER", extra=b"Contact: <sip:a@h>" + b";p=v" * 5000 + b"\r\n"),
    "many credentials": lambda p: bomb(p, "REGISTER", extra=b'Authorization: Digest username="a", realm="example.com"\r\n' * 1000),
    "credentials without an end": lambda p: bomb(p, "REGISTER", extra=b'Authorization: Digest username="' + b"\\" * 50001 + b"\r\n"),
    "an unclosed quote": lambda p: bomb(p, extra=b'Contact: "' + b"\\\"" * 20000 + b"\r\n"),
    "nested brackets": lambda p: bomb(p, extra=b"Contact: " + b"<" * 30000 + b">" * 30000 + b"\r\n"),
    "5,000 option tags": lambda p: bomb(p, extra=b"Proxy-Require: " + b",".join(b"t%d" % i for i in range(5000)) + b"\r\n"),
    "5,000 commas": lambda p: bomb(p, extra=b"Supported: " + b"," * 5000 + b"\r\nRequire: " + b" ," * 5000 + b"\r\n"),
    "a huge CSeq": lambda p: bomb(p).replace(b"CSeq: 1", b"CSeq: " + b"9" * 5000),
    "a huge Max-Forwards": lambda p: bomb(p).replace(b"Max-Forwards: 70", b"Max-Forwards: " + b"9" * 5000),
    "a huge Content-Length": lambda p: bomb(p).replace(b"Content-Length: 0", b"Content-Length: 99999999999999999999"),
    "a Request-URI of 20 KiB": lambda p: bomb(p, user="u" * 9000),
    "escapes without an end": lambda p: bomb(p, user="%41" * 2000 + "%"),
    "NULs in the head": lambda p: bomb(p, extra=b"X-Null: \0\0\0\r\n\0\0: \0\r\n"),
    "NULs in the start line": lambda p: bomb(p, user="a\0b"),
    "only NULs behind the head": lambda p: bomb(p, body=b"\0" * 60000),
    "bytes above 127": lambda p: bomb(p, extra=bytes(range(128, 256)) * 100 + b": x\r\n"),
    "64 KiB": lambda p: bomb(p, body=b"x" * (65507 - len(bomb(p)) - 16)),
    "64 KiB of CR": lambda p: b"\r" * 65507,
    "64 KiB of letters": lambda p: b"A" * 65507,
    "bare line feeds": lambda p: bomb(p).replace(b"\r\n", b"\n"),
    "no end": lambda p: bomb(p)[:-2],
}


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_header_bombs_are_answered_or_dropped(make_server, workers, peer, proto):
    """An answer to the same sender with the same Call-ID, or none; nothing else happens. Over streams
    the connection may end, and over UDP what is sent is never much more than what came."""
    server = quiet(make_server(workers=workers))
    other = peer(server)
    before = rss_kib(server)
    for name, make in BOMBS.items():
        p = peer(server, proto=proto)
        raw = make(p)
        if proto == "udp":
            p.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        try:
            p.send(raw)
        except OSError:
            assert proto == "tcp"
        healthy(server, other)
        if proto == "udp":
            healthy(server, p_after(p, raw, name))
        elif name == "no end":
            p.send(b"\r\n")
            assert p.recv(WAIT_S).status >= 400
        p.close()
    server.wait_for(lambda: server.json("status")["connections"] == 0, "closed connections")
    assert SLOW > 1 or rss_kib(server) - before < 4 << 10


def p_after(p, raw, name):
    """Takes what came for @raw before the answer to a later request."""
    probe = options(p)
    p.send(probe.raw)
    got = 0
    while True:
        m = p.recv(WAIT_S)
        assert m is not None, name
        if m["Call-ID"] == probe["Call-ID"]:
            break
        assert m.is_response, (name, m.start)
        got += len(m.raw)
    assert got < 1.25 * len(raw) + 400, name
    return p


# --- floods ---------------------------------------------------------------------------------------

def flood_request(method, user, i, extra=b""):
    return (b"%s sip:%s@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK%08xflood;rport\r\n"
            b"Max-Forwards: 70\r\nFrom: \"A Stranger\" <sip:%s@example.com>;tag=a%x\r\nTo: <sip:%s@example.com>\r\n"
            b"Call-ID: %08x-f81d4fae7dec11d0a765@192.0.2.1\r\nCSeq: 1 %s\r\nUser-Agent: flood/1.0 (test)\r\n"
            b"Contact: <sip:x@192.0.2.1:5060>\r\n%sContent-Length: 0\r\n\r\n" % (
                method, user, i, user, i, user, i, method, extra))


def bad_digest(i):
    return (b'Authorization: Digest username="alice", realm="example.com", nonce="%032x", uri="sip:example.com", '
            b'response="%032x", algorithm=MD5, qop=auth, nc=00000001, cnonce="0a4f113b"\r\n' % (i, i * 7919))


FLOODS = {
    # kind: (request, status of the answer, most bytes out per byte in)
    "INVITE to nobody": (lambda i: flood_request(b"INVITE", b"u%d" % i, i), 407, 1.6),
    "OPTIONS": (lambda i: flood_request(b"OPTIONS", b"u%d" % i, i), 407, 1.6),
    "REGISTER": (lambda i: flood_request(b"REGISTER", b"u%d" % i, i), 401, 1.6),
    "REGISTER with bad digest": (lambda i: flood_request(b"REGISTER", b"alice", i, bad_digest(i)).replace(
        b"REGISTER sip:alice@", b"REGISTER sip:"), 401, 1.0),
    "CANCEL of nothing": (lambda i: flood_request(b"CANCEL", b"u%d" % i, i), 481, 1.1),
    "BYE without a dialog": (lambda i: flood_request(b"BYE", b"u%d" % i, i).replace(
        b"\r\nCall-ID", b";tag=b\r\nCall-ID"), 407, 1.6),
    "ACK": (lambda i: flood_request(b"ACK", b"u%d" % i, i), None, 0),
    "requests for elsewhere": (lambda i: flood_request(b"MESSAGE", b"u%d" % i, i).replace(
        b"example.com", b"elsewhere.invalid"), 403, 1.1),
    "responses to nothing": (lambda i: flood_request(b"INVITE", b"u%d" % i, i).replace(
        b"INVITE sip:u%d@example.com SIP/2.0" % i, b"SIP/2.0 200 OK"), None, 0),
    "not SIP": (lambda i: b"GET / HTTP/1.1\r\nHost: %d.example.com\r\n\r\n" % i, None, 0),
    "double CRLF": (lambda i: b"\r\n\r\n", None, 0),
    "zeros": (lambda i: b"\0" * 4, None, 0),
    "STUN binding requests": (lambda i: struct.pack(">HHIQI", 1, 0, 0x2112A442, i, i), None, 0),
    "broken requests": (lambda i: flood_request(b"INVITE", b"u%d" % i, i).replace(b"CSeq: 1", b"CSeq: x"), 400, 1.1),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_from_one_source_takes_no_memory_and_is_not_amplified(make_server, peer, kind):
    make, status, ratio = FLOODS[kind]
    server = quiet(make_server(workers=2, **CLOSED))
    server.ctl("user", "add", "alice@example.com", "--password-stdin", stdin="secret\n")
    n = int(5000 / min(SLOW, 4))
    with Flood(server, ip="127.0.0.5") as flood:
        flood.run((make(i) for i in range(1000)), answered=status is not None)
        before = rss_kib(server)
        flood.sent = flood.received = 0
        flood.statuses.clear()
        flood.run((make(i) for i in range(1000, 1000 + n)), answered=status is not None)
        healthy_after(server, peer)
        flood.read_rest()
    assert server.json("status")["transactions"] == 0
    assert SLOW > 1 or rss_kib(server) - before < 256
    assert flood.received <= ratio * flood.sent, "%d bytes out for %d bytes in" % (flood.received, flood.sent)
    if status is None:
        assert not flood.statuses
    else:
        assert set(flood.statuses) == {status} and flood.statuses[status] >= 0.9 * n, flood.statuses


SMALLEST = {
    # kind: (method, URI, From, further lines)
    "REGISTER": (b"REGISTER", b"sip:example.com", b"sip:a@example.com", b""),
    "INVITE": (b"INVITE", b"sip:a@example.com", b"sip:a@example.com", b""),
    "OPTIONS to the server": (b"OPTIONS", b"sip:example.com", b"sip:a@a", b""),
    "OPTIONS with Max-Forwards 0": (b"OPTIONS", b"sip:a@a", b"sip:a@a", b"Max-Forwards:0\r\n"),
    "unknown": (b"F", b"sip:127.0.0.1:%(port)d", b"sip:a@a", b""),
    "elsewhere": (b"F", b"sip:a@a", b"sip:a@a", b""),
    "CANCEL": (b"CANCEL", b"sip:a@a", b"sip:a@a", b""),
    "BYE": (b"BYE", b"sip:a@example.com", b"sip:a@a", b""),
    "Require": (b"OPTIONS", b"sip:example.com", b"sip:a@a", b"Require:a\r\n"),
    "Proxy-Require": (b"F", b"sip:a@example.com", b"sip:a@a", b"Proxy-Require:a\r\n"),
    "broken": (b"F", b"sip:a@a", b"x", b""),
}


def test_the_smallest_requests_get_one_answer_less_than_four_times_as_long(make_server):
    """What a forged source can have sent to somebody, at the most."""
    server = make_server(workers=2, **CLOSED)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        for i, (kind, (method, uri, from_, lines)) in enumerate(SMALLEST.items()):
            uri = uri % {b"port": server.port}
            raw = (b"%s %s SIP/2.0\r\nv:SIP/2.0/UDP a;branch=z9hG4bK%d;rport\r\nf:<%s>;tag=1\r\nt:<%s>\r\ni:%d\r\n"
                   b"CSeq:1 %s\r\n%s\r\n" % (method, uri, i, from_, from_, i, method, lines))
            s.settimeout(WAIT_S)
            s.sendto(raw, server.addr())
            answer = s.recv(65536)
            assert answer.startswith(b"SIP/2.0 ") and len(answer) < 4 * len(raw), (kind, len(raw), answer)
        s.settimeout(0.6 * SLOW)  # longer than T1: nothing is sent again
        with pytest.raises(socket.timeout):
            pytest.fail(repr(s.recv(65536)))


def healthy_after(server, peer):
    """Unauthenticated OPTIONS to the server itself are answered; queued behind the flood."""
    p = peer(server)
    m = p.request("OPTIONS", "sip:127.0.0.1:%d" % server.port, from_="<sip:x@y.invalid>")
    assert p.ask(m, timeout=WAIT_S).status in (200, 403)


def test_answers_go_to_the_source_whatever_the_via_says(server, peer):
    """RFC 3261 18.2.2, RFC 3581 4: no reflection to a third party."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as at_port, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mallory:
        victim.bind(("127.0.0.9", 0))
        port = victim.getsockname()[1]
        at_port.bind(("127.0.0.1", port))
        mallory.bind(("127.0.0.1", 0))
        for params, where in (("", at_port), (";maddr=127.0.0.9", at_port), (";received=127.0.0.9", at_port),
                              (";rport", mallory), (";rport=%d" % port, mallory),
                              (";rport=%d;received=127.0.0.9;maddr=127.0.0.9;ttl=1" % port, mallory)):
            for method, uri in (("OPTIONS", "sip:example.com"), ("INVITE", "sip:nobody@example.com"),
                                ("REGISTER", "sip:example.com"), ("CANCEL", "sip:nobody@example.com")):
                call_id = unique("r")
                mallory.sendto(("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:%d;branch=%s%s\r\nFrom: <sip:a@example.com>"
                                ";tag=1\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\n"
                                "Content-Length: 0\r\n\r\n" % (method, uri, port, unique("z9hG4bK"), params, uri, call_id,
                                                               method)).encode(), server.addr())
                where.settimeout(WAIT_S)
                while call_id.encode() not in where.recv(4000):
                    pass
        victim.setblocking(False)
        with pytest.raises(BlockingIOError):
            victim.recv(4000)


def test_a_lost_connection_is_not_reopened_to_whom_the_via_names(server, peer):
    alice, bob, victim = peer(server, proto="tcp"), peer(server, user="bob"), peer(server, proto="tcp", ip="127.0.0.9")
    bob.register()
    inv = alice.request("INVITE", bob.aor)
    raw = re.sub(rb"Via: SIP/2.0/TCP [^;]*", b"Via: SIP/2.0/TCP " + victim.hostport.encode(), inv.raw)
    alice.send(raw.replace(b";rport", b";received=127.0.0.9;maddr=127.0.0.9"))
    got = bob.expect("INVITE")
    alice.streams[0].close()
    alice.streams.clear()
    server.wait_for(lambda: server.json("status")["connections"] == 0, "closed")
    bob.reply(got, 486, "Busy")
    bob.expect("ACK", skip=("INVITE",))
    healthy(server, bob)
    assert not victim._pump(0.2)


def test_storm_of_cancels_and_byes(make_server, workers, peer):
    """Every call is cancelled right after its INVITE, and BYEs come that belong to nothing."""
    server = quiet(make_server(workers=workers, timers="t1 = 50;"))
    alice, bob = peer(server), peer(server, user="bob")
    for p in (alice, bob):
        p.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    bob.register()
    n = int(400 / min(SLOW, 4))
    calls, got_200, got_487 = {}, set(), set()
    for i in range(n):
        inv = alice.request("INVITE", bob.aor)
        cancel = alice.request("CANCEL", bob.aor, from_=inv["From"], call_id=inv["Call-ID"], branch=inv.branch,
                               contact=None)
        bye = alice.request("BYE", bob.aor, to_tag="none")
        calls[inv["Call-ID"]] = (inv, cancel)
        for m in (inv, cancel, bye, cancel):
            alice.send(m.raw)
        storm_step(alice, bob, calls, got_200, got_487, 0)
    end = time.monotonic() + 2 * WAIT_S
    while len(got_487) < n and time.monotonic() < end:
        if not storm_step(alice, bob, calls, got_200, got_487, 0.05):
            for call_id in list(set(calls) - got_487)[:20]:  # lost by a full socket
                for m in calls[call_id]:
                    alice.send(m.raw)
    assert got_487 == set(calls) and got_200 == set(calls)
    drained(server)
    healthy(server, alice)


def storm_step(alice, bob, calls, got_200, got_487, timeout):
    seen = False
    while bob.inbox or bob._pump(0):
        seen = True
        m = bob.recv(0)
        if m is None or m.is_response or m.method == "ACK":
            continue
        if m.method == "INVITE":
            bob.invites = getattr(bob, "invites", {})
            bob.invites[m["Call-ID"]] = m
            bob.reply(m, 180, "Ringing")
        elif m.method == "CANCEL":
            bob.reply(m, 200, "OK")
            bob.reply(bob.invites[m["Call-ID"]], 487, "Request Terminated")
        else:
            bob.reply(m, 481, "No")
    while alice.inbox or alice._pump(timeout):
        timeout, seen = 0, True
        m = alice.recv(0)
        if m is None or m.status < 200:
            continue
        if m.method == "CANCEL" and m.status == 200:
            got_200.add(m["Call-ID"])
        elif m.method == "INVITE":
            assert m.status == 487, m.start
            got_487.add(m["Call-ID"])
            alice.ack(calls[m["Call-ID"]][0], m)
        elif m.method == "BYE":
            assert m.status == 481
    return seen


# --- limits ---------------------------------------------------------------------------------------

def test_max_transactions_refuses_politely_and_recovers(make_server, workers, peer):
    limit = 100
    server = make_server(workers=workers, server="max_transactions = %d;" % limit)
    alice, bob = peer(server), peer(server, user="bob")
    bob.register()
    invs = [alice.request("INVITE", bob.aor) for _ in range(2 * limit)]
    rung, refused = {}, 0
    for inv in invs:
        alice.send(inv.raw)
        m = next_of(alice, bob, inv)
        if m.is_response:
            assert m.status == 503 and 0 < int(m["Retry-After"]) <= 60
            alice.ack(inv, m)
            refused += 1
        else:
            bob.reply(m, 180, "Ringing")
            rung[inv["Call-ID"]] = (inv, m)
    assert limit / 2 < len(rung) <= limit and refused == len(invs) - len(rung)
    assert server.stat("belfry_rejected_total") >= refused
    for call_id, (inv, m) in rung.items():
        bob.reply(m, 486, "Busy Here")
        bob.expect("ACK", skip=("INVITE",))
        while True:
            r = alice.final(inv)
            if r.status == 486:
                break
        alice.ack(inv, r)
    server.wait_for(lambda: server.json("status")["transactions"] == 0, "no transaction")
    inv = alice.request("INVITE", bob.aor)
    alice.send(inv.raw)
    bob.reply(bob.expect("INVITE"), 486, "Busy Here")
    assert alice.final(inv).status == 486


def test_the_last_tenth_is_for_dialogs_and_emergencies(make_server, workers, peer):
    """When strangers have taken all they may, a call that is there can go on, and help be called."""
    limit, port = 100, free_port()
    extra = 'routes = ( { name = "sos"; match: { uri = "urn:service:sos*"; }; to = "trunk:help"; } );\n' \
            'trunks: { help: { targets = ( "sip:127.0.0.1:%d" ); probe = 0; }; };' % port
    server = make_server(workers=workers, server="max_transactions = %d;" % limit, extra=extra)
    alice, bob, sos = peer(server), peer(server, user="bob"), peer(server, port=port)
    bob.register()
    inv = alice.request("INVITE", bob.aor)
    alice.send(inv.raw)
    bob.reply(bob.expect("INVITE"), 200, "OK")
    ok = alice.final(inv)
    alice.ack(inv, ok)
    bob.expect("ACK")
    refused = 0
    for _ in range(4 * limit):
        stranger = alice.request("INVITE", bob.aor)
        alice.send(stranger.raw)
        m = next_of(alice, bob, stranger)
        if m.is_response:
            assert m.status == 503
            alice.ack(stranger, m)
            refused += 1
        else:
            bob.reply(m, 180, "Ringing")
    assert refused >= 3 * limit
    assert labelled(server, "belfry_rejected_total", 'reason="overload"') == refused
    help_ = alice.request("INVITE", "urn:service:sos.fire")
    alice.send(help_.raw)
    assert next_of(alice, sos, help_).method == "INVITE"
    passed = 0
    for cseq in range(2, limit + 2):
        again = alice.in_dialog("INVITE", inv, ok, cseq=cseq)
        alice.send(again.raw)
        m = next_of(alice, bob, again)
        if m.is_response:
            assert m.status == 503
            break
        passed += 1
    assert 1 <= passed <= limit / 10 and m.status == 503, passed
    server.ctl("stop")


def next_of(alice, bob, inv):
    """The INVITE at bob, or the final answer at alice."""
    end = time.monotonic() + WAIT_S
    while True:
        select.select([alice.sock, bob.sock], [], [], 0.1)
        assert time.monotonic() < end
        for p in (alice, bob):
            while p.inbox or p._pump(0):
                m = p.recv()
                if m["Call-ID"] == inv["Call-ID"] and m.cseq == inv.cseq and (m.method == "INVITE" if p is bob else m.status >= 200):
                    return m


def test_sigterm_under_load_lets_every_call_finish(make_server, workers, peer):
    server = make_server(workers=workers, timers="t1 = 100;")
    server.conf_file.write_text(server.conf_file.read_text().replace("drain_timeout = 3", "drain_timeout = 60"))
    server.ctl("reload")
    alice, bob = peer(server), peer(server, user="bob")
    bob.register()
    ringing = {}
    for _ in range(60):
        inv = alice.request("INVITE", bob.aor)
        alice.send(inv.raw)
        m = next_of(alice, bob, inv)
        bob.reply(m, 180, "Ringing")
        ringing[inv["Call-ID"]] = (inv, m)
    server.process.terminate()
    server.wait_for(lambda: server.json("status")["draining"], "draining")
    refused = alice.request("INVITE", bob.aor)
    alice.send(refused.raw)
    r = alice.final(refused)
    assert r.status == 503 and r["Retry-After"]
    alice.ack(refused, r)
    for inv, m in ringing.values():
        bob.reply(m, 200, "OK")
    done = set()
    while len(done) < len(ringing):
        m = alice.recv(WAIT_S)
        assert m is not None
        if m.status == 200 and m["Call-ID"] in ringing:
            done.add(m["Call-ID"])
    assert server.process.wait(2 * WAIT_S) == 0
    assert "drain.timeout" not in server.log()


# --- random mutations -----------------------------------------------------------------------------

TEMPLATES = [
    b"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/%(proto)s %(at)s;branch=%(branch)s;rport\r\nMax-Forwards: 70\r\n"
    b"Route: <sip:127.0.0.1:%(port)d;lr>\r\nFrom: \"Al\" <sip:alice@example.com>;tag=%(tag)s\r\nTo: <sip:bob@example.com>\r\n"
    b"Call-ID: %(id)s\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@%(at)s>\r\nSupported: 100rel, timer\r\n"
    b"Content-Type: application/sdp\r\nContent-Length: 8\r\n\r\nv=0\r\no=-",
    b"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/%(proto)s %(at)s;branch=%(branch)s;rport\r\nMax-Forwards: 70\r\n"
    b"From: <sip:carol@example.com>;tag=%(tag)s\r\nTo: <sip:carol@example.com>\r\nCall-ID: %(id)s\r\nCSeq: 5 REGISTER\r\n"
    b"Contact: <sip:carol@%(at)s>;expires=60;q=0.7;+sip.instance=\"<urn:uuid:%(tag)s>\";reg-id=1, <sip:c@192.0.2.1>\r\n"
    b"Path: <sip:p.example.com;lr>\r\nSupported: path, gruu, outbound\r\nExpires: 60\r\nContent-Length: 0\r\n\r\n",
    b"MESSAGE sip:bob@example.com;user=phone SIP/2.0\r\nv: SIP/2.0/%(proto)s %(at)s;branch=%(branch)s\r\nf: sip:a@b.c;tag=%(tag)s\r\n"
    b"t: sip:bob@example.com\r\ni: %(id)s\r\nCSeq: 7 MESSAGE\r\nMax-Forwards: 9\r\nc: text/plain\r\nl: 5\r\n\r\nhello",
    b"CANCEL sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/%(proto)s %(at)s;branch=%(branch)s\r\nMax-Forwards: 70\r\n"
    b"From: <sip:alice@example.com>;tag=%(tag)s\r\nTo: <sip:bob@example.com>\r\nCall-ID: %(id)s\r\nCSeq: 1 CANCEL\r\n"
    b"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\nContent-Length: 0\r\n\r\n",
    b"OPTIONS sip:127.0.0.1:%(port)d SIP/2.0\r\nVia: SIP/2.0/%(proto)s %(at)s;branch=%(branch)s, SIP/2.0/TLS [2001:db8::1]:5061;branch=z9\r\n"
    b"Max-Forwards: 1\r\nFrom: <sip:alice@example.com>;tag=%(tag)s\r\nTo: <sip:127.0.0.1>\r\nCall-ID: %(id)s\r\nCSeq: 1 OPTIONS\r\n"
    b"Proxy-Require: foo\r\nAuthorization: Digest username=\"alice\", realm=\"example.com\", nonce=\"abc\", uri=\"sip:example.com\","
    b" response=\"0123456789abcdef0123456789abcdef\", qop=auth, nc=00000001, cnonce=\"x\"\r\nContent-Length: 0\r\n\r\n",
    b"BYE sip:bob@%(at)s SIP/2.0\r\nVia: SIP/2.0/%(proto)s %(at)s;branch=%(branch)s\r\nMax-Forwards: 70\r\n"
    b"Route: <sip:127.0.0.1:%(port)d;lr;r2=on>,<sip:127.0.0.1:%(port)d;transport=tcp;lr>\r\nRecord-Route: <sip:x;lr>\r\n"
    b"From: <sip:alice@example.com>;tag=%(tag)s\r\nTo: <sip:bob@example.com>;tag=2\r\nCall-ID: %(id)s\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n",
]
MORSELS = [b"\r\n", b"\r\n ", b"\0", b"<", b">", b'"', b"\\", b";", b",", b"%", b"%00", b"@", b":", b"[", b"]", b"::", b"\xff",
           b"\xc3\xa9", b"4294967296", b"-1", b"99999999999999999999", b"z9hG4bK", b";lr", b";tag=", b"sips:", b"tel:+1", b"urn:",
           b"SIP/2.0", b"Content-Length: 100\r\n", b"l: 0\r\n", b"Contact: *\r\n", b"Expires: 0\r\n", b";maddr=127.0.0.1",
           b";transport=tcp", b";received=1.2.3.4", b"Via: SIP/2.0/UDP x\r\n", b"Require: x\r\n", b"Max-Breadth: 0\r\n"]


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        n = rng.choice((1, 2, 4, 16, 64))
        what = rng.randrange(7)
        if what == 0 and at < len(data):
            data[at] = rng.randrange(256)
        elif what == 1:
            del data[at:at + n]
        elif what == 2:
            data[at:at] = data[at:at + n] * rng.choice((1, 2, 50))
        elif what == 3:
            data[at:at] = rng.choice(MORSELS)
        elif what == 4:
            data[at:at + n] = rng.choice(MORSELS)
        elif what == 5:
            lines = bytes(data).split(b"\r\n")
            rng.shuffle(lines)
            data = bytearray(b"\r\n".join(lines))
        else:
            digits = [m.span() for m in re.finditer(rb"\d+", data)]
            if digits:
                a, b = rng.choice(digits)
                data[a:b] = rng.choice((b"0", b"1", b"65536", b"2147483648", b"4294967295", b"18446744073709551616"))
        if not data:
            break
    return bytes(data)


def message(rng, p):
    values = {b"proto": p.proto.upper().encode(), b"at": p.hostport.encode(), b"branch": unique("z9hG4bK").encode(),
              b"tag": unique().encode(), b"id": b"m%d" % rng.randrange(50), b"port": p.server.port}
    return rng.choice(TEMPLATES) % values


def answer_wildly(rng, bob):
    """Bob answers what gets to him, with responses that are mutated too."""
    while bob.inbox or bob._pump(0):
        data = bob.recv_raw(0)
        if data is None or not data.strip(b"\r\n\0"):
            continue
        try:
            m = Msg(data)
            if m.is_response or m.method == "ACK":
                continue
            r = bob.reply(m, rng.choice((100, 180, 200, 302, 401, 486, 503, 603)), send=False)
            raw = r.raw if rng.random() < 0.5 else mutate(rng, r.raw)
        except (ValueError, IndexError, AttributeError):
            continue
        if len(raw) < 65000:
            bob.sock.sendto(raw, bob.server.addr())


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_random_mutations(make_server, workers, peer, proto):
    """Seeded; a failure says the seed and the number of the message."""
    seed = 20260 + workers
    rng = random.Random(seed)
    server = quiet(make_server(workers=workers, timers="t1 = 20;", relay="users", proxy="timer_c = 1;",
                               auth='register = false; calls = "none";',
                               extra='dns: { nameservers = ( "127.0.0.1@9" ); timeout = 1; };'))
    bob, p, probe = peer(server, user="bob"), peer(server, proto=proto), peer(server)
    server.ctl("location", "add", "bob@example.com", bob.contact)
    n = int(2400 / min(SLOW, 4))
    before = None
    for i in range(n):
        raw = mutate(rng, message(rng, p))[:60000]
        try:
            p.send(raw)
        except OSError:
            assert proto == "tcp", i
        if proto == "tcp" and rng.random() < 0.2:
            p.stream().close()
            p.streams.clear()
        if i % 20 == 0:
            answer_wildly(rng, bob)
            while p.inbox or p._pump(0):
                p.recv_raw(0)
        if i % 200 == 0:
            assert probe.ask(options(probe), timeout=WAIT_S).status in (200, 403), (seed, i)
            assert server.process.poll() is None, (seed, i)
        if i == n // 2:
            before = rss_kib(server)
    for s in p.streams:
        s.close()
    p.streams.clear()
    drained(server)
    assert probe.ask(options(probe), timeout=WAIT_S).status in (200, 403)
    assert SLOW > 1 or rss_kib(server) - before < 4 << 10


# --- in the long run ------------------------------------------------------------------------------

def test_memory_is_given_back_after_thousands_of_calls(make_server, workers):
    """Registered phones, calls answered and ended; then nothing for the time of all timers."""
    server = quiet(make_server(workers=workers, timers="t1 = 20; t2 = 100; t4 = 100;"))
    sizes = []
    n = 1500 if SLOW == 1 else 300
    with Calls(server) as calls:
        for _ in range(3):
            calls.run(n)
            drained(server, ("client", "server", "lingering"))
            assert server.json("status")["transactions"] == 0
            sizes.append(rss_kib(server))
    assert SLOW > 1 or sizes[2] - sizes[1] < 512 and sizes[2] - sizes[0] < 1024, sizes
