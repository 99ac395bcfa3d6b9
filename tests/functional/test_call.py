# SPDX-License-Identifier: Apache-2.0
"""A call crosses: INVITE .. BYE between registered users (RFC 3261 13, 16, 17; RFC 3665 3.1)."""
import re

import pytest
from siplib import first_of, ringing, uri_of, unique

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def call(alice, bob, uri=None, headers=(), body=SDP):
    """Sets up a call; (request as sent, as received, 200 as sent, 200 as received)."""
    inv = alice.request("INVITE", uri or bob.aor, headers=headers, body=body)
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    bob.reply(got, 180, "Ringing")
    ringing = alice.expect(180)
    assert ringing.to_tag
    sent = bob.reply(got, 200, "OK", body=SDP)
    ok = alice.expect(200)
    ack = alice.ack(inv, ok)
    assert bob.expect("ACK").cseq == ack.cseq
    return inv, got, sent, ok


@pytest.mark.parametrize("a,b", [("udp", "udp"), ("tcp", "tcp"), ("udp", "tcp"), ("tcp", "udp")])
def test_call_from_invite_to_bye(server, peer, a, b):
    alice, bob = peer(server, user="alice", proto=a), peer(server, user="bob", proto=b)
    alice.register()
    bob.register()
    inv, got, sent, ok = call(alice, bob)
    bye = alice.in_dialog("BYE", inv, ok)
    alice.send(bye.raw)
    got_bye = bob.expect("BYE")
    assert got_bye.uri == bob.contact
    bob.reply(got_bye, 200, "OK")
    assert alice.final(bye).status == 200


def test_rfc3261_16_6_callee_hangs_up(server, peer):
    alice, bob = peer(server, user="alice"), peer(server, user="bob")
    alice.register()
    bob.register()
    inv, got, sent, ok = call(alice, bob)
    bye = bob.in_dialog_uas("BYE", got, sent)
    bob.send(bye.raw)
    got_bye = alice.expect("BYE")
    assert "Route" not in got_bye
    alice.reply(got_bye, 200, "OK")
    assert bob.final(bye).status == 200


def test_rfc3261_16_6_what_the_next_hop_sees(server, peer):
    alice, bob = peer(server, user="alice"), peer(server, user="bob")
    bob.register()
    inv = alice.request("INVITE", bob.aor, body=SDP, max_forwards=17,
                        headers=["X-Odd:   kept  as is ", "subject: s", "P-Unknown: a", "p-unknown: b"])
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    assert got.uri == bob.contact
    assert got["Max-Forwards"] == "16"
    vias = got.values("Via")
    assert len(vias) == 2 and vias[0].startswith("SIP/2.0/UDP 127.0.0.1:%d;" % server.port)
    assert got.branch.startswith("z9hG4bK") and got.branch != inv.branch
    assert "received=127.0.0.1" in vias[1] or "rport=%d" % alice.port in vias[1]
    assert "rport=%d" % alice.port in vias[1]
    rr = got.values("Record-Route")
    assert len(rr) == 1 and re.search(r";lr(;|>|=)", rr[0])
    assert got.body == SDP.encode()
    assert b"X-Odd:   kept  as is \r\n" in got.raw and b"p-unknown: b\r\n" in got.raw
    assert alice.expect(100)["Via"].count("branch=" + inv.branch) == 1
    bob.reply(got, 486, "Busy Here")
    assert bob.expect("ACK")["CSeq"].endswith("ACK")
    busy = alice.expect(486)
    assert len(busy.values("Via")) == 1
    alice.ack(inv, busy)


def test_rfc3261_16_6_3_max_forwards_is_added(server, peer):
    alice, bob = peer(server), peer(server, user="bob")
    bob.register()
    alice.send(alice.request("MESSAGE", bob.aor, max_forwards=None, body=b"hi").raw)
    got = bob.expect("MESSAGE")
    assert got["Max-Forwards"] == "70"
    bob.reply(got, 200, "OK")
    alice.expect(200)


def test_rfc3261_16_3_max_forwards_zero(server, peer):
    alice, bob = peer(server), peer(server, user="bob")
    bob.register()
    r = alice.ask(alice.request("MESSAGE", bob.aor, max_forwards=0))
    assert r.status == 483
    assert alice.ask(alice.request("OPTIONS", bob.aor, max_forwards=0)).status in (200, 483)
    bob.silent(0.1)


def test_retransmitted_invite_is_absorbed_17_2_1(server, peer):
    alice, bob, inv, got = ringing(server, peer)
    alice.send(inv.raw)
    assert alice.expect(180).to_tag  # the last provisional again
    bob.reply(got, 486, "Busy Here")
    bob.expect("ACK")
    busy = alice.expect(486, skip=(180,))
    alice.ack(inv, busy)
    bob.silent(0.2)


@pytest.mark.parametrize("method", ["MESSAGE", "INFO", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER",
                                    "UPDATE", "PRACK", "OPTIONS", "FROBNICATE"])
def test_any_method_is_proxied(server, peer, method):
    alice, bob = peer(server), peer(server, user="bob")
    bob.register()
    req = alice.request(method, bob.aor, headers=["Refer-To: <sip:carol@example.com>", "Event: presence"],
                        body=b"\x00\x01\xff binary \r\n\r\n\x00")
    alice.send(req.raw)
    got = bob.expect(method)
    assert got.body == req.body
    bob.reply(got, 202 if method in ("SUBSCRIBE", "REFER") else 200, "Fine")
    assert alice.final(req).reason == "Fine"


def test_unknown_user_and_offline_user_look_the_same_to_strangers(server, peer):
    alice = peer(server)
    assert alice.ask(alice.request("MESSAGE", "sip:nobody@example.com")).status == 480


def test_ack_is_never_answered(server, peer):
    alice = peer(server)
    for uri in ("sip:nobody@example.com", "sip:127.0.0.1:%d" % server.port, "http://x", "sip:x@example.com"):
        alice.send(alice.request("ACK", uri, to_tag="x").raw)
    alice.send(b"ACK sip:x@example.com SIP/2.0\r\nVia: " + alice.via().encode() + b"\r\n\r\n")
    assert alice.ask(alice.request("OPTIONS", "sip:example.com")).status == 200  # and nothing before it


def test_options_to_the_server_itself(server, peer):
    alice = peer(server)
    for uri in ("sip:example.com", "sip:127.0.0.1:%d" % server.port):
        r = alice.ask(alice.request("OPTIONS", uri))
        assert r.status == 200
        for h in ("Allow", "Accept", "Accept-Encoding", "Accept-Language", "Supported"):
            assert h in r, h
        assert "REGISTER" in r["Allow"]
        assert r.to_tag


def test_methods_to_the_server_itself(server, peer):
    alice = peer(server)
    assert alice.ask(alice.request("FROBNICATE", "sip:example.com")).status == 501
    r = alice.ask(alice.request("MESSAGE", "sip:example.com"))
    assert r.status == 405 and "OPTIONS" in r["Allow"]
    r = alice.ask(alice.request("OPTIONS", "sip:example.com", headers=["Require: telepathy, foo"]))
    assert r.status == 420 and "telepathy" in r["Unsupported"] and "foo" in r["Unsupported"]


def test_proxy_require_unknown_is_420(server, peer):
    alice, bob = peer(server), peer(server, user="bob")
    bob.register()
    r = alice.ask(alice.request("MESSAGE", bob.aor, headers=["Proxy-Require: telepathy"]))
    assert r.status == 420 and r["Unsupported"] == "telepathy"
    # Require is for the callee (RFC 3261 16.3: only Proxy-Require is ours)
    alice.send(alice.request("MESSAGE", bob.aor, headers=["Require: telepathy"]).raw)
    bob.reply(bob.expect("MESSAGE"), 420, "Bad Extension")
    alice.expect(420)


def test_cancel_before_ringing_and_after(server, peer):
    """RFC 3261 9.1: CANCEL waits for a provisional; RFC 3326: its Reason travels on."""
    alice, bob = peer(server), peer(server, user="bob")
    bob.register()
    inv = alice.request("INVITE", bob.aor)
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    cancel = alice.request("CANCEL", inv.uri, to=inv["To"], from_=inv["From"], call_id=inv["Call-ID"],
                           branch=inv.branch, headers=['Reason: SIP;cause=480;text="bored"'], contact=None)
    alice.send(cancel.raw)
    alice.expect(200)
    bob.silent(0.2)
    bob.reply(got, 180, "Ringing")
    c = bob.expect("CANCEL")
    assert c.branch == got.branch and c["Reason"] == 'SIP;cause=480;text="bored"'
    assert c.uri == got.uri and c.cseq == got.cseq
    bob.reply(c, 200, "OK")
    bob.reply(got, 487, "Request Terminated")
    bob.expect("ACK")
    end = alice.expect(487, skip=(180,))
    alice.ack(inv, end)


def test_cancel_of_nothing_is_481(server, peer):
    alice = peer(server)
    r = alice.ask(alice.request("CANCEL", "sip:bob@example.com", contact=None))
    assert r.status == 481


def test_rfc6026_a_response_without_transaction_goes_nowhere(server, peer):
    alice, bob = peer(server), peer(server, user="bob")
    bob.register()
    via = "SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKnotyours" % server.port
    data = ("SIP/2.0 200 OK\r\nVia: %s\r\nVia: %s\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
            "Call-ID: %s\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n" % (via, alice.via(), unique()))
    bob.send(data)
    assert alice.ask(alice.request("OPTIONS", "sip:example.com")).status == 200


def test_port_unreachable_fails_the_call_at_once(server, peer):
    """A transport error is a 503 of the branch, 500 upstream when nothing else is left (16.7, 16.9)."""
    alice, bob = peer(server), peer(server, user="bob")
    bob.register()
    bob.close()
    inv = alice.request("INVITE", bob.aor)
    r = alice.ask(inv)
    assert r.status in (480, 500)  # after a time-out it would be 408
    alice.ack(inv, r)


def test_two_registered_phones_ring_in_parallel_and_one_answers(server, peer):
    """RFC 3261 16.7 step 10: the first 2xx cancels the others, with a Reason (RFC 3326)."""
    alice, b1, b2 = peer(server), peer(server, user="bob"), peer(server, user="bob")
    b1.register()
    b2.register()
    inv = alice.request("INVITE", b1.aor)
    alice.send(inv.raw)
    i1, i2 = b1.expect("INVITE"), b2.expect("INVITE")
    assert i1.branch != i2.branch
    b1.reply(i1, 180, "Ringing")
    b2.reply(i2, 180, "Ringing")
    alice.expect(180)
    alice.expect(180)
    b2.reply(i2, 200, "OK")
    c = b1.expect("CANCEL")
    assert c["Reason"].replace(" ", "").startswith("SIP;cause=200")
    b1.reply(c, 200, "OK")
    b1.reply(i1, 487, "Request Terminated")
    b1.expect("ACK")
    ok = alice.expect(200)
    alice.ack(inv, ok)
    b2.expect("ACK")


def test_ringing_comes_at_once_and_every_2xx_is_forwarded(server, peer):
    """RFC 3261 16.7 step 5: all 2xx to an INVITE go upstream, late ones too (RFC 6026)."""
    alice, b1, b2 = peer(server), peer(server, user="bob"), peer(server, user="bob")
    b1.register()
    b2.register()
    inv = alice.request("INVITE", b1.aor)
    alice.send(inv.raw)
    i1, i2 = b1.expect("INVITE"), b2.expect("INVITE")
    b1.reply(i1, 200, "OK")
    ok1 = alice.expect(200)
    b2.reply(i2, 200, "OK")
    ok2 = alice.expect(200)
    assert ok1.to_tag != ok2.to_tag
    alice.ack(inv, ok1)
    b1.expect("ACK")
    alice.ack(inv, ok2)
    b2.expect("ACK", skip=("CANCEL",))


def test_6xx_ends_the_search(server, peer):
    alice, b1, b2 = peer(server), peer(server, user="bob"), peer(server, user="bob")
    b1.register()
    b2.register()
    inv = alice.request("INVITE", b1.aor)
    alice.send(inv.raw)
    i1, i2 = b1.expect("INVITE"), b2.expect("INVITE")
    b2.reply(i2, 180, "Ringing")
    alice.expect(180)
    b1.reply(i1, 603, "Decline")
    b1.expect("ACK")
    c = b2.expect("CANCEL")
    assert "cause=603" in c["Reason"]
    b2.reply(c, 200, "OK")
    b2.reply(i2, 487, "Request Terminated")
    b2.expect("ACK")
    r = alice.expect(603)
    alice.ack(inv, r)


def test_q_forking_tries_the_next_group_after_the_first_failed(server, peer):
    alice, b1, b2 = peer(server), peer(server, user="bob"), peer(server, user="bob")
    b1.register(contact="<%s>;q=0.9" % b1.contact)
    b2.register(contact="<%s>;q=0.1" % b2.contact)
    inv = alice.request("INVITE", b1.aor)
    alice.send(inv.raw)
    i1 = b1.expect("INVITE")
    b2.silent(0.15)
    b1.reply(i1, 486, "Busy Here")
    b1.expect("ACK")
    i2 = b2.expect("INVITE")
    b2.reply(i2, 480, "Not now")
    b2.expect("ACK")
    r = alice.final(inv)
    assert r.status in (480, 486)
    alice.ack(inv, r)


def test_challenges_of_all_branches_are_collected_16_7_7(server, peer):
    alice, b1, b2 = peer(server), peer(server, user="bob"), peer(server, user="bob")
    b1.register()
    b2.register()
    req = alice.request("MESSAGE", b1.aor)
    alice.send(req.raw)
    m1, m2 = b1.expect("MESSAGE"), b2.expect("MESSAGE")
    b1.reply(m1, 401, "Unauthorized", headers=['WWW-Authenticate: Digest realm="one", nonce="1"'])
    b2.reply(m2, 407, "Proxy Authentication Required",
             headers=['Proxy-Authenticate: Digest realm="two", nonce="2"'])
    r = alice.final(req)
    assert r.status in (401, 407)
    assert 'realm="one"' in r["WWW-Authenticate"] and 'realm="two"' in r["Proxy-Authenticate"]


def test_strict_router_upstream_16_4(server, peer):
    """The Request-URI is our Record-Route value: the last Route is the real one."""
    alice, bob = peer(server), peer(server, user="bob")
    alice.register()
    bob.register()
    inv, got, sent, ok = call(alice, bob)
    rr = uri_of(ok.values("Record-Route")[0])
    info = alice.request("INFO", rr, to=ok["To"], from_=inv["From"], call_id=inv["Call-ID"], cseq=7,
                         headers=["Route: <%s>" % bob.contact])
    alice.send(info.raw)
    m = bob.expect("INFO")
    assert m.uri == bob.contact and "Route" not in m
    bob.reply(m, 200, "OK")
    assert alice.final(info).status == 200


def test_strict_router_downstream_16_6_6(server, peer):
    alice, strict = peer(server), peer(server, user="strict")
    req = alice.request("MESSAGE", "sip:x@foreign.invalid", headers=["Route: <sip:%s>" % strict.hostport])
    alice.send(req.raw)
    m = strict.expect("MESSAGE")
    assert m.uri == "sip:" + strict.hostport
    assert [uri_of(v) for v in m.values("Route")] == ["sip:x@foreign.invalid"]
    strict.reply(m, 200, "OK")
    assert alice.final(req).status == 200


def test_loose_route_to_elsewhere_is_followed(server, peer):
    alice, hop = peer(server), peer(server, user="hop")
    req = alice.request("MESSAGE", "sip:x@foreign.invalid",
                        headers=["Route: <sip:127.0.0.1:%d;lr>, <sip:%s;lr>" % (server.port, hop.hostport)])
    alice.send(req.raw)
    m = hop.expect("MESSAGE")
    assert m.uri == "sip:x@foreign.invalid" and [uri_of(v) for v in m.values("Route")] == ["sip:%s;lr" % hop.hostport]
    hop.reply(m, 200, "OK")
    assert alice.final(req).status == 200


def test_a_loop_is_482(server, peer):
    """RFC 5393: the same hash seen again."""
    alice, bob = peer(server), peer(server, user="bob")
    bob.register(contact="<sip:bob@example.com>")
    r = alice.ask(alice.request("MESSAGE", "sip:bob@example.com"))
    assert r.status == 482


def test_unsupported_scheme_is_416(server, peer):
    alice = peer(server)
    assert alice.ask(alice.request("MESSAGE", "nobodyknows:this", to="<sip:x@example.com>")).status == 416
    assert alice.ask(alice.request("MESSAGE", "tel:+15551234", to="<tel:+15551234>")).status == 416


def test_redirect_goes_upstream_unless_told_otherwise(server, peer):
    alice, bob = peer(server), peer(server, user="bob")
    bob.register()
    inv = alice.request("INVITE", bob.aor)
    alice.send(inv.raw)
    bob.reply(bob.expect("INVITE"), 302, "Moved", headers=["Contact: <sip:carol@example.com>"])
    bob.expect("ACK")
    r = alice.final(inv)
    assert r.status == 302 and r["Contact"] == "<sip:carol@example.com>"
    alice.ack(inv, r)


def test_redirect_is_followed_when_recursing(make_server, workers, peer):
    server = make_server(workers=workers, proxy="recurse_redirects = true;")
    alice, bob, carol = peer(server), peer(server, user="bob"), peer(server, user="carol")
    bob.register()
    carol.register()
    inv = alice.request("INVITE", bob.aor)
    alice.send(inv.raw)
    bob.reply(bob.expect("INVITE"), 302, "Moved", headers=["Contact: <sip:carol@example.com>"])
    bob.expect("ACK")
    got = carol.expect("INVITE")
    carol.reply(got, 200, "OK")
    ok = alice.expect(200)
    alice.ack(inv, ok)
    carol.expect("ACK")


def test_timer_c_cancels_a_branch_that_rings_forever(make_server, workers, peer):
    server = make_server(workers=workers, proxy="timer_c = 2;")
    alice, bob = peer(server), peer(server, user="bob")
    bob.register()
    inv = alice.request("INVITE", bob.aor)
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    bob.reply(got, 180, "Ringing")
    c = bob.expect("CANCEL")
    bob.reply(c, 200, "OK")
    bob.reply(got, 487, "Request Terminated")
    bob.expect("ACK")
    r = alice.final(inv)
    assert r.status in (408, 487)
    alice.ack(inv, r)


def test_no_answer_is_408_for_invite_and_silence_for_others(make_server, workers, peer):
    """RFC 4320: a 408 to a non-INVITE helps nobody and is never sent."""
    server = make_server(workers=workers, timers="t1 = 20; t2 = 80; t4 = 100;")
    alice, bob = peer(server), peer(server, user="bob", repeats=True)
    bob.register()
    inv = alice.request("INVITE", bob.aor)
    alice.send(inv.raw)
    r = alice.final(inv)
    assert r.status == 408
    alice.ack(inv, r)
    while bob.recv(0.05):
        pass
    alice.send(alice.request("MESSAGE", bob.aor, body=b"x").raw)
    bob.expect("MESSAGE")
    bob.expect("MESSAGE")  # Timer E
    m = alice.recv(2.5)
    assert m is None or m.status == 100


def test_max_breadth_shares_out_what_it_allows(server, peer):
    """RFC 5393 5: one at a time when Max-Breadth is 1; 440 for 0."""
    alice, b1, b2 = peer(server), peer(server, user="bob"), peer(server, user="bob")
    b1.register()
    b2.register()
    inv = alice.request("INVITE", b1.aor, headers=["Max-Breadth: 1"])
    alice.send(inv.raw)
    phones = [b1, b2]
    seen = 0
    while phones:
        p, = first_of(*phones)  # one branch at a time
        got = p.expect("INVITE")
        assert got["Max-Breadth"] == "1"
        phones.remove(p)
        p.reply(got, 480, "No")
        p.expect("ACK")
        seen += 1
    assert seen == 2
    r = alice.final(inv)
    alice.ack(inv, r)
    r = alice.ask(alice.request("MESSAGE", b1.aor, headers=["Max-Breadth: 0"]))
    assert r.status == 440


def test_mid_dialog_requests_both_ways_over_mixed_transports(server, peer):
    alice, bob = peer(server, user="alice", proto="tcp"), peer(server, user="bob", proto="udp")
    alice.register()
    bob.register()
    inv, got, sent, ok = call(alice, bob)
    assert len(ok.values("Record-Route")) == 2  # RFC 5658: the transport changes between the sides
    re_inv = alice.in_dialog("INVITE", inv, ok, body=SDP)
    alice.send(re_inv.raw)
    g2 = bob.expect("INVITE")
    assert "Route" not in g2
    bob.reply(g2, 200, "OK", body=SDP)
    ok2 = alice.expect(200)
    alice.ack(re_inv, ok2)
    bob.expect("ACK")
    info = bob.in_dialog_uas("INFO", got, sent, cseq=5)
    bob.send(info.raw)
    m = alice.expect("INFO")
    alice.reply(m, 200, "OK")
    assert bob.final(info).status == 200
