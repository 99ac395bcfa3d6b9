# SPDX-License-Identifier: Apache-2.0
"""Real phones: two baresip instances register and call each other."""
import pytest
from baresip import Baresip, installed
from ports import free_port

pytestmark = pytest.mark.skipif(not installed(), reason="baresip is not installed")
# baresip 1.0 gives up when it is offered an algorithm that it does not know, even beside MD5.
AUTH = 'register = true; calls = "local"; algorithms = ( "MD5" );'


@pytest.fixture
def phone(tmpdir_short):
    made = []

    def make(server, name, **kw):
        # It listens for TLS on the port after that of SIP.
        p = Baresip(tmpdir_short, name, server, free_port(2), free_port(), free_port(20), **kw)
        made.append(p)
        return p
    yield make
    for p in made:
        p.close()


def talk(server, a, b):
    try:
        a.command("dial", "sip:bob@example.com")
        b.event("CALL_INCOMING")
        a.event("CALL_RINGING")
        b.command("accept")
        a.event("CALL_ESTABLISHED")
        b.event("CALL_ESTABLISHED")
        a.command("hangup")
        b.event("CALL_CLOSED")
    except AssertionError as e:
        raise AssertionError("%s\n--- the other phone\n%s\n--- the server\n%s" % (e, a.text(), server.log()[-4000:]))


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_two_phones_register_and_call(server, phone, proto):
    a, b = phone(server, "alice", proto=proto), phone(server, "bob", proto=proto)
    a.registered()
    b.registered()
    assert len(server.json("location", "list")["bindings"]) == 2
    talk(server, a, b)


# This baresip gives up on a challenge list that has more than MD5 in it.
MD5_ONLY = 'register = true; calls = "local"; algorithms = ( "MD5" );'


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_two_phones_with_passwords(make_server, workers, phone, proto):
    server = make_server(workers=workers, relay="users", auth=MD5_ONLY)
    for name in ("alice", "bob"):
        server.ctl("user", "add", name + "@example.com", "--password-stdin", stdin="secret-%s\n" % name)
    a = phone(server, "alice", proto=proto, password="secret-alice")
    b = phone(server, "bob", proto=proto, password="secret-bob")
    a.registered()
    b.registered()
    talk(server, a, b)


def test_a_wrong_password_does_not_register(make_server, workers, phone):
    server = make_server(workers=workers, relay="users", auth=MD5_ONLY)
    server.ctl("user", "add", "alice@example.com", "--password-stdin", stdin="right\n")
    a = phone(server, "alice", password="wrong")
    a.registered("401 Unauthorized")
    assert server.json("location", "list")["bindings"] == []


def ringing(a, b):
    a.command("dial", "sip:bob@example.com")
    b.event("CALL_INCOMING")
    a.event("CALL_RINGING")


@pytest.fixture
def three(make_server, workers, phone, request):
    """alice, bob and carol, with passwords, all calls challenged."""
    server = make_server(workers=workers, relay="users", auth=MD5_ONLY)
    phones = []
    for name in ("alice", "bob", "carol"):
        server.ctl("user", "add", name + "@example.com", "--password-stdin", stdin="secret-%s\n" % name)
        phones.append(phone(server, name, proto=request.param, password="secret-" + name))
    for p in phones:
        p.registered()
    return phones


@pytest.mark.parametrize("three", ["udp", "tcp"], indirect=True)
def test_rfc3665_3_8_and_3_9_the_caller_gives_up_and_the_callee_is_busy(three):
    a, b, _ = three
    ringing(a, b)
    a.command("hangup")  # CANCEL
    b.event("CALL_CLOSED")
    ringing(a, b)
    b.command("hangup")  # 486
    assert "486" in a.event("CALL_CLOSED")["param"]


@pytest.mark.parametrize("three", ["udp", "tcp"], indirect=True)
def test_rfc3264_8_4_hold_and_resume_by_both_sides(three):
    a, b, _ = three
    ringing(a, b)
    b.command("accept")
    a.event("CALL_ESTABLISHED")
    b.event("CALL_ESTABLISHED")
    for p, other in ((a, b), (b, a)):
        p.command("hold")  # a re-INVITE, in this direction and in that
        other.event("CALL_REMOTE_SDP")
        p.command("resume")
        other.event("CALL_REMOTE_SDP")
    b.command("hangup")  # BYE of the callee
    a.event("CALL_CLOSED")


@pytest.mark.parametrize("three", ["udp", "tcp"], indirect=True)
def test_rfc3515_the_callee_transfers_the_caller_to_a_third(three):
    a, b, c = three
    ringing(a, b)
    b.command("accept")
    a.event("CALL_ESTABLISHED")
    b.event("CALL_ESTABLISHED")
    b.command("transfer", "sip:carol@example.com")  # REFER; the NOTIFYs come back
    c.event("CALL_INCOMING")
    c.command("accept")
    c.event("CALL_ESTABLISHED")
    a.event("CALL_ESTABLISHED")
    c.command("hangup")
    a.event("CALL_CLOSED")
