/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/idmap.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/base/file.h"
#include "common/base/parse.h"
#include "common/base/settings.h"
#include "common/kernel/mount.h"

#define MOUNTINFO_MAX (64U * 1024U * 1024U)

/* Containers' users begin here; systemd-nspawn goes by the upper half of a number. */
#define OWNERS_OF_HOST 65536U

/* Anybody but the host's root: to map it, a capability is needed that nothing else here needs. */
#define SOMEBODY 524288U

/* A process that is there for its user namespace only. It ends with us. */
static pid_t start_process(void) {
        struct clone_args arguments = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
        pid_t parent = getpid(), pid = (pid_t) syscall(SYS_clone3, &arguments, sizeof(arguments));

        if (pid != 0)
                return pid < 0 ? -errno : pid;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(EXIT_FAILURE);
        for (;;)
                (void) pause();
}

static int write_map(pid_t pid, const char *name, const char *line) {
        _cleanup_close_ int fd = -EBADF;
        char path[64];
        size_t n = strlen(line);

        (void) snprintf(path, sizeof(path), "/proc/%i/%s", (int) pid, name);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return write(fd, line, n) == (ssize_t) n ? 0 : -errno; /* all at once, user_namespaces(7) */
}

int idmap_namespace(uint32_t inside, uint32_t outside, uint32_t count) {
        char line[64], path[64];
        int r, fd = -EBADF;
        pid_t pid;

        pid = start_process();
        if (pid < 0)
                return (int) pid;

        (void) snprintf(line, sizeof(line), "%u %u %u\n", inside, outside, count);
        r = write_map(pid, "uid_map", line);
        if (r >= 0)
                r = write_map(pid, "gid_map", line);
        if (r >= 0) {
                (void) snprintf(path, sizeof(path), "/proc/%i/ns/user", (int) pid);
                fd = open(path, O_RDONLY | O_CLOEXEC);
                r = fd < 0 ? -errno : 0;
        }

        /* It is our child, and nobody else waits for it: the PID is its own. */
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
        return r < 0 ? r : fd;
}

int idmap_tree(int tree, int namespace) {
        struct mount_attr attributes = {
                .attr_set = MOUNT_ATTR_IDMAP,
                .userns_fd = (uint64_t) namespace,
        };

        return mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0 ? -errno
                                                                                           : 0;
}

/* A line of mountinfo, proc(5). The texts end at a blank. */
typedef struct Mount {
        uint64_t id, parent;
        const char *point, *type;
} Mount;

static bool parse_mount(const char *line, Mount *ret) {
        const char *end = line + strcspn(line, "\n"), *dash = strstr(line, " - ");
        char *p;

        ret->id = strtoull(line, &p, 10);
        ret->parent = strtoull(p, &p, 10);
        for (unsigned field = 0; field < 2 && *p == ' '; field++) /* device, root */
                p += 1 + strcspn(p + 1, " \n");
        if (*p != ' ' || !dash || dash > end)
                return false;
        ret->point = p + 1;
        ret->type = dash + strlen(" - ");
        return true;
}

/* Read our mountinfo, and find out which mount a file is on. */
static int read_mounts(int fd, uint64_t *ret_id, char **ret) {
        struct statx st;

        if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
                return -errno;
        *ret_id = st.stx_mnt_id;
        return file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, ret, NULL);
}

/* Undo the escapes of a field: \040 for a blank and the like. */
static int unescape(const char *field, char **ret) {
        _cleanup_str_ Str s = {};

        for (const char *p = field; *p && *p != ' ' && *p != '\n'; p++) {
                bool escaped = p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' &&
                        p[2] <= '7' && p[3] >= '0' && p[3] <= '7';

                if (escaped) {
                        str_append_char(
                                &s, (char) ((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0')));
                        p += 3;
                } else {
                        str_append_char(&s, *p);
                }
        }
        return str_take(&s, ret);
}

static bool is_below(const char *path, const char *directory) {
        const char *rest = strcmp(directory, "/") == 0 ? path : str_starts_with(path, directory);

        return rest && *rest == '/' && rest[1];
}

int idmap_look_below(int directory, char **ret) {
        _cleanup_free_ char *mounts = NULL;
        char name[64], path[PATH_MAX];
        uint64_t id;
        ssize_t n;
        int r;

        (void) snprintf(name, sizeof(name), "/proc/self/fd/%i", directory);
        n = readlink(name, path, sizeof(path));
        if (n < 0)
                return -errno;
        if ((size_t) n >= sizeof(path))
                return -ENAMETOOLONG;
        path[n] = '\0';

        r = read_mounts(directory, &id, &mounts);
        if (r < 0)
                return r;
        for (const char *l = mounts; *l; l += strcspn(l, "\n"), l += *l == '\n') {
                _cleanup_free_ char *point = NULL;
                Mount m;

                if (!parse_mount(l, &m) || m.parent != id)
                        continue;
                r = unescape(m.point, &point);
                if (r < 0)
                        return r;
                if (is_below(point, path)) {
                        *ret = TAKE_PTR(point);
                        return 1;
                }
        }
        return 0;
}

int idmap_explain(int fd, int error, char **ret) {
        _cleanup_free_ char *mounts = NULL;
        uint64_t id;

        if (error == -EPERM)
                return str_format(ret, "its owners are mapped already, by the mount that it is on");
        if (error == -EINVAL && read_mounts(fd, &id, &mounts) >= 0)
                for (const char *l = mounts; *l; l += strcspn(l, "\n"), l += *l == '\n') {
                        Mount m;

                        if (parse_mount(l, &m) && m.id == id)
                                return str_format(ret,
                                        "file system '%.*s' cannot be id-mapped on this kernel",
                                        (int) strcspn(m.type, " \n"), m.type);
                }
        return str_format(ret, "its owners cannot be mapped: %s", strerror(-error));
}

/* What is checked with one namespace. */
typedef struct Checker {
        int namespace; /* made when it is needed first */
} Checker;

/* Return: 0; negative errno with the reason, also where the file is not there. */
static int check_file(Checker *c, const char *path, bool recursive, char **ret_reason) {
        _cleanup_close_ int tree = -EBADF;
        _cleanup_free_ char *below = NULL;
        int r;

        if (c->namespace < 0)
                c->namespace = idmap_namespace(0, SOMEBODY, 1);
        if (c->namespace < 0) {
                r = str_format(
                        ret_reason, "failed to make a user namespace: %s", strerror(-c->namespace));
                return r < 0 ? r : c->namespace;
        }

        tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (tree < 0) {
                int error = -errno;

                r = str_format(ret_reason, "%s", strerror(-error));
                return r < 0 ? r : error;
        }

        int error = idmap_tree(tree, c->namespace);
        _cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (error < 0) {
                r = idmap_explain(fd, error, ret_reason);
                return r < 0 ? r : error;
        }

        r = recursive ? idmap_look_below(fd, &below) : 0;
        if (r <= 0)
                return r;
        r = str_format(ret_reason, IDMAP_BELOW, below);
        return r < 0 ? r : -EBUSY;
}

static int check_root(Checker *c, const char *root, char **reterr) {
        _cleanup_free_ char *reason = NULL;
        struct stat st;
        int r, q;

        if (stat(root, &st) >= 0 && st.st_uid >= OWNERS_OF_HOST) {
                r = str_format(reterr,
                        "The root '%s' belongs to user %u, as PrivateUsersOwnership=chown leaves "
                        "it: keep that setting, or have its files given back to the host's users "
                        "by 'systemd-nspawn --private-users=0 --private-users-ownership=chown "
                        "--directory=%s /bin/true'",
                        root, (unsigned) st.st_uid, root);
                return r < 0 ? r : -EUCLEAN;
        }

        r = check_file(c, root, false, &reason);
        if (r >= 0 || !reason)
                return r;
        q = str_format(reterr,
                "The root '%s': %s; use PrivateUsersOwnership=chown, or PrivateUsers=no", root,
                reason);
        return q < 0 ? q : r;
}

/* The value of a line of Bind= or BindReadOnly=, or NULL. */
static const char *bind_value(const char *line, const char **ret_key) {
        static const char *const keys_of_binds[] = { "[Files]Bind=", "[Files]BindReadOnly=" };

        for (size_t i = 0; i < ELEMENTSOF(keys_of_binds); i++) {
                const char *value = str_starts_with(line, keys_of_binds[i]);

                if (value) {
                        *ret_key = keys_of_binds[i] + strlen("[Files]");
                        return value;
                }
        }
        return NULL;
}

static int check_bind(Checker *c, const char *line, char **reterr) {
        _cleanup_free_ char *reason = NULL;
        _cleanup_(bind_done) Bind b = {};
        const char *key, *value = bind_value(line, &key);
        int r, q;

        if (!value || !bind_is_live(value))
                return 0;
        r = bind_parse(value, &b);
        if (r < 0 || b.idmap == IDMAP_NONE)
                return r;

        r = check_file(c, b.source, b.recursive, &reason);
        if (r >= 0 || !reason)
                return r;
        if (r == -ENOENT || r == -ENOTDIR)
                q = str_format(reterr, "%s%s: %s", key, value, reason);
        else
                q = str_format(reterr, "%s%s: %s; use the option %snoidmap", key, value, reason,
                        r == -EBUSY ? "norbind or " : "");
        return q < 0 ? q : r;
}

/* Device nodes cannot be mapped: their owners are nobody inside, who are root's no more than anybody's. The range
 * of a container's own may well have one. */
static int check_device(const char *line, char **reterr) {
        const char *device = str_starts_with(line, "[Files]Device=");
        _cleanup_free_ char *node = device ? strndup(device, strcspn(device, " \t")) : NULL;
        struct stat st;
        int r;

        if (!device)
                return 0;
        if (!node)
                return -ENOMEM;
        if (stat(node, &st) < 0 || st.st_uid >= OWNERS_OF_HOST || (st.st_mode & 0006))
                return 0; /* what is missing, nspawn tells */
        r = str_format(reterr,
                "Device=%s: with mode 0%o it is for the host's user %u and group %u, whom nobody "
                "is inside; open it to all with a udev rule, or use PrivateUsers=no",
                device, (unsigned) st.st_mode & 07777, (unsigned) st.st_uid, (unsigned) st.st_gid);
        return r < 0 ? r : -EACCES;
}

int idmap_check(const char *root, const char *shared, char *const *settings, char **reterr) {
        Checker c = { .namespace = -EBADF };
        _cleanup_free_ char *reason = NULL;
        int r = 0, q;

        if (root)
                r = check_root(&c, root, reterr);
        if (r >= 0 && shared) {
                r = check_file(&c, shared, true, &reason);
                q = r < 0 && reason
                        ? str_format(reterr, "'%s': %s; use PrivateUsers=no", shared, reason)
                        : 0;
                r = q < 0 ? q : r;
        }
        for (char *const *l = settings; r >= 0 && l && *l; l++) {
                r = check_bind(&c, *l, reterr);
                if (r >= 0)
                        r = check_device(*l, reterr);
        }

        if (c.namespace >= 0)
                (void) close(c.namespace);
        return r;
}

static bool is_within(const char *path, const char *directory) {
        const char *rest = str_starts_with(path, directory);

        return rest && (!*rest || *rest == '/');
}

/* Whether a place in the root is not seen inside: nspawn mounts something over it. */
static bool is_covered(const char *path, char *const *settings) {
        static const char *const mounted[] = { "/dev", "/proc", "/run", "/sys", "/tmp" };
        const char *key;

        for (size_t i = 0; i < ELEMENTSOF(mounted); i++)
                if (is_within(path, mounted[i]))
                        return true;
        for (char *const *l = settings; *l; l++) {
                _cleanup_(bind_done) Bind b = {};
                const char *value = bind_value(*l, &key);

                if (value && bind_is_live(value) && bind_parse(value, &b) >= 0 &&
                        is_within(path, b.destination) && strcmp(path, b.destination) != 0)
                        return true;
        }
        return false;
}

/* Where a line mounts something. @ret: NULL if nowhere in the root itself; owned by the caller */
static int mount_point(const char *line, char **ret, bool *ret_is_directory) {
        const char *key, *bind = bind_value(line, &key),
                         *tmpfs = str_starts_with(line, "[Files]TemporaryFileSystem=");
        _cleanup_(bind_done) Bind b = {};
        struct stat st;
        int r;

        *ret = NULL;
        *ret_is_directory = true;
        if (tmpfs)
                return bind_source(tmpfs, ret); /* PATH[:OPTIONS] is quoted alike */
        if (!bind || !bind_is_live(bind))
                return 0;
        r = bind_parse(bind, &b);
        if (r < 0)
                return r;
        if (stat(b.source, &st) < 0)
                return 0;
        *ret_is_directory = S_ISDIR(st.st_mode);
        *ret = TAKE_PTR(b.destination);
        return 0;
}

int idmap_make_points(int root, char *const *settings) {
        for (char *const *l = settings; l && *l; l++) /* not in what is thrown away */
                if (strcmp(*l, "[Exec]Ephemeral=yes") == 0 ||
                        (str_starts_with(*l, "[Files]Volatile=") && !str_ends_with(*l, "=no")))
                        return 0;

        for (char *const *l = settings; l && *l; l++) {
                _cleanup_free_ char *path = NULL;
                bool is_directory = false;
                int r = mount_point(*l, &path, &is_directory);

                if (r < 0)
                        return r;
                if (!path || !path_is_normalized(path) || is_covered(path, settings))
                        continue;
                r = mount_make_point(root, path, is_directory);
                if (r == -ENOMEM)
                        return r;
                if (r >= 0)
                        (void) close(r);
        }
        return 0;
}
