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


@pytest.mark.parametrize("fields", [["<sip:a@127.0.0.1:1>;expires=5, *"], ["<sip:a@127.0.0.1:1>;expires=5", "*"],
                                    ["*", "<sip:a@127.0.0.1:1>;expires=5"], ["*, *"]])
def test_10_3_6_star_is_looked_for_before_any_expiry(server, peer, fields):
    """A * that is not alone is 400, also when another Contact would be 423 for itself."""
    p = peer(server)
    p.register()
    p.register(contact=False, headers=["Contact: " + f for f in fields], expires=0, expect=400)
    assert p.contact in contacts(p.register(contact=False, expires=None))


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


def test_a_phone_that_listens_elsewhere_is_reached_there(server, peer):
    """RFC 3261 18.2.2: without rport, and from the address in sent-by, the Contact is the target."""
    out, phone, alice = peer(server), peer(server, user="bob"), peer(server)
    req = out.request("REGISTER", "sip:example.com", to="<%s>" % phone.aor, contact="<%s>" % phone.contact,
                      headers=["Expires: 600"], via_extra="")
    out.send(req.raw.replace(b"UDP " + out.hostport.encode(), b"UDP " + phone.hostport.encode()))
    assert phone.expect(200).values("Contact")
    req = alice.request("MESSAGE", phone.aor)
    alice.send(req.raw)
    phone.reply(phone.expect("MESSAGE"), 200, "OK")
    assert alice.final(req).status == 200
    assert server.json("location", "list")["bindings"][0]["flow_state"] == "none"


@pytest.mark.parametrize("by, named", [("udp", "tcp"), ("tcp", "udp")])
def test_a_contact_of_another_transport_is_reached_by_that(server, peer, by, named):
    """RFC 3261 10.3, RFC 3263 4.1: the transport that a Contact names is how to get there."""
    phones = {"udp": peer(server, user="bob")}
    phones["tcp"] = peer(server, user="bob", proto="tcp", port=phones["udp"].port)
    alice = peer(server)
    phones[by].register(contact="<sip:bob@%s;transport=%s>" % (phones[by].hostport, named))
    req = alice.request("MESSAGE", phones[by].aor)
    alice.send(req.raw)
    phones[named].reply(phones[named].expect("MESSAGE"), 200, "OK")
    assert alice.final(req).status == 200


@pytest.mark.parametrize("params", ["", ';+sip.instance="<urn:uuid:1>";reg-id=1'])
def test_rfc5630_a_sips_contact_never_gets_a_flow_without_tls(server, peer, params):
    phone, alice = peer(server, user="bob"), peer(server)
    phone.register(uri="sips:example.com", to="<sips:bob@example.com>",
                   contact="<sips:bob@%s>%s" % (phone.hostport, params))
    for scheme in ("sips", "sip"):
        assert alice.ask(alice.request("MESSAGE", scheme + ":bob@example.com")).status >= 400
    phone.silent(0.2)


def test_expiry_values_of_every_kind(server, peer):
    """RFC 3261 20.19, 20.10: malformed is 3600, overlarge the most there is."""
    for value, granted in (("60", 60), ("86401", 86400), ("99999999999999999999", 86400), ("-1", 3600), ("", 3600),
                           ("+120", 3600), ("1.5", 3600), ("0x10", 3600)):
        for header, contact in ((["Expires: " + value], ""), ([], ";expires=" + value)):
            p = peer(server)
            r = p.register(expires=None, headers=header, contact="<%s>%s" % (p.contact, contact))
            assert granted - 2 <= int(param(r["Contact"], "expires")) <= granted, value


CONTACT_FIELDS = (
    (["m: *", "Expires: 00"], 200), (["Contact:   *  ", "expires:\t0"], 200), (["Contact: <*>", "Expires: 0"], 400),
    (["Contact: *;expires=0", "Expires: 0"], 400), (["Contact: *", "Contact: *", "Expires: 0"], 400),
    (["Contact: <sip:a@127.0.0.1:1>", "m: *", "Expires: 0"], 400), (["Contact: *", "Expires: x"], 400), (["Contact:"], 400),
    (["Contact: <sip:a@127.0.0.1"], 400), (["Contact: bob"], 400), (["Expires: 0", "Expires: 60"], 400))


def test_contact_fields_that_are_right_and_wrong(server, peer):
    for fields, status in CONTACT_FIELDS:
        p = peer(server)
        p.register(contact="<sip:kept@127.0.0.1:1>", call_id=unique())
        p.register(contact=False, expires=None, headers=fields, call_id=unique(), expect=status)
        left = contacts(p.register(contact=False, expires=None, call_id=unique()))
        assert len(left) == (0 if status == 200 else 1), fields


SAME = (
    ("sip:a@h", "sip:a@h:5060", False), ("sip:a@h", "sip:a@H", True), ("sip:%61@h", "sip:a@h", True),
    ("sip:a@h;transport=udp", "sip:a@h", False), ("sip:a@h;x=1", "sip:a@h", True), ("sip:a@h;x=1", "sip:a@h;x=2", False),
    ("sip:a@h;a=1;b=2", "sip:a@h;b=2;a=1", True), ("sip:a@h;user=phone", "sip:a@h", False), ("sip:a@h;ttl=1", "sip:a@h", False),
    ("sip:a@h;method=INVITE", "sip:a@h", False), ("sip:a@h;maddr=192.0.2.1", "sip:a@h", False), ("sip:a@h?s=x", "sip:a@h", False),
    ("sip:a@h?a=1&b=2", "sip:a@h?b=2&a=1", True), ("sip:a:pw@h", "sip:a@h", False), ("sip:a@[::1]", "sip:a@[0:0:0:0:0:0:0:1]", True),
    ("sip:a%3bb@h", "sip:a;b@h", False))


def test_19_1_4_tells_contacts_apart(server, peer):
    for a, b, same in SAME:
        p = peer(server)
        p.register(contact="<%s>" % a)
        assert len(contacts(p.register(contact="<%s>" % b))) == (1 if same else 2), (a, b)


def test_rfc3840_parameters_come_back_as_they_were(server, peer):
    p = peer(server)
    kept = ';audio;methods="INVITE,BYE";+sip.x="<a;b>, \\"c\\"";description="\\\\"'
    r = p.register(contact='"Bob, <x>" <sip:bob@127.0.0.1:9;a=b?X=y>;q=0.25' + kept + ";Expires=120")
    assert r["Contact"].startswith("<sip:bob@127.0.0.1:9;a=b?X=y>" + kept) and ";q=0.25" in r["Contact"]


def test_rfc3327_5_3_who_requires_path_gets_it_back(server, peer):
    p, path = peer(server), "<sip:edge@127.0.0.1:1;lr>"
    assert p.register(headers=["Require: path", "Path: " + path]).values("Path") == [path]
    assert p.register(headers=["Path: " + path]).values("Path") == []


def test_path_of_several_proxies_keeps_its_order(server, peer):
    """RFC 3327 5.3, 5.4: also over several fields; gone with a REGISTER that has none."""
    phone, edge, alice = peer(server, user="bob"), peer(server), peer(server)
    p = ["<sip:%s;lr>" % edge.hostport, '"x" <sip:two.invalid;lr>;y=z', "<sip:three.invalid;lr>"]
    r = phone.register(headers=["Path: %s,%s" % (p[0], p[1]), "Path: " + p[2], "k: 100rel , PATH"])
    assert r.values("Path") == p
    alice.send(alice.request("MESSAGE", phone.aor).raw)
    m = edge.expect("MESSAGE")
    assert m.values("Route") == p
    edge.reply(m, 200, "OK")
    alice.expect(200)
    phone.register()
    alice.send(alice.request("MESSAGE", phone.aor).raw)
    phone.reply(phone.expect("MESSAGE"), 200, "OK")
    alice.expect(200)
    phone.register(headers=["Path: <tel:+1>"], expect=400)
    phone.register(headers=["Path: <sip:a"], expect=400)


INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"'


BEHIND = (
    (["Supported: outbound"], True, 2, 439), (["Supported: outbound", "Path: <sip:e.invalid;lr>"], True, 2, 439),
    (["Supported: outbound", "Path: <sip:e.invalid;lr;ob>"], True, 2, 1), (["Supported: path"], True, 2, None),
    (["Supported: outbound"], True, 1, 1), ([], True, 1, 1), (["Supported: outbound"], False, 2, None))


def test_rfc5626_6_reg_id_behind_other_proxies(server, peer):
    for fields, reg_id, vias, want in BEHIND:
        p = peer(server)
        via = ["Via: SIP/2.0/UDP 127.0.0.9;branch=z9hG4bKx"] * (vias - 1)
        c = "<%s>;%s%s" % (p.contact, INSTANCE, ";reg-id=1" if reg_id else "")
        p.register(contact=c, headers=via + fields, expect=439 if want == 439 else 200)
        got = [b["reg_id"] for b in server.json("location", "list", p.aor)["bindings"]]
        assert got == ([] if want == 439 else [want]), fields


def test_rfc5626_6_reg_id_and_several_contacts(server, peer):
    p = peer(server)
    two = "<sip:a@127.0.0.1:1>;reg-id=1;%s, <sip:b@127.0.0.1:2>" % INSTANCE
    p.register(contact=two, expect=400)
    assert len(contacts(p.register(contact=two + ";expires=0"))) == 1


def test_replace_instance_can_be_off(make_server, workers, peer):
    server = make_server(workers=workers, registrar="replace_instance = false; min_expires = 0; expires_jitter = 50;")
    p = peer(server)
    p.register(contact="<sip:a@127.0.0.1:1111>;" + INSTANCE)
    r = p.register(contact="<sip:a@127.0.0.1:2222>;" + INSTANCE, call_id=unique())
    assert len(contacts(r)) == 2
    granted = {param(p.register(expires=1000)["Contact"], "expires") for _ in range(20)}
    assert len(granted) > 5 and all(500 <= int(g) <= 1000 for g in granted)
    p.register(expires=1, contact="<%s>" % p.contact, call_id=unique())
    server.wait_for(lambda: p.contact not in {b["contact"] for b in server.json("location", "list")["bindings"]}, "expiry")


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


def test_rfc5954_a_domain_that_is_an_ipv6_reference(make_server, workers, peer):
    server = make_server(workers=workers, v6=True, domains=("[2001:DB8::10]",))
    phone, alice = peer(server, user="bob", domain="[2001:db8::10]"), peer(server)
    phone.register()
    phone.register(uri="sip:[2001:db8:0::10]", to="<sip:bob@[2001:DB8::0:10]>")
    assert [b["aor"] for b in server.json("location", "list")["bindings"]] == ["sip:bob@[2001:db8::10]"]
    req = alice.request("MESSAGE", "sip:bob@[2001:0db8::0.0.0.16]")
    alice.send(req.raw)
    phone.reply(phone.expect("MESSAGE"), 200, "OK")
    assert alice.final(req).status == 200
