# SPDX-License-Identifier: LGPL-2.1-or-later
"""Health checks: what is seen of them, what they do, and that they come and go with the container."""

import time

from case import contains, contains_not, equal
from containers import init_start_time, says
from host import wait_until

ROOT = "/var/lib/machines/web"
RECORD = "/run/spawnlet/health/web"


def define(host, *container, command="/usr/bin/test -e /srv/ok", interval="200ms", more="", name="web"):
    """A container that is healthy while it has the file /srv/ok, which lies on the host."""
    lines = ["[Container]", f"HealthCommand={command}", f"HealthInterval={interval}",
             *([] if any(line.startswith("Command=") for line in container) else ["System=host"]),
             *container, more]
    host.define(name, "\n".join(lines) + "\n")


def ok(host, healthy=True):
    if healthy:
        host.write(f"{ROOT}/srv/ok", "")
    else:
        host.remove(f"{ROOT}/srv/ok")


def status(host, name="web"):
    return host.unit(f"container-{name}")["StatusText"]


def wait_status(host, text, name="web"):
    wait_until(f"the status has '{text}'", lambda: contains(text, status(host, name)) or True, timeout=20)


def record(host, name="web"):
    """PID, start time, state, failures in a row, message."""
    return host.read(f"/run/spawnlet/health/{name}").rstrip("\n").split(" ", 4)


def wait_record(host, state, name="web"):
    wait_until(f"it is {state}", lambda: record(host, name)[2] == state, timeout=20)


def checks_made(host, name="web"):
    """Something that changes with each check."""
    return host.unit(f"spawnlet-health-{name}.service")["InvocationID"]


def wait_check(host, name="web"):
    before = checks_made(host, name)
    wait_until("another check", lambda: checks_made(host, name) != before)


def wait_gone(host, before):
    """Neither files nor processes nor a timer are left."""
    equal(host.state("spawnlet-health-web.timer"), "inactive")
    wait_until("nothing is left of the container", lambda: equal(before, host.footprint()) or True)
    wait_until("no check is made", lambda: host.state("spawnlet-health-web") == "inactive")


def test_healthy_unhealthy_healthy(host):
    before = host.footprint()
    ok(host)
    define(host, "HealthRetries=3")
    host.run("systemctl", "start", "container-web")
    wait_record(host, "healthy")
    equal(host.state("spawnlet-health-web.timer"), "active")
    wait_status(host, "Container running: healthy.")

    ok(host, False)
    wait_status(host, "Unhealthy: 3 health checks failed: /usr/bin/test exited with 1")
    equal(record(host)[2:], ["unhealthy", record(host)[3], "/usr/bin/test exited with 1"])
    says(host, "Health check failed (2 of 3): /usr/bin/test exited with 1", "journalctl", "-u", "container-web")
    says(host, "Unhealthy: 3 health checks failed", "journalctl", "-u", "container-web")
    equal(host.state("container-web"), "active")  # HealthOnFailure=none

    # A reload does not make it well.
    host.run("systemctl", "reload", "container-web")
    contains("Unhealthy: ", status(host))

    ok(host)
    wait_status(host, "healthy again")
    wait_record(host, "healthy")
    says(host, "healthy again", "journalctl", "-u", "container-web")

    # What goes well is not told each time, by systemd neither.
    journal = host.out("journalctl", "-u", "spawnlet-health-web.service")
    contains_not("Starting", journal)
    contains_not("Finished", journal)
    contains_not("eactivated", journal)

    host.run("systemctl", "stop", "container-web")
    wait_gone(host, before)
    equal(host.unit("spawnlet-health-web.service")["Result"], "success")


def test_a_container_that_is_no_more_checked_is_not_unhealthy(host):
    define(host, "HealthRetries=1")
    host.run("systemctl", "start", "container-web")
    wait_status(host, "Unhealthy: ")
    host.define("web", "[Container]\nSystem=host\n", reload=False)
    contains("web: reloaded", host.out("spawnlet", "apply"))
    equal(status(host), "Container running, reloaded.")
    assert not host.exists(RECORD)
    equal(host.state("spawnlet-health-web.timer"), "inactive")


def test_what_a_command_prints_is_told(host):
    """Its last line, with nothing in it that a terminal would obey."""
    host.write(f"{ROOT}/srv/check", "#!/bin/sh\ncat /srv/says\nexit 3\n", mode=0o755)
    host.write(f"{ROOT}/srv/says", "first\nCannot reach \x1b[31mthe database\x07\u0085!\n\n")
    define(host, "HealthRetries=1", command="/srv/check")
    host.run("systemctl", "start", "container-web")
    wait_status(host, "Unhealthy: 1 health check failed: /srv/check exited with 3: "
                      "Cannot reach ?[31mthe database??")

    host.write(f"{ROOT}/srv/says", "x" * 100000)
    wait_status(host, "exited with 3: xxxxx")
    assert len(status(host)) < 400

    host.remove(f"{ROOT}/srv/check")
    wait_status(host, "Failed to run '/srv/check' in the container: No such file or directory")


def unhealthy_action(host, action, *more):
    """The init of before, of a container that an unhealthy one gave way to."""
    ok(host)
    define(host, "HealthRetries=2", f"HealthOnFailure={action}", *more)
    host.run("systemctl", "start", "container-web")
    wait_record(host, "healthy")
    init = init_start_time(host)
    ok(host, False)
    return init


def test_on_failure_restart(host):
    before = host.footprint()
    init = unhealthy_action(host, "restart")
    # Its file is on the host: it would be restarted over and over.
    says(host, "Restarting the container", "journalctl", "-u", "container-web")
    ok(host)
    wait_until("another init runs", lambda: init_start_time(host) != init, timeout=30)
    host.wait_unit("container-web")
    wait_record(host, "healthy")
    equal(record(host)[3], "0")
    equal(host.state("spawnlet-health-web.timer"), "active")
    equal(host.unit("container-web")["NRestarts"], "0")  # a job, no failure

    host.run("systemctl", "stop", "container-web")
    wait_gone(host, before)


def test_on_failure_stop(host):
    before = host.footprint()
    unhealthy_action(host, "stop")
    host.wait_unit("container-web", "inactive")
    equal(host.unit("container-web")["Result"], "success")
    says(host, "Stopping the container", "journalctl", "-u", "container-web")
    wait_gone(host, before)


def test_on_failure_kill(host):
    """Then Restart= decides."""
    init = unhealthy_action(host, "kill")
    says(host, "Killing the container", "journalctl", "-u", "container-web")
    ok(host)
    wait_until("another init runs", lambda: init_start_time(host) != init, timeout=30)
    host.wait_unit("container-web")
    wait_record(host, "healthy")
    assert int(host.unit("container-web")["NRestarts"]) >= 1


def test_a_check_that_hangs_is_killed_with_what_it_started(host):
    before = host.footprint()
    host.write(f"{ROOT}/srv/check", "#!/bin/sh\ntrap '' TERM\nsleep 1001 &\nsleep 1002 | sleep 1003\n",
               mode=0o755)
    define(host, "HealthRetries=1", "HealthTimeout=500ms", command="/srv/check")
    host.run("systemctl", "start", "container-web")
    wait_status(host, "/srv/check did not end within 0.5 s")
    host.run("systemctl", "stop", "spawnlet-health-web.timer", "spawnlet-health-web.service")
    wait_until("nothing of it is left", lambda: not host.ok("pgrep", "-f", "sleep 100"))

    # A stop of the container does not wait for one that hangs, and is no failure of it.
    define(host, "HealthRetries=1", "HealthTimeout=0", command="/srv/check")
    host.run("systemctl", "start", "spawnlet-health-web.timer")
    wait_until("a check hangs", lambda: host.ok("pgrep", "-f", "sleep 1003"))
    begin = time.monotonic()
    host.run("systemctl", "stop", "container-web")
    assert time.monotonic() - begin < 8
    equal(host.unit("container-web")["Result"], "success")
    equal(host.unit("spawnlet-health-web.service")["Result"], "success")
    assert not host.ok("pgrep", "-f", "sleep 100")
    wait_gone(host, before)
    equal(host.out("journalctl", "-q", "-p", "err", "-u", "spawnlet-health-web.service"), "")


def test_what_a_check_leaves_running_ends_with_it(host):
    host.write(f"{ROOT}/srv/check", "#!/bin/sh\nsleep 1001 &\n", mode=0o755)
    define(host, command="/srv/check", interval="10min")
    host.run("systemctl", "start", "container-web")
    host.run("systemctl", "start", "spawnlet-health-web.service")
    wait_record(host, "healthy")
    wait_until("nothing of it is left", lambda: not host.ok("pgrep", "-f", "sleep 1001"))


def test_private_users(host):
    """The processes of a check are other users then than what kills them."""
    host.copied_root(ROOT)
    host.write(f"{ROOT}/srv/check", "#!/bin/sh\ntest $(id -u) = 0 || exit 2\n[ -e /srv/ok ] && exit\n"
                                    "trap '' TERM\nsleep 1001 &\nsleep 1002\n", mode=0o755)
    define(host, "Root=" + ROOT, "System=", "HealthRetries=1", "HealthTimeout=300ms", command="/srv/check",
           more="[Exec]\nPrivateUsers=pick\n")
    host.run("systemctl", "start", "container-web")
    wait_status(host, "Unhealthy: 1 health check failed: /srv/check did not end within 0.3 s")
    ok(host)
    wait_status(host, "healthy again")
    wait_until("nothing of it is left", lambda: not host.ok("pgrep", "-f", "sleep 100"))


def test_failures_in_the_start_period_do_not_count(host):
    define(host, "HealthRetries=1", "HealthStartPeriod=1h")
    host.run("systemctl", "start", "container-web")
    wait_until("a check is made", lambda: host.exists(RECORD))
    for _ in range(3):
        wait_check(host)
    equal(record(host)[2:], ["starting", "0", "/usr/bin/test exited with 1"])
    contains_not("ealth", status(host))

    ok(host)
    wait_record(host, "healthy")  # the first success ends it
    ok(host, False)
    wait_status(host, "Unhealthy: 1 health check failed")


def test_start_waits_until_it_is_healthy(host):
    before = host.footprint()
    define(host, "HealthStartPeriod=1h", more="[Exec]\nNotifyReady=healthy\n")
    host.run("systemctl", "start", "--no-block", "container-web")
    wait_status(host, "Starting: not healthy yet: /usr/bin/test exited with 1")
    equal(host.state("container-web"), "activating")
    equal(host.state("spawnlet-health-web.timer"), "inactive")

    ok(host)
    host.wait_unit("container-web")
    equal(status(host), "Container running: healthy.")
    equal(record(host)[2], "healthy")
    wait_check(host)
    host.run("systemctl", "stop", "container-web")
    wait_gone(host, before)


def test_a_start_that_does_not_become_healthy_fails(host):
    before = host.footprint()
    define(host, "HealthRetries=2",
           more="[Exec]\nNotifyReady=healthy\n[Service]\nRestart=no\n")
    assert not host.ok("systemctl", "start", "container-web")
    equal(host.state("container-web"), "failed")
    contains("Unhealthy: 2 health checks failed: /usr/bin/test exited with 1",
             host.run("systemctl", "status", "container-web", check=False).stdout)
    wait_gone(host, before)


def test_stop_while_the_start_waits(host):
    before = host.footprint()
    for command in "/usr/bin/test -e /srv/ok", "/bin/sleep 1001":
        define(host, "HealthStartPeriod=1h", "HealthTimeout=0", command=command,
               more="[Exec]\nNotifyReady=healthy\n")
        host.run("systemctl", "start", "--no-block", "container-web")
        wait_until("it waits", lambda: host.unit("container-web")["SubState"] == "start-post", timeout=20)
        begin = time.monotonic()
        host.run("systemctl", "stop", "container-web")
        assert time.monotonic() - begin < 8
        equal(host.unit("container-web")["Result"], "success")
        wait_gone(host, before)
        assert not host.ok("pgrep", "-f", "sleep 1001")


def test_a_container_that_ends_while_its_start_waits(host):
    before = host.footprint()
    define(host, "Command=/bin/sh -c \"until [ -e /srv/end ]; do sleep 0.1; done\"", "HealthStartPeriod=1h",
           more="[Exec]\nNotifyReady=healthy\n[Service]\nRestart=no\n")
    host.copied_root(ROOT)
    before = host.footprint()
    host.run("systemctl", "start", "--no-block", "container-web")
    wait_status(host, "not healthy yet")
    host.write(f"{ROOT}/srv/end", "")
    wait_until("it has ended", lambda: host.state("container-web") in ("inactive", "failed"))
    wait_gone(host, before)


def test_the_timer_comes_back_with_the_container(host):
    """After a crash, a reboot inside, a restart, and a reboot of the host."""
    ok(host)
    define(host)
    host.run("systemctl", "start", "container-web")

    def again(what, action):
        host.run("systemctl", "reset-failed", "container-web")  # the start limit counts, too
        init = init_start_time(host)
        action()
        wait_until(f"another init runs after {what}", lambda: init_start_time(host) != init, timeout=30)
        host.wait_unit("container-web")
        wait_until(f"the timer runs after {what}",
                   lambda: host.state("spawnlet-health-web.timer") == "active")
        wait_until(f"checks are made after {what}",
                   lambda: record(host)[0] == host.unit("container-web")["MainPID"])

    again("a crash", lambda: host.run("kill", "-9", host.unit("container-web")["MainPID"]))
    again("a reboot inside", lambda: host.run("spawnlet", "run", "web", "systemctl", "reboot", check=False))
    again("a restart", lambda: host.run("systemctl", "restart", "container-web"))
    host.reboot()
    host.wait_unit("container-web")
    wait_record(host, "healthy")
    contains_not("rdering cycle", host.out("journalctl", "-b"))

    host.run("spawnlet", "run", "web", "systemctl", "poweroff", check=False)
    host.wait_unit("container-web", "inactive")
    equal(host.state("spawnlet-health-web.timer"), "inactive")
    assert not host.exists(RECORD)


def test_another_interval_after_daemon_reload(host):
    ok(host)
    define(host, interval="1h")
    host.run("systemctl", "start", "container-web")
    equal(host.state("spawnlet-health-web.timer"), "active")
    assert not host.exists(RECORD)

    define(host, interval="200ms")
    wait_record(host, "healthy")
    wait_check(host)
    define(host, interval="1h")
    wait_until("the check of before has ended", lambda: host.state("spawnlet-health-web") == "inactive")
    contains("1h", host.unit("spawnlet-health-web.timer")["TimersMonotonic"])


def test_an_instance_of_a_template_has_checks_of_its_own(host):
    define(host, "HealthRetries=1", command="/usr/bin/test -e /srv/%i", name="web@")
    for i in "a", "b":
        host.write(f"/var/lib/machines/web-{i}/srv/a", "")
    units = ["container-web@a", "container-web@b"]
    host.run("systemctl", "start", *units)
    wait_status(host, "Unhealthy: 1 health check failed", "web@b")
    wait_record(host, "healthy", "web-a")
    equal(host.state("spawnlet-health-web@a.timer"), "active")
    wait_status(host, "Container running: healthy.", "web@a")
    host.run("systemctl", "stop", *units)
    equal(host.state("spawnlet-health-web@a.timer"), "inactive")


def test_a_command_with_an_early_check(host):
    """It has no init to wait for: the first interval is its own to start in."""
    define(host, "Command=/bin/sleep 1000", "HealthRetries=1", "HealthOnFailure=kill",
           interval="2s", more="[Service]\nRestart=no\n")
    host.copied_root(ROOT)
    before = host.footprint()
    host.run("systemctl", "start", "container-web")
    host.run("systemctl", "start", "spawnlet-health-web.service")
    equal(record(host)[2:4], ["starting", "0"])
    wait_until("it is killed", lambda: host.state("container-web") == "failed", timeout=20)
    wait_gone(host, before)


def test_a_frozen_container_is_not_checked(host):
    ok(host)
    define(host, "HealthRetries=1", "HealthTimeout=300ms")
    host.run("systemctl", "start", "container-web")
    wait_record(host, "healthy")
    host.run("systemctl", "freeze", "container-web")
    for _ in range(3):
        wait_check(host)
    equal(record(host)[2:4], ["healthy", "0"])
    host.run("systemctl", "thaw", "container-web")
    wait_check(host)
    equal(record(host)[2:4], ["healthy", "0"])
