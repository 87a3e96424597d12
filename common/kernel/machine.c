/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/machine.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>

#include "common/base/file.h"
#include "common/base/name.h"

#define LINKS_DIR SPAWNLET_RUN_DIR "/links"

static void link_paths(
        const char *machine, char link[static PATH_MAX], char record[static PATH_MAX]) {
        (void) snprintf(link, PATH_MAX, MACHINES_DIR "/%s", machine);
        (void) snprintf(record, PATH_MAX, LINKS_DIR "/%s", machine);
}

int machine_link(const char *machine, const char *root) {
        char link[PATH_MAX], record[PATH_MAX];
        int r;

        link_paths(machine, link, record);
        if (strcmp(root, link) == 0)
                return 1;

        r = machine_unlink(machine); /* of a root that it had before */
        if (r >= 0)
                r = mkdir_parents(LINKS_DIR, 0700);
        if (r < 0)
                return r;

        /* The record first: a link without one would stay for ever. */
        if (symlink(root, record) < 0)
                return -errno;
        if (symlink(root, link) == 0)
                return 1;

        r = errno == EEXIST ? 0 : -errno;
        (void) unlink(record); /* the failure before is the one that counts */
        return r;
}

int machine_unlink(const char *machine) {
        char link[PATH_MAX], record[PATH_MAX], target[PATH_MAX], expected[PATH_MAX];
        ssize_t n, k;

        link_paths(machine, link, record);

        n = readlink(record, expected, sizeof(expected));
        if (n < 0)
                return errno == ENOENT ? 0 : -errno;

        k = readlink(link, target, sizeof(target));
        if (k == n && memcmp(target, expected, (size_t) n) == 0 && unlink(link) < 0)
                return -errno;

        return unlink(record) < 0 ? -errno : 0;
}

/* Unmount and remove what systemd-nspawn mounted at @path. */
static int remove_mount(const char *path) {
        if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
                return errno == ENOENT || errno == EINVAL ? 0 : -errno; /* EINVAL: no mount */

        return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

int machine_remove_leftovers(const char *machine) {
        char path[PATH_MAX];
        int r, q;

        (void) snprintf(path, sizeof(path), "/run/systemd/nspawn/unix-export/%s", machine);
        r = remove_mount(path); /* systemd 257 */

        (void) snprintf(path, sizeof(path), "/run/systemd/nspawn/%s/unix-export", machine);
        q = remove_mount(path); /* systemd 262 */
        if (r >= 0)
                r = q;

        /* Empty, unless somebody was about to bind something: then the next start uses it again. */
        (void) snprintf(path, sizeof(path), "/run/systemd/nspawn/propagate/%s", machine);
        (void) rmdir(path);
        return r;
}

bool machine_is_registered(const char *machine) {
        char path[PATH_MAX];

        /* machined's own record; what is in it is private, that it is there says enough. */
        (void) snprintf(path, sizeof(path), "/run/systemd/machines/%s", machine);
        return access(path, F_OK) == 0;
}
