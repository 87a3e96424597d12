# SPDX-License-Identifier: LGPL-2.1-or-later
"""Image=: a disk image instead of a directory, which takes loop devices and udev."""

from case import contains, equal
from containers import fetch
from host import wait_until


def test_an_image(vm):
    vm.run("sh", "-ec", """
        mkdir -p /srv/app/bin /srv/app/usr /srv/app/etc /srv/app/srv
        for directory in dev proc run sys tmp; do mkdir /srv/app/$directory; done
        cp /bin/busybox /srv/app/bin/
        echo ID=app >/srv/app/etc/os-release
        echo from an image >/srv/app/srv/index.html
        /sbin/mke2fs -q -t ext4 -d /srv/app /srv/app.raw 32M
        rm -r /srv/app
        """)
    before = vm.footprint()
    vm.define("app", """\
        [Container]
        Image=/srv/app.raw
        Command=/bin/busybox httpd -f -p 80 -h /srv

        [Exec]
        ProcessTwo=yes

        [Network]
        HostAddress=10.90.0.1
        LocalAddress=10.90.0.2
    """)
    vm.run("systemctl", "start", "container-app", timeout=60)
    wait_until("it answers", lambda: fetch(vm, "http://app.containers/") == "from an image", timeout=60)
    contains("/srv/app.raw", vm.out("losetup", "--list", "--noheadings", "--output", "BACK-FILE"))
    vm.run("systemctl", "stop", "container-app", timeout=60)
    wait_until("nothing is left", lambda: equal(before, vm.footprint()) or True, timeout=60)
    wait_until("the loop device is free", lambda: equal(vm.out("losetup", "--list"), "") or True, timeout=60)
