# SPDX-License-Identifier: Apache-2.0
"""A server in two networks that have nothing in common but it."""
import netns
import pytest
from siplib import Peer, uri_of

pytestmark = pytest.mark.skipif(not netns.may_be_used(), reason="no network namespaces here")
PORT = 5060


@pytest.fixture
def networks():
    with netns.machines("s", "a", "b"):
        netns.cable("s", "10.71.0.1/24", "a", "10.71.0.2/24")
        netns.cable("s", "10.72.0.1/24", "b", "10.72.0.2/24")
        yield


class Gate:
    """The server as a phone in that network sees it."""

    def __init__(self, ip):
        self.ip, self.port = ip, PORT

    def addr(self, v6=False):
        return self.ip, self.port


def phone(name, ip, server_ip, proto):
    with netns.inside(name):
        p = Peer(Gate(server_ip), proto=proto, ip=ip, port=PORT)
        if proto == "tcp":
            p.connect()
        return p


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_rfc3261_16_6_4_each_side_sees_the_address_it_can_reach(networks, make_server, workers, proto):
    listen = ", ".join('{ transport = "%s"; address = "%s"; port = %d; }' % (t, ip, PORT)
                       for t in ("udp", "tcp") for ip in ("10.71.0.1", "10.72.0.1"))
    with netns.inside("s"):
        make_server(workers=workers, listen=listen, name="")
    alice, bob = phone("a", "10.71.0.2", "10.71.0.1", proto), phone("b", "10.72.0.2", "10.72.0.1", proto)
    inv = alice.request("INVITE", bob.contact)
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    assert "10.72.0.1" in got.values("Via")[0]
    assert ["10.72.0.1" in uri_of(v) for v in got.values("Record-Route")] == [True, False]
    bob.reply(got, 200, "OK")
    ok = alice.expect(200)
    alice.ack(inv, ok)
    bob.expect("ACK")
    bye = bob.in_dialog_uas("BYE", got, ok)
    bob.send(bye.raw)
    alice.reply(alice.expect("BYE"), 200, "OK")
    bob.expect(200)
    alice.close()
    bob.close()
