/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/cgroup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/base/str.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_FILE_MAX (64U * 1024U)

/* More than the kernel gives, proc(5), pid_max; and ten times as much is still a number. */
#define PID_MAX 10000000

/* Slices nest by the dashes in their names; deeper than this nobody nests them. */
#define SLICE_DEPTH_MAX 16

/* The directory of the unified hierarchy's cgroup in the text of /proc/PID/cgroup, cgroups(7). */
static int parse_cgroup(const char *text, char **ret) {
        for (const char *line = text; *line;) {
                size_t n = strcspn(line, "\n");
                const char *path = str_starts_with(line, "0::");

                if (path)
                        return str_format(ret, CGROUP_ROOT "%.*s", (int) (n - 3), path);
                line += n + (line[n] == '\n');
        }

        return -ENOMEDIUM;
}

/* The path of the process @pid ("self" for this one) in the unified hierarchy. */
static int cgroup_of(const char *pid, char **ret) {
        _cleanup_free_ char *text = NULL, *file = NULL;
        int r;

        r = str_format(&file, "/proc/%s/cgroup", pid);
        if (r >= 0)
                r = file_read(AT_FDCWD, file, CGROUP_FILE_MAX, &text, NULL);
        return r < 0 ? r : parse_cgroup(text, ret);
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

/* Take the next part of a list of processes, a PID on a line.
 * @pid: the number that the part before ended in the middle of, and this one ends in */
static void add_pids(CgroupProcesses *p, const char *text, size_t size, pid_t *pid) {
        for (size_t i = 0; i < size; i++) {
                if (text[i] >= '0' && text[i] <= '9') {
                        if (*pid <= PID_MAX / 10)
                                *pid = *pid * 10 + (text[i] - '0');
                        continue;
                }
                if (p->n < ELEMENTSOF(p->some))
                        p->some[p->n] = *pid;
                p->n++;
                *pid = 0;
        }
}

/* The first process of a cgroup. Return: its PID, 0 if there is none, negative errno. */
static pid_t first_process(const char *path, const char *below) {
        _cleanup_free_ char *file = NULL, *text = NULL;
        CgroupProcesses processes = {};
        pid_t pid = 0;
        size_t size;
        int r;

        r = str_format(&file, "%s%s/cgroup.procs", path, below);
        if (r < 0)
                return r;

        r = file_read(AT_FDCWD, file, CGROUP_FILE_MAX, &text, &size);
        if (r < 0)
                return r == -ENOENT || r == -ENODEV ? 0 : r;

        add_pids(&processes, text, size, &pid);
        return processes.some[0];
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

/* The text of cgroup.events, a "KEY VALUE" on a line. Return: 1 or 0, -EBADMSG. */
static int parse_populated(const char *text) {
        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                const char *value = str_starts_with(line, "populated ");

                if (value)
                        return *value == '1';
        }
        return -EBADMSG;
}

int cgroup_is_populated(int events) {
        char text[256];
        ssize_t n;

        n = pread(events, text, sizeof(text) - 1, 0);
        if (n < 0)
                return errno == ENODEV ? 0 : -errno; /* removed while it was open */
        text[n] = '\0';
        return parse_populated(text);
}

/* How many cgroups are looked at to count what is in them, and how deep below each other. */
#define CGROUPS_MAX 1000
#define CGROUP_DEPTH_MAX 16

/* Add the processes listed in a file, which may be long: some as PIDs, all as a number. */
static int add_processes(int directory, CgroupProcesses *p) {
        _cleanup_close_ int fd = openat(directory, "cgroup.procs", O_RDONLY | O_CLOEXEC);
        char text[8192];
        pid_t pid = 0;
        ssize_t n;

        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;

        while ((n = read(fd, text, sizeof(text))) > 0)
                add_pids(p, text, (size_t) n, &pid);

        /* Removed meanwhile; or threaded, where the processes are listed further up. */
        return n < 0 && errno != ENODEV && errno != EOPNOTSUPP ? -errno : 0;
}

/* The next cgroup in a directory, or NULL. Its name may begin with a dot. */
static const struct dirent *next_cgroup(DIR *d) {
        const struct dirent *entry;

        while ((entry = readdir(d)) &&
                (entry->d_type != DT_DIR || str_equal(entry->d_name, ".") ||
                        str_equal(entry->d_name, "..")))
                ;
        return entry;
}

static int add_cgroup(
        int parent, const char *name, unsigned depth, unsigned *n_left, CgroupProcesses *p) {
        _cleanup_closedir_ DIR *d = NULL;
        const struct dirent *entry;
        int fd, r;

        if (depth == 0 || *n_left == 0) {
                p->more = true;
                return 0;
        }
        (*n_left)--;

        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        d = fdopendir(fd);
        if (!d) {
                r = -errno;
                (void) close(fd); /* the first error is the one to report */
                return r;
        }

        /* Those below first: what is found first is named, and the init is the one known anyway. */
        while ((entry = next_cgroup(d))) {
                r = add_cgroup(dirfd(d), entry->d_name, depth - 1, n_left, p);
                if (r < 0 && r != -ENOENT) /* removed meanwhile */
                        return r;
        }

        return add_processes(dirfd(d), p);
}

int cgroup_processes(const char *path, CgroupProcesses *ret) {
        CgroupProcesses processes = {};
        unsigned n_left = CGROUPS_MAX;
        int r;

        r = add_cgroup(AT_FDCWD, path, CGROUP_DEPTH_MAX, &n_left, &processes);
        if (r < 0)
                return r;

        *ret = processes;
        return 0;
}

/* Go over to a directory next to where @d is. */
static int change_to(DIR **d, const char *name) {
        int fd = openat(dirfd(*d), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *next = fd < 0 ? NULL : fdopendir(fd);

        if (!next)
                return -errno;
        (void) closedir(*d);
        *d = next;
        return 0;
}

int cgroup_remove_below(const char *path) {
        _cleanup_closedir_ DIR *d = opendir(path);
        unsigned depth = 0;
        struct stat emptied = {}, st; /* the one that was emptied last, and where we are */

        if (!d)
                return errno == ENOENT ? 0 : -errno;

        for (;;) {
                const struct dirent *entry = next_cgroup(d);
                int r;

                if (!entry && depth == 0)
                        return 0;
                if (entry && unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR) == 0)
                        continue;
                if (entry && errno == ENOENT)
                        continue;
                int refused = entry ? errno : 0;
                if (entry && refused != EBUSY && refused != ENOTEMPTY)
                        return -refused;
                if (!entry && fstat(dirfd(d), &emptied) < 0)
                        return -errno;
                r = change_to(&d, entry ? entry->d_name : "..");
                if (r < 0)
                        return r;
                if (fstat(dirfd(d), &st) < 0)
                        return -errno;
                if (entry && st.st_ino == emptied.st_ino)
                        return -refused; /* there are none below it: it has processes */
                depth = entry ? depth + 1 : depth - 1;
        }
}

static int thaw(const char *path) {
        _cleanup_free_ char *file = NULL;
        int fd, r;

        r = str_format(&file, "%s/cgroup.freeze", path);
        if (r < 0)
                return r;

        fd = open(file, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        r = write(fd, "0", 1) < 0 && errno != ENODEV ? -errno : 0;
        (void) close(fd);
        return r;
}

int cgroup_thaw(const char *path, pid_t pid) {
        _cleanup_free_ char *cgroup = NULL;
        char name[32];
        int r;

        (void) snprintf(name, sizeof(name), "%i", (int) pid);
        r = cgroup_of(name, &cgroup);
        if (r < 0)
                return r == -ENOENT || r == -ESRCH ? 0 : r;

        for (;;) {
                const char *below = str_starts_with(cgroup, path);

                if (!below || (*below != '\0' && *below != '/'))
                        return 0;
                r = thaw(cgroup);
                if (r < 0 || *below == '\0')
                        return r;
                *strrchr(cgroup, '/') = '\0';
        }
}

static int join(const char *path) {
        _cleanup_free_ char *file = NULL;
        int fd, r;

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

int cgroup_join(pid_t pid) {
        _cleanup_free_ char *path = NULL;
        char name[32];
        int r;

        (void) snprintf(name, sizeof(name), "%i", (int) pid);
        r = cgroup_of(name, &path);
        return r < 0 ? r : join(path);
}

int cgroup_step_aside(const char *name) {
        _cleanup_free_ char *unit = NULL, *path = NULL;
        int r;

        r = cgroup_of("self", &unit);
        if (r >= 0)
                r = str_join(&path, unit, "/", name);
        if (r < 0)
                return r;
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return -errno;
        return join(path);
}
