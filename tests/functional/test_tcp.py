# SPDX-License-Identifier: Apache-2.0
"""Streams: framing, reuse, limits (RFC 3261 18, RFC 5626 3.5.1)."""
import socket

import pytest
from siplib import WAIT_S, Msg, unique


@pytest.fixture
def tcp(server, peer):
    return peer(server, proto="tcp")


def options(p, **kw):
    return p.request("OPTIONS", "sip:example.com", **kw)


def test_a_message_in_single_bytes(server, tcp):
    req = options(tcp)
    s = tcp.stream()
    for i in range(len(req.raw)):
        s.sock.send(req.raw[i:i + 1])
    assert tcp.final(req).status == 200


def test_many_messages_in_one_segment(server, tcp):
    reqs = [options(tcp, body=b"x" * i) for i in range(20)]
    tcp.send(b"".join(r.raw for r in reqs))
    seen = {tcp.expect(200)["Call-ID"] for _ in reqs}
    assert seen == {r["Call-ID"] for r in reqs}


def test_double_crlf_gets_one_crlf_also_between_messages(server, tcp):
    tcp.send(b"\r\n\r\n")
    assert tcp.recv_raw() == b"\r\n"
    tcp.send(options(tcp).raw + b"\r\n\r\n" + options(tcp).raw)
    got = [tcp.recv_raw() for _ in range(3)]
    assert got.count(b"\r\n") == 1 and sum(g.startswith(b"SIP/2.0 200") for g in got) == 2


def test_missing_content_length_is_400_and_closes(server, tcp):
    req = options(tcp)
    tcp.send(req.raw.replace(b"Content-Length: 0\r\n", b""))
    assert tcp.expect(400)
    assert wait_closed(tcp)


def test_too_large_is_513(server, tcp):
    req = options(tcp)
    tcp.send(req.raw.replace(b"Content-Length: 0", b"Content-Length: 70000"))
    assert tcp.expect(513)
    assert wait_closed(tcp)


def test_garbage_closes(server, tcp):
    tcp.send(b"\x16\x03\x01\x00\x00 this is no SIP at all\r\n\r\n")
    assert wait_closed(tcp)


def test_bad_content_length_is_400_and_closes(server, tcp):
    tcp.send(options(tcp).raw.replace(b"Content-Length: 0", b"Content-Length: -5"))
    assert tcp.expect(400)
    assert wait_closed(tcp)


def wait_closed(p, timeout=WAIT_S):
    import time
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if all(s.closed for s in p.streams):
            return True
        p._pump(end - time.monotonic())
    return False


def test_a_slow_message_ends_after_message_timeout(make_server, workers, peer):
    server = make_server(workers=workers, server="message_timeout = 1;")
    p = peer(server, proto="tcp")
    p.send(b"OPTIONS sip:example.com SIP/2.0\r\nVia: ")
    assert wait_closed(p)


def test_an_idle_connection_is_closed(make_server, workers, peer):
    server = make_server(workers=workers, server="idle_timeout = 1;")
    p = peer(server, proto="tcp")
    assert p.ask(options(p)).status == 200
    assert wait_closed(p)


def test_max_connections(make_server, workers, peer):
    server = make_server(workers=workers, server="max_connections = 3;")
    ps = [peer(server, proto="tcp") for _ in range(4)]
    for p in ps[:3]:
        assert p.ask(options(p)).status == 200
    ps[3].connect()
    try:
        ps[3].send(options(ps[3]).raw)
    except OSError:
        pass
    assert wait_closed(ps[3])
    ps[0].streams[0].close()
    ps[0].streams.clear()
    server.wait_for(lambda: server.json("status")["connections"] < 3, "a free place")
    assert ps[0].ask(options(ps[0])).status == 200


def test_connections_are_listed(server, tcp):
    assert tcp.ask(options(tcp)).status == 200
    cs = server.json("connections")["connections"]
    assert len(cs) == 1
    port = tcp.streams[0].sock.getsockname()[1]
    assert any(str(port) in str(v) for v in cs[0].values())


def test_response_to_a_lost_connection_goes_to_the_sent_by_port(server, peer):
    """RFC 3261 18.2.2: reopen to received and the sent-by port."""
    alice, bob = peer(server, proto="tcp"), peer(server, user="bob")
    bob.register()
    inv = alice.request("INVITE", bob.aor, via_extra="")
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    bob.reply(got, 180, "Ringing")
    alice.expect(180)
    alice.streams[0].close()
    alice.streams.clear()
    server.wait_for(lambda: server.json("status")["connections"] == 0, "closed")
    bob.reply(got, 486, "Busy")
    r = alice.expect(486)
    alice.ack(inv, r)
    bob.expect("ACK")


def ringing_without_connection(server, peer):
    """A call that rings at a phone to which the server's connection has been lost."""
    alice, bob = peer(server), peer(server, user="bob", proto="tcp")
    inv = alice.request("INVITE", bob.contact)
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    bob.reply(got, 180, "Ringing")
    alice.expect(180)
    bob.streams.pop().close()
    server.wait_for(lambda: server.json("status")["connections"] == 0, "closed")
    return alice, bob, inv, got


def test_rfc3261_9_1_cancel_opens_a_connection_when_that_of_its_invite_is_gone(server, peer):
    alice, bob, inv, got = ringing_without_connection(server, peer)
    alice.send(alice.request("CANCEL", inv.uri, from_=inv["From"], call_id=inv["Call-ID"], branch=inv.branch,
                             contact=None).raw)
    alice.expect(200)
    bob.reply(bob.expect("CANCEL"), 200, "OK")
    bob.reply(got, 487, "Request Terminated")
    alice.ack(inv, alice.expect(487))
    assert bob.expect("ACK").branch == got.branch


def test_rfc3261_17_1_1_3_ack_opens_a_connection_when_that_of_its_invite_is_gone(server, peer):
    alice, bob, inv, got = ringing_without_connection(server, peer)
    other = bob.connect()
    other.sock.sendall(bob.reply(got, 486, "Busy Here", send=False).raw)
    alice.ack(inv, alice.expect(486))
    other.close()
    bob.streams.remove(other)
    assert bob.expect("ACK").branch == got.branch


def test_refused_connection_fails_the_branch_at_once(server, peer):
    alice, bob = peer(server), peer(server, user="bob", proto="tcp")
    server.ctl("location", "add", "bob@example.com", bob.contact)
    bob.close()
    r = alice.ask(alice.request("MESSAGE", bob.aor))
    assert r.status in (480, 500)


def test_large_request_to_a_udp_contact_goes_by_tcp_first(server, peer):
    """RFC 3261 18.1.1 with proxy.mtu."""
    tcp = peer(server, user="bob", proto="tcp")
    server.ctl("location", "add", "bob@example.com", "sip:bob@" + tcp.hostport)
    alice = peer(server)
    req = alice.request("MESSAGE", tcp.aor, body=b"x" * 1400)
    alice.send(req.raw)
    m = tcp.expect("MESSAGE")
    assert m.values("Via")[0].startswith("SIP/2.0/TCP") and m.body == req.body
    tcp.reply(m, 200, "OK")
    assert alice.final(req).status == 200


def test_large_request_falls_back_to_udp_when_tcp_is_refused(server, peer):
    bob, alice = peer(server, user="bob"), peer(server)
    server.ctl("location", "add", "bob@example.com", bob.contact)
    req = alice.request("MESSAGE", bob.aor, body=b"x" * 1400)
    alice.send(req.raw)
    m = bob.expect("MESSAGE")
    assert m.values("Via")[0].startswith("SIP/2.0/UDP")
    bob.reply(m, 200, "OK")
    assert alice.final(req).status == 200


def test_ipv6_udp_and_tcp(server, peer):
    for proto in ("udp", "tcp"):
        p = peer(server, ip="::1", proto=proto)
        assert p.ask(options(p)).status == 200


def test_call_from_ipv6_to_ipv4(server, peer):
    alice, bob = peer(server, ip="::1", user="alice"), peer(server, user="bob")
    alice.register()
    bob.register()
    inv = alice.request("INVITE", bob.aor)
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    assert len(got.values("Record-Route")) == 2
    sent = bob.reply(got, 200, "OK")
    ok = alice.expect(200)
    alice.ack(inv, ok)
    bob.expect("ACK")
    bye = bob.in_dialog_uas("BYE", got, sent)
    bob.send(bye.raw)
    alice.reply(alice.expect("BYE"), 200, "OK")
    assert bob.final(bye).status == 200


def test_udp_keepalives_get_no_answer(server, peer):
    p = peer(server)
    for data in (b"\r\n\r\n", b"\r\n", b"\0\0\0\0", b"\0"):
        p.send(data)
    assert p.ask(options(p)).status == 200


def test_wildcard_listener_answers_from_the_address_that_was_asked(make_server, workers):
    server = make_server(workers=workers, ip="0.0.0.0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.settimeout(WAIT_S)
        s.sendto(b"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKw\r\n"
                 b"From: <sip:a@b>;tag=1\r\nTo: <sip:example.com>\r\nCall-ID: w\r\nCSeq: 1 OPTIONS\r\n"
                 b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n" % s.getsockname()[1], ("127.0.0.7", server.port))
        data, source = s.recvfrom(4000)
        assert source == ("127.0.0.7", server.port) and data.startswith(b"SIP/2.0 200")


def test_a_registered_flow_is_not_closed_for_idleness(make_server, workers, peer):
    """server.idle_timeout is for connections without a registered flow or a transaction."""
    server = make_server(workers=workers, server="idle_timeout = 1;")
    bob, idle = peer(server, user="bob", proto="tcp"), peer(server, proto="tcp")
    bob.register()
    assert idle.ask(options(idle)).status == 200
    assert wait_closed(idle)  # it came later, and goes
    alice = peer(server)
    req = alice.request("MESSAGE", bob.aor)
    alice.send(req.raw)
    bob.reply(bob.expect("MESSAGE"), 200, "OK")
    assert alice.final(req).status == 200
    assert len(bob.streams) == 1 and not bob.streams[0].closed


def test_a_flow_that_is_no_longer_registered_is_an_idle_one(make_server, workers, peer):
    """It ends with the last binding that uses it, not when that would have expired."""
    server = make_server(workers=workers, server="idle_timeout = 1;")
    edge, later = peer(server, user="bob", proto="tcp"), peer(server, proto="tcp")
    aors = ["<sip:u%d@example.com>" % i for i in range(8)]  # one connection, AORs of every worker
    for aor in aors + aors[:4]:
        edge.register(to=aor)
    for aor in aors[:-1]:
        edge.register(to=aor, expires=0)
    assert later.ask(options(later)).status == 200
    assert wait_closed(later) and not edge.streams[0].closed
    edge.register(to=aors[-1], expires=0)
    assert wait_closed(edge)
    # Moved to another connection: the first one goes, the second stays.
    edge.streams.clear()
    edge.register(call_id=unique())
    old = edge.streams.pop()
    edge.register(call_id=unique())
    edge.streams.append(old)
    server.wait_for(lambda: (edge._pump(0.05), old.closed)[1], "the end of the old connection")
    assert not edge.streams[0].closed
