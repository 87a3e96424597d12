/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/file.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

static bool is_dev_null(const struct stat *st) {
        return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* Read to the end, which may be far behind st_size: files in /proc have none, and others grow. */
static int read_all(int fd, size_t st_size, size_t max, char **ret, size_t *ret_size) {
        size_t expected = MAX(st_size, (size_t) 510);
        _cleanup_free_ char *data = NULL;
        size_t size = 0, allocated = 0;

        for (;;) {
                /* One byte more than allowed tells a file that is too large, one is for the NUL. */
                if (size + 1 >= allocated) {
                        size_t wanted = MIN(MAX(allocated * 2, expected + 2), max + 2);
                        char *grown = realloc(data, wanted);

                        if (!grown)
                                return -ENOMEM;
                        data = grown;
                        allocated = wanted;
                }

                size_t room = allocated - 1 - size;
                ssize_t n = read(fd, data + size, room);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;

                size += (size_t) n;
                if (size > max)
                        return -EFBIG;
                /* No more came than the file has: it did not grow, and another read gets 0. */
                if (size == st_size && (size_t) n < room)
                        break;
        }

        data[size] = '\0';
        *ret = TAKE_PTR(data);
        *ret_size = size;
        return 0;
}

int file_read(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        size_t size = 0;
        int r;

        fd = openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) && !is_dev_null(&st))
                return -EBADFD;
        if (st.st_size > (off_t) max)
                return -EFBIG;

        r = read_all(fd, (size_t) st.st_size, max, ret, &size);
        if (r >= 0 && ret_size)
                *ret_size = size;
        return r;
}

static int write_all(int fd, const char *data, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, data, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                size -= (size_t) n;
        }

        return 0;
}

/* @exact: whether it gets the mode whatever the umask is */
static int create(
        int dirfd, const char *name, const void *data, size_t size, mode_t mode, bool exact) {
        _cleanup_close_ int fd = -EBADF;
        int r = 0;

        fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        if (fd < 0)
                return -errno;

        if (exact && fchmod(fd, mode) < 0)
                r = -errno;
        if (r >= 0)
                r = write_all(fd, data, size);
        if (r >= 0 && close(TAKE_FD(fd)) < 0)
                r = -errno;
        if (r < 0)
                (void) unlinkat(dirfd, name, 0); /* the write's error is the one to report */

        return r;
}

int file_create(int dirfd, const char *name, const void *data, size_t size, mode_t mode) {
        return create(dirfd, name, data, size, mode, false);
}

/* What is being written has this name until it is complete. */
static int unfinished_name(const char *name, char ret[static NAME_MAX + 1]) {
        int n = snprintf(ret, NAME_MAX + 1, ".%s", name);

        return n > NAME_MAX ? -ENAMETOOLONG : 0;
}

int file_replace(int dirfd, const char *name, const void *data, size_t size, mode_t mode) {
        char temporary[NAME_MAX + 1];
        int r;

        r = unfinished_name(name, temporary);
        if (r < 0)
                return r;

        (void) unlinkat(dirfd, temporary, 0); /* of a writer that was killed; mostly not there */
        r = create(dirfd, temporary, data, size, mode, true);
        if (r < 0)
                return r;

        if (renameat(dirfd, temporary, dirfd, name) < 0) {
                r = -errno;
                (void) unlinkat(dirfd, temporary, 0); /* the first error is the one to report */
                return r;
        }

        return 0;
}

int file_write(const char *directory, const char *name, const char *text) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = mkdir_parents(directory, 0755);
        if (r < 0)
                return r;
        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : file_replace(fd, name, text, strlen(text), 0644);
}

int file_remove(const char *directory, const char *name) {
        _cleanup_close_ int dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char temporary[NAME_MAX + 1];
        int r;

        if (dirfd < 0)
                return errno == ENOENT ? 0 : -errno;

        r = unfinished_name(name, temporary);
        if (r >= 0 && unlinkat(dirfd, temporary, 0) < 0 && errno != ENOENT)
                r = -errno;
        if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
                return -errno;
        return r;
}

int mkdir_parents(const char *path, mode_t mode) {
        char prefix[PATH_MAX];
        size_t n = strlen(path);

        if (n >= sizeof(prefix))
                return -ENAMETOOLONG;

        for (size_t i = 1; i <= n; i++) {
                if (path[i] != '/' && path[i] != '\0')
                        continue;

                memcpy(prefix, path, i);
                prefix[i] = '\0';
                if (mkdir(prefix, mode) < 0 && errno != EEXIST)
                        return -errno;
        }

        struct stat st;
        if (stat(path, &st) < 0)
                return -errno;
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}
