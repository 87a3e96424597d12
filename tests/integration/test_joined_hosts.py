# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers as another host on the same Ethernet segment sees them."""

from case import contains, equal
from containers import fetch, web

HOST, OTHER = ("192.0.2.1", "2001:db8::1"), ("192.0.2.2", "2001:db8::2")


def ping(host, address):
    return host.ok("ping", "-c1", "-W5", address)


def test_two_hosts_reach_each_other(host):
    with host.another() as other:
        host.join(other)
        for theirs, mine in zip(OTHER, HOST):
            assert ping(host, theirs) and ping(other, mine)
        contains("lan0", host.footprint()["interfaces"])

        # The segment goes with one of its hosts, and can be made anew.
        other.reboot()
        assert not host.ok("ip", "link", "show", "lan0")
        host.join(other)
        assert ping(host, OTHER[0])


def test_another_host_reaches_a_container_through_its_host(host):
    web(host)
    host.run("systemctl", "start", "container-web")
    with host.another() as other:
        host.join(other)
        other.run("ip", "route", "add", "10.90.0.2", "via", HOST[0])
        other.run("ip", "route", "add", "fd90::2", "via", HOST[1])
        assert not ping(other, "10.90.0.2"), "it is reached through a host that forwards nothing"

        host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for url in ("http://10.90.0.2/", "http://[fd90::2]/"):
            equal(fetch(other, url), "hello")
