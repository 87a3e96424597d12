# SPDX-License-Identifier: LGPL-2.1-or-later
"""Podman in a container with users and a network of its own; spawnlet.container(5), CONTAINERS INSIDE."""

from case import contains, equal, releases
from containers import fetch
from host import wait_until

ROOT = "/var/lib/machines/engine"

# As in the man page and in examples/podman.container.
DEFINITION = """\
    [Container]
    Description=Podman

    [Network]
    HostAddress=10.90.4.1
    LocalAddress=10.90.4.2
    Port=8080
    Masquerade=yes
    DNS=9.9.9.9
"""

# There is no registry here: an image of one program, and what is made of it.
IMAGE = """\
mkdir -p /build/bin
cp /usr/bin/busybox /build/bin
tar -C /build -c . | podman import - localhost/busybox
cat >/build/Containerfile <<.
FROM localhost/busybox
RUN ["/bin/busybox", "sh", "-c", "mkdir /www && echo from podman >/www/index.html"]
CMD ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"]
.
podman build --tag localhost/web /build
"""

# What is in the cgroups of a test host has no controllers, where podman's default is a limit.
RUN = ("run", "--pids-limit=0")


@releases("13")
def test_podman(host):
    def podman(*args, **options):
        return host.out("spawnlet", "run", "engine", "podman", *args, **options)

    host.podman_root(ROOT)
    before = host.footprint()
    host.define("engine", DEFINITION)
    host.run("systemctl", "start", "container-engine")
    host.run("spawnlet", "run", "engine", "/bin/sh", "-ec", IMAGE)
    equal(podman("info", "--format={{.Store.GraphDriverName}} {{.Host.NetworkBackend}}"), "overlay netavark")
    equal(podman(*RUN, "--rm", "localhost/busybox", "/bin/busybox", "echo", "from inside"), "from inside")

    # A port of the host's leads to one of the container's, which netavark forwards with nftables.
    podman(*RUN, "--detach", "--name=web", "--publish=8080:80", "localhost/web")
    for url in ("http://10.90.4.2:8080/", "http://engine.containers:8080/", "http://127.0.0.1:8080/"):
        equal(wait_until("it answers", lambda: fetch(host, url)), "from podman")
    contains("table inet netavark", host.out("spawnlet", "run", "engine", "nft", "list", "tables"))
    equal(podman("exec", "web", "/bin/busybox", "cat", "/www/index.html"), "from podman")

    # It stops as any other, what is in it is root's on the disk, and is there the next time.
    host.run("systemctl", "restart", "container-engine")
    equal(host.out("find", ROOT, "-xdev", "(", "-uid", "+65535", "-o", "-gid", "+65535", ")"), "")
    podman("start", "web")
    equal(wait_until("it answers", lambda: fetch(host, "http://10.90.4.2:8080/")), "from podman")
    host.run("systemctl", "stop", "container-engine")
    equal(host.unit("container-engine")["Result"], "success")
    wait_until("nothing is left", lambda: equal(host.footprint(), before) or True, timeout=20)
