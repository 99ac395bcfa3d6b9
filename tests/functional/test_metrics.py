# SPDX-License-Identifier: Apache-2.0
"""The page /metrics for Prometheus."""
import re
import urllib.error
import urllib.request

import pytest

from conftest import free_port


@pytest.fixture
def measured(make_server):
    port = free_port()
    s = make_server(workers=2, extra='metrics: { listen = "127.0.0.1:%d"; };' % port)
    s.metrics = "http://127.0.0.1:%d/metrics" % port
    return s


def page(server):
    with urllib.request.urlopen(server.metrics, timeout=20) as r:
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


def test_page_is_well_formed(measured):
    text = page(measured)
    seen, typed = set(), {}
    for line in text.splitlines():
        if line.startswith("# "):
            m = re.fullmatch(r"# (HELP|TYPE) (belfry_[a-z_]+) (.+)", line)
            assert m, line
            if m[1] == "TYPE":
                assert m[2] not in typed and m[3] in ("counter", "gauge", "histogram"), line
                typed[m[2]] = m[3]
            continue
        m = re.fullmatch(r'(belfry_[a-z_]+)(\{([a-z_]+="[^"\\]*",?)*\})? (-?[0-9.e+-]+)', line)
        assert m, line
        assert line.rsplit(" ", 1)[0] not in seen, line
        seen.add(line.rsplit(" ", 1)[0])
        base = re.sub(r"_(bucket|sum|count)$", "", m[1])
        assert m[1] in typed or typed.get(base) == "histogram", line
        assert not m[1].endswith("_total") or typed[m[1]] == "counter", line


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


def test_stats_and_page_are_the_same_figures(measured):
    text = page(measured)
    names = {c["name"] for c in measured.json("stats")["counters"]}
    for name in names:
        value(text, name)


def test_only_the_page_is_served(measured):
    for url, data in ((measured.metrics[:-8], None), (measured.metrics + "/x", None), (measured.metrics, b"x")):
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=20)


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
    assert s.process.wait(20) == 2 and "metrics.listen 127.0.0.1:%d: Address already in use" % port in s.log()
    s.process = None
