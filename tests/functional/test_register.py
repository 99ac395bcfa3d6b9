# SPDX-License-Identifier: Apache-2.0
"""The registrar (RFC 3261 10.3, RFC 3327, RFC 3608) over real sockets."""
import re

import pytest
from siplib import param, uri_of, unique


def contacts(r):
    return {uri_of(c): c for c in r.values("Contact")}


def test_register_fetch_refresh_remove(server, peer):
    p = peer(server, user="alice")
    r = p.register(expires=600, contact="<%s>;q=0.7;methods=\"INVITE, BYE\"" % p.contact)
    c = contacts(r)[p.contact]
    assert int(param(c, "expires")) in range(595, 601) and float(param(c, "q")) == 0.7
    assert 'methods="INVITE, BYE"' in c and "Date" in r
    r = p.register(expires=None, contact=False)
    assert p.contact in contacts(r)
    r = p.register(expires=100)
    assert int(param(contacts(r)[p.contact], "expires")) <= 100
    r = p.register(expires=0)
    assert contacts(r) == {}
    assert server.json("location", "list")["bindings"] == []


def test_10_3_7_old_cseq_changes_nothing(server, peer):
    p = peer(server)
    p.register(cseq=10)
    r = p.register(cseq=9, expires=0, expect=500)
    assert "Retry-After" in r
    p.register(cseq=10, expires=0, expect=500)
    assert p.contact in contacts(p.register(cseq=11, contact=False, expires=None))


def test_another_call_id_replaces(server, peer):
    p = peer(server)
    p.register(cseq=10)
    p.register(cseq=1, call_id=unique("other"), expires=0)
    assert contacts(p.register(contact=False, expires=None)) == {}


def test_star_removes_all_and_only_with_expires_0(server, peer):
    p = peer(server)
    p.register(contact="<sip:a@127.0.0.1:1>, <sip:b@127.0.0.1:2>")
    p.register(contact="*", expires=60, expect=400)
    p.register(contact="*, <sip:c@127.0.0.1>", expires=0, expect=400)
    p.register(contact="*", expires=None, expect=400)
    assert contacts(p.register(contact="*", expires=0)) == {}


def test_expiry_rules(server, peer):
    p = peer(server)
    r = p.register(expires=5, expect=423)
    assert r["Min-Expires"] == "60"
    r = p.register(expires=99999999)
    assert int(param(contacts(r)[p.contact], "expires")) in range(86390, 86401)
    r = p.register(expires=None, contact="<%s>;expires=abc" % p.contact)
    assert int(param(contacts(r)[p.contact], "expires")) in range(3590, 3601)
    r = p.register(expires=7200, contact="<%s>;expires=120" % p.contact)
    assert int(param(contacts(r)[p.contact], "expires")) in range(110, 121)
    r = p.register(expires=None)
    assert int(param(contacts(r)[p.contact], "expires")) in range(3590, 3601)


def test_all_contacts_or_none(server, peer):
    p = peer(server)
    cs = ", ".join("<sip:x@127.0.0.1:%d>" % i for i in range(1, 12))
    p.register(contact=cs, expect=403)
    assert contacts(p.register(contact=False, expires=None)) == {}
    p.register(contact="<sip:a@127.0.0.1:1>, <sip:b@127.0.0.1:2>;expires=3", expect=423)
    assert contacts(p.register(contact=False, expires=None)) == {}


def test_contact_comparison_19_1_4(server, peer):
    p = peer(server)
    p.register(contact="<sip:%61lice@127.0.0.1:5070;Transport=UDP;x=1>")
    r = p.register(contact="<sip:alice@127.0.0.1:5070;transport=udp;x=1>")
    assert len(contacts(r)) == 1
    r = p.register(contact="<sip:ALICE@127.0.0.1:5070;transport=udp>")
    assert len(contacts(r)) == 2


def test_require_unknown_is_420(server, peer):
    p = peer(server)
    r = p.register(headers=["Require: telepathy"], expect=420)
    assert "telepathy" in r["Unsupported"]


def test_path_is_stored_and_returned_and_followed(server, peer):
    """RFC 3327 5.3, 5.4."""
    phone, edge, alice = peer(server, user="bob"), peer(server, user="edge"), peer(server)
    path = "<sip:%s;lr>" % edge.hostport
    r = phone.register(headers=["Path: " + path, "Supported: path"])
    assert r.values("Path") == [path]
    req = alice.request("MESSAGE", phone.aor)
    alice.send(req.raw)
    m = edge.expect("MESSAGE")
    assert m.uri == phone.contact and m.values("Route") == [path]
    edge.reply(m, 200, "OK")
    assert alice.final(req).status == 200
    assert server.json("location", "list")["bindings"][0]["path"] == [path]
    r = phone.register(headers=["Path: " + path])
    assert "Path" not in r


def test_service_route(make_server, workers, peer):
    """RFC 3608 6."""
    server = make_server(workers=workers, registrar='service_route = ( "sip:p1.example.com;lr", "sip:p2.example.com;lr" );')
    r = peer(server).register()
    assert [uri_of(v) for v in r.values("Service-Route")] == ["sip:p1.example.com;lr", "sip:p2.example.com;lr"]


def test_instance_replaces_its_own_older_binding(server, peer):
    """registrar.replace_instance: a rebooted phone never rings twice."""
    p = peer(server)
    inst = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"'
    p.register(contact="<sip:a@127.0.0.1:1111>;" + inst)
    r = p.register(contact="<sip:a@127.0.0.1:2222>;" + inst, call_id=unique("reboot"), cseq=1)
    assert list(contacts(r)) == ["sip:a@127.0.0.1:2222"]
    assert inst in r["Contact"]


def test_reg_id_is_the_key_with_an_instance(server, peer):
    """RFC 5626 6: (AOR, instance, reg-id) whatever the URI."""
    p = peer(server)
    inst = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"'
    p.register(contact="<sip:a@127.0.0.1:1111>;reg-id=1;" + inst)
    r = p.register(contact="<sip:a@127.0.0.1:2222>;reg-id=1;" + inst)
    assert list(contacts(r)) == ["sip:a@127.0.0.1:2222"]
    r = p.register(contact="<sip:a@127.0.0.1:3333>;reg-id=2;" + inst)
    assert len(contacts(r)) == 2


def test_a_foreign_domain_is_not_ours_to_register(make_server, workers, peer):
    server = make_server(workers=workers, relay="none")
    p = peer(server)
    assert p.register(uri="sip:elsewhere.invalid", expect=None).status in (403, 407)
    assert p.register(to="<sip:x@other.invalid>", expect=None).status == 404
    # the domain in any case and with a dot at the end is ours
    assert p.register(uri="sip:EXAMPLE.com.").status == 200


def test_escaped_user_and_parameters_are_one_aor(server, peer):
    p = peer(server, user="bob")
    p.register(to="<sip:b%6Fb@Example.COM;x=y>")
    assert server.json("location", "list")["bindings"][0]["aor"] == "sip:bob@example.com"
    alice = peer(server)
    req = alice.request("MESSAGE", "sip:%62ob@EXAMPLE.com;user=phone")
    alice.send(req.raw)
    p.reply(p.expect("MESSAGE"), 200, "OK")
    assert alice.final(req).status == 200


def test_sips_contact_needs_sips(server, peer):
    """RFC 5630 5.1.?: a sips Contact on a sip registration is refused."""
    p = peer(server)
    p.register(contact="<sips:a@127.0.0.1:5061>", expect=400)


def test_contact_headers_are_kept_but_not_put_into_a_request_uri(server, peer):
    """RFC 4475 3.3.14."""
    p, alice = peer(server, user="bob"), peer(server)
    c = "sip:bob@%s;method=INVITE?Route=%%3Csip:sip.example.com%%3E" % p.hostport
    r = p.register(contact="<%s>" % c)
    assert c in r["Contact"]
    alice.send(alice.request("MESSAGE", p.aor).raw)
    m = p.expect("MESSAGE")
    assert m.uri == "sip:bob@" + p.hostport
    p.reply(m, 200, "OK")
    alice.expect(200)


def test_flow_of_a_phone_behind_a_nat(server, peer):
    """Contact = sent-by, but the packet comes from elsewhere with rport: requests follow the flow."""
    p, alice = peer(server, user="bob"), peer(server)
    req = p.request("REGISTER", "sip:example.com", to="<%s>" % p.aor, contact="<sip:bob@10.1.2.3:5060>",
                    headers=["Expires: 600"])
    raw = req.raw.replace(b"Via: SIP/2.0/UDP " + p.hostport.encode(), b"Via: SIP/2.0/UDP 10.1.2.3:5060")
    p.send(raw)
    r = p.expect(200)
    assert "received=127.0.0.1" in r["Via"] and "rport=%d" % p.port in r["Via"]
    alice.send(alice.request("MESSAGE", p.aor).raw)
    m = p.expect("MESSAGE")
    assert m.uri == "sip:bob@10.1.2.3:5060"
    p.reply(m, 200, "OK")
    alice.expect(200)


def test_tcp_binding_uses_the_connection_it_came_by(server, peer):
    alice, bob = peer(server), peer(server, user="bob", proto="tcp")
    s = bob.stream()
    bob.register(contact="<sip:bob@127.0.0.1:9;transport=tcp>")
    b = server.json("location", "list")["bindings"][0]
    assert b["flow_state"] == "live"
    alice.send(alice.request("MESSAGE", bob.aor).raw)
    bob.reply(bob.expect("MESSAGE"), 200, "OK")
    alice.expect(200)
    s.close()
    bob.streams.clear()
    server.wait_for(lambda: server.json("location", "list")["bindings"][0]["flow_state"] == "dead", "dead flow")
    assert alice.ask(alice.request("MESSAGE", bob.aor)).status in (480, 430)


def test_static_bindings_by_belfryctl(server, peer):
    alice, bob = peer(server), peer(server, user="bob")
    server.ctl("location", "add", "bob@example.com", bob.contact)
    b = server.json("location", "list", "sip:bob@example.com")["bindings"]
    assert len(b) == 1 and b[0]["static"] is True
    alice.send(alice.request("MESSAGE", bob.aor).raw)
    bob.reply(bob.expect("MESSAGE"), 200, "OK")
    alice.expect(200)
    server.ctl("location", "rm", "bob@example.com")
    assert server.json("location", "list")["bindings"] == []
    assert server.ctl("location", "rm", "nobody@example.com", check=False).returncode == 1


def test_retransmitted_register_is_answered_the_same(server, peer):
    p = peer(server)
    req = p.request("REGISTER", "sip:example.com", to="<%s>" % p.aor, headers=["Expires: 60"])
    p.send(req.raw)
    a = p.expect(200)
    p.send(req.raw)
    b = p.expect(200)
    assert a.to_tag == b.to_tag
