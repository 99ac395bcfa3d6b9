# SPDX-License-Identifier: Apache-2.0
"""RFC 3263 with a name server and several next hops: failover, what is remembered of it, and what callers are
told when there is no next hop."""
import select
import time

import pytest

from nameserver import NameServer
from siplib import WAIT_S


class Hops:
    """Two peers behind one name by SRV, the first with the better priority."""

    def __init__(self, net, name, protos=("udp", "udp")):
        self.uri = "sip:x@" + name
        self.peers = [net.peer(net.server, proto=t, ip="127.0.0.%d" % (21 + i)) for i, t in enumerate(protos)]
        for i, p in enumerate(self.peers):
            net.add("_sip._%s.%s" % (p.proto, name), "SRV", "%d 5 %d h%d.%s" % (10 * i + 10, p.port, i, name))
            net.add("h%d.%s" % (i, name), "A", p.ip)

    def ask(self, caller, *acts, method="MESSAGE"):
        """Sends a request; each peer does its act: a status with headers, or None (silence). Returns who saw it, in
        order, and the final response."""
        req = caller.request(method, self.uri)
        caller.send(req.raw)
        seen, branches, end = [], set(), time.monotonic() + WAIT_S
        while time.monotonic() < end:
            select.select([p.sock for p in self.peers if p.sock.fileno() >= 0] + [caller.sock], [], [], 1)
            for i, p in enumerate(self.peers):
                m = p.recv(0.001) if p.sock.fileno() >= 0 else None
                if m is None or m.is_response or m.method == "ACK":
                    continue
                if m.branch not in branches:  # no retransmission
                    seen.append(i)
                    branches.add(m.branch)
                if acts[i] is not None:
                    p.reply(m, acts[i][0], headers=acts[i][1:])
            r = caller.recv(0.001)
            if r is not None and r.status >= 200:
                if method == "INVITE":
                    caller.ack(req, r)
                return seen, r.status
        raise AssertionError("no final response; seen by %s" % seen)


class Net:
    def __init__(self, make_server, workers, peer, failure_ttl=30, **kw):
        self.peer, self.ns = peer, NameServer({})
        self.server = make_server(workers=workers, extra=(
            'dns: { nameservers = ( "127.0.0.1@%d" ); timeout = 2; failure_ttl = %d; };' % (self.ns.port, failure_ttl)), **kw)
        self.alice = peer(self.server, user="alice")

    def add(self, name, type_, data):
        self.ns.records.setdefault((name, type_), []).append((60, data))

    def silence(self, name):
        self.ns.silent |= {p + name for p in ("", "_sip._udp.", "_sip._tcp.", "_sips._tcp.")}


@pytest.fixture
def make_net(make_server, workers, peer):
    made = []

    def make(**kw):
        made.append(Net(make_server, workers, peer, **kw))
        return made[-1]
    yield make
    for n in made:
        n.ns.close()


@pytest.fixture
def net(make_net):
    return make_net()


def test_4_3_a_503_goes_to_the_next_target_and_is_remembered(make_net):
    net = make_net(failure_ttl=3)
    hops = Hops(net, "one.example")
    assert hops.ask(net.alice, (503,), (200,)) == ([0, 1], 200)
    assert hops.ask(net.alice, (200,), (200,)) == ([1], 200)
    assert [t["failed"] for t in net.server.json("dns", hops.uri)["targets"]] == [False, True]
    # After failure_ttl the next request is its probe; failing marks it for twice as long.
    net.server.wait_for(lambda: hops.ask(net.alice, (503,), (200,)) == ([0, 1], 200), "a probe")
    since = time.monotonic()
    net.server.wait_for(lambda: hops.ask(net.alice, (200,), (200,)) == ([0], 200), "the next probe")
    assert time.monotonic() - since > 4


@pytest.mark.parametrize("method", ["MESSAGE", "INVITE"])
def test_4_3_silence_is_a_failure_too(make_net, method):
    net = make_net(timers="b = 2000; f = 2000; t1 = 100;")
    hops = Hops(net, "one.example")
    assert hops.ask(net.alice, None, (200,), method=method) == ([0, 1], 200)
    assert hops.ask(net.alice, (200,), (200,), method=method) == ([1], 200)


@pytest.mark.parametrize("protos", [("udp", "udp"), ("tcp", "tcp")])
def test_4_3_a_refusal_goes_to_the_next_target_at_once(net, protos):
    hops = Hops(net, "one.example", protos)
    hops.peers[0].close()
    assert hops.ask(net.alice, None, (200,)) == ([1], 200)  # Timer F would take 32 s


def test_a_final_answer_is_no_failure(net):
    hops = Hops(net, "one.example")
    for status in (404, 486, 500, 603):
        assert hops.ask(net.alice, (status,), (200,), method="INVITE") == ([0], status)


def test_a_call_never_fails_because_every_target_is_marked(net):
    hops = Hops(net, "one.example")
    assert hops.ask(net.alice, (503,), (503,)) == ([0, 1], 500)
    for _ in range(3):
        assert hops.ask(net.alice, (200,), (200,)) == ([0], 200)


def test_retry_after_marks_for_its_time(make_net):
    net = make_net(failure_ttl=1)
    hops = Hops(net, "one.example")
    assert hops.ask(net.alice, (503, "Retry-After: 10"), (200,)) == ([0, 1], 200)
    end = time.monotonic() + 1.3  # past failure_ttl
    while time.monotonic() < end:
        assert hops.ask(net.alice, (200,), (200,)) == ([1], 200)


def test_a_mark_is_of_the_address_never_of_the_name(net):
    hops = Hops(net, "one.example")
    net.add("other.example", "A", hops.peers[0].ip)
    net.add("_sip._udp.other.example", "SRV", "1 1 %d h0.one.example" % hops.peers[0].port)
    assert hops.ask(net.alice, (503,), (200,)) == ([0, 1], 200)
    assert [t["failed"] for t in net.server.json("dns", "sip:other.example")["targets"]] == [True]


def test_cancel_and_ack_follow_their_invite(net):
    hops = Hops(net, "one.example")
    first, second = hops.peers
    req = net.alice.request("INVITE", hops.uri)
    net.alice.send(req.raw)
    first.reply(first.expect("INVITE"), 503)
    first.expect("ACK")
    got = second.expect("INVITE")
    second.reply(got, 180)
    net.alice.expect(180)
    net.alice.send(net.alice.request("CANCEL", req.uri, to=req["To"], from_=req["From"], call_id=req["Call-ID"],
                                     branch=req.branch, contact=None).raw)
    c = second.expect("CANCEL")
    assert c.branch == got.branch
    second.reply(c, 200)
    second.reply(got, 487)
    assert second.expect("ACK").branch == got.branch
    net.alice.ack(req, net.alice.expect(487, skip=(200,)))
    first.silent(0.05)


def test_weights_share_the_load_out(net):
    """RFC 2782: 3 to 1."""
    hops = Hops(net, "one.example")
    net.ns.records[("_sip._udp.w.example", "SRV")] = [(60, "1 %d %d h%d.one.example" % (w, p.port, i))
                                                      for i, (w, p) in enumerate(zip((30, 10), hops.peers))]
    hops.uri = "sip:x@w.example"
    seen = [hops.ask(net.alice, (200,), (200,))[0][0] for _ in range(120)]
    assert 60 < seen.count(0) < 115


@pytest.mark.parametrize("method", ["MESSAGE", "INVITE"])
def test_who_is_not_there_and_what_is_out_of_order(net, method):
    """A name that does not exist: 404 for the Request-URI's, a failed branch for a Route's or a Path's."""
    net.ns.failing |= {p + "fail.example" for p in ("", "_sip._udp.", "_sip._tcp.")}
    bob = net.peer(net.server, user="bob")
    bob.register(headers=["Path: <sip:edge.invalid;lr>"])
    for uri, headers, status in (("sip:x@nowhere.example", [], 404), ("sip:x@nowhere.example:5070", [], 404),
                                 ("sip:x@127.0.0.1:9", ["Route: <sip:nowhere.example;lr>"], 500),
                                 (bob.aor, [], 500), ("sip:x@fail.example", [], 500)):
        req = net.alice.request(method, uri, headers=headers)
        r = net.alice.ask(req)
        assert r.status == status, uri
        if method == "INVITE":
            net.alice.ack(req, r)


def test_without_an_answer_of_dns_the_caller_waits_no_longer_than_set(net):
    net.silence("slow.example")
    req, since = net.alice.request("MESSAGE", "sip:x@slow.example"), time.monotonic()
    net.alice.send(req.raw)
    other = net.alice.request("OPTIONS", "sip:example.com")  # is not held up: its answer is the first
    assert net.alice.ask(other).status == 200
    assert net.alice.final(req).status == 500
    assert time.monotonic() - since > 1.8


def test_cancel_while_resolving_ends_the_call_at_once(net):
    net.silence("slow.example")
    req = net.alice.request("INVITE", "sip:x@slow.example")
    net.alice.send(req.raw)
    net.alice.expect(100)
    net.alice.send(net.alice.request("CANCEL", req.uri, to=req["To"], from_=req["From"], call_id=req["Call-ID"],
                                     branch=req.branch, contact=None).raw)
    r = net.alice.expect(487, skip=(200,))  # 500 when the time for DNS is over
    net.alice.ack(req, r)


def test_how_a_uri_is_resolved(net):
    """RFC 3263 4.1, 4.2."""
    for name, type_, data in (
            ("full.example", "NAPTR", "10 10 s SIP+D2U _sip._udp.full.example"),
            ("full.example", "NAPTR", "5 10 S sip+d2t _sip._tcp.full.example"),
            ("full.example", "NAPTR", "1 1 s FOO+D2U _foo.full.example"), ("full.example", "A", "127.0.0.9"),
            ("_sip._udp.full.example", "SRV", "0 0 5061 a.example"), ("_sip._tcp.full.example", "SRV", "0 0 5062 a.example"),
            ("a.example", "A", "127.0.0.5"), ("srv.example", "A", "127.0.0.6"),
            ("_sip._tcp.srv.example", "SRV", "0 0 5063 a.example"), ("only.example", "A", "127.0.0.7"),
            ("p.example", "A", "127.0.0.8"), ("_sip._udp.p.example", "SRV", "20 0 1 a.example"),
            ("_sip._udp.p.example", "SRV", "10 0 2 only.example"), ("_sip._udp.p.example", "SRV", "10 0 3 gone.example")):
        net.add(name, type_, data)
    for uri, want in (("full.example", "tcp 127.0.0.5:5062"), ("FULL.example.", "tcp 127.0.0.5:5062"),
                      ("full.example;transport=UDP", "udp 127.0.0.5:5061"), ("full.example:5099", "udp 127.0.0.9:5099"),
                      ("full.example:5099;transport=tcp", "tcp 127.0.0.9:5099"), ("srv.example", "tcp 127.0.0.5:5063"),
                      ("only.example", "udp 127.0.0.7:5060"), ("only.example;transport=tcp", "tcp 127.0.0.7:5060"),
                      ("x.invalid;maddr=127.0.0.77", "udp 127.0.0.77:5060"), ("p.example", "udp 127.0.0.7:2, udp 127.0.0.5:1"),
                      ("127.0.0.3", "udp 127.0.0.3:5060"), ("127.0.0.3:5064;transport=tcp", "tcp 127.0.0.3:5064")):
        got = net.server.json("dns", "sip:x@" + uri)["targets"]
        assert ", ".join("%s %s" % (t["transport"], t["address"]) for t in got) == want, uri
    for uri in ("sip:x@only.example;transport=sctp", "sips:x@only.example", "sip:x@gone.example"):
        assert net.server.ctl("dns", uri, check=False).returncode == 1
