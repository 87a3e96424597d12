# SPDX-License-Identifier: LGPL-2.1-or-later
"""The containers that the scenarios use, and what they look at in them."""

import re

from case import contains
from host import wait_until

WEB = """\
    [Container]
    System=host
    Services=hello.socket

    [Network]
    HostAddress=10.90.0.1
    LocalAddress=10.90.0.2
    HostAddress=fd90::1
    LocalAddress=fd90::2
"""


def serve(host, root):
    """Put a web server into the /etc and /srv of a container: answers as soon as it is up."""
    host.write(f"{root}/etc/systemd/system/hello.socket", "[Socket]\nListenStream=80\nAccept=yes\n")
    host.write(
        f"{root}/etc/systemd/system/hello@.service",
        "[Service]\nExecStart=/usr/bin/busybox httpd -i -h /srv\nStandardInput=socket\n",
    )
    host.write(f"{root}/srv/index.html", "hello\n")


def web(host, extra="", name="web"):
    """Declare the container WEB, with more lines at the end."""
    serve(host, f"/var/lib/machines/{name}")
    host.define(name, WEB + extra)


def fetch(host, url="http://web.containers/"):
    """What the web server answers, with no second try."""
    return host.out("curl", "-sS", "--max-time", "5", url)


def init_start_time(host, name="web", cat=("cat",)):
    """When the container's init was started, in clock ticks: changes with every new init."""
    stat = host.out("spawnlet", "run", name, *cat, "/proc/1/stat")
    return re.sub(r"^.*\) ", "", stat).split()[19]


def addresses(host, name="web"):
    """All addresses of the container's eth0 but the link-local."""
    text = host.out("spawnlet", "run", name, "ip", "-o", "address", "show", "dev", "eth0")
    return sorted(re.findall(r"inet6? (\S+)(?=.*scope global)", text))


def says(host, text, *command):
    """The command's output contains the text, as soon as the journal has taken it in."""
    wait_until(f"'{text}' in {' '.join(command)}",
               lambda: contains(text, host.out(*command, check=False)) or True)


def bridge(host, name="br0", address="10.80.0.1/24"):
    """A bridge of the host's, up and with an address."""
    host.run("ip", "link", "add", name, "type", "bridge")
    host.run("ip", "address", "add", address, "dev", name)
    host.run("ip", "link", "set", name, "up")


def talk(host, address, port):
    """Open a connection from the host to a service that repeats what it is told. Returns a function
    that says something over it and waits for the answer."""
    host.run("mkfifo", "/run/ask")
    host.run("systemd-run", "--quiet", "--unit=client", "--", "/bin/bash", "-c",
             f"exec 3<>/dev/tcp/{address}/{port} 4<>/run/ask; cat <&4 >&3 & exec cat <&3 >/run/answers")
    wait_until("it is connected", lambda: host.ok("test", "-e", "/run/answers"))

    def ask(text):
        host.run("sh", "-c", f"echo {text} >/run/ask")
        wait_until(f"an answer to {text}", lambda: text in host.read("/run/answers"))

    ask("hello")
    return ask


def echo(host, name="web"):
    """Have the container repeat what it is told on port 7."""
    etc = f"/var/lib/machines/{name}/etc/systemd/system"
    host.write(f"{etc}/echo.socket", "[Socket]\nListenStream=7\nAccept=yes\n")
    host.write(f"{etc}/echo@.service", "[Service]\nExecStart=/bin/cat\nStandardInput=socket\n")
    host.write(f"/etc/spawnlet/{name}.container.d/echo.conf", "[Container]\nServices=echo.socket\n")
