# SPDX-License-Identifier: LGPL-2.1-or-later
"""What root inside does while our helpers look at, enter, change, stop or clean up after its container.

test_hostile.py has what it may have left in its root. All here are without private users, where root inside has
the most rights, unless the test is about these.
"""

import re
import time

from case import contains, contains_not, equal
from containers import says
from host import wait_until

ROOT = "/var/lib/machines/web"
HELPERS = "/usr/libexec/spawnlet"

# In the environment of who calls our programs.
SECRET = "the-secret-of-the-administrator"

# A time for all, in which nothing should block. (Not seconds, as the machine may be busy.)
DEADLINE = 30

PERL = "#!/usr/bin/perl\nuse strict; use Fcntl; $| = 1;\n"


def script(host, name, text, interpreter=PERL):
    """Put a script into /srv of the container."""
    host.write(f"{ROOT}/srv/{name}", interpreter + text, 0o755)


def inside(host, *command, **options):
    return host.out("spawnlet", "run", "web", *command, **options)


def in_background(host, name, path):
    """Run a script inside until the container stops, and wait until it has begun: until it makes /srv/NAME.up."""
    host.remove(f"{ROOT}/srv/{name}.up")
    inside(host, "systemd-run", "--quiet", f"--unit={name}", path)
    wait_until(f"{name} runs", lambda: host.exists(f"{ROOT}/srv/{name}.up"))


def bounded(host, *command, env=None):
    """Whether the command succeeds; it ends in time, in any case."""
    r = host.run("timeout", "-s", "KILL", DEADLINE, *command, check=False, env=env)
    assert r.returncode not in (137, -9), f"{command} hangs"
    return r.returncode == 0


def looked_at(host):
    """What of the host nothing inside may change."""
    return (host.footprint()["mounts"], host.read("/srv/victim/file"),
            host.out("find", "/etc", "/root", "/srv", "/run/spawnlet", "-xdev", "-not", "-path", "*/health/*",
                     "-printf", "%p %y %m %U %i %C@ %l\n"))


# A link in the place of a directory above a mount point, and back, as fast as can be.
EXCHANGES = """
mkdir "/opt"; mkdir "/opt/a"; mkdir "/opt/a/b"; mkdir "/opt/a/b/point"; mkdir "/opt/c"; mkdir "/opt/c/b";
symlink "../../../../../../srv/victim", "/opt/link"; symlink "/proc/1/root/srv/victim", "/opt/c/link";
symlink "/opt/../../srv", "/opt/srv";
open my $up, ">", "/srv/exchanges.up";
while (1) {
    for my $p (["/opt/a", "/opt/link"], ["/opt/c/b", "/opt/c/link"], ["/opt/a", "/opt/srv"]) {
        syscall 316, -100, $p->[0], -100, $p->[1], 2 for 1, 2; # renameat2, RENAME_EXCHANGE; and back
        syscall 316, -100, "/opt/a/b", -100, "/opt/c/link", 2 for 1, 2;
    }
}
"""

# Looks into each process that comes, from the moment on that it is seen, and tries to take it over.
SPY = """
my (%seen, $i); my $own = $$;
open my $out, ">>", "/srv/spied"; select $out; $| = 1;
open my $up, ">", "/srv/spy.up";
while (1) {
    opendir my $d, "/proc"; my @pids = grep /^\\d+$/ && $_ > $own, readdir $d; closedir $d;
    for my $pid (@pids) {
        next if $seen{$pid};
        my ($f, $text, $name);
        if (open $f, "<", "/proc/$pid/environ") { local $/; $text = <$f>; print "ENV $text\\n" if $text =~ /secret/ }
        open $f, "<", "/proc/$pid/comm" or next; $name = <$f>; close $f;
        $seen{$pid} = 1 if $name !~ /^spawnlet/;
        next unless $name =~ /^spawnlet/;
        print "SEEN $name";
        opendir my $fds, "/proc/$pid/fd" or next;
        for my $fd (grep /^\\d+$/, readdir $fds) { my $to = readlink "/proc/$pid/fd/$fd"; print "FD $fd $to\\n" }
        if (sysopen $f, "/proc/$pid/exe", O_RDWR) { print "WRITES\\n" }
        for my $l ("root", "cwd") { print "OUT $l\\n" if -e "/proc/$pid/$l/srv/victim" }
    }
}
"""


def start(host, more=""):
    host.write("/srv/victim/file", "of the host\n")
    host.write("/srv/data/file", "data\n")
    host.define("web", f"[Container]\nSystem=host\nAutoStart=no\n{more}[Exec]\nPrivateUsers=no\n")
    host.run("systemctl", "start", "container-web")


def test_while_it_is_entered_and_changed(host):
    """Mounts that come and go under links that do; commands that are watched from their first moment on."""
    start(host)
    script(host, "exchanges", EXCHANGES)
    script(host, "spy", SPY)
    in_background(host, "exchanges", "/srv/exchanges")
    pid = host.unit("container-web")["MainPID"]
    before = looked_at(host)
    came = 0
    lines = ["[Files]Bind=/srv/data:/opt/a/b/point", "[Files]BindReadOnly=/srv/data/file:/opt/c/b/deep/file",
             "[Files]Bind=/srv/data:/opt/a/new/dir"]
    for _ in range(15):
        came += bounded(host, f"{HELPERS}/spawnlet-reload", "web", pid, *lines)
        bounded(host, f"{HELPERS}/spawnlet-reload", "web", pid)
    after = looked_at(host)
    equal(after[:2], before[:2])
    changed = set(after[2].splitlines()) ^ set(before[2].splitlines())
    equal({line.split()[0] for line in changed if not line.startswith("/run/spawnlet/started")}, set())
    inside(host, "systemctl", "stop", "exchanges")
    # Else nothing was tried: undisturbed, it does.
    assert bounded(host, f"{HELPERS}/spawnlet-reload", "web", pid, lines[0]), came

    in_background(host, "spy", "/srv/spy")
    for _ in range(25):
        bounded(host, "spawnlet", "run", "web", "/bin/true", env={"TOKEN": SECRET})
    spied = host.read(f"{ROOT}/srv/spied")
    contains("SEEN ", spied)
    for what in "ENV ", "WRITES ", "OUT ":
        contains_not(what, spied)
    # What `spawnlet run` itself was given, and nothing more.
    equal({fd for fd in re.findall(r"^FD (\d+) ", spied, re.M)} - {"0", "1", "2"}, set())


def status(host):
    return host.unit("container-web")["StatusText"]


# What a check may do beside exiting with a status, and what is made of it.
CHECKS = {
    "prints without an end": (
        "print 'x' x 65536 while 1;", "did not end within 0.5 s"),
    "prints lines without an end": (
        "print \"line\\n\" x 4096 while 1;", "did not end within 0.5 s: li"),
    "reads what it has printed": (
        "if (!fork) { syscall 112; sysopen my $f, '/proc/self/fd/1', O_RDWR | O_NONBLOCK or die; my $x;"
        " for my $i (1 .. 20000) { syswrite $f, 'x'; for (0 .. $i % 200) { } sysread $f, $x, 10 } sleep 1000 }"
        " sleep 1000;",
        "did not end within 0.5 s"),
    "leaves somebody with its output": (
        "if (!fork) { syscall 112; sleep 1000 } exit 7;",
        "exited with 7"),
    "fills its pipe and waits": (
        "sysopen my $f, '/proc/self/fd/1', O_RDWR | O_NONBLOCK; 1 while syswrite $f, 'x' x 4096; sleep 1000;",
        "did not end within 0.5 s"),
    "speaks to terminals": (
        r"""print "\e]0;title\a\e[2J\x{9b}31m\x{c2}\x{9b}31m\r\b\x{ff}\n\n"; exit 3;""",
        "exited with 3: ?]0;title??[2J?31m??31m???"),
    "freezes what it is in": (
        "open my $f, '<', '/proc/self/cgroup'; my ($c) = <$f> =~ /0::(.*)/;"
        " open $f, '>', \"/sys/fs/cgroup$c/cgroup.freeze\" or die; syswrite $f, 1; sleep 1000;",
        "did not end within 0.5 s"),
}


def test_checks_that_attack(host):
    """Each is over in time, keeps nothing of the host's busy, and shows nothing that a terminal would obey."""
    start(host, "HealthCommand=/srv/check\nHealthInterval=100ms\nHealthTimeout=500ms\nHealthRetries=1\n"
                "HealthStartPeriod=0\n")
    host.run("systemctl", "stop", "spawnlet-health-web.timer", "spawnlet-health-web.service")
    for what, (text, expected) in CHECKS.items():
        script(host, "check", text)
        began = time.monotonic()
        assert bounded(host, "systemctl", "start", "spawnlet-health-web"), what
        assert time.monotonic() - began < 10, what
        wait_until(f"{what}: {expected}", lambda: contains(expected, status(host)) or True)
        assert len(status(host)) < 500, what
        assert not host.ok("pgrep", "-x", "spawnlet-health"), what
    host.run("journalctl", "--sync")
    journal = host.run("journalctl", "-a", "-o", "cat", "-u", "container-web").stdout
    shown = host.run("systemctl", "status", "container-web", "spawnlet-health-web", check=False).stdout
    for text in journal, shown, host.read("/run/spawnlet/health/web"), host.run("spawnlet", "list").stdout:
        equal(re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text.replace("\x1b[0m", "")), [])
    began = time.monotonic()
    host.run("systemctl", "stop", "container-web")
    assert time.monotonic() - began < 20, time.monotonic() - began
    equal(host.unit("container-web")["Result"], "success")
