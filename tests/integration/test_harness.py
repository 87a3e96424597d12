# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests of the test hosts: what every other test takes for granted."""

from case import contains, equal, raises
from host import HostError, wait_until


def test_host_boots(host):
    equal(host.out("systemctl", "is-system-running", check=False), "running", host.out("systemctl", "--failed"))
    equal(host.out("cat", "/proc/1/comm"), "systemd")
    equal(host.read("/etc/machine-id").strip(), host.machine_id)
    contains("0::/init.scope", host.read("/proc/self/cgroup"))


def test_run(host):
    equal(host.run("sh", "-c", "exit 42", check=False).returncode, 42)
    equal(host.run("cat", input="häl\nlo").stdout, "häl\nlo")
    equal(host.out("sh", "-c", "echo $X", env={"X": "a b"}), "a b")
    equal(host.run("true").stderr, "")
    with raises(HostError) as caught:
        host.run("sh", "-c", "echo says; echo why >&2; exit 3")
    for part in ("exited with 3", "says", "why"):
        contains(part, str(caught.exception))
    with raises(HostError):
        host.run("sleep", "1000", timeout=0.2)
    wait_until("killed with its nsenter", lambda: not host.ok("pgrep", "-x", "sleep"))


def test_files(host):
    host.write("/tmp/a/b", "text\n", mode=0o750)
    equal(host.out("stat", "-c", "%a", "/tmp/a/b"), "750")
    host.run("ln", "-s", "/etc/hostname", "/tmp/link")
    equal(host.read("/tmp/link"), f"debian{host.release}\n")
    host.remove("/tmp/a")
    assert not host.exists("/tmp/a/b") and host.exists("/tmp/link")


def test_reboot_keeps_files(host):
    host.write("/etc/kept", "yes")
    host.write("/run/lost", "yes")
    boot = host.read("/proc/sys/kernel/random/boot_id")
    host.reboot()
    equal(host.read("/etc/kept"), "yes")
    assert not host.exists("/run/lost")
    assert host.read("/proc/sys/kernel/random/boot_id") != boot
    host.poweroff()
    host.boot()
    equal(host.read("/etc/kept"), "yes")
    host.kill()
    host.boot()
    equal(host.read("/etc/kept"), "yes")


def test_hosts_share_nothing(host):
    with host.another() as other:
        host.write("/etc/mine", "")
        assert not other.exists("/etc/mine")
        assert host.machine_id != other.machine_id
        host.run("ip", "link", "add", "mine", "type", "veth", "peer", "name", "peer")
        assert not other.ok("ip", "link", "show", "mine")
        host.run("systemd-run", "--unit=mine", "--quiet", "sleep", "1000")
        equal(other.state("mine.service"), "inactive")
        assert not other.ok("pgrep", "-x", "sleep")


def start_inner(host, *options):
    """Boot /var/lib/machines/inner as nspawn alone would, in a unit."""
    host.run("systemd-run", "--unit=inner", "--slice=machine.slice", "-p", "Delegate=yes",
             "-p", "Type=notify", "-p", "KillMode=mixed", "-p", "SuccessExitStatus=133",
             "--", "systemd-nspawn", "--quiet", "--keep-unit", "--boot", "--notify-ready=yes",
             "--network-veth", "--directory=/var/lib/machines/inner", "--machine=inner", *options)
    equal(host.state("inner.service"), "active")
    equal(host.out("systemctl", "-M", "inner", "is-system-running"), "running")


def test_container_boots_inside(host):
    """Plain systemd-nspawn on the host, and the footprint sees it come and go."""
    before = host.footprint()
    host.overlay_root("/var/lib/machines/inner")
    mounted = host.footprint()
    assert "/var/lib/machines/inner" in mounted["mounts"]
    start_inner(host)
    contains("inner", host.out("machinectl", "list"))
    during = host.footprint()
    for what in ("interfaces", "netns", "cgroups"):
        assert set(during[what]) > set(before[what]), (what, during)
    host.run("systemctl", "stop", "inner")
    equal(host.state("inner.service"), "inactive")
    host.run("umount", "/var/lib/machines/inner")
    wait_until("nothing left", lambda: equal(host.footprint(), before) or True)


def test_container_with_private_users(host):
    host.copied_root("/var/lib/machines/inner")
    start_inner(host, "--private-users=pick", "--private-users-ownership=map")
    leader = host.out("machinectl", "show", "-p", "Leader", "--value", "inner")
    inside, outside, count = host.read(f"/proc/{leader}/uid_map").split()
    assert inside == "0" and outside != "0" and count == "65536"
    equal(host.out("stat", "-c", "%u", "/var/lib/machines/inner/usr"), "0")
