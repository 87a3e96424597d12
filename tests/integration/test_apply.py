# SPDX-License-Identifier: LGPL-2.1-or-later
"""spawnlet diff and spawnlet apply: what runs becomes what is declared, and no more is touched."""

import json
import re

from case import contains, contains_not, equal, matches
from containers import WEB, addresses, init_start_time, serve, web
from host import wait_until

LIVE = "/etc/spawnlet/web.container.d/live.conf"

# The smallest container there is: starts and stops at once.
SMALL = """\
    [Container]
    System=host
    Command=/usr/bin/sleep infinity
"""

# One whose init knows how to stop, also when nothing but its name is known any more.
BOOTED = "[Container]\nSystem=host\n"


def apply(host, *args, status=0):
    """What it prints on standard output, a line in an element."""
    done = host.run("spawnlet", "apply", *args, check=False)
    equal(done.returncode, status, done.stdout + done.stderr)
    return done.stdout.splitlines()


def diff(host, *args):
    return host.run("spawnlet", "diff", *args).stdout


def change(host, text):
    host.write(LIVE, text)


def environment(host, name="web"):
    return host.out("spawnlet", "run", name, "/bin/cat", "/proc/1/environ").split("\0")


def times(host, *names):
    """When each was stopped and started last, as systemd knows it."""
    return {name: {key: int(value) for key, value in host.unit(f"container-{name}").items()
                   if key in ("InactiveEnterTimestampMonotonic", "InactiveExitTimestampMonotonic",
                              "ActiveEnterTimestampMonotonic", "ActiveExitTimestampMonotonic")}
            for name in names}


def test_nothing_changed(host):
    web(host)
    host.define("small", SMALL)
    host.run("systemctl", "start", "container-web", "container-small")

    def state():
        # What the container itself says after its start is not of our making.
        lines = [line for unit in ("container-web", "container-small") for line in
                 host.out("journalctl", "-o", "cat", "-t", "systemd", "-u", unit).splitlines()]
        return (init_start_time(host), times(host, "web", "small"), lines,
                host.out("stat", "-c", "%i %Y", "/run/spawnlet/started/web"),
                host.unit("container-web")["InvocationID"], host.unit("container-web")["StateChangeTimestamp"])

    host.run("journalctl", "--sync", check=False)
    before = state()
    done = host.run("spawnlet", "apply")
    equal((done.stdout, done.stderr), ("", "spawnlet: Nothing to do.\n"))
    equal(apply(host, "web"), ["web: nothing to do (it runs as it is declared)"])
    equal(json.loads(host.out("spawnlet", "apply", "--json")), [])
    equal((diff(host), diff(host, "--json")), ("", "[]\n"))
    host.run("journalctl", "--sync", check=False)
    equal(state(), before)


def test_live_reload_restart(host):
    """Only what it takes is done, and then there is no difference any more."""
    web(host)
    host.run("systemctl", "start", "container-web")
    started = init_start_time(host)

    change(host, "[Container]\nDescription=Another\n")
    equal(diff(host), "web: nothing\n  [Container] Description=: nothing\n    + Another\n")
    equal(apply(host), ["web: nothing to do"])
    equal(host.unit("container-web")["Description"], "Another")
    equal(diff(host), "")

    change(host, "[Service]\nMemoryMax=1G\nRestart=no\n")
    equal(diff(host), """\
web: live
  [Service] MemoryMax=: live
    + 1G
  [Service] Restart=: nothing
    + no
  [Container] Description=: nothing
    - Another
""")
    equal(apply(host), ["web: changed live"])
    equal(host.unit("container-web")["MemoryMax"], str(1 << 30))
    equal(diff(host), "")

    change(host, "[Network]\nLocalAddress=10.90.7.2\n")
    contains("  [Network] LocalAddress=: reload\n    + 10.90.7.2\n", diff(host))
    equal(apply(host), ["web: reloaded"])
    contains("10.90.7.2/32", addresses(host))
    equal(diff(host), "")
    equal(init_start_time(host), started)

    change(host, "[Network]\nLocalAddress=10.90.8.2\n[Exec]\nEnvironment=A=1 B=2\n")
    contains("web: restart\n", diff(host))
    equal(apply(host), ["web: restarted"])
    contains("B=2", environment(host))
    contains("10.90.8.2/32", addresses(host))
    equal(diff(host), "")
    assert init_start_time(host) != started


def test_the_network_becomes_another_kind(host):
    """That takes a restart, though a reload does for each of the keys."""
    host.define("web", "[Container]\nSystem=host\n")
    host.run("systemctl", "start", "container-web")
    change(host, "[Network]\nHostAddress=10.90.0.1\nLocalAddress=10.90.0.2\n")
    contains("web: restart\n  [Network] HostAddress=: restart\n", diff(host))
    equal(apply(host), ["web: restarted"])
    equal(addresses(host), ["10.90.0.2/32"])

    # Without a restart there is nothing that a reload could do.
    change(host, "[Container]\nRestartIfChanged=no\nServices=x.service\n")
    (line,) = apply(host)
    contains("web: not restarted (RestartIfChanged=no); these wait for 'spawnlet restart web': ", line)
    contains("[Network] HostAddress=", line)
    contains("[Container] Services=", line)
    equal(addresses(host), ["10.90.0.2/32"])
    change(host, "")
    equal(apply(host), ["web: restarted"])
    assert not host.exists("/run/spawnlet/network/web")


def test_restart_if_changed_no(host):
    """What can be done without a restart is done, and the rest is said."""
    web(host, "    [Container]\n    RestartIfChanged=no\n")
    host.run("systemctl", "start", "container-web")
    started = init_start_time(host)

    change(host, "[Network]\nLocalAddress=10.90.7.2\n[Exec]\nEnvironment=A=1\n[Service]\nMemoryMax=1G\n")
    left = "not restarted (RestartIfChanged=no); these wait for 'spawnlet restart web': [Exec] Environment="
    equal(apply(host), [f"web: reloaded, but {left}"])
    contains("10.90.7.2/32", addresses(host))
    equal(diff(host).splitlines()[1:], ["  [Exec] Environment=: restart", "    + A=1"])
    equal(apply(host), [f"web: {left}"])

    change(host, "[Network]\nLocalAddress=10.90.7.2\n[Exec]\nEnvironment=A=1\n[Service]\nMemoryMax=2G\n")
    (result,) = json.loads(host.out("spawnlet", "apply", "--json"))
    equal((result["name"], result["action"], result["result"]), ("web", "live", "pending"))
    contains("RestartIfChanged=no", result["reason"])
    equal(host.unit("container-web")["MemoryMax"], str(2 << 30))
    equal(init_start_time(host), started)
    equal(diff(host).splitlines()[1:], ["  [Exec] Environment=: restart", "    + A=1"])

    host.run("spawnlet", "restart", "web")
    contains("A=1", environment(host))
    equal((diff(host), apply(host)), ("", []))


def test_start_and_stop(host):
    host.define("new", BOOTED, reload=False)
    host.define("manual", BOOTED + "AutoStart=no\n", reload=False)
    equal(diff(host), "new: start (it has not run yet)\n")
    equal(apply(host), ["new: started (it has not run yet)"])
    equal(host.state("container-manual"), "inactive")
    equal(apply(host, "manual"), ["manual: nothing to do (it does not run, and AutoStart=no)"])

    # Who has stopped it wants it to be so; who has written another one wants that.
    host.run("spawnlet", "stop", "new")
    equal(apply(host), ["new: nothing to do (it is stopped: 'spawnlet start new' starts it)"])
    equal((host.state("container-new"), diff(host)), ("inactive", ""))

    # One that has failed, more often than it may be started.
    host.define("broken", SMALL + "    [Unit]\n    StartLimitBurst=1\n    [Service]\n    Restart=no\n"
                                  "    ExecStartPre=/usr/bin/test -e /run/allowed\n", reload=False)
    (line,) = apply(host, "broken", status=1)
    matches(line, r"broken: failed: .*journalctl -u container-broken")
    equal(host.state("container-broken"), "failed")
    host.write("/run/allowed", "")
    equal(apply(host, "broken"), ["broken: started (it has failed)"])

    # Whose unit is masked, systemd starts for nobody.
    host.run("systemctl", "stop", "container-broken")
    host.run("systemctl", "mask", "--runtime", "container-broken")
    equal(apply(host, "broken"), ["broken: nothing to do (its unit is masked: see 'systemctl unmask')"])
    host.run("systemctl", "unmask", "--runtime", "container-broken")
    host.run("systemctl", "start", "container-broken")

    # One that goes, one that is masked.
    host.run("spawnlet", "start", "new", "manual")
    host.remove("/etc/spawnlet/new.container")
    host.run("ln", "-sf", "/dev/null", "/etc/spawnlet/manual.container")
    equal(diff(host), "manual: stop (its definition is gone)\nnew: stop (its definition is gone)\n")
    equal(sorted(apply(host)), ["manual: stopped (its definition is gone)", "new: stopped (its definition is gone)"])
    equal([host.state(f"container-{name}") for name in ("new", "manual", "broken")],
          ["inactive", "inactive", "active"])
    equal(apply(host), [])


def test_definitions_with_errors(host):
    """They are left as they are, also if they run; and nobody is stopped for want of a directory."""
    host.own_usr()
    host.define("web", SMALL)
    host.define("other", BOOTED)
    host.run("systemctl", "start", "container-web", "container-other")
    before = times(host, "web", "other")

    change(host, "[Network]\nLocalAddress=10.90.0.300\n")
    done = host.run("spawnlet", "apply", check=False)
    equal((done.returncode, done.stdout), (1, "web: left as it is: its definition has errors\n"))
    contains("LocalAddress=10.90.0.300: not an IPv4 or IPv6 address", done.stderr)
    equal(times(host, "web", "other"), before)
    (result,) = json.loads(host.run("spawnlet", "apply", "--json", check=False).stdout)
    equal((result["action"], result["result"]), ("nothing", "failed"))
    equal(host.run("spawnlet", "diff", check=False).returncode, 1)
    change(host, "")

    host.run("mkdir", "-p", "/usr/local/lib/spawnlet")
    host.run("ln", "-s", "definitions", "/usr/local/lib/spawnlet/definitions")
    host.remove("/etc/spawnlet/other.container")
    done = host.run("spawnlet", "apply", check=False)
    equal((done.returncode, done.stdout), (1, ""))
    contains("nothing is done", done.stderr)
    equal(host.state("container-other"), "active")
    host.remove("/usr/local/lib/spawnlet/definitions")
    equal(apply(host), ["other: stopped (its definition is gone)"])

    # The whole directory, as if a file system was not mounted.
    host.run("systemctl", "start", "container-web")
    host.run("mv", "/etc/spawnlet", "/etc/away")
    for options in ([], ["--dry-run"]):
        done = host.run("spawnlet", "apply", *options, check=False)
        equal((done.returncode, done.stdout), (1, ""))
        contains("No definition is found in /etc/spawnlet and the other directories, but 1 container runs: "
                 "nothing is done. To stop it, name it: spawnlet apply web\n", done.stderr)
    equal(times(host, "web"), {"web": before["web"]})
    equal(apply(host, "web"), ["web: stopped (its definition is gone)"])
    host.run("mv", "/etc/away", "/etc/spawnlet")
    equal(apply(host), ["web: started (it has not run yet)"])


def test_what_one_gives_up_another_one_gets(host):
    """A port, an address, a name: in one go, whatever the order of the names."""
    def network(name, last, *ports):
        lines = "".join(f"Port={port}\n" for port in ports)
        host.define(name, BOOTED + f"[Network]\nHostAddress=10.90.0.1\nLocalAddress=10.90.0.{last}\n{lines}",
                    reload=False)

    network("a", 2, 8001)
    network("b", 3, 8002)
    equal(len(apply(host)), 2)
    network("a", 2)
    network("b", 3, 8001, 8002)
    equal(sorted(apply(host)), ["a: reloaded", "b: reloaded"])
    network("a", 2, 8001, 8002)
    network("b", 3)
    equal(sorted(apply(host)), ["a: reloaded", "b: reloaded"])
    network("b", 4)
    network("a", 3, 8001, 8002)
    equal(sorted(apply(host)), ["a: reloaded", "b: reloaded"])
    equal((addresses(host, "a"), diff(host)), (["10.90.0.3/32"], ""))

    host.run("mv", "/etc/spawnlet/a.container", "/etc/spawnlet/c.container")
    equal(apply(host), ["a: stopped (its definition is gone)", "c: started (it has not run yet)"])
    host.run("journalctl", "--sync", check=False)
    contains_not("already", host.out("journalctl", "-o", "cat", "-u", "container-c"))  # at the first try

    # Each waits for the other one.
    network("b", 4, 8003)
    equal(apply(host), ["b: reloaded"])
    network("b", 4, 8001, 8002)
    network("c", 3, 8003)
    lines = sorted(apply(host, status=1))
    equal([line[:10] for line in lines], ["b: failed:", "c: failed:"])
    contains("c: failed: TCP port 8003 is forwarded to container 'b' already", lines[1])
    host.run("spawnlet", "stop", "b", "c")
    host.run("spawnlet", "start", "b", "c")
    equal((apply(host), diff(host)), ([], ""))


def test_many_applies(host):
    """More of them in ten seconds than systemd lets a unit start, if nobody tells it."""
    host.define("web", SMALL + "    [Unit]\n    StartLimitBurst=2\n    StartLimitIntervalSec=1h\n", reload=False)
    equal(apply(host), ["web: started (it has not run yet)"])
    for i in range(4):
        change(host, f"[Exec]\nEnvironment=A={i}\n")
        equal(apply(host), ["web: restarted"])


def test_what_it_was_started_with_is_not_known(host):
    """As after a start by an older spawnlet."""
    host.define("web", SMALL)
    host.run("systemctl", "start", "container-web")
    before = times(host, "web")
    host.run("sh", "-c", ": >/run/spawnlet/started/web")
    reason = "(what it was started with is not known: a restart would bring it up to date)"
    equal(diff(host), f"web: nothing {reason}\n")
    equal(apply(host), [f"web: nothing to do {reason}"])
    equal(times(host, "web"), before)
    host.run("spawnlet", "restart", "web")
    equal(diff(host), "")


def test_one_that_fails_does_not_stop_the_others(host):
    web(host)
    for name in ("other", "third"):
        host.define(name, SMALL)
    host.run("systemctl", "start", "container-web", "container-other", "container-third")
    started = init_start_time(host)
    host.write("/etc/spawnlet/container.d/x.conf", "[Exec]\nEnvironment=A=1\n[Network]\nBridge=br9\n"
                                                     "[Service]\nRestart=no\n")
    host.write("/etc/spawnlet/other.container.d/x.conf", "[Exec]\nEnvironment=A=1\n")
    host.write("/etc/spawnlet/web.container.d/x.conf", "[Veth a]\nBridge=br9\n")

    lines = sorted(apply(host, status=1))
    equal(lines[0], "other: restarted")
    contains("third: failed: There is no bridge 'br9'", lines[1])
    contains("web: failed: There is no bridge 'br9'", lines[2])
    equal([host.state(f"container-{name}") for name in ("web", "other", "third")],
          ["active", "active", "failed"])
    equal(init_start_time(host), started)
    contains("  [Veth a] Bridge=: reload\n", diff(host, "web"))

    results = {r["name"]: r for r in json.loads(host.run("spawnlet", "apply", "--json", check=False).stdout)}
    equal({name: r["result"] for name, r in results.items()}, {"web": "failed", "third": "failed"})
    contains("There is no bridge 'br9'", results["web"]["reason"])

    host.run("ip", "link", "add", "br9", "type", "bridge")
    equal(sorted(apply(host)), ["third: started (it has failed)", "web: reloaded"])
    equal(diff(host), "")


def test_dry_run_and_json(host):
    host.define("web", SMALL)
    host.define("stopped", SMALL)
    host.run("systemctl", "start", "container-web", "container-stopped")
    host.run("systemctl", "stop", "container-stopped")
    before = times(host, "web")
    change(host, "[Exec]\nEnvironment=A=1\n")
    host.define("new", SMALL, reload=False)
    equal(apply(host, "--dry-run"), [
        "new: start (it has not run yet)",
        "stopped: nothing (it is stopped: 'spawnlet start stopped' starts it)",
        "web: restart",
        "  [Exec] Environment=: restart",
        "    + A=1",
    ])
    wanted = [
        {"name": "new", "action": "start", "reason": "it has not run yet", "changes": []},
        {"name": "web", "action": "restart", "reason": None, "changes": [
            {"section": "Exec", "key": "Environment", "veth": None, "old": [], "new": ["A=1"],
             "takes": "restart"}]},
    ]
    equal(json.loads(host.out("spawnlet", "apply", "--dry-run", "--json", "web", "new")), wanted)
    equal(json.loads(host.out("spawnlet", "diff", "--json")), wanted)
    # Not even a daemon-reload.
    equal(host.unit("container-new")["LoadState"], "not-found")
    contains_not("A=1", host.unit("container-web")["ExecStart"])
    equal(times(host, "web"), before)

    for item in wanted:
        item["result"] = "done"
    equal(json.loads(host.out("spawnlet", "apply", "--json", "web", "new")), wanted)
    host.define("late", SMALL, reload=False)
    done = host.run("spawnlet", "apply", "container-new", "late", check=False)
    equal((done.returncode, done.stdout, done.stderr),
          (1, "", "spawnlet: There is no container 'container-new': did you mean 'new'?\n"))
    equal(host.unit("container-late")["LoadState"], "not-found")
    done = host.run("runuser", "-u", "nobody", "--", "spawnlet", "apply", check=False)
    equal(done.returncode, 1)
    contains(" (needs root; 'spawnlet diff' does not)\n", done.stderr)
    host.run("spawnlet", "diff")
    equal(host.run("spawnlet", "apply", check=False, env={"SPAWNLET_PATH": "/etc/spawnlet"}).returncode, 2)


def test_in_the_order_of_the_units(host):
    """Who needs another one is stopped before it and started after it, and each only once."""
    host.define("db", SMALL)
    host.define("base", SMALL)
    for name, unit in (("web", "Requires=container-db.service\nAfter=container-db.service"),
                       ("zzz", "After=container-base.service")):
        host.define(name, SMALL + "[Unit]\n" + unit + "\n")
    names = ("base", "db", "web", "zzz")
    host.run("systemctl", "start", *(f"container-{name}" for name in names))

    # The more slowly it stops and starts, the more others could get ahead of it.
    slow = "[Service]\nExecStartPre=/usr/bin/sleep 0.3\nExecStopPost=/usr/bin/sleep 0.3\n"
    for step in range(3):
        host.write("/etc/spawnlet/container.d/x.conf", f"[Exec]\nEnvironment=STEP={step}\n{slow}")
        before = times(host, *names)
        equal(sorted(apply(host)), [f"{name}: restarted" for name in names])
        after = times(host, *names)
        for name in names:
            contains(f"STEP={step}", environment(host, name))
            assert after[name]["ActiveEnterTimestampMonotonic"] > before[name]["ActiveEnterTimestampMonotonic"]
        for name, other in (("zzz", "base"), ("web", "db")):
            assert (after[name]["InactiveEnterTimestampMonotonic"]
                    <= after[other]["ActiveExitTimestampMonotonic"]), (name, after)
            assert (after[other]["ActiveEnterTimestampMonotonic"]
                    <= after[name]["InactiveExitTimestampMonotonic"]), (name, after)
    host.run("journalctl", "--sync", check=False)
    for name in names:
        log = host.out("journalctl", "-u", f"container-{name}", "-o", "cat", "-t", "systemd")
        equal(len(re.findall(r"(?m)^Started ", log)), 4, log)

    # Who is not changed, but needs one that is, is restarted by systemd.
    host.write("/etc/spawnlet/db.container.d/y.conf", "[Exec]\nEnvironment=STEP=4\n")
    before = times(host, *names)
    equal(apply(host), ["db: restarted"])
    host.wait_unit("container-web")
    after = times(host, *names)
    equal(after["zzz"], before["zzz"])
    assert after["web"]["ActiveEnterTimestampMonotonic"] > after["db"]["ActiveEnterTimestampMonotonic"]
    equal(diff(host), "")


def test_twenty_at_once(host):
    for i in range(20):
        host.define(f"c{i}", SMALL, reload=False)
    # As slow as a real one; behind each other they would take much longer.
    host.write("/etc/spawnlet/container.d/x.conf", "[Service]\nExecStartPre=/usr/bin/sleep 2\n")
    equal(sorted(apply(host)), sorted(f"c{i}: started (it has not run yet)" for i in range(20)))

    host.write("/etc/spawnlet/container.d/y.conf", "[Exec]\nEnvironment=A=1\n")
    equal(sorted(apply(host)), sorted(f"c{i}: restarted" for i in range(20)))
    t = times(host, *(f"c{i}" for i in range(20))).values()
    assert (max(u["InactiveExitTimestampMonotonic"] for u in t)
            < min(u["ActiveEnterTimestampMonotonic"] for u in t)), "they were started together"
    equal(apply(host), [])


def test_instances_of_a_template(host):
    """Those that run, of which one is declared and one was started by hand."""
    host.define("web@", BOOTED + "Description=Of %i\n[Exec]\nEnvironment=I=%i\n", reload=False)
    host.write("/etc/spawnlet/web@one.container.d/x.conf", "[Exec]\nEnvironment=ONE=1\n")
    equal(apply(host), ["web@one: started (it has not run yet)"])
    host.run("spawnlet", "start", "web@two")
    equal((apply(host), diff(host)), ([], ""))

    host.write("/etc/spawnlet/web@.container.d/y.conf", "[Exec]\nEnvironment=NEW=%i\n")
    contains("    + NEW=two\n", diff(host, "web@two"))
    equal(sorted(apply(host)), ["web@one: restarted", "web@two: restarted"])
    contains("NEW=two", environment(host, "web@two"))
    equal(diff(host), "")

    host.run("spawnlet", "stop", "web@two")
    equal(apply(host), [])
    equal(host.run("spawnlet", "apply", "web@", check=False).returncode, 2)
    host.remove("/etc/spawnlet/web@.container")
    equal(apply(host, "web@one"), ["web@one: stopped (its definition is gone)"])


def test_health_checks_come_and_go(host):
    serve(host, "/var/lib/machines/web")
    host.define("web", WEB)
    host.run("systemctl", "start", "container-web")
    started = init_start_time(host)
    timer = "spawnlet-health-web.timer"

    change(host, "[Container]\nHealthCommand=/bin/true\nHealthInterval=1h\n")
    equal(apply(host), ["web: changed live"])
    equal(host.state(timer), "active")
    equal((apply(host), diff(host)), ([], ""))
    change(host, "[Container]\nHealthCommand=/bin/true\nHealthInterval=2h\n")
    equal(apply(host), ["web: changed live"])
    contains("2h", host.unit(timer)["TimersMonotonic"])
    change(host, "")
    equal(apply(host), ["web: reloaded"])
    equal((host.state(timer), diff(host)), ("inactive", ""))
    equal(init_start_time(host), started)

    # What a reload does not do it does not write down.
    change(host, "[Container]\nHealthCommand=/bin/true\n")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "reload", "container-web")
    contains("HealthCommand", diff(host))
    equal(apply(host), ["web: changed live"])

    # A start that waits for a check that cannot succeed.
    change(host, "[Container]\nHealthCommand=/bin/false\nHealthStartPeriod=1h\n[Exec]\nNotifyReady=healthy\n")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "restart", "--no-block", "container-web")
    wait_until("it waits", lambda: host.unit("container-web")["SubState"] == "start-post")
    change(host, "[Container]\nHealthCommand=/bin/true\nHealthStartPeriod=1h\n[Exec]\nNotifyReady=healthy\n")
    equal(apply(host), ["web: restarted"])
    equal(host.state("container-web"), "active")

    change(host, "[Container]\nHealthCommand=/bin/true\n[Exec]\nEnvironment=A=1\n")
    equal(apply(host), ["web: restarted"])
    equal(host.state(timer), "active")
    host.run("rm", "/etc/spawnlet/web.container")
    equal(apply(host, "web"), ["web: stopped (its definition is gone)"])
    equal(host.state(timer), "inactive")


def on_terminal(host, command, columns=80, **options):
    """What is seen on a terminal, escape sequences included; a carriage return is a newline."""
    done = host.run("script", "--quiet", "--return", "--command",
                    f"stty columns {columns}; exec {command}", "/dev/null",
                    env={"TERM": "xterm", **options.pop("env", {})}, **options)
    return done.stdout


def test_progress_on_a_terminal(host):
    slow = SMALL + "    [Service]\n    ExecStartPre=/usr/bin/sleep 2.5\n"
    host.define("slow", slow, reload=False)
    host.define("after", SMALL + "    [Unit]\n    After=container-slow.service\n", reload=False)
    text = on_terminal(host, "spawnlet apply")
    matches(text, r"0 of 2 done: starting slow \(1 s\), 1 waiting")
    # It is away when the lines come, and in the end.
    contains("\n\x1b[Kslow: started (it has not run yet)\n", text)
    contains("after: started (it has not run yet)\n", text)
    assert text.endswith(("yet)\n", "\x1b[K")), repr(text)

    text = on_terminal(host, "spawnlet restart slow")
    matches(text, r"0 of 1 done: restarting slow \(1 s\)")
    equal(text.split("\x1b[K")[-1], "")
    text = on_terminal(host, "spawnlet restart slow", columns=30)
    assert all(len(line) < 30 for line in text.replace("\x1b[K", "").split("\n")), repr(text)
    contains("...", text)

    # Nowhere else.
    contains_not("\x1b", on_terminal(host, "spawnlet restart slow", env={"TERM": "dumb"}))
    done = host.run("spawnlet", "restart", "slow", env={"TERM": "xterm"})
    equal((done.stdout, done.stderr), ("", ""))


def test_a_job_that_another_one_replaces(host):
    """What counts is how the container ends up."""
    host.define("web", SMALL + "    [Service]\n    ExecStartPre=/usr/bin/sleep 2\n"
                       "    ExecStopPost=/usr/bin/sleep 2\n")
    host.run("systemd-run", "--quiet", "--unit=starter", "--property=StandardError=file:/run/said",
             "--property=RemainAfterExit=yes", "spawnlet", "start", "web")
    wait_until("it starts", lambda: host.state("container-web") == "activating")
    host.run("systemctl", "stop", "--no-block", "container-web")
    host.run("systemctl", "start", "container-web")
    wait_until("it has ended", lambda: host.unit("starter")["SubState"] in ("exited", "failed"))
    equal((host.unit("starter")["SubState"], host.read("/run/said")), ("exited", ""))

    host.run("systemctl", "stop", "container-web", "starter")
    host.run("systemd-run", "--quiet", "--unit=starter", "--property=StandardError=file:/run/said",
             "--property=RemainAfterExit=yes", "spawnlet", "start", "web")
    wait_until("it starts", lambda: host.state("container-web") == "activating")
    host.run("systemctl", "stop", "container-web")
    wait_until("it has ended", lambda: host.unit("starter")["SubState"] in ("exited", "failed"))
    equal(host.unit("starter")["SubState"], "failed")
    contains("web: it was stopped before it was up", host.read("/run/said"))
