/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/limits.h"

#include <fcntl.h>
#include <inttypes.h>

#include "common/base/file.h"
#include "common/base/parse.h"

#define VALUE_MAX 64 /* bytes of a file below /proc/sys that has a number */

#define HINT                                                                                       \
        "sysctl.d/60-spawnlet.conf raises it: systemctl restart systemd-sysctl, "                  \
        "and see LIMITS OF THE KERNEL in spawnlet.container(5)"

/*
 * What a host and a container take. Measured on Debian 12 and 13, rounded up: with a whole system
 * systemd has 5 instances of inotify and 21 watches, dbus-daemon, logind and agetty have one each.
 * The terminal is nspawn's console; one for a login comes with it, as few do without. A neighbour is
 * counted at both ends of a pair, as the kernel has one table for all network namespaces.
 */
static const struct {
        const char *path;
        unsigned base, each;
        const char *what;
} limits[] = {
        { LIMIT_INOTIFY_INSTANCES, 16, INOTIFY_INSTANCES_EACH, "inotify instances" },
        { "/proc/sys/fs/inotify/max_user_watches", 100, 32, "inotify watches" },
        /* The base is what pty.reserve keeps for the host: devpts in the kernel's documentation. */
        { "/proc/sys/kernel/pty/max", 1024, 2, "pseudo-terminals" },
        { "/proc/sys/net/ipv4/neigh/default/gc_thresh3", 100, 2, "neighbours" },
        { "/proc/sys/net/ipv6/neigh/default/gc_thresh3", 100, 2, "neighbours" },
};

int limits_read(const char *path, uint64_t *ret) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = file_read(AT_FDCWD, path, VALUE_MAX, &text, NULL);
        if (r < 0)
                return r;

        text[strcspn(text, "\n")] = '\0';
        return parse_unsigned(text, 0, UINT64_MAX, ret);
}

int limits_check(size_t n, Diags *diags) {
        for (size_t i = 0; i < ELEMENTSOF(limits); i++) {
                uint64_t need = limits[i].base + (uint64_t) n * limits[i].each, have;
                int r;

                /* Where it cannot be read, there is nothing to say about it. */
                if (limits_read(limits[i].path, &have) < 0 || have >= need)
                        continue;
                r = diags_add(diags, SEVERITY_WARNING, &(Place){ .file = limits[i].path }, HINT,
                        "%" PRIu64 " is too few for %zu containers, which need about %" PRIu64
                        " %s",
                        have, n, need, limits[i].what);
                if (r < 0)
                        return r;
        }

        return 0;
}
