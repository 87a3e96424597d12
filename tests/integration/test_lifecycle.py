# SPDX-License-Identifier: LGPL-2.1-or-later
"""Start, stop, restart, reboot, crash, shutdown: each ends in the right state, with nothing left."""

import time

from case import contains, equal
from containers import addresses, fetch, init_start_time, web, says
from host import wait_until

ADDRESSES = ["10.90.0.2/32", "fd90::2/128"]


def nothing_left(host, before):
    wait_until("nothing is left of the container", lambda: equal(before, host.footprint()) or True)


def test_answers_the_moment_start_returns(host):
    before = host.footprint()
    web(host)

    host.run("systemctl", "start", "container-web")
    equal(fetch(host), "hello")
    equal(fetch(host, "http://[fd90::2]/"), "hello")
    contains("web ", host.out("machinectl", "list", "--no-legend"))

    host.run("systemctl", "stop", "container-web")
    equal(host.state("container-web"), "inactive")
    equal(host.unit("container-web")["Result"], "success")
    equal(host.out("machinectl", "list", "--no-legend"), "")
    nothing_left(host, before)


def test_a_system_in_which_something_fails_is_ready(host):
    """As a host is: what its default target wants may fail."""
    web(host)
    host.write("/var/lib/machines/web/etc/systemd/system/bad.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")
    host.define("web", host.read("/etc/spawnlet/web.container").replace("hello.socket", "hello.socket bad.service"))

    host.run("systemctl", "start", "container-web")
    equal(host.state("container-web"), "active")
    equal(host.out("spawnlet", "run", "web", "systemctl", "is-system-running", check=False), "degraded")
    equal(fetch(host), "hello")


def test_not_ready_but_started(host):
    """With NotifyReady=no nobody waits for the inner system."""
    web(host, "    [Exec]\n    NotifyReady=no\n")
    host.write("/var/lib/machines/web/etc/systemd/system/slow.service",
               "[Service]\nType=oneshot\nExecStart=/bin/sleep 60\n")
    host.define("web", host.read("/etc/spawnlet/web.container").replace("hello.socket", "slow.service"))

    begin = time.monotonic()
    host.run("systemctl", "start", "container-web")
    assert time.monotonic() - begin < 10
    equal(host.state("container-web"), "active")


def test_restart_keeps_the_addresses(host):
    web(host)
    host.run("systemctl", "start", "container-web")
    equal(addresses(host), ADDRESSES)
    mac = host.out("spawnlet", "run", "web", "cat", "/sys/class/net/eth0/address")
    init = init_start_time(host)

    host.run("systemctl", "restart", "container-web")
    equal(fetch(host), "hello")
    equal(addresses(host), ADDRESSES)
    equal(host.out("spawnlet", "run", "web", "cat", "/sys/class/net/eth0/address"), mac)
    assert init_start_time(host) != init, "still the same init"


def test_reboot_from_inside(host):
    before = host.footprint()
    web(host)
    host.run("systemctl", "start", "container-web")
    init = init_start_time(host)

    # The command is ended by the reboot that it asks for.
    host.run("spawnlet", "run", "web", "systemctl", "reboot", check=False)
    wait_until("the container runs again", lambda: init_start_time(host) != init, timeout=30)
    host.wait_unit("container-web")
    equal(fetch(host), "hello")
    equal(addresses(host), ADDRESSES)

    host.run("systemctl", "stop", "container-web")
    nothing_left(host, before)


def test_poweroff_from_inside(host):
    before = host.footprint()
    web(host)
    host.run("systemctl", "start", "container-web")

    host.run("spawnlet", "run", "web", "systemctl", "poweroff", check=False)
    wait_until("the unit is inactive", lambda: host.state("container-web") == "inactive", timeout=30)
    equal(host.unit("container-web")["Result"], "success")
    nothing_left(host, before)


def test_machinectl_poweroff_and_terminate(host):
    web(host)
    for verb in "poweroff", "terminate":
        host.run("systemctl", "start", "container-web")
        host.run("machinectl", verb, "web")
        wait_until(f"{verb} stopped the unit", lambda: host.state("container-web") == "inactive", timeout=30)


def restarts_after(host, kill):
    """The container runs again, and answers, after kill(PID of nspawn)."""
    before = host.footprint()
    web(host)
    host.run("systemctl", "start", "container-web")
    old = host.unit("container-web")["MainPID"]

    kill(old)
    wait_until("nspawn is another process",
               lambda: host.unit("container-web")["MainPID"] not in (old, "0"), timeout=30)
    host.wait_unit("container-web")
    equal(fetch(host), "hello")

    host.run("systemctl", "stop", "container-web")
    nothing_left(host, before)


def test_killed_nspawn_is_restarted(host):
    restarts_after(host, lambda nspawn: host.run("kill", "-9", nspawn))


def test_killed_init_is_a_failure_and_restarted(host):
    restarts_after(host, lambda nspawn: host.run(
        "sh", "-c", f"kill -9 $(cat /proc/{nspawn}/task/{nspawn}/children)"))


def test_killed_nspawn_without_restart_fails_and_leaves_nothing(host):
    before = host.footprint()
    web(host, "    [Service]\n    Restart=no\n")
    host.run("systemctl", "start", "container-web")

    host.run("kill", "-9", host.unit("container-web")["MainPID"])
    wait_until("the unit has failed", lambda: host.state("container-web") == "failed")
    nothing_left(host, before)

    host.run("systemctl", "start", "container-web")
    equal(fetch(host), "hello")


def test_autostart_survives_a_reboot_of_the_host(host):
    web(host)
    host.define("manual", "[Container]\nSystem=host\nAutoStart=no\n")
    host.reboot()

    equal(host.state("container-web"), "active")
    equal(fetch(host), "hello")
    equal(host.state("container-manual"), "inactive")


def test_shutdown_of_the_host_stops_the_container_in_order(host):
    web(host)
    root = "/var/lib/machines/web"
    host.write(f"{root}/etc/systemd/system/slow.service",
               "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
               "ExecStart=/bin/true\nExecStop=/bin/sh -c 'sleep 2; echo done >/var/stopped'\n")
    host.define("web", host.read("/etc/spawnlet/web.container").replace(
        "hello.socket", "hello.socket slow.service"))
    host.run("systemctl", "start", "container-web")

    down = host.poweroff()
    assert 2 <= down < 30, f"the host was down after {down:.1f} s"
    host.boot()
    equal(host.read(f"{root}/var/stopped"), "done\n")
    journal = host.out("journalctl", "-b", "-1", "-u", "container-web", check=False)
    assert "killing the container" not in journal, journal


def test_stop_during_start(host):
    """systemd runs no ExecStop= then, and an init loses the signals that come too early."""
    before = host.footprint()
    web(host)
    host.run("systemctl", "start", "container-web")  # the first start makes the root
    host.run("systemctl", "stop", "container-web")

    for milliseconds in 0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 100, 120, 150, 200, 300, 400:
        host.run("systemctl", "reset-failed", "container-web")  # the start limit counts, too
        begin = time.monotonic()
        host.run("sh", "-c", f"systemctl start --no-block container-web; "
                             f"sleep {milliseconds / 1000}; systemctl stop container-web")
        took = time.monotonic() - begin
        unit = host.unit("container-web")

        assert took < 8, f"stopped {milliseconds} ms after start, it took {took:.1f} s"
        equal((unit["ActiveState"], unit["Result"]), ("inactive", "success"))

    nothing_left(host, before)


def test_stop_during_a_boot_that_takes_long(host):
    before = host.footprint()
    web(host)
    host.write("/var/lib/machines/web/etc/systemd/system/slow.service",
               "[Service]\nType=oneshot\nExecStart=/bin/sleep 60\n"
               "ExecStopPost=/bin/touch /var/stopped-in-order\n")
    host.define("web", host.read("/etc/spawnlet/web.container").replace("hello.socket", "slow.service"))

    host.run("systemctl", "start", "--no-block", "container-web")
    wait_until("the slow service runs", lambda: "slow.service" in host.out(
        "sh", "-c", "cat /sys/fs/cgroup/machine.slice/container-web.service/payload/*/*/cgroup.procs "
                    "| xargs -I{} cat /proc/{}/cgroup"))
    equal(host.state("container-web"), "activating")

    begin = time.monotonic()
    host.run("systemctl", "stop", "container-web")
    assert time.monotonic() - begin < 8
    equal(host.state("container-web"), "inactive")
    assert host.exists("/var/lib/machines/web/var/stopped-in-order")
    nothing_left(host, before)


def test_restart_during_start(host):
    """As a stop then, but systemd must not send the container that comes next home, too."""
    web(host)
    host.run("systemctl", "start", "container-web")  # the first start makes the root
    for milliseconds in 10, 50, 100, 200:
        host.run("systemctl", "stop", "container-web")
        host.run("systemctl", "reset-failed", "container-web")
        begin = time.monotonic()
        host.run("sh", "-c", f"systemctl start --no-block container-web; "
                             f"sleep {milliseconds / 1000}; systemctl restart container-web")
        took = time.monotonic() - begin
        assert took < 10, f"restarted {milliseconds} ms after start, it took {took:.1f} s"
        equal(fetch(host), "hello")


def test_many_reboots_meet_the_start_limit(host):
    before = host.footprint()
    web(host)
    host.write("/var/lib/machines/web/etc/systemd/system/again.service",
               "[Service]\nType=oneshot\nExecStart=/usr/bin/systemctl --no-block reboot\n")
    # On a busy machine five reboots take more than ten seconds, which is the usual interval.
    host.define("web", "[Unit]\nStartLimitIntervalSec=60\n"
                + host.read("/etc/spawnlet/web.container").replace("hello.socket", "again.service"))
    host.run("systemctl", "start", "--no-block", "container-web")

    wait_until("the unit has failed", lambda: host.state("container-web") == "failed", timeout=60)
    says(host, "Start request repeated too quickly", "journalctl", "-u", "container-web")
    nothing_left(host, before)


def test_a_stopped_session_does_not_hold_up_the_stop(host):
    """As after Ctrl-Z, or on a terminal that nobody reads."""
    before = host.footprint()
    web(host)
    host.run("systemctl", "start", "container-web")
    host.run("systemd-run", "-q", "--unit=session", "spawnlet", "run", "web", "sleep", "1000")
    wait_until("the command runs", lambda: host.ok("pgrep", "-x", "sleep"))
    host.run("pkill", "-STOP", "-o", "-f", "spawnlet-enter")

    begin = time.monotonic()
    host.run("systemctl", "stop", "container-web")
    assert time.monotonic() - begin < 8
    equal(host.unit("container-web")["Result"], "success")
    host.run("systemctl", "kill", "-s", "KILL", "session", check=False)
    nothing_left(host, before)


def test_stop_of_what_does_not_run(host):
    web(host)
    host.run("systemctl", "stop", "container-web")
    host.run("systemctl", "start", "container-web")
    host.run("systemctl", "stop", "container-web")
    host.run("systemctl", "stop", "container-web")
    equal(host.state("container-web"), "inactive")


def test_an_init_that_ignores_everything_is_killed_in_time(host):
    before = host.footprint()
    host.define("deaf", """\
        [Container]
        System=host
        Init=/bin/sleep

        [Exec]
        Parameters=1000
        NotifyReady=no
        KillSignal=SIGTERM

        [Service]
        TimeoutStopSec=5
    """)
    host.run("systemctl", "start", "container-deaf")

    begin = time.monotonic()
    host.run("systemctl", "stop", "container-deaf")
    took = time.monotonic() - begin
    assert 3 < took < 6, f"{took:.1f} s"
    nothing_left(host, before)


def test_a_whole_system_in_a_root_elsewhere(host):
    host.copied_root("/srv/whole")
    before = host.footprint()
    host.define("whole", """\
        [Container]
        Root=/srv/whole

        [Network]
        HostAddress=10.91.0.1
        LocalAddress=10.91.0.2
    """)

    host.run("systemctl", "start", "container-whole")
    equal(host.out("readlink", "/var/lib/machines/whole"), "/srv/whole")
    contains("whole", host.out("machinectl", "list-images", "--no-legend"))
    host.run("ping", "-c1", "-W2", "10.91.0.2")
    equal(host.out("spawnlet", "run", "whole", "cat", "/proc/1/comm"), "systemd")

    host.run("systemctl", "stop", "container-whole")
    assert not host.ok("test", "-L", "/var/lib/machines/whole")
    nothing_left(host, before)


def test_an_empty_root_says_what_to_do(host):
    before = host.footprint()
    host.define("void", "[Container]\nAutoStart=no\n\n[Service]\nRestart=no\n")

    assert not host.ok("systemctl", "start", "container-void")
    contains("No operating system is in", host.unit("container-void")["StatusText"])
    assert host.exists("/var/lib/machines/void")
    nothing_left(host, before)
