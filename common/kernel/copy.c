/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/copy.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/name.h"
#include "common/base/str.h"

/* How systemd-nspawn calls a copy of a root: one of these, the root's name, 64 bits in hexadecimal. */
static const char *const copy_prefixes[] = {
        ".#machine.",  /* systemd 252, 257 */
        ".#snapshot.", /* systemd 262 */
};
#define COPY_SUFFIX 16

/* Whether a descriptor is of something mounted, or of a file system's inner volume that counts as such. */
static int is_mount(int fd) {
        struct statx st;

        if (statx(fd, "", AT_EMPTY_PATH, 0, &st) < 0)
                return -errno;
        return (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/*
 * Remove all that is in a directory but directories that are not empty: these are moved up to @top. So
 * however deep a tree is, whose depth is for the container to choose, there is one level to walk.
 * Return: whether there was such a directory; negative errno.
 */
static int empty(int top, const char *name, uint64_t *number) {
        int fd = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;
        _cleanup_closedir_ DIR *directory = fd < 0 ? NULL : fdopendir(fd);
        bool moved = false;

        if (!directory)
                return -errno;
        r = is_mount(fd);
        if (r != 0)
                return r < 0 ? r : -EBUSY;

        for (const struct dirent *e; (e = readdir(directory));) {
                char above[32];

                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                        continue;
                if (unlinkat(fd, e->d_name, 0) == 0 || unlinkat(fd, e->d_name, AT_REMOVEDIR) == 0)
                        continue;
                if (errno != ENOTEMPTY)
                        return -errno;
                do
                        (void) snprintf(above, sizeof(above), "%016" PRIx64, (*number)++);
                while ((r = renameat2(fd, e->d_name, top, above, RENAME_NOREPLACE)) < 0 &&
                        errno == EEXIST);
                if (r < 0)
                        return -errno;
                moved = true;
        }

        return moved;
}

/* Empty the directories in @top one after the other. Return: whether any is left; negative errno. */
static int empty_all(int top, uint64_t *number) {
        int copy = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *directory = copy < 0 ? NULL : fdopendir(copy);
        bool left = false;

        if (!directory)
                return -errno;
        for (const struct dirent *e; (e = readdir(directory));) {
                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
                        unlinkat(top, e->d_name, 0) == 0)
                        continue;
                int r = empty(top, e->d_name, number);
                if (r < 0)
                        return r;
                if (unlinkat(top, e->d_name, AT_REMOVEDIR) < 0)
                        return -errno;
                left = left || r > 0;
        }
        return left;
}

/* Nobody runs in there any more, so nothing changes below us. Links are not followed. */
static int remove_tree(const char *path) {
        _cleanup_close_ int top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        uint64_t number = 0;
        int r;

        if (top < 0)
                return errno == ENOENT ? 0 : -errno;
        while ((r = empty_all(top, &number)) > 0)
                ;
        return r < 0 ? r : rmdir(path) < 0 ? -errno : 0;
}

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

        r = remove_tree(path);
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
