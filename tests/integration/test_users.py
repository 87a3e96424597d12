# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers with users of their own, and a network of their own or another's; DESIGN in
spawnlet.container(5), PrivateUsers=."""

from case import contains, equal
from containers import addresses, fetch, init_start_time, says, serve
from host import wait_until

ROOT = "/var/lib/machines/web"

NETWORK = """\
    [Network]
    HostAddress=10.90.0.1
    LocalAddress=10.90.0.2
    HostAddress=fd90::1
    LocalAddress=fd90::2
"""


def inside(host, *command, name="web", **options):
    return host.out("spawnlet", "run", name, *command, **options)


def first_user(host, name="web"):
    """Root of the container, on the host."""
    leader = host.out("machinectl", "show", "-p", "Leader", "--value", name)
    inner, outside, count = host.read(f"/proc/{leader}/uid_map").split()
    equal((inner, count), ("0", "65536"))
    return int(outside)


def administers_its_network(host, name="web"):
    """All that CAP_NET_ADMIN is for, and a /proc/sys/net and /sys of its own."""
    inside(host, "ip", "link", "add", "b0", "type", "bridge", name=name)
    inside(host, "ip", "address", "add", "10.7.7.7/24", "dev", "b0", name=name)
    inside(host, "ip", "route", "add", "10.8.0.0/16", "dev", "lo", name=name)
    inside(host, "ip", "link", "delete", "b0", name=name)
    inside(host, "nft", "add table inet mine { chain c { type filter hook input priority 0; }; }", name=name)
    inside(host, "/bin/sh", "-ec", "echo 1 >/proc/sys/net/ipv4/ip_forward", name=name)
    equal(inside(host, "cat", "/proc/sys/net/ipv4/ip_forward", name=name), "1")
    equal(sorted(inside(host, "ls", "/sys/class/net", name=name).split()), ["eth0", "lo"])
    contains("cap_net_admin", inside(host, "/bin/sh", "-c", "grep -i capeff /proc/self/status; echo cap_net_admin"))


def test_a_whole_system(host):
    host.copied_root(ROOT)
    serve(host, ROOT)
    host.run("ln", "-s", "/etc/systemd/system/hello.socket", f"{ROOT}/etc/systemd/system/sockets.target.wants/",
             check=False)
    host.run("mkdir", "-p", f"{ROOT}/etc/systemd/system/sockets.target.wants")
    host.run("ln", "-sf", "../hello.socket", f"{ROOT}/etc/systemd/system/sockets.target.wants/hello.socket")
    before = host.footprint()
    host.define("web", "[Exec]\nPrivateUsers=pick\n" + NETWORK)
    host.run("systemctl", "start", "container-web")
    equal(fetch(host), "hello")  # port 80
    assert first_user(host) >= 524288
    equal(addresses(host), ["10.90.0.2/32", "fd90::2/128"])
    administers_its_network(host)
    equal(inside(host, "systemctl", "is-system-running", "--wait", check=False), "running")

    # A reload changes it, a reboot inside makes it anew.
    host.write("/etc/spawnlet/web.container.d/more.conf", "[Network]\nLocalAddress=10.90.0.3\n")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "reload", "container-web")
    equal(addresses(host), ["10.90.0.2/32", "10.90.0.3/32", "fd90::2/128"])
    started = init_start_time(host)
    inside(host, "systemctl", "reboot")
    wait_until("another init", lambda: host.ok("spawnlet", "run", "web", "true") and
               init_start_time(host) != started, timeout=60)
    host.wait_unit("container-web")
    equal(addresses(host), ["10.90.0.2/32", "10.90.0.3/32", "fd90::2/128"])
    host.run("systemctl", "stop", "container-web")
    equal(host.unit("container-web")["Result"], "success")
    wait_until("nothing is left", lambda: equal(host.footprint(), before) or True, timeout=20)


def test_the_hosts_usr(host):
    serve(host, ROOT)
    host.define("web", "[Container]\nSystem=host\nServices=hello.socket\n[Exec]\nPrivateUsers=pick\n" + NETWORK)
    host.run("systemctl", "start", "container-web")
    equal(fetch(host), "hello")
    administers_its_network(host)
    equal(inside(host, "stat", "-c", "%u", "/usr/bin/su", "/etc/passwd", "/"), "0\n0\n0")
    equal(host.out("stat", "-c", "%u", f"{ROOT}/etc/passwd"), "0")
    equal(inside(host, "systemctl", "is-system-running", "--wait", check=False), "running")
    equal(host.out("machinectl", "shell", "-q", "web", "/usr/bin/id", "-u").strip(), "0")
    host.run("systemctl", "stop", "container-web")


def test_it_is_there_before_the_first_instruction(host):
    """What a command prints that looks at once, and does not try again."""
    host.copied_root(ROOT)
    host.define("web", "[Container]\nCommand=/bin/sh -c 'ip -c=never -o addr show dev eth0; ip -c=never route; "
                       "echo FDS=$LISTEN_FDS; ls /proc/self/fd; exec sleep infinity'\n[Exec]\nPrivateUsers=pick\n"
                + NETWORK)
    host.run("systemctl", "start", "container-web")
    for text in ["10.90.0.2/32", "fd90::2/128", "default via 10.90.0.1", "FDS=\n"]:
        says(host, text, "journalctl", "-o", "cat", "-u", "container-web")
    host.run("systemctl", "stop", "container-web")
    equal(host.unit("container-web")["Result"], "success")

    # Under nspawn's own init, which is not spawnlet-init; and the start is complete when the network is.
    host.write("/etc/spawnlet/web.container.d/two.conf", "[Exec]\nProcessTwo=yes\n")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "start", "container-web")
    equal(addresses(host), ["10.90.0.2/32", "fd90::2/128"])
    wait_until("the command is there", lambda: inside(host, "cat", "/proc/2/comm") == "sleep")
    host.run("systemctl", "stop", "container-web")


def test_a_network_that_cannot_be_made(host):
    """It ends the start, and says why; nothing of the container has run, and nothing is left."""
    host.copied_root(ROOT)
    before = host.footprint()
    host.define("web", f"[Container]\nCommand=/bin/touch /ran\n[Exec]\nPrivateUsers=pick\n[Service]\nRestart=no\n"
                       "[Network]\nBridge=nowhere\n")
    assert not host.ok("systemctl", "start", "container-web") or host.wait_unit("container-web", "failed") is None
    says(host, "'nowhere'", "journalctl", "-o", "cat", "-u", "container-web")
    assert not host.exists(f"{ROOT}/ran")
    wait_until("nothing is left", lambda: equal(host.footprint(), before) or True, timeout=20)


def test_another_ones_network(host):
    host.copied_root(ROOT)
    serve(host, ROOT)
    host.copied_root("/var/lib/machines/two")
    host.define("web", "[Exec]\nPrivateUsers=pick\n" + NETWORK)
    host.define("two", "[Exec]\nPrivateUsers=pick\n[Network]\nNamespace=container:web\n")
    host.run("systemctl", "start", "container-two")
    assert first_user(host) != first_user(host, "two")
    equal(addresses(host, "two"), ["10.90.0.2/32", "fd90::2/128"])
    equal(inside(host, "systemctl", "is-system-running", "--wait", name="two", check=False), "running")
    host.run("systemctl", "stop", "container-web")
    host.wait_unit("container-two", "inactive")
