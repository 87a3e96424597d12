# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks where the kernel has modules, udev runs, and IPv6 is forwarded for all or for none."""

from case import contains, equal
from containers import serve
from host import wait_until

IDLE = "[Container]\nSystem=host\nAutoStart=no\n\n[Service]\nRestart=no\n\n[Network]\n"


def inside(vm, *command):
    return vm.out("spawnlet", "run", "web", *command)


def links(vm):
    return sorted(inside(vm, "/bin/ls", "/sys/class/net").split())


def another_machine(vm):
    """A namespace that is joined to this one by lan0, as another machine would be."""
    for command in ("ip netns add outside", "ip link add lan0 type veth peer name lan0 netns outside",
                    "ip address add 192.0.2.1/24 dev lan0", "ip address add 2001:db8::1/64 dev lan0 nodad",
                    "ip link set lan0 up", "ip -n outside address add 192.0.2.2/24 dev lan0",
                    "ip -n outside address add 2001:db8::2/64 dev lan0 nodad", "ip -n outside link set lan0 up"):
        vm.run(*command.split())


def interfaces(vm):
    """A moved dummy, which the kernel would destroy with the namespace, and children of another."""
    vm.run("ip", "link", "add", "nic0", "type", "dummy")
    vm.run("ip", "address", "add", "10.70.0.1/24", "dev", "nic0")
    vm.run("ip", "link", "set", "nic0", "up")
    vm.run("ip", "route", "add", "10.71.0.0/16", "via", "10.70.0.9")
    vm.define("web", IDLE + "Interface=nic0:mine\nIPVLAN=lan0 lan0:ip0\n")
    vm.run("systemctl", "start", "container-web", timeout=120)
    equal(links(vm), ["ip0", "iv-lan0", "lo", "mine"])
    inside(vm, "ip", "address", "add", "192.0.2.5/24", "dev", "ip0")
    inside(vm, "ping", "-c1", "-W5", "192.0.2.2")
    vm.run("systemctl", "kill", "--signal=KILL", "container-web")
    vm.wait_unit("container-web", "failed", timeout=60)
    contains("10.70.0.1/24", vm.out("ip", "address", "show", "nic0"))
    contains("via 10.70.0.9", vm.out("ip", "route", "show", "dev", "nic0"))
    vm.run("systemctl", "reset-failed", "container-web")


def bridge(vm):
    vm.run("ip", "link", "add", "br0", "type", "bridge")
    vm.run("ip", "address", "add", "10.80.0.1/24", "dev", "br0")
    vm.run("ip", "link", "set", "br0", "up")


def bridges(vm):
    """A start waits for the bridge; a bridge that is made again is repaired without anybody's help."""
    vm.define("web", IDLE + "Bridge=br0\nLocalAddress=10.80.0.2/24\n")
    vm.run("systemctl", "start", "--no-block", "container-web")
    wait_until("it waits", lambda: "br0.device" in vm.out("systemctl", "list-jobs"), timeout=30)
    bridge(vm)
    vm.wait_unit("container-web", timeout=120)
    vm.run("ping", "-c1", "-W5", "10.80.0.2")
    for _ in range(2):
        vm.run("ip", "link", "delete", "br0")
        bridge(vm)
        wait_until("the container is on it again", lambda: vm.ok("ping", "-c1", "-W1", "10.80.0.2"), timeout=60)
    vm.run("systemctl", "stop", "container-web")


def ports(vm):
    """The host goes on taking router advertisements where it did."""
    vm.run("sysctl", "-qw", "net.ipv6.conf.lan0.accept_ra=1")
    serve(vm, "/var/lib/machines/web")
    vm.define("web", IDLE.replace("AutoStart=no", "AutoStart=no\nServices=hello.socket")
              + "HostAddress=10.90.0.1\nLocalAddress=10.90.0.2\nHostAddress=fd90::1\nLocalAddress=fd90::2\n"
                "Port=8080:80\n")
    vm.run("systemctl", "start", "container-web", timeout=120)
    for address in ("192.0.2.1", "[2001:db8::1]"):
        equal(vm.out("ip", "netns", "exec", "outside", "curl", "-sS", "--max-time", "10",
                     f"http://{address}:8080/"), "hello")
    equal(vm.out("curl", "-sS", "--max-time", "10", "http://localhost:8080/"), "hello")
    equal(vm.read("/proc/sys/net/ipv6/conf/lan0/accept_ra").strip(), "2")
    vm.run("systemctl", "stop", "container-web")


def test_networks(vm):
    another_machine(vm)
    before = vm.footprint()
    interfaces(vm)
    bridges(vm)
    ports(vm)
    for name in ("nic0", "br0"):
        vm.run("ip", "link", "delete", name)
    wait_until("nothing is left", lambda: equal(before, vm.footprint()) or True, timeout=60)
