# SPDX-License-Identifier: Apache-2.0
"""Network namespaces: machines in networks of their own, joined by cables. Needs root and iproute2."""
import contextlib
import ctypes
import os
import shutil
import subprocess

CLONE_NEWNET = 0x40000000


def ip(*args):
    subprocess.run(["ip", *args], check=True, capture_output=True)


def may_be_used():
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    try:
        with machines("probe"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def _enter(path):
    with open(path) as f:
        if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(name):
    """Sockets and programs that are begun in here belong to machine @name."""
    with open("/proc/thread-self/ns/net") as home:
        _enter("/run/netns/" + full(name))
        try:
            yield
        finally:
            _enter("/proc/self/fd/%d" % home.fileno())


def full(name):
    return "belfry-%d-%s" % (os.getpid(), name)


@contextlib.contextmanager
def machines(*names):
    made = []
    try:
        for name in names:
            ip("netns", "add", full(name))
            made.append(full(name))
            ip("-n", full(name), "link", "set", "lo", "up")
        yield
    finally:
        for name in made:
            ip("netns", "del", name)


def cable(a, a_ip, b, b_ip):
    """Joins two machines; the addresses have their prefix length."""
    ends = [(a, a_ip, "to-" + b), (b, b_ip, "to-" + a)]
    ip("-n", full(a), "link", "add", ends[0][2], "type", "veth", "peer", "name", ends[1][2], "netns", full(b))
    for name, address, link in ends:
        ip("-n", full(name), "addr", "add", address, "dev", link, "nodad")
        ip("-n", full(name), "link", "set", link, "up")
