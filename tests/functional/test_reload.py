# SPDX-License-Identifier: Apache-2.0
"""Changes of the configuration while calls go on: each kind of setting applied live, nothing lost."""
import json
import os
import re
import socket
import threading
import time

import pytest
from conftest import SLOW, free_port
from load import Calls
from siplib import WAIT_S


class Variants:
    """Two configurations of one server that differ in all that a reload may change: "a" as it was
    made, and "b" with more listeners, another domain, other routes, trunks and module settings."""

    def __init__(self, server, trunk_port):
        self.server, self.port = server, free_port()
        self.a = server.conf_file.read_text()
        b = self.a.replace("listen = ( ", 'listen = ( { transport = "udp"; address = "127.0.0.1"; port = %d; }, '
                           '{ transport = "tcp"; address = "127.0.0.1"; port = %d; }, ' % (self.port, self.port))
        b = b.replace('domains = ( "example.com"', 'domains = ( "example.com", "example.org"')
        b = b.replace("registrar: { ", "registrar: { max_contacts = 1; ")
        b = b.replace("auth: { ", "auth: { nonce_lifetime = 200; ")
        b = b.replace("timers: { ", "timers: { t2 = 3000; ")
        b += 'routes = ( { name = "no"; match: { user = "900*"; }; reject = 410; },\n' \
             '  { name = "pstn"; match: { user = "+*"; }; to = "trunk:carrier"; } );\n' \
             'trunks: { carrier: { targets = ( "sip:127.0.0.1:%d" ); probe = 0; }; };\n' % trunk_port
        self.b = b

    def load(self, text):
        self.server.conf_file.write_text(text)
        self.server.ctl("reload")


def message(p, uri, **kw):
    return p.ask(p.request("MESSAGE", uri, **kw), timeout=WAIT_S * SLOW).status


def test_each_kind_of_setting_is_applied_live(server, peer):
    """Back and forth; what is asked each time would be answered otherwise before."""
    carrier = peer(server)
    v = Variants(server, carrier.port)
    alice, bob = peer(server), peer(server, user="bob")
    for _ in range(2):
        assert message(alice, "sip:900@example.com") == 480
        assert message(alice, "sip:+15551234@example.com") == 480
        assert bob.register(contact="<sip:b@192.0.2.1>, <sip:b@192.0.2.2>").status == 200
        bob.register(contact="*", expires=0)
        v.load(v.b)
        assert message(alice, "sip:900@example.com") == 410
        req = alice.request("MESSAGE", "sip:+15551234@example.com")
        alice.send(req.raw)
        carrier.reply(carrier.expect("MESSAGE"), 202, "OK")
        assert alice.final(req).status == 202
        assert message(alice, "sip:x@example.org") == 480  # 404 or relayed when not ours
        assert bob.register(contact="<sip:b@192.0.2.1>, <sip:b@192.0.2.2>", expect=None).status >= 400
        assert [t["trunk"] for t in server.json("trunks")["trunks"]] == ["carrier"]
        for proto in ("udp", "tcp"):
            assert extra_options(v, peer, proto).status == 200
        v.load(v.a)
        assert server.json("trunks")["trunks"] == []


def extra_options(v, peer, proto):
    """OPTIONS to the listener that only "b" has."""
    p = peer(v.server, proto=proto)
    m = p.request("OPTIONS", "sip:127.0.0.1:%d" % v.port)
    if proto == "udp":
        p.send(m.raw, to=("127.0.0.1", v.port))
    else:
        p.send(m.raw, stream=connect_extra(p, v))
    return p.final(m, WAIT_S * SLOW)


def connect_extra(p, v):
    port, v.server.port = v.server.port, v.port
    try:
        return p.connect()
    finally:
        v.server.port = port


def test_calls_under_way_and_connections_survive_changes(server, peer):
    """Whole calls go on while everything changes; one rings all the time, one is up; a phone keeps
    its connection, and is reached by it."""
    v = Variants(server, free_port())
    alice, bob, tcp = peer(server), peer(server, user="bob"), peer(server, user="carol", proto="tcp")
    bob.register()
    tcp.register()
    kept = tcp.stream()
    ringing, up = [alice.request("INVITE", bob.aor) for _ in range(2)]
    alice.send(up.raw)
    bob.reply(bob.expect("INVITE"), 200, "OK")
    ok = alice.final(up)
    alice.ack(up, ok)
    bob.expect("ACK")
    alice.send(ringing.raw)
    got = bob.expect("INVITE")
    bob.reply(got, 180, "Ringing")
    alice.expect(180)
    stop, errors, reloads = threading.Event(), [], 0

    def change():
        nonlocal reloads
        while not stop.is_set() or reloads < 6:
            try:
                v.load(v.b if reloads % 2 == 0 else v.a)
            except AssertionError as e:
                errors.append(e)
                return
            reloads += 1
    with Calls(server) as calls:
        t = threading.Thread(target=change)
        t.start()
        try:
            calls.run(int(1500 / min(SLOW, 4)))
        finally:
            stop.set()
            t.join()
        assert not errors, errors
        assert not calls.failed
    bob.reply(got, 200, "OK")
    late = alice.final(ringing)
    assert late.status == 200
    alice.ack(ringing, late)
    bob.expect("ACK")
    bye = alice.in_dialog("BYE", up, ok)
    alice.send(bye.raw)
    bob.reply(bob.expect("BYE"), 200, "OK")
    assert alice.final(bye).status == 200
    m = alice.request("MESSAGE", tcp.aor)
    alice.send(m.raw)
    tcp.reply(tcp.expect("MESSAGE"), 200, "OK")
    assert alice.final(m).status == 200
    assert tcp.streams == [kept] and not kept.closed
    assert reloads >= 6 and server.json("status")["last_reload"]["ok"] is True


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_a_listener_that_goes_lets_its_transactions_finish(server, peer, proto):
    """The answer leaves from where the request came to, and what the callee says on the way back
    still arrives."""
    v = Variants(server, free_port())
    v.load(v.b)
    alice, bob = peer(server, proto=proto), peer(server, user="bob")
    bob.register()
    inv = alice.request("INVITE", bob.aor)
    extra = ("127.0.0.1", v.port)
    if proto == "udp":
        alice.send(inv.raw, to=extra)
    else:
        alice.send(inv.raw, stream=connect_extra(alice, v))
    got = bob.expect("INVITE")
    bob.reply(got, 180, "Ringing")
    alice.expect(180)
    v.load(v.a)
    bob.reply(got, 486, "Busy Here")
    assert alice.final(inv, WAIT_S * SLOW).status == 486
    if proto == "udp":
        assert alice.last_source == extra
    ack = alice.request("ACK", inv.uri, to=inv["To"] + ";tag=" + bob.tag_for(got), from_=inv["From"],
                        call_id=inv["Call-ID"], branch=inv.branch, contact=None)
    alice.send(ack.raw, to=extra)
    server.wait_for(lambda: not [t for t in server.json("transactions")["transactions"]
                                 if t["call_id"] == inv["Call-ID"] and "confirmed" not in t["state"]], "the ACK to arrive")


def test_a_listener_that_went_takes_no_new_requests_and_can_come_back(server, peer):
    v = Variants(server, free_port())
    p, extra = peer(server), ("127.0.0.1", v.port)
    for _ in range(3):
        v.load(v.b)
        assert extra_options(v, peer, "udp").status == 200
        v.load(v.a)
        m = p.request("OPTIONS", "sip:127.0.0.1:%d" % v.port)
        p.send(m.raw, to=extra)
        assert p.ask(p.request("OPTIONS", "sip:127.0.0.1:%d" % server.port)).status == 200
        p.silent(0.05)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(extra, 5)


def test_the_socket_of_a_listener_that_went_is_closed_after_drain_timeout(make_server, peer):
    server = make_server(workers=2)
    server.conf_file.write_text(server.conf_file.read_text().replace("drain_timeout = 3", "drain_timeout = 1"))
    server.ctl("reload")
    v = Variants(server, free_port())
    v.load(v.b)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", v.port))
        s.settimeout(0.05)
        v.load(v.a)
        begin = time.monotonic()
        with pytest.raises(ConnectionRefusedError):
            while time.monotonic() - begin < WAIT_S * SLOW:
                s.send(b"\r\n\r\n")
                try:
                    s.recv(100)
                except socket.timeout:
                    pass
        assert time.monotonic() - begin > 0.9


def own_kib(pid):
    """Memory that no other process has a part in: what libraries take depends on who else uses them."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return int(re.search(r"^Anonymous:\s+(\d+)", f.read(), re.M)[1])


def usage(pid):
    return len(os.listdir("/proc/%d/fd" % pid)), len(os.listdir("/proc/%d/task" % pid))


def test_a_thousand_reloads_leave_memory_files_and_threads_as_they_were(make_server):
    """Each of them changes all there is to change, every tenth is refused."""
    s = make_server(workers=2)
    s.conf_file.write_text(s.conf_file.read_text().replace('level = "debug"', 'level = "error"').replace(
        "drain_timeout = 3", "drain_timeout = 1"))
    s.ctl("reload")
    v = Variants(s, free_port())
    bad = v.b + "nonsense = 1;\n"
    rounds, n = (5, 200) if SLOW == 1 else (3, 20)
    sizes = []
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(s.socket))
        s.wait_for(lambda: s.json("status")["ready"], "ready")
        before = usage(s.process.pid)
        f = sock.makefile("rwb")
        for _ in range(rounds):
            for i in range(n):
                s.conf_file.write_text(bad if i % 10 == 9 else v.b if i % 2 == 0 else v.a)
                f.write(b'{"jsonrpc":"2.0","id":1,"method":"reload"}\n')
                f.flush()
                assert ("error" if i % 10 == 9 else "result") in json.loads(f.readline())
            v.load(v.a)
            sizes.append(own_kib(s.process.pid))
        s.wait_for(lambda: all(x <= y for x, y in zip(usage(s.process.pid), before)), "as few files and threads as before")
        f.close()
    # A leak grows each time; the allocator's own steps come now and then, those of a sanitizer always.
    assert SLOW > 1 or min(b - a for a, b in zip(sizes, sizes[1:])) < 16, sizes
    assert SLOW > 1 or sizes[-1] - sizes[1] < 256, sizes


MISTAKES = [
    ("listen", "address = ", "adress = ", r"unknown setting \"adress\"; did you mean \"address\""),
    ("domains", 'domains = ( "example.com"', 'domains = ( "exa mple"', "domains"),
    ("routes", 'to = "trunk:carrier"', 'to = "trunk:carier"', r"there is no trunk \"carier\" in trunks; did you mean \"carrier\""),
    ("trunks", "probe = 0", "probe = -1", "out of range"),
    ("registrar", "max_contacts = 1", "max_contacts = 0", "out of range"),
    ("auth", "nonce_lifetime = 200", 'nonce_lifetime = "long"', "nonce_lifetime"),
    ("modules", '"auth", ', '"auht", ', r"there is no module \"auht\"; .*did you mean \"auth\""),
]


@pytest.mark.parametrize("what, old, new, says", MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_told_with_its_line_and_nothing_changes(make_server, peer, what, old, new, says):
    server = make_server(workers=2)
    v = Variants(server, free_port())
    text = v.b.replace(old, new, 1)
    assert text != v.b
    line = next(i for i, (x, y) in enumerate(zip(v.b.splitlines(), text.splitlines()), 1) if x != y)
    before = server.json("status")
    server.conf_file.write_text(text)
    r = server.ctl("reload", check=False)
    assert r.returncode == 1 and r.stdout == ""
    assert re.search(r"belfry\.conf:%d: .*%s" % (line, says), r.stderr), r.stderr
    after = server.json("status")
    assert after["listeners"] == before["listeners"] and after["last_reload"]["ok"] is False
    assert re.search(says, after["last_reload"]["error"])
    alice = peer(server)
    assert message(alice, "sip:900@example.com") == 480
    assert server.json("trunks")["trunks"] == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", v.port), 5)
