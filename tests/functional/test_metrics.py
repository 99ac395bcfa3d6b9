# SPDX-License-Identifier: Apache-2.0
"""The page /metrics for Prometheus."""
import json
import re
import socket
import urllib.error
import urllib.request

import pytest

from conftest import ROOT, WAIT_S, free_port
from siplib import digest


@pytest.fixture
def measured(make_server):
    port = free_port()
    s = make_server(workers=2, extra='metrics: { listen = "127.0.0.1:%d"; };' % port)
    s.metrics = "http://127.0.0.1:%d/metrics" % port
    return s


def page(server):
    with urllib.request.urlopen(server.metrics, timeout=WAIT_S) as r:
        assert r.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return r.read().decode()


def value(text, name):
    """Sum over the labels that are not given in @name."""
    total, n = 0.0, 0
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        key, v = line.rsplit(" ", 1)
        if key == name or key.startswith(name + "{"):
            total, n = total + float(v), n + 1
    assert n, "no " + name
    return total


SAMPLE = re.compile(r'(belfry_[a-z_]+)(?:\{((?:[a-z_]+="[^"\\\n]*")(?:,[a-z_]+="[^"\\\n]*")*)\})? (-?[0-9.]+(?:e[+-][0-9]+)?)')


def families(text):
    """The page, read strictly (text format 0.0.4): name -> (type, [(name, labels, value)])."""
    found, last, helped = {}, None, set()
    assert text.endswith("\n")
    for line in text.splitlines():
        m = re.fullmatch(r"# (HELP|TYPE) (belfry_[a-z_]+) (\S.*)", line)
        if m and m[1] == "HELP":
            assert m[2] not in helped, "HELP twice: " + line
            helped.add(m[2])
        elif m:
            assert m[2] in helped and m[2] not in found and m[3] in ("counter", "gauge", "histogram"), line
            found[m[2]] = (m[3], [])
            last = m[2]
        else:
            m = SAMPLE.fullmatch(line)
            assert m, line
            kind, samples = found[last]
            assert m[1] == last if kind != "histogram" else m[1] in (last + "_bucket", last + "_sum", last + "_count"), line
            labels = dict(re.findall(r'([a-z_]+)="([^"]*)"', m[2] or ""))
            assert (m[1], labels) not in [s[:2] for s in samples], line
            samples.append((m[1], labels, float(m[3])))
    assert helped == set(found)
    return found


def test_page_is_well_formed(measured, peer):
    alice = peer(measured)
    assert alice.ask(alice.request("MESSAGE", "sip:nobody@example.com")).status == 480
    for name, (kind, samples) in families(page(measured)).items():
        assert samples and name.endswith("_total") == (kind == "counter"), name
        if kind != "histogram":
            assert len({frozenset(labels) for _, labels, _ in samples}) == 1, name
            continue
        buckets = [(float(labels["le"].replace("+Inf", "inf")), v) for n, labels, v in samples if n.endswith("_bucket")]
        assert buckets == sorted(buckets) and buckets[-1][0] == float("inf"), name
        assert [v for _, v in buckets] == sorted(v for _, v in buckets), name
        assert buckets[-1][1] == next(v for n, _, v in samples if n.endswith("_count")), name


@pytest.mark.parametrize("name", [
    "belfry_requests_total", "belfry_responses_total", "belfry_transactions", "belfry_bindings", "belfry_store_up",
    "belfry_store_queue", "belfry_store_commit_seconds_bucket", "belfry_call_setup_seconds_bucket",
    "belfry_retransmissions_total", "belfry_parse_errors_total", "belfry_rejected_total",
    "belfry_registrations_total", "belfry_dns_seconds_bucket", "belfry_worker_loop_lag_seconds"])
def test_promised_name_is_there(measured, name):
    value(page(measured), name)


def test_figures_follow_what_happens(measured, peer):
    alice, bob = peer(measured), peer(measured, user="bob")
    before = page(measured)
    bob.register()
    for _ in range(5):
        alice.send(alice.request("MESSAGE", bob.aor).raw)
        bob.reply(bob.expect("MESSAGE"), 200, "OK")
        alice.expect(200)
    after = page(measured)
    grown = lambda name: value(after, name) - value(before, name)
    assert grown('belfry_requests_total{method="MESSAGE",transport="udp"}') == 5
    assert grown('belfry_requests_total{method="REGISTER",transport="udp"}') == 1
    assert value(after, "belfry_bindings") == 1 and value(before, "belfry_bindings") == 0
    assert value(after, "belfry_store_up") == 1
    assert grown("belfry_store_commit_seconds_count") >= 1


@pytest.mark.parametrize("name, labels", [
    ("belfry_requests_total", {"method", "transport"}), ("belfry_responses_total", {"class", "method"}),
    ("belfry_transactions", {"kind"}), ("belfry_registrations_total", {"result"}),
    ("belfry_retransmissions_total", {"direction"}), ("belfry_rejected_total", {"reason"}),
    ("belfry_flows", {"transport"}), ("belfry_worker_loop_lag_seconds", {"worker"}), ("belfry_connections", {"transport"}),
    ("belfry_udp_dropped_total", {"reason"}), ("belfry_bindings", set()), ("belfry_store_up", set())])
def test_labels_are_the_promised_ones(measured, name, labels):
    assert all(set(got) == labels for _, got, _ in families(page(measured))[name][1])


def test_there_is_a_lag_for_every_worker(measured):
    lag = families(page(measured))["belfry_worker_loop_lag_seconds"][1]
    assert [l["worker"] for _, l, _ in lag] == ["0", "1"] and all(0 <= v < 20 for _, _, v in lag)


def moved(server, name, by=1):
    """Within the block the counter grows by at least @by; it may be told a moment later."""
    class Moved:
        def __enter__(self):
            self.before = value(page(server), name)

        def __exit__(self, kind, *_):
            if kind is None:
                server.wait_for(lambda: value(page(server), name) >= self.before + by, name)
    return Moved()


def test_calls_move_setup_transactions_and_retransmissions(measured, peer):
    alice, bob = peer(measured), peer(measured, user="bob")
    bob.register()
    with moved(measured, "belfry_call_setup_seconds_count"), moved(measured, 'belfry_responses_total{class="1xx",method="INVITE"}'), \
            moved(measured, 'belfry_responses_total{class="4xx",method="INVITE"}'), \
            moved(measured, 'belfry_retransmissions_total{direction="received"}'):
        inv = alice.request("INVITE", bob.aor)
        alice.send(inv.raw)
        got = bob.expect("INVITE")
        bob.reply(got, 180, "Ringing")
        alice.expect(180)
        assert value(page(measured), 'belfry_transactions{kind="server"}') == 1
        assert value(page(measured), 'belfry_transactions{kind="client"}') == 1
        alice.send(inv.raw)
        bob.reply(got, 486, "Busy Here")
        alice.ack(inv, alice.final(inv))
    measured.wait_for(lambda: value(page(measured), 'belfry_transactions{kind="server"}') == 0, "the end of the call")


def test_retransmissions_of_ours_are_counted(measured, peer):
    alice, bob = peer(measured), peer(measured, user="bob", repeats=True)
    bob.register()
    with moved(measured, 'belfry_retransmissions_total{direction="sent"}'):
        alice.send(alice.request("MESSAGE", bob.aor).raw)
        first = bob.expect("MESSAGE")
        again = bob.expect("MESSAGE")
        assert again.branch == first.branch
        bob.reply(again, 200, "OK")
        alice.expect(200)


def test_refusals_and_nonsense_are_counted(measured, peer):
    alice = peer(measured)
    with moved(measured, "belfry_parse_errors_total"):
        alice.send(b"GARBAGE sip:x SIP/2.0\r\nVia: nonsense\r\n\r\n")
    for reason, status, kw in (("max_forwards", 483, {"max_forwards": 0}), ("unavailable", 480, {}),
                               ("extension", 420, {"headers": ["Proxy-Require: teleport"]})):
        with moved(measured, 'belfry_rejected_total{reason="%s"}' % reason):
            assert alice.ask(alice.request("MESSAGE", "sip:bob@example.com", **kw)).status == status
    with moved(measured, 'belfry_udp_dropped_total{reason="keepalive"}'):
        alice.send(b"\r\n\r\n")


def test_registrations_are_counted_by_their_result(measured, peer):
    bob = peer(measured, user="bob")
    with moved(measured, 'belfry_registrations_total{result="ok"}'):
        bob.register()
    with moved(measured, 'belfry_registrations_total{result="interval"}'):
        bob.register(expires=5, expect=423)
    with moved(measured, 'belfry_registrations_total{result="malformed"}'):
        bob.register(contact="*", expires=60, expect=400)
    with moved(measured, 'belfry_registrations_total{result="unknown"}'):
        bob.register(to="<sip:bob@elsewhere.example>", expect=404)
    with moved(measured, 'belfry_registrations_total{result="extension"}'):
        bob.register(headers=["Require: teleport"], expect=420)


def refused(name):
    return 'belfry_rejected_total{reason="%s"}' % name


def test_help_is_one_sentence_with_the_unit(measured):
    for name, text in re.findall(r"^# HELP (\S+) (.*)$", page(measured), re.M):
        assert not text[0].islower() and (not name.endswith("_seconds") or text.endswith("in seconds")), name


@pytest.fixture
def busy(make_server, peer):
    """Rules, trunks and small limits; a peer and a trunk's other end."""
    port, dead = free_port(), free_port()
    trunk = peer(None)
    s = make_server(workers=2, server="max_connections = 8; message_timeout = 1;", relay="any", extra="""
metrics: { listen = "127.0.0.1:%d"; };
routes = ( { match: { user = "900*"; }; reject = 403; }, { match: { user = "old"; }; redirect = "sip:new@example.net"; },
  { match: { user = "+*"; }; to = "trunk:full"; }, { match: { user = "twice"; }; to = "trunk:dead"; } );
trunks: { full: { targets = ( "sip:%s" ); probe = 0; max_calls = 1; };
  dead: { targets = ( "sip:127.0.0.1:%d", "sip:127.0.0.1:%d;transport=tcp" ); probe = 0; }; };
""" % (port, trunk.hostport, dead, dead))
    s.metrics = "http://127.0.0.1:%d/metrics" % port
    trunk.server = s
    return s, peer(s), trunk


@pytest.mark.parametrize("name, method, uri, status, kw", [
    (refused("rule"), "MESSAGE", "sip:900@example.com", 403, {}),
    ("belfry_redirected_total", "MESSAGE", "sip:old@example.com", 302, {}),
    (refused("method"), "NONSENSE", "sip:example.com", 501, {}),
    (refused("scheme"), "MESSAGE", "foo:x", 416, {}),
    (refused("not_found"), "MESSAGE", "sip:x@127.0.0.1:{port}", 404, {}),
    (refused("parse"), "MESSAGE", "sip:x@example.com", 400, {"headers": ["Content-Length: -5"]}),
    (refused("syntax"), "MESSAGE", "sip:x@example.com", 400, {"headers": ["Route: <sip:x"]}),
    (refused("max_breadth"), "MESSAGE", "sip:two@example.com", 440, {"headers": ["Max-Breadth: 0"]}),
    ("belfry_failovers_total", "MESSAGE", "sip:twice@example.com", 500, {}),
    ("belfry_icmp_errors_total", "MESSAGE", "sip:twice@example.com", 500, {}),
])
def test_each_refusal_of_a_request_moves_its_counter(busy, name, method, uri, status, kw):
    server, alice, _ = busy
    server.ctl("location", "add", "two@example.com", "sip:192.0.2.1")
    with moved(server, name):
        assert alice.ask(alice.request(method, uri.format(port=server.port), **kw)).status == status


def test_limits_of_trunks_and_drain_move_their_counters(busy, peer):
    server, alice, trunk = busy
    inv = alice.request("INVITE", "sip:+1@example.com")
    alice.send(inv.raw)
    got = trunk.expect("INVITE")
    with moved(server, refused("max_calls")):
        assert alice.ask(alice.request("INVITE", "sip:+2@example.com")).status == 503
    server.ctl("drain")
    with moved(server, refused("drain")):
        assert alice.ask(alice.request("INVITE", "sip:+3@example.com")).status == 503
    trunk.reply(got, 486, "Busy Here")


@pytest.mark.parametrize("reason, data", [
    ("no_content_length", b"{start}\r\n\r\n"), ("message_too_large", b"{start}\r\nContent-Length: 900000\r\n\r\n"),
    ("message_timeout", b"{start}"), ("not_sip", b"\x16\x03\x01\x02\x00garbage\r\n\r\n")])
def test_what_ends_a_connection_moves_its_counter(busy, reason, data):
    server, alice, _ = busy
    start = alice.request("MESSAGE", "sip:x@example.com").raw.split(b"\r\nContent-Length")[0]
    with moved(server, refused(reason)), socket.create_connection(server.addr(), WAIT_S) as s:
        s.sendall(data.replace(b"{start}", start))
        while s.recv(1000):
            pass


def test_trunk_targets_are_counted_by_what_requests_have_shown(busy):
    server, alice, trunk = busy
    states = lambda: [value(page(server), 'belfry_trunk_targets{state="%s"}' % s) for s in ("up", "down", "unknown")]
    assert states() == [0, 0, 3]
    for status, want in ((200, [1, 0, 2]), (503, [0, 1, 2]), (404, [1, 0, 2])):
        m = alice.request("MESSAGE", "sip:+1@example.com")
        alice.send(m.raw)
        trunk.reply(trunk.expect("MESSAGE"), status, "x")
        alice.final(m)
        assert states() == want
    assert alice.ask(alice.request("MESSAGE", "sip:twice@example.com")).status == 500
    assert states() == [1, 2, 0]
    server.conf_file.write_text(re.sub(r"(?s)routes = .*", "", server.conf_file.read_text()))
    server.ctl("reload")
    assert states() == [0, 0, 0]


def test_too_many_connections_and_stray_datagrams_move_their_counters(busy):
    server, alice, _ = busy
    with moved(server, refused("connection_limit")):
        many = [socket.create_connection(server.addr(), WAIT_S) for _ in range(12)]
        server.wait_for(lambda: value(page(server), refused("connection_limit")) > 0, "a connection too many")
        for s in many:
            s.close()
    with moved(server, "belfry_stray_responses_total"):
        alice.send(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
                   b"To: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n" % server.port)
    with moved(server, 'belfry_udp_dropped_total{reason="not_sip"}'):
        alice.send(b"\x01\x02\x03")


def test_each_result_of_a_registration_and_of_digest_moves_its_counter(make_server, peer):
    port = free_port()
    s = make_server(workers=2, auth="max_failures = 3; ban_time = 2;", extra='metrics: { listen = "127.0.0.1:%d"; };' % port)
    s.metrics = "http://127.0.0.1:%d/metrics" % port
    for user in ("alice", "bob"):
        s.ctl("user", "add", user + "@example.com", "--password-stdin", stdin="pw\n")
    bob = peer(s, user="bob")

    def register(family, result, status, **kw):
        with moved(s, 'belfry_%s_total{result="%s"}' % (family, result)):
            kw.setdefault("password", "pw")
            assert bob.register(expect=None, **kw).status == status
    register("auth", "challenge", 401, password=None)
    register("auth", "ok", 200)
    register("auth", "denied", 403, to="<sip:alice@example.com>")
    register("registrations", "ok", 200)
    register("registrations", "stale", 500, cseq=1)
    register("registrations", "denied", 403, contact=", ".join("<sip:b@192.0.2.%d>" % i for i in range(1, 20)))
    register("auth", "malformed", 400, password=None, headers=[
        "Authorization: " + re.sub("uri=\"[^\"]*\"", 'uri="sip:elsewhere"', digest(bob.register(expect=401), "REGISTER",
                                   "sip:example.com", "bob", "pw"))])
    for _ in range(3):
        register("auth", "failed", 401, password="wrong")
    with moved(s, 'belfry_udp_dropped_total{reason="banned"}'):
        bob.send(bob.request("OPTIONS", "sip:example.com").raw)
    with moved(s, refused("banned")):
        socket.create_connection(s.addr(), WAIT_S).close()


def test_flows_are_counted_while_they_live(measured, peer):
    def flows(transport):
        return value(page(measured), 'belfry_flows{transport="%s"}' % transport)
    phone, other, plain = peer(measured, proto="tcp"), peer(measured, proto="tcp"), peer(measured)
    phone.register()
    phone.register()
    other.register()
    plain.register()
    assert (flows("tcp"), flows("udp"), value(page(measured), "belfry_bindings")) == (2, 1, 3)
    phone.stream().close()
    measured.wait_for(lambda: flows("tcp") == 1, "the end of a flow")
    phone.streams.clear()
    phone.register()
    assert flows("tcp") == 2
    other.register(expires=0)
    plain.register(expires=0)
    assert (flows("tcp"), flows("udp"), value(page(measured), "belfry_bindings")) == (1, 0, 1)
    measured.ctl("location", "rm", phone.aor)
    assert flows("tcp") == 0


def test_connections_are_counted_while_they_are_open(measured, peer):
    carol = peer(measured, user="carol", proto="tcp")
    carol.register()
    assert value(page(measured), 'belfry_connections{transport="tcp"}') == 1
    assert value(page(measured), 'belfry_requests_total{method="REGISTER",transport="tcp"}') == 1
    for s in carol.streams:
        s.close()
    measured.wait_for(lambda: value(page(measured), 'belfry_connections{transport="tcp"}') == 0, "closed connection")


def test_dns_time_is_measured(measured, peer):
    alice = peer(measured)
    with moved(measured, "belfry_dns_seconds_count"):
        alice.send(alice.request("MESSAGE", "sip:x@nowhere.invalid").raw)


# --- what is made from the figures ----------------------------------------------------------------

def uses(text):
    """Each metric that is named, with the labels and values asked of it."""
    for m in re.finditer(r'\b(belfry_[a-z]+_?[a-z_]*)\b(?:\{([^}]*)\})?', text):
        asked = [(k, v.split("|") if op == "=~" else [v])
                 for k, op, v in re.findall(r'([a-z_]+)(=~|=)"([^"]*)"', m[2] or "") if k != "instance"]
        yield m[1], asked


def check_uses(text, found):
    n = 0
    samples = {}
    for family, (_, many) in found.items():
        for name, labels, _ in many:
            samples.setdefault(name, []).append(labels)
            samples.setdefault(family, []).append(labels)
    for name, asked in uses(text):
        n += 1
        assert name in samples, "no such metric: " + name
        for key, values in asked:
            for v in values:
                assert any(labels.get(key) == v for labels in samples[name]), (name, key, v)
    for labels in re.findall(r"by \(([^)]*)\)", text):
        assert set(labels.replace(" ", "").split(",")) <= {"instance", "le"} | {k for many in samples.values()
                                                                              for l in many for k in l}
    return n


def test_dashboard_uses_names_that_exist(measured):
    board = json.loads((ROOT / "etc/grafana-dashboard.json").read_text())
    exprs = [t["expr"] for p in board["panels"] for t in p["targets"]]
    assert len({p["id"] for p in board["panels"]}) == len(board["panels"]) > 10
    found = families(page(measured))
    assert check_uses("\n".join(exprs), found) >= len(exprs) - 1
    assert check_uses("\n".join(v["query"] for v in board["templating"]["list"]), found) == 1
    shown = {re.sub(r"_bucket$", "", n) for n, _ in uses("\n".join(exprs))}
    assert set(found) - shown <= {"belfry_redirected_total", "belfry_transactions_evicted_total"}
    for p, q in ((p["gridPos"], q["gridPos"]) for i, p in enumerate(board["panels"]) for q in board["panels"][:i]):
        assert p["x"] + p["w"] <= 24
        assert p["x"] >= q["x"] + q["w"] or q["x"] >= p["x"] + p["w"] or p["y"] >= q["y"] + q["h"] or q["y"] >= p["y"] + p["h"]


def test_alerts_use_names_that_exist_and_are_explained(measured):
    text = (ROOT / "etc/prometheus-alerts.yml").read_text()
    names = re.findall(r"alert: (\w+)", text)
    assert len(names) == len(set(names)) == text.count("expr: ") == text.count("summary: ") >= 8
    assert check_uses("\n".join(re.findall(r"expr: (.*)", text)), families(page(measured))) >= len(names)
    manual = (ROOT / "doc/operations.md").read_text()
    for name in names:
        assert "`%s`" % name in manual, name


def test_manuals_name_only_what_exists(measured):
    found = families(page(measured))
    for name in ("operations.md", "security.md", "durability.md"):
        check_uses((ROOT / "doc" / name).read_text(), found)


def test_stats_and_page_are_the_same_figures(measured):
    text = page(measured)
    names = {c["name"] for c in measured.json("stats")["counters"]}
    for name in names:
        value(text, name)


def test_only_the_page_is_served(measured):
    for url, data in ((measured.metrics[:-8], None), (measured.metrics + "/x", None), (measured.metrics, b"x")):
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=WAIT_S)


def test_page_is_off_by_default_and_comes_with_a_reload(make_server):
    s = make_server(workers=1)
    port = free_port()
    s.metrics = "http://127.0.0.1:%d/metrics" % port
    with pytest.raises(urllib.error.URLError):
        page(s)
    text = s.conf_file.read_text()
    s.conf_file.write_text(text + 'metrics: { listen = "127.0.0.1:%d"; };\n' % port)
    s.ctl("reload")
    assert "belfry_bindings" in page(s)
    s.conf_file.write_text(text)
    s.ctl("reload")
    with pytest.raises(urllib.error.URLError):
        page(s)


def test_address_in_use_is_exit_2(measured, make_server):
    port = int(measured.metrics.split(":")[2].split("/")[0])
    s = make_server(start=False, extra='metrics: { listen = "127.0.0.1:%d"; };' % port)
    s.start(wait=False)
    assert s.process.wait(WAIT_S) == 2 and "metrics.listen 127.0.0.1:%d: Address already in use" % port in s.log()
    s.process = None
