/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/cgroup.h"

#include <fcntl.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/str.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_FILE_MAX (64U * 1024U)

/* Slices nest by the dashes in their names; deeper than this nobody nests them. */
#define SLICE_DEPTH_MAX 16

/* The path of the process @pid ("self" for this one) in the unified hierarchy. */
static int cgroup_of(const char *pid, char **ret) {
        _cleanup_free_ char *text = NULL, *file = NULL;
        int r;

        r = str_format(&file, "/proc/%s/cgroup", pid);
        if (r < 0)
                return r;

        r = file_read(AT_FDCWD, file, CGROUP_FILE_MAX, &text, NULL);
        if (r < 0)
                return r;

        for (char *line = text; *line;) {
                size_t n = strcspn(line, "\n");
                const char *path = str_starts_with(line, "0::");

                if (path)
                        return str_format(ret, CGROUP_ROOT "%.*s", (int) (n - 3), path);
                line += n + (line[n] == '\n');
        }

        return -ENOMEDIUM;
}

int cgroup_of_own_unit(char **ret) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = cgroup_of("self", &path);
        if (r < 0)
                return r;

        const char *control = str_ends_with(path, "/.control");
        if (control)
                path[control - path] = '\0';

        *ret = TAKE_PTR(path);
        return 0;
}

static int find_below(const char *directory, const char *unit, unsigned depth, char **ret) {
        _cleanup_closedir_ DIR *d = opendir(directory);
        const struct dirent *entry;

        if (!d)
                return -errno;

        while ((entry = readdir(d))) {
                _cleanup_free_ char *path = NULL;
                int r;

                if (entry->d_type != DT_DIR)
                        continue;

                bool found = strcmp(entry->d_name, unit) == 0;
                if (!found && (depth == 0 || !str_ends_with(entry->d_name, ".slice")))
                        continue;

                r = str_format(&path, "%s/%s", directory, entry->d_name);
                if (r < 0)
                        return r;
                if (found) {
                        *ret = TAKE_PTR(path);
                        return 0;
                }

                r = find_below(path, unit, depth - 1, ret);
                if (r != -ENOENT)
                        return r;
        }

        return -ENOENT;
}

int cgroup_find_unit(const char *unit, char **ret) {
        return find_below(CGROUP_ROOT, unit, SLICE_DEPTH_MAX, ret);
}

/* The first process of a cgroup. Return: its PID, 0 if there is none, negative errno. */
static pid_t first_process(const char *path, const char *below) {
        _cleanup_free_ char *file = NULL, *text = NULL;
        int r;

        r = str_format(&file, "%s%s/cgroup.procs", path, below);
        if (r < 0)
                return r;

        r = file_read(AT_FDCWD, file, CGROUP_FILE_MAX, &text, NULL);
        if (r < 0)
                return r == -ENOENT || r == -ENODEV ? 0 : r;

        return (pid_t) strtol(text, NULL, 10);
}

pid_t cgroup_supervisor(const char *path) {
        pid_t pid = first_process(path, "/supervisor");

        /* It begins in the unit's own cgroup, and may move between the two looks. */
        if (pid == 0)
                pid = first_process(path, "");
        return pid != 0 ? pid : first_process(path, "/supervisor");
}

int cgroup_open_events(const char *path) {
        _cleanup_free_ char *file = NULL;
        int fd, r;

        r = str_format(&file, "%s/cgroup.events", path);
        if (r < 0)
                return r;

        fd = open(file, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int cgroup_is_populated(int events) {
        char text[256];
        ssize_t n;

        n = pread(events, text, sizeof(text) - 1, 0);
        if (n < 0)
                return errno == ENODEV ? 0 : -errno; /* removed while it was open */
        text[n] = '\0';

        const char *populated = strstr(text, "populated ");
        return populated ? populated[strlen("populated ")] == '1' : -EBADMSG;
}

int cgroup_join(pid_t pid) {
        _cleanup_free_ char *path = NULL, *file = NULL;
        char name[32];
        int fd, r;

        (void) snprintf(name, sizeof(name), "%i", (int) pid);
        r = cgroup_of(name, &path);
        if (r >= 0)
                r = str_format(&file, "%s/cgroup.procs", path);
        if (r < 0)
                return r;

        fd = open(file, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = write(fd, "0", 1) < 0 ? -errno : 0; /* 0: the writing process */
        (void) close(fd);
        return r;
}
