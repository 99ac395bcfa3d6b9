# SPDX-License-Identifier: Apache-2.0
"""Where a response goes when the connection of its request is gone (RFC 3261 18.2.2, RFC 3263 5)."""
import pytest

from nameserver import NameServer
from ports import free_port


@pytest.fixture
def net(make_server, workers):
    ns = NameServer({})
    server = make_server(workers=workers, extra=(
        'dns: { nameservers = ( "127.0.0.1@%d" ); timeout = 2; };' % ns.port))
    server.ns = ns
    yield server
    ns.close()


@pytest.fixture
def bob(net, peer):
    p = peer(net, user="bob")
    p.register()
    return p


def invite_and_close(alice, bob, sent_by=None, reset=False, method="INVITE"):
    """A request over a connection that is then closed for good: by FIN, or by RST (something was left unread). The
    server has noticed: what is written before that is lost."""
    req = alice.request(method, bob.aor)
    if sent_by:
        req = type(req)(req.raw.replace(b"SIP/2.0/TCP " + alice.hostport.encode(), b"SIP/2.0/TCP " + sent_by.encode()))
    alice.send(req.raw)
    got = bob.expect(method)
    if method == "INVITE" and not reset:
        assert alice.expect(100)
    alice.streams[0].close()
    alice.streams.clear()
    alice.server.wait_for(lambda: "event=connection.half_closed" in alice.server.log() or
                          "event=connection.close" in alice.server.log(), "the end of the connection")
    return req, got


@pytest.mark.parametrize("reset", (False, True), ids=("fin", "rst"))
def test_rfc3261_18_2_2_a_phone_that_hung_up_is_reached_at_its_sent_by_port(net, peer, bob, reset):
    """Its answers come right after the end of the connection, when the server may know of FIN alone."""
    alice = peer(net, proto="tcp")
    inv, got = invite_and_close(alice, bob, reset=reset)
    bob.reply(got, 180, "Ringing")
    assert alice.expect(180).branch == inv.branch
    bob.reply(got, 486, "Busy")
    r = alice.expect(486)
    alice.ack(inv, r)
    bob.expect("ACK")
    assert net.stat("belfry_undelivered_responses_total") == 0 and not net.ns.asked


def test_rfc3263_5_a_name_with_port_leads_to_another_host(net, peer, bob):
    alice, spare = peer(net, proto="tcp"), peer(net, proto="tcp", ip="127.0.0.31")
    net.ns.records[("phone.example.net", "A")] = [(60, "127.0.0.30"), (60, "127.0.0.31")]
    inv, got = invite_and_close(alice, bob, "phone.example.net:%d" % spare.port)
    bob.reply(got, 180, "Ringing")
    bob.reply(got, 486, "Busy")
    assert spare.expect(180).branch == inv.branch
    assert spare.expect(486).values("Via")[0].startswith("SIP/2.0/TCP phone.example.net:%d;" % spare.port)
    assert ("_sip._tcp.phone.example.net", 33) not in net.ns.asked


def test_rfc3263_5_a_name_without_port_is_asked_for_srv(net, peer, bob):
    alice, spare = peer(net, proto="tcp", ip="127.0.0.35"), peer(net, proto="tcp", ip="127.0.0.32")
    net.ns.records.update({
        ("_sip._tcp.phone.example.net", "SRV"): [(60, "10 5 %d gone.example.net" % free_port()),
                                                 (60, "20 5 %d spare.example.net" % spare.port)],
        ("gone.example.net", "A"): [(60, "127.0.0.33")],
        ("spare.example.net", "A"): [(60, "127.0.0.32")],
    })
    req, got = invite_and_close(alice, bob, "phone.example.net", method="MESSAGE")
    bob.reply(got, 200, "OK")
    assert spare.expect(200)["Call-ID"] == req["Call-ID"]


@pytest.mark.parametrize("known", (True, False))
def test_rfc6026_7_1_nobody_there_and_the_transaction_goes_on(net, peer, bob, known):
    alice, port = peer(net, proto="tcp"), free_port()
    if known:
        net.ns.records[("phone.example.net", "A")] = [(60, "127.0.0.33")]
    _, got = invite_and_close(alice, bob, "phone.example.net:%d" % port)
    bob.reply(got, 180, "Ringing")
    net.wait_for(lambda: net.stat("belfry_undelivered_responses_total") == 1, "the first is given up")
    bob.reply(got, 486, "Busy")
    bob.expect("ACK")
    net.wait_for(lambda: net.stat("belfry_undelivered_responses_total") == 2, "and the second")
    assert bob.ask(bob.request("OPTIONS", "sip:example.com")).status == 200


def test_a_numeric_sent_by_is_not_looked_up(net, peer, bob):
    alice, other = peer(net, proto="tcp"), peer(net, proto="tcp", ip="127.0.0.34")
    _, got = invite_and_close(alice, bob, other.hostport, method="MESSAGE")
    bob.reply(got, 200, "OK")
    net.wait_for(lambda: net.stat("belfry_undelivered_responses_total") == 1, "given up")
    other.silent(0.01)
