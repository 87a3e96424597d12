# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs in a VM, as a service, and executes what vm.py asks for.

A request is a line of JSON on the virtio-serial port: id, args, input, env, timeout. So is
the answer: id, code (null if nothing came in time), stdout, stderr. Each request has a
thread, so they do not wait for each other. The first line is the boot id: the agent is up.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

lock = threading.Lock()


def execute(request):
    try:
        process = subprocess.Popen(
            request["args"], env=request["env"], cwd="/", start_new_session=True,
            stdin=subprocess.DEVNULL if request["input"] is None else subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    except OSError as e:
        return 127, "", str(e)
    try:
        stdout, stderr = process.communicate(request["input"], request["timeout"])
        return process.returncode, stdout, stderr
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return None, *process.communicate()


def answer(port, reply):
    data = json.dumps(reply).encode() + b"\n"
    with lock:
        while data:
            data = data[os.write(port, data):]


def handle(port, request):
    code, stdout, stderr = execute(request)
    answer(port, {"id": request["id"], "code": code, "stdout": stdout, "stderr": stderr})


def main():
    port = os.open(sys.argv[1], os.O_RDWR | os.O_CLOEXEC)
    answer(port, {"boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip()})
    with open(port, "rb", closefd=False) as requests:
        for line in requests:
            threading.Thread(target=handle, args=(port, json.loads(line)), daemon=True).start()


if __name__ == "__main__":
    main()
