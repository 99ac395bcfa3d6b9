# SPDX-License-Identifier: Apache-2.0
"""The `routes` rules and `trunks` (configuration: routes, trunks)."""
import re
import socket
import time

import pytest
from siplib import Peer, first_of


@pytest.fixture
def lay(make_server, peer, workers):
    """make(routes text, trunks text with {0} {1} for two carriers) -> server, carriers"""
    class Later:
        ip = "127.0.0.1"
        ip6 = "::1"

    def make(routes, trunks="", **kw):
        stub = Later()
        carriers = [Peer(stub, user="c%d" % i) for i in range(2)]
        fmt = lambda t: t.replace("{0}", carriers[0].hostport).replace("{1}", carriers[1].hostport)
        server = make_server(workers=workers, extra="routes = ( %s );\ntrunks: { %s };" % (fmt(routes), fmt(trunks)), **kw)
        for c in carriers:
            c.server = server
        return server, carriers
    return make


def test_a_number_goes_to_the_trunk_with_its_request_uri(lay, peer):
    server, (c0, c1) = lay('{ name = "pstn"; match: { user = "+*"; }; to = "trunk:carrier"; }',
                           'carrier: { targets = ( "sip:{0}", "sip:{1}" ); probe = 0; };')
    alice = peer(server)
    req = alice.request("MESSAGE", "sip:+15551234@example.com")
    alice.send(req.raw)
    m = c0.expect("MESSAGE")
    assert m.uri == "sip:+15551234@example.com"
    c0.reply(m, 200, "OK")
    assert alice.final(req).status == 200


def test_trunk_fails_over_when_the_first_is_unreachable_or_says_503(lay, peer):
    server, (c0, c1) = lay('{ name = "pstn"; match: { user = "+*"; }; to = "trunk:carrier"; }',
                           'carrier: { targets = ( "sip:{0}", "sip:{1}" ); probe = 0; };')
    alice = peer(server)
    inv = alice.request("INVITE", "sip:+1@example.com")
    alice.send(inv.raw)
    c0.reply(c0.expect("INVITE"), 503, "No")
    c0.expect("ACK")
    got = c1.expect("INVITE")
    c1.reply(got, 200, "OK")
    ok = alice.expect(200)
    alice.ack(inv, ok)
    c1.expect("ACK")
    c0.close()
    inv = alice.request("INVITE", "sip:+2@example.com")
    alice.send(inv.raw)
    c1.reply(c1.expect("INVITE"), 486, "Busy")
    c1.expect("ACK")
    r = alice.final(inv)
    assert r.status == 486
    alice.ack(inv, r)


def test_probes_are_options_and_shown_by_belfryctl(lay):
    server, (c0, c1) = lay("", 'carrier: { targets = ( "sip:{0}" ); probe = 1; };')
    m = c0.expect("OPTIONS")
    c0.reply(m, 200, "OK")
    server.wait_for(lambda: "up" in server.ctl("trunks").stdout, "trunk up")
    assert server.json("trunks")["trunks"][0]["trunk"] == "carrier"


def test_trunk_that_fails_and_comes_back_is_told_whoever_finds_out(lay, peer):
    """The first target fails in a call, before any probe says so; then a probe finds it well."""
    server, (c0, c1) = lay('{ name = "pstn"; match: { user = "+*"; }; to = "trunk:carrier"; }',
                           'carrier: { targets = ( "sip:{0}", "sip:{1}" ); probe = 2; };')
    for c in (c0, c1):
        c.reply(c.expect("OPTIONS"), 200, "OK")
    alice = peer(server)
    req = alice.request("MESSAGE", "sip:+1@example.com")
    alice.send(req.raw)
    c0.reply(c0.expect("MESSAGE"), 503, "No")
    c1.reply(c1.expect("MESSAGE"), 200, "OK")
    assert alice.final(req).status == 200
    server.wait_log("event=trunk.down trunk=carrier target=sip:%s status=503 by=call" % c0.hostport)
    c0.reply(c0.expect("OPTIONS"), 200, "OK")
    server.wait_log("event=trunk.up trunk=carrier target=sip:%s status=200 by=probe" % c0.hostport)
    assert "trunk.down trunk=carrier target=sip:%s " % c1.hostport not in server.log()


def test_trunk_without_probes_is_up_or_down_as_requests_have_shown(lay, peer):
    server, (c0, c1) = lay('{ match: { user = "+*"; }; to = "trunk:carrier"; }',
                           'carrier: { targets = ( "sip:{0}", "sip:{1}" ); probe = 0; };')
    states = lambda: [t["state"] for t in server.json("trunks")["trunks"]]
    assert states() == ["unknown", "unknown"]
    alice = peer(server)

    def call(c0_says):
        m = alice.request("MESSAGE", "sip:+1@example.com")
        alice.send(m.raw)
        c0.reply(c0.expect("MESSAGE"), c0_says, "x")
        if c0_says == 503:
            c1.reply(c1.expect("MESSAGE"), 202, "OK")
        alice.final(m)
    call(200)
    assert states() == ["up", "unknown"] and "event=trunk." not in server.log()
    call(503)
    assert states() == ["down", "up"]
    assert re.search(r"event=trunk.down trunk=carrier target=sip:%s status=503 by=call" % c0.hostport, server.log())


def test_redirect_rule_answers_302_with_substitution(lay, peer):
    server, _ = lay('{ name = "old"; match: { domain = "old.example"; method = "INVITE"; }; redirect = "sip:$user@example.com"; }',
                    domains=("example.com", "old.example"))
    alice = peer(server)
    inv = alice.request("INVITE", "sip:joe@old.example")
    r = alice.ask(inv)
    assert r.status == 302 and "sip:joe@example.com" in r["Contact"]
    alice.ack(inv, r)
    assert alice.ask(alice.request("MESSAGE", "sip:joe@old.example")).status == 480  # another method: no match


def test_reject_rule(lay, peer):
    server, _ = lay('{ name = "no"; match: { user = "900*"; }; reject = 403; }')
    alice = peer(server)
    assert alice.ask(alice.request("MESSAGE", "sip:9001@example.com")).status == 403
    assert alice.ask(alice.request("MESSAGE", "sip:8001@example.com")).status == 480


def test_retarget_rule_to_another_user(lay, peer):
    server, _ = lay('{ name = "desk"; match: { user = "support"; }; to = "sip:helpdesk@example.com"; }')
    alice, desk = peer(server), peer(server, user="helpdesk")
    desk.register()
    req = alice.request("MESSAGE", "sip:support@example.com")
    alice.send(req.raw)
    desk.reply(desk.expect("MESSAGE"), 200, "OK")
    assert alice.final(req).status == 200


def test_urn_to_trunk_keeps_the_request_uri(lay, peer):
    server, (c0, c1) = lay('{ name = "sos"; match: { uri = "urn:service:sos*"; }; to = "trunk:em"; }',
                           'em: { targets = ( "sip:{0}" ); probe = 0; };')
    alice = peer(server)
    req = alice.request("INVITE", "urn:service:sos.fire", to="<urn:service:sos>")
    alice.send(req.raw)
    m = c0.expect("INVITE")
    assert m.uri == "urn:service:sos.fire"
    c0.reply(m, 486, "Busy")
    c0.expect("ACK")
    r = alice.final(req)
    alice.ack(req, r)
    assert alice.ask(alice.request("MESSAGE", "urn:other:x", to="<urn:other:x>")).status == 416


def test_first_match_wins_and_source_matches(lay, peer):
    server, _ = lay('{ name = "a"; match: { user = "a*"; source = "127.0.0.9"; }; reject = 488; }, '
                    '{ name = "b"; match: { user = "a*"; }; reject = 499; }')
    x, y = peer(server), peer(server, ip="127.0.0.9")
    assert x.ask(x.request("MESSAGE", "sip:abc@example.com")).status == 499
    assert y.ask(y.request("MESSAGE", "sip:abc@example.com")).status == 488


def test_max_calls_bounds_a_trunk(lay, peer):
    server, (c0, c1) = lay('{ name = "p"; match: { user = "+*"; }; to = "trunk:t"; }',
                           't: { targets = ( "sip:{0}" ); probe = 0; max_calls = 1; };')
    alice = peer(server)
    inv = alice.request("INVITE", "sip:+1@example.com")
    alice.send(inv.raw)
    got = c0.expect("INVITE")
    inv2 = alice.request("INVITE", "sip:+2@example.com")
    alice.send(inv2.raw)
    r = alice.final(inv2)
    assert r.status in (480, 500, 503)
    alice.ack(inv2, r)
    c0.reply(got, 486, "Busy")
    c0.expect("ACK")
    alice.ack(inv, alice.final(inv))


# --- each key of a rule and of a trunk


@pytest.mark.parametrize("match,yes,no", [
    ('user = "+*";', "sip:+1@example.com", "sip:1+@example.com"),
    ('user = "*00";', "sip:100@example.com", "sip:1001@example.com"),
    ('user = "*b*";', "sip:abc@example.com", "sip:ac@example.com"),
    ('user = "*";', "sip:x@example.com", None),
    ('user = "abc";', "sip:abc@example.com", "sip:abcd@example.com"),
    ('user = "abc";', "sip:%61bc@example.com", "sip:ABC@example.com"),
    ('domain = "old.example";', "sip:x@OLD.example", "sip:x@example.com"),
    ('domain = "*.example";', "sip:x@old.example", "sip:x@example.com"),
    ('domain = "old.*";', "sip:x@old.example", "sip:x@example.com"),
    ('uri = "sip:x@*";', "sip:x@example.com", "sip:y@example.com"),
    ('uri = "*;user=phone";', "sip:x@example.com;user=phone", "sip:x@example.com"),
    ('uri = "tel:*";', "tel:+15551234", "sip:x@example.com"),
    ('user = "a*"; domain = "old.example";', "sip:ab@old.example", "sip:ab@example.com"),
    ('method = "MESSAGE";', "sip:x@example.com", None),
    ('method = "INVITE";', None, "sip:x@example.com"),
    ('source = "127.0.0.1";', "sip:x@example.com", None),
    ('source = "127.0.0.0/8";', "sip:x@example.com", None),
    ('source = "10.0.0.0/8";', None, "sip:x@example.com"),
])
def test_match_of_a_rule(lay, peer, match, yes, no):
    server, _ = lay('{ name = "m"; match: { %s }; reject = 499; }' % match, domains=("example.com", "old.example"))
    alice = peer(server)
    for uri, hit in ((yes, True), (no, False)):
        if uri:
            assert (alice.ask(alice.request("MESSAGE", uri, to="<sip:x@example.com>")).status == 499) == hit, uri


def test_a_rule_for_a_foreign_domain_comes_before_dns(lay, peer):
    server, (c0, c1) = lay('{ name = "f"; match: { domain = "partner.invalid"; }; to = "trunk:p"; }', 'p: { targets = ( "sip:{0}" ); probe = 0; };')
    alice = peer(server)
    req = alice.request("MESSAGE", "sip:x@partner.invalid;p=1")
    alice.send(req.raw)
    m = c0.expect("MESSAGE")
    assert m.uri == "sip:x@partner.invalid;p=1" and "Route" not in m


def test_a_to_rule_substitutes_and_keeps_parameters(lay, peer):
    server, (c0, c1) = lay('{ name = "v"; match: { user = "vm-*"; }; to = "sip:$user@{0};target=sip%3Ax%40example.com;cause=486;d=$domain"; }')
    alice = peer(server)
    req = alice.request("INVITE", "sip:vm-1@example.com")
    alice.send(req.raw)
    m = c0.expect("INVITE")
    assert m.uri == "sip:vm-1@%s;target=sip%%3Ax%%40example.com;cause=486;d=example.com" % c0.hostport
    c0.reply(m, 486, "Busy")
    c0.expect("ACK")
    alice.ack(req, alice.final(req))


def test_redirect_rule_with_domain_for_every_method_but_ack(lay, peer):
    server, _ = lay('{ name = "r"; match: { user = "moved"; }; redirect = "sip:$user@new.example;old=$domain"; }')
    alice = peer(server)
    for method in ("INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS"):
        req = alice.request(method, "sip:moved@example.com")
        r = alice.ask(req)
        assert r.status == 302 and r["Contact"] == "<sip:moved@new.example;old=example.com>"
        if method == "INVITE":
            alice.ack(req, r)
    alice.send(alice.request("ACK", "sip:moved@example.com", to_tag="x").raw)
    assert alice.ask(alice.request("OPTIONS", "sip:example.com")).status == 200


@pytest.mark.parametrize("code", [403, 404, 410, 480, 503, 603])
def test_reject_rule_with_any_code(lay, peer, code):
    server, _ = lay('{ name = "no"; match: { user = "900*"; }; reject = %d; }' % code)
    alice = peer(server)
    req = alice.request("INVITE", "sip:9001@example.com")
    r = alice.ask(req)
    assert r.status == code
    alice.ack(req, r)


def test_weighted_trunk_uses_all_targets_and_fails_over(lay, peer):
    server, (c0, c1) = lay('{ name = "w"; match: { user = "+*"; }; to = "trunk:t"; }',
                           't: { targets = ( "sip:{0}", "sip:{1}" ); policy = "weighted"; probe = 0; };')
    alice = peer(server)
    seen = set()
    for i in range(40):
        req = alice.request("MESSAGE", "sip:+%d@example.com" % i)
        alice.send(req.raw)
        c = first_of(c0, c1)[0]
        seen.add(c)
        c.reply(c.expect("MESSAGE"), 200, "OK")
        assert alice.final(req).status == 200
    assert len(seen) == 2
    c1.close()
    for i in range(6):
        req = alice.request("MESSAGE", "sip:+%d@example.com" % i)
        alice.send(req.raw)
        c0.reply(c0.expect("MESSAGE"), 200, "OK")
        assert alice.final(req).status == 200


def test_failover_order_and_answers_that_are_final(lay, peer):
    server, (c0, c1) = lay('{ name = "w"; match: { user = "+*"; }; to = "trunk:t"; }',
                           't: { targets = ( "sip:{0}", "sip:{1}" ); probe = 0; };')
    alice = peer(server)
    for code in (404, 486, 500, 603):
        req = alice.request("INVITE", "sip:+1@example.com")
        alice.send(req.raw)
        m = c0.expect("INVITE")
        c0.reply(m, code, "No")
        c0.expect("ACK")
        r = alice.final(req)
        assert r.status == code
        alice.ack(req, r)
    c1.silent(0.1)


def test_trunk_by_tcp(lay, peer):
    server, (c0, c1) = lay("")
    tcp = peer(server, proto="tcp")
    conf = server.conf_file.read_text() + '\n'
    conf = conf.replace("routes = (  );", 'routes = ( { name = "t"; match: { user = "+*"; }; to = "trunk:t"; } );').replace(
        "trunks: {  };", 'trunks: { t: { targets = ( "sip:%s;transport=tcp" ); probe = 0; }; };' % tcp.hostport)
    server.conf_file.write_text(conf)
    server.ctl("reload")
    alice = peer(server)
    req = alice.request("MESSAGE", "sip:+1@example.com")
    alice.send(req.raw)
    m = tcp.expect("MESSAGE")
    assert m.uri == "sip:+1@example.com" and m.values("Via")[0].startswith("SIP/2.0/TCP")
    tcp.reply(m, 200, "OK")
    assert alice.final(req).status == 200


def test_probe_takes_a_silent_target_out_and_brings_it_back(lay, peer):
    server, (c0, c1) = lay('{ name = "w"; match: { user = "+*"; }; to = "trunk:t"; }',
                           't: { targets = ( "sip:{0}", "sip:{1}" ); probe = 1; };', timers="b = 200; f = 200;")
    alice = peer(server)

    def up():
        return [t["state"] if "state" in t else t["up"] for t in server.json("trunks")["trunks"]]
    o = c0.expect("OPTIONS")
    assert o["Max-Forwards"] and o.to_tag == "" and o.from_tag
    c1.reply(c1.expect("OPTIONS"), 200, "OK")
    server.wait_for(lambda: up() == ["down", "up"] or up() == [False, True], "first one down: %s" % up())
    req = alice.request("INVITE", "sip:+1@example.com")
    alice.send(req.raw)
    m = c1.expect("INVITE", skip=("OPTIONS",))
    c1.reply(m, 486, "Busy")
    c1.expect("ACK", skip=("OPTIONS",))
    alice.ack(req, alice.final(req))
    while c0.recv(0.05):
        pass
    c0.reply(c0.expect("OPTIONS"), 404, "Any answer shows that it lives")
    server.wait_for(lambda: up()[0] in ("up", True), "first one up again")


def test_max_calls_says_503_and_forgets_calls_that_are_answered(lay, peer):
    server, (c0, c1) = lay('{ name = "p"; match: { user = "+*"; }; to = "trunk:t"; }',
                           't: { targets = ( "sip:{0}" ); probe = 0; max_calls = 2; };')
    alice = peer(server)
    calls = []
    for i in range(2):
        inv = alice.request("INVITE", "sip:+%d@example.com" % i)
        alice.send(inv.raw)
        calls.append((inv, c0.expect("INVITE")))
    msg = alice.request("MESSAGE", "sip:+9@example.com")  # no call
    alice.send(msg.raw)
    c0.reply(c0.expect("MESSAGE"), 200, "OK")
    assert alice.final(msg).status == 200
    inv = alice.request("INVITE", "sip:+3@example.com")
    r = alice.ask(inv)
    assert r.status == 503 and int(r["Retry-After"].split()[0]) >= 0
    alice.ack(inv, r)
    c0.reply(calls[0][1], 200, "OK")
    ok = alice.expect(200)
    alice.ack(calls[0][0], ok)
    c0.expect("ACK")
    inv = alice.request("INVITE", "sip:+4@example.com")
    alice.send(inv.raw)
    got = c0.expect("INVITE")
    for m in (got, calls[1][1]):
        c0.reply(m, 486, "Busy")
        c0.expect("ACK")
        alice.expect(486)


@pytest.mark.parametrize("probe", [0, 60])
@pytest.mark.parametrize("how", ["503", "503 with Retry-After", "silence"])
def test_a_target_that_failed_is_tried_last_for_failure_ttl(lay, peer, how, probe):
    """RFC 3261 21.5.4, RFC 3263 4.3; when nothing else is left it is tried."""
    server, (c0, c1) = lay('{ name = "w"; match: { user = "+*"; }; to = "trunk:t"; }', 't: { targets = ( "sip:{0}", "sip:{1}" ); probe = %d; };' % probe,
                           timers="t1 = 50; b = 2000; f = 2000;")
    alice = peer(server)
    for c in (c0, c1) if probe else ():
        c.reply(c.expect("OPTIONS"), 200, "OK")
    headers = ["Retry-After: 20 (soon)"] if "Retry-After" in how else []
    skip = ("INVITE", "OPTIONS", "CANCEL")

    def call():
        inv = alice.request("INVITE", "sip:+1@example.com")
        alice.send(inv.raw)
        return inv
    inv = call()
    m = c0.expect("INVITE", skip=skip)
    if how != "silence":
        c0.reply(m, 503, "No", headers=headers)
        c0.expect("ACK", skip=skip)
    for i in range(3):
        m = c1.expect("INVITE", skip=skip)
        c1.reply(m, 486, "Busy")
        c1.expect("ACK", skip=skip)
        alice.ack(inv, alice.final(inv))
        if i == 0:
            while c0.recv(0.05):
                pass
        inv = call()
    m = c1.expect("INVITE", skip=skip)
    assert c0.recv(0.05) is None
    c1.reply(m, 503, "No")
    c1.expect("ACK", skip=skip)
    m = c0.expect("INVITE")
    c0.reply(m, 486, "Busy")
    c0.expect("ACK", skip=skip)
    alice.ack(inv, alice.final(inv))


def test_a_target_that_failed_is_the_first_again_after_failure_ttl(lay, peer):
    server, (c0, c1) = lay('{ name = "w"; match: { user = "+*"; }; to = "trunk:t"; }', 't: { targets = ( "sip:{0}", "sip:{1}" ); probe = 0; };\n};'
                           'dns: { failure_ttl = 1; ')
    alice = peer(server)
    for first, wait in ((c0, 1.1), (c0, 0), (c1, 0)):
        inv = alice.request("INVITE", "sip:+1@example.com")
        alice.send(inv.raw)
        m = first.expect("INVITE")
        if first is c0:
            c0.reply(m, 503, "No")
            c0.expect("ACK")
            m = c1.expect("INVITE")
        c1.reply(m, 486, "Busy")
        c1.expect("ACK")
        alice.ack(inv, alice.final(inv))
        time.sleep(wait)


# --- proxy.mtu


def test_mtu_tcp_that_does_not_connect_within_two_seconds_is_udp(server, peer):
    """RFC 3261 18.1.1: a listener whose queue is full answers no SYN."""
    bob, alice = peer(server, user="bob"), peer(server)
    with socket.socket() as black, socket.socket() as c1, socket.socket() as c2:
        black.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        black.bind(("127.0.0.1", bob.port))
        black.listen(0)
        for c in (c1, c2):
            c.setblocking(False)
            c.connect_ex(("127.0.0.1", bob.port))
        server.ctl("location", "add", "bob@example.com", bob.contact)
        req = alice.request("INVITE", "sip:bob@example.com", body=b"x" * 1400)
        start = time.monotonic()
        alice.send(req.raw)
        m = bob.expect("INVITE")
        assert 1.5 < time.monotonic() - start
        assert m.values("Via")[0].startswith("SIP/2.0/UDP") and m.body == req.body
        bob.reply(m, 486, "Busy")
        bob.expect("ACK", skip=("INVITE",))
        alice.ack(req, alice.final(req))


def answered(server, peer):
    """A call to a contact of UDP that has been answered, and its ACK, larger than a datagram should be."""
    alice, bob = peer(server), peer(server)
    inv = alice.request("INVITE", bob.contact)
    alice.send(inv.raw)
    bob.reply(bob.expect("INVITE"), 200, "OK")
    return bob, alice, alice.in_dialog("ACK", inv, alice.expect(200), cseq=inv.cseq, body=b"x" * 1400)


def test_rfc3261_18_1_1_a_large_ack_is_by_udp_when_tcp_is_refused(server, peer):
    bob, alice, ack = answered(server, peer)
    alice.send(ack.raw)
    got = bob.expect("ACK")
    assert got.values("Via")[0].startswith("SIP/2.0/UDP") and got.body == ack.body


def test_rfc3261_18_1_1_a_large_ack_is_by_tcp_where_there_is_tcp(server, peer):
    bob, alice, ack = answered(server, peer)
    tcp = peer(server, proto="tcp", port=bob.port)
    for _ in range(2):  # by a connection that is opened, and by the one that is open
        alice.send(ack.raw)
        got = tcp.expect("ACK")
        assert got.values("Via")[0].startswith("SIP/2.0/TCP") and got.body == ack.body
    bob.silent(0.1)


def test_rfc3261_18_1_1_a_large_ack_waits_two_seconds_for_tcp(server, peer):
    bob, alice, ack = answered(server, peer)
    with socket.socket() as black, socket.socket() as c1, socket.socket() as c2:
        black.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        black.bind(("127.0.0.1", bob.port))
        black.listen(0)
        for c in (c1, c2):
            c.setblocking(False)
            c.connect_ex(("127.0.0.1", bob.port))
        start = time.monotonic()
        alice.send(ack.raw)
        got = bob.expect("ACK")
        assert 1.5 < time.monotonic() - start
        assert got.values("Via")[0].startswith("SIP/2.0/UDP") and got.body == ack.body


@pytest.mark.parametrize("mtu,size,proto", [(0, 3000, "UDP"), (1300, 700, "UDP"), (1300, 1300, "TCP"), (3000, 2000, "UDP"), (600, 600, "TCP")])
def test_mtu_is_the_limit(make_server, workers, peer, mtu, size, proto):
    server = make_server(workers=workers, proxy="mtu = %d;" % mtu)
    alice = peer(server)
    tcp = peer(server, proto="tcp")
    udp = peer(server, port=tcp.port)
    server.ctl("location", "add", "bob@example.com", "sip:bob@" + tcp.hostport)
    req = alice.request("MESSAGE", "sip:bob@example.com", body=b"x" * size)
    alice.send(req.raw)
    p = tcp if proto == "TCP" else udp
    m = p.expect("MESSAGE")
    assert m.values("Via")[0].startswith("SIP/2.0/" + proto)
    p.reply(m, 200, "OK")
    assert alice.final(req).status == 200


def test_mtu_is_not_for_a_flow(server, peer):
    """A phone behind NAT is reached by its flow, however large the request."""
    alice, bob = peer(server), peer(server, user="bob")
    bob.register(contact="<sip:bob@10.9.9.9:5060>", via_extra=";rport")
    bob.register(contact="<sip:bob@%s>" % bob.hostport, call_id="second", cseq=1)
    req = alice.request("MESSAGE", "sip:bob@example.com", body=b"x" * 2000)
    alice.send(req.raw)
    m = bob.expect("MESSAGE")
    assert m.values("Via")[0].startswith("SIP/2.0/UDP")
