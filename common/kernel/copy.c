/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/copy.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "common/base/str.h"
#include "common/kernel/root.h"

/* How systemd-nspawn calls a copy of a root: one of these, the root's name, 64 bits in hexadecimal. */
static const char *const copy_prefixes[] = {
        ".#machine.",  /* systemd 252, 257 */
        ".#snapshot.", /* systemd 262 */
};
#define COPY_SUFFIX 16

/*
 * Remove a copy, unless somebody runs in it: containers can have copies of the same root, such as the
 * instances of a template. systemd-nspawn locks a file beside it before it makes the copy. The lock is
 * one of the open file description, fcntl(2); a killed nspawn leaves the file without it.
 */
static int remove_copy(const char *directory, const char *name) {
        _cleanup_free_ char *path = NULL, *lock = NULL;
        struct flock exclusive = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (str_join(&path, directory, "/", name) < 0 ||
                str_join(&lock, directory, "/.#", name, ".lck") < 0)
                return -ENOMEM;

        fd = open(lock, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fcntl(fd, F_OFD_SETLK, &exclusive) < 0)
                return errno == EAGAIN || errno == EACCES ? 0 : -errno;

        r = root_remove(AT_FDCWD, path);
        if (r >= 0 && unlink(lock) < 0)
                r = -errno;
        return r;
}

/* Whether a file beside @root is called as a copy of it. */
static bool is_copy(const char *name, const char *root) {
        for (size_t i = 0; i < ELEMENTSOF(copy_prefixes); i++) {
                const char *rest = str_starts_with(name, copy_prefixes[i]),
                           *suffix = rest ? str_starts_with(rest, root) : NULL;

                if (suffix && strlen(suffix) == COPY_SUFFIX &&
                        strspn(suffix, "0123456789abcdef") == COPY_SUFFIX)
                        return true;
        }

        return false;
}

/* Remove the copies of a root in @directory in which nobody runs. */
static int remove_copies(const char *directory, const char *root) {
        _cleanup_closedir_ DIR *d = opendir(directory);
        int r = 0;

        if (!d)
                return errno == ENOENT ? 0 : -errno;

        for (struct dirent *e; (e = readdir(d));) {
                int q = is_copy(e->d_name, root) ? remove_copy(directory, e->d_name) : 0;

                if (q < 0)
                        r = q;
        }

        return r;
}

int copies_remove(const char *path) {
        _cleanup_free_ char *root = realpath(path, NULL);
        char *slash = root ? strrchr(root, '/') : NULL;

        if (!root)
                return errno == ENOENT ? 0 : -errno;
        if (slash == root)
                return 0;
        *slash = '\0';
        return remove_copies(root, slash + 1);
}
