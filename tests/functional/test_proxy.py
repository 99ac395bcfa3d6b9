# SPDX-License-Identifier: Apache-2.0
"""The proxy of RFC 3261 section 16, claim by claim: checks, Route and Record-Route, targets, forking,
the choice of the answer, redirects (with RFC 5393 and RFC 3326)."""
import re
import time

import pytest
from conftest import free_port
from siplib import WAIT_S, Msg, first_of, unique, uri_of


def bind(server, user, *phones, **kw):
    """Static bindings, so that no REGISTER gets between."""
    for i, p in enumerate(phones):
        q = kw.get("q")
        server.ctl("location", "add", "%s@example.com" % user, p.contact, *(["--q", str(q[i])] if q else []))


def refused(p, req, who, status, **kw):
    """@who got request @p answers it with @status and its ACK comes, if it was an INVITE."""
    p.reply(req, status, kw.pop("reason", "R%d" % status), **kw)
    if req.method == "INVITE":
        p.expect("ACK", skip=("CANCEL", "INVITE"))


def end(alice, inv, **kw):
    r = alice.final(inv, **kw)
    if inv.method == "INVITE":
        alice.ack(inv, r)
    return r


def routes_of(m):
    return [uri_of(v) for v in m.values("Route")]


# --- 16.3 validation


def test_16_3_the_order_of_checks(server, peer):
    """Syntax, scheme, Max-Forwards, loop, Proxy-Require: the first that fails is told."""
    p = peer(server)
    both = ["Proxy-Require: telepathy"]
    assert p.ask(p.request("MESSAGE", "nobodyknows:this", to="<sip:x@example.com>", max_forwards=0, headers=both)).status == 416
    assert p.ask(p.request("MESSAGE", "sip:bob@example.com", max_forwards=0, headers=both)).status == 483
    assert p.ask(p.request("MESSAGE", "sip:bob@example.com", headers=both)).status == 420
    assert p.ask(p.request("MESSAGE", "sip:bob@example.com", max_forwards=0, headers=["CSeq: 1 MESSAGE"])).status == 400


def test_16_3_options_with_max_forwards_0_is_answered_as_if_for_us(server, peer):
    p = peer(server)
    r = p.ask(p.request("OPTIONS", "sip:bob@example.com", max_forwards=0))
    assert r.status == 200 and "Allow" in r
    r = p.ask(p.request("OPTIONS", "sip:x@elsewhere.invalid", max_forwards=0))
    assert r.status in (200, 483)


@pytest.mark.parametrize("n,next_n", [("1", "0"), ("007", "6"), ("100", "99"), ("255", "254")])
def test_16_6_3_max_forwards_counts_down(server, peer, n, next_n):
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    req = alice.request("MESSAGE", "sip:bob@example.com", max_forwards=None, headers=["Max-Forwards: " + n])
    alice.send(req.raw)
    got = bob.expect("MESSAGE")
    assert got["Max-Forwards"] == next_n
    bob.reply(got, 200, "OK")
    assert alice.final(req).status == 200


def test_proxy_max_forwards_is_what_is_added(make_server, workers, peer):
    server = make_server(workers=workers, proxy="max_forwards = 33; max_breadth = 7;")
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    alice.send(alice.request("MESSAGE", "sip:bob@example.com", max_forwards=None).raw)
    got = bob.expect("MESSAGE")
    assert got["Max-Forwards"] == "33" and got["Max-Breadth"] == "7"


def test_rfc5393_a_loop_through_another_proxy_is_482_and_a_spiral_passes(server, peer):
    alice, other = peer(server), peer(server, user="other")
    bind(server, "bob", other)
    req = alice.request("MESSAGE", "sip:bob@example.com")
    alice.send(req.raw)
    got = other.expect("MESSAGE")
    # the next proxy sends it back, for another user: a spiral
    spiral = got.raw.replace(got.uri.encode(), b"sip:carol@example.com", 1).replace(
        b"\r\nVia:", b"\r\nVia: " + other.via().encode() + b"\r\nVia:", 1)
    bind(server, "carol", other)
    other.send(spiral)
    again = other.expect("MESSAGE")
    assert len(again.values("Via")) == 4
    # and that one comes back as what it was at first: a loop
    loop = again.raw.replace(again.uri.encode(), b"sip:bob@example.com", 1).replace(
        b"\r\nVia:", b"\r\nVia: " + other.via().encode() + b"\r\nVia:", 1)
    other.send(loop)
    assert other.expect(482)
    other.reply(again, 200, "OK")
    back = other.expect(200)
    assert len(back.values("Via")) == 3
    other.reply(got, 200, "OK")
    assert alice.final(req).status == 200


def test_rfc5393_two_servers_that_send_to_each_other(make_server, workers, peer):
    ports = free_port(), free_port()
    rule = 'routes = ( { name = "x"; match: { user = "loop"; }; to = "trunk:o"; } ); trunks: { o: { targets = ( "sip:127.0.0.1:%d" ); probe = 0; }; };'
    one, _ = [make_server(workers=workers, port=a, extra=rule % b) for a, b in (ports, ports[::-1])]
    alice = peer(one)
    for method in ("INVITE", "MESSAGE"):
        req = alice.request(method, "sip:loop@example.com")
        alice.send(req.raw)
        assert end(alice, req).status == 482


def test_16_3_merged_requests_are_no_error(server, peer):
    """The same Call-ID, tag and CSeq by two ways: two branches upstream."""
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    req = alice.request("MESSAGE", "sip:bob@example.com")
    second = Msg(req.raw.replace(req.branch.encode(), unique("z9hG4bK").encode()))
    for r in (req, second):
        alice.send(r.raw)
        got = bob.expect("MESSAGE")
        bob.reply(got, 200, "OK")
        assert alice.final(r).status == 200


def test_16_3_proxy_require_lists_all_that_is_unknown(server, peer):
    p = peer(server)
    r = p.ask(p.request("INVITE", "sip:bob@example.com", headers=["Proxy-Require: a, b", "Proxy-Require: c"]))
    assert r.status == 420 and r.values("Unsupported") == ["a", "b", "c"]


# --- 16.4 Route preprocessing


OWN = ("sip:{name};lr", "sip:127.0.0.1:{port};lr", "sip:example.com;lr", "sip:example.com:{port};lr", "sip:adv.example.net:{port};lr",
       "sip:adv.example.net;lr", "sip:{name}:{port};transport=tcp;lr", "sip:user@{name};lr=on", "sip:EXAMPLE.com.;lr", "sip:{name};lr;foo=bar",
       "sip:{name}")


def test_16_4_our_own_route_in_each_spelling_is_taken_away(make_server, workers, peer):
    port = free_port()
    server = make_server(workers=workers, name="proxy.example.net", port=port,
                         listen='{ transport = "udp"; address = "127.0.0.1"; port = %d; advertise = "adv.example.net:%d"; },'
                                '{ transport = "tcp"; address = "127.0.0.1"; port = %d; }' % (port, port, port))
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    for own in OWN:
        route = own.format(name="proxy.example.net", port=port)
        for headers in (["Route: <%s>" % route], ["Route: <%s>, <%s>" % (route, route)], ["Route: <%s>" % route] * 3,
                        ["Route: \"me\" <%s>;x=y" % route]):
            req = alice.request("MESSAGE", "sip:bob@example.com", headers=headers)
            alice.send(req.raw)
            got = bob.expect("MESSAGE")
            assert "Route" not in got and got.uri == bob.contact, headers
            bob.reply(got, 200, "OK")
            assert alice.final(req).status == 200


def test_16_4_what_is_not_ours_stays_in_the_route(server, peer):
    alice, hop = peer(server), peer(server)
    later = "<sip:p2.invalid;lr;x=\"a,b\">"
    for own in ("<sip:127.0.0.1:%d;lr>" % server.port, "<sip:example.com;lr>"):
        req = alice.request("MESSAGE", "sip:x@example.com", headers=["Route: %s , <sip:%s;lr>,%s" % (own, hop.hostport, later), "Route: <sip:example.com;lr>"])
        alice.send(req.raw)
        got = hop.expect("MESSAGE")
        assert got.values("Route") == ["<sip:%s;lr>" % hop.hostport, later, "<sip:example.com;lr>"] and got.uri == "sip:x@example.com"
        hop.reply(got, 200, "OK")
        assert alice.final(req).status == 200


def test_16_4_another_port_of_our_address_is_somebody_else(server, peer):
    alice, hop = peer(server), peer(server)
    req = alice.request("MESSAGE", "sip:x@example.com", headers=["Route: <sip:127.0.0.1:%d;lr>" % hop.port])
    alice.send(req.raw)
    got = hop.expect("MESSAGE")
    assert routes_of(got) == ["sip:127.0.0.1:%d;lr" % hop.port]


def test_16_4_maddr(make_server, workers, peer):
    """One that names us goes with port and transport, any other is the only target."""
    server = make_server(workers=workers)
    alice, bob, alice_tcp = peer(server), peer(server), peer(server, proto="tcp")
    bind(server, "bob", bob)
    req = alice.request("MESSAGE", "sip:bob@example.com:%d;maddr=127.0.0.1;x=1" % server.port)
    alice.send(req.raw)
    got = bob.expect("MESSAGE")
    assert got.uri == bob.contact
    req = alice_tcp.request("MESSAGE", "sip:bob@example.com:%d;maddr=127.0.0.1;transport=tcp" % server.port)
    alice_tcp.send(req.raw)
    assert bob.expect("MESSAGE").uri == bob.contact
    other = peer(server, ip="127.0.0.6", port=0)
    req = alice.request("MESSAGE", "sip:bob@example.com:%d;maddr=127.0.0.6" % other.port)
    alice.send(req.raw)
    got = other.expect("MESSAGE")
    assert got.uri == "sip:bob@example.com:%d;maddr=127.0.0.6" % other.port


def test_16_6_6_strict_router_with_more_routes(server, peer):
    alice, strict = peer(server), peer(server)
    req = alice.request("INVITE", "sip:x@foreign.invalid;p=1", headers=["Route: <sip:s@%s;a=b>, <sip:two.invalid;lr>" % strict.hostport])
    alice.send(req.raw)
    got = strict.expect("INVITE")
    assert got.uri == "sip:s@%s;a=b" % strict.hostport
    assert routes_of(got) == ["sip:two.invalid;lr", "sip:x@foreign.invalid;p=1"]
    strict.reply(got, 486, "Busy")
    ack = strict.expect("ACK")
    assert ack.uri == got.uri and routes_of(ack) == routes_of(got)
    end(alice, req)


def test_the_domain_is_ours_in_each_spelling(server, peer):
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    for uri in ("sip:bob@example.com:%d" % server.port, "sip:bob@example.com.", "sip:bob@EXAMPLE.COM;transport=udp", "SIP:bob@example.com",
                "sip:bob:pw@example.com", "sip:b%6Fb@example.com", "sip:bob@example.com;user=phone", "sip:bob@example.com;lr"):
        req = alice.request("MESSAGE", uri)
        alice.send(req.raw)
        got = bob.expect("MESSAGE")
        assert got.uri == bob.contact
        bob.reply(got, 200, "OK")
        assert alice.final(req).status == 200
    assert alice.ask(alice.request("MESSAGE", "sip:Bob@example.com")).status == 480  # users have case (19.1.4)


# --- 16.6 forwarding


def test_16_6_2_header_part_and_method_of_a_contact_stay_out_of_the_request_uri(server, peer):
    alice, bob = peer(server), peer(server, user="bob")
    bob.register(contact="<sip:bob@%s;method=INVITE;x=y?Subject=hi&Route=%%3Csip:evil.invalid%%3E>" % bob.hostport)
    req = alice.request("MESSAGE", "sip:bob@example.com")
    alice.send(req.raw)
    got = bob.expect("MESSAGE")
    assert got.uri == "sip:bob@%s;x=y" % bob.hostport and "Route" not in got and "Subject" not in got


@pytest.mark.parametrize("method,wanted", [("INVITE", 1), ("SUBSCRIBE", 1), ("NOTIFY", 1), ("REFER", 1), ("MESSAGE", None), ("REGISTER", 0), ("OPTIONS", None)])
def test_16_6_4_record_route_is_in_what_can_begin_a_dialog(server, peer, method, wanted):
    alice, hop = peer(server), peer(server)
    req = alice.request(method, "sip:x@foreign.invalid", headers=["Route: <sip:%s;lr>" % hop.hostport])
    alice.send(req.raw)
    got = hop.expect(method)
    rr = got.values("Record-Route")
    if wanted is not None:
        assert len(rr) == wanted
    if wanted:
        assert re.match(r"<sip:127\.0\.0\.1:%d;[^>]*\blr\b" % server.port, rr[0])
    refused(hop, got, alice, 404)
    end(alice, req)


def test_16_6_4_ours_goes_before_those_that_are_there(server, peer):
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    req = alice.request("INVITE", "sip:bob@example.com", headers=["Record-Route: <sip:one.invalid;lr>, <sip:two.invalid;lr>"])
    alice.send(req.raw)
    got = bob.expect("INVITE")
    rr = [uri_of(v) for v in got.values("Record-Route")]
    assert len(rr) == 3 and "127.0.0.1:%d" % server.port in rr[0] and rr[1:] == ["sip:one.invalid;lr", "sip:two.invalid;lr"]
    refused(bob, got, alice, 486)
    end(alice, req)


def test_proxy_record_route_false(make_server, workers, peer):
    """Left out where nothing demands it, there where the transport changes."""
    server = make_server(workers=workers, proxy="record_route = false;", v6=True)
    alice, bob, tcp, six = peer(server), peer(server), peer(server, proto="tcp"), peer(server, ip="::1")
    bind(server, "bob", bob)
    bind(server, "tcp", tcp)
    bind(server, "six", six)
    for user, p, n in (("bob", bob, 0), ("tcp", tcp, 2), ("six", six, 2)):
        req = alice.request("INVITE", "sip:%s@example.com" % user)
        alice.send(req.raw)
        got = p.expect("INVITE")
        assert len(got.values("Record-Route")) == n, user
        refused(p, got, alice, 486)
        end(alice, req)


def test_proxy_record_route_false_is_not_for_flows(make_server, workers, peer):
    server = make_server(workers=workers, proxy="record_route = false;")
    alice, bob = peer(server, proto="tcp"), peer(server, proto="tcp", user="bob")
    bob.register()
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    assert len(got.values("Record-Route")) == 1
    refused(bob, got, alice, 486)
    end(alice, inv)


def test_record_route_is_twofold_and_each_side_can_reach_its_own(make_server, workers, peer):
    server = make_server(workers=workers, v6=True)
    alice, bob = peer(server, proto="tcp"), peer(server, ip="::1")
    bind(server, "bob", bob)
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    rr = [uri_of(v) for v in got.values("Record-Route")]
    assert rr[0].startswith("sip:[::1]:%d" % server.port) and "transport=" not in rr[0]
    assert rr[1].startswith("sip:127.0.0.1:%d" % server.port) and "transport=tcp" in rr[1]
    bob.reply(got, 200, "OK")
    ok = alice.expect(200)
    assert [uri_of(v) for v in ok.values("Record-Route")] == rr
    alice.ack(inv, ok)
    ack = bob.expect("ACK")
    assert "Route" not in ack and ack.uri == bob.contact
    bye = alice.in_dialog("BYE", inv, ok)
    alice.send(bye.raw)
    gb = bob.expect("BYE")
    assert "Record-Route" not in gb and "Route" not in gb
    bob.reply(gb, 200, "OK")
    assert alice.final(bye).status == 200


def test_16_12_a_call_through_two_servers(make_server, workers, peer):
    """UDP, TCP between them, UDP: each takes its own two Route entries away."""
    ports = free_port(), free_port()
    one = make_server(workers=workers, port=ports[0], domains=("a.example",),
                      extra='routes = ( { name = "x"; match: { domain = "b.example"; }; to = "trunk:b"; } );'
                            'trunks: { b: { targets = ( "sip:127.0.0.1:%d;transport=tcp" ); probe = 0; }; };' % ports[1])
    two = make_server(workers=workers, port=ports[1], domains=("b.example",))
    alice, bob = peer(one), peer(two)
    two.ctl("location", "add", "bob@b.example", bob.contact)
    inv = alice.request("INVITE", "sip:bob@b.example")
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    assert len(got.values("Record-Route")) == 4
    sent = bob.reply(got, 200, "OK")
    ok = alice.expect(200)
    alice.ack(inv, ok)
    assert "Route" not in bob.expect("ACK")
    for p, q, req in ((alice, bob, alice.in_dialog("INFO", inv, ok)), (bob, alice, bob.in_dialog_uas("BYE", got, sent))):
        p.send(req.raw)
        m = q.expect(req.method)
        assert "Route" not in m
        q.reply(m, 200, "OK")
        assert p.final(req).status == 200


def test_16_11_an_ack_to_a_2xx_passes_with_its_body_and_without_answer(server, peer):
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    bob.reply(got, 200, "OK")
    ok = alice.expect(200)
    ack = alice.in_dialog("ACK", inv, ok, cseq=inv.cseq, body="v=0\r\n", headers=["X-Ack: 1"])
    alice.send(ack.raw)
    a1 = bob.expect("ACK")
    alice.send(ack.raw)
    a2 = bob.expect("ACK")
    assert a1.body == b"v=0\r\n" and a1["X-Ack"] == "1" and a1.branch == a2.branch and a1["Max-Forwards"] == "69"
    assert a1.branch.startswith("z9hG4bK")
    alice.send(alice.in_dialog("ACK", inv, ok, cseq=inv.cseq).raw)  # another one: another branch
    assert bob.expect("ACK").branch != a1.branch


# --- 16.5, 16.6 targets and forking


def test_16_5_a_request_uri_that_is_not_ours_is_the_only_target(server, peer):
    alice, there = peer(server), peer(server)
    uri = "sip:Some%20One@" + there.hostport + ";x=Y"
    req = alice.request("MESSAGE", uri)
    alice.send(req.raw)
    got = there.expect("MESSAGE")
    assert got.uri == uri
    there.reply(got, 200, "OK")
    assert alice.final(req).status == 200


@pytest.mark.parametrize("fork,together", [("q", False), ("parallel", True)])
def test_proxy_fork(make_server, workers, peer, fork, together):
    server = make_server(workers=workers, proxy='fork = "%s";' % fork)
    alice, b1, b2, b3 = [peer(server) for _ in range(4)]
    bind(server, "bob", b1, b2, b3, q=(0.9, 0.9, 0.2))
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    i1, i2 = b1.expect("INVITE"), b2.expect("INVITE")
    if together:
        i3 = b3.expect("INVITE")
        refused(b1, i1, alice, 486)
        refused(b2, i2, alice, 486)
    else:
        refused(b1, i1, alice, 486)
        b3.silent(0.1)
        refused(b2, i2, alice, 480)
        i3 = b3.expect("INVITE")
    refused(b3, i3, alice, 404)
    assert end(alice, inv).status // 100 == 4


def test_no_new_group_after_a_cancel(server, peer):
    alice, b1, b2 = peer(server), peer(server), peer(server)
    bind(server, "bob", b1, b2, q=(0.9, 0.2))
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    i1 = b1.expect("INVITE")
    b1.reply(i1, 180, "Ringing")
    alice.expect(180)
    alice.send(alice.request("CANCEL", inv.uri, to=inv["To"], from_=inv["From"], call_id=inv["Call-ID"], branch=inv.branch, contact=None).raw)
    c = b1.expect("CANCEL")
    b1.reply(c, 200, "OK")
    refused(b1, i1, alice, 486)  # an odd answer to a cancelled call
    alice.expect(200)
    assert end(alice, inv).status == 487
    b2.silent(0.1)


def test_a_cancel_ends_all_branches_of_a_fork(server, peer):
    alice, b1, b2 = peer(server), peer(server), peer(server)
    bind(server, "bob", b1, b2)
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    i1, i2 = b1.expect("INVITE"), b2.expect("INVITE")
    b1.reply(i1, 180, "Ringing")
    alice.expect(180)
    alice.send(alice.request("CANCEL", inv.uri, to=inv["To"], from_=inv["From"], call_id=inv["Call-ID"], branch=inv.branch, contact=None,
                             headers=['Reason: Q.850;cause=16;text="x"', "Reason: SIP;cause=600"]).raw)
    alice.expect(200)
    c = b1.expect("CANCEL")
    assert c.values("Reason") == ['Q.850;cause=16;text="x"', "SIP;cause=600"]
    b1.reply(c, 200, "OK")
    refused(b1, i1, alice, 487)
    b2.silent(0.1)  # no provisional there yet
    b2.reply(i2, 183, "Progress")
    c = b2.expect("CANCEL")
    b2.reply(c, 200, "OK")
    refused(b2, i2, alice, 487)
    r = alice.expect(487, skip=("1xx",))
    alice.ack(inv, r)


@pytest.mark.parametrize("code", [600, 603, 604, 606])
def test_16_7_6xx_waits_for_the_other_branches_and_says_why_it_cancels(server, peer, code):
    alice, b1, b2, b3 = [peer(server) for _ in range(4)]
    bind(server, "bob", b1, b2, b3, q=(0.5, 0.5, 0.1))
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    i1, i2 = b1.expect("INVITE"), b2.expect("INVITE")
    b2.reply(i2, 180, "Ringing")
    alice.expect(180)
    refused(b1, i1, alice, code)
    c = b2.expect("CANCEL")
    assert re.match(r"SIP\s*;\s*cause=%d" % code, c["Reason"])
    b2.reply(c, 200, "OK")
    alice.silent(0.1)  # not before all have ended
    refused(b2, i2, alice, 487)
    assert end(alice, inv).status == code
    b3.silent(0.1)


@pytest.mark.parametrize("codes,best", [
    ((404, 500), 404), ((486, 302), 302), ((603, 200), 200), ((401, 486), 401), ((486, 407), 407), ((480, 415), 415), ((404, 420), 420),
    ((486, 484), 484), ((408, 404), 404), ((503, 500), 500), ((503, 408), 408), ((503, 503), 500), ((503, 504), 504), ((486, 603), 603),
    ((430, 480), 480), ((500, 302), 302), ((401, 415), 401)])
def test_16_7_6_the_best_response(server, peer, codes, best):
    alice, b1, b2 = peer(server), peer(server), peer(server)
    bind(server, "bob", b1, b2)
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    got = [b1.expect("INVITE"), b2.expect("INVITE")]
    for p, m, code in zip((b1, b2), got, codes):
        headers = ['WWW-Authenticate: Digest realm="x", nonce="y"'] if code == 401 else []
        headers += ['Proxy-Authenticate: Digest realm="x", nonce="y"'] if code == 407 else []
        headers += ["Contact: <sip:z@elsewhere.invalid>"] if code == 302 else []
        p.reply(m, code, "R%d" % code, headers=headers)
    r = alice.final(inv)
    assert r.status == best
    if best != 500 or 503 not in codes:
        assert r.reason == "R%d" % best
    alice.ack(inv, r)


def test_16_7_7_three_challenges_in_one_answer(server, peer):
    alice, b1, b2, b3 = [peer(server) for _ in range(4)]
    bind(server, "bob", b1, b2, b3)
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    for i, p in enumerate((b1, b2, b3)):
        m = p.expect("INVITE")
        refused(p, m, alice, 407 if i else 401, headers=['%s: Digest realm="r%d", nonce="%d", algorithm=MD5' % ("Proxy-Authenticate" if i else "WWW-Authenticate", i, i)] * (i + 1))
    r = end(alice, inv)
    assert r.status in (401, 407)
    assert len(r.all("WWW-Authenticate")) == 1 and len(r.all("Proxy-Authenticate")) == 5


def test_a_503_that_is_alone_becomes_500_and_its_retry_after_marks_the_target(server, peer):
    alice, there, bob = peer(server), peer(server), peer(server)
    bind(server, "bob", bob)
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    refused(bob, bob.expect("INVITE"), alice, 503, headers=["Retry-After: 30"])
    r = end(alice, inv)
    assert r.status == 500
    req = alice.request("MESSAGE", "sip:bob@example.com")  # marked, but the only one: it is tried
    alice.send(req.raw)
    bob.reply(bob.expect("MESSAGE"), 200, "OK")
    assert alice.final(req).status == 200


def test_16_7_5_provisionals_go_up_until_a_final_was_sent(server, peer):
    alice, b1, b2 = peer(server), peer(server), peer(server)
    bind(server, "bob", b1, b2)
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    i1, i2 = b1.expect("INVITE"), b2.expect("INVITE")
    for code in (181, 182, 183, 180, 199):
        b1.reply(i1, code, "P%d" % code, headers=["RSeq: %d" % code, "Require: 100rel"])
        r = alice.expect(code)
        assert r["RSeq"] == str(code) and r.reason == "P%d" % code
    b1.reply(i1, 200, "OK")
    ok = alice.expect(200)
    b2.reply(i2, 180, "Ringing")
    alice.silent(0.1)
    alice.ack(inv, ok)


def test_timer_c_restarts_with_each_provisional_but_100(make_server, workers, peer):
    server = make_server(workers=workers, proxy="timer_c = 2;")
    alice, bob, carol = peer(server), peer(server), peer(server)
    bind(server, "bob", bob)
    bind(server, "carol", carol)
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    start = time.monotonic()
    while time.monotonic() - start < 4:
        bob.reply(got, 180, "Ringing")
        alice.expect(180)
        bob.silent(0.2)
    c = bob.expect("CANCEL")
    bob.reply(c, 200, "OK")
    refused(bob, got, alice, 487)
    assert end(alice, inv).status in (408, 487)
    inv = alice.request("INVITE", "sip:carol@example.com")
    alice.send(inv.raw)
    got = carol.expect("INVITE")
    start = time.monotonic()
    while not carol.inbox:  # as long as it says that it is trying
        assert time.monotonic() - start < WAIT_S
        carol.reply(got, 100, "Trying")
        carol._pump(0.1)
    carol.expect("CANCEL")
    refused(carol, got, alice, 487)
    end(alice, inv)


def test_timer_c_without_any_provisional_is_408(make_server, workers, peer):
    server = make_server(workers=workers, proxy="timer_c = 0.3;")
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    bob.expect("INVITE")
    assert end(alice, inv).status == 408


def test_timers_b_fails_over_sooner(make_server, workers, peer):
    server = make_server(workers=workers, timers="b = 2000; f = 2000;")
    alice, dead, live = peer(server), peer(server), peer(server)
    bind(server, "bob", dead, live, q=(0.9, 0.1))
    for method in ("INVITE", "MESSAGE"):
        req = alice.request(method, "sip:bob@example.com")
        start = time.monotonic()
        alice.send(req.raw)
        got = live.expect(method)
        assert 1.8 < time.monotonic() - start < 20  # 32 s otherwise
        live.reply(got, 200, "OK")
        ok = alice.expect(200)
        if method == "INVITE":
            alice.ack(req, ok)
            live.expect("ACK")


@pytest.mark.parametrize("codes", [(408, 503), (503, 408)])
def test_rfc4320_4_2_a_408_stands_back_behind_any_other_answer(server, peer, codes):
    """It may not be sent to a non-INVITE: the 503 of the other branch is what the caller gets, as 500."""
    alice, b1, b2 = [peer(server) for _ in range(3)]
    bind(server, "bob", b1)
    bind(server, "bob", b2)
    req = alice.request("MESSAGE", "sip:bob@example.com")
    alice.send(req.raw)
    for p, code in zip((b1, b2), codes):
        p.reply(p.expect("MESSAGE"), code, "No")
    assert alice.expect(500)


def test_a_forked_non_invite_ends_with_the_first_2xx_and_nothing_is_cancelled(server, peer):
    alice, b1, b2 = peer(server), peer(server), peer(server)
    bind(server, "bob", b1, b2)
    for code in (603, 404):
        req = alice.request("MESSAGE", "sip:bob@example.com")
        alice.send(req.raw)
        m1, m2 = b1.expect("MESSAGE"), b2.expect("MESSAGE")
        b1.reply(m1, code, "No")
        b2.reply(m2, 200, "OK")  # a CANCEL would be an error
        r = alice.recv()
        assert r.status == 200
    req = alice.request("MESSAGE", "sip:bob@example.com")
    alice.send(req.raw)
    m1, m2 = b1.expect("MESSAGE"), b2.expect("MESSAGE")
    b1.reply(m1, 200, "OK")
    assert alice.final(req).status == 200
    b2.reply(m2, 200, "OK")
    assert alice.ask(alice.request("OPTIONS", "sip:example.com")).status == 200  # the second 200 went nowhere


# --- redirects


def redirected(p, req, code, contacts):
    p.reply(req, code, "Moved", headers=["Contact: " + c for c in contacts])
    if req.method == "INVITE":
        p.expect("ACK")


@pytest.mark.parametrize("code", [300, 301, 302])
def test_recurse_redirects_retargets(make_server, workers, peer, code):
    server = make_server(workers=workers, proxy="recurse_redirects = true;")
    alice, bob, c1, c2 = [peer(server) for _ in range(4)]
    bind(server, "bob", bob)
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    redirected(bob, bob.expect("INVITE"), code, ["<sip:c1@%s>;q=0.9, <sip:c2@%s>;q=0.5" % (c1.hostport, c2.hostport)])
    got = c1.expect("INVITE")
    assert got.uri == "sip:c1@" + c1.hostport
    c2.silent(0.1)
    refused(c1, got, alice, 486)
    got = c2.expect("INVITE")
    assert got.uri == "sip:c2@" + c2.hostport
    c2.reply(got, 200, "OK")
    ok = alice.expect(200)
    alice.ack(inv, ok)
    c2.expect("ACK")


def test_recurse_redirects_contact_parts_that_may_not_be_in_a_request_uri(make_server, workers, peer):
    server = make_server(workers=workers, proxy="recurse_redirects = true;")
    alice, bob, carol = [peer(server) for _ in range(3)]
    bind(server, "bob", bob)
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    redirected(bob, bob.expect("INVITE"), 302, ["<sip:c@%s;method=BYE;a=b?Subject=x&Route=%%3Csip:evil.invalid%%3E>;expires=3" % carol.hostport])
    got = carol.expect("INVITE")
    assert got.uri == "sip:c@%s;a=b" % carol.hostport and "Route" not in got and "Subject" not in got
    refused(carol, got, alice, 486)
    assert end(alice, inv).status == 486
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    redirected(bob, bob.expect("INVITE"), 302, [])  # nowhere to go
    assert end(alice, inv).status == 302


def test_recurse_redirects_305_changes_the_route_only(make_server, workers, peer):
    server = make_server(workers=workers, proxy="recurse_redirects = true;")
    alice, bob, via = [peer(server) for _ in range(3)]
    bind(server, "bob", bob)
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    first = bob.expect("INVITE")
    redirected(bob, first, 305, ["<sip:%s;lr>" % via.hostport])
    got = via.expect("INVITE")
    assert got.uri == first.uri
    refused(via, got, alice, 486)
    assert end(alice, inv).status == 486


def test_recurse_redirects_leaves_380_and_other_schemes_to_the_caller(make_server, workers, peer):
    server = make_server(workers=workers, proxy="recurse_redirects = true;")
    alice, bob, carol = [peer(server) for _ in range(3)]
    bind(server, "bob", bob)
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    redirected(bob, bob.expect("INVITE"), 380, ["<sip:%s>" % carol.hostport])
    assert end(alice, inv).status == 380
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    redirected(bob, bob.expect("INVITE"), 302, ["<mailto:bob@example.com>", "<tel:+1555>, <sip:c@%s>" % carol.hostport])
    refused(carol, carol.expect("INVITE"), alice, 480)
    r = end(alice, inv)
    assert r.status == 302 and [uri_of(c) for c in r.values("Contact")] == ["mailto:bob@example.com", "tel:+1555"]


def test_recurse_redirects_each_uri_once_and_no_circle(make_server, workers, peer):
    server = make_server(workers=workers, proxy="recurse_redirects = true;")
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    redirected(bob, bob.expect("INVITE"), 302, ["<%s>, <sip:bob@example.com>" % bob.contact])
    r = end(alice, inv)
    assert r.status >= 300
    bob.silent(0.1)


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_16_5_recurse_redirects_to_a_user_who_is_not_there_is_480(make_server, workers, peer, method):
    server = make_server(workers=workers, proxy="recurse_redirects = true;")
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    req = alice.request(method, "sip:bob@example.com")
    alice.send(req.raw)
    redirected(bob, bob.expect(method), 302, ["<sip:nobody@example.com>"])
    assert alice.expect(480)


def test_rfc4320_4_2_a_circle_of_redirects_leaves_no_message_without_answer(make_server, workers, peer):
    server = make_server(workers=workers, proxy="recurse_redirects = true;")
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    alice.send(alice.request("MESSAGE", "sip:bob@example.com").raw)
    redirected(bob, bob.expect("MESSAGE"), 302, ["<sip:bob@example.com>"])
    assert alice.expect(480)


def test_recurse_redirects_not_for_what_is_not_ours(make_server, workers, peer):
    server = make_server(workers=workers, proxy="recurse_redirects = true;")
    alice, there, carol = [peer(server) for _ in range(3)]
    inv = alice.request("INVITE", "sip:x@" + there.hostport)
    alice.send(inv.raw)
    redirected(there, there.expect("INVITE"), 302, ["<sip:%s>" % carol.hostport])
    assert end(alice, inv).status == 302
    carol.silent(0.1)


def test_redirect_foreign_turns_what_leaves_into_302(make_server, workers, peer):
    server = make_server(workers=workers, proxy="recurse_redirects = true; redirect_foreign = true;",
                         extra='routes = ( { name = "desk"; match: { user = "support"; }; to = "sip:helpdesk@example.org;target=x;cause=302"; } );')
    alice, bob, carol = [peer(server) for _ in range(3)]
    bind(server, "bob", bob)
    bind(server, "carol", carol)
    inv = alice.request("INVITE", "sip:support@example.com")
    alice.send(inv.raw)
    r = end(alice, inv)
    assert r.status == 302 and uri_of(r["Contact"]) == "sip:helpdesk@example.org;target=x;cause=302"
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    redirected(bob, bob.expect("INVITE"), 302, ["<sip:away@example.org>"])
    r = end(alice, inv)
    assert r.status == 302 and uri_of(r["Contact"]) == "sip:away@example.org"
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    redirected(bob, bob.expect("INVITE"), 302, ["<sip:carol@example.com>"])  # stays in the domain: followed
    refused(carol, carol.expect("INVITE"), alice, 486)
    assert end(alice, inv).status in (302, 486)


# --- RFC 5393 Max-Breadth


def test_rfc5393_breadth_is_shared_out(server, peer):
    alice = peer(server)
    phones = [peer(server) for _ in range(3)]
    bind(server, "bob", *phones)
    inv = alice.request("INVITE", "sip:bob@example.com", headers=["Max-Breadth: 8"])
    alice.send(inv.raw)
    got = [p.expect("INVITE") for p in phones]
    assert sorted(int(m["Max-Breadth"]) for m in got) == [2, 3, 3]
    for p, m in zip(phones, got):
        refused(p, m, alice, 480)
    end(alice, inv)


def test_rfc5393_a_breadth_that_cannot_be_read_is_400(server, peer):
    p = peer(server)
    for value in ("x", "-1", "1.5"):
        r = p.ask(p.request("MESSAGE", "sip:bob@example.com", headers=["Max-Breadth: " + value]))
        assert r.status == 400 and "Max-Breadth" in r.reason


def test_rfc5393_proxy_max_breadth_limits_what_the_request_asks(make_server, workers, peer):
    server = make_server(workers=workers, proxy="max_breadth = 2;")
    alice = peer(server)
    phones = [peer(server) for _ in range(3)]
    bind(server, "bob", *phones)
    inv = alice.request("INVITE", "sip:bob@example.com", headers=["Max-Breadth: 60"])
    alice.send(inv.raw)
    seen = []
    while len(seen) < 3:
        for p in first_of(*[p for p in phones if p not in seen]):
            m = p.expect("INVITE")
            assert int(m["Max-Breadth"]) >= 1
            seen.append(p)
            p.pending = m
        if len(seen) == 2:
            third = [p for p in phones if p not in seen][0]
            third.silent(0.1)
            refused(seen[0], seen[0].pending, alice, 480)
    for p in seen[1:]:
        refused(p, p.pending, alice, 480)
    end(alice, inv)


# --- 11, 8.2: the server itself


def test_8_2_1_methods_for_the_server_itself(server, peer):
    p = peer(server)
    known = ("INVITE", "SUBSCRIBE", "NOTIFY", "INFO", "PUBLISH", "PRACK", "UPDATE", "REFER", "MESSAGE", "BYE")
    for uri in ("sip:example.com", "sip:127.0.0.1:%d" % server.port):
        for method in known + ("FOO", "options"):
            req = p.request(method, uri)
            r = p.ask(req)
            assert r.status == (405 if method in known else 501), method
            if r.status == 405:
                assert "OPTIONS" in r.values("Allow") and "REGISTER" in r.values("Allow")
            if method == "INVITE":
                p.ack(req, r)


def test_11_2_options_tells_what_the_server_can(server, peer):
    p = peer(server)
    r = p.ask(p.request("OPTIONS", "sip:example.com", headers=["Accept: application/sdp"]))
    for h in ("Allow", "Accept", "Accept-Encoding", "Accept-Language", "Supported", "Accept-Resource-Priority"):
        assert h in r, h
    assert "path" in r.values("Supported")
