/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/mount.h"

#include <ctype.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/base/file.h"
#include "common/kernel/idmap.h"
#include "common/kernel/init.h"
#include "common/kernel/root.h"

#define MOUNTINFO_MAX (64U * 1024U * 1024U)

/* The container, seen from the host. */
typedef struct Container {
        const char *machine;
        int pidfd;       /* of its init */
        int root;        /* its root directory */
        int users;       /* its user namespace */
        uid_t user;      /* who root inside is on the host */
        char *mountinfo; /* its mounts, proc(5) */
} Container;

/* What is found at the destination of a mount. */
typedef enum Presence {
        PRESENCE_NONE,    /* nothing is mounted there */
        PRESENCE_SAME,    /* the source as the host has it now */
        PRESENCE_OTHER,   /* something else: the source was replaced on the host */
        PRESENCE_COVERED, /* something else, over another mount */
} Presence;

/* What is to be done for one mount. */
typedef struct Work {
        BindMount *mount;
        Presence presence;
        int there; /* what is mounted at the destination */
        int tree;  /* the clone of the source that is to be mounted */
        bool detach, attach;
} Work;

typedef struct Plan {
        Work *works; /* parents before children */
        size_t n;
} Plan;

static void container_done(Container *c) {
        if (c->root >= 0)
                (void) close(c->root);
        if (c->users >= 0)
                (void) close(c->users);
        free(c->mountinfo);
}

static void plan_done(Plan *p) {
        for (size_t i = 0; i < p->n; i++) {
                if (p->works[i].there >= 0)
                        (void) close(p->works[i].there);
                if (p->works[i].tree >= 0)
                        (void) close(p->works[i].tree);
        }
        free(p->works);
}

static int fail(const Container *c, const Work *w, int error, const char *why, char **reterr) {
        const Bind *b = &w->mount->bind;
        int r;

        r = w->attach ? str_format(reterr, "Failed to mount '%s' on '%s' in container '%s': %s",
                                b->source, b->destination, c->machine, why ? why : strerror(-error))
                      : str_format(reterr, "Failed to unmount '%s' in container '%s': %s",
                                b->destination, c->machine, why ? why : strerror(-error));
        return r < 0 ? r : error;
}

static int container_open(Container *c, pid_t init) {
        uint32_t count;
        char path[64];
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%i/root", (int) init);
        c->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (c->root < 0)
                return -errno;

        (void) snprintf(path, sizeof(path), "/proc/%i/ns/user", (int) init);
        c->users = open(path, O_RDONLY | O_CLOEXEC);
        if (c->users < 0)
                return -errno;

        (void) snprintf(path, sizeof(path), "/proc/%i/mountinfo", (int) init);
        r = file_read(AT_FDCWD, path, MOUNTINFO_MAX, &c->mountinfo, NULL);
        if (r < 0)
                return r;

        r = init_users(init, &c->user, &count);
        if (r < 0)
                return r;

        /* All this was the init's, and not of another process that got its PID. */
        return pidfd_send_signal(c->pidfd, 0, NULL, 0) < 0 ? -errno : 0;
}

/* Find the line of a mount in a mountinfo of proc(5). Return: whether it is there. */
static bool find_mount(const char *mountinfo, uint64_t id, uint64_t *ret_parent,
        const char **ret_point, size_t *ret_size) {
        for (const char *line = mountinfo; *line;
                line += strcspn(line, "\n"), line += *line == '\n') {
                char *p;

                /* strtoull(3) would pass over the end of a line. */
                if (!isdigit((unsigned char) *line) || strtoull(line, &p, 10) != id || *p != ' ' ||
                        !isdigit((unsigned char) p[1]))
                        continue;
                *ret_parent = strtoull(p, &p, 10);
                for (unsigned field = 0; field < 2 && *p == ' '; field++) /* device, root */
                        p += 1 + strcspn(p + 1, " \n");
                if (*p != ' ')
                        continue;
                *ret_point = p + 1;
                *ret_size = strcspn(p + 1, " \n");
                return true;
        }

        return false;
}

/* Whether a mount lies on another one, in the same place. */
static bool is_stacked(const char *mountinfo, uint64_t id) {
        uint64_t parent, unused;
        const char *upper, *lower;
        size_t n, k;

        return find_mount(mountinfo, id, &parent, &upper, &n) && parent != id &&
                find_mount(mountinfo, parent, &unused, &lower, &k) && n == k &&
                memcmp(upper, lower, n) == 0;
}

static int is_read_only(int fd, bool *ret) {
        struct statvfs v;

        if (fstatvfs(fd, &v) < 0)
                return -errno;
        *ret = v.f_flag & ST_RDONLY;
        return 0;
}

/* Whether what is mounted at the destination is the source, and as read-only as it is to be. */
static int compare(const BindMount *m, int there, bool *ret_same) {
        _cleanup_close_ int source = open(m->bind.source, O_PATH | O_CLOEXEC);
        struct stat inside, outside;
        bool read_only = false, source_read_only = false;
        int r;

        if (source < 0) {
                *ret_same = false;
                return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
        }
        if (fstat(there, &inside) < 0 || fstat(source, &outside) < 0)
                return -errno;
        r = is_read_only(there, &read_only);
        if (r >= 0)
                r = is_read_only(source, &source_read_only);
        if (r < 0)
                return r;

        *ret_same = inside.st_dev == outside.st_dev && inside.st_ino == outside.st_ino &&
                (!m->is_wanted || read_only == (m->read_only || source_read_only));
        return 0;
}

static int look(const Container *c, Work *w) {
        _cleanup_close_ int fd = root_resolve(c->root, w->mount->bind.destination);
        struct statx st;
        bool same = false;
        int r;

        if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
                return 0;
        if (fd < 0)
                return fd;

        if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
                return -errno;
        if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
                return 0;

        r = compare(w->mount, fd, &same);
        if (r < 0)
                return r;
        w->presence = same                                ? PRESENCE_SAME
                : is_stacked(c->mountinfo, st.stx_mnt_id) ? PRESENCE_COVERED
                                                          : PRESENCE_OTHER;
        w->there = TAKE_FD(fd);
        return 0;
}

static bool is_below(const char *path, const char *directory) {
        const char *rest = str_starts_with(path, directory);

        return rest && *rest == '/';
}

/* The source of a mount that it has may be gone: it keeps what it has. */
static bool has_source(const BindMount *m) {
        return faccessat(AT_FDCWD, m->bind.source, F_OK, 0) == 0;
}

static void decide_alone(Work *w) {
        const BindMount *m = w->mount;

        if (!m->is_wanted)
                w->detach = m->is_recorded && w->presence != PRESENCE_NONE;
        else if (!m->is_recorded)
                w->attach = w->presence != PRESENCE_SAME;
        else if (w->presence == PRESENCE_OTHER)
                w->detach = w->attach = has_source(m);
        else
                w->attach = w->presence == PRESENCE_NONE;
}

/* What is in the place of another one that goes, or below it, is to be mounted again. */
static void decide_together(Plan *p) {
        for (size_t i = 0; i < p->n; i++) {
                const Work *w = &p->works[i];

                for (size_t k = 0; k < p->n && (w->detach || w->attach); k++) {
                        Work *other = &p->works[k];
                        const char *place = other->mount->bind.destination;
                        bool exchanged = w->detach && !other->mount->is_recorded &&
                                str_equal(place, w->mount->bind.destination);

                        if (!other->mount->is_wanted ||
                                (!exchanged && !is_below(place, w->mount->bind.destination)))
                                continue;
                        if (!exchanged)
                                other->detach = other->mount->is_recorded &&
                                        other->presence != PRESENCE_NONE;
                        other->attach = true;
                }
        }
}

static int decide(const Container *c, Plan *p, char **reterr) {
        int r;

        for (size_t i = 0; i < p->n; i++) {
                Work *w = &p->works[i];

                r = look(c, w);
                if (r < 0) {
                        w->attach = w->mount->is_wanted;
                        return fail(c, w, r, NULL, reterr);
                }
                decide_alone(w);
        }
        decide_together(p);

        for (size_t i = 0; i < p->n; i++)
                if (p->works[i].detach && p->works[i].presence == PRESENCE_COVERED)
                        return fail(c, &p->works[i], -EBUSY,
                                "something else is mounted over it there", reterr);
        return 0;
}

/*
 * As systemd-nspawn does at the start: what the host mounts below the source later shows inside, and
 * nothing that is mounted inside shows on the host, mount_namespaces(7). Inside it becomes shared
 * with the services there, as what it is attached to is.
 */
static int clone_tree(Work *w) {
        const BindMount *m = w->mount;
        struct mount_attr attributes = {
                .attr_set = m->read_only ? MOUNT_ATTR_RDONLY : 0,
                .propagation = MS_SLAVE,
        };

        w->tree = open_tree(AT_FDCWD, m->bind.source,
                OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (m->bind.recursive ? AT_RECURSIVE : 0));
        if (w->tree < 0)
                return -errno;
        return mount_setattr(w->tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
                       sizeof(attributes)) < 0
                ? -errno
                : 0;
}

/* Who owns the destination, on the host; what is made there will be the container's root's. */
static int destination_owner(const Container *c, const Work *w, uid_t *ret) {
        _cleanup_close_ int fd = root_resolve(c->root, w->mount->bind.destination);
        struct stat st = { .st_uid = c->user };

        if (fd < 0 && fd != -ENOENT)
                return fd;
        if (fd >= 0 && fstat(fd, &st) < 0)
                return -errno;
        *ret = st.st_uid;
        return 0;
}

/* The user namespace for a mount that is mapped, as make_userns() in systemd's mount-util.c has it: users and
 * groups alike. Return: a descriptor, owned by the caller; negative errno. */
static int mapped_users(const Container *c, const Work *w, Idmap idmap, int source) {
        uid_t owner = c->user;
        struct stat st;
        int r = 0;

        if (idmap == IDMAP_SAME) {
                r = fcntl(c->users, F_DUPFD_CLOEXEC, 3);
                return r < 0 ? -errno : r;
        }

        if (fstat(source, &st) < 0)
                return -errno;
        if (idmap == IDMAP_OWNER)
                r = destination_owner(c, w, &owner);
        return r < 0 ? r : idmap_namespace(st.st_uid, owner, 1);
}

/* What would not be as at a start. */
static int refuse_owners(const Container *c, const Work *w, Idmap idmap, char **ret_why) {
        const char *why = NULL;
        int r;

        /* To have files that are made belong to the host's root takes a capability that gives all others,
         * CAP_SETFCAP: user_namespaces(7). */
        if (c->user == 0)
                why = "without private users, owners are mapped at the start only";
        /* What is below, whose owner counts, is not seen. */
        else if (idmap == IDMAP_OWNER && w->presence != PRESENCE_NONE)
                why = "with owneridmap, another mount in this place stays until a restart";
        if (!why)
                return 0;
        r = str_format(ret_why, "%s", why);
        return r < 0 ? r : -EBUSY;
}

/* Give the clone the owners that systemd-nspawn would give it. */
static int map_owners(const Container *c, Work *w, char **ret_why) {
        const Bind *b = &w->mount->bind;
        Idmap idmap = b->idmap != IDMAP_UNSET ? b->idmap : c->user != 0 ? IDMAP_SAME : IDMAP_NONE;
        _cleanup_close_ int source = -EBADF, users = -EBADF;
        _cleanup_free_ char *below = NULL, *reason = NULL;
        int r, error;

        if (idmap == IDMAP_NONE)
                return 0;
        r = refuse_owners(c, w, idmap, ret_why);
        if (r < 0)
                return r;

        source = open(b->source, O_PATH | O_CLOEXEC);
        if (source < 0)
                return -errno;
        r = b->recursive ? idmap_look_below(source, &below) : 0;
        if (r < 0)
                return r;
        if (r > 0) {
                r = str_format(ret_why, IDMAP_BELOW "; use the option norbind or noidmap", below);
                return r < 0 ? r : -EBUSY;
        }

        users = mapped_users(c, w, idmap, source);
        if (users < 0)
                return users;
        error = idmap_tree(w->tree, users);
        if (error >= 0)
                return 0;
        r = idmap_explain(source, error, &reason);
        if (r >= 0)
                r = str_format(ret_why, "%s; use the option noidmap", reason);
        return r < 0 ? r : error;
}

static int clone_source(const Container *c, Work *w, char **reterr) {
        _cleanup_free_ char *why = NULL;
        int r = clone_tree(w);

        if (r >= 0)
                r = map_owners(c, w, &why);
        return r < 0 ? fail(c, w, r, why, reterr) : 0;
}

/* The nearest directory above a path that exists. @rest: the part of @path below it */
static int resolve_parent(int root, const char *path, const char **ret_rest) {
        _cleanup_free_ char *parent = strdup(path);

        if (!parent)
                return -ENOMEM;

        for (;;) {
                char *slash = strrchr(parent, '/');
                size_t n = (size_t) (slash - parent);
                int fd;

                *slash = '\0';
                fd = root_resolve(root, n == 0 ? "/" : parent);
                if (fd != -ENOENT || n == 0) {
                        *ret_rest = path + n + 1;
                        return fd;
                }
        }
}

/* Make what something can be mounted on, and what is missing above it; as systemd-nspawn does. */
static int make_point(int root, const char *path, bool is_directory) {
        _cleanup_close_ int parent = -EBADF, directory = -EBADF;
        const char *rest = NULL;
        int r;

        parent = resolve_parent(root, path, &rest);
        if (parent < 0)
                return parent;
        if (is_directory)
                return root_mkdir(parent, rest, 0755);

        const char *slash = strrchr(rest, '/'), *name = slash ? slash + 1 : rest;
        if (slash) {
                _cleanup_free_ char *above = strndup(rest, (size_t) (slash - rest));

                directory = above ? root_mkdir(parent, above, 0755) : -ENOMEM;
                if (directory < 0)
                        return directory;
        }

        int where = slash ? directory : parent;
        r = root_create(where, name, "", 0, 0644);
        if (r <= 0)
                return r < 0 ? r : -ELOOP; /* it led nowhere, but is there: a link */
        return root_resolve(where, name);
}

int mount_make_point(int root, const char *path, bool is_directory) {
        int fd = root_resolve(root, path);

        return fd == -ENOENT ? make_point(root, path, is_directory) : fd;
}

/* Find or make the destination. What is made belongs to the container's root: the host's has no
 * name in a file system whose owners are mapped. */
static int open_point(const Container *c, const Work *w) {
        _cleanup_close_ int fd = root_resolve(c->root, w->mount->bind.destination);
        struct stat source, point;

        if (fstat(w->tree, &source) < 0)
                return -errno;

        if (fd == -ENOENT) {
                (void) setfsgid(c->user);
                (void) setfsuid(c->user); /* without effect, what follows fails */
                fd = make_point(c->root, w->mount->bind.destination, S_ISDIR(source.st_mode));
                (void) setfsuid(0);
                (void) setfsgid(0);
        }
        if (fd < 0)
                return fd;

        if (fstat(fd, &point) < 0)
                return -errno;
        if (S_ISDIR(source.st_mode) != S_ISDIR(point.st_mode))
                return S_ISDIR(point.st_mode) ? -EISDIR : -ENOTDIR;
        return TAKE_FD(fd);
}

static int attach(const Container *c, Work *w, char **reterr) {
        _cleanup_close_ int point = open_point(c, w);

        if (point < 0) {
                const Bind *b = &w->mount->bind;
                int r = str_format(reterr,
                        "Failed to find or make '%s' in container '%s' to mount '%s' on: %s",
                        b->destination, c->machine, b->source, strerror(-point));

                return r < 0 ? r : point;
        }
        if (move_mount(w->tree, "", point, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
                0)
                return fail(c, w, -errno, NULL, reterr);

        w->mount->is_recorded = true;
        return 0;
}

/*
 * By the descriptor of what was looked at, and not by its name, which the container may have given
 * to something else. @descriptors: our own /proc/self/fd
 */
static int detach(const Container *c, Work *w, int descriptors, char **reterr) {
        char name[16];

        (void) snprintf(name, sizeof(name), "%i", w->there);
        if (fchdir(descriptors) < 0 || umount2(name, MNT_DETACH) < 0)
                /* What was mounted before the users got mapped is locked, mount_namespaces(7). */
                return fail(c, w, -errno,
                        errno == EINVAL && c->user != 0
                                ? "with private users, what was mounted at the start stays until "
                                  "a restart"
                                : NULL,
                        reterr);

        w->mount->is_recorded = false;
        return 0;
}

/* Inside: the children are taken away first, and mounted last. */
static int carry_out(const Container *c, const Plan *p, int descriptors, char **reterr) {
        int r;

        for (size_t i = p->n; i > 0; i--)
                if (p->works[i - 1].detach) {
                        r = detach(c, &p->works[i - 1], descriptors, reterr);
                        if (r < 0)
                                return r;
                }
        for (size_t i = 0; i < p->n; i++)
                if (p->works[i].attach) {
                        r = attach(c, &p->works[i], reterr);
                        if (r < 0)
                                return r;
                }
        return 0;
}

static int enter_and_carry_out(const Container *c, const Plan *p, char **reterr) {
        _cleanup_close_ int descriptors = -EBADF, host = -EBADF;
        int r;

        descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (descriptors < 0)
                return -errno;
        host = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
        if (host < 0)
                return -errno;

        if (setns(c->pidfd, CLONE_NEWNS) < 0)
                return -errno;
        r = carry_out(c, p, descriptors, reterr);
        if (setns(host, CLONE_NEWNS) < 0)
                _exit(EXIT_FAILURE); /* never go on among the container's files */
        return r;
}

static int compare_works(const void *a, const void *b) {
        const Work *x = a, *y = b;
        int c = strcmp(x->mount->bind.destination, y->mount->bind.destination);

        if (c == 0) /* what goes comes first */
                c = (int) x->mount->is_wanted - (int) y->mount->is_wanted;
        return c != 0 ? c : (x->mount > y->mount) - (x->mount < y->mount);
}

static int make_plan(BindMount *mounts, size_t n, Plan *ret) {
        ret->works = calloc(n, sizeof(Work));
        if (!ret->works)
                return -ENOMEM;

        ret->n = n;
        for (size_t i = 0; i < n; i++)
                ret->works[i] = (Work){ .mount = &mounts[i], .there = -EBADF, .tree = -EBADF };
        qsort(ret->works, n, sizeof(Work), compare_works);
        return 0;
}

int mounts_change(
        const char *machine, pid_t init, int pidfd, BindMount *mounts, size_t n, char **reterr) {
        _cleanup_(container_done) Container c = {
                .machine = machine, .pidfd = pidfd, .root = -EBADF, .users = -EBADF
        };
        _cleanup_(plan_done) Plan plan = {};
        bool any = false;
        int r;

        if (n == 0)
                return 0;

        r = make_plan(mounts, n, &plan);
        if (r >= 0)
                r = container_open(&c, init);
        if (r >= 0)
                r = decide(&c, &plan, reterr);
        if (r < 0)
                return r;

        for (size_t i = 0; i < n; i++) {
                Work *w = &plan.works[i];

                r = w->attach ? clone_source(&c, w, reterr) : 0;
                if (r < 0)
                        return r;
                if (!w->attach && !w->detach)
                        w->mount->is_recorded = w->mount->is_wanted;
                any = any || w->attach || w->detach;
        }

        return any ? enter_and_carry_out(&c, &plan, reterr) : 0;
}
