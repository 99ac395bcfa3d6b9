import re, select, socket, time
import pytest
from conftest import free_port
from siplib import Msg, unique, uri_of, Peer, via_param, param
from test_proxy import bind, refused, end

def test_trusted_404_480(make_server, workers, peer):
    server = make_server(workers=workers, relay="users", proxy='trusted = ( "127.0.0.1" );', auth='register = true; calls = "local";')
    server.ctl("user", "add", "alice@example.com")
    a, st = peer(server), peer(server, ip="127.0.0.9")
    assert a.ask(a.request("MESSAGE", "sip:nobody@example.com")).status == 404
    assert a.ask(a.request("MESSAGE", "sip:alice@example.com")).status == 480
    fr = "<sip:x@foreign.example>"
    for m in ("MESSAGE", "OPTIONS", "SUBSCRIBE", "INVITE", "BYE", "FOO"):
        for u in ("nobody", "alice"):
            req = st.request(m, "sip:%s@example.com" % u, from_=fr); r = st.ask(req)
            assert r.status == 480, (m, u, r.status)
            if m == "INVITE": st.ack(req, r)
    # relay
    there = peer(server)
    r = st.ask(st.request("MESSAGE", "sip:x@" + there.hostport, from_=fr)); assert r.status == 403
    st.send(st.request("ACK", "sip:x@" + there.hostport, from_=fr, to_tag="x").raw)
    there.silent(0.1)
    r = st.ask(st.request("MESSAGE", "sip:alice@example.com", from_=fr, headers=["Route: <sip:%s;lr>" % there.hostport])); assert r.status == 403
    r = st.ask(st.request("MESSAGE", "sip:alice@example.com;maddr=127.0.0.1", from_=fr)); print(r.start)
    r = st.ask(st.request("MESSAGE", "sip:alice@example.com;maddr=127.0.0.77", from_=fr)); assert r.status == 403

def test_rr_false_tcp_flow(make_server, workers, peer):
    server = make_server(workers=workers, proxy="record_route = false;")
    alice, bob = peer(server, proto="tcp"), peer(server, proto="tcp", user="bob")
    bob.register()
    inv = alice.request("INVITE", "sip:bob@example.com"); alice.send(inv.raw)
    got = bob.expect("INVITE"); print(got.values("Record-Route"))
    assert len(got.values("Record-Route")) >= 1
    bob.reply(got, 486); bob.expect("ACK"); end(alice, inv)
    # UDP both but bob behind NAT (flow)
    a, b = peer(server), peer(server, user="nat")
    b.register(contact="<sip:nat@10.1.1.1:5060>", via_extra=";rport")
    # responses via
    
def test_maxbreadth_bad(server, peer):
    a = peer(server)
    for v in ("x", "-1", "1.5"):
        r = a.ask(a.request("MESSAGE", "sip:bob@example.com", headers=["Max-Breadth: " + v])); assert r.status == 400 and "Max-Breadth" in r.reason

def test_early_100_and_only_once(server, peer):
    alice, bob = peer(server, proto="tcp"), peer(server)
    bind(server, "bob", bob)
    inv = alice.request("INVITE", "sip:bob@example.com"); t = time.monotonic(); alice.send(inv.raw)
    r = alice.recv(); assert r.status == 100 and time.monotonic() - t < 0.2
    got = bob.expect("INVITE"); bob.reply(got, 100); alice.silent(0.3)
    alice.send(inv.raw); r = alice.recv(); assert r.status == 100
    bob.reply(got, 486); bob.expect("ACK"); end(alice, inv)

def test_pipelined(server, peer):
    alice, bob = peer(server, proto="tcp"), peer(server)
    bind(server, "bob", bob)
    inv = alice.request("INVITE", "sip:bob@example.com")
    c = alice.request("CANCEL", inv.uri, to=inv["To"], from_=inv["From"], call_id=inv["Call-ID"], branch=inv.branch, contact=None)
    alice.send(inv.raw + c.raw)
    got = bob.expect("INVITE")
    r = alice.expect(200); assert r.method == "CANCEL"
    bob.reply(got, 180); cc = bob.expect("CANCEL"); bob.reply(cc, 200); refused(bob, got, alice, 487)
    r = alice.final(inv)
    while r.method != "INVITE": r = alice.final(inv)
    assert r.status == 487; alice.ack(inv, r)

def test_udp_cancel_race(server, peer):
    """INVITE and CANCEL back to back from different sockets"""
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    for i in range(20):
        inv = alice.request("INVITE", "sip:bob@example.com")
        c = alice.request("CANCEL", inv.uri, to=inv["To"], from_=inv["From"], call_id=inv["Call-ID"], branch=inv.branch, contact=None)
        alice.send(inv.raw); alice.send(c.raw)
        got = bob.expect("INVITE")
        assert alice.expect(200).method == "CANCEL"
        bob.reply(got, 180); alice.expect(180)
        bob.reply(bob.expect("CANCEL"), 200); bob.reply(got, 487); bob.expect("ACK")
        alice.ack(inv, alice.expect(487))

def test_subscribe_notify_dialog(server, peer):
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    sub = alice.request("SUBSCRIBE", "sip:bob@example.com", headers=["Event: x"]); alice.send(sub.raw)
    got = bob.expect("SUBSCRIBE")
    sent = bob.reply(got, 202)
    n = bob.in_dialog_uas("NOTIFY", got, sent, headers=["Event: x", "Subscription-State: active"]); bob.send(n.raw)
    ok = alice.expect(202)
    m = alice.expect("NOTIFY"); alice.reply(m, 200); assert bob.final(n).status == 200
    re_ = alice.in_dialog("SUBSCRIBE", sub, ok, headers=["Event: x"]); alice.send(re_.raw)
    g = bob.expect("SUBSCRIBE"); bob.reply(g, 200); assert alice.final(re_).status == 200

def test_fork_udp_tcp(server, peer):
    alice, b1, b2 = peer(server), peer(server), peer(server, proto="tcp")
    bind(server, "bob", b1, b2)
    for i in range(5):
        inv = alice.request("INVITE", "sip:bob@example.com"); alice.send(inv.raw)
        i1, i2 = b1.expect("INVITE"), b2.expect("INVITE")
        b1.reply(i1, 180); alice.expect(180); b2.reply(i2, 180); alice.expect(180)
        b2.reply(i2, 200); ok = alice.expect(200)
        b1.reply(b1.expect("CANCEL"), 200); b1.reply(i1, 487); b1.expect("ACK")
        alice.ack(inv, ok); b2.expect("ACK")
        bye = alice.in_dialog("BYE", inv, ok); alice.send(bye.raw); g = b2.expect("BYE"); b2.reply(g, 200); assert alice.final(bye).status == 200

def test_drain(make_server, workers, peer):
    import signal
    server = make_server(workers=workers, server="drain_timeout = 5;".replace("drain_timeout = 5;", ""))
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    inv = alice.request("INVITE", "sip:bob@example.com"); alice.send(inv.raw)
    got = bob.expect("INVITE"); bob.reply(got, 180); alice.expect(180)
    server.ctl("drain")
    server.wait_for(lambda: server.json("status")["draining"], "draining")
    i2 = alice.request("INVITE", "sip:bob@example.com"); r = alice.ask(i2); assert r.status == 503 and "Retry-After" in r; alice.ack(i2, r)
    m = alice.request("MESSAGE", "sip:bob@example.com"); alice.send(m.raw); g = bob.expect("MESSAGE"); bob.reply(g, 200); assert alice.final(m).status == 200
    bob.reply(got, 200); ok = alice.expect(200); alice.ack(inv, ok); bob.expect("ACK")
    server.process.wait(6)
    assert server.process.returncode == 0

def test_lost_2xx_ack_over_time(make_server, workers, peer):
    """2xx retransmitted by UAS beyond, stops after timer M"""
    server = make_server(workers=workers, timers="t1 = 10; t2 = 40; t4 = 50;")
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    inv = alice.request("INVITE", "sip:bob@example.com"); alice.send(inv.raw)
    got = bob.expect("INVITE"); bob.reply(got, 200); alice.expect(200)
    time.sleep(0.4); bob.reply(got, 200); alice.expect(200)
    time.sleep(0.5); bob.reply(got, 200); alice.silent(0.2)

def test_reply_with_one_via_only(server, peer):
    alice, bob = peer(server), peer(server)
    bind(server, "bob", bob)
    inv = alice.request("INVITE", "sip:bob@example.com"); alice.send(inv.raw)
    got = bob.expect("INVITE"); alice.expect(100)
    raw = bob.reply(got, 486, send=False).raw
    head = [l for l in raw.split(b"\r\n") if not (l.startswith(b"Via") and inv.branch.encode() in l)]
    bob.answer(got, b"\r\n".join(head)); 
    r = alice.recv(1); print(r and r.start)

def test_content_length_added(server, peer):
    alice, tcp = peer(server), peer(server, proto="tcp")
    bind(server, "t", tcp)
    req = alice.request("MESSAGE", "sip:t@example.com", body=b"hello"); alice.send(req.raw.replace(b"Content-Length: 5\r\n", b""))
    got = tcp.expect("MESSAGE"); assert got["Content-Length"] == "5" and got.body == b"hello"
    # response without Content-Length UDP -> TCP
    bob = peer(server); bind(server, "bob", bob)
    req = tcp.request("MESSAGE", "sip:bob@example.com"); tcp.send(req.raw)
    got = bob.expect("MESSAGE"); raw = bob.reply(got, 200, body=b"abc", send=False).raw.replace(b"Content-Length: 3\r\n", b""); bob.answer(got, raw)
    r = tcp.expect(200); assert r["Content-Length"] == "3" and r.body == b"abc"
