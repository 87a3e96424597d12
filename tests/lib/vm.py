# SPDX-License-Identifier: LGPL-2.1-or-later
"""A test host with a kernel of its own, in QEMU: for modules, udev, cgroup controllers, a
real boot and a power cut.

The same root as that of a host, with a kernel, becomes an ext4 image in a file without a
name. So it goes with the process, like QEMU, the guest's memory and everything else here.
There is no network: commands go over a virtio-serial port to agent.py, which PID 1 starts
early and stops last. Slow where KVM does not work.
"""

import functools
import itertools
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import roots
import sandbox
from host import BOOT_TIMEOUT, MASKED, UNITS, Host, HostError, tail

QEMU = "qemu-system-x86_64"
# Without its AHCI, that would only have the guest load modules.
MACHINE = [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35,sata=off"]
MEMORY = "1024"
DISK = "3G"

AGENT = "/opt/spawnlet-tests/agent.py"
# No dependencies: it does not stop before systemd itself.
AGENT_UNIT = f"""\
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/usr/bin/python3 -IS {AGENT} /dev/vport0p1
OOMScoreAdjust=-1000
TasksMax=infinity
"""

# As MASKED: what a host in a container has not got in any case.
MASKED_IN_VM = [
    "dev-mqueue.mount", "kmod-static-nodes.service", "proc-sys-fs-binfmt_misc.automount",
    "sys-fs-fuse-connections.mount", "sys-kernel-config.mount", "systemd-binfmt.service",
    "systemd-random-seed.service", "systemd-udev-load-credentials.service",
]
# The root is on the disk that the kernel has a driver for without modules.
KERNEL_ARGS = ("root=/dev/nvme0n1 rw console=ttyS0 quiet panic=-1"
               " mitigations=off lsm=capability systemd.gpt_auto=0 systemd.getty_auto=0")

# Why QEMU ended, in its words and in those of systemctl.
END_VERBS = {"guest-shutdown": "poweroff", "guest-reset": "reboot"}


def missing():
    """Why no VM can run here, or None."""
    if platform.machine() != "x86_64":
        return f"VMs are x86_64, and this machine is {platform.machine()}"
    lacking = [command for command in (QEMU, "mke2fs") if not shutil.which(command)]
    return f"no {' and no '.join(lacking)}, and none could be installed" if lacking else None


@functools.cache
def accelerator(kernel):
    """Options for the fastest that works. KVM may be there and fail at the first instruction
    that it has to emulate: so have it start a kernel, which finds no disk and reboots at once."""
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        try:
            subprocess.run([*MACHINE, "-accel", "kvm", "-cpu", "max", "-no-reboot",
                            "-kernel", kernel, "-append", "quiet panic=-1"], check=True, timeout=10,
                           stdin=subprocess.DEVNULL, capture_output=True)
            return ["-accel", "kvm", "-cpu", "max", "-smp", "2"]
        except subprocess.SubprocessError:
            pass
    # A processor with more features would have udev load modules that use them: cryptography,
    # which then tests itself, and KVM. That takes as long as half the boot. And with a second
    # processor, one now and then executes an instruction that the other has half patched in
    # the kernel's code, and the kernel panics: "Oops: int3" (QEMU 7.2).
    return ["-accel", "tcg", "-cpu", "qemu64,svm=off,+rdrand", "-smp", "1"]


class Agent:
    """Our end of the port that agent.py answers on."""

    def __init__(self, port):
        self._port = port
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting = {}  # None once nobody answers any more
        self.up = self._promise(None)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _promise(self, key):
        with self._lock:
            if self._waiting is None:
                raise EOFError
            return self._waiting.setdefault(key, Future())

    def _read(self):
        with self._port.makefile("rb") as lines:
            for line in lines:
                reply = json.loads(line)
                with self._lock:
                    future = self._waiting.pop(reply.get("id"))
                future.set_result(reply)
        with self._lock:
            left, self._waiting = self._waiting, None
        for future in left.values():
            future.set_exception(EOFError())

    def ask(self, timeout, **request):
        """Have it execute a request. EOFError: the VM went down meanwhile."""
        key = next(self._numbers)
        future = self._promise(key)
        line = json.dumps({"id": key, "timeout": timeout, **request}).encode() + b"\n"
        with self._lock:
            try:
                self._port.sendall(line)
            except OSError:
                raise EOFError from None
        # The agent keeps to the time, but not if its kernel hangs.
        return future.result(timeout + 30)

    def close(self):
        self._port.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._port.close()


class Vm(Host):
    """Has the interface of Host, but for another() and join()."""

    # An emulated processor is as many times slower, and that on a busy machine.
    patience = 4
    masked = MASKED + MASKED_IN_VM
    generators = Host.generators + ["systemd-fstab-generator"]

    def __init__(self, release, stage=None, source=None):
        super().__init__(release, stage, source)
        self._disk = self._agent = self._monitor = None

    def another(self):
        raise NotImplementedError("one VM at a time")

    def _base(self):
        return roots.vm_root(self.release)

    def _prepare(self):
        self._kernel, = self._base().glob("boot/vmlinuz-*")
        super()._prepare()
        files = {
            AGENT: Path(__file__).with_name("agent.py").read_text(),
            f"{UNITS}/spawnlet-tests.service": AGENT_UNIT,
            # Where the scenarios find a whole Debian.
            "etc/fstab": "/dev/vda /srv/debian ext4 ro\n",
        }
        for path, text in files.items():
            path = self.root / path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        wants = self.root / UNITS / "sysinit.target.wants"
        wants.mkdir(exist_ok=True)
        (wants / "spawnlet-tests.service").symlink_to("../spawnlet-tests.service")
        # Not on the tmpfs of the sandbox, which is memory.
        self._disk = tempfile.TemporaryFile(dir=roots.CACHE)
        roots.make_ext4(self.root, self._disk, DISK, self.dir / "mke2fs.log")

    def boot(self, timeout=BOOT_TIMEOUT):
        """Boot and wait until everything is started. Returns the seconds it took."""
        if self._disk is None:
            self._prepare()
        self.cgroup.mkdir(exist_ok=True)
        accel = accelerator(self._kernel)
        started = time.monotonic()
        deadline = started + timeout * self.patience
        port, agent = socket.socketpair()
        self._monitor, monitor = socket.socketpair()
        disk = self._disk.fileno()
        with agent, monitor, open(self.console, "ab") as console:
            self._process = subprocess.Popen(
                sandbox.in_cgroup(
                    self.cgroup, *MACHINE, *accel, "-m", MEMORY,
                    "-no-reboot", "-serial", "stdio", "-kernel", self._kernel,
                    "-append", KERNEL_ARGS,
                    # Unsafe only if the machine goes down, not if QEMU does.
                    "-drive", f"if=none,id=root,format=raw,cache=unsafe,file=/proc/self/fd/{disk}",
                    "-device", "nvme,drive=root,serial=root",
                    "-drive", "if=virtio,format=raw,readonly=on,file="
                              f"{roots.host_image(self.release)}",
                    "-device", "virtio-serial-pci",
                    "-chardev", f"socket,id=agent,fd={agent.fileno()}",
                    "-device", "virtserialport,chardev=agent",
                    "-chardev", f"socket,id=monitor,fd={monitor.fileno()}",
                    "-mon", "chardev=monitor,mode=control",
                ),
                stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                pass_fds=[disk, agent.fileno(), monitor.fileno()], start_new_session=True)
        self._pidfd = os.pidfd_open(self._process.pid)
        # Events come after that.
        self._monitor.sendall(b'{"execute": "qmp_capabilities"}\n')
        self._agent = Agent(port)
        try:
            self._agent.up.result(deadline - time.monotonic())
            self._agent.ask(deadline - time.monotonic(), env=None, input=None,
                            args=["systemctl", "is-system-running", "--wait"])
        except (EOFError, TimeoutError) as e:
            why = "QEMU ended" if isinstance(e, EOFError) else "not ready in time"
            raise HostError(f"{self.name} (debian-{self.release}, {accel[1]}) did not boot: {why}\n"
                            + tail(self.console, 30)) from None
        return time.monotonic() - started

    def _wait_exit(self, timeout):
        status = super()._wait_exit(timeout)
        self._agent.close()
        self._agent = None
        with self._monitor, self._monitor.makefile() as events:
            reasons = [event["data"]["reason"] for event in map(json.loads, events)
                       if event.get("event") == "SHUTDOWN"]
        self._monitor = None
        return END_VERBS.get(reasons[0], reasons[0]) if reasons else status

    def close(self):
        super().close()
        if self._disk:
            self._disk.close()
            self._disk = None

    def _execute(self, args, timeout, input, env):
        try:
            reply = self._agent.ask(timeout, args=args, input=input, env=env)
        except EOFError:
            return -signal.SIGKILL, "", "the VM went down"
        except TimeoutError:
            return None, "", "the agent does not answer"
        return reply["code"], reply["stdout"], reply["stderr"]

    def _process_netns(self):
        script = """find /sys/fs/cgroup -name cgroup.procs -not -path '*/system.slice/systemd-*' \\
                        -exec cat {} + | sed 's,.*,/proc/&/ns/net,' | xargs readlink"""
        # Not checked: processes may be gone in between.
        return set(self.out("sh", "-c", script, check=False).splitlines())
