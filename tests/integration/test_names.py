# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names inside containers, their resolv.conf, and others who configure networks."""

import containers
from case import contains, contains_not, equal, releases
from host import wait_until

CATCH_ALL = "[Match]\nName=e*\n\n[Network]\nDHCP=yes\nAddress=192.0.2.7/24\n"
RESOLVED = "/run/systemd/resolve"
ROOT_HELPER = "/usr/libexec/spawnlet/spawnlet-root"


def inside(host, name, *command):
    return host.out("spawnlet", "run", name, "--", *command)


def resolved_inside(host, name, wanted):
    """What NAME.containers resolves to in a container; "" if it does not."""
    command = ("spawnlet", "run", name, "--", "getent", "ahosts", f"{wanted}.containers")
    lines = host.run(*command, check=False).stdout.splitlines()
    return sorted({line.split()[0] for line in lines})


# Siblings


def test_siblings_resolve_each_other(host):
    """NAME.containers inside: there at once, changed with a restart, gone after the stop."""
    host.out("sysctl", "-w", "net.ipv4.ip_forward=1")
    containers.web(host)
    host.define("client", "[Container]\nSystem=host\n\n[Network]\n"
                "HostAddress=10.90.0.1\nLocalAddress=10.90.0.3\n")
    host.define("open", "[Container]\nSystem=host\n\n[Network]\nPrivate=no\n")
    host.run("systemctl", "start", "container-client", "container-open")
    for name in "client", "open":
        equal(resolved_inside(host, name, "web"), [])

    host.run("systemctl", "start", "container-web")
    for name in "client", "open", "web":
        equal(resolved_inside(host, name, "web"), ["10.90.0.2", "fd90::2"])
    contains("web.containers", inside(host, "client", "getent", "hosts", "fd90::2"))
    inside(host, "client", "busybox", "ping", "-c1", "-w5", "web.containers")
    equal(resolved_inside(host, "web", "client"), ["10.90.0.3"])

    text = host.read("/etc/spawnlet/web.container").replace("10.90.0.2", "10.90.0.4")
    host.define("web", text)
    host.run("systemctl", "restart", "container-web", timeout=60)
    for name in "client", "open":
        equal(resolved_inside(host, name, "web"), ["10.90.0.4", "fd90::2"])
    inside(host, "client", "busybox", "ping", "-c1", "-w5", "web.containers")

    host.run("systemctl", "stop", "container-web", timeout=60)
    for name in "client", "open":
        equal(resolved_inside(host, name, "web"), [])

    # The container sees the names, and cannot write them.
    assert not host.ok("spawnlet", "run", "client", "--", "touch", "/run/host/spawnlet/hosts/x")
    host.run("systemctl", "stop", "container-client", "container-open", timeout=60)
    for unit in "container-client", "container-open":
        contains_not("Failed to unmount", host.out("journalctl", "--no-pager", "-u", unit))


def test_siblings_where_the_host_does_not_resolve_them(host):
    """A System=host container uses the module, whatever nsswitch.conf the host has."""
    host.define("web", "[Container]\nSystem=host\n\n[Network]\nLocalAddress=10.90.0.2\n")
    for text, expected in (
        ("hosts: files dns\n", "hosts: files spawnlet dns\n"),
        ("hosts: mymachines files # files\n", "hosts: mymachines files spawnlet # files\n"),
        ("passwd: files\nhosts:\tdns [!UNAVAIL=return] files",
         "passwd: files\nhosts: spawnlet\tdns [!UNAVAIL=return] files"),
        ("hosts:files spawnlet dns\n", "hosts:files spawnlet dns\n"),
        ("hosts:\n", "hosts: spawnlet\n"),
        ("#hosts: files\n", "#hosts: files\n"),
        ("", ""),
    ):
        # On some distributions it is a link.
        host.write("/etc/switch/nsswitch.conf", text)
        host.run("ln", "-sf", "switch/nsswitch.conf", "/etc/nsswitch.conf")
        host.remove("/var/lib/machines/web")
        host.run(ROOT_HELPER, "--root=/var/lib/machines/web", "--system=host", "web")
        equal(host.read("/var/lib/machines/web/etc/nsswitch.conf"), expected)

    host.write("/etc/switch/nsswitch.conf", "hosts: files dns\n")
    host.write("/var/lib/machines/web/etc/nsswitch.conf", "hosts: files\n")
    host.run("systemctl", "start", "container-web")
    equal(host.read("/var/lib/machines/web/etc/nsswitch.conf"), "hosts: files\n")
    host.run("systemctl", "stop", "container-web", timeout=60)
    host.remove("/var/lib/machines/web")
    host.run("systemctl", "start", "container-web")
    assert not host.ok("getent", "hosts", "web.containers")
    equal(resolved_inside(host, "web", "web"), ["10.90.0.2"])


def test_names_are_there_in_every_kind_of_container(host):
    """The directory is mounted with whatever else is done to the file system."""
    host.copied_root("/srv/root")
    kinds = {
        "plain": "",
        "readonly": "[Files]\nReadOnly=yes\n",
        # With users of its own from systemd 255 on.
        "volatile": f"PrivateUsers={'no' if host.release == '12' else 'pick'}\n[Files]\nVolatile=yes\n",
        "overlay": "PrivateUsers=no\n[Files]\nVolatile=overlay\n",
        "ephemeral": "Ephemeral=yes\n",
        "users": "PrivateUsers=no\n",
    }
    host.out("mkdir", "-p", "/run/spawnlet/hosts")
    host.write("/run/spawnlet/hosts/other", "10.90.0.9\n")
    for name, text in kinds.items():
        host.write(f"/etc/spawnlet/{name}.container",
                   "[Container]\nRoot=/srv/root\nCommand=/usr/bin/sleep infinity\n"
                   f"[Exec]\nProcessTwo=yes\n{text}")
    host.run("systemctl", "daemon-reload")
    for name in kinds:
        host.run("systemctl", "start", f"container-{name}", timeout=120)
        equal(inside(host, name, "/usr/bin/cat", "/run/host/spawnlet/hosts/other"), "10.90.0.9")
        host.run("systemctl", "stop", f"container-{name}", timeout=60)


# resolv.conf


def resolv_conf(host, kind="host", text=None, uplink=None):
    """What spawnlet-root makes of the host's files; None if it refuses them."""
    host.remove(RESOLVED)
    host.remove("/run/spawnlet/resolv")
    if text is not None:
        host.write("/etc/resolv.conf", text)
    if uplink is not None:
        host.write(f"{RESOLVED}/resolv.conf", uplink)
    result = host.run(ROOT_HELPER, "--image", f"--resolv-conf={kind}", "web", check=False)
    if result.returncode != 0:
        contains("DNS=", result.stderr)
        assert not host.exists("/run/spawnlet/resolv/web")
        return None
    first, rest = host.read("/run/spawnlet/resolv/web").split("\n", 1)
    contains("# Written by spawnlet", first)
    return rest


def test_loopback_resolvers_stay_outside(host):
    host.own_usr()
    uplink = "nameserver 10.0.0.53\nnameserver fd00::53\nsearch example.net\n"
    for text, expected in (
        ("nameserver 10.1.1.1\n", "nameserver 10.1.1.1\n"),
        # Each of the forms that are dead in another namespace, beside one that is not.
        *((f"nameserver {dead}\nnameserver 10.1.1.1\noptions edns0 trust-ad\n",
           "nameserver 10.1.1.1\noptions edns0 trust-ad\n")
          for dead in ("127.0.0.53", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.53",
                       "0.0.0.0", "::", "fe80::1%eth0", "fe80::1", "", "garbage", "x" * 200)),
        # With nothing left, resolved's own servers, whom trust-ad was not about.
        ("nameserver 127.0.0.53\noptions edns0 trust-ad timeout:2\nsearch example.org\n",
         "nameserver 10.0.0.53\nnameserver fd00::53\noptions edns0 timeout:2\n"
         "search example.org\n"),
        ("", "nameserver 10.0.0.53\nnameserver fd00::53\n"),
        # What libc skips is skipped, and what it takes is taken.
        ("#nameserver 10.1.1.1\n;x\n nameserver 10.1.1.2\nnameserver\t10.1.1.3 x\nnameservers 1\n"
         "domain a.example\nsortlist 10.0.0.0/8\r\nfoo bar\nsearch",
         "nameserver 10.1.1.3\ndomain a.example\nsortlist 10.0.0.0/8\nsearch\n"),
    ):
        equal(resolv_conf(host, text=text, uplink=uplink), expected)

    # Nothing to go by: no start, and the reason.
    for text in ("nameserver 127.0.0.1\n", "", "search example.org\n"):
        equal(resolv_conf(host, text=text), None)
        equal(resolv_conf(host, text=text, uplink="nameserver 127.0.0.2\n"), None)
    host.run("ln", "-sf", "nowhere", "/etc/resolv.conf")
    equal(resolv_conf(host), None)
    equal(resolv_conf(host, uplink=uplink), "nameserver 10.0.0.53\nnameserver fd00::53\n")
    host.run("ln", "-sf", "/dev/zero", "/etc/resolv.conf")
    assert not host.ok(ROOT_HELPER, "--image", "--resolv-conf=host", "web")

    # The other files.
    host.remove("/etc/resolv.conf")
    equal(resolv_conf(host, "uplink", uplink=uplink), uplink)
    host.write(f"{RESOLVED}/stub-resolv.conf", "nameserver 127.0.0.53\nsearch s.example\n")
    host.run(ROOT_HELPER, "--image", "--resolv-conf=stub", "web")
    contains("nameserver 10.0.0.53\nnameserver fd00::53\nsearch s.example\n",
             host.read("/run/spawnlet/resolv/web"))
    host.write("/usr/lib/systemd/resolv.conf", "nameserver 127.0.0.53\n")
    equal(resolv_conf(host, "static", uplink=uplink), "nameserver 10.0.0.53\nnameserver fd00::53\n")
    assert not host.ok(ROOT_HELPER, "--image", "--resolv-conf=auto", "web")


def test_resolv_conf_modes(host):
    """In a network of its own a container gets no dead resolver; in the host's, nspawn's own."""
    host.write("/etc/resolv.conf", "nameserver 127.0.0.53\nsearch example.org\n")
    for mode in "copy-host", "bind-host", "replace-stub":
        host.define(mode, f"[Container]\nSystem=host\n[Exec]\nResolvConf={mode}\n"
                    "[Network]\nPrivate=yes\n")
    host.define("open", "[Container]\nSystem=host\n[Exec]\nResolvConf=copy-host\n")

    assert not host.ok("systemctl", "start", "container-copy-host")
    containers.says(host, "Remove ResolvConf=, and set DNS=", "systemctl", "status",
                    "container-copy-host")
    host.run("systemctl", "reset-failed", "container-copy-host")
    host.run("systemctl", "stop", "container-copy-host")

    host.write(f"{RESOLVED}/resolv.conf", "nameserver 10.0.0.53\n")
    for mode in "copy-host", "bind-host", "replace-stub":
        host.run("systemctl", "start", f"container-{mode}")
        text = inside(host, mode, "cat", "/etc/resolv.conf")
        contains("nameserver 10.0.0.53", text)
        contains_not("127.", text)
        host.run("systemctl", "stop", f"container-{mode}", timeout=60)
        assert not host.exists(f"/run/spawnlet/resolv/{mode}")

    host.run("systemctl", "start", "container-open")
    contains("nameserver 127.0.0.53", inside(host, "open", "cat", "/etc/resolv.conf"))


# Others who configure networks


def setup_state(host, interface, *run):
    """What networkd does with an interface, once it has made up its mind."""
    line = host.out(*run, "networkctl", "--no-legend", "--no-pager", "list", interface)
    return line.split()[-1]


def network_of(host, name):
    """Addresses but the link-local, and routes, with all that networkd could change."""
    return (containers.addresses(host, name),
            sorted(inside(host, name, "ip", "-4", "route").splitlines()),
            sorted(line for line in inside(host, name, "ip", "-6", "route").splitlines()
                   if "proto kernel" not in line))


NETWORK = """
    [Network]
    HostAddress=10.90.0.1
    LocalAddress=10.90.0.2
    HostAddress=fd90::1
    LocalAddress=fd90::2
"""


def check_networkd_keeps_off(host, name):
    run = ("spawnlet", "run", name, "--")
    wait_until("networkd has seen eth0",
               lambda: equal(setup_state(host, "eth0", *run), "unmanaged") or True)
    addresses, routes4, routes6 = network_of(host, name)
    equal(addresses, ["10.90.0.2/32", "fd90::2/128"])
    equal(len(routes4), 2)
    contains("default via 10.90.0.1 dev eth0", routes4[1])
    contains("default via fd90::1 dev eth0", "\n".join(routes6))

    inside(host, name, "systemctl", "restart", "systemd-networkd")
    wait_until("networkd has seen it again",
               lambda: equal(setup_state(host, "eth0", *run), "unmanaged") or True)
    equal(network_of(host, name), (addresses, routes4, routes6))


def test_networkd_inside_leaves_our_addresses_alone(host):
    """Also where a file of its own matches every interface."""
    host.write("/var/lib/machines/web/etc/systemd/network/10-all.network", CATCH_ALL)
    host.define("web", "[Container]\nSystem=host\nServices=systemd-networkd.service\n" + NETWORK)
    host.run("systemctl", "start", "container-web")
    check_networkd_keeps_off(host, "web")
    equal(inside(host, "web", "systemctl", "--failed", "--no-legend"), "")
    host.run("systemctl", "stop", "container-web", timeout=60)
    log = host.out("journalctl", "-o", "cat", "-u", "container-web")
    contains_not("Failed to unmount", log)
    # What systemd-nspawn mounts for users of their own, they cannot unmount; spawnlet.container(5), LIMITS.
    equal([line for line in log.splitlines() if "Failed unmounting" in line and "/tmp" not in line], [])


def test_networkd_inside_configures_what_we_do_not(host):
    """Without LocalAddress= it is up to the system inside, as with a DHCP server on a bridge."""
    host.write("/var/lib/machines/web/etc/systemd/network/10-all.network", CATCH_ALL)
    host.define("web", "[Container]\nSystem=host\nServices=systemd-networkd.service\n"
                "[Network]\nPrivate=yes\n")
    host.run("systemctl", "start", "container-web")
    wait_until("networkd has configured eth0",
               lambda: containers.addresses(host) == ["192.0.2.7/24"])


def test_networkd_in_a_root_of_its_own(host):
    """With users of its own and without: what tells it so is in /run, and not in its root."""
    host.copied_root("/srv/web")
    host.write("/srv/web/etc/systemd/network/10-all.network", CATCH_ALL)
    host.run("systemctl", "--root=/srv/web", "enable", "systemd-networkd.service")
    host.run("systemctl", "--root=/srv/web", "disable", "systemd-networkd-wait-online.service")
    for users in "pick", "no":
        host.define("web", f"[Container]\nRoot=/srv/web\n[Exec]\nPrivateUsers={users}\n" + NETWORK)
        host.run("systemctl", "start", "container-web", timeout=120)
        check_networkd_keeps_off(host, "web")
        host.run("systemctl", "stop", "container-web", timeout=60)
    equal(host.out("find", "/srv/web", "-xdev", "-name", "*spawnlet*"), "")


def test_networkd_on_the_host_leaves_our_interfaces_alone(host):
    """The ends of pairs and the bridges of zones, also with a file that has them all."""
    host.write("/etc/systemd/network/10-all.network",
               "[Match]\nType=ether bridge\n\n[Network]\nAddress=192.0.2.7/24\n")
    host.out("ip", "link", "add", "z-blue", "type", "bridge")
    host.out("ip", "link", "add", "other", "type", "bridge")
    host.define("web", "[Container]\nSystem=host\n" + NETWORK)
    host.run("systemctl", "start", "container-web")
    before = host.out("ip", "-o", "-4", "address")
    host.run("systemctl", "start", "systemd-networkd")

    wait_until("networkd has configured what is not ours",
               lambda: contains("192.0.2.7", host.out("ip", "-o", "address", "show", "other"))
               or True)
    for interface in "c-web", "z-blue":
        wait_until(f"networkd has seen {interface}",
                   lambda: equal(setup_state(host, interface), "unmanaged") or True)
    equal([line for line in host.out("ip", "-o", "-4", "address").splitlines()
           if " other " not in line], before.splitlines())

    # One that comes while it runs.
    host.run("systemctl", "restart", "container-web", timeout=60)
    wait_until("networkd has seen the new c-web",
               lambda: equal(setup_state(host, "c-web"), "unmanaged") or True)
    contains("10.90.0.1/32", host.out("ip", "-o", "-4", "address", "show", "dev", "c-web"))
    contains_not("192.0.2.7", host.out("ip", "-o", "-4", "address", "show", "dev", "c-web"))
