# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ports below 1024, and what else root inside has no right to, of containers with users of their own on a
network that is not theirs."""

import ctypes
import os
import platform
import struct

from case import contains, contains_not, equal
from containers import fetch, says, serve
from host import wait_until

ROOT = "/var/lib/machines/web"
ON_HOST = "[Exec]\nPrivateUsers=pick\n[Network]\nPrivate=no\n"
HTTPD = ("[Container]\nCommand=/usr/bin/busybox httpd -f -h /srv -p 80\n"
         "[Exec]\nPrivateUsers=pick\n[Network]\n")

# systemd-nspawn lets no system inside have bpf(2), whatever capabilities it has.
WITH_BPF = "--system-call-filter=bpf"

# bpf(2)
SYS_BPF = {"x86_64": 321, "aarch64": 280}
BPF_PROG_QUERY = 16
HOOKS = {"INET4_BIND": 8, "INET6_BIND": 9}


def programs(host):
    """How many programs are attached to the container's cgroup, for each hook."""
    libc = ctypes.CDLL(None, use_errno=True)
    [cgroup] = host.cgroup.glob("**/machine.slice/container-web.service")
    directory = os.open(cgroup, os.O_RDONLY)
    counts = []
    for hook in HOOKS.values():
        ids = (ctypes.c_uint32 * 64)()
        query = ctypes.create_string_buffer(
            struct.pack("IIIIQI", directory, hook, 0, 0, ctypes.addressof(ids), len(ids)), 64)
        if libc.syscall(SYS_BPF[platform.machine()], BPF_PROG_QUERY, query, len(query)) < 0:
            raise OSError(ctypes.get_errno(), "bpf(2)")
        counts.append(struct.unpack_from("I", query, 24)[0])
    os.close(directory)
    return counts


def listens(host, port, user="root"):
    """Whether a program in the container gets a port; what it says if not."""
    return host.run("spawnlet", "run", "web", "su", "-s", "/bin/sh", user, "-c",
                    f"busybox timeout 0.2 busybox nc -l -p {port}; [ $? -ne 1 ]", check=False)


def on_the_hosts_network(host):
    host.run("mkdir", "-p", f"{ROOT}/etc/systemd/system/sockets.target.wants")
    host.run("ln", "-s", "../hello.socket", f"{ROOT}/etc/systemd/system/sockets.target.wants/")
    host.define("web", ON_HOST + "[Service]\nSocketBindDeny=tcp:81\n")
    host.run("systemctl", "start", "container-web")
    equal(fetch(host, "http://127.0.0.1/"), "hello")
    equal(fetch(host, "http://[::1]/"), "hello")
    equal(host.out("spawnlet", "run", "web", "systemctl", "is-system-running", "--wait"), "running")

    # Everybody inside; the host's users as before; and what SocketBindDeny= forbids stays forbidden.
    for user in "root", "nobody":
        equal(listens(host, 82, user).returncode, 0)
    contains("Permission denied", host.run("su", "-s", "/bin/sh", "nobody", "-c", "busybox nc -l -p 82",
                                           check=False).stderr)
    denies = "+BPF_FRAMEWORK" in host.out("systemctl", "--version")
    if denies:
        contains("Operation not permitted", listens(host, 81).stderr)
    equal(programs(host), [1 + denies] * 2)

    # Of the rest, see LIMITS in spawnlet.container(5).
    ping = ["spawnlet", "run", "web", "ping", "-c1", "127.0.0.1"]
    contains("Operation not permitted", host.run(*ping, check=False).stderr)
    host.run("sysctl", "net.ipv4.ping_group_range=0 2147483647")
    host.run(*ping)
    host.run("systemctl", "stop", "container-web")


def on_another_containers_network(host):
    """It has users of its own, too, and they are others."""
    host.copied_root("/var/lib/machines/other")
    host.define("other", """\
        [Container]
        Command=/bin/sleep infinity
        [Exec]
        PrivateUsers=pick
        [Network]
        HostAddress=10.90.0.1
        LocalAddress=10.90.0.2
        HostAddress=fd90::1
        LocalAddress=fd90::2
    """)
    host.define("web", HTTPD + "Namespace=container:other\n")
    host.run("systemctl", "start", "container-web")
    for url in "http://10.90.0.2/", "http://[fd90::2]/":
        wait_until("it serves", lambda: equal(fetch(host, url), "hello") or True)
    host.run("systemctl", "stop", "container-web")


def on_a_network_of_the_hosts(host):
    host.run("ip", "netns", "add", "blue")
    host.run("ip", "-n", "blue", "link", "set", "lo", "up")
    host.define("web", HTTPD + "NamespacePath=/run/netns/blue\n[Service]\nRestartSec=0\n")
    host.run("systemctl", "start", "container-web")
    for url in "http://127.0.0.1/", "http://[::1]/":
        wait_until("it serves", lambda: equal(
            host.out("ip", "netns", "exec", "blue", "curl", "-sS", url), "hello") or True)

    # The kernel allows 64: none may be left from a start before.
    equal(programs(host), [1, 1])
    host.run("systemctl", "restart", "container-web")
    equal(programs(host), [1, 1])
    host.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", "container-web")
    wait_until("it is restarted", lambda: host.unit("container-web")["NRestarts"] == "1" and
               host.state("container-web") == "active", timeout=60)
    equal(programs(host), [1, 1])


def test_networks_of_others(first):
    with first.another(WITH_BPF) as host:
        host.copied_root(ROOT)
        serve(host, ROOT)
        on_the_hosts_network(host)
        on_another_containers_network(host)
        on_a_network_of_the_hosts(host)


def test_where_the_kernel_does_not_let_us(host):
    """The container starts, and a warning says what it has not; unless it is not to have it."""
    host.copied_root(ROOT)
    host.define("web", "[Container]\nCommand=/bin/sleep infinity\n" + ON_HOST)
    host.run("systemctl", "start", "container-web")
    says(host, "The container cannot use ports below 1024: failed to load a BPF program: Operation not permitted",
         "journalctl", "-o", "cat", "-u", "container-web")
    contains("Permission denied", listens(host, 82).stderr)

    host.run("journalctl", "--rotate", "--vacuum-time=1ms")
    host.define("web", "[Container]\nCommand=/bin/sleep infinity\n" + ON_HOST +
                "[Exec]\nDropCapability=CAP_NET_BIND_SERVICE\n")
    host.run("systemctl", "restart", "container-web")
    contains("Permission denied", listens(host, 82).stderr)
    host.run("journalctl", "--sync")
    contains_not("1024", host.out("journalctl", "-o", "cat", "-u", "container-web"))
