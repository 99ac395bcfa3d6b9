# SPDX-License-Identifier: Apache-2.0
"""`belfryctl trace`: the ladder, messages as on the wire, capture files, filters, and no credentials."""
import base64
import json
import re
import shutil
import signal
import socket
import subprocess

import conftest
import pytest
from siplib import WAIT_S, digest

needs_tshark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")


class Trace:
    """A `belfryctl trace` that runs."""

    def __init__(self, server, *args, json_=False, width=100):
        words = ["--json"] if json_ else []
        self.process = subprocess.Popen(
            [conftest.BUILD / "src/belfryctl", "-s", server.socket, *words, "trace", *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"PATH": "/usr/bin:/bin", "COLUMNS": str(width), "TZ": "UTC"})
        self.text = ""
        line = self.process.stderr.readline()
        assert "Ctrl-C" in line, line + self.process.stderr.read()

    def until(self, pattern):
        """Reads lines until one matches."""
        while True:
            line = self.process.stdout.readline()
            assert line, "no %r in\n%s" % (pattern, self.text)
            self.text += line
            if re.search(pattern, line):
                return line

    def end(self, how=signal.SIGINT):
        """All it has said; the exit code is that of a good end."""
        if how:
            self.process.send_signal(how)
        self.text += self.process.stdout.read()  # communicate() would miss what has been buffered
        err = self.process.stderr.read()
        assert self.process.wait(WAIT_S) == 0, err
        return self.text


@pytest.fixture
def trace():
    made = []

    def make(*args, **kw):
        made.append(Trace(*args, **kw))
        return made[-1]
    yield make
    for t in made:
        if t.process.poll() is None:
            t.process.kill()
            t.process.communicate()


def one_call(alice, bob, **kw):
    """INVITE .. BYE; the Call-ID."""
    inv = alice.request("INVITE", bob.aor, **kw)
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    bob.reply(got, 180, "Ringing")
    bob.reply(got, 200, "OK")
    alice.expect(180)
    ok = alice.expect(200)
    alice.ack(inv, ok)
    bob.expect("ACK")
    bye = alice.in_dialog("BYE", inv, ok)
    alice.send(bye.raw)
    bob.reply(bob.expect("BYE"), 200, "OK")
    alice.expect(200)
    return inv["Call-ID"]


def arrows(text):
    """(left address?, arrow, label) of each line with an arrow."""
    return [m.group(1).strip() for m in re.finditer(r"(?:--|<-+) ([A-Z0-9][\w ]*?) -", text)]


def test_a_call_is_drawn_as_it_happens(server, peer, trace):
    alice, bob = peer(server, user="alice"), peer(server, user="bob", proto="tcp")
    bob.register()
    t = trace(server)
    call_id = one_call(alice, bob)
    t.until(r"200 OK.*BYE")
    text = t.end()
    assert "[1] sip:alice@example.com -> sip:bob@example.com  Call-ID " + call_id in text
    assert alice.hostport in text and "belfry" in text
    got = arrows(text)
    assert got[0] == "INVITE" and got.count("180 Ringing") == 2 and got.count("200 OK") >= 3
    assert got.count("ACK") == 2 and got.count("BYE") == 2 and got.count("INVITE") == 2
    lines = text.splitlines()
    assert any(re.match(r"\d\d:\d\d:\d\d\.\d{3} +\|-+ INVITE -+>\|  udp  1 INVITE$", x) for x in lines), text
    assert any(re.match(r"\d\d:\d\d:\d\d\.\d{3} +\| +\|-+ INVITE -+>\|  tcp  1 INVITE$", x) for x in lines), text
    assert any(re.match(r".*\|<-+ 180 Ringing -+\| +\|  udp  1 INVITE$", x) for x in lines), text
    assert all(len(x) <= 110 for x in lines)


def test_filters_show_the_whole_of_the_calls_that_match(server, peer, trace):
    alice, bob, carol = (peer(server, user=u) for u in ("alice", "bob", "carol"))
    bob.register()
    carol.register()
    by_user = trace(server, "--user", "carol", "--count", "7", json_=True)
    by_aor = trace(server, "--user", "sip:carol@EXAMPLE.com", "--count", "7", json_=True)
    by_call = trace(server, "--call-id", "this-one", "--count", "7", json_=True)
    by_source = trace(server, "--source", carol.hostport, "--count", "7", json_=True)
    other = alice.request("OPTIONS", "sip:bob@example.com")
    alice.send(other.raw)
    bob.reply(bob.expect("OPTIONS"), 200, "OK")
    alice.expect(200)
    inv = alice.request("INVITE", "sip:carol@example.com", call_id="this-one")
    alice.send(inv.raw)
    got = carol.expect("INVITE")
    carol.reply(got, 603, "Decline")
    carol.expect("ACK")
    alice.ack(inv, alice.expect(603))
    for t, n in ((by_user, 7), (by_aor, 7), (by_call, 7)):
        seen = [json.loads(x) for x in t.end(None).splitlines()]
        assert seen[0] == {"started": True}
        assert {m["call_id"] for m in seen[1:]} == {"this-one"}
        assert len(seen) == 1 + n
        assert [m.get("method") or m["status"] for m in seen[1:]] in (
            ["INVITE", "INVITE", 100, 603, "ACK", 603, "ACK"], ["INVITE", 100, "INVITE", 603, "ACK", 603, "ACK"])
    by_source.until("ACK")  # begins with what goes to carol
    by_source.end()


def test_facts_of_a_message_are_told_to_programs(server, peer, trace):
    alice = peer(server, user="alice")
    t = trace(server, "-v", "--count", "2", json_=True)
    req = alice.request("OPTIONS", "sip:example.com", body=b"\xff\x00bytes")
    alice.send(req.raw)
    ok = alice.expect(200)
    first, second = [json.loads(x) for x in t.end(None).splitlines()][1:]
    assert (first["direction"], first["transport"], first["source"]) == ("received", "udp", alice.hostport)
    assert first["destination"] == "127.0.0.1:%d" % server.port
    assert (first["method"], first["uri"], first["cseq"]) == ("OPTIONS", "sip:example.com", "1 OPTIONS")
    assert (first["from"], first["to"]) == ("sip:alice@example.com", "sip:example.com")
    assert base64.b64decode(first["base64"]) == req.raw and first["bytes"] == len(req.raw)
    assert (second["direction"], second["status"], second["reason"]) == ("sent", 200, "OK")
    assert second["destination"] == alice.hostport
    assert second["text"].encode() == ok.raw


def test_the_address_behind_a_wildcard_is_found(make_server, peer, trace, workers):
    listen = '{ transport = "udp"; address = "0.0.0.0"; port = %d; }'
    server = make_server(conf=lambda d, port: conftest.make_conf(d, port, workers, listen=listen % port))
    alice, bob = peer(server, user="alice"), peer(server, user="bob")
    bob.register()
    t = trace(server, "--count", "2", json_=True)
    alice.send(alice.request("MESSAGE", "sip:bob@example.com").raw)
    bob.expect("MESSAGE")
    seen = [json.loads(x) for x in t.end(None).splitlines()][1:]
    here = "127.0.0.1:%d" % server.port
    assert [(m["source"], m["destination"]) for m in seen] == [(alice.hostport, here), (here, bob.hostport)]


def test_messages_are_shown_as_on_the_wire(server, peer, trace):
    alice = peer(server, user="alice")
    t = trace(server, "-v", "--count", "2")
    req = alice.request("OPTIONS", "sip:example.com", headers=["Subject: \x1b[31mred"])
    alice.send(req.raw)
    alice.expect(200)
    text = t.end(None)
    assert "\nOPTIONS sip:example.com SIP/2.0\nVia: " + req["Via"] in text
    assert "\nSubject: ?[31mred\n" in text and "\x1b" not in text
    assert "\nSIP/2.0 200 OK\n" in text


def test_a_message_copied_from_the_terminal_can_be_explained(server, peer, trace, tmp_path):
    alice, bob = peer(server, user="alice"), peer(server, user="bob")
    bob.register()
    t = trace(server, "-v", "--count", "1")
    req = alice.request("INVITE", "sip:bob@example.com", body=b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n")
    alice.send(req.raw)
    text = t.end(None)
    f = tmp_path / "m"
    f.write_text(text[text.index("INVITE sip:bob"):].rstrip("\n") + "\n")
    got = [d["text"] for d in server.json("explain", "--message", f)["decisions"]]
    assert "sent by UDP to " + bob.hostport in got, got


def test_no_credentials_are_shown(make_server, peer, trace, workers, tmp_path):
    server = make_server(workers=workers, auth='register = true; calls = "local";', relay="users")
    server.ctl("user", "add", "alice@example.com", "--password-stdin", stdin="secret\n")
    alice = peer(server, user="alice")
    pcap = tmp_path / "x.pcap"
    t = trace(server, "-v")
    p = trace(server, "--pcap", str(pcap), json_=True)
    r = alice.register(expect=401)
    alice.reg_cseq += 1
    auth = digest(r, "REGISTER", "sip:example.com", "alice", "secret")
    proof = re.search(r'response="([0-9a-f]+)"', auth).group(1)
    alice.register(headers=["Authorization: " + auth])
    other = alice.request("MESSAGE", "sip:alice@example.com", headers=[
        "Proxy-Authorization: " + digest(r, "MESSAGE", "sip:alice@example.com", "alice", "secret", nc=2),
        "Authorization: Basic c2VjcmV0", "P-Old: <sip:alice:sesame@elsewhere.example>"],
        body=b"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:sesame|2^20\r\na=ice-pwd:sesame\r\n")
    alice.send(other.raw)
    alice.expect("MESSAGE")
    t.until("MESSAGE.*1 MESSAGE|1 MESSAGE")
    t.until("1 MESSAGE")
    p.until('"method":"MESSAGE"')
    p.until('"method":"MESSAGE"')
    text = t.end() + p.end() + pcap.read_bytes().decode("latin-1")
    assert proof not in text and "c2VjcmV0" not in text and "sesame" not in text
    assert "alice:xxxxxx@elsewhere.example" in text and "inline:xxxxxx|2^20" in text and "a=ice-pwd:xxxxxx" in text
    assert text.count('response="%s"' % ("x" * len(proof))) >= 4
    assert "Authorization: Basic xxxxxxxx" in text


@needs_tshark
def test_tshark_reads_the_capture(server, peer, trace, tmp_path):
    alice, bob = peer(server, user="alice", ip="::1"), peer(server, user="bob", proto="tcp")
    bob.register()
    pcap = tmp_path / "x.pcap"
    t = trace(server, "--pcap", str(pcap), json_=True)
    call_id = one_call(alice, bob, body=b"v=0\r\n" * 600)
    t.until('"cseq":"2 BYE".*"status":200')
    t.until('"cseq":"2 BYE".*"status":200')
    t.end()
    r = subprocess.run(["tshark", "-r", pcap, "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
                        "-o", "ip.check_checksum:TRUE", "-T", "fields", "-E", "separator=|",
                        "-e", "sip.Method", "-e", "sip.Status-Code", "-e", "sip.Call-ID", "-e", "ip.version",
                        "-e", "ipv6.version", "-e", "_ws.malformed", "-e", "udp.checksum.status",
                        "-e", "tcp.checksum.status", "-e", "ip.checksum.status"],
                       capture_output=True, text=True, check=True)
    rows = [x.split("|") for x in r.stdout.splitlines()]
    assert [x[0] or x[1] for x in rows].count("INVITE") == 2, r.stdout
    assert [x[0] for x in rows if x[0]].count("BYE") == 2 and [x[0] for x in rows].count("ACK") == 2
    assert [x[1] for x in rows].count("180") == 2 and [x[1] for x in rows].count("200") == 4
    assert all(x[2] == call_id for x in rows) and not any(x[5] for x in rows)
    assert all((x[6] or x[7]) == "1" and x[8] in ("", "1") for x in rows), r.stdout
    assert {x[4] for x in rows} == {"6", ""}


@needs_tshark
def test_a_capture_goes_to_the_standard_output(server, peer):
    alice = peer(server, user="alice")
    p = subprocess.Popen([conftest.BUILD / "src/belfryctl", "-s", server.socket, "trace", "--pcap", "-", "--count", "2"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert b"Ctrl-C" in p.stderr.readline()
    alice.ask(alice.request("OPTIONS", "sip:example.com"))
    out, _ = p.communicate(timeout=WAIT_S)
    r = subprocess.run(["tshark", "-r", "-", "-Y", "sip"], input=out, capture_output=True)
    assert r.stdout.count(b"OPTIONS") >= 2, r.stderr


def test_a_client_that_does_not_read_is_told_what_it_missed(server, peer):
    """Bounded in memory: the rest is dropped and counted, and calls go on."""
    alice = peer(server, user="alice")
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(str(server.socket))
    s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"trace","params":{"v":true}}\n')
    f = s.makefile("rb")
    assert json.loads(f.readline())["params"] == {"started": True}
    n = 400  # some 12 MB
    for i in range(n):
        assert alice.ask(alice.request("OPTIONS", "sip:example.com", body=b"x" * 30000)).status == 200
    seen = dropped = 0
    marker = alice.request("OPTIONS", "sip:example.com", call_id="the-last-one")
    s.settimeout(WAIT_S)
    told = False
    while True:
        p = json.loads(f.readline())["params"]
        dropped += p.get("dropped", 0)
        seen += "time" in p
        if seen > 50 and not told:
            alice.ask(marker)  # what was dropped is told with the next message
            told = True
        if p.get("call_id") == "the-last-one" and p["direction"] == "sent":
            break
    assert dropped > 0 and seen + dropped == 2 * n + 2
    s.close()
    assert server.json("status")["ready"]


def test_the_trace_ends_with_its_client_and_with_the_server(server, peer, trace):
    alice = peer(server, user="alice")
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        t = trace(server)
        if how == signal.SIGKILL:
            t.process.kill()
            t.process.communicate()
        else:
            t.end(how)
        alice.ask(alice.request("OPTIONS", "sip:example.com"))
    # the client's end of input is its end
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(str(server.socket))
    s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"trace"}\n')
    assert b"started" in s.recv(1000)
    s.shutdown(socket.SHUT_WR)
    s.settimeout(WAIT_S)
    assert s.recv(1000) == b""
    t = trace(server)
    server.ctl("stop")
    out, err = t.process.communicate(timeout=WAIT_S)
    assert t.process.returncode == 2 and "closed the connection" in err
    assert server.process.wait(WAIT_S) == 0


def test_wrong_arguments_are_refused(server, tmp_path):
    for args in (["--source", "example.com"], ["--count", "0"], ["--count", "x"], ["--user", "a@"]):
        r = server.ctl("trace", *args, check=False)
        assert r.returncode == 1 and args[0] in r.stderr, args
    assert server.ctl("trace", "-x", check=False).returncode == 64
    assert server.ctl("trace", "--pcap", "/nonexistent/x", check=False).returncode == 1
    assert server.ctl("trace", "--pcap", "/dev/full", check=False).returncode == 1
