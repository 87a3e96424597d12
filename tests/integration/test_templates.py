# SPDX-License-Identifier: LGPL-2.1-or-later
"""Templates and their instances, from the definition to the running machine."""

from case import contains, contains_not, equal
from host import wait_until

TEMPLATE = """\
    [Container]
    System=host
    Description=Site %i
    Root=/srv/sites/%i

    [Exec]
    Environment=SITE=%i

    [Network]
    HostAddress=10.90.0.1
    LocalAddress=10.90.1.%i
"""


def environment(host, name):
    return host.out("spawnlet", "run", name, "/bin/cat", "/proc/1/environ").split("\0")


def test_instances_of_a_template(host):
    """By a link, by a directory of drop-ins, and by hand."""
    before = host.footprint()
    host.write("/etc/spawnlet/web@8.container.d/more.conf", "[Exec]\nEnvironment=MORE=of-%i\n")
    host.out("ln", "-s", "web@.container", "/etc/spawnlet/web@7.container")
    host.define("web@", TEMPLATE)

    wants = host.out("ls", "/run/systemd/generator/machines.target.wants").split()
    equal(sorted(wants), ["container-web@7.service", "container-web@8.service"])

    units = [f"container-web@{i}.service" for i in (7, 8, 9)]  # the last one nobody declared
    host.run("systemctl", "start", *units)
    machines = host.out("machinectl", "list", "--no-legend")
    for i in (7, 8, 9):
        contains(f"web-{i}", machines)
        contains(f"SITE={i}", environment(host, f"web@{i}"))
        contains(f"10.90.1.{i}", host.out("ip", "route"))
        equal(host.unit(f"container-web@{i}")["Description"], f"Site {i}")
        assert host.exists(f"/srv/sites/{i}/etc/os-release")
    contains("MORE=of-8", environment(host, "web@8"))
    contains_not("MORE=of-7", environment(host, "web@7"))
    contains_not("NeedDaemonReload=yes", host.out("systemctl", "show", *units))

    host.run("systemctl", "stop", *units)
    wait_until("nothing is left", lambda: host.footprint() == before, timeout=20)


def test_a_running_instance_keeps_the_unit_of_its_template(host):
    """A daemon-reload must not take it for one whose definition is gone."""
    host.define("web@", TEMPLATE)
    host.run("systemctl", "start", "container-web@7")
    host.run("systemctl", "daemon-reload")
    equal(host.unit("container-web@7")["Description"], "Site 7")
    host.run("systemctl", "reload", "container-web@7")
    host.run("systemctl", "restart", "container-web@7")
    contains("SITE=7", environment(host, "web@7"))

    # What is declared is what runs, also where the value is not shown.
    host.define("web@", TEMPLATE + "\n    [Exec]\n    SetCredential=token:secret-%i\n")
    host.run("systemctl", "restart", "container-web@7")
    equal(host.out("spawnlet", "diff"), "")
    contains_not("secret", host.read("/run/spawnlet/started/web@7"))


def test_an_instance_that_runs_outlives_its_definition(host):
    """A daemon-reload without the files leaves a unit that can stop it."""
    before = host.footprint()
    host.define("web@", TEMPLATE)
    host.run("systemctl", "start", "container-web@7")
    host.remove("/etc/spawnlet/web@.container")
    host.run("systemctl", "daemon-reload")
    equal(host.state("container-web@7"), "active")

    host.run("systemctl", "stop", "container-web@7", timeout=30)
    wait_until("nothing is left", lambda: host.footprint() == before, timeout=20)


def test_an_instance_is_stopped_while_it_starts(host):
    """The guard of an instance belongs to its unit, not to the machine of that name."""
    host.define("web@", TEMPLATE)
    host.run("systemctl", "start", "container-web@7")  # the first start makes the root
    host.run("systemctl", "stop", "container-web@7")
    host.run("systemctl", "start", "--no-block", "container-web@7")
    wait_until("it is starting", lambda: host.state("container-web@7") == "activating", timeout=10)
    equal(host.state("spawnlet-stop@web@7"), "active")
    host.run("systemctl", "stop", "container-web@7", timeout=30)
    equal(host.unit("container-web@7")["Result"], "success")
