# SPDX-License-Identifier: LGPL-2.1-or-later
"""Image=: a disk image instead of a directory, which takes loop devices and udev. With users of the
container's own, as is the default: its file systems are mounted with mapped owners."""

from case import contains, equal
from containers import fetch
from host import wait_until

DEFINITION = """\
[Container]
Image=/srv/app.raw
Command=/bin/busybox httpd -f -p 80 -h /srv

[Exec]
ProcessTwo=yes
{exec}

[Files]
Bind=/srv/bound

[Network]
HostAddress=10.90.0.1
LocalAddress=10.90.0.2
"""


def inside(vm, script):
    return vm.out("spawnlet", "run", "app", "/bin/busybox", "sh", "-ec", script)


def owners(vm, *paths):
    """Whom files in the image belong to, when nobody uses it."""
    script = 'mount -o loop,ro /srv/app.raw /mnt; cd /mnt; stat -c "%n %u:%g" "$@" || :; cd /; umount /mnt'
    return vm.out("sh", "-c", script, "sh", *paths).splitlines()


def life(vm):
    """Start it, have it make files, and stop it."""
    before = vm.footprint()
    vm.run("systemctl", "start", "container-app", timeout=60)
    wait_until("it answers", lambda: fetch(vm, "http://app.containers/") == "from an image", timeout=60)
    contains("/srv/", vm.out("losetup", "--list", "--noheadings", "--output", "BACK-FILE"))
    assert int(vm.read(f"/proc/{vm.out('machinectl', 'show', '-p', 'Leader', '--value', 'app')}/uid_map").split()[1])
    equal(inside(vm, "stat -c %u:%g / /srv/index.html /srv/users /srv/bound"),
          "0:0\n0:0\n1000:1000\n1000:1000")
    inside(vm, "echo x >/srv/made; echo x >/srv/given; chown 33:44 /srv/given; echo x >/srv/bound/made")
    vm.run("systemctl", "stop", "container-app", timeout=60)
    equal(vm.unit("container-app")["Result"], "success")
    wait_until("nothing is left", lambda: equal(before, vm.footprint()) or True, timeout=60)
    wait_until("the loop device is free", lambda: equal(vm.out("losetup", "--list"), "") or True, timeout=60)
    equal(vm.out("stat", "-c", "%u", "/srv/bound", "/srv/bound/made"), "1000\n0")


def test_an_image(vm):
    vm.run("sh", "-ec", """
        mkdir -p /srv/app/bin /srv/app/usr /srv/app/etc /srv/app/srv /srv/bound
        chown 1000:1000 /srv/bound
        for directory in dev proc run sys tmp; do mkdir /srv/app/$directory; done
        cp /bin/busybox /srv/app/bin/
        echo ID=app >/srv/app/etc/os-release
        echo from an image >/srv/app/srv/index.html
        : >/srv/app/srv/users
        chown 1000:1000 /srv/app/srv/users
        /sbin/mke2fs -q -t ext4 -d /srv/app /srv/app.raw 32M
        rm -r /srv/app
        """)
    vm.define("app", DEFINITION.format(exec="Ephemeral=yes"))
    life(vm)
    equal(owners(vm, "srv/users", "srv/made"), ["srv/users 1000:1000"])
    vm.define("app", DEFINITION.format(exec=""))
    life(vm)
    equal(owners(vm, ".", "srv/index.html", "srv/users", "srv/made", "srv/given"),
          [". 0:0", "srv/index.html 0:0", "srv/users 1000:1000", "srv/made 0:0", "srv/given 33:44"])
