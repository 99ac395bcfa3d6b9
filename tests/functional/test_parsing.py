# SPDX-License-Identifier: Apache-2.0
"""What is read and what is refused (RFC 3261 7, 8.2, 18.3, 20, 25): odd but legal messages go through,
broken ones get an answer that says what is wrong, an ACK or a response never gets one."""
import re
import socket
import time

import pytest
from siplib import Msg, unique


@pytest.fixture
def pair(server, peer):
    alice, bob = peer(server, user="alice"), peer(server, user="bob")
    server.ctl("location", "add", "bob@example.com", bob.contact)
    return alice, bob


def text(p, **over):
    """An OPTIONS to the server, line by line, so that each can be spoilt; None leaves one out."""
    lines = {"start": "OPTIONS sip:example.com SIP/2.0", "via": "Via: " + p.via(), "mf": "Max-Forwards: 70",
             "from": "From: <sip:a@example.com>;tag=f1", "to": "To: <sip:example.com>", "call": "Call-ID: " + unique("c"),
             "cseq": "CSeq: 7 OPTIONS", "len": "Content-Length: 0"}
    lines.update(over)
    return "\r\n".join(v for v in lines.values() if v is not None) + "\r\n\r\n"


# --- what is legal


ODD = [
    # compact names, any case, LWS around the colon, folding (7.3.1, 7.3.3)
    ("compact", "MESSAGE {uri} SIP/2.0\r\nv: {via}\r\nf: <sip:alice@example.com>;tag=x\r\nt: <{uri}>\r\ni: {call}\r\n"
     "CSeq: 1 MESSAGE\r\nc: text/plain\r\nl: 2\r\n\r\nhi"),
    ("case", "MESSAGE {uri} SIP/2.0\r\nvIA: {via}\r\nFROM: <sip:alice@example.com>;tag=x\r\ntO: <{uri}>\r\nCALL-id: {call}\r\n"
     "cSEQ: 1 MESSAGE\r\nMAX-FORWARDS: 70\r\ncontent-LENGTH: 2\r\n\r\nhi"),
    ("lws", "MESSAGE {uri} SIP/2.0\r\nVia  :\t {via}\r\nFrom \t:<sip:alice@example.com> ; tag = x\r\nTo:<{uri}>\r\nCall-ID   : {call}\r\n"
     "CSeq:0001   MESSAGE\r\nMax-Forwards:   0070\r\nContent-Length :2\r\n\r\nhi"),
    ("folded", "MESSAGE {uri} SIP/2.0\r\nVia:\r\n {via}\r\nFrom: \"A\r\n\tB\"\r\n  <sip:alice@example.com>\r\n ;tag=x\r\nTo:\r\n\t<{uri}>\r\nCall-ID:\r\n {call}\r\n"
     "CSeq: 1\r\n MESSAGE\r\nMax-Forwards:\r\n 70\r\nX-Folded: a\r\n  b\r\n\tc\r\nContent-Length:\r\n 2\r\n\r\nhi"),
    ("via-spaces", "MESSAGE {uri} SIP/2.0\r\nVia: SIP  /  2.0 / UDP   {hostport} ; rport ; branch = {branch}\r\nFrom: <sip:alice@example.com>;tag=x\r\nTo: <{uri}>\r\nCall-ID: {call}\r\n"
     "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 2\r\n\r\nhi"),
    ("quotes", "MESSAGE {uri} SIP/2.0\r\nVia: {via}\r\nFrom: \"a \\\" <sip:x@y>, \\\\\" <sip:alice@example.com>;tag=x\r\nTo: \"B;,<>\" <{uri}>\r\nCall-ID: {call}\r\n"
     "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 2\r\n\r\nhi"),
    ("schemes", "MESSAGE {uri} SIP/2.0\r\nVia: {via}\r\nFrom: <isbn:2983792873>;tag=x\r\nTo: <http://www.example.com>\r\nCall-ID: {call}\r\n"
     "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContact: <name:John_Smith>\r\nContent-Length: 2\r\n\r\nhi"),
    ("bare-from", "MESSAGE {uri} SIP/2.0\r\nVia: {via}\r\nFrom: sip:alice@example.com;tag=x\r\nTo: {uri}\r\nCall-ID: {call}\r\n"
     "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 2\r\n\r\nhi"),
    ("order", "MESSAGE {uri} SIP/2.0\r\nContent-Length: 2\r\nCSeq: 1 MESSAGE\r\nX-A: 1\r\nCall-ID: {call}\r\nX-A: 2\r\nTo: <{uri}>\r\nx-b:\r\nFrom: <sip:alice@example.com>;tag=x\r\n"
     "Via: {via}\r\nX-A: 3, 4\r\n\r\nhi"),
    ("ipv6-via", "MESSAGE {uri} SIP/2.0\r\nVia: {via}, SIP/2.0/UDP [2001:db8::9:1]:5070;branch=z9hG4bKx;received=2001:db8::1\r\nVia: SIP/2.0/UNKNOWN [2001:db8::9:2];branch=z9hG4bKy\r\n"
     "From: <sip:alice@[2001:db8::1]>;tag=x\r\nTo: <{uri}>\r\nCall-ID: {call}\r\n"
     "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 2\r\n\r\nhi"),
    ("leading-crlf", "\r\n\r\nMESSAGE {uri} SIP/2.0\r\nVia: {via}\r\nFrom: <sip:alice@example.com>;tag=x\r\nTo: <{uri}>\r\nCall-ID: {call}\r\n"
     "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 2\r\n\r\nhi"),
    ("lower-version", "MESSAGE {uri} sip/2.0\r\nVia: {via}\r\nFrom: <sip:alice@example.com>;tag=x\r\nTo: <{uri}>\r\nCall-ID: {call}\r\n"
     "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 2\r\n\r\nhi"),
    ("empty-headers", "MESSAGE {uri} SIP/2.0\r\nVia: {via}\r\nSubject:\r\nSupported:\r\nX-E: \r\nFrom: <sip:alice@example.com>;tag=x\r\nTo: <{uri}>\r\nCall-ID: {call}\r\n"
     "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 2\r\n\r\nhi"),
    ("utf8", "MESSAGE {uri} SIP/2.0\r\nVia: {via}\r\nFrom: \"\u0410\u043b\u0438\u0441\u0430\" <sip:alice@example.com>;tag=x\r\nSubject: \u20ac\r\nTo: <{uri}>\r\nCall-ID: {call}\r\n"
     "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 2\r\n\r\nhi"),
    ("bodytail", "MESSAGE {uri} SIP/2.0\r\nVia: {via}\r\nFrom: <sip:alice@example.com>;tag=x\r\nTo: <{uri}>\r\nCall-ID: {call}\r\n"
     "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 2\r\n\r\nhiINVITE sip:x@y SIP/2.0\r\n\r\n"),
    ("nolength", "MESSAGE {uri} SIP/2.0\r\nVia: {via}\r\nFrom: <sip:alice@example.com>;tag=x\r\nTo: <{uri}>\r\nCall-ID: {call}\r\n"
     "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\n\r\nhi"),
    ("maxcseq", "MESSAGE {uri} SIP/2.0\r\nVia: {via}\r\nFrom: <sip:alice@example.com>;tag=x\r\nTo: <{uri}>\r\nCall-ID: {call}\r\n"
     "CSeq: 2147483647 MESSAGE\r\nMax-Forwards: 255\r\nContent-Length: 2\r\n\r\nhi"),
    ("escaped-user", "MESSAGE sip:%62ob@EXAMPLE.com SIP/2.0\r\nVia: {via}\r\nFrom: <sip:alice@example.com>;tag=x\r\nTo: <{uri}>\r\nCall-ID: {call}\r\n"
     "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 2\r\n\r\nhi"),
    ("uri-params", "MESSAGE sip:bob:secret@example.com;user=phone;x=%41;lr-not SIP/2.0\r\nVia: {via}\r\nFrom: <sip:alice@example.com>;tag=x\r\nTo: <{uri}>\r\nCall-ID: {call}\r\n"
     "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 2\r\n\r\nhi"),
]
OURS = {"via", "v", "max-forwards", "max-breadth", "record-route", "route"}


def others(data):
    """Logical header lines, in order, that no proxy may touch."""
    head = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0]
    lines = re.split(rb"\r\n(?![ \t])", head)[1:]
    return [x for x in lines if x.split(b":")[0].strip().lower().decode() not in OURS]


def test_rfc3261_7_3_odd_but_legal_goes_through_byte_for_byte(pair):
    alice, bob = pair
    for name, form in ODD:
        raw = form.format(uri="sip:bob@example.com", via=alice.via(), call=unique("c"), hostport=alice.hostport,
                          branch=unique("z9hG4bK")).encode()
        alice.send(raw)
        got = bob.expect("MESSAGE")
        assert got.body == b"hi" and got.uri == bob.contact, name
        bob.reply(got, 200, "Fine")
        assert alice.expect(200).reason == "Fine"
        assert others(got.raw) == others(raw), name
        sent = Msg(raw.lstrip(b"\r\n"))
        assert len(got.values("Via")) == len(sent.values("Via")) + 1, name
        assert int(got["Max-Forwards"]) == (int(sent["Max-Forwards"]) - 1 if sent["Max-Forwards"] else 70), name


# --- what is refused, and with which words


BROKEN = [
    ("cseq-text", dict(cseq="CSeq: x OPTIONS"), "CSeq"),
    ("cseq-large", dict(cseq="CSeq: 4294967296 OPTIONS"), "CSeq"),
    ("cseq-negative", dict(cseq="CSeq: -1 OPTIONS"), "CSeq"),
    ("cseq-no-method", dict(cseq="CSeq: 1"), "CSeq"),
    ("cseq-other-method", dict(cseq="CSeq: 1 INVITE"), "CSeq"),
    ("cseq-missing", dict(cseq=None), "CSeq"),
    ("cseq-twice", dict(cseq="CSeq: 7 OPTIONS\r\nCSeq: 8 OPTIONS"), "CSeq"),
    ("from-missing", dict([("from", None)]), "From"),
    ("from-broken", dict([("from", "From: <sip:a@example.com;tag=1")]), "From"),
    ("from-quote", dict([("from", 'From: "a <sip:a@example.com>;tag=1')]), "From"),
    ("from-twice", dict([("from", "From: <sip:a@b>;tag=1\r\nFrom: <sip:c@d>;tag=2")]), "From"),
    ("to-missing", dict(to=None), "To"),
    ("to-broken", dict(to="To: <sip:a@example.com"), "To"),
    ("call-id-missing", dict(call=None), "Call-ID"),
    ("call-id-empty", dict(call="Call-ID:"), "Call-ID"),
    ("call-id-twice", dict(call="Call-ID: a\r\nCall-ID: b"), "Call-ID"),
    ("max-forwards-text", dict(mf="Max-Forwards: many"), "Max-Forwards"),
    ("max-forwards-twice", dict(mf="Max-Forwards: 70\r\nMax-Forwards: 1"), "Max-Forwards"),
    ("length-text", dict(len="Content-Length: no"), "Content-Length"),
    ("length-twice", dict(len="Content-Length: 0\r\nContent-Length: 5"), "Content-Length"),
    ("length-more", dict(len="Content-Length: 9"), "Content-Length"),
    ("ruri-space", dict(start="OPTIONS sip:exa mple.com SIP/2.0"), ""),
    ("ruri-brackets", dict(start="OPTIONS <sip:example.com> SIP/2.0"), "Request-URI"),
    ("ruri-host", dict(start="OPTIONS sip:a@ SIP/2.0"), "Request-URI"),
    ("ruri-port", dict(start="OPTIONS sip:a@example.com:99999 SIP/2.0"), "Request-URI"),
    ("ruri-escape", dict(start="OPTIONS sip:a%zz@example.com SIP/2.0"), "Request-URI"),
    ("no-colon", dict(mf="Max-Forwards: 70\r\nthis is no header field"), ""),
    ("route", dict(mf="Max-Forwards: 70\r\nRoute: <sip:x"), "Route"),
]


def test_rfc3261_8_2_a_broken_request_is_400_with_what_is_wrong(server, peer):
    p = peer(server)
    fields = {"from": "From", "to": "To", "call": "Call-ID", "cseq": "CSeq"}
    for name, over, word in BROKEN:
        p.send(text(p, **over))
        r = p.expect(400)
        assert word.lower() in r.reason.lower() and r.reason != "Bad Request", name
        assert r.to_tag or "To" not in r, name
        for key, field in fields.items():
            assert field in r or over.get(key, "") is None, (name, field)


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_rfc3261_21_5_6_another_version_is_505(server, peer, proto):
    p = peer(server, proto=proto)
    for v in ("SIP/3.0", "SIP/2.1", "SIP/1.0", "SIP/7.0"):
        p.send(text(p, start="OPTIONS sip:example.com " + v, call="Call-ID: " + unique()))
        assert p.expect(505).reason == "Version Not Supported"


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_rfc3261_21_4_12_a_request_uri_over_8_kib_is_414(server, peer, proto):
    p = peer(server, proto=proto)
    p.send(text(p, start="OPTIONS sip:%s@example.com SIP/2.0" % ("x" * 8200), call="Call-ID: " + unique()))
    assert p.expect(414)
    p.send(text(p, start="OPTIONS sip:%s@example.com SIP/2.0" % ("x" * 8000), call="Call-ID: " + unique()))
    assert p.expect("4xx").status in (480, 404)


def test_a_request_whose_via_cannot_be_read_is_dropped_and_counted(server, peer):
    p = peer(server)
    before = server.stat("belfry_parse_errors_total")
    bad = ["Via: SIP/2.0/UDP", "Via: nonsense", "Via: SIP/2.0/UDP :5060;branch=z9hG4bKa", "Via:", None,
           "Via: SIP/2.0/UDP 127.0.0.1:99999;branch=z9hG4bKa"]
    for via in bad:
        p.send(text(p, via=via))
    assert p.ask(p.request("OPTIONS", "sip:example.com")).status == 200  # and nothing before it
    assert server.stat("belfry_parse_errors_total") - before >= len(bad)


def test_rfc3261_18_1_2_a_response_that_cannot_be_read_is_dropped(server, peer):
    alice, bob = peer(server), peer(server, user="bob")
    bob.register()
    inv = alice.request("INVITE", bob.aor)
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    alice.expect(100)
    good = bob.reply(got, 200, "OK", send=False).raw
    for spoilt in (good.replace(b"CSeq: 1", b"CSeq: x"), good.replace(b"SIP/2.0 200", b"SIP/2.0 2000000000"),
                   good.replace(b"SIP/2.0 200", b"SIP/2.0 099"), good.replace(b"SIP/2.0 200", b"SIP/2.0 700"),
                   good.replace(b"SIP/2.0 200", b"SIP/3.0 200"), good.replace(b"Content-Length: 0", b"Content-Length: 99"),
                   good.replace(b"Call-ID", b"Call-XX"), good.replace(b"From:", b"Form:"),
                   good.replace(b"1 INVITE", b"1 BYE")):
        assert spoilt != good
        bob.answer(got, spoilt)
    bob.reply(got, 486, "Busy Here")
    assert alice.expect("4xx").status == 486


def test_nothing_is_answered_to_an_ack_however_broken(server, peer):
    p = peer(server)
    for _, over, _ in BROKEN:
        over = {k: v.replace("OPTIONS", "ACK") if v else v for k, v in over.items()}
        over.setdefault("start", "ACK sip:example.com SIP/2.0")
        over.setdefault("cseq", "CSeq: 7 ACK")
        p.send(text(p, **over))
    p.send(text(p, start="ACK sip:example.com SIP/9.0", cseq="CSeq: 1 ACK"))
    p.send(text(p, start="ACK sip:%s@example.com SIP/2.0" % ("x" * 8200), cseq="CSeq: 1 ACK"))
    p.send(text(p, start="ACK sip:bob@example.com SIP/2.0", cseq="CSeq: 1 ACK", mf="Max-Forwards: 0"))
    p.send(text(p, start="ACK sip:bob@example.com SIP/2.0", cseq="CSeq: 1 ACK", mf="Proxy-Require: x\r\nMax-Forwards: 7"))
    p.send(text(p, start="ACK http://x/ SIP/2.0", cseq="CSeq: 1 ACK"))
    assert p.ask(p.request("OPTIONS", "sip:example.com")).status == 200


def test_datagram_with_less_or_more_than_content_length(pair):
    """RFC 3261 18.3: too little is 400, the rest behind the body is cut off."""
    alice, bob = pair
    req = alice.request("MESSAGE", "sip:bob@example.com", body=b"0123456789")
    alice.send(req.raw.replace(b"Content-Length: 10", b"Content-Length: 11"))
    assert alice.expect(400)
    req = alice.request("MESSAGE", "sip:bob@example.com", body=b"0123456789")
    alice.send(req.raw.replace(b"Content-Length: 10", b"Content-Length: 4"))
    got = bob.expect("MESSAGE")
    assert got.body == b"0123" and got.raw.endswith(b"\r\n\r\n0123")


def test_lone_lf_and_nul_and_crlf_datagrams_do_no_harm(server, peer):
    p = peer(server)
    for data in (b"\n", b"\0", b"\r\n" * 50, b"\0" * 1000, b"x", b"\r\n\r\nx", b"jaK", b"", b" "):
        p.send(data)
    assert p.ask(p.request("OPTIONS", "sip:example.com")).status == 200


def test_stream_rejections_that_keep_the_framing_keep_the_connection(server, peer):
    p = peer(server, proto="tcp")
    for _, over, _ in BROKEN:
        if "len" in over:
            continue
        p.send(text(p, **over))
        assert p.expect(400)
    assert p.ask(p.request("OPTIONS", "sip:example.com")).status == 200
    assert len(p.streams) == 1
