# SPDX-License-Identifier: Apache-2.0
"""Transactions as peers see them (RFC 3261 17 and 18, RFC 6026, RFC 4320, RFC 3581)."""
import re
import socket
import time

import pytest
from siplib import WAIT_S, Msg, unique, uri_of, via_param

FAST = "t1 = 20; t2 = 80; t4 = 100;"


@pytest.fixture
def fast(make_server, workers):
    return make_server(workers=workers, timers=FAST)


@pytest.fixture
def phones(server, peer):
    alice, bob = peer(server, user="alice"), peer(server, user="bob")
    server.ctl("location", "add", "bob@example.com", bob.contact)
    return alice, bob


def invite(alice, bob, **kw):
    inv = alice.request("INVITE", "sip:bob@example.com", **kw)
    alice.send(inv.raw)
    return inv, bob.expect("INVITE")


# --- server transactions


def test_rfc3261_8_2_6_1_100_copies_the_timestamp(phones):
    alice, bob = phones
    inv, got = invite(alice, bob, headers=["Timestamp: 54.32"])
    r = alice.expect(100)
    assert re.match(r"54\.32( \d*(\.\d*)?)?$", r["Timestamp"])
    assert r.to_tag == "" and r.cseq == 1 and r["Call-ID"] == inv["Call-ID"]
    assert got["Timestamp"] == "54.32"
    bob.reply(got, 486, "Busy")
    bob.expect("ACK")
    alice.ack(inv, alice.expect(486))


def test_rfc3261_17_2_3_branch_sent_by_and_method_make_a_transaction(phones):
    """The same branch under another sent-by is another request; of another method too."""
    alice, bob = phones
    one = alice.request("MESSAGE", "sip:bob@example.com", body="1", via_extra=";rport")
    alice.send(one.raw)
    m1 = bob.expect("MESSAGE")
    bob.reply(m1, 200, "OK")
    alice.expect(200)
    alice.send(one.raw)
    assert alice.expect(200).raw  # from the transaction
    other = one.raw.replace(b"UDP 127.0.0.1:%d" % alice.port, b"UDP other.invalid:%d" % alice.port)
    alice.send(other)
    m2 = bob.expect("MESSAGE")
    assert m2.branch != m1.branch
    bob.reply(m2, 202, "OK")
    r = alice.expect(202)
    assert "received=127.0.0.1" in r["Via"] and "rport=%d" % alice.port in r["Via"]
    alice.send(one.raw.replace(b"MESSAGE sip", b"INFO sip").replace(b"1 MESSAGE", b"1 INFO"))
    m3 = bob.expect("INFO")
    bob.reply(m3, 200, "OK")
    assert alice.expect(200).method == "INFO"


@pytest.mark.parametrize("branch", ["", ";branch=390skdjuw"])
def test_rfc3261_17_2_3_without_the_cookie_a_whole_call_works(phones, branch):
    """Retransmission, CANCEL and ACK of an RFC 2543 element find their INVITE."""
    alice, bob = phones
    via = "SIP/2.0/UDP %s%s" % (alice.hostport, branch)

    def old(method, call, cseq, to_tag="", body=""):
        return ("%s sip:bob@example.com SIP/2.0\r\nVia: %s\r\nFrom: <sip:alice@example.com>;tag=77\r\n"
                "To: <sip:bob@example.com>%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <%s>\r\nContent-Length: 0\r\n\r\n"
                % (method, via, to_tag and ";tag=" + to_tag, call, cseq, method, alice.contact))
    call = unique("c")
    alice.send(old("INVITE", call, 1))
    got = bob.expect("INVITE")
    assert got.branch.startswith("z9hG4bK")
    bob.reply(got, 180, "Ringing")
    alice.expect(180)
    alice.send(old("INVITE", call, 1))
    alice.expect(180)
    alice.send(old("CANCEL", call, 1))
    assert alice.expect(200).method == "CANCEL"
    c = bob.expect("CANCEL")
    assert c.branch == got.branch
    bob.reply(c, 200, "OK")
    bob.reply(got, 487, "Terminated")
    bob.expect("ACK")
    end = alice.expect(487)
    alice.send(old("ACK", call, 1, end.to_tag))
    alice.send(old("INVITE", call, 2))  # a new transaction of the same call
    got = bob.expect("INVITE")
    bob.reply(got, 200, "OK")
    ok = alice.expect(200)
    ack = old("ACK", call, 2, ok.to_tag)
    alice.send(ack)
    bob.expect("ACK")
    alice.silent(0.6)  # nothing is retransmitted any more


def test_rfc3261_17_2_1_the_refusal_is_retransmitted_until_its_ack(make_server, workers, peer):
    server = make_server(workers=workers, timers="t1 = 20; t2 = 80; t4 = 5000;")
    alice, bob = peer(server, repeats=True), peer(server, user="bob")
    server.ctl("location", "add", "bob@example.com", bob.contact)
    inv, got = invite(alice, bob)
    bob.reply(got, 486, "Busy")
    bob.expect("ACK", skip=("INVITE",))
    first = alice.expect(486)
    for _ in range(3):  # Timer G
        assert alice.expect(486).raw == first.raw
    alice.send(inv.raw)
    assert alice.expect(486).raw == first.raw
    alice.ack(inv, first)
    while alice.recv(0.25) is not None:  # what had been sent before the ACK came
        pass
    alice.send(inv.raw)
    assert alice.ask(alice.request("OPTIONS", "sip:example.com")).status == 200  # Confirmed: nothing before it


def test_rfc6026_7_1_a_retransmitted_invite_in_accepted_is_absorbed(phones):
    alice, bob = phones
    inv, got = invite(alice, bob)
    bob.reply(got, 200, "OK")
    ok = alice.expect(200)
    alice.send(inv.raw)
    alice.send(inv.raw)
    r = alice.ask(alice.request("OPTIONS", "sip:example.com"))
    assert r.status == 200  # and no other answer before it
    bob.silent(0.1)
    for _ in range(2):  # the callee's own retransmissions go up each
        bob.reply(got, 200, "OK")
        assert alice.expect(200).to_tag == ok.to_tag
    alice.ack(inv, ok)
    bob.expect("ACK")


def test_rfc3261_17_1_1_3_the_ack_to_a_refusal(phones):
    alice, bob = phones
    inv, got = invite(alice, bob, headers=["X-Not-For-Ack: 1", "Supported: timer"])
    bob.reply(got, 486, "Busy", tag="bobtag")
    ack = bob.expect("ACK")
    assert ack.uri == got.uri and ack.branch == got.branch and ack.cseq == got.cseq
    assert ack.values("Via") == got.values("Via")[:1] and len(ack.all("Via")) == 1
    assert ack["From"] == got["From"] and ack["Call-ID"] == got["Call-ID"] and ack.to_tag == "bobtag"
    assert "Record-Route" not in ack and "X-Not-For-Ack" not in ack and "Max-Forwards" in ack and ack.body == b""
    bob.reply(got, 486, "Busy", tag="bobtag")  # retransmitted: another ACK, nothing upstream
    assert bob.expect("ACK").raw == ack.raw
    end = alice.expect(486)
    alice.ack(inv, end)
    alice.silent(0.1)


def test_rfc3261_17_1_1_3_the_ack_has_the_route_of_its_invite(server, peer):
    alice, hop = peer(server), peer(server, user="hop")
    inv = alice.request("INVITE", "sip:x@foreign.invalid", headers=["Route: <sip:%s;lr>, <sip:other.invalid;lr>" % hop.hostport])
    alice.send(inv.raw)
    got = hop.expect("INVITE")
    hop.reply(got, 404, "No")
    ack = hop.expect("ACK")
    assert [uri_of(v) for v in ack.values("Route")] == ["sip:%s;lr" % hop.hostport, "sip:other.invalid;lr"]
    alice.ack(inv, alice.expect(404))


def test_what_is_retransmitted_by_the_client_transaction_is_the_same_bytes(fast, peer):
    alice, bob = peer(fast), peer(fast, user="bob", repeats=True)
    fast.ctl("location", "add", "bob@example.com", bob.contact)
    for method in ("INVITE", "MESSAGE"):
        req = alice.request(method, "sip:bob@example.com", body=b"x")
        alice.send(req.raw)
        first = bob.expect(method, skip=("ACK",))
        for _ in range(3):
            assert bob.expect(method).raw == first.raw
        bob.reply(first, 486 if method == "INVITE" else 200, "Whatever")
        while True:
            r = alice.recv()
            if r.status >= 200:
                break
        if method == "INVITE":
            alice.ack(req, r)
    end = time.monotonic() + WAIT_S
    while bob.recv(0.2) is not None:
        assert time.monotonic() < end


# --- non-INVITE: RFC 4320


def test_rfc4320_provisionals_of_a_non_invite_stay_here(phones):
    alice, bob = phones
    req = alice.request("MESSAGE", "sip:bob@example.com", body="x")
    alice.send(req.raw)
    got = bob.expect("MESSAGE")
    bob.reply(got, 100, "Trying")
    bob.reply(got, 180, "Ringing")
    bob.reply(got, 183, "Progress")
    bob.reply(got, 200, "OK")
    m = alice.recv()
    assert m.status == 200  # the first thing that comes
    bob.reply(got, 200, "OK")  # absorbed by Timer K
    alice.silent(0.1)


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_rfc4320_4_1_a_slow_non_invite_gets_100_once_timer_e_is_at_t2(make_server, workers, peer, proto):
    server = make_server(workers=workers, timers="t1 = 100; t2 = 400; t4 = 400;")
    alice, bob = peer(server, proto=proto), peer(server, user="bob")
    server.ctl("location", "add", "bob@example.com", bob.contact)
    req = alice.request("MESSAGE", "sip:bob@example.com", body="x")
    start = time.monotonic()
    alice.send(req.raw)
    r = alice.recv()
    took = time.monotonic() - start
    assert r.status == 100 and took >= 0.28  # 100 + 200 ms, then Timer E is at T2
    got = bob.expect("MESSAGE")
    alice.send(req.raw)
    assert alice.expect(100).status == 100
    bob.reply(got, 200, "OK")
    assert alice.expect(200)


@pytest.mark.parametrize("status", [408])
def test_rfc4320_4_2_a_408_of_a_non_invite_is_not_forwarded(phones, status):
    alice, bob = phones
    alice.send(alice.request("MESSAGE", "sip:bob@example.com", body="x").raw)
    got = bob.expect("MESSAGE")
    bob.reply(got, status, "Timeout")
    assert alice.ask(alice.request("OPTIONS", "sip:example.com")).status == 200
    alice.silent(0.2)


def test_a_late_response_to_a_non_invite_is_dropped(fast, peer):
    alice, bob = peer(fast), peer(fast, user="bob")
    fast.ctl("location", "add", "bob@example.com", bob.contact)
    alice.send(alice.request("MESSAGE", "sip:bob@example.com", body="x").raw)
    got = bob.expect("MESSAGE")
    fast.wait_for(lambda: not fast.json("transactions")["transactions"], "timer F and J")
    while alice.recv(0.05):
        pass
    bob.reply(got, 200, "OK")
    alice.silent(0.2)


# --- stray responses and names of ours


@pytest.mark.parametrize("status", [100, 180, 200, 404])
@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_rfc6026_strays_with_a_branch_of_ours_made_up_go_nowhere(phones, status, method):
    alice, bob = phones
    inv, got = invite(alice, bob)
    alice.expect(100)
    spoilt = got.branch[:-1] + ("A" if got.branch[-1] != "A" else "B")
    for data in (bob.reply(got, status, "x", send=False).raw.replace(got.branch.encode(), spoilt.encode()),
                 bob.reply(got, status, "x", send=False).raw.replace(b"1 INVITE", b"1 MESSAGE")):
        bob.answer(got, data)
    bob.reply(got, 486, "Busy")
    r = alice.expect(486)
    alice.ack(inv, r)


def test_rfc3261_18_1_2_a_response_with_another_sent_by_is_dropped(phones):
    alice, bob = phones
    inv, got = invite(alice, bob)
    alice.expect(100)
    ours = got.values("Via")[0].split(";")[0].split()[1]
    good = bob.reply(got, 200, "OK", send=False).raw
    for other in ("192.0.2.77:5060", ours.split(":")[0], ours[:-1] + ("1" if ours[-1] != "1" else "2"), "nowhere.invalid:" + ours.split(":")[1]):
        bob.answer(got, good.replace(ours.encode() + b";", other.encode() + b";", 1))
    bob.reply(got, 486, "Busy")
    r = alice.expect(486)
    alice.ack(inv, r)


def test_rfc3261_16_7_a_response_from_another_port_is_taken(phones, server, peer):
    alice, bob = phones
    inv, got = invite(alice, bob)
    peer(server).sock.sendto(bob.reply(got, 180, "Ringing", send=False).raw, server.addr())
    alice.expect(180)
    bob.reply(got, 486, "Busy")
    alice.ack(inv, alice.expect(486))


@pytest.mark.parametrize("headers,kw", [([], {"max_forwards": 0}), (["Proxy-Require: x"], {}), (["Max-Breadth: 0"], {}), ([], {"max_forwards": 0, "to_tag": "dialog"})])
def test_the_ack_to_a_refusal_of_ours_goes_no_further(server, peer, headers, kw):
    """Also where nothing is remembered of the INVITE (RFC 3261 8.2.7)."""
    alice, there = peer(server), peer(server)
    inv = alice.request("INVITE", "sip:x@" + there.hostport, headers=headers, **kw)
    r = alice.ask(inv)
    assert r.status in (420, 440, 483)
    alice.ack(inv, r)
    req = alice.request("MESSAGE", "sip:x@" + there.hostport)
    alice.send(req.raw)
    there.reply(there.expect("MESSAGE"), 200, "OK")  # and nothing before it
    assert alice.final(req).status == 200


def test_tags_and_branches_are_new_and_long(phones):
    alice, bob = phones
    seen = set()
    for _ in range(5):
        r = alice.ask(alice.request("MESSAGE", "sip:nobody@example.com"))
        inv, got = invite(alice, bob)
        bob.reply(got, 486, "Busy")
        bob.expect("ACK")
        alice.ack(inv, alice.final(inv))
        assert len(r.to_tag) >= 22 and len(got.branch) >= 7 + 22
        seen |= {r.to_tag, got.branch}
    assert len(seen) == 10


def test_rfc3261_8_2_7_a_repeated_request_refused_without_state_gets_the_same_tag(phones):
    alice, bob = phones
    req = alice.request("INVITE", "sip:nobody@example.com")
    alice.send(req.raw)
    r1 = alice.final(req)
    alice.send(req.raw)
    r2 = alice.final(req)
    assert r1.status == r2.status == 480 and r1.to_tag == r2.to_tag
    alice.ack(req, r1)
    assert alice.ask(alice.request("OPTIONS", "sip:example.com")).status == 200


# --- where responses go


def raw_udp(ip="127.0.0.1"):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((ip, 0))
    s.settimeout(WAIT_S)
    return s


def options(via):
    return ("OPTIONS sip:example.com SIP/2.0\r\nVia: %s\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:example.com>\r\n"
            "Call-ID: %s\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n" % (via, unique())).encode()


def test_rfc3581_with_rport_the_answer_goes_to_the_source(server):
    with raw_udp() as s:
        port = s.getsockname()[1]
        for via in ("SIP/2.0/UDP 10.9.9.9:1234;branch=z9hG4bKa1;rport", "SIP/2.0/UDP nowhere.invalid;rport;branch=z9hG4bKa2"):
            s.sendto(options(via), server.addr())
            m = Msg(s.recv(4000))
            assert m.status == 200
            assert via_param(m["Via"], "received") == "127.0.0.1" and via_param(m["Via"], "rport") == str(port)


def test_rfc3261_18_2_2_without_rport_it_goes_to_the_sent_by_port_at_the_source_address(server):
    with raw_udp() as a, raw_udp() as b:
        for host in ("10.9.9.9", "nowhere.invalid"):
            a.sendto(options("SIP/2.0/UDP %s:%d;branch=%s" % (host, b.getsockname()[1], unique("z9hG4bK"))), server.addr())
            m = Msg(b.recv(4000))
            assert m.status == 200 and via_param(m["Via"], "received") == "127.0.0.1"
            assert via_param(m["Via"], "rport") is None


def test_a_via_maddr_or_received_from_the_wire_reflects_nothing(server):
    with raw_udp() as a, raw_udp("127.0.0.8") as victim:
        port = victim.getsockname()[1]
        for via in ("SIP/2.0/UDP 127.0.0.1:%d;maddr=127.0.0.8;branch=%s" % (a.getsockname()[1], unique("z9hG4bK")),
                    "SIP/2.0/UDP 127.0.0.1:%d;received=127.0.0.8;branch=%s" % (a.getsockname()[1], unique("z9hG4bK")),
                    "SIP/2.0/UDP 127.0.0.8:%d;received=127.0.0.8;rport=%d;branch=%s" % (port, port, unique("z9hG4bK"))):
            a.sendto(options(via), server.addr())
            m = Msg(a.recv(4000))
            assert m.status == 200
        victim.settimeout(0.2)
        with pytest.raises(socket.timeout):
            victim.recv(4000)


def test_a_multicast_or_broadcast_sent_by_gets_its_answer_at_the_source(server):
    with raw_udp() as a:
        for host in ("255.255.255.255", "224.0.1.75"):
            a.sendto(options("SIP/2.0/UDP %s:%d;branch=%s" % (host, a.getsockname()[1], unique("z9hG4bK"))), server.addr())
            assert Msg(a.recv(4000)).status == 200


def test_an_ipv6_sent_by_is_compared_as_an_address(make_server, workers, peer):
    server = make_server(workers=workers, v6=True)
    p = peer(server, ip="::1")
    for host in ("[::1]", "[0:0:0:0:0:0:0:1]", "[0::0001]"):
        p.send(options("SIP/2.0/UDP %s:%d;branch=%s" % (host, p.port, unique("z9hG4bK"))))
        assert p.expect(200)
    p.send(options("SIP/2.0/UDP [2001:db8::1]:%d;branch=%s" % (p.port, unique("z9hG4bK"))))
    assert via_param(p.expect(200)["Via"], "received") == "::1"


def test_rfc3261_18_2_2_on_a_stream_the_answer_takes_the_connection_whatever_the_via(server, peer):
    p = peer(server, proto="tcp")
    for via in ("SIP/2.0/TCP 10.9.9.9:1234;branch=%s", "SIP/2.0/UDP 10.9.9.9;branch=%s", "SIP/2.0/TLS nowhere.invalid;branch=%s"):
        p.send(options(via % unique("z9hG4bK")))
        assert p.expect(200)


# --- transport errors


def test_a_transport_error_is_at_once_the_next_targets_turn(server, peer):
    """ICMP and a refused connection: RFC 3261 16.9, 17.1.4, RFC 3263 4.3."""
    alice, live, dead = peer(server), peer(server, user="bob"), peer(server, user="bob")
    deadt = peer(server, user="bob", proto="tcp")
    for q, p in ((1.0, dead), (0.9, deadt), (0.5, live)):
        server.ctl("location", "add", "bob@example.com", p.contact, "--q", str(q))
    dead.close()
    deadt.close()
    for method in ("INVITE", "MESSAGE"):
        req = alice.request(method, "sip:bob@example.com")
        start = time.monotonic()
        alice.send(req.raw)
        got = live.expect(method)
        assert time.monotonic() - start < 20  # Timers B and F would take 32 s
        live.reply(got, 200, "OK")
        ok = alice.expect(200)
        if method == "INVITE":
            alice.ack(req, ok)
            live.expect("ACK")


# --- CANCEL


def cancel_of(alice, inv, **kw):
    return alice.request("CANCEL", inv.uri, to=inv["To"], from_=inv["From"], call_id=inv["Call-ID"], branch=inv.branch,
                         contact=None, **kw)


def test_rfc3261_22_1_cancel_ignores_require_and_proxy_require(phones):
    alice, bob = phones
    inv, got = invite(alice, bob)
    bob.reply(got, 180, "Ringing")
    alice.expect(180)
    c = cancel_of(alice, inv, headers=["Require: telepathy", "Proxy-Require: telepathy"])
    alice.send(c.raw)
    assert alice.expect(200).method == "CANCEL"
    gc = bob.expect("CANCEL")
    assert "Proxy-Require" not in gc and "Require" not in gc
    bob.reply(gc, 200, "OK")
    bob.reply(got, 487, "Terminated")
    bob.expect("ACK")
    alice.ack(inv, alice.expect(487))


def test_rfc3261_9_2_cancel_after_the_final_is_200_and_does_nothing(phones):
    alice, bob = phones
    inv, got = invite(alice, bob)
    bob.reply(got, 200, "OK")
    ok = alice.expect(200)
    alice.send(cancel_of(alice, inv).raw)
    assert alice.expect(200).method == "CANCEL"
    alice.ack(inv, ok)
    bob.expect("ACK")  # and no CANCEL before it


def test_rfc3261_9_1_a_2xx_that_crosses_the_cancel_goes_up(phones):
    alice, bob = phones
    inv, got = invite(alice, bob)
    bob.reply(got, 180, "Ringing")
    alice.expect(180)
    alice.send(cancel_of(alice, inv).raw)
    assert alice.expect(200).method == "CANCEL"
    c = bob.expect("CANCEL")
    bob.reply(got, 200, "OK")
    bob.reply(c, 200, "OK")
    ok = alice.expect(200)
    assert ok.method == "INVITE"
    alice.ack(inv, ok)
    bob.expect("ACK")


@pytest.mark.parametrize("code,answer", [(486, 487), (200, 200), (603, 603), (487, 487)])
def test_rfc3261_9_1_a_final_before_any_provisional_ends_what_is_to_be_cancelled(phones, code, answer):
    alice, bob = phones
    inv, got = invite(alice, bob)
    alice.send(cancel_of(alice, inv).raw)
    assert alice.expect(200).method == "CANCEL"
    bob.reply(got, code, "R%d" % code)
    r = alice.expect(answer)
    assert r.method == "INVITE"
    alice.ack(inv, r)
    bob.expect("ACK")  # and no CANCEL before it


def test_a_provisional_after_the_cancel_goes_up_and_a_repeated_cancel_is_answered(phones):
    alice, bob = phones
    inv, got = invite(alice, bob)
    bob.reply(got, 180, "Ringing")
    alice.expect(180)
    c = cancel_of(alice, inv)
    for _ in range(2):
        alice.send(c.raw)
        assert alice.expect(200).method == "CANCEL"
    bob.reply(bob.expect("CANCEL"), 200, "OK")
    bob.reply(got, 183, "Progress")
    alice.expect(183)
    bob.reply(got, 487, "Terminated")
    bob.expect("ACK")
    alice.ack(inv, alice.expect(487))


def test_cancel_and_ack_by_another_connection_find_their_invite(server, peer):
    alice, bob = peer(server, proto="tcp"), peer(server)
    server.ctl("location", "add", "bob@example.com", bob.contact)
    first, second = alice.connect(), alice.connect()
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw, stream=first)
    got = bob.expect("INVITE")
    bob.reply(got, 180, "Ringing")
    alice.expect(180)
    alice.send(cancel_of(alice, inv).raw, stream=second)
    assert alice.expect(200).method == "CANCEL"
    bob.reply(bob.expect("CANCEL"), 200, "OK")
    bob.reply(got, 487, "Terminated")
    bob.expect("ACK")
    r = alice.expect(487)
    ack = alice.request("ACK", inv.uri, to=r["To"], from_=inv["From"], call_id=inv["Call-ID"], branch=inv.branch, contact=None)
    alice.send(ack.raw, stream=second)
    server.wait_for(lambda: all("completed" not in str(t.values()).lower() for t in server.json("transactions")["transactions"]), "the ACK's effect")


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_a_cancel_right_behind_its_invite_finds_it(server, peer, proto):
    alice, bob = peer(server, proto=proto), peer(server)
    server.ctl("location", "add", "bob@example.com", bob.contact)
    for _ in range(5):
        inv = alice.request("INVITE", "sip:bob@example.com")
        c = cancel_of(alice, inv)
        for data in (inv.raw, c.raw) if proto == "udp" else (inv.raw + c.raw,):
            alice.send(data)
        got = bob.expect("INVITE")
        assert alice.expect(200).method == "CANCEL"
        bob.reply(got, 180, "Ringing")
        alice.expect(180)
        bob.reply(bob.expect("CANCEL"), 200, "OK")
        bob.reply(got, 487, "Terminated")
        bob.expect("ACK")
        alice.ack(inv, alice.expect(487))


def test_rfc3261_9_1_a_callee_that_ignores_the_cancel_is_given_up(fast, peer):
    alice, bob = peer(fast), peer(fast, user="bob")
    fast.ctl("location", "add", "bob@example.com", bob.contact)
    inv, got = invite(alice, bob)
    bob.reply(got, 180, "Ringing")
    alice.expect(180)
    alice.send(cancel_of(alice, inv).raw)
    assert alice.expect(200).method == "CANCEL"
    r = alice.expect(487)
    alice.ack(inv, r)


def test_cancel_of_a_call_whose_look_up_waits_is_487_at_once(make_server, workers, peer):
    """The callee's name is being resolved, and the name server is silent."""
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    server = make_server(workers=workers, extra='dns: { nameservers = ( "127.0.0.1@%d" ); timeout = 60; };' % silent.getsockname()[1])
    alice = peer(server)
    inv = alice.request("INVITE", "sip:bob@name.example")
    alice.send(inv.raw)
    assert alice.recv().status == 100  # and nothing else first
    alice.send(cancel_of(alice, inv).raw)
    assert alice.expect(200).method == "CANCEL"
    alice.ack(inv, alice.expect(487))
    silent.close()
