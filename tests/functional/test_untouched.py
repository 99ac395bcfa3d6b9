# SPDX-License-Identifier: Apache-2.0
"""What the proxy has no business with goes through it byte for byte, in requests and responses, inside
and outside of dialogs, over UDP and TCP."""
import pytest
from siplib import Msg, unique, uri_of

SDP_QOS = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
           "a=curr:qos e2e none\r\na=des:qos mandatory e2e sendrecv\r\na=group:ANAT 1 2\r\na=mid:1\r\n")
NULS = bytes(range(256)) * 3 + b"\r\n\r\nINVITE sip:x@y SIP/2.0\r\n\r\n\0"
MULTI = (b"--b1\r\nContent-Type: application/sdp\r\nContent-Disposition: session\r\n\r\nv=0\r\n\r\n--b1\r\n"
         b"Content-Type: application/isup; version=nxv3;\r\n base=etsi121\r\nContent-Disposition: signal; handling=optional\r\n\r\n"
         + bytes(range(256)) + b"\r\n--b1--\r\n")
# method, header lines, body; each from the specification named
CASES = {
    "rfc2976-info": ("INFO", ["Content-Type: application/dtmf-relay", "Info-Package: foo"], b"Signal=5\r\nDuration=160\r\n"),
    "rfc3204-isup": ("INVITE", ["MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b1"], MULTI),
    "rfc3204-qsig": ("INFO", ["Content-Type: application/qsig; version=iso", "Content-Disposition: signal ;handling=required"], NULS),
    "rfc3262-100rel": ("INVITE", ["Supported: 100rel, precondition", "Require: 100rel"], b""),
    "rfc3262-prack": ("PRACK", ["RAck: 776656 1 INVITE"], b""),
    "rfc3312-preconditions": ("INVITE", ["Require: precondition", "Supported: 100rel"], SDP_QOS.encode()),
    "rfc3311-update": ("UPDATE", ["Content-Type: application/sdp"], SDP_QOS.encode()),
    "rfc3420-sipfrag": ("NOTIFY", ["Event: refer;id=93809824", "Subscription-State: active;expires=60", "Content-Type: message/sipfrag;version=2.0"],
                        b"SIP/2.0 100 Trying\r\n"),
    "rfc3428-message": ("MESSAGE", ["Content-Type: text/plain", "Expires: 30", "Date: Mon, 01 Jan 2024 00:00:00 GMT"], "\u0422\u0435\u0441\u0442".encode()),
    "rfc3515-refer": ("REFER", ["Refer-To: <sip:carol@example.net?Replaces=12345%40a%3Bto-tag%3D1%3Bfrom-tag%3D2>", "Referred-By: <sip:alice@example.com>;cid=\"2@x\"",
                                "Refer-Sub: false", "Supported: norefersub", "Target-Dialog: fa77as7dad8-sd98ajzz@host.example.com;local-tag=kkaz-;remote-tag=6544"], b""),
    "rfc4508-feature": ("REFER", ["Refer-To: <sip:conf44@example.com>;isfocus;methods=\"INVITE,BYE\""], b""),
    "rfc3891-replaces": ("INVITE", ["Replaces: 425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only", "Require: replaces"], b""),
    "rfc3911-join": ("INVITE", ["Join: 12adf2f34456gs5;to-tag=12345;from-tag=54321", "Require: join"], b""),
    "rfc3893-aib": ("INVITE", ["Content-Type: multipart/mixed; boundary=b1"], MULTI),
    "rfc4483-indirection": ("MESSAGE", ['Content-Type: message/external-body; access-type="URL";\r\n expiration="Mon, 24 June 2002 09:00:00 GMT";\r\n URL="http://x/y"'], b"Content-Type: x/y\r\n\r\n"),
    "rfc4028-timer": ("INVITE", ["Session-Expires: 90;refresher=uac", "Min-SE: 90", "Supported: timer"], b""),
    "rfc5373-answer-mode": ("INVITE", ["Answer-Mode: Auto;require", "Priv-Answer-Mode: Manual", "Require: answermode"], b""),
    "rfc3313-media-auth": ("INVITE", ["P-Media-Authorization: 0020000100100101706466312e686f6d65312e6e6574000c02013942563330373230"], b""),
    "rfc6442-geolocation": ("INVITE", ["Geolocation: <cid:target123@atlanta.example.com>, <https://ls.example.com/x>", "Geolocation-Routing: yes"], b""),
    "saml-unknown": ("FROBNICATE", ["Saml-Assertion: <https://x/y?a=b,c>;q=\"1,2\"", "x-EMPTY:", "X-Spaces:    a   b  ", "X-Quoted: \"a\\\"b\", <c;d>"], NULS),
    "rfc3841-callerprefs": ("INVITE", ["Accept-Contact: *;audio;require", "Reject-Contact: *;video", "Request-Disposition: no-fork"], b""),
    "rfc3326-reason": ("BYE", ['Reason: Q.850 ;cause=16 ;text="Terminated"'], b""),
    "auth-of-others": ("MESSAGE", ['Authorization: Digest username="bob", realm="elsewhere.invalid", nonce="1", uri="sip:bob@example.com", response="2"',
                                   'Proxy-Authorization: Digest username="bob", realm="other.invalid", nonce="1", uri="x", response="2"'], b""),
    "publish": ("PUBLISH", ["Event: presence", "SIP-If-Match: dx200xyz", "Expires: 0", "Content-Encoding: gzip"], NULS),
}
HOPS = ("via", "max-forwards", "max-breadth", "record-route", "route")


def rest(msg):
    return [(n, v) for n, v in lines(msg.raw) if n.lower() not in HOPS]


def lines(raw):
    """(name, everything behind the colon as it is) of each field; folded lines stay folded."""
    head = raw.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape").split("\r\n")[1:]
    out = []
    for line in head:
        if line[:1] in (" ", "\t"):
            out[-1] = (out[-1][0], out[-1][1] + "\r\n" + line)
        else:
            out.append(tuple(line.split(":", 1)))
    return out


@pytest.mark.parametrize("a,b", [("udp", "udp"), ("tcp", "tcp"), ("udp", "tcp")])
def test_passing_through_untouched(server, peer, a, b):
    alice, bob = peer(server, proto=a), peer(server, proto=b)
    server.ctl("location", "add", "bob@example.com", bob.contact)
    for name, (method, headers, body) in CASES.items():
        req = alice.request(method, "sip:bob@example.com", headers=headers, body=body, to_tag="t1" if method in ("PRACK", "UPDATE", "BYE") else None)
        alice.send(req.raw)
        got = bob.expect(method, skip=("ACK",))
        assert rest(got) == rest(req), name
        assert got.body == body, name
        answer = bob.reply(got, 200, "\u00c4 gut", headers=headers[::-1] + ["X-Answer: \"q\\\"\" , <a>,b"], body=body)
        ok = alice.final(req)
        assert ok.start == "SIP/2.0 200 \u00c4 gut" and ok.body == body, name
        assert lines(ok.raw)[1:] == lines(answer.raw)[2:], name  # all but our Via, and the caller's own
        if method == "INVITE":
            alice.ack(req, ok)
            bob.expect("ACK")


def test_rfc3262_a_reliable_provisional_and_its_prack_cross(server, peer):
    alice, bob = peer(server), peer(server)
    server.ctl("location", "add", "bob@example.com", bob.contact)
    inv = alice.request("INVITE", "sip:bob@example.com", headers=["Require: 100rel"])
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    bob.reply(got, 183, "Progress", headers=["Require: 100rel", "RSeq: 813520"], body="v=0\r\n")
    early = alice.expect(183)
    assert early["RSeq"] == "813520" and early.body == b"v=0\r\n"
    prack = alice.in_dialog("PRACK", inv, early, headers=["RAck: 813520 1 INVITE"])
    alice.send(prack.raw)
    gp = bob.expect("PRACK")
    assert gp["RAck"] == "813520 1 INVITE" and gp.uri == bob.contact and "Route" not in gp
    bob.reply(gp, 200, "OK")
    assert alice.final(prack).status == 200
    update = alice.in_dialog("UPDATE", inv, early, cseq=9, body="v=0\r\n")
    alice.send(update.raw)
    gu = bob.expect("UPDATE")
    bob.reply(gu, 200, "OK")
    assert alice.final(update).status == 200
    bob.reply(got, 200, "OK")
    alice.ack(inv, alice.expect(200))
    bob.expect("ACK")


@pytest.mark.parametrize("proto,size", [("udp", 60000), ("tcp", 60000)])
def test_a_large_binary_body_passes(make_server, workers, peer, proto, size):
    server = make_server(workers=workers, proxy="mtu = 0;")
    alice, bob = peer(server, proto=proto), peer(server, proto=proto)
    server.ctl("location", "add", "bob@example.com", bob.contact)
    body = bytes(range(256)) * (size // 256)
    req = alice.request("MESSAGE", "sip:bob@example.com", body=body, headers=["Content-Type: application/octet-stream"])
    alice.send(req.raw)
    got = bob.expect("MESSAGE")
    assert got.body == body
    bob.reply(got, 200, "OK", body=body)
    assert alice.final(req).body == body


def test_rfc3261_20_14_content_length_is_added_where_a_stream_needs_it(server, peer):
    """It may be missing in a datagram, of a request and of a response."""
    udp, tcp = peer(server), peer(server, proto="tcp")
    server.ctl("location", "add", "udp@example.com", udp.contact)
    server.ctl("location", "add", "tcp@example.com", tcp.contact)
    for a, b in ((udp, tcp), (tcp, udp)):
        req = a.request("MESSAGE", "sip:%s@example.com" % b.proto, body=b"hello")
        a.send(req.raw.replace(b"Content-Length: 5\r\n", b"") if a is udp else req.raw)
        got = b.expect("MESSAGE")
        assert got["Content-Length"] == "5" and got.body == b"hello"
        answer = b.reply(got, 200, "OK", body=b"abc", send=False).raw
        b.answer(got, answer.replace(b"Content-Length: 3\r\n", b"") if b is udp else answer)
        ok = a.final(req)
        assert ok["Content-Length"] == "3" and ok.body == b"abc"
