# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stop helper against inits that are hostile, slow, frozen, crowded, or no systemd."""

import re
import threading
import time

from case import contains, equal, matches
from containers import says, web
from host import wait_until

HELPER = "/usr/libexec/spawnlet/spawnlet-stop"

# Its helper has 4.5 s of these; after 3.6 it kills.
FIVE_SECONDS = "[Service]\nTimeoutStopSec=5\nRestart=no\n"

# Goes when it is told, leaves a mark, and takes no notice of anything else.
HEARS_TERM = "#!/bin/sh\ntrap 'touch /srv/told; exit 0' TERM\nwhile :; do sleep 1000 & wait; done\n"


def root(name):
    return f"/var/lib/machines/{name}"


def made_up(host, name, script, exec_="", service=FIVE_SECONDS):
    """Declare a container whose first process is a script, which says when it runs by a file."""
    interpreter, _, rest = script.partition("\n")
    started = "open my $f, '>', '/srv/started';" if "perl" in interpreter else ": >/srv/started"
    host.write(f"{root(name)}/srv/init", f"{interpreter}\n{started}\n{rest}", 0o755)
    host.define(name, f"[Container]\nSystem=host\nInit=/srv/init\nAutoStart=no\n"
                      f"[Exec]\nNotifyReady=no\n{exec_}\n{service}")


def start(host, name):
    host.remove(f"{root(name)}/srv/started")
    host.run("systemctl", "start", f"container-{name}")
    wait_until("the init runs", lambda: host.exists(f"{root(name)}/srv/started"))


def stop(host, name, result="success"):
    """Stop it and return the seconds that took."""
    begin = time.monotonic()
    host.run("systemctl", "stop", f"container-{name}")
    took = time.monotonic() - begin
    unit = host.unit(f"container-{name}")
    equal((unit["Result"], unit["MainPID"], unit["ControlGroup"]), (result, "0", ""),
          host.out("journalctl", "-u", f"container-{name}", check=False))
    return took


def between(low, seconds, high):
    assert low <= seconds < high, f"{seconds:.2f} s"


def told(host, name):
    return host.exists(f"{root(name)}/srv/told")


def in_background(function, *args):
    """Run it meanwhile. Returns a function that waits for its end and returns what it returned."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*args)))
    thread.start()

    def join():
        thread.join()
        return results[0]

    return join


def payload_cgroup(name):
    return f"/sys/fs/cgroup/machine.slice/container-{name}.service/payload"


def test_a_timeout_that_only_a_drop_in_of_the_unit_has(host):
    """As `systemctl edit` makes one: it counts, and not that of the definition."""
    slow = "#!/bin/sh\ntrap 'sleep 3; touch /srv/told; exit 0' TERM\nwhile :; do sleep 1000 & wait; done\n"
    made_up(host, "slow", slow, service="[Service]\nTimeoutStopSec=2\nRestart=no\n")
    drop_in = "/etc/systemd/system/container-slow.service.d/timeout.conf"

    host.write(drop_in, "[Service]\nTimeoutStopSec=20\n")
    host.run("systemctl", "daemon-reload")
    start(host, "slow")
    between(2.5, stop(host, "slow"), 5)
    assert told(host, "slow")

    host.remove(f"{root('slow')}/srv/told")
    host.define("slow", host.read("/etc/spawnlet/slow.container").replace("TimeoutStopSec=2", ""))
    host.write(drop_in, "[Service]\nTimeoutStopSec=2\n")
    host.run("systemctl", "daemon-reload")
    start(host, "slow")
    between(1, stop(host, "slow", "exit-code"), 2.5)
    assert not told(host, "slow")


def test_made_up_inits(host):
    before = host.footprint()

    # Of its own it is sent SIGTERM, as that is all that it takes.
    made_up(host, "plain", HEARS_TERM)
    start(host, "plain")
    between(0, stop(host, "plain"), 2)
    assert told(host, "plain")

    # Never handles the signal, and never ends.
    made_up(host, "deaf", "#!/bin/sh\ntrap '' TERM PWR\nwhile :; do sleep 1000 & wait; done\n")
    start(host, "deaf")
    between(3, stop(host, "deaf", "exit-code"), 5)

    # Handles it, but late. It is waited for, and not forgotten.
    made_up(host, "late", HEARS_TERM.replace("trap", "sleep 2\ntrap", 1))
    start(host, "late")
    between(1.5, stop(host, "late"), 3.5)
    assert told(host, "late")

    # Ends before it could be told.
    made_up(host, "gone", "#!/bin/sh\nsleep 1\nexit 0\n")
    start(host, "gone")
    between(0, stop(host, "gone"), 2)

    # Takes SIGTERM for a reason to start more and more, until there are many.
    made_up(host, "forks", "#!/usr/bin/perl\n"
            "my $told = 0; $SIG{TERM} = sub { $told = 1 }; $SIG{CHLD} = 'IGNORE';\n"
            "while (1) { select undef, undef, undef, 0.01;\n"
            "  if ($told && fork() == 0) { $SIG{TERM} = 'IGNORE';\n"
            "    for (1 .. 5) { sleep 1; last if fork() } sleep 1000 } }\n")
    start(host, "forks")
    between(3, stop(host, "forks", "exit-code"), 6)

    # Leaves zombies; and blocks all signals each time that it forks, of which it must not be believed
    # that it takes them.
    made_up(host, "zombies", "#!/usr/bin/perl\n"
            "for (1 .. 200) { exit if fork() == 0 }\n"
            "$SIG{TERM} = sub { exit 0 }; $SIG{PWR} = 'IGNORE'; select undef, undef, undef, 0.1 while 1;\n")
    start(host, "zombies")
    between(0, stop(host, "zombies"), 2)

    # Blocks all signals for good, and takes them.
    made_up(host, "blocks", "#!/usr/bin/perl\nuse POSIX;\n"
            "my $all = POSIX::SigSet->new; $all->fillset; sigprocmask(SIG_BLOCK, $all);\n"
            "my $set = POSIX::SigSet->new;\n"
            "do { select undef, undef, undef, 0.1; sigpending($set) } until $set->ismember(SIGTERM);\n")
    start(host, "blocks")
    between(0.2, stop(host, "blocks"), 3)

    # Several signals that it takes: none is sent that more inits take for a reboot.
    made_up(host, "power", "#!/bin/sh\ntrap 'touch /srv/told; exit 0' PWR\ntrap 'exit 9' TERM\n"
            "while :; do sleep 1000 & wait; done\n")
    start(host, "power")
    between(0, stop(host, "power"), 2)
    assert told(host, "power")

    # What the definition says.
    made_up(host, "own", "#!/bin/sh\ntrap 'touch /srv/told; exit 0' USR1\ntrap 'exit 9' TERM PWR\n"
            "while :; do sleep 1000 & wait; done\n", "KillSignal=SIGUSR1")
    start(host, "own")
    between(0, stop(host, "own"), 2)
    assert told(host, "own")

    for name in "deaf", "forks":
        host.run("systemctl", "reset-failed", f"container-{name}")
    wait_until("nothing is left", lambda: equal(host.footprint(), before) or True)


def test_commands(host):
    """No init, but any program as PID 1: the kernel drops a signal that it does not handle."""

    def command(name, line, more="", system="System=host"):
        host.run("mkdir", "-p", f"{root(name)}/srv")
        host.define(name, f"[Container]\n{system}\nCommand={line}\nAutoStart=no\n{more}")
        host.run("systemctl", "start", f"container-{name}")

    # It would have died of the signal.
    command("app", "/usr/bin/sleep infinity")
    between(0, stop(host, "app"), 1.5)
    assert not host.ok("journalctl", "-q", "-u", "container-app", "-g", "in time")

    # The same without the capability to power itself off, and with users of its own.
    command("cut", "/usr/bin/sleep infinity", "[Exec]\nDropCapability=CAP_SYS_BOOT\n")
    between(0, stop(host, "cut"), 1.5)
    host.copied_root(root("users"))
    command("users", "/usr/bin/sleep infinity", "[Exec]\nPrivateUsers=pick\n", system="")
    between(0, stop(host, "users"), 1.5)

    # It handles the signal, in its own time.
    command("shell", """/bin/sh -c 'trap "sleep 1; touch /srv/told; exit 0" TERM; : >/srv/started; """
                     "while :; do sleep 1000 & wait; done'")
    wait_until("it runs", lambda: host.exists(f"{root('shell')}/srv/started"))
    between(1, stop(host, "shell"), 2.5)
    assert told(host, "shell")

    # It ignores it, or the signal would not end it anywhere: the time is up first.
    command("ignores", """/bin/sh -c 'trap "" TERM; : >/srv/started; exec sleep 1000'""", FIVE_SECONDS)
    wait_until("it runs", lambda: host.exists(f"{root('ignores')}/srv/started"))
    between(3, stop(host, "ignores", "exit-code"), 5)
    command("winch", "/usr/bin/sleep infinity", "[Exec]\nKillSignal=SIGWINCH\n" + FIVE_SECONDS)
    between(3, stop(host, "winch", "exit-code"), 5)

    # nspawn's own PID 1 passes it on, with a SIGHUP behind it.
    command("second", """/bin/sh -c 'trap "touch /srv/told; exit 0" TERM HUP; : >/srv/started; """
                      "while :; do sleep 1000 & wait; done'", "[Exec]\nProcessTwo=yes\n")
    wait_until("it runs", lambda: host.exists(f"{root('second')}/srv/started"))
    between(0, stop(host, "second"), 2)
    assert told(host, "second")

    # Stopped while it has not said that it is ready, which it never will.
    host.define("starts", "[Container]\nSystem=host\nCommand=/usr/bin/sleep infinity\nAutoStart=no\n"
                          "[Exec]\nNotifyReady=yes\n")
    host.run("systemctl", "start", "--no-block", "container-starts")
    wait_until("it runs", lambda: host.ok("pgrep", "-x", "sleep"))
    between(0, stop(host, "starts"), 1.5)


def test_busybox_is_powered_off(host):
    """SIGTERM would reboot it."""
    before = host.footprint()
    name = "box"
    host.write(f"{root(name)}/etc/inittab",
               "::sysinit:/bin/busybox touch /srv/started\n::respawn:/bin/busybox sleep 1000\n"
               "::shutdown:/bin/busybox touch /srv/told\n")
    host.run("mkdir", "-p", f"{root(name)}/srv")
    host.run("ln", "-s", "/bin/busybox", f"{root(name)}/srv/init")
    for init in "Init=/srv/init\n[Exec]\n", "Init=/bin/busybox\n[Exec]\nParameters=init\n":
        # Wanted at boot, systemd keeps the unit loaded, and knows its exit status.
        host.define(name, f"[Container]\nSystem=host\n{init}NotifyReady=no\n")
        host.run("systemctl", "start", f"container-{name}")
        wait_until("it runs", lambda: host.exists(f"{root(name)}/srv/started"))
        wait_until("it watches", lambda: host.ok("pgrep", "-f", "sleep 1000"))
        # It takes a second each to send SIGTERM to all, SIGKILL, and to say goodbye.
        between(1, stop(host, name), 6)
        assert told(host, name)
        unit = host.unit(f"container-{name}")
        equal((unit["ExecMainCode"], unit["ExecMainStatus"]), ("1", "0"))  # 133 is a reboot
        for file in "started", "told":
            host.remove(f"{root(name)}/srv/{file}")

        # Told while it starts, before it can hear anything.
        for milliseconds in 0, 40, 80, 120:
            host.run("systemctl", "reset-failed", f"container-{name}", check=False)
            host.run("sh", "-c", f"systemctl start --no-block container-{name}; "
                                 f"sleep {milliseconds / 1000}")
            between(0, stop(host, name), 6)
        for file in "started", "told":
            host.remove(f"{root(name)}/srv/{file}")
    wait_until("nothing is left", lambda: equal(host.footprint(), before) or True)


def test_frozen(host):
    """What is frozen hears nothing until it is thawed."""
    made_up(host, "plain", HEARS_TERM)
    web(host)

    def freeze(name, what):
        if what == "unit":
            host.run("systemctl", "freeze", f"container-{name}")
        else:
            host.write(payload_cgroup(name) + f"{what}/cgroup.freeze", "1")
            wait_until("it is frozen", lambda: contains(
                "frozen 1", host.read(payload_cgroup(name) + f"{what}/cgroup.events")) or True)

    for name, what in ("plain", ""), ("plain", "unit"), ("web", ""), ("web", "/init.scope"), ("web", "unit"):
        if name == "plain":
            host.remove(f"{root(name)}/srv/told")
            start(host, name)
        else:
            host.run("systemctl", "start", f"container-{name}")
        freeze(name, what)
        if what == "unit" and host.release != "12":
            # Newer versions of systemd refuse; systemctl(1), freeze. Nothing of ours must thaw it then.
            assert not host.ok("systemctl", "stop", f"container-{name}")
            equal(host.unit(f"container-{name}")["FreezerState"], "frozen")
            contains("frozen 1", host.read(payload_cgroup(name) + "/cgroup.events"))
            host.run("systemctl", "thaw", f"container-{name}")
        between(0, stop(host, name), 4)
        assert name == "web" or told(host, name)


def slow(host, seconds):
    """The container web, with a service that takes as long to stop."""
    web(host)
    host.write(f"{root('web')}/etc/systemd/system/slow.service",
               "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"
               f"ExecStop=/bin/sh -c 'sleep {seconds}; date >>/var/stopped'\n")
    host.define("web", host.read("/etc/spawnlet/web.container").replace(
        "hello.socket", "hello.socket slow.service"))
    host.run("systemctl", "start", "container-web")


def stopped_times(host, name="web"):
    return len(host.read(f"{root(name)}/var/stopped").splitlines())


def test_stop_during_stop(host):
    slow(host, 3)
    first = in_background(stop, host, "web")
    second = in_background(stop, host, "web")
    wait_until("it stops", lambda: host.state("container-web") == "deactivating")
    between(0, stop(host, "web"), 5)
    between(3, first(), 6)
    between(0, second(), 6)
    equal(stopped_times(host), 1)

    # The helper for one that is dead, and for a process that is no nspawn.
    for pid in (), ("4194303",), (host.out("systemctl", "show", "-P", "MainPID", "dbus"),):
        begin = time.monotonic()
        host.run(HELPER, "--timeout=2s", *pid)
        assert time.monotonic() - begin < 3
    equal(host.state("dbus"), "active")


def test_stop_without_dbus_and_machined(host):
    """As at a shutdown. systemctl asks systemd itself then."""
    slow(host, 1)
    host.run("systemctl", "stop", "systemd-machined.socket", check=False)  # only newer ones have it
    host.run("systemctl", "stop", "dbus.socket", "dbus", "systemd-machined", "systemd-logind")
    between(1, stop(host, "web"), 5)
    equal(stopped_times(host), 1)


def test_status(host):
    slow(host, 4)
    seen = []
    stopping = in_background(stop, host, "web")

    def look():
        seen.append(host.unit("container-web")["StatusText"])
        return host.state("container-web") == "inactive"

    wait_until("it is stopped", look, timeout=20)
    between(4, stopping(), 8)
    lines = [s for s in dict.fromkeys(seen) if s.startswith("Stopping: ")]
    # The names of all that are left: the shell, its sleep until that ends, and the init.
    form = re.compile(r"^Stopping: \d+ processes left: (?=.*\bsh\b)(?=.*systemd).*; \d+ s until they are killed$")
    equal([line for line in lines if not form.match(line)], [])
    contains("sleep", " ".join(lines))
    seconds = [int(re.search(r"; (\d+) s", line)[1]) for line in lines]
    assert len(seconds) >= 2 and seconds == sorted(seconds, reverse=True), seconds
    between(130, seconds[-1], 146)

    # Names that try to be more than a name; no end of the time.
    made_up(host, "names", "#!/usr/bin/perl\n$SIG{TERM} = sub { sleep 3; exit 0 };\n"
            'if (fork() == 0) { $SIG{TERM} = "IGNORE"; $0 = "x\\nREADY=1\\n\\e[1m"; sleep 1000; }\n'
            "select undef, undef, undef, 0.1 while 1;\n", service="[Service]\nTimeoutStopSec=infinity\n")
    start(host, "names")
    seen.clear()
    stopping = in_background(stop, host, "names")
    wait_until("it is told", lambda: seen.append(host.unit("container-names")["StatusText"]) or
               "left" in seen[-1])
    between(2.5, stopping(), 5)
    equal(seen[-1], "Stopping: 2 processes left: x?READY=1??[1m, init")


def test_many_processes(host):
    made_up(host, "crowd", "#!/usr/bin/perl\n$SIG{TERM} = sub { sleep 2; exit 0 };\n"
            "for (1 .. 2000) { my $pid = fork() // die; if (!$pid) { $SIG{TERM} = 'IGNORE'; sleep 1000; } }\n"
            "open $f, '>', '/srv/all'; select undef, undef, undef, 0.1 while 1;\n", service="[Service]\nTimeoutStopSec=20\n")
    start(host, "crowd")
    wait_until("all run", lambda: host.exists(f"{root('crowd')}/srv/all"), timeout=30)
    stopping = in_background(stop, host, "crowd")
    wait_until("they are counted", lambda: matches(
        host.unit("container-crowd")["StatusText"],
        r"^Stopping: 2001 processes left: init, …; 1\d s until they are killed$") or True)
    between(2, stopping(), 8)


def test_shutdown_of_a_host_with_many(host):
    """All stop at the same time, and none before its time."""
    slow(host, 3)
    takes_a_second = HEARS_TERM.replace("touch", "sleep 1; touch")
    names = [f"c{i}" for i in range(19)]
    for name in names:
        host.write(f"{root(name)}/srv/init", takes_a_second, 0o755)
        host.define(name, "[Container]\nSystem=host\nInit=/srv/init\nAutoStart=no\n"
                          "[Exec]\nNotifyReady=no\n", reload=False)
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "start", *[f"container-{name}" for name in names])

    down = host.poweroff()
    between(3, down, 18)
    host.boot()
    equal(stopped_times(host), 1)
    for name in names:
        assert told(host, name), name
    assert not host.ok("journalctl", "-q", "-b", "-1", "-g", "did not stop in time")
