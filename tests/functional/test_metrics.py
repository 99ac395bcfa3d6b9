# SPDX-License-Identifier: Apache-2.0
"""The page /metrics for Prometheus."""
import json
import re
import urllib.error
import urllib.request

import pytest

from conftest import ROOT, WAIT_S, free_port


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
