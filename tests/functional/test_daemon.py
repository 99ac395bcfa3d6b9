# SPDX-License-Identifier: Apache-2.0
"""The process: start, ready, drain, stop, reload, privileges, service manager."""
import grp
import json
import os
import pwd
import re
import signal
import socket
import stat
import threading
import time

import pytest

from conftest import SLOW, WAIT_S, free_port
from siplib import ringing

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="as root only")


def rewrite(server, old, new):
    text = server.conf_file.read_text()
    assert old in text
    server.conf_file.write_text(text.replace(old, new))


def ends(server, code=0):
    got = server.process.wait(2 * WAIT_S)
    log = server.log()
    server.process = None
    assert got == code, log
    return log


# --- start ----------------------------------------------------------------------------------------

def test_ready_is_told_at_every_log_level(make_server):
    s = make_server(start=False, workers=1)
    rewrite(s, 'level = "debug"', 'level = "error"')
    s.start()
    lines = [l for l in s.log().splitlines() if "event=" in l]
    assert len(lines) == 1 and "event=ready" in lines[0]


def test_ready_in_json(make_server):
    s = make_server(start=False, workers=1)
    rewrite(s, 'target = "stderr"', 'target = "stderr"; format = "json"')
    s.start(wait=False)
    s.wait_log('"event":"ready"')
    for line in s.log().splitlines():
        json.loads(line)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_address_in_use_is_exit_2(make_server, kind):
    s = make_server(start=False, workers=1)
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", s.port))
        if kind == socket.SOCK_STREAM:
            other.listen()
        s.start(wait=False)
        log = ends(s, 2)
    assert "Address already in use" in log and str(s.port) in log
    assert not s.socket.exists()


def test_what_stops_the_start_is_told_on_stderr_wherever_the_log_goes(make_server):
    s = make_server(start=False, workers=1)
    rewrite(s, 'target = "stderr"', 'target = "syslog"')
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.1", s.port))
        other.listen()
        s.start(wait=False)
        assert "belfryd: listen: " in ends(s, 2)


def test_second_server_on_a_port_is_refused(make_server):
    """SO_REUSEPORT would let it in silently."""
    a = make_server(workers=1)
    b = make_server(start=False, workers=1)
    rewrite(b, "port = %d" % b.port, "port = %d" % a.port)
    b.start(wait=False)
    assert "Address already in use" in ends(b, 2)


def test_state_directory_of_another_process_is_exit_2(make_server):
    a = make_server(workers=1)
    b = make_server(start=False, workers=1)
    rewrite(b, '%s/state' % b.dir, '%s/state' % a.dir)
    b.start(wait=False)
    assert "event=start.failed" in ends(b, 2)
    assert a.json("status")["store"] == "ok"


def test_directories_are_made(make_server):
    s = make_server(start=False, workers=1)
    rewrite(s, '%s/state' % s.dir, '%s/deep/er/state' % s.dir)
    s.start()
    assert (s.dir / "deep/er/state/belfry.db").exists()
    assert (s.dir / "deep/er/state").stat().st_mode & 0o7 == 0


@root_only
def test_directory_that_cannot_be_made_is_exit_2(make_server):
    s = make_server(start=False, workers=1)
    (s.dir / "state").write_text("a file")
    s.start(wait=False)
    assert "server.state_dir" in ends(s, 2)


def test_wrong_configuration_is_exit_1_before_anything_happens(make_server):
    s = make_server(start=False, workers=1)
    rewrite(s, "relay = ", "rely = ")
    s.start(wait=False)
    log = ends(s, 1)
    assert re.match(r"\S*belfry.conf:\d+: proxy: unknown setting \"rely\"", log)
    assert not (s.dir / "state").exists() and not (s.dir / "run").exists()


def test_port_zero_is_any_free_one(make_server):
    s = make_server(start=False, workers=2)
    rewrite(s, "port = %d" % s.port, "port = 0")
    s.start()
    ports = {l["transport"]: int(l["address"].rsplit(":", 1)[1]) for l in s.json("status")["listeners"]}
    assert ports["udp"] > 0 and ports["tcp"] > 0


# --- privileges -----------------------------------------------------------------------------------

@root_only
def test_root_becomes_the_user_and_keeps_one_capability(make_server):
    user = pwd.getpwnam("nobody")
    s = make_server(start=False, workers=2)
    os.chmod(s.dir.parent, 0o755)
    os.chmod(s.dir, 0o755)
    rewrite(s, 'user = ""; group = "";', 'user = "nobody";')
    rewrite(s, 'drain_timeout', 'group = "nogroup"; drain_timeout')
    s.start()
    for task in os.listdir("/proc/%d/task" % s.process.pid):
        with open("/proc/%d/task/%s/status" % (s.process.pid, task)) as f:
            status = dict(l.rstrip("\n").split(":\t", 1) for l in f if ":\t" in l)
        assert set(status["Uid"].split()) == {str(user.pw_uid)}, status["Name"]
        assert status["CapPrm"] == status["CapEff"] == "0000000000000400", status["Name"]
        assert status["CapInh"] == "0000000000000000" and status["NoNewPrivs"] == "1"
    for path in ("state", "state/belfry.db", "run", "run/control.sock"):
        assert (s.dir / path).stat().st_uid in ((user.pw_uid,) if path != "run/control.sock" else (0, user.pw_uid))
    assert s.json("status")["ready"] is True
    low = free_low_port()
    rewrite(s, "port = %d" % s.port, "port = %d" % low)
    s.ctl("reload")
    assert any(l["address"].endswith(":%d" % low) for l in s.json("status")["listeners"])


def free_low_port():
    for port in range(1000, 700, -1):
        with socket.socket() as t, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            try:
                t.bind(("127.0.0.1", port))
                u.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    pytest.skip("no free low port")


# --- the end --------------------------------------------------------------------------------------

@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_idle_server_ends_at_once_when_told(server, sig):
    server.process.send_signal(sig)
    log = ends(server)
    assert "drain.timeout" not in log
    assert "event=stopped" in log and not server.socket.exists()


def test_drain_lets_a_call_finish_and_refuses_new_ones(make_server, workers, peer):
    s = make_server(workers=workers)
    rewrite(s, "drain_timeout = 3", "drain_timeout = 60")
    s.stop()
    s.start()
    alice, bob, inv, got = ringing(s, peer)
    s.process.send_signal(signal.SIGTERM)
    s.wait_log("event=stopping")
    s.wait_for(lambda: s.json("status")["draining"], "draining")
    new = alice.request("INVITE", "sip:carol@example.com")

    def refused():
        alice.send(new.raw)
        r = alice.final(new)
        alice.ack(new, r)
        return r.status == 503 and r["Retry-After"]
    assert refused()
    assert s.process.poll() is None
    bob.reply(got, 486, "Busy Here")
    alice.ack(inv, alice.final(inv))
    log = ends(s)
    assert "drain.timeout" not in log


def test_drain_ends_at_its_time_limit(make_server, workers, peer):
    s = make_server(workers=workers)
    rewrite(s, "drain_timeout = 3", "drain_timeout = 1")
    s.stop()
    s.start()
    ringing(s, peer)
    begin = time.monotonic()
    s.ctl("drain")
    log = ends(s)
    assert 0.9 < time.monotonic() - begin and "event=drain.timeout" in log


def test_second_signal_ends_at_once(make_server, workers, peer):
    s = make_server(workers=workers)
    rewrite(s, "drain_timeout = 3", "drain_timeout = 60")
    s.stop()
    s.start()
    ringing(s, peer)
    s.process.send_signal(signal.SIGTERM)
    s.wait_log("event=stopping")
    s.process.send_signal(signal.SIGTERM)
    assert "drain.timeout" not in ends(s)


def test_signals_that_come_late_change_nothing(make_server):
    """Until the process is gone: also between its last line and its exit."""
    for _ in range(5 if SLOW == 1 else 1):
        s = make_server(workers=1)
        s.process.send_signal(signal.SIGTERM)
        s.wait_log("event=stopping")
        while s.process.poll() is None:
            s.process.send_signal(signal.SIGHUP)
            s.process.send_signal(signal.SIGTERM)
        ends(s)


def test_stop_ends_at_once(make_server, workers, peer):
    s = make_server(workers=workers)
    rewrite(s, "drain_timeout = 3", "drain_timeout = 60")
    s.stop()
    s.start()
    ringing(s, peer)
    assert s.json("stop") == {}
    assert "drain.timeout" not in ends(s)


def test_what_waits_for_dns_ends_with_the_server(make_server, workers, peer):
    """A request, an ACK, `belfryctl dns` and `belfryctl explain`, none of them answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.settimeout(20 * SLOW)
        s = make_server(workers=workers, extra='dns: { nameservers = ( "127.0.0.1@%d" ); timeout = 60; };'
                                               % silent.getsockname()[1])
        alice, asked = peer(s), []
        for i in range(4):
            alice.send(alice.request("ACK", "sip:x@ack%d.example" % i).raw)
        alice.send(alice.request("MESSAGE", "sip:x@message.example").raw)
        for method, params in (("dns", {"uri": "sip:x@dns.example"}),
                               ("explain", {"method": "INVITE", "uri": "sip:x@explain.example"}),
                               ("explain", {"method": "ACK", "uri": "sip:x@explain-ack.example"})):
            c = socket.socket(socket.AF_UNIX)
            c.connect(str(s.socket))
            c.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
            asked.append(c)
        want = {b"ack0", b"ack1", b"ack2", b"ack3", b"message", b"dns", b"explain", b"explain-ack"}
        while want:
            query = silent.recv(4096)
            want = {w for w in want if bytes([len(w)]) + w not in query}
        s.ctl("stop")
        ends(s)
        for c in asked:
            c.close()


def test_absorbing_transactions_do_not_delay_the_end(make_server, peer):
    s = make_server(workers=1)
    alice, bob = peer(s), peer(s, user="bob")
    bob.register()
    msg = alice.request("MESSAGE", bob.aor)
    alice.send(msg.raw)
    bob.reply(bob.expect("MESSAGE"), 200, "OK")
    alice.expect(200)
    s.process.send_signal(signal.SIGTERM)
    assert "drain.timeout" not in ends(s)


# --- reload ---------------------------------------------------------------------------------------

def test_reload_applies_domains_and_modules_settings(server, peer):
    alice = peer(server)
    assert alice.ask(alice.request("MESSAGE", "sip:x@example.com")).status == 480
    assert server.ctl("location", "add", "bob@example.org", "sip:bob@192.0.2.1", check=False).returncode == 1
    rewrite(server, '"example.com"', '"example.com", "example.org"')
    server.ctl("reload")
    server.ctl("location", "add", "bob@example.org", "sip:bob@192.0.2.1")
    status = server.json("status")
    assert status["last_reload"]["ok"] is True and abs(status["last_reload"]["time"] - time.time()) < 60 * SLOW
    rewrite(server, 'durability = "process";', 'durability = "process"; max_contacts = 1;')
    server.process.send_signal(signal.SIGHUP)
    server.wait_for(lambda: server.log().count("event=reloaded") == 2, "second reload")


def test_wrong_configuration_is_told_and_changes_nothing(server, peer):
    good = server.conf_file.read_text()
    server.conf_file.write_text(good.replace('relay = ', 'rely = '))
    r = server.ctl("reload", check=False)
    assert r.returncode == 1
    assert re.search(r"belfry\.conf:\d+: proxy: unknown setting \"rely\"; did you mean \"relay\"\?", r.stderr)
    status = server.json("status")
    assert status["last_reload"]["ok"] is False and "rely" in status["last_reload"]["error"]
    server.process.send_signal(signal.SIGHUP)
    server.wait_for(lambda: server.log().count("event=reload.refused") == 2, "refusal in the log")
    peer(server, user="bob").register()
    server.conf_file.write_text(good)
    server.ctl("reload")
    assert server.json("status")["last_reload"]["ok"] is True


@pytest.mark.parametrize("old, new, name", [
    ("workers = 1", "workers = 2", "server.workers"),
    ("/state", "/state2", "server.state_dir"),
    ("/run", "/run2", "server.run_dir"),
    ('control: { ', 'control: { socket = "/tmp/none.sock"; ', "control.socket"),
    ('user = ""', 'user = "root"', "server.user"),
])
def test_what_needs_a_restart_is_refused(make_server, old, new, name):
    s = make_server(workers=1)
    rewrite(s, old, new)
    r = s.ctl("reload", check=False)
    assert r.returncode == 1 and "a change of %s needs a restart" % name in r.stderr


def test_listeners_come_and_go_with_a_reload(server, peer):
    extra = free_port()
    alice, tcp = peer(server), peer(server, user="carol", proto="tcp")
    kept = tcp.stream()
    text = server.conf_file.read_text()
    server.conf_file.write_text(text.replace("listen = ( ", 'listen = ( { transport = "udp"; address = "127.0.0.1"; '
                                             'port = %d; }, { transport = "tcp"; address = "127.0.0.1"; port = %d; }, '
                                             % (extra, extra)))
    server.ctl("reload")
    assert len(server.json("status")["listeners"]) == 6
    with socket.create_connection(("127.0.0.1", extra), WAIT_S):
        pass
    server.conf_file.write_text(text)
    server.ctl("reload")
    assert len(server.json("status")["listeners"]) == 4

    def refused():
        try:
            socket.create_connection(("127.0.0.1", extra), WAIT_S).close()
            return False
        except ConnectionRefusedError:
            return True
    server.wait_for(refused, "closed listener")
    opt = tcp.request("OPTIONS", "sip:127.0.0.1:%d" % server.port)
    assert tcp.ask(opt).status == 200 and kept is tcp.stream()
    assert alice.ask(alice.request("OPTIONS", "sip:127.0.0.1:%d" % server.port)).status == 200


def test_listener_that_cannot_be_bound_refuses_the_reload(server):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        text = server.conf_file.read_text()
        server.conf_file.write_text(text.replace("listen = ( ", 'listen = ( { transport = "tcp"; '
                                                 'address = "127.0.0.1"; port = %d; }, ' % port))
        r = server.ctl("reload", check=False)
    assert r.returncode == 1 and "Address already in use" in r.stderr
    assert len(server.json("status")["listeners"]) == 4


def test_call_in_progress_survives_reloads(server, peer):
    alice, bob, inv, got = ringing(server, peer)
    for _ in range(5):
        server.ctl("reload")
    bob.reply(got, 200, "OK")
    assert alice.final(inv).status == 200


def test_reload_prints_what_is_doubtful(server):
    assert server.ctl("reload").stdout == "" and server.json("reload") == {}
    rewrite(server, 'proxy: { relay = "any";', 'proxy: { relay = "any"; timer_c = 2;')
    got = server.json("reload")["warnings"]
    assert len(got) == 1 and re.search(r"belfry.conf:\d+: proxy.timer_c: RFC 3261 16.6", got[0])
    assert "warnings: " in server.ctl("reload").stdout


def test_mode_of_the_control_socket_changes_with_a_reload(server):
    for mode in (0o600, 0o666, 0o640):
        rewrite(server, "control: { ", "control: { mode = %d; " % mode)
        server.ctl("reload")
        assert stat.S_IMODE(os.stat(server.socket).st_mode) == mode
        rewrite(server, "control: { mode = %d; " % mode, "control: { ")


@root_only
def test_group_of_the_control_socket_changes_with_a_reload(make_server):
    s = make_server(workers=1)
    rewrite(s, 'control: { group = "";', 'control: { group = "daemon";')
    s.ctl("reload")
    assert os.stat(s.socket).st_gid == grp.getgrnam("daemon").gr_gid
    rewrite(s, 'group = "daemon"', 'group = "no-such-group"')
    r = s.ctl("reload", check=False)
    assert r.returncode == 1 and 'control.group: unknown group "no-such-group"' in r.stderr
    assert os.stat(s.socket).st_gid == grp.getgrnam("daemon").gr_gid


@root_only
def test_control_socket_is_the_users_who_may_change_its_mode_but_not_its_group(make_server):
    s = make_server(start=False, workers=1)
    for d in (s.dir.parent, s.dir):
        d.chmod(0o755)
    rewrite(s, 'user = ""; group = "";', 'user = "nobody"; group = "nogroup";')
    s.start()
    assert os.stat(s.socket).st_uid == pwd.getpwnam("nobody").pw_uid
    rewrite(s, "control: { ", "control: { mode = 384; ")
    s.ctl("reload")
    assert stat.S_IMODE(os.stat(s.socket).st_mode) == 0o600
    rewrite(s, 'mode = 384; group = "";', 'mode = 438; group = "daemon";')
    r = s.ctl("reload", check=False)
    assert r.returncode == 1 and "a change of control.group needs a restart" in r.stderr
    assert stat.S_IMODE(os.stat(s.socket).st_mode) == 0o600


def test_sighup_while_a_reload_runs_is_not_lost(server):
    """The last state of the file is what counts, however fast the signals come."""
    text = server.conf_file.read_text()
    for i in range(40):
        name = "n%d.example" % i
        new = server.dir / "new"
        new.write_text(text.replace('domains = ( "example.com"', 'domains = ( "example.com", "%s"' % name))
        os.replace(new, server.conf_file)
        server.process.send_signal(signal.SIGHUP)
    server.wait_for(lambda: server.ctl("location", "add", "x@" + name, "sip:x@192.0.2.1", check=False).returncode == 0,
                    "the last configuration")
    assert "event=reload.refused" not in server.log()


def test_reload_of_a_server_that_stops_is_refused_and_logged(make_server, workers, peer):
    s = make_server(workers=workers)
    ringing(s, peer)
    s.ctl("drain")
    r = s.ctl("reload", check=False)
    assert r.returncode == 1 and "the server is stopping" in r.stderr
    s.process.send_signal(signal.SIGHUP)
    s.wait_for(lambda: s.log().count("event=reload.refused") == 2, "both refusals in the log")
    s.ctl("stop")


def test_reloads_at_once_are_refused_politely(server):
    results = []
    ts = [threading.Thread(target=lambda: results.append(server.ctl("reload", check=False))) for _ in range(8)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    assert all(r.returncode == 0 or "a reload is going on" in r.stderr for r in results)
    assert any(r.returncode == 0 for r in results)
