# SPDX-License-Identifier: Apache-2.0
"""Nothing acknowledged is ever lost: SIGKILL under load, power loss, full disk (doc/durability.md)."""
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

import pytest
from conftest import WAIT_S, Daemon, free_port, make_conf
from siplib import Msg, param, uri_of, unique

ROUNDS = int(os.environ.get("BELFRY_KILL_ROUNDS", "13"))  # times two durabilities times workers: 52
USERS = 60


class Registrant:
    """One AOR with one REGISTER in flight. What it must hold is what was acknowledged last, or what
    was on its way when the server died."""

    def __init__(self, n):
        self.user, self.call_id, self.cseq = "u%03d" % n, unique("k"), 0
        self.acked, self.pending = frozenset(), None

    def next(self, rnd, hostport):
        self.cseq += 1
        if self.acked and rnd.random() < 0.25:
            self.pending, contact, expires = frozenset(), "*", 0
        else:
            ports = rnd.sample(range(10000, 60000), rnd.choice((1, 2)))
            drop = sorted(self.acked)
            uris = ["sip:%s@127.0.0.1:%d" % (self.user, p) for p in ports]
            uris = [u for u in uris if u not in self.acked] or ["sip:%s@127.0.0.1:%d" % (self.user, 60001 + self.cseq)]
            self.pending = frozenset(uris)
            contact = ", ".join(["<%s>;expires=600" % u for u in uris] + ["<%s>;expires=0" % u for u in drop])
            expires = 600
        self.branch = unique("z9hG4bK")
        return ("REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s\r\nMax-Forwards: 70\r\n"
                "From: <sip:%s@example.com>;tag=1\r\nTo: <sip:%s@example.com>\r\nCall-ID: %s\r\nCSeq: %d REGISTER\r\n"
                "Contact: %s\r\nExpires: %d\r\nContent-Length: 0\r\n\r\n" % (
                    hostport, self.branch, self.user, self.user, self.call_id, self.cseq, contact, expires)).encode()

    def settle(self, found):
        """After a restart: @found is the truth if it is allowed."""
        allowed = {self.acked} | ({self.pending} if self.pending is not None else set())
        assert found in allowed, "%s: %s after the restart, acknowledged %s, on its way %s" % (
            self.user, set(found), set(self.acked), self.pending and set(self.pending))
        self.acked, self.pending = found, None


class Load:
    def __init__(self, server, users):
        self.server, self.rnd = server, random.Random(4711)
        self.regs = [Registrant(i) for i in range(users)]
        self.by_call = {r.call_id: r for r in self.regs}
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.hostport = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.acks = 0

    def send(self, r):
        try:
            self.sock.sendto(r.next(self.rnd, self.hostport), self.server.addr())
        except OSError:
            pass

    def run(self, acks, want=200):
        """Registers until @acks more have been acknowledged."""
        goal, end = self.acks + acks, time.monotonic() + 2 * WAIT_S
        for r in self.regs:
            if r.pending is None:
                self.send(r)
        self.sock.settimeout(0.5)
        while self.acks < goal:
            assert time.monotonic() < end, "too few answers\n" + self.server.log()[-2000:]
            try:
                m = Msg(self.sock.recv(65536))
            except (socket.timeout, ConnectionRefusedError):
                continue
            r = self.by_call[m["Call-ID"]]
            if m.cseq != r.cseq or m.status == 100:
                continue
            assert m.status == want, m.start
            assert frozenset(uri_of(c) for c in m.values("Contact")) == r.pending
            r.acked, r.pending = r.pending, None
            self.acks += 1
            self.send(r)

    def drain_socket(self):
        """Answers that left before the server died count as acknowledged."""
        self.sock.settimeout(0.05)
        while True:
            try:
                m = Msg(self.sock.recv(65536))
            except ConnectionRefusedError:
                continue
            except OSError:
                return
            r = self.by_call[m["Call-ID"]]
            if m.status == 200 and m.cseq == r.cseq and r.pending is not None:
                r.acked, r.pending = r.pending, None

    def check(self, server):
        found = {}
        for b in server.json("location", "list")["bindings"]:
            found.setdefault(b["aor"], set()).add(b["contact"])
            assert b["call_id"] == self.by_call[b["call_id"]].call_id and b["expires"] <= 600
        for r in self.regs:
            r.settle(frozenset(found.pop("sip:%s@example.com" % r.user, set())))
        assert not found, "bindings from nowhere: %s" % found


def integrity(server):
    db = sqlite3.connect("file:%s?mode=ro" % (server.dir / "state/belfry.db"), uri=True)
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    db.close()


@pytest.mark.parametrize("durability", ["full", "process"])
def test_sigkill_at_random_moments_loses_nothing(make_server, workers, durability):
    server = make_server(workers=workers, registrar='durability = "%s"; max_contacts = 20;' % durability)
    load = Load(server, USERS)
    rnd = random.Random(workers * 7 + len(durability))
    for _ in range(ROUNDS):
        load.run(rnd.randrange(20, 400))
        server.kill()
        load.drain_socket()
        server.start()
        integrity(server)
        load.check(server)


def test_async_bindings_are_written_at_stop(make_server, workers):
    server = make_server(workers=workers, registrar='durability = "async"; max_contacts = 20; flush_interval = 60;')
    load = Load(server, USERS)
    load.run(300)
    load.drain_socket()
    while any(r.pending is not None for r in load.regs):
        load.drain_socket()
    server.stop()
    server.start()
    load.check(server)


def test_a_call_reaches_the_phone_after_sigkill_without_a_new_register(make_server, workers, peer):
    server = make_server(workers=workers, registrar='durability = "full";')
    alice, bob, carol = peer(server), peer(server, user="bob"), peer(server, user="carol", proto="tcp")
    bob.register()
    carol.register()
    server.kill()
    server.start()
    bs = {b["aor"]: b for b in server.json("location", "list")["bindings"]}
    assert bs["sip:carol@example.com"]["flow_state"] == "dead"
    req = alice.request("MESSAGE", bob.aor)
    alice.send(req.raw)
    bob.reply(bob.expect("MESSAGE"), 200, "OK")
    assert alice.final(req).status == 200
    # Her connection is gone: 480 until she comes back.
    assert alice.ask(alice.request("MESSAGE", carol.aor)).status == 480
    for s in carol.streams:
        s.close()
    carol.streams.clear()
    carol.register()
    req = alice.request("MESSAGE", carol.aor)
    alice.send(req.raw)
    carol.reply(carol.expect("MESSAGE"), 200, "OK")
    assert alice.final(req).status == 200


def mount(*args):
    return os.geteuid() == 0 and subprocess.run(["mount", *map(str, args)], stderr=subprocess.DEVNULL).returncode == 0


def umount(path):
    for _ in range(50):
        if subprocess.run(["umount", str(path)], stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.05)


@pytest.fixture
def on_image(tmpdir_short):
    """A file system in an image file, so that a copy of the image is what a power cut leaves."""
    image, where = tmpdir_short / "image", tmpdir_short / "mnt"
    where.mkdir()
    with open(image, "wb") as f:
        f.truncate(96 << 20)
    if not shutil.which("mkfs.ext4") or subprocess.run(["mkfs.ext4", "-q", str(image)]).returncode \
            or not mount("-o", "loop", image, where):
        pytest.skip("needs root and loop devices")
    yield image, where
    umount(where)


def test_power_loss_keeps_every_acknowledged_binding(make_server, workers, on_image, tmpdir_short):
    image, where = on_image
    state = where / "state"

    def conf(d, port):
        return make_conf(d, port, workers=workers, registrar='durability = "full"; max_contacts = 20;').replace(
            '"%s/state"' % d, '"%s"' % state)
    server = make_server(conf=conf)
    load = Load(server, USERS)
    for _ in range(3):
        load.run(200)
        server.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, server.process.pid, os.WSTOPPED)  # all threads stand still
        load.drain_socket()
        shutil.copyfile(image, str(image) + ".cut")
        server.process.send_signal(signal.SIGCONT)
        # What the copy holds: exactly what had been acknowledged, or what was on its way.
        cut = tmpdir_short / "cut"
        cut.mkdir(exist_ok=True)
        assert mount("-o", "loop", str(image) + ".cut", cut)
        try:
            db = sqlite3.connect(str(cut / "state/belfry.db"))
            assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            found = {}
            for user, contact in db.execute("SELECT user, contact FROM location"):
                found.setdefault(user, set()).add(contact)
            db.close()
        finally:
            umount(cut)
        for r in load.regs:
            allowed = {r.acked} | ({r.pending} if r.pending is not None else set())
            assert frozenset(found.get(r.user, set())) in allowed, r.user
    server.stop()


def test_a_full_disk_loses_nothing_and_recovers_by_itself(make_server, workers, tmpdir_short, peer):
    where = tmpdir_short / "small"
    where.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=600k", "none", where):
        pytest.skip("needs root and tmpfs")
    try:
        def conf(d, port):
            return make_conf(d, port, workers=workers, registrar='durability = "full";').replace(
                '"%s/state"' % d, '"%s/state"' % where)
        server = make_server(conf=conf)
        alice, bob = peer(server), peer(server, user="bob")
        bob.register()
        good, n, failed = {}, 0, None
        while failed is None and n < 20000:
            p = siplib_register(server, bob, "f%05d" % n)
            if p.status == 200:
                good["sip:f%05d@example.com" % n] = True
            else:
                failed = p
            n += 1
        assert failed is not None and failed.status == 500 and "Retry-After" in failed
        assert server.json("status")["store"] != "ok"
        # Look-ups go on from memory.
        req = alice.request("MESSAGE", bob.aor)
        alice.send(req.raw)
        bob.reply(bob.expect("MESSAGE"), 200, "OK")
        assert alice.final(req).status == 200
        assert {b["aor"] for b in server.json("location", "list")["bindings"]} >= set(good)
        assert mount("-o", "remount,size=64m", where)
        server.wait_for(lambda: server.json("status")["store"] == "ok", "a healthy store")
        assert siplib_register(server, bob, "later").status == 200
        server.kill()
        server.start()
        have = {b["aor"] for b in server.json("location", "list")["bindings"]}
        assert have >= set(good) | {"sip:later@example.com", "sip:bob@example.com"}
        server.stop()
    finally:
        umount(where)


def siplib_register(server, p, user):
    return p.ask(p.request("REGISTER", "sip:example.com", to="<sip:%s@example.com>" % user,
                           from_="<sip:%s@example.com>" % user, headers=["Expires: 3600", "User-Agent: " + "x" * 200],
                           contact="<sip:%s@%s>" % (user, p.hostport)))


def test_second_process_on_the_same_state_is_refused(make_server):
    server = make_server()
    d = server.dir / "second"
    d.mkdir()
    text = make_conf(d, free_port()).replace('"%s/state"' % d, '"%s/state"' % server.dir)
    other = Daemon(text, d, 0)
    other.start(wait=False)
    assert other.process.wait(WAIT_S) == 2
    assert "in use by another" in other.log()


@pytest.mark.parametrize("what", ["damaged", "foreign", "newer"])
def test_a_database_that_is_not_ours_is_refused_and_never_changed(make_server, what):
    server = make_server()
    server.stop()
    path = server.dir / "state/belfry.db"
    for f in path.parent.glob("belfry.db-*"):
        f.unlink()
    if what == "damaged":
        data = bytearray(path.read_bytes())
        data[0:100] = b"\xde\xad" * 50
        path.write_bytes(data)
    elif what == "foreign":
        path.unlink()
        db = sqlite3.connect(str(path))
        db.execute("CREATE TABLE stamps(x)")
        db.commit()
        db.close()
    else:
        db = sqlite3.connect(str(path))
        db.execute("UPDATE meta SET value = 999 WHERE key = 'schema_version'")
        db.commit()
        db.close()
    before = path.read_bytes()
    server.start(wait=False)
    assert server.process.wait(WAIT_S) == 2
    assert str(path) in server.log()
    assert path.read_bytes() == before
    server.process = None


def test_static_bindings_and_users_survive(make_server, workers):
    server = make_server(workers=workers)
    server.ctl("location", "add", "bob@example.com", "sip:bob@127.0.0.1:9")
    server.ctl("user", "add", "bob@example.com", "--password-stdin", stdin="x\n")
    server.kill()
    server.start()
    assert server.json("location", "list")["bindings"][0]["static"] is True
    assert "bob" in server.ctl("user", "list").stdout
