/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/record.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "common/base/file.h"
#include "common/base/name.h"

#define RECORD_SIZE_MAX (1024 * 1024)

void record_done(Record *r) {
        if (r->directory >= 0)
                (void) close(r->directory);
        r->directory = -EBADF;
}

static int open_locked(int parent, const char *name) {
        _cleanup_close_ int fd =
                openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;

        do
                r = flock(fd, LOCK_EX);
        while (r < 0 && errno == EINTR);

        return r < 0 ? -errno : TAKE_FD(fd);
}

int record_open(const char *machine, bool create, Record *ret) {
        _cleanup_close_ int parent = open(RECORDS_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (parent < 0)
                return -errno;

        for (;;) {
                bool made = create && mkdirat(parent, machine, 0700) >= 0;
                _cleanup_close_ int fd = -EBADF;
                struct stat st;

                if (create && !made && errno != EEXIST)
                        return -errno;

                fd = open_locked(parent, machine);
                if (fd == -ENOENT && create)
                        continue; /* removed in between */
                if (fd < 0)
                        return fd;
                if (fstat(fd, &st) < 0)
                        return -errno;
                if (st.st_nlink == 0)
                        continue; /* removed while we waited for the lock */

                *ret = (Record){ machine, TAKE_FD(fd) };
                return made;
        }
}

int record_write(const Record *r, const char *file, const NetworkConfig *c) {
        return file_replace(r->directory, file, c->text.data, c->text.len, 0644);
}

static int read_at(int directory, const char *file, const char *machine, NetworkConfig *ret) {
        _cleanup_netconfig_ NetworkConfig c = {};
        _cleanup_free_ char *text = NULL;
        const char *error;
        int r;

        r = file_read(directory, file, RECORD_SIZE_MAX, &text, NULL);
        if (r >= 0)
                r = netconfig_init(&c, machine);
        if (r < 0)
                return r;

        r = netconfig_parse(&c, text, &error);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;

        netconfig_complete(&c);
        *ret = c;
        c = (NetworkConfig){};
        return 0;
}

int record_read(const Record *r, const char *file, NetworkConfig *ret) {
        return read_at(r->directory, file, r->machine, ret);
}

int record_commit(const Record *r) {
        return renameat(r->directory, RECORD_NEXT, r->directory, RECORD_OPTIONS) < 0 ? -errno : 0;
}

/* Whatever is in there, also what a killed writer left. */
static int remove_all(const Record *r) {
        int copy = fcntl(r->directory, F_DUPFD_CLOEXEC, 3);
        _cleanup_closedir_ DIR *directory = copy >= 0 ? fdopendir(copy) : NULL;

        if (!directory) {
                int error = -errno;

                if (copy >= 0)
                        (void) close(copy);
                return error;
        }

        rewinddir(directory);
        for (const struct dirent *entry; (entry = readdir(directory));)
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                        unlinkat(r->directory, entry->d_name, 0) < 0 && errno != ENOENT)
                        return -errno;
        return 0;
}

int record_remove(const Record *r) {
        char path[sizeof(RECORDS_DIR) + MACHINE_NAME_MAX + 1];
        int q;

        /* Mostly the one file: this needs no descriptor, of which there may be no more. */
        (void) unlinkat(r->directory, RECORD_OPTIONS, 0); /* else rmdir() says so */
        (void) snprintf(path, sizeof(path), RECORDS_DIR "/%s", r->machine);
        if (rmdir(path) >= 0 || errno == ENOENT)
                return 0;
        if (errno != ENOTEMPTY)
                return -errno;

        q = remove_all(r);
        return q < 0 ? q : rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

int records_lock(void) {
        return open_locked(AT_FDCWD, RECORDS_DIR);
}

void records_done(Records *r) {
        for (size_t i = 0; i < r->n; i++)
                netconfig_done(&r->items[i]);
        free(r->items);
        *r = (Records){};
}

int records_names(char ***ret) {
        _cleanup_closedir_ DIR *directory = opendir(RECORDS_DIR);
        _cleanup_strv_ char **names = NULL;

        if (!directory && errno != ENOENT)
                return -errno;

        while (directory) {
                errno = 0;
                const struct dirent *entry = readdir(directory);
                if (!entry && errno > 0)
                        return -errno;
                if (!entry)
                        break;
                if (!machine_name_is_valid(entry->d_name))
                        continue;
                int r = strv_extend(&names, entry->d_name);
                if (r < 0)
                        return r;
        }

        strv_sort(names);
        *ret = TAKE_PTR(names);
        return 0;
}

int records_read(const char *except, Records *ret) {
        _cleanup_records_ Records records = {};
        _cleanup_strv_ char **names = NULL;
        int r;

        r = records_names(&names);
        if (r < 0)
                return r;

        records.items = calloc(MAX(strv_length(names), (size_t) 1), sizeof(NetworkConfig));
        if (!records.items)
                return -ENOMEM;

        STRV_FOREACH(name, names) {
                char path[sizeof(RECORDS_DIR) + MACHINE_NAME_MAX + sizeof("/" RECORD_OPTIONS)];

                if (except && strcmp(*name, except) == 0)
                        continue;
                /* What it will be counts as soon as that is written down. */
                (void) snprintf(path, sizeof(path), RECORDS_DIR "/%s/" RECORD_NEXT, *name);
                r = read_at(AT_FDCWD, path, *name, &records.items[records.n]);
                if (r < 0 && r != -ENOMEM) {
                        (void) snprintf(
                                path, sizeof(path), RECORDS_DIR "/%s/" RECORD_OPTIONS, *name);
                        r = read_at(AT_FDCWD, path, *name, &records.items[records.n]);
                }
                if (r == -ENOMEM)
                        return r;
                if (r >= 0)
                        records.n++;
        }

        *ret = records;
        records = (Records){};
        return 0;
}
