# SPDX-License-Identifier: Apache-2.0
"""The control socket and belfryctl."""
import json
import os
import socket
import stat
import subprocess
import threading

import pytest

from conftest import BUILD, ROOT, WAIT_S, free_port
from siplib import ringing


@pytest.fixture
def one(make_server):
    return make_server(workers=2)


class Rpc:
    """A plain client of the socket."""

    def __init__(self, server):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(server.socket))
        self.sock.settimeout(WAIT_S)
        self.file = self.sock.makefile("rwb")

    def send(self, data):
        self.file.write(data if isinstance(data, bytes) else json.dumps(data).encode() + b"\n")
        self.file.flush()

    def recv(self):
        line = self.file.readline()
        return json.loads(line) if line else None

    def call(self, method, **params):
        self.send({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return self.recv()

    def close(self):
        self.file.close()
        self.sock.close()


@pytest.fixture
def rpc(one):
    r = Rpc(one)
    yield r
    r.close()


def test_status_has_what_it_promises(one):
    s = one.json("status")
    for name in ("version", "uptime", "workers", "ready", "draining", "bindings", "transactions", "connections",
                 "store", "listeners", "last_reload"):
        assert name in s, name
    assert s["workers"] == 2 and s["ready"] is True and s["draining"] is False and s["store"] == "ok"
    assert {l["transport"] for l in s["listeners"]} == {"udp", "tcp"}
    assert str(one.port) in s["listeners"][0]["address"]
    text = one.ctl("status").stdout
    assert "workers:" in text and "ready:" in text


def test_command_table_serves_the_client(one):
    cs = one.json("commands")["commands"]
    names = [c["name"] for c in cs]
    assert len(set(names)) == len(names)
    for want in ("status", "stats", "reload", "drain", "stop", "location.list", "location.add", "location.rm",
                 "connections", "transactions", "trunks", "modules", "log-level", "explain", "why", "ban.list"):
        assert want in names, want
    for c in cs:
        assert c["help"] and c["usage"].startswith(c["name"].replace(".", " "))
    help_text = one.ctl("-h").stdout
    assert "location add AOR URI [--expires S] [--q Q]" in help_text


def test_every_core_command_is_in_the_manual(one):
    man = (ROOT / "man/belfryctl.8").read_text().replace("\\ ", " ").replace("\\-", "-")
    for c in one.json("commands")["commands"]:
        assert c["name"].replace(".", " ") in man, c["name"]


def test_exit_codes(one, tmp_path):
    run = lambda *a: subprocess.run([BUILD / "src/belfryctl", *a], capture_output=True, text=True, timeout=2 * WAIT_S)
    s = ["-s", str(one.socket)]
    assert run(*s, "status").returncode == 0
    assert run(*s, "location", "rm", "nobody@example.com").returncode == 1
    assert run("-s", tmp_path / "none", "status").returncode == 2
    assert run(*s).returncode == 64
    assert run(*s, "location").returncode == 64
    assert run(*s, "location", "add", "bob@example.com").returncode == 64
    assert run(*s, "status", "too", "many").returncode == 64
    assert run(*s, "location", "add", "bob@example.com", "sip:a@b", "--nope").returncode == 64
    assert run(*s, "location", "add", "bob@example.com", "sip:a@b", "--expires").returncode == 64
    assert run("-x").returncode == 64
    r = run(*s, "statsu")
    assert r.returncode == 64 and 'did you mean "status"?' in r.stderr
    r = run(*s, "loaction", "list")
    assert r.returncode == 64 and 'did you mean "location list"?' in r.stderr
    assert run("-V").returncode == 0


def test_a_password_is_taken_whole_or_refused(one):
    r = one.ctl("user", "add", "long@example.com", "--password-stdin", stdin="x" * 1022 + "\n")
    assert r.returncode == 0
    r = one.ctl("user", "passwd", "long@example.com", "--password-stdin", stdin="x" * 1023 + "\n", check=False)
    assert r.returncode == 64 and "the password is too long" in r.stderr
    for nothing in ("", "\n"):
        r = one.ctl("user", "passwd", "long@example.com", "--password-stdin", stdin=nothing, check=False)
        assert r.returncode == 64 and "nothing came" in r.stderr


def test_raw_result_is_one_line_of_json(one):
    out = one.ctl("--json", "location", "list").stdout
    assert out == '{"bindings":[]}\n'
    assert one.ctl("location", "list", "--json").stdout == out


def test_static_bindings_expire_have_q_and_are_printed(one):
    one.ctl("location", "add", "bob@example.com", "sip:bob@192.0.2.1", "--q", "0.25", "--expires", "100")
    one.ctl("location", "add", "sip:bob@EXAMPLE.com", "sip:bob@192.0.2.2;transport=tcp")
    bs = {b["contact"]: b for b in one.json("location", "list", "bob@example.com")["bindings"]}
    assert len(bs) == 2
    b = bs["sip:bob@192.0.2.1"]
    assert set(b) == {"aor", "contact", "expires", "q", "call_id", "cseq", "instance", "reg_id", "pub_gruu",
                      "temp_gruu", "path", "flow", "flow_state", "received", "user_agent", "static"}
    assert b["aor"] == "sip:bob@example.com" and b["q"] == 0.25 and 98 <= b["expires"] <= 100 and b["static"] is True
    b = bs["sip:bob@192.0.2.2;transport=tcp"]
    assert b["expires"] is None and b["flow_state"] == "none" and b["path"] == []
    assert one.json("status")["bindings"] == 2
    table = one.ctl("location", "list").stdout.splitlines()
    assert table[0].split()[:3] == ["AOR", "CONTACT", "EXPIRES"] and len(table) == 3
    assert one.json("location", "rm", "bob@example.com", "sip:bob@192.0.2.1")["bindings"][0]["contact"] == \
        "sip:bob@192.0.2.2;transport=tcp"
    assert one.ctl("location", "rm", "bob@example.com", "sip:other@192.0.2.9", check=False).returncode == 1
    one.ctl("location", "rm", "bob@example.com")
    assert one.json("location", "list")["bindings"] == []


@pytest.mark.parametrize("args, what", [
    (["bob@elsewhere.org", "sip:a@b"], "no domain of this server"),
    (["tel:+1", "sip:a@b"], "address-of-record"),
    (["@", "sip:a@b"], "address-of-record"),
    (["bob@example.com", "mailto:a@b"], "SIP URI"),
    (["bob@example.com", "sip:a b"], "SIP URI"),
    (["bob@example.com", "sip:a@b", "--q", "1.5"], "--q wants"),
    (["bob@example.com", "sip:a@b", "--q", "x"], "--q wants"),
    (["bob@example.com", "sip:a@b", "--expires", "0"], "--expires wants"),
    (["bob@example.com", "sip:a@b", "--expires", "-5"], "--expires wants"),
])
def test_wrong_bindings_are_refused(one, args, what):
    r = one.ctl("location", "add", *args, check=False)
    assert r.returncode == 1 and what in r.stderr, r.stderr


def test_stats_are_counters_by_prefix(one):
    all_of = one.json("stats")["counters"]
    assert len(all_of) > 20
    some = one.json("stats", "belfry_tran")["counters"]
    assert some and all(c["name"].startswith("belfry_tran") for c in some)
    assert one.json("stats", "tran") == {"counters": some}
    assert one.json("stats", "nothing_such")["counters"] == []


def test_log_level_changes_at_run_time(make_server):
    s = make_server(extra="", workers=1)
    s.ctl("log-level", "error")
    mark = len(s.log())
    s.ctl("location", "add", "bob@example.com", "sip:bob@192.0.2.1")
    assert "control.command" not in s.log()[mark:]
    s.ctl("log-level", "notice")
    s.ctl("location", "rm", "bob@example.com")
    s.wait_log("method=location.rm")
    r = s.ctl("log-level", "loud", check=False)
    assert r.returncode == 1 and "debug, info, notice" in r.stderr


def test_changing_commands_are_logged_with_who_asked(one):
    one.ctl("location", "add", "bob@example.com", "sip:bob@192.0.2.1")
    one.wait_log("event=control.command method=location.add uid=%d pid=" % os.getuid())
    one.ctl("location", "list")
    assert "method=location.list" not in one.log()


def test_modules_are_listed(one):
    ms = {m["name"]: m for m in one.json("modules")["modules"]}
    assert set(ms) == {"auth", "registrar"} and "REGISTER" in ms["registrar"]["hooks"]


def test_transactions_are_listed(make_server, peer):
    s = make_server(workers=1)
    alice, bob, inv, got = ringing(s, peer)
    ts = s.json("transactions")["transactions"]
    mine = [t for t in ts if t["method"] == "INVITE"]
    assert {t["side"] for t in mine} == {"server", "client"}
    assert all(t["state"] == "proceeding" for t in mine)
    assert s.json("status")["transactions"] == 1
    assert "proceeding" in s.ctl("transactions").stdout
    bob.reply(got, 486, "Busy Here")
    alice.ack(inv, alice.expect(486))


def test_explain_and_why(make_server, peer):
    s = make_server(workers=1)
    alice, bob = peer(s), peer(s, user="bob")
    bob.register()
    ds = s.json("explain", "INVITE", bob.aor)["decisions"]
    assert any(d["rule"] == "location" and bob.contact.strip("<>") in d["text"] for d in ds), ds
    assert all(d["rule"] and d["text"] for d in ds)
    assert bob.recv(0.2) is None
    assert "RULE" in s.ctl("explain", "OPTIONS", "sip:example.com", "--source", "127.0.0.9:5070").stdout
    assert s.ctl("explain", "INVITE", "not a uri", check=False).returncode == 1
    assert s.ctl("explain", "INVITE", bob.aor, "--source", "x", check=False).returncode == 1
    inv = alice.request("INVITE", bob.aor)
    alice.send(inv.raw)
    bob.reply(bob.expect("INVITE"), 486, "Busy Here")
    alice.ack(inv, alice.final(inv))
    calls = s.json("why", inv["Call-ID"])["calls"]
    assert len(calls) == 1 and any(d["rule"] == "location" for d in calls[0]["decisions"])
    assert s.ctl("why", "no-such-call", check=False).returncode == 1


def test_dns_shows_where_a_uri_leads(one):
    ts = one.json("dns", "sip:bob@192.0.2.7:5070;transport=tcp")["targets"]
    assert len(ts) == 1 and ts[0]["transport"] == "tcp" and ts[0]["address"] == "192.0.2.7:5070"
    assert ts[0]["order"] == 1 and ts[0]["failed"] is False
    assert one.json("dns", "sip:[2001:db8::1]")["targets"][0]["address"] == "[2001:db8::1]:5060"
    for wrong in ("tel:+1", "nonsense", "sips:bob@192.0.2.7"):
        assert one.ctl("dns", wrong, check=False).returncode == 1


def test_dns_records_lead_to_the_listeners(make_server):
    s = make_server(workers=1, name="sip.example.net", domains=("example.com", "example.org"))
    rs = s.json("dns-records")["records"]
    for d in ("example.com.", "example.org."):
        assert {"name": "_sip._udp." + d, "type": "SRV", "data": "10 10 %d sip.example.net." % s.port} in rs
        assert {"name": d, "type": "NAPTR", "data": '50 50 "s" "SIP+D2T" "" _sip._tcp.' + d} in rs
    assert len(rs) == 8
    assert "NAPTR" in s.ctl("dns-records").stdout


def test_dns_records_make_up_a_name_for_an_address(one):
    rs = one.json("dns-records")["records"]
    assert {"name": "sip.example.com.", "type": "A", "data": "127.0.0.1"} in rs
    assert any(r["type"] == "SRV" and r["data"].endswith(" sip.example.com.") for r in rs)


def test_dns_records_have_the_address_of_a_name_in_the_domain(make_server):
    s = make_server(workers=1, name="sip.example.com", domains=("example.com", "notexample.com"), listen=
                    '{ transport = "udp"; address = "127.0.0.7"; port = %d; }' % free_port())
    rs = s.json("dns-records")["records"]
    assert [r for r in rs if r["type"] in ("A", "AAAA")] == [{"name": "sip.example.com.", "type": "A", "data": "127.0.0.7"}]
    s = make_server(workers=1, name="sip.example.com", listen='{ transport = "udp"; address = "0.0.0.0"; port = %d; }'
                    % free_port())
    got = [r for r in s.json("dns-records")["records"] if r["type"] == "A"]
    assert len(got) == 1 and got[0]["name"] == "sip.example.com." and got[0]["data"] != "0.0.0.0"


def test_flows_are_those_of_bindings(make_server, peer, workers):
    s = make_server(workers=workers)
    assert s.json("flows")["flows"] == []
    bob, carol = peer(s, user="bob", proto="tcp"), peer(s, user="carol")
    stream = bob.stream()
    bob.register()
    carol.register()
    fs = {f["kind"]: f for f in s.json("flows")["flows"]}
    f = fs["stream"]
    assert f["transport"] == "tcp" and f["aors"] == ["sip:bob@example.com"] and f["age"] >= 0 and f["idle"] >= 0
    assert f["remote"].endswith(":%d" % stream.sock.getsockname()[1]) and f["local"].endswith(":%d" % s.port)
    assert "sip:bob@example.com" in s.ctl("flows").stdout
    stream.close()
    bob.streams.clear()
    s.wait_for(lambda: not any(f["kind"] == "stream" for f in s.json("flows")["flows"]), "no stream")


# --- the protocol ---------------------------------------------------------------------------------

def test_rpc_errors_have_their_codes(rpc):
    rpc.send(b"nonsense\n")
    assert rpc.recv()["error"]["code"] == -32700
    rpc.send([{"jsonrpc": "2.0", "id": 1, "method": "status"}])
    assert rpc.recv()["error"]["code"] == -32600
    for line in (b"1\n", b"null\n", b'"status"\n', b"[]\n"):
        rpc.send(line)
        assert rpc.recv()["error"]["code"] == -32600
    rpc.send({"jsonrpc": "2.0", "id": "x", "method": "no.such"})
    r = rpc.recv()
    assert r["error"]["code"] == -32601 and r["id"] == "x"
    assert rpc.call("status", nonsense=1)["error"]["code"] == -32602
    assert rpc.call("location.add", aor="bob@example.com")["error"]["code"] == -32602
    r = rpc.call("user.add", aor="bob@example.com", priority="yes")
    assert r["error"]["code"] == -32602 and "true or false is wanted" in r["error"]["message"]
    assert rpc.call("location.rm", aor="bob@example.com")["error"]["code"] == 1
    assert rpc.call("status")["result"]["ready"] is True


def test_numbers_are_taken_as_arguments(rpc):
    r = rpc.call("location.add", aor="bob@example.com", uri="sip:bob@192.0.2.1", expires=60, q=0.5)
    assert r["result"]["bindings"][0]["q"] == 0.5 and 58 <= r["result"]["bindings"][0]["expires"] <= 60


def test_requests_in_one_write_are_answered_in_order(rpc):
    rpc.send(b"".join(json.dumps({"jsonrpc": "2.0", "id": i, "method": "status" if i % 2 else "modules"}).encode() +
                      b"\n" for i in range(50)))
    assert [rpc.recv()["id"] for _ in range(50)] == list(range(50))


def test_notification_gets_no_answer(rpc):
    rpc.send({"jsonrpc": "2.0", "method": "status"})
    assert rpc.call("modules")["id"] == 1


def test_request_may_come_in_pieces_and_the_end_follow_at_once(one):
    r = Rpc(one)
    for b in json.dumps({"jsonrpc": "2.0", "id": 7, "method": "status"}).encode() + b"\n":
        r.send(bytes([b]))
    r.sock.shutdown(socket.SHUT_WR)
    assert r.recv()["id"] == 7 and r.recv() is None
    r.close()


@pytest.mark.parametrize("n", [262144, 300000, 5000000])
def test_line_that_is_too_long_is_told_so_and_is_the_last(one, n):
    r = Rpc(one)
    r.send(b"x" * n + b"\n" + json.dumps({"jsonrpc": "2.0", "id": 1, "method": "status"}).encode() + b"\n")
    answer = r.recv()
    assert answer["error"]["code"] == -32600 and "too long" in answer["error"]["message"]
    assert r.recv() is None
    r.close()
    assert one.json("status")["ready"] is True


def test_client_that_leaves_before_its_answer_harms_nothing(one):
    for _ in range(200):
        r = Rpc(one)
        r.send({"jsonrpc": "2.0", "id": 1, "method": "status"})
        r.close()
    assert one.json("status")["ready"] is True


def test_idle_clients_give_way(one):
    idle = [Rpc(one) for _ in range(250)]
    assert idle[0].call("status")["result"]["ready"] is True
    idle += [Rpc(one) for _ in range(100)]
    assert one.json("status")["ready"] is True
    assert idle[0].call("status")["result"]["ready"] is True  # it was not the one that had asked nothing for longest
    assert idle[1].recv() is None
    assert idle[-1].call("status")["result"]["ready"] is True
    for r in idle:
        r.close()


def test_slow_reader_does_not_block_others(one):
    filler = Rpc(one)
    for i in range(300):
        filler.call("location.add", aor="u%d@example.com" % i, uri="sip:u%d@192.0.2.1;x=%s" % (i, "y" * 400))
    slow = Rpc(one)
    for _ in range(100):
        slow.send({"jsonrpc": "2.0", "id": 1, "method": "location.list"})
    assert one.json("status")["bindings"] == 300
    slow.close()
    filler.close()


# --- the socket -----------------------------------------------------------------------------------

def test_what_a_server_says_does_not_steer_the_terminal(tmpdir_short):
    path = str(tmpdir_short / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)

        def serve():
            conn = listener.accept()[0]
            lines = conn.makefile()
            for answer in ({"result": {"commands": [{"name": "status", "args": [], "help": ""}]}},
                           {"error": {"code": 1, "message": "no \x1b[2J\nlevel=x \x9b1m \x7f"}}):
                answer.update(jsonrpc="2.0", id=json.loads(lines.readline())["id"])
                conn.sendall(json.dumps(answer).encode() + b"\n")
            conn.close()
        thread = threading.Thread(target=serve)
        thread.start()
        r = subprocess.run([BUILD / "src/belfryctl", "-s", path, "status"], capture_output=True, text=True, timeout=WAIT_S)
        thread.join()
    assert r.returncode == 1 and r.stderr == "belfryctl: no ?[2J?level=x ??1m ?\n", r.stderr


def test_socket_has_the_mode_of_the_configuration(make_server):
    s = make_server(start=False)
    s.conf_file.write_text(s.conf_file.read_text().replace('control: { ', 'control: { mode = 384; '))
    s.start()
    assert stat.S_IMODE(os.stat(s.socket).st_mode) == 0o600
    s.stop()
    assert not s.socket.exists()


def test_stale_socket_is_replaced_and_a_live_one_is_not(make_server):
    a = make_server(workers=1)
    a.kill()
    assert a.socket.exists()
    a.start()
    assert a.json("status")["ready"] is True
    b = make_server(start=False, workers=1)
    b.conf_file.write_text(b.conf_file.read_text().replace('control: { ', 'control: { socket = "%s"; ' % a.socket))
    b.start(wait=False)
    assert b.process.wait(WAIT_S) == 2
    assert "another process listens there" in b.log()
    b.process = None
    assert a.json("status")["ready"] is True


def test_group_of_the_socket_must_exist_unless_it_is_the_default(make_server):
    s = make_server(start=False, workers=1)
    text = s.conf_file.read_text()
    s.conf_file.write_text(text.replace('control: { group = ""; };', ""))
    s.start()
    assert s.json("status")["ready"] is True
    s.stop()
    s.conf_file.write_text(text.replace('group = ""; };\n', 'group = "no-such-group"; };\n'))
    s.start(wait=os.geteuid() != 0)
    if os.geteuid() == 0:
        assert s.process.wait(20) == 2 and 'unknown group \\"no-such-group\\"' in s.log()
        s.process = None


def test_what_is_no_socket_stays(make_server):
    s = make_server(start=False, workers=1)
    s.socket.parent.mkdir()
    s.socket.write_text("mine")
    s.start(wait=False)
    assert s.process.wait(WAIT_S) == 2 and "no socket" in s.log()
    s.process = None
    assert s.socket.read_text() == "mine"
