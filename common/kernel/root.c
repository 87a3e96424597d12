/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/root.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/base/file.h"
#include "common/base/str.h"

/* What is being made has this name until it is complete. There is one at a time in a directory,
 * so that a rest of a crash is found and removed. */
#define UNFINISHED ".spawnlet-new"

#define COPY_FILE_MAX (16U * 1024U * 1024U)

#define OPEN_TRIES 1000U

/* Whether a directory is the root of the host, under whatever name. */
static int is_host(int fd) {
        struct stat st, host;

        if (fstat(fd, &st) < 0 || stat("/", &host) < 0)
                return -errno;
        return st.st_dev == host.st_dev && st.st_ino == host.st_ino;
}

/* What is above is closed: a set-user-ID program that root inside has made is nothing for the host's users. */
static int make_root(const char *path) {
        _cleanup_free_ char *above = strdup(path);
        char *slash;
        int r;

        if (!above)
                return -ENOMEM;
        for (slash = above + strlen(above); slash > above + 1 && slash[-1] == '/'; slash--)
                slash[-1] = '\0';
        slash = strrchr(above, '/');
        if (slash && slash > above) {
                *slash = '\0';
                r = mkdir_parents(above, 0700);
                if (r < 0)
                        return r;
        }
        return mkdir_parents(path, 0755);
}

int root_open(const char *path) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = make_root(path);
        if (r < 0)
                return r;

        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        r = is_host(fd);
        return r < 0 ? r : r > 0 ? -EXDEV : TAKE_FD(fd);
}

/* Whether somebody else than root may rename in a directory what is root's. */
static bool is_writable(const struct stat *st) {
        return st->st_uid != 0 || (st->st_gid != 0 && st->st_mode & S_IWGRP) ||
                (st->st_mode & S_IWOTH && !(st->st_mode & S_ISVTX));
}

/* Look at all directories above @path. @writable: set to the first that others may write to, if there is none
 * yet. Return: whether one is closed to others; negative errno. */
static int look_above(const char *path, char **writable) {
        bool closed = false;
        size_t size = strlen(path);

        while (size > 1 && path[size - 1] == '/')
                size--;
        for (size_t i = 0; i < size; i++) {
                _cleanup_free_ char *directory = NULL;
                struct stat st;

                if (path[i] != '/')
                        continue;
                directory = strndup(path, MAX(i, (size_t) 1));
                if (!directory)
                        return -ENOMEM;
                if (stat(directory, &st) < 0)
                        return -errno;
                closed = closed || !(st.st_mode & S_IXOTH);
                if (!*writable && is_writable(&st))
                        *writable = TAKE_PTR(directory);
        }
        return closed;
}

int root_look_above(const char *path, char **ret_writable, bool *ret_reachable) {
        _cleanup_free_ char *real = realpath(path, NULL), *writable = NULL;
        int r;

        if (!real)
                return -errno;
        r = look_above(path, &writable);
        if (r >= 0)
                r = look_above(real, &writable);
        if (r < 0)
                return r;
        *ret_writable = TAKE_PTR(writable);
        *ret_reachable = r == 0;
        return 0;
}

/*
 * libc has no wrapper; openat2(2). For a path with ".." it gives EAGAIN when anything on the machine
 * was renamed or mounted meanwhile, and wants to be called again. Not for ever: a container that
 * does nothing but rename could hold us up.
 */
static int open_with(int dirfd, const char *path, uint64_t flags, uint64_t resolve) {
        const struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };
        long fd;

        for (unsigned i = 0; i < OPEN_TRIES; i++) {
                fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
                if (fd >= 0 || errno != EAGAIN)
                        break;
        }

        return fd < 0 ? -errno : (int) fd;
}

int root_resolve(int root, const char *path) {
        return open_with(root, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int root_has_file(int root, const char *path) {
        _cleanup_close_ int fd = root_resolve(root, path);
        struct stat st;

        if (fd < 0)
                return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? 0 : fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode) ? 1 : -EBADFD;
}

int root_leads_out(int root, const char *path) {
        _cleanup_close_ int outside = open_with(root, path, O_PATH, RESOLVE_NO_MAGICLINKS),
                            inside = -EBADF;
        struct stat a, b;

        if (outside < 0)
                return outside == -ENOENT || outside == -ENOTDIR || outside == -ELOOP ? 0 : outside;

        inside = root_resolve(root, path);
        if (inside < 0)
                return inside == -ENOENT || inside == -ENOTDIR || inside == -ELOOP ? 1 : inside;
        if (fstat(outside, &a) < 0 || fstat(inside, &b) < 0)
                return -errno;
        return a.st_dev != b.st_dev || a.st_ino != b.st_ino;
}

int root_open_device(int root, const char *path, dev_t device) {
        _cleanup_close_ int fd = open_with(root, path, O_PATH | O_NOFOLLOW,
                RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
        char link[64];
        struct stat st;
        int opened;

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISCHR(st.st_mode) || st.st_rdev != device)
                return -ENODEV;

        (void) snprintf(link, sizeof(link), "/proc/self/fd/%i", fd);
        opened = open(link, O_RDWR | O_NOCTTY | O_CLOEXEC);
        return opened < 0 ? -errno : opened;
}

int root_mkdir(int root, const char *path, mode_t mode) {
        _cleanup_close_ int current = -EBADF;

        for (const char *p = path; *p;) {
                size_t n = strcspn(p, "/");
                char name[NAME_MAX + 1];

                if (n == 0 || n > NAME_MAX)
                        return -EINVAL;
                memcpy(name, p, n);
                name[n] = '\0';

                int parent = current >= 0 ? current : root;
                if (mkdirat(parent, name, p[n] ? 0755 : mode) < 0 && errno != EEXIST)
                        return -errno;

                int fd = open_with(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
                if (fd < 0)
                        return fd;

                if (current >= 0)
                        (void) close(current);
                current = fd;
                p += n + (p[n] == '/');
        }

        return TAKE_FD(current);
}

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

int root_remove(int directory, const char *name) {
        _cleanup_close_ int top = -EBADF;
        uint64_t number = 0;
        int r;

        if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR)
                return -errno;

        top = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (top < 0)
                return -errno;
        r = is_mount(top);
        if (r != 0)
                return r < 0 ? r : -EBUSY;

        while ((r = empty_all(top, &number)) > 0)
                ;
        if (r < 0)
                return r;
        return unlinkat(directory, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* Give what was made its name. Return: 1, 0 if something has that name, negative errno. */
static int finish(int directory, const char *name) {
        int r = 1;

        if (renameat2(directory, UNFINISHED, directory, name, RENAME_NOREPLACE) == 0)
                return r;

        r = errno == EEXIST ? 0 : -errno;
        (void) root_remove(directory, UNFINISHED); /* what failed before is the one to report */
        return r;
}

static bool exists(int directory, const char *name) {
        return faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int root_create(int directory, const char *name, const void *data, size_t size, mode_t mode) {
        int r;

        if (exists(directory, name))
                return 0;

        r = root_remove(directory, UNFINISHED);
        if (r >= 0)
                r = file_create(directory, UNFINISHED, data, size, mode);
        return r < 0 ? r : finish(directory, name);
}

int root_symlink(int directory, const char *name, const char *target) {
        if (symlinkat(target, directory, name) == 0)
                return 1;
        return errno == EEXIST ? 0 : -errno;
}

static int copy_file(int source, int directory, const char *name, const struct stat *st) {
        _cleanup_free_ char *data = NULL;
        char path[64];
        size_t size;
        int r;

        if (!(st->st_mode & S_IROTH))
                return 0; /* a secret of the host's, such as /etc/security/opasswd */

        /* Opened with O_PATH before it was known to be a regular file. */
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%i", source);
        r = file_read(AT_FDCWD, path, COPY_FILE_MAX, &data, &size);
        return r < 0 ? r : file_create(directory, name, data, size, st->st_mode & 0755);
}

static int copy_link(int source, int directory, const char *name) {
        char target[PATH_MAX];
        ssize_t n;

        n = readlinkat(source, "", target, sizeof(target) - 1);
        if (n < 0)
                return -errno;
        target[n] = '\0';

        return symlinkat(target, directory, name) < 0 ? -errno : 0;
}

static int copy_any(int source_directory, const char *source_name, int directory, const char *name);

static int copy_directory(int source, int directory, const char *name, const struct stat *st) {
        _cleanup_close_ int target = -EBADF;
        _cleanup_closedir_ DIR *d = NULL;
        int fd;

        if (mkdirat(directory, name, st->st_mode & 0755) < 0)
                return -errno;
        target = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (target < 0)
                return -errno;

        fd = openat(source, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        d = fd < 0 ? NULL : fdopendir(fd);
        if (!d) {
                int r = -errno;

                if (fd >= 0)
                        (void) close(fd);
                return r;
        }

        for (const struct dirent *entry; (entry = readdir(d));) {
                if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
                        continue;
                int r = copy_any(dirfd(d), entry->d_name, target, entry->d_name);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Anything but files, links and directories is left out. */
static int copy_any(
        int source_directory, const char *source_name, int directory, const char *name) {
        _cleanup_close_ int source =
                openat(source_directory, source_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (source < 0 || fstat(source, &st) < 0)
                return -errno;

        if (S_ISREG(st.st_mode))
                return copy_file(source, directory, name, &st);
        if (S_ISLNK(st.st_mode))
                return copy_link(source, directory, name);
        if (S_ISDIR(st.st_mode))
                return copy_directory(source, directory, name, &st);
        return 0;
}

int root_copy(const char *source, int directory, const char *name) {
        int r;

        if (exists(directory, name))
                return 0;

        r = root_remove(directory, UNFINISHED);
        if (r < 0)
                return r;

        r = copy_any(AT_FDCWD, source, directory, UNFINISHED);
        if (r == -ENOENT && !exists(directory, UNFINISHED))
                return 0;
        if (r < 0) {
                (void) root_remove(directory, UNFINISHED); /* as in finish() */
                return r;
        }

        return exists(directory, UNFINISHED) ? finish(directory, name) : 0;
}
