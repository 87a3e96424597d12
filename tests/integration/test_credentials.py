# SPDX-License-Identifier: LGPL-2.1-or-later
"""SetCredential=: the value gets into the container, and nowhere else where anybody but root could read it."""

import base64
import textwrap

from case import contains, contains_not, equal
from containers import WEB, init_start_time
from host import wait_until

SECRET = "hunter2-is-the-word"
OTHER = "swordfish-is-the-word"

# With what has to be escaped, and with a NUL, which no command line could have.
EXTRA = """
    [Exec]
    SetCredential=token:{token}
    SetCredential=two words:{token}\\x00\\n\\\\ " ' $HOME %%i 100%
    LoadCredential=file:/srv/secret
"""
TWO_WORDS = f"{SECRET}\0\n\\ \" ' $HOME %%i 100%".encode()

# Prints what it got from the container's systemd.
SERVICE = """\
[Service]
Type=oneshot
LoadCredential=token
ExecStart=/bin/sh -c 'cat "$$CREDENTIALS_DIRECTORY/token" >/srv/token'
"""


def define(host, name="web", token=SECRET, base=WEB, mode=0o600, reload=True):
    host.write(f"/etc/spawnlet/{name}.container", textwrap.dedent(base + EXTRA.format(token=token)), mode)
    if reload:
        host.run("systemctl", "daemon-reload")


def credential(host, id, name="web"):
    text = host.out("spawnlet", "run", name, "/usr/bin/base64", "-w0", f"/run/host/credentials/{id}")
    return base64.b64decode(text)


def modes(host, path):
    """Mode and owners of a path and of all below it."""
    lines = host.out("find", path, "-printf", "%M %U %G %P\\n").splitlines()
    return {line.split(" ", 3)[3]: tuple(line.split(" ")[:3]) for line in lines}


def check_nowhere(host, *secrets):
    """No process, unit, message or file that others can read has a secret."""
    pattern = "\n".join(secrets)
    # grep's own command line is not of interest.
    host.write("/root/secrets", pattern + "\n", 0o600)
    equal(host.out("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null"
                   " | grep -a -c -F -f /root/secrets", check=False), "0")
    for command in (("systemctl", "show", "--all", "container-*"), ("systemctl", "cat", "container-*"),
                    ("systemctl", "status", "--lines=1000", "--full", "container-*"),
                    ("journalctl", "-b", "--all"), ("spawnlet", "list", "--json"), ("spawnlet", "diff"),
                    ("spawnlet", "diff", "--json"), ("spawnlet", "check"), ("spawnlet", "unit", "web")):
        text = host.run(*command, check=False).stdout
        for secret in secrets:
            contains_not(secret, text)
    host.run("chmod", "0644", "/root/secrets")
    host.run("chmod", "0755", "/root")
    found = host.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                     "grep", "-rlsIF", "--devices=skip", "-f", "/root/secrets", "/run", "/etc", "/var/log",
                     check=False).stdout
    host.remove("/root/secrets")
    equal(found, "")


def holders(host, secret):
    """All files below /run that have it."""
    return sorted(host.run("grep", "-rlsaF", "--devices=skip", "--exclude-dir=log", secret, "/run",
                           check=False).stdout.splitlines())


def test_a_value_is_inside_and_nowhere_else(host):
    before = host.footprint()
    host.write("/srv/secret", "from a file", 0o600)
    host.write("/var/lib/machines/web/etc/systemd/system/token.service", SERVICE)
    define(host)
    host.run("systemctl", "start", "container-web")

    equal(credential(host, "token"), SECRET.encode())
    equal(credential(host, "two words"), TWO_WORDS)
    equal(credential(host, "file"), b"from a file")
    host.run("spawnlet", "run", "web", "/usr/bin/systemctl", "start", "token")
    equal(host.read("/var/lib/machines/web/srv/token"), SECRET)

    check_nowhere(host, SECRET)
    equal(holders(host, SECRET), [
        "/run/spawnlet/credentials/web/token",
        "/run/spawnlet/credentials/web/two words",
        "/run/systemd/generator/container-web.credentials/token",
        "/run/systemd/generator/container-web.credentials/two words",
    ])
    file, directory = ("-rw-------", "0", "0"), ("drwx------", "0", "0")
    equal(modes(host, "/run/spawnlet/credentials"),
          {"": directory, "web": directory, "web/token": file, "web/two words": file})
    equal(modes(host, "/run/systemd/generator/container-web.credentials"),
          {"": directory, "token": file, "two words": file})
    # systemd has no opinion on what is no unit.
    contains_not("container-web.credentials", host.out("journalctl", "-b"))

    # A daemon-reload changes nothing for what runs, and a reboot inside takes what is declared now.
    define(host, token=OTHER)
    equal(credential(host, "token"), SECRET.encode())
    equal(host.read("/run/spawnlet/credentials/web/token"), SECRET)
    start = init_start_time(host)
    host.run("spawnlet", "run", "web", "/usr/bin/systemctl", "reboot", check=False)
    wait_until("it is another one", lambda: init_start_time(host) != start, timeout=60)
    equal(credential(host, "token"), OTHER.encode())
    check_nowhere(host, SECRET, OTHER)

    host.run("systemctl", "stop", "container-web")
    equal(holders(host, SECRET), [])
    host.remove("/etc/spawnlet/web.container")
    host.run("systemctl", "daemon-reload")
    equal(holders(host, OTHER), [])
    wait_until("nothing is left", lambda: host.footprint() == before, timeout=20)


def test_another_value_is_a_difference(host):
    host.write("/srv/secret", "from a file", 0o600)
    define(host)
    host.run("systemctl", "start", "container-web")
    equal(host.out("spawnlet", "diff"), "")

    define(host, token=OTHER)
    equal(host.run("spawnlet", "diff").stdout,
          "web: restart\n"
          "  [Exec] SetCredential=: restart\n"
          "    - token\n"
          "    - two words\n"
          "    + token (another value)\n"
          "    + two words (another value)\n")

    # Somebody else cannot read the definition, or not what runs.
    def diff_of_nobody():
        done = host.run("setpriv", "--reuid=65534", "spawnlet", "diff", check=False)
        contains_not(SECRET, done.stdout + done.stderr)
        contains_not(OTHER, done.stdout + done.stderr)
        return done.stdout

    contains("its definition cannot be read", diff_of_nobody())
    host.run("chmod", "0644", "/etc/spawnlet/web.container")
    equal(diff_of_nobody(), "web: nothing (only root can see if the values of SetCredential= are the same)\n")
    contains(": [Exec] SetCredential=token:...: every user can read this file, and so the credential"
             " (chmod 0600 /etc/spawnlet/web.container)\n",
             host.run("spawnlet", "check").stdout)
    host.run("chmod", "0600", "/etc/spawnlet/web.container")

    contains("web: restarted", host.run("spawnlet", "apply").stdout)
    equal(credential(host, "token"), OTHER.encode())
    equal(host.out("spawnlet", "diff"), "")
    check_nowhere(host, SECRET, OTHER)

    # One that is new, and one that is gone.
    host.write("/etc/spawnlet/web.container.d/more.conf", "[Exec]\nSetCredential=\nSetCredential=token:"
               f"{OTHER}\nSetCredential=more:{SECRET}\n", 0o600)
    host.run("systemctl", "daemon-reload")
    equal(host.run("spawnlet", "diff").stdout,
          "web: restart\n"
          "  [Exec] SetCredential=: restart\n"
          "    - two words\n"
          "    + more\n")


def test_credentials_of_instances(host):
    """One file for the template, of which each instance gets its own."""
    host.write("/etc/spawnlet/site@.container",
               "[Container]\nSystem=host\n[Exec]\n"
               f"SetCredential=key-%i:{SECRET} of %i, not of \\x25i\n", 0o600)
    define(host, "site@green", base="    [Container]\n    System=host\n    [Exec]\n    SetCredential=\n")
    host.write("/srv/secret", "from a file", 0o600)
    host.run("systemctl", "start", "container-site@blue", "container-site@red", "container-site@green")

    for color in ("blue", "red"):
        equal(credential(host, f"key-{color}", f"site@{color}"), f"{SECRET} of {color}, not of %i".encode())
    equal(credential(host, "token", "site@green"), SECRET.encode())
    equal(host.out("spawnlet", "diff"), "")
    check_nowhere(host, SECRET)

    host.run("systemctl", "stop", "container-site@blue")
    assert not host.exists("/run/spawnlet/credentials/site-blue")
    assert host.exists("/run/spawnlet/credentials/site-red/key-red")


def test_mistakes_do_not_tell_the_value(host):
    """Neither the generator's messages, nor the stub's description, nor its failure has it."""
    host.write("/etc/spawnlet/web.container",
               f"[Container]\nSystem=host\n[Exec]\nSetCredential={SECRET}\nSetCredential=a:{SECRET}\\q\n"
               f"SetCredentail=token:{SECRET}\n", 0o600)
    host.run("systemctl", "daemon-reload")
    equal(host.run("systemctl", "start", "container-web", check=False).returncode, 1)
    wait_until("it is told", lambda: contains("SetCredential=...: not ID:VALUE",
                                              host.out("journalctl", "-b", "-u", "container-web")) or True)
    contains("SetCredential=...: not ID:VALUE", host.unit("container-web")["Description"])
    check_nowhere(host, SECRET)


def test_a_start_during_a_daemon_reload(host):
    """Meanwhile the generator's directory is empty. The helper waits until systemd has done with it."""
    host.write("/srv/secret", "from a file", 0o600)
    define(host)
    # The real one runs when we say so. systemd starts nothing meanwhile: what is to wait is there before.
    real = host.out("sh", "-c", "ls /lib/systemd/system-generators/spawnlet-generator"
                    " /usr/lib/systemd/system-generators/spawnlet-generator | tail -n1")
    host.write("/etc/systemd/system-generators/spawnlet-generator",
               "#!/bin/sh\ntouch \"$1/blocked\"\nuntil [ -e /run/go ]; do sleep 0.05; done\n"
               f"exec {real} \"$@\"\n", 0o755)
    host.write("/root/start",
               "touch /run/ready\nuntil [ -e /run/systemd/generator/blocked ]; do sleep 0.05; done\n"
               "exec /usr/libexec/spawnlet/spawnlet-root --image"
               " --credential=/run/systemd/generator/container-web.credentials/token web\n")
    host.run("systemd-run", "--no-block", "--unit=helper", "--service-type=notify", "--property=NotifyAccess=all",
             "--property=RemainAfterExit=yes", "/bin/sh", "/root/start")
    wait_until("it is about to start", lambda: host.exists("/run/ready"), timeout=20)
    host.run("sh", "-c", "systemctl daemon-reload >/dev/null 2>&1 &")

    def waits():
        """In poll(2), or ppoll(2)."""
        pid = host.out("pgrep", "-x", "spawnlet-root")
        return host.read(f"/proc/{pid}/syscall").split()[0] in ("7", "271")

    wait_until("it waits", waits, timeout=20)
    assert not host.exists("/run/systemd/generator/container-web.credentials")
    host.write("/run/go", "")
    wait_until("it has it", lambda: equal(host.read("/run/spawnlet/credentials/web/token"), SECRET) or True,
               timeout=20)
