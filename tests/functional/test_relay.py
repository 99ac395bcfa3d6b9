# SPDX-License-Identifier: Apache-2.0
"""No open relay (PROTOCOL: relay policy; RFC 3261 16.3 step 6, 26.3.2.4)."""
import pytest


FOREIGN = "sip:someone@%s"


@pytest.fixture
def closed(make_server, workers):
    return make_server(workers=workers, relay="users", auth='register = true; calls = "local";')


def test_strangers_cannot_relay(closed, peer):
    alice, target = peer(closed, user="x", domain="elsewhere.invalid"), peer(closed)
    r = alice.ask(alice.request("MESSAGE", FOREIGN % target.hostport))
    assert r.status == 403
    target.silent(0.1)


def test_a_local_from_is_challenged_so_that_it_can_authenticate(closed, peer):
    alice, target = peer(closed, user="alice"), peer(closed)
    r = alice.ask(alice.request("MESSAGE", FOREIGN % target.hostport))
    assert r.status == 407 and "Proxy-Authenticate" in r


def test_a_route_to_elsewhere_counts_as_elsewhere(closed, peer):
    mallory, target = peer(closed, user="m", domain="elsewhere.invalid"), peer(closed)
    r = mallory.ask(mallory.request("MESSAGE", "sip:bob@example.com",
                                    headers=["Route: <sip:%s;lr>" % target.hostport]))
    assert r.status == 403
    r = mallory.ask(mallory.request("MESSAGE", "sip:bob@example.com;maddr=%s" % target.hostport.split(":")[0]))
    assert r.status in (403, 480, 400)
    target.silent(0.1)


def test_a_register_with_a_route_to_elsewhere_is_relayed_or_not(make_server, workers, peer):
    """RFC 3261 16.12, 16.3: it ends there, so it is no REGISTER for us, whatever its Request-URI."""
    server = make_server(workers=workers, relay="users", auth='register = true; calls = "local";',
                         proxy='trusted = ( "127.0.0.9" );')
    far, uri = peer(server, user="far"), "sip:example.com"
    route = "Route: <sip:%s;lr>" % far.hostport
    stranger = peer(server, user="s", domain="elsewhere.invalid")
    assert stranger.ask(stranger.request("REGISTER", uri, to="<sip:alice@example.com>", headers=[route])).status == 403
    alice = peer(server, user="alice")
    assert alice.ask(alice.request("REGISTER", uri, to="<sip:alice@example.com>", headers=[route])).status == 407
    trusted = peer(server, user="t", ip="127.0.0.9", domain="elsewhere.invalid")
    req = trusted.request("REGISTER", uri, to="<sip:alice@example.com>", headers=[route, "Require: outbound"])
    trusted.send(req.raw)
    far.reply(far.expect("REGISTER"), 200)  # Require is the registrar's matter (RFC 3261 16.3 step 5)
    assert trusted.final(req).status == 200 and server.json("location", "list")["bindings"] == []


def test_somebody_elses_record_route_opens_nothing(closed, peer):
    mallory, target = peer(closed, user="m", domain="elsewhere.invalid"), peer(closed)
    for rr in ("<sip:127.0.0.1:%d;lr>", "<sip:127.0.0.1:%d;lr;rc=AAAAAAAAAAAAAAAA>"):
        r = mallory.ask(mallory.request("BYE", FOREIGN % target.hostport, to_tag="x",
                                        headers=["Route: " + rr % closed.port]))
        assert r.status == 403
    target.silent(0.1)


def test_trusted_peers_may(make_server, workers, peer):
    server = make_server(workers=workers, relay="users", proxy='trusted = ( "127.0.0.0/8" );',
                         auth='register = true; calls = "local";')
    alice, target = peer(server, user="x", domain="elsewhere.invalid"), peer(server)
    req = alice.request("MESSAGE", FOREIGN % target.hostport)
    alice.send(req.raw)
    target.reply(target.expect("MESSAGE"), 200, "OK")
    assert alice.final(req).status == 200


def test_relay_none_refuses_even_trusted_peers(make_server, workers, peer):
    server = make_server(workers=workers, relay="none", proxy='trusted = ( "127.0.0.1" );')
    alice, target = peer(server), peer(server)
    assert alice.ask(alice.request("MESSAGE", FOREIGN % target.hostport)).status == 403


def test_in_a_dialog_of_ours_the_foreign_side_passes_without_credentials(make_server, workers, peer):
    """The callee's BYE to a caller elsewhere: the Record-Route carries the keyed check."""
    server = make_server(workers=workers, relay="users", auth='register = false; calls = "none";')
    alice = peer(server, user="alice", domain="elsewhere.invalid")
    bob = peer(server, user="bob")
    bob.register()
    inv = alice.request("INVITE", bob.aor)
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    sent = bob.reply(got, 200, "OK")
    ok = alice.expect(200)
    alice.ack(inv, ok)
    bob.expect("ACK")
    bye = bob.in_dialog_uas("BYE", got, sent)
    bob.send(bye.raw)
    alice.reply(alice.expect("BYE"), 200, "OK")
    assert bob.final(bye).status == 200
    # The same Route with another Call-ID opens nothing.
    evil = bob.request("BYE", alice.contact, to_tag="x", headers=["Route: " + r for r in got.values("Record-Route")],
                       from_="<sip:m@elsewhere.invalid>")
    assert bob.ask(evil).status == 403
    # Nor does it without a To tag, or between other tags; a changed check is none.
    rr, tag = got.values("Record-Route")[0], got.from_tag
    changed = rr.replace("rc=", "rc=A") if "rc=A" not in rr else rr.replace("rc=A", "rc=B")
    stranger = peer(server, domain="elsewhere.invalid")
    for route, tags, status in ((rr, {"tag": tag}, 403), (rr, {"tag": "a", "to_tag": "b"}, 403), (changed, {"to_tag": tag}, 403),
                                ("<sip:127.0.0.1:%d;lr>" % server.port, {"to_tag": tag}, 403),
                                (rr, {"to_tag": tag}, 200), (rr, {"tag": tag, "to_tag": "b"}, 200)):
        req = stranger.request("INFO", alice.contact, call_id=inv["Call-ID"], headers=["Route: " + route], **tags)
        stranger.send(req.raw)
        if status == 200:
            alice.reply(alice.expect("INFO"), 200, "OK")
        assert stranger.final(req).status == status, (route, tags)
