# SPDX-License-Identifier: LGPL-2.1-or-later
"""However often containers start, stop, reboot and crash, nothing adds up: counted before and after.

The short form is for every run. The long one takes a quarter of an hour, by hand and at low priority:

    SPAWNLET_TEST_CYCLES=1000 tests/run --release 12 -k test_start_and_stop_many_times
"""

import os
import time

from case import equal
from containers import fetch, init_start_time, serve
from host import wait_until

CYCLES = int(os.environ.get("SPAWNLET_TEST_CYCLES", "15"))

# All that a helper makes: addresses, names, a bridge, a forwarded port, a bind mount.
EVERYTHING = """\
    [Unit]
    StartLimitIntervalSec=0

    [Container]
    System=host
    Services=hello.socket
    AutoStart=no

    [Files]
    Bind=/srv/shared

    [Network]
    Zone=lab
    HostAddress=10.90.0.1/24
    LocalAddress=10.90.0.2/24
    Port=8080:80
    Masquerade=yes

    [Veth backup-network]
    HostAddress=10.91.0.1
    LocalAddress=10.91.0.2
"""

COMMAND = """\
    [Container]
    System=host
    AutoStart=no
    Command=/bin/sh -c 'exit 133'

    [Service]
    Restart=no
"""


def counted(host):
    """footprint(), and the descriptors of the daemons that know the containers."""
    machined = host.unit("systemd-machined")["MainPID"]
    return {**host.footprint(), "descriptors of systemd": host.descriptors(1),
            "descriptors of machined": machined != "0" and host.descriptors(machined)}


def same_again(host, before):
    wait_until("all is as before", lambda: equal(before, counted(host)) or True, timeout=30)


def cycle(host):
    host.run("systemctl", "start", "container-web")
    host.run("systemctl", "stop", "container-web")


def test_start_and_stop_many_times(host):
    host.write("/srv/shared/file", "")
    serve(host, "/var/lib/machines/web")
    host.define("web", EVERYTHING)
    # The daemons that come with the first container are there before it is counted. machined leaves
    # when it has nothing to do.
    host.write("/run/systemd/system/systemd-machined.service.d/stay.conf",
               "[Service]\nExecStart=\nExecStart=/lib/systemd/systemd-machined\n"
               "Environment=SYSTEMD_EXIT_ON_IDLE=0\n")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "restart", "systemd-machined")
    cycle(host)
    before = counted(host)

    begin = time.monotonic()
    for number in range(CYCLES):
        cycle(host)
        if number % 100 == 99:
            print(f"{number + 1} cycles, {(time.monotonic() - begin) / (number + 1):.3f} s each", flush=True)
    equal(host.unit("container-web")["Result"], "success")
    same_again(host, before)


test_start_and_stop_many_times.timeout = 600 + 3 * CYCLES


def test_reboots_and_crashes_keep_the_network(host):
    """Forwarded ports and names are there again, and nothing is there twice."""
    host.write("/srv/shared/file", "")
    serve(host, "/var/lib/machines/web")
    before = host.footprint()
    host.define("web", EVERYTHING)
    host.run("systemctl", "start", "container-web")
    running = {key: host.footprint()[key] for key in ("interfaces", "mounts", "nft", "units")}

    def reboot():
        host.run("spawnlet", "run", "web", "systemctl", "reboot", check=False)

    def crash():
        host.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "container-web")

    for end in reboot, crash, reboot, crash:
        init = init_start_time(host)
        end()
        wait_until("it runs again", lambda: init_start_time(host) != init, timeout=30)
        host.wait_unit("container-web")
        equal(fetch(host), "hello")
        equal(fetch(host, "http://localhost:8080/"), "hello")
        equal(host.out("getent", "ahostsv4", "web.containers").split()[0], "10.90.0.2")
        wait_until("it has what it had", lambda: equal(running, {
            key: value for key, value in host.footprint().items() if key in running}) or True)

    host.run("systemctl", "stop", "container-web")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_a_command_that_exits_as_a_reboot_does(host):
    """133 is what systemd-nspawn exits with for a reboot. Of a command it is one failure as any other:
    nspawn makes 1 of it."""
    before = host.footprint()
    for name, text in (("one", COMMAND), ("two", COMMAND + "\n    [Exec]\n    ProcessTwo=yes\n")):
        host.define(name, text)
        host.run("systemctl", "start", f"container-{name}", check=False)
        wait_until("it has failed", lambda: host.state(f"container-{name}") == "failed")
        unit = host.unit(f"container-{name}")
        equal((unit["Result"], unit["NRestarts"]), ("exit-code", "0"))
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)
