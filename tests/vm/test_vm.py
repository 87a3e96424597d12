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
