# SPDX-License-Identifier: Apache-2.0
"""Digest authentication (RFC 7616, RFC 8760, RFC 3261 22) and what a stranger can learn: nothing."""
import re
import sqlite3
import urllib.parse

import pytest
from siplib import WAIT_S, auth_params, digest, digest_for, unique

AUTH = 'register = true; calls = "local"; %s'


@pytest.fixture
def auth_server(make_server, workers):
    def make(auth="", users=("alice", "bob"), **kw):
        server = make_server(workers=workers, relay="users", auth=AUTH % auth, **kw)
        for u in users:
            server.ctl("user", "add", u + "@example.com", "--password-stdin", stdin="pw-%s\n" % u)
        return server
    return make


@pytest.mark.parametrize("algorithms", [["MD5"], ["SHA-256"], ["SHA-512-256"], ["SHA-256", "MD5"],
                                        ["SHA-512-256", "SHA-256", "MD5"]])
def test_register_with_each_algorithm_offered_in_order(auth_server, peer, algorithms):
    server = auth_server('algorithms = ( %s );' % ", ".join('"%s"' % a for a in algorithms))
    p = peer(server, user="alice")
    r = p.register(expect=401)
    offers = [auth_params(v) for v in r.all("WWW-Authenticate")]
    assert [o["algorithm"] for o in offers] == algorithms
    assert all(o["realm"] == "example.com" and o["qop"] == "auth" and o["nonce"] for o in offers)
    for a in algorithms:
        p.reg_cseq += 1
        auth = digest(r, "REGISTER", "sip:example.com", "alice", "pw-alice", algorithm=a, nc=algorithms.index(a) + 1)
        p.register(headers=["Authorization: " + auth])
    assert len(server.json("location", "list")["bindings"]) == 1


def test_wrong_password_and_unknown_user_look_alike(auth_server, peer):
    server = auth_server()
    shapes = set()
    for user, password in (("alice", "wrong"), ("nobody", "wrong"), ("nobody", "")):
        p = peer(server, user=user)
        r = p.register(expect=401)
        auth = digest(r, "REGISTER", "sip:example.com", user, password)
        r2 = p.register(headers=["Authorization: " + auth], expect=401)
        shape = re.sub(r'nonce="[^"]*"', "", "\n".join(
            "%s: %s" % h for h in r2.headers if h[0] not in ("Via", "From", "To", "Call-ID", "CSeq", "Date")))
        shapes.add((r2.start, shape))
    assert len(shapes) == 1


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE"])
def test_scanning_tells_nothing_about_users(auth_server, peer, method):
    """A user that exists and one that does not: the same answer to a stranger, with any method."""
    server = auth_server()
    p = peer(server, user="s", domain="elsewhere.invalid")
    seen = set()
    for user in ("alice", "nobody"):
        req = p.request(method, "sip:%s@example.com" % user)
        r = p.ask(req)
        if method == "INVITE":
            p.ack(req, r)
        seen.add(r.start)
    assert seen == {"SIP/2.0 480 Temporarily Unavailable"} or len(seen) == 1 and " 480 " in seen.pop()


def test_known_callers_are_told_404_for_unknown_users(auth_server, peer):
    server = auth_server()
    p = peer(server, user="alice")
    req = p.request("MESSAGE", "sip:nobody@example.com", cseq=1)
    r = p.ask(req)
    assert r.status == 407
    req = p.request("MESSAGE", "sip:nobody@example.com", cseq=2, call_id=req["Call-ID"], headers=[
        "Proxy-Authorization: " + digest(r, "MESSAGE", "sip:nobody@example.com", "alice", "pw-alice")])
    assert p.ask(req).status == 404
    req = p.request("MESSAGE", "sip:bob@example.com", cseq=3, headers=[
        "Proxy-Authorization: " + digest(r, "MESSAGE", "sip:bob@example.com", "alice", "pw-alice", nc=2)])
    assert p.ask(req).status == 480


def test_own_credentials_are_removed_and_others_pass(auth_server, peer):
    server = auth_server()
    p, bob = peer(server, user="alice"), peer(server, user="bob")
    bob.register(password="pw-bob")
    r = p.ask(p.request("MESSAGE", bob.aor))
    ours = digest(r, "MESSAGE", bob.aor, "alice", "pw-alice")
    theirs = 'Digest username="x", realm="elsewhere", nonce="1", uri="sip:x", response="%s"' % ("0" * 32)
    req = p.request("MESSAGE", bob.aor, headers=["Proxy-Authorization: " + theirs, "Proxy-Authorization: " + ours])
    p.send(req.raw)
    m = bob.expect("MESSAGE")
    assert m.all("Proxy-Authorization") == [theirs]
    bob.reply(m, 200, "OK")
    assert p.final(req).status == 200


def test_a_user_may_only_change_its_own_bindings(auth_server, peer):
    server = auth_server()
    p = peer(server, user="alice")
    r = p.register(to="<sip:bob@example.com>", from_="<sip:alice@example.com>", expect=401)
    auth = digest(r, "REGISTER", "sip:example.com", "alice", "pw-alice")
    r = p.register(to="<sip:bob@example.com>", from_="<sip:alice@example.com>", headers=["Authorization: " + auth], expect=403)
    assert server.json("location", "list")["bindings"] == []


def test_a_user_may_not_call_as_another(auth_server, peer):
    server = auth_server()
    p = peer(server, user="alice")
    r = p.ask(p.request("MESSAGE", "sip:bob@example.com", from_="<sip:bob@example.com>"))
    assert r.status == 407
    req = p.request("MESSAGE", "sip:bob@example.com", from_="<sip:bob@example.com>", headers=[
        "Proxy-Authorization: " + digest(r, "MESSAGE", "sip:bob@example.com", "alice", "pw-alice")])
    assert p.ask(req).status == 403


def test_a_nonce_counts_up_and_a_replay_is_refused(auth_server, peer):
    """RFC 7616 3.4: nc must grow; across workers too (another Call-ID is another worker's)."""
    server = auth_server()
    p = peer(server, user="alice")
    r = p.register(expect=401)
    mk = lambda nc: digest(r, "REGISTER", "sip:example.com", "alice", "pw-alice", nc=nc)
    p.register(headers=["Authorization: " + mk(1)])
    p.register(headers=["Authorization: " + mk(2)])
    again = p.register(headers=["Authorization: " + mk(2)], expect=401)
    assert "stale" not in again["WWW-Authenticate"].lower() or "stale=true" in again["WWW-Authenticate"].lower()
    p.register(headers=["Authorization: " + mk(3)])


def test_an_old_nonce_is_stale(auth_server, peer):
    server = auth_server("nonce_lifetime = 1;")
    p = peer(server, user="alice")
    r = p.register(expect=401)
    def stale():
        auth = digest(r, "REGISTER", "sip:example.com", "alice", "pw-alice", nc=p.reg_cseq)
        x = p.register(headers=["Authorization: " + auth], expect=None)
        return x.status == 401 and "stale=true" in x["WWW-Authenticate"].lower()
    server.wait_for(stale, "stale=true")


def test_stale_is_only_said_to_who_knows_the_password(auth_server, peer):
    """RFC 2617 3.2.1, RFC 7616 3.3: stale=true for a digest that is right but for its nonce."""
    server = auth_server("nonce_lifetime = 1;")
    p = peer(server, user="alice")
    r = p.register(expect=401)
    asked = lambda user, password: p.register(expect=401, headers=["Authorization: " + digest(
        r, "REGISTER", "sip:example.com", user, password, nc=p.reg_cseq)])["WWW-Authenticate"].lower()
    server.wait_for(lambda: "stale=true" in p.register(expect=None, headers=["Authorization: " + digest(
        r, "REGISTER", "sip:example.com", "alice", "pw-alice", nc=p.reg_cseq)])["WWW-Authenticate"].lower(), "an old nonce")
    assert "stale" not in asked("alice", "wrong") and "stale" not in asked("nobody", "wrong")
    assert "stale=true" in asked("alice", "pw-alice")


SPELLINGS = (
    (lambda h: h.replace("algorithm=MD5", 'algorithm="MD5"'), 200),
    (lambda h: h.replace("algorithm=MD5", "algorithm=md5"), 200),
    (lambda h: h.replace(", algorithm=MD5", ""), 200),  # MD5 is what it is then (RFC 7616 3.4)
    (lambda h: h.replace("qop=auth", 'qop="auth"'), 200),
    (lambda h: h.replace("Digest ", "dIGEST   ").replace(", ", ",\r\n\t").replace("realm=", "Realm = "), 200),
    (lambda h: h.replace('"example.com"', '"EXAMPLE.com"'), 200),
    (lambda h: h + ', opaque="", more="x\\"y", token=1', 200),
    (lambda h: h.replace("qop=auth", "qop=auth-int"), 401),
    (lambda h: h.replace("algorithm=MD5", "algorithm=SHA-512-256"), 400),  # the length of another hash
    (lambda h: h.replace("nc=00000001", "nc=1"), 400),
    (lambda h: h.replace(", nc=00000001", ""), 400),
    (lambda h: h + ', realm="example.com"', 400),
    (lambda h: h.replace("Digest", "Basic"), 401),
)


def test_credentials_in_any_legal_spelling(auth_server, peer):
    """RFC 3261 25.1, RFC 7616 3.4: tokens, quotes, order and case."""
    server = auth_server()
    p = peer(server, user="alice")
    for change, status in SPELLINGS:
        auth = digest(p.register(expect=401), "REGISTER", "sip:example.com", "alice", "pw-alice", algorithm="MD5")
        p.register(headers=["Authorization: " + change(auth)], expect=status)


def test_an_unknown_scheme_is_told_before_a_password_is_asked(auth_server, peer):
    """RFC 3261 16.3: the scheme (2) comes before authorization (6), unless a rule takes it."""
    server = auth_server(extra='routes = ( { name = "sos"; match: { uri = "urn:service:sos*"; }; to = "trunk:t"; } );\n'
                               'trunks: { t: { targets = ( "sip:127.0.0.1:9" ); }; };')
    p = peer(server, user="alice")
    assert p.ask(p.request("MESSAGE", "tel:+12345")).status == 416
    assert p.ask(p.request("MESSAGE", "urn:service:sos.fire")).status == 407


def test_a_trunk_asks_for_the_password_of_local_users(make_server, workers, peer):
    """Also where calls are not challenged; strangers are turned away."""
    trunk = peer(None)
    server = make_server(workers=workers, relay="users", auth='register = true; calls = "none";',
                         extra='routes = ( { name = "pstn"; match: { user = "+*"; }; to = "trunk:t"; } );\n'
                               'trunks: { t: { targets = ( "sip:%s" ); probe = 0; }; };' % trunk.hostport)
    server.ctl("user", "add", "alice@example.com", "--password-stdin", stdin="pw\n")
    stranger, alice = peer(server, domain="elsewhere.invalid"), peer(server, user="alice")
    assert stranger.ask(stranger.request("MESSAGE", "sip:+1@example.com")).status == 403
    r = alice.ask(alice.request("MESSAGE", "sip:+1@example.com"))
    assert r.status == 407
    req = alice.request("MESSAGE", "sip:+1@example.com", headers=[
        "Proxy-Authorization: " + digest(r, "MESSAGE", "sip:+1@example.com", "alice", "pw")])
    alice.send(req.raw)
    m = trunk.expect("MESSAGE")
    assert m.uri == "sip:+1@example.com" and "Proxy-Authorization" not in m
    trunk.reply(m, 200, "OK")
    assert alice.final(req).status == 200


def test_a_register_is_checked_in_order(auth_server, peer):
    """RFC 3261 10.3: 420, then 401, 403, 404; a trusted peer is not asked."""
    server = auth_server(proxy='trusted = ( "127.0.0.200" );')
    p, trusted = peer(server, user="alice"), peer(server, user="nobody", ip="127.0.0.200")
    assert p.register(headers=["Require: telepathy"], expect=420)
    r = p.register(to="<sip:nobody@example.com>", expect=401)
    p.register(to="<sip:nobody@example.com>", expect=403, headers=[
        "Authorization: " + digest(r, "REGISTER", "sip:example.com", "alice", "pw-alice")])
    trusted.register(expect=404)
    trusted.register(to="<sip:bob@example.com>")


def test_streams_of_a_banned_source_are_closed(auth_server, peer):
    server = auth_server("max_failures = 2; ban_time = 60;")
    evil = peer(server, user="alice", ip="127.0.0.66", proto="tcp")
    for i in range(2):
        auth = digest(evil.register(expect=401), "REGISTER", "sip:example.com", "nobody%d" % i, "x")
        evil.send(evil.request("REGISTER", "sip:example.com", to=evil.aor, headers=["Authorization: " + auth]).raw)
    server.wait_for(lambda: evil.recv(0.05) is None and evil.streams[0].closed, "a closed connection")
    assert [b["address"] for b in server.json("ban", "list")["bans"]] == ["127.0.0.66"]


def test_a_deleted_user_leaves_no_registered_binding(auth_server, peer):
    server = auth_server()
    bob = peer(server, user="bob")
    bob.register(password="pw-bob")
    server.ctl("location", "add", "bob@example.com", "sip:desk@127.0.0.1:9")
    server.ctl("user", "del", "bob@example.com")
    assert [b["contact"] for b in server.json("location", "list", "bob@example.com")["bindings"]] == ["sip:desk@127.0.0.1:9"]
    server.kill()
    server.start()
    assert [b["contact"] for b in server.json("location", "list")["bindings"]] == ["sip:desk@127.0.0.1:9"]


def test_a_forged_nonce_is_refused(auth_server, peer):
    server = auth_server()
    p = peer(server, user="alice")
    r = p.register(expect=401)
    ch = auth_params(r["WWW-Authenticate"])
    bad = ch["nonce"][:-1] + ("A" if ch["nonce"][-1] != "A" else "B")
    auth = digest_for(dict(ch, nonce=bad), "REGISTER", "sip:example.com", "alice", "pw-alice")
    p.register(headers=["Authorization: " + auth], expect=401)


def test_nonces_survive_a_restart(auth_server, peer):
    server = auth_server()
    p = peer(server, user="alice")
    r = p.register(expect=401)
    server.kill()
    server.start()
    p.register(headers=["Authorization: " + digest(r, "REGISTER", "sip:example.com", "alice", "pw-alice")])


def test_digest_uri_must_be_the_request_uri(auth_server, peer):
    server = auth_server()
    p = peer(server, user="alice")
    r = p.register(expect=401)
    auth = digest(r, "REGISTER", "sip:elsewhere.invalid", "alice", "pw-alice")
    p.register(headers=["Authorization: " + auth], expect=400)
    auth = digest(r, "REGISTER", "sips:example.com:5061;transport=tcp", "alice", "pw-alice", nc=2)
    p.register(headers=["Authorization: " + auth])


def test_without_qop_once_per_nonce_and_md5_only(auth_server, peer):
    server = auth_server('algorithms = ( "SHA-256", "MD5" );')
    p = peer(server, user="alice")
    r = p.register(expect=401)
    mk = lambda a: digest(r, "REGISTER", "sip:example.com", "alice", "pw-alice", algorithm=a, no_qop=True)
    p.register(headers=["Authorization: " + mk("SHA-256")], expect=401)
    p.register(headers=["Authorization: " + mk("MD5")])
    p.register(headers=["Authorization: " + mk("MD5")], expect=401)


def test_failures_ban_the_source_for_a_while(auth_server, peer):
    server = auth_server("max_failures = 3; ban_time = 60;")
    evil, good = peer(server, user="alice", ip="127.0.0.66"), peer(server, user="alice")
    for i in range(3):
        r = evil.register(expect=401)
        auth = digest(r, "REGISTER", "sip:example.com", "alice", "guess%d" % i)
        evil.send(evil.request("REGISTER", "sip:example.com", to="<sip:alice@example.com>", cseq=90 + i,
                               headers=["Authorization: " + auth]).raw)
        if i < 2:
            evil.expect(401)
    server.wait_for(lambda: "127.0.0.66" in server.ctl("ban", "list").stdout, "a ban")
    banned = evil.request("OPTIONS", "sip:example.com")
    evil.send(banned.raw)
    good.register(password="pw-alice")
    while True:  # the 401s of before may be late
        m = evil.recv(0.2)
        if m is None:
            break
        assert m["Call-ID"] != banned["Call-ID"]
    server.ctl("ban", "del", "127.0.0.66")
    assert evil.ask(evil.request("OPTIONS", "sip:example.com")).status == 200


def test_a_nonce_from_another_address_bans_nobody(auth_server, peer):
    server = auth_server("max_failures = 2; ban_time = 60;")
    evil, victim = peer(server, user="alice", ip="127.0.0.66"), peer(server, user="alice", ip="127.0.0.77")
    r = evil.register(expect=401)
    for i in range(6):
        auth = digest(r, "REGISTER", "sip:example.com", "alice", "guess%d" % i, nc=i + 1)
        victim.send(victim.request("REGISTER", "sip:example.com", to="<sip:alice@example.com>", cseq=90 + i,
                                   headers=["Authorization: " + auth]).raw)
        victim.expect(401)
    assert "127.0.0.77" not in server.ctl("ban", "list").stdout


def test_no_password_or_hash_in_log_or_answers(auth_server, peer):
    server = auth_server()
    p = peer(server, user="alice")
    p.register(password="pw-alice")
    db = sqlite3.connect("file:%s?mode=ro" % (server.dir / "state/belfry.db"), uri=True)
    rows = db.execute("SELECT ha1_md5, ha1_sha256, ha1_sha512_256 FROM subscriber").fetchall()
    db.close()
    assert len(rows) == 2 and all(re.fullmatch(r"[0-9a-f]{32}", a) and re.fullmatch(r"[0-9a-f]{64}", b) for a, b, c in rows)
    secrets = [h for r in rows for h in r] + ["pw-alice", "response="]
    text = server.log() + server.ctl("user", "list").stdout + server.ctl("--json", "user", "list").stdout
    assert not [s for s in secrets if s in text]


def test_users_edited_by_another_program_are_seen(auth_server, peer):
    server = auth_server(users=("alice",))
    from siplib import H
    db = sqlite3.connect(str(server.dir / "state/belfry.db"), timeout=WAIT_S)
    db.execute("INSERT INTO subscriber(user, domain, ha1_md5, ha1_sha256, ha1_sha512_256, priority, created) "
               "VALUES('zoe', 'example.com', ?, ?, ?, 0, 0)",
               tuple(H(a, "zoe:example.com:pw") for a in ("MD5", "SHA-256", "SHA-512-256")))
    db.commit()
    server.wait_for(lambda: "zoe" in server.ctl("user", "list").stdout, "zoe", 1)
    peer(server, user="zoe").register(password="pw")
    db.execute("DELETE FROM subscriber WHERE user = 'zoe'")
    db.commit()
    db.close()
    server.wait_for(lambda: "zoe" not in server.ctl("user", "list").stdout, "no zoe")


def test_user_commands(auth_server, peer):
    server = auth_server(users=())
    out = server.ctl("user", "add", "carol@example.com").stdout
    password = out.split()[-1]
    peer(server, user="carol").register(password=password)
    assert server.ctl("user", "add", "carol@example.com", check=False).returncode == 1
    server.ctl("user", "passwd", "carol@example.com", "--password-stdin", stdin="new one\n")
    peer(server, user="carol").register(password="new one", call_id=unique())
    server.ctl("user", "del", "sip:carol@example.com")
    assert server.ctl("user", "del", "carol@example.com", check=False).returncode == 1
    assert peer(server, user="carol").register(expect=None).status == 401


@pytest.mark.parametrize("name", ["j\u00f6s\u00e9", "\u65e5\u672c", "two words", "per,cent", "50%", "a@b", "a;b?c", 'q"q', "b\\s"])
def test_users_of_any_name(auth_server, peer, name):
    """belfryctl takes a name as it is written; the phone escapes it (RFC 3261 10.3 step 5, 19.1.1)."""
    server = auth_server(users=())
    server.ctl("user", "add", name + "@example.com", "--password-stdin", stdin="p\u00e4ss:word\n")
    escaped = urllib.parse.quote(name, safe="")
    p = peer(server, user=escaped)
    contact = "<sip:x@%s>" % p.hostport
    r = p.register(contact=contact, expect=401)
    auth = digest(r, "REGISTER", "sip:example.com", name, "p\u00e4ss:word")
    auth = auth.replace('username="%s"' % name, 'username="%s"' % re.sub(r'(["\\])', r"\\\1", name))
    p.register(contact=contact, headers=["Authorization: " + auth])
    for aor in (name + "@example.com", "sip:" + name + "@Example.com", escaped + "@example.com"):
        assert [b["aor"] for b in server.json("location", "list", aor)["bindings"]] == ["sip:%s@example.com" % name]
    server.ctl("user", "del", "sip:%s@example.com" % name)
    assert server.json("user", "list")["users"] == []


@pytest.mark.parametrize("text", ["a:b@example.com", "sip:a:b@example.com", "@example.com", "a", "a\tb@example.com", "a%00b@example.com"])
def test_what_is_no_user_is_refused(auth_server, text):
    server = auth_server(users=())
    r = server.ctl("user", "add", text, "--password-stdin", stdin="p\n", check=False)
    assert r.returncode == 1 and "a user is wanted" in r.stderr


def test_ack_and_cancel_are_never_challenged(auth_server, peer):
    server = auth_server()
    p = peer(server, user="alice")
    req = p.request("INVITE", "sip:bob@example.com")
    r = p.ask(req)
    assert r.status == 407
    p.ack(req, r)
    assert p.ask(p.request("CANCEL", req.uri, to=req["To"], from_=req["From"], call_id=req["Call-ID"],
                           branch=unique("z9hG4bK"), contact=None)).status == 481
    p.silent(0.3)  # the 407 is not retransmitted (RFC 3261 26.3.2.4)


def test_a_ban_that_was_taken_away_holds_nowhere(auth_server, peer):
    """The answer to `ban del` comes when every worker takes from that address again."""
    server = auth_server("max_failures = 1;")
    p = peer(server, user="alice", ip="127.0.0.66")
    for i in range(5):
        auth = digest(p.register(expect=401), "REGISTER", "sip:example.com", "alice", "guess")
        p.send(p.request("REGISTER", "sip:example.com", to=p.aor, headers=["Authorization: " + auth]).raw)
        server.wait_for(lambda: server.json("ban", "list")["bans"], "a ban")
        server.ctl("ban", "del", "127.0.0.66")
        assert p.ask(p.request("OPTIONS", "sip:example.com"), timeout=2).status in (200, 401)
