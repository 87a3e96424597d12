# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Sourced by tests/run and tests/demo: brings the machine from nothing but apt to what
# the Python part needs, so that one command works on a fresh Debian root as well.
# Packages are installed only where a command is missing.

if [ "$(id -u)" -ne 0 ]; then
    echo "${0##*/}: test hosts are booted with systemd-nspawn, which takes root; run me as root" >&2
    exit 1
fi

have() { command -v "$1" >/dev/null 2>&1; }

# Install the packages in $missing, if any.
install_missing() {
    [ -n "$missing" ] || return 0
    if ! have apt-get; then
        echo "${0##*/}: please install:$missing" >&2
        return 1
    fi
    echo "installing$missing"
    log=$(mktemp)
    # shellcheck disable=SC2086 # a list of package names
    if ! { apt-get update -q &&
           DEBIAN_FRONTEND=noninteractive \
           apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

missing=
# The minimal Python package lacks modules that we use: try them, not just the command.
python3 -c 'import ctypes, json, sys, unittest; sys.exit(sys.version_info < (3, 11))' \
    2>/dev/null || missing="$missing python3"
have debootstrap || missing="$missing debootstrap ca-certificates"
have systemd-nspawn || missing="$missing systemd-container"
{ have unshare && have nsenter; } || missing="$missing util-linux"
have mount || missing="$missing mount"
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing="$missing debian-archive-keyring"
install_missing || exit 1

# What tests/vm takes. Where that cannot be had, the tests are reported as skipped.
want_vm() {
    missing=
    have qemu-system-x86_64 || missing="$missing qemu-system-x86"
    have mke2fs || missing="$missing e2fsprogs"
    install_missing || echo "${0##*/}: no tests on virtual machines" >&2
}
