# SPDX-License-Identifier: Apache-2.0
"""Ports that nobody else takes.

A port that the kernel picks (bind to 0) and that is closed again may be gone before the program that
it is meant for binds it: any outgoing connection, of this test run or of another, may get it. So
ports are taken from outside the range from which the kernel picks. Runs of the tests share them in
blocks; a block belongs to the process that holds the abstract socket of its name, and is free again
when that process ends, in whatever way.
"""
import errno
import socket

BLOCK = 100
BLOCKS_MAX = 24  # of one run; then its own ports come again, the oldest first
FIRST = 10000
_held = []  # sockets: the blocks of this process
_blocks = []
_at = 0  # index of the next port in all our blocks


def _kernel_range():
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
            low, high = map(int, f.read().split())
            return low, high
    except (OSError, ValueError):
        return 32768, 60999


def _candidates():
    low, high = _kernel_range()
    for begin, end in ((FIRST, low), (high + 1, 65536)):
        yield from range(begin, end - BLOCK + 1, BLOCK)


def _take_block():
    for begin in _candidates():
        if begin in _blocks:
            continue
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            s.bind("\0belfry-tests-ports-%d" % begin)
        except OSError:
            s.close()
            continue
        _held.append(s)
        _blocks.append(begin)
        return True
    return False


def is_free(port):
    """Can it be bound, for UDP and TCP, on any address?"""
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                with socket.socket(family, kind) as s:
                    if family == socket.AF_INET6:
                        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    s.bind((address, port))
            except OSError as e:
                if e.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    return False
    return True


def free_port(n=1):
    """The first of @n ports in a row that are free for UDP and TCP and stay ours until we end."""
    global _at
    for _ in range(2 * BLOCK * BLOCKS_MAX):
        if _at >= BLOCK * len(_blocks):
            _at = 0
            if len(_blocks) < BLOCKS_MAX and _take_block():
                _at = BLOCK * (len(_blocks) - 1)
            assert _blocks, "no ports are left for the tests"
        if _at % BLOCK + n > BLOCK:
            _at += BLOCK - _at % BLOCK
            continue
        port = _blocks[_at // BLOCK] + _at % BLOCK
        _at += n
        if all(is_free(p) for p in range(port, port + n)):
            return port
    raise RuntimeError("no free port")
