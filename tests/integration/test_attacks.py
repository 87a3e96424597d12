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
