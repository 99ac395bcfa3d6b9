# SPDX-License-Identifier: Apache-2.0
"""`belfryctl explain` and `belfryctl why`: the decisions, in order, each with what is behind it."""
import re

import pytest
from siplib import digest

AUTH = 'register = true; calls = "local";'


@pytest.fixture
def server(make_server, workers):
    server = make_server(workers=workers, relay="users", auth=AUTH, v6=True, extra='''
        routes = ( { name = "pstn"; match: { user = "+*"; }; to = "trunk:carrier"; },
                   { name = "dear"; match: { user = "900*"; }; reject = 403; },
                   { name = "old"; match: { user = "old"; }; redirect = "sip:new@example.com"; } );
        trunks: { carrier: { targets = ( "sip:127.0.0.1:7001", "sip:127.0.0.1:7002;transport=tcp" );
                  probe = 0; max_calls = 5; }; };''')
    for user in ("alice", "bob"):
        server.ctl("user", "add", user + "@example.com", "--password-stdin", stdin="pw\n")
    return server


def decisions(server, *args, **kw):
    return [(d["rule"], d["text"]) for d in server.json("explain", *args, **kw)["decisions"]]


def place(list_, rule, text):
    for i, d in enumerate(list_):
        if d[0] == rule and text in d[1]:
            return i
    raise AssertionError("no %s: %s in\n%s" % (rule, text, "\n".join("%s: %s" % d for d in list_)))


def in_order(list_, *wanted):
    at = [place(list_, *w) for w in wanted]
    assert at == sorted(at), list_


def test_a_call_to_a_user_is_explained_from_the_checks_to_the_next_hops(server, peer):
    bob = peer(server, user="bob")
    bob.register(contact="<%s>;q=0.8" % bob.contact, password="pw")
    server.ctl("location", "add", "bob@example.com", "sip:bob@192.0.2.9;transport=tcp", "--q", "0.3")
    got = decisions(server, "INVITE", "sip:bob@example.com", "--from", "sip:alice@example.com",
                    "--source", "127.0.0.1")
    in_order(got, ("RFC 3261 16.3 (1)", "well-formed"), ("RFC 3261 16.3 (3)", "Max-Forwards 70"),
             ("RFC 3261 16.3 (4)", "no loop"), ("RFC 3261 16.5", "a user of a domain of ours"),
             ("auth.calls", "challenged with 407 for realm example.com: it has no credentials"),
             ("auth.calls", "as if alice@example.com had authenticated"),
             ("routes", "none of 3 rules matches"), ("proxy.relay", "does not apply"),
             ("location", "binding %s, q 0.800" % bob.contact),
             ("proxy.fork", "forks to the targets of q 0.8"),
             ("RFC 3261 16.6 (2)", "Request-URI " + bob.contact),
             ("proxy.record_route", "Record-Route"),
             ("RFC 3261 16.6 (7)", "sent by UDP to " + bob.hostport),
             ("proxy.fork", "forks to the targets of q 0.3"),
             ("RFC 3261 16.6 (7)", "sent by TCP to 192.0.2.9:5060"))
    bob.silent(0.1)


def test_next_hops_of_a_trunk_are_told_in_turn(server):
    got = decisions(server, "INVITE", "sip:+15551234@example.com", "--user", "alice@example.com")
    in_order(got, ("auth.calls", "authenticated as alice@example.com"), ("routes", 'rule "pstn" matches'),
             ("trunks", "goes to trunk carrier"), ("proxy.relay", "authenticated as alice@example.com"),
             ("RFC 3261 16.6 (2)", "Request-URI sip:+15551234@example.com"),
             ("RFC 3261 16.6 (7)", "sent by UDP to 127.0.0.1:7001"),
             ("RFC 3263 4.3", "if that fails, by TCP to 127.0.0.1:7002"))


@pytest.mark.parametrize("args, rule, text", [
    (["INVITE", "sip:90012@example.com"], "routes", "refused with 403 Forbidden"),
    (["INVITE", "sip:old@example.com"], "routes", "redirected to sip:new@example.com"),
    (["MESSAGE", "sip:x@192.0.2.7"], "proxy.relay", "refused with 403 Forbidden"),
    (["INVITE", "sip:nobody@example.com", "--user", "alice@example.com"], "RFC 3261 16.5",
     "refused with 404 Not Found"),
    (["INVITE", "sip:bob@example.com"], "RFC 3261 16.5", "refused with 480 Temporarily Unavailable"),
    (["INVITE", "sip:bob@example.com", "--from", "sip:nobody@example.com"], "auth.calls",
     "there is no user nobody@example.com"),
    (["MESSAGE", "sip:bob@example.com", "--user", "alice@example.com", "--from", "sip:bob@example.com"],
     "auth.calls", "alice@example.com may not act for bob@example.com"),
    (["INVITE", "foo:bar"], "RFC 3261 16.3 (2)", "refused with 416 Unsupported URI Scheme"),
    (["INVITE", "sip:bob@"], "RFC 3261 16.3 (1)", "refused with 400 Bad Request-URI"),
    (["CANCEL", "sip:bob@example.com"], "RFC 3261 9.2", "refused with 481"),
    (["OPTIONS", "sip:example.com"], "RFC 3261 11.2", "OPTIONS to the server itself"),
])
def test_what_ends_a_request_is_told_with_its_rule(server, args, rule, text):
    place(decisions(server, *args), rule, text)


def test_why_a_peer_is_not_challenged_is_told(make_server):
    server = make_server(workers=1, relay="users", auth='register = true; calls = "local";', proxy='trusted = ( "127.0.0.9" );')
    args = "--from", "sip:alice@example.com", "--source", "127.0.0.9"
    for method in ("INVITE", "REGISTER"):
        place(decisions(server, method, "sip:example.com", *args), "proxy.trusted", "no credentials are asked for")
    server = make_server(workers=1)
    place(decisions(server, "INVITE", "sip:bob@example.com", *args), "auth.calls", "no credentials are asked for")


def test_a_register_is_explained_and_changes_nothing(server):
    got = decisions(server, "REGISTER", "sip:alice@example.com", "--source", "127.0.0.1:5099")
    in_order(got, ("auth.register", "challenged with 401"), ("auth.register", "as if alice@example.com"),
             ("RFC 3261 10.3 (7)", "is bound for 3600 s"), ("registrar.max_contacts", "10 bindings"),
             ("registrar.durability", "in the database's log"), ("RFC 3261 8.2.6", "200 OK"))
    assert server.json("location", "list")["bindings"] == []
    got = decisions(server, "REGISTER", "sip:nobody@example.com")
    place(got, "auth.register", "there is no user nobody@example.com")


def test_a_message_from_a_file_is_explained_as_it_is(server, peer, tmp_path):
    alice, bob = peer(server, user="alice"), peer(server, user="bob")
    bob.register(password="pw")
    req = alice.request("INVITE", "sip:bob@example.com", headers=["Proxy-Require: foo, bar"])
    f = tmp_path / "m"
    f.write_bytes(req.raw)
    answer = server.json("explain", "--message", f, "--source", alice.hostport)
    assert (answer["method"], answer["uri"], answer["source"]) == ("INVITE", req.uri, alice.hostport)
    got = [(d["rule"], d["text"]) for d in answer["decisions"]]
    in_order(got, ("RFC 3261 16.3 (5)", "required, but not known here: foo, bar"),
             ("RFC 3261 16.3 (5)", "refused with 420 Bad Extension"))
    # line ends of an editor
    f.write_bytes(alice.request("INVITE", "sip:bob@example.com", via_extra="").raw.replace(b"\r\n", b"\n"))
    place(decisions(server, "--message", f), "RFC 3261 16.6 (7)", "sent by UDP to " + bob.hostport)
    f.write_bytes(b"\x16\x03\x01\x02\n")
    place(decisions(server, "--message", f), "RFC 3261 18.3", "this is no SIP")
    f.write_bytes(req.raw.replace(b"CSeq: 1 INVITE", b"CSeq: 1 BYE"))
    place(decisions(server, "--message", f), "RFC 3261 16.3 (1)", "refused with 400")


def test_good_credentials_are_seen_and_stay_good(server, peer, tmp_path):
    """Explaining uses up no nonce count, and wrong passwords count for no ban."""
    alice = peer(server, user="alice")
    req = alice.request("MESSAGE", "sip:bob@example.com")
    r = alice.ask(req)
    assert r.status == 407
    f = tmp_path / "m"
    for password, text in (("wrong", "user or password of its credentials are wrong"),
                           ("pw", "authenticated as alice@example.com")):
        good = alice.request("MESSAGE", "sip:bob@example.com", cseq=2, headers=[
            "Proxy-Authorization: " + digest(r, "MESSAGE", "sip:bob@example.com", "alice", password)])
        f.write_bytes(good.raw)
        for _ in range(30):
            got = decisions(server, "--message", f, "--source", alice.hostport)
            place(got, "auth.calls", text)
    assert server.json("ban", "list")["bans"] == []
    assert server.stat("belfry_auth_total") == 1  # the challenge of the real request
    assert alice.ask(good).status == 480
    got = decisions(server, "--message", f, "--source", alice.hostport)
    place(got, "auth.calls", "a nonce that is too old or used up")


def test_explain_counts_nothing(server, peer):
    alice = peer(server, user="alice")
    server.ctl("user", "add", "alice@example.com", check=False)
    alice.ask(alice.request("OPTIONS", "sip:127.0.0.1:%d" % server.port))
    still = lambda: [c for c in server.json("stats")["counters"] if not c["name"].startswith("belfry_store_")]
    before = still()
    for method in ("INVITE", "REGISTER", "MESSAGE", "OPTIONS", "CANCEL", "ACK"):
        for uri in ("sip:x@elsewhere.invalid", "sip:bob@example.com", "sip:127.0.0.1:%d" % server.port, "tel:+1", "foo"):
            for who in ((), ("--user", "alice@example.com"), ("--source", "127.0.0.1")):
                server.ctl("explain", method, uri, *who)
    server.ctl("dns", "sip:elsewhere.invalid", check=False)
    assert still() == before


def test_explain_of_a_full_trunk_or_a_redirect_counts_nothing(make_server, peer, workers):
    trunk = peer(None)
    server = make_server(workers=workers, extra="""
routes = ( { match: { user = "+*"; }; to = "trunk:full"; }, { match: { user = "old"; }; redirect = "sip:new@example.net"; } );
trunks: { full: { targets = ( "sip:%s" ); probe = 0; max_calls = 1; }; };""" % trunk.hostport)
    trunk.server, alice = server, peer(server)
    inv = alice.request("INVITE", "sip:+1@example.com")
    alice.send(inv.raw)
    got = trunk.expect("INVITE")
    still = lambda: [c for c in server.json("stats")["counters"] if not c["name"].startswith("belfry_retransmissions")]
    before = still()
    place(decisions(server, "INVITE", "sip:+2@example.com"), "trunks", "max_calls of trunk full is reached")
    place(decisions(server, "INVITE", "sip:old@example.com"), "routes", "redirected to sip:new@example.net")
    assert still() == before and server.json("trunks")["trunks"][0]["calls"] == 1
    trunk.reply(got, 486, "Busy Here")
    alice.ack(inv, alice.final(inv))


def test_a_banned_source_is_told(server, peer):
    alice = peer(server, user="alice", ip="127.0.0.1")
    for _ in range(20):
        r = alice.register(expect=401)
        alice.reg_cseq += 1
        alice.register(headers=["Authorization: " + digest(r, "REGISTER", "sip:example.com", "alice", "no")],
                       expect=None)
    got = decisions(server, "INVITE", "sip:bob@example.com", "--source", "127.0.0.1")
    place(got, "auth.max_failures", "the source is banned")


def test_a_message_from_the_standard_input_is_explained_and_an_empty_one_refused(server, peer):
    m = peer(server).request("INVITE", "sip:bob@example.com", max_forwards=0)
    r = server.ctl("explain", "--message", "-", stdin=m.raw.decode())
    assert "refused with 483 Too Many Hops" in r.stdout
    r = server.ctl("explain", "--message", "-", stdin="", check=False)
    assert r.returncode == 64 and "the file is empty" in r.stderr


def test_explain_refuses_what_makes_no_request(server, tmp_path):
    for args in (["INVITE"], [], ["--from", "sip:a@b"]):
        assert server.ctl("explain", *args, check=False).returncode == 64, args
    for args in (["", "sip:a@b"], ["IN VITE", "sip:a@example.com"], ["INVITE", "sip:a@b\r\nX: y"],
                 ["INVITE", "sip:a@b", "--source", "nowhere"], ["INVITE", "sip:a@b", "--user", "x"],
                 ["INVITE", "sip:a@b", "--message", str(server.conf_file)]):
        assert server.ctl("explain", *args, check=False).returncode == 1, args
    r = server.ctl("explain", "--message", tmp_path / "none", check=False)
    assert r.returncode == 64 and "cannot be read" in r.stderr
    f = tmp_path / "m"
    f.write_bytes(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=a\r\n"
                  b"To: <sip:a@b>;tag=b\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
    assert server.ctl("explain", "--message", f, check=False).returncode == 1


def test_explain_is_a_table_for_people(server):
    out = server.ctl("explain", "INVITE", "sip:90012@example.com").stdout
    lines = out.splitlines()
    assert lines[0].split() == ["method:", "INVITE"]
    assert any(line.split() == ["RULE", "TEXT"] for line in lines)
    assert "refused with 403 Forbidden" in lines[-1]


# --- why

def call(alice, bob, status, reason):
    inv = alice.request("INVITE", "sip:bob@example.com")
    alice.send(inv.raw)
    r = alice.expect(407)
    alice.ack(inv, r)
    again = alice.request("INVITE", "sip:bob@example.com", call_id=inv["Call-ID"], cseq=2, headers=[
        "Proxy-Authorization: " + digest(r, "INVITE", "sip:bob@example.com", "alice", "pw")])
    alice.send(again.raw)
    got = bob.expect("INVITE")
    return again, got


def test_why_tells_a_call_with_its_end(server, peer):
    alice, bob = peer(server, user="alice"), peer(server, user="bob")
    bob.register(password="pw")
    inv, got = call(alice, bob, 486, "Busy Here")
    calls = server.json("why", inv["Call-ID"])["calls"]
    assert [c["status"] for c in calls] == [407, None]
    bob.reply(got, 486, "Busy Here")
    bob.expect("ACK")
    alice.ack(inv, alice.expect(486))
    calls = server.wait_for(lambda: [c for c in server.json("why", inv["Call-ID"])["calls"]
                                     if c["status"] == 486], "the end in why")
    last = calls[-1]
    assert last["method"] == "INVITE" and last["uri"] == "sip:bob@example.com"
    assert last["from"] == "sip:alice@example.com" and last["source"] == alice.hostport
    assert last["time"].endswith("Z") and 0 <= last["took"] < 60
    got = [(d["rule"], d["text"]) for d in last["decisions"]]
    in_order(got, ("auth.calls", "authenticated as alice@example.com"), ("location", "binding " + bob.contact),
             ("RFC 3261 16.6 (7)", "sent by UDP to " + bob.hostport),
             ("RFC 3261 16.7 (4)", "the branch to %s ended with 486" % bob.contact),
             ("RFC 3261 16.7 (6)", "the best response is 486"))
    text = server.ctl("why", inv["Call-ID"]).stdout
    assert "status:  486" in text and "the best response is 486" in text
    listed = server.json("why")["calls"]
    assert [c["status"] for c in listed] == [407, 486] and "decisions" not in listed[0]


def test_why_of_an_unknown_call_says_so(server):
    r = server.ctl("why", "no-such-call", check=False)
    assert r.returncode == 1 and "server.trace_ring" in r.stderr


def test_why_hides_passwords_in_uris(server, peer):
    alice, bob = peer(server, user="alice"), peer(server, user="bob")
    bob.register(contact="<sip:bob:sesame@%s>" % bob.hostport, password="pw")
    inv = alice.request("INVITE", "sip:bob:sesame@example.com", from_="<sip:x:sesame@elsewhere.example>")
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    assert "bob:sesame@" in got.uri
    during = server.ctl("why", inv["Call-ID"]).stdout + server.ctl("transactions").stdout
    bob.reply(got, 486, "Busy Here")
    alice.ack(inv, alice.expect(486))
    server.wait_for(lambda: server.json("why", inv["Call-ID"])["calls"][-1]["status"] == 486, "the end")
    text = during + server.ctl("why", inv["Call-ID"]).stdout + server.ctl("--json", "why").stdout
    assert "sesame" not in text and "bob:xxxxxx@" + bob.hostport in text and "sip:x:xxxxxx@elsewhere.example" in text
    assert "sesame" not in server.log()


def test_why_keeps_as_many_calls_as_it_is_told(make_server, peer, workers):
    server = make_server(workers=workers, server="trace_ring = 3;")
    alice = peer(server, user="alice")
    ids = []
    for i in range(5):
        inv = alice.request("INVITE", "sip:nobody@example.com")
        ids.append(inv["Call-ID"])
        alice.send(inv.raw)
        alice.ack(inv, alice.final(inv))
    server.wait_for(lambda: sorted(c["call_id"] for c in server.json("why")["calls"]) == sorted(ids[2:]),
                    "the last three")
    assert server.ctl("why", ids[0], check=False).returncode == 1
    for size, known in ((2, {2}), (50, {2, 3, 4, 5}), (0, {0})):  # applied live; what fits is kept
        server.conf_file.write_text(re.sub(r"trace_ring = \d+", "trace_ring = %d" % size, server.conf_file.read_text()))
        server.ctl("reload")
        assert len(server.json("why")["calls"]) in known
