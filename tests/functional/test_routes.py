# SPDX-License-Identifier: Apache-2.0
"""The `routes` rules and `trunks` (configuration: routes, trunks)."""
import pytest
from siplib import Peer


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
