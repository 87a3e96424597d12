# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers on a machine of their own: limits take effect, and they come back after a
reboot and after a power cut."""

import re

from case import contains, equal
from containers import WEB, fetch, serve
from host import wait_until

LIMITED = WEB + """\

    [Service]
    MemoryMax=200M
"""


def answers(vm):
    """The container is up, without anybody having asked for it."""
    vm.wait_unit("container-web", timeout=60)
    vm.run("ping", "-c1", "-W5", "web.containers")
    equal(fetch(vm), "hello")


def test_a_container_comes_back_after_a_power_cut(vm):
    before = vm.footprint()
    serve(vm, "/var/lib/machines/web")
    vm.define("web", LIMITED)
    vm.run("systemctl", "start", "container-web")
    answers(vm)
    cgroup = vm.unit("container-web")["ControlGroup"]
    equal(vm.read(f"/sys/fs/cgroup{cgroup}/memory.max").strip(), str(200 << 20))

    # At a daemon-reload systemd reads what it controls, and writes no cgroup.
    vm.define("web", LIMITED.replace("200M", "150M") + "    CPUQuota=50%\n    TasksMax=2000\n",
              reload=False)
    contains("web: changed live", vm.out("spawnlet", "apply"))
    for file, value in (("memory.max", str(150 << 20)), ("cpu.max", "50000 100000"),
                        ("pids.max", "2000")):
        equal(vm.read(f"/sys/fs/cgroup{cgroup}/{file}").strip(), value)
    equal(vm.out("spawnlet", "diff"), "")
    equal(vm.unit("container-web")["NeedDaemonReload"], "no")
    equal(vm.unit("container-web")["DropInPaths"], "")
    vm.define("web", LIMITED, reload=False)
    vm.run("spawnlet", "apply")
    equal(vm.read(f"/sys/fs/cgroup{cgroup}/memory.max").strip(), str(200 << 20))
    equal(vm.read(f"/sys/fs/cgroup{cgroup}/cpu.max").strip(), "max 100000")

    vm.reboot()
    answers(vm)

    vm.write("/var/lib/machines/web/srv/index.html", "kept\n")
    vm.run("sync")
    vm.kill()
    vm.boot()
    vm.wait_unit("container-web", timeout=60)
    equal(fetch(vm), "kept")

    vm.run("systemctl", "stop", "container-web")
    wait_until("nothing is left", lambda: equal(vm.footprint(), before) or True, timeout=60)
