# SPDX-License-Identifier: Apache-2.0
"""`belfryctl dns`: the records behind a URI, and the targets in the order they are tried (RFC 3263)."""
import pytest

from nameserver import NameServer

@pytest.fixture
def server(make_server):
    ns = NameServer({
        ("one.example", "NAPTR"): [(300, "10 20 s SIP+D2T _sip._tcp.one.example"),
                                   (300, "20 20 s SIP+D2U _sip._udp.one.example")],
        ("_sip._tcp.one.example", "SRV"): [(60, "10 5 5070 a.one.example"), (60, "20 5 5070 b.one.example")],
        ("a.one.example", "A"): [(30, "127.0.0.11")],
        ("b.one.example", "A"): [(90, "127.0.0.12")],
        ("empty.example", "SRV"): [],
    })
    server = make_server(workers=2, extra='dns: { nameservers = ( "127.0.0.1@%d" ); timeout = 2; };' % ns.port)
    yield server
    ns.close()


def test_records_and_targets_are_told_in_order(server):
    got = server.json("dns", "sip:bob@one.example")
    assert [(t["order"], t["transport"], t["address"], t["ttl"], t["failed"]) for t in got["targets"]] == [
        (1, "tcp", "127.0.0.11:5070", 30, False), (2, "tcp", "127.0.0.12:5070", 60, False)]
    rows = [(r["name"], r["type"], r["data"]) for r in got["records"]]
    assert rows[0] == ("one.example", "NAPTR", '10 20 "s" "SIP+D2T" "" _sip._tcp.one.example.')
    assert ("_sip._tcp.one.example", "SRV", "20 5 5070 b.one.example.") in rows
    assert ("a.one.example", "A", "127.0.0.11") in rows
    assert [r["ttl"] for r in got["records"] if r["type"] == "SRV"] == [60, 60]
    out = server.ctl("dns", "sip:bob@one.example").stdout
    assert out.index("NAPTR") < out.index("SRV") < out.index("ORDER") < out.index("127.0.0.12:5070")


def test_a_target_that_failed_is_told_and_tried_last(server, peer):
    alice = peer(server, user="alice")
    req = alice.request("MESSAGE", "sip:bob@one.example")
    alice.send(req.raw)  # nobody listens at either address
    assert alice.final(req).status in (500, 503, 408)
    got = server.json("dns", "sip:bob@one.example")["targets"]
    assert [t["failed"] for t in got] == [True, True]


def test_what_was_asked_is_told_when_nothing_is_found(server):
    r = server.ctl("dns", "sip:bob@nowhere.example", check=False)
    assert r.returncode == 1 and "there is no such name" in r.stderr
    assert "NAPTR nowhere.example: no such name" in r.stderr and "SRV _sip._udp.nowhere.example" in r.stderr
    r = server.ctl("dns", "sip:bob@empty.example", check=False)
    assert r.returncode == 1 and "NAPTR empty.example: none" in r.stderr and "A empty.example: none" in r.stderr


def test_explain_tells_the_next_hops_of_a_name(server):
    got = [d["text"] for d in server.json("explain", "MESSAGE", "sip:bob@one.example")["decisions"]]
    assert "sent by TCP to 127.0.0.11:5070" in got and "if that fails, by TCP to 127.0.0.12:5070" in got
    got = [d["text"] for d in server.json("explain", "MESSAGE", "sip:bob@nowhere.example")["decisions"]]
    assert "DNS knows no host of sip:bob@nowhere.example" in got
