/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet-root: makes a container's root ready for its start.
 *
 * Run by ExecStartPre= of container-NAME.service. Everything is made only where it is missing:
 * what is there, the administrator or the container put there. See common/kernel/root.h for how
 * the root is kept from leading us astray.
 *
 * It also writes down what the container is started with, see common/base/settings.h. What comes
 * next, spawnlet-network mostly, is executed in its place: systemd takes longer to start a process
 * than either of the two for its work.
 */

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/base/address.h"
#include "common/base/credential.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/name.h"
#include "common/base/notify.h"
#include "common/base/resolv.h"
#include "common/base/settings.h"
#include "common/kernel/cgroup.h"
#include "common/kernel/confine.h"
#include "common/kernel/idmap.h"
#include "common/kernel/lowports.h"
#include "common/kernel/machine.h"
#include "common/kernel/root.h"

#define HOST_FILE_MAX (1024U * 1024U)

/* For which systemd may be busy with a daemon-reload. The unit's own timeout is longer. */
#define RELOAD_TIMEOUT_MSEC 60000

/* Users above this are people, who have no business in a container; login.defs(5), UID_MIN. */
#define SYSTEM_UID_MAX 999
#define NOBODY_UID 65534

/* The name servers of the host's systemd-resolved; systemd-resolved.service(8), /ETC/RESOLV.CONF. */
#define RESOLVED_UPLINK "/run/systemd/resolve/resolv.conf"

/* The files that systemd-nspawn(1), --resolv-conf=, takes. */
static const struct {
        const char *kind, *path;
} resolv_sources[] = {
        { "host", "/etc/resolv.conf" },
        { "static", "/usr/lib/systemd/resolv.conf" },
        { "uplink", RESOLVED_UPLINK },
        { "stub", "/run/systemd/resolve/stub-resolv.conf" },
};

/* Where the parts of a merged /usr are linked from. */
static const char *const usr_links[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32" };

/*
 * What programs in the shared /usr need in /etc to run at all, on the distributions that do not
 * keep it in /usr. Nothing secret, nothing about the host's network, no services' settings.
 */
static const char *const etc_copies[] = {
        "alternatives",
        "bash.bashrc",
        "bindresvport.blacklist",
        "ca-certificates",
        "ca-certificates.conf",
        "default/locale",
        "inputrc",
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "locale.conf",
        "login.defs",
        "mime.types",
        "pam.conf",
        "pam.d",
        "pki/ca-trust",
        "pki/tls",
        "profile",
        "profile.d",
        "protocols",
        "rpc",
        "security",
        "services",
        "shells",
        "skel",
        "ssl/certs",
        "ssl/openssl.cnf",
        "xattr.conf",
};

/*
 * Generators of systemd's that have nothing to do here, and are a seventh of the work of a start:
 * consoles, partitions, sleep, TPMs and offline updates are the host's. /etc/systemd/system-generators
 * comes before /usr, systemd.generator(7).
 */
static const char *const masked_generators[] = {
        "systemd-bless-boot-generator",
        "systemd-cryptsetup-generator",
        "systemd-factory-reset-generator",
        "systemd-getty-generator",
        "systemd-gpt-auto-generator",
        "systemd-hibernate-resume-generator",
        "systemd-import-generator",
        "systemd-integritysetup-generator",
        "systemd-ssh-generator",
        "systemd-system-update-generator",
        "systemd-tpm2-generator",
        "systemd-veritysetup-generator",
};

typedef enum System {
        SYSTEM_IN_ROOT,
        SYSTEM_OF_HOST,
        SYSTEM_NIX,
        _SYSTEM_MAX,
        _SYSTEM_INVALID = -EINVAL,
} System;

typedef struct Arguments {
        const char *name; /* the definition's */
        char **settings;  /* borrowed */
        char **command;   /* borrowed; NULL if there is none */
        const char *root; /* NULL: a disk image */
        bool image;
        System system;
        const char *machine_id;
        char **servers, **domains;  /* of resolv.conf */
        const char *resolv_source;  /* or the file that it is made of */
        bool maps_binds, maps_root; /* whose owners nspawn will map */
        bool low_ports;             /* which the container has no right to */
        char **credentials;         /* files that the generator wrote */
        const char *instance;       /* what "%i" in them stands for */
} Arguments;

static const char *const system_names[_SYSTEM_MAX] = {
        [SYSTEM_IN_ROOT] = "root",
        [SYSTEM_OF_HOST] = "host",
        [SYSTEM_NIX] = "nix",
};

static const char *parse_resolv_source(const char *s) {
        for (size_t i = 0; i < ELEMENTSOF(resolv_sources); i++)
                if (strcmp(resolv_sources[i].kind, s) == 0)
                        return resolv_sources[i].path;
        return NULL;
}

static System parse_system(const char *s) {
        for (System i = 0; i < _SYSTEM_MAX; i++)
                if (strcmp(system_names[i], s) == 0)
                        return i;
        return _SYSTEM_INVALID;
}

static int log_made(int r, const char *what) {
        if (r == -ELOOP || r == -ENOTDIR)
                return log_error_errno(r,
                        "Refusing to use '%s' in the container's root: it is no directory, but "
                        "maybe a link that the container made",
                        what);
        return r < 0 ? log_error_errno(r, "Failed to make '%s' in the container's root: %m", what)
                     : 0;
}

/* Make the directory that @path is in. Return: a descriptor of it, with *ret_name set to the last
 * part of @path; negative errno, logged. */
static int make_parent(int root, const char *path, const char **ret_name) {
        const char *slash = strrchr(path, '/');
        char directory[PATH_MAX];
        int fd;

        if (!slash) {
                fd = fcntl(root, F_DUPFD_CLOEXEC, 3);
                *ret_name = path;
                return fd < 0 ? log_error_errno(errno, "Failed to duplicate a descriptor: %m") : fd;
        }

        (void) snprintf(directory, sizeof(directory), "%.*s", (int) (slash - path), path);
        fd = root_mkdir(root, directory, 0755);
        *ret_name = slash + 1;
        return fd < 0 ? log_made(fd, directory) : fd;
}

static int make_directory(int root, const char *path, mode_t mode) {
        _cleanup_close_ int fd = root_mkdir(root, path, mode);

        return log_made(fd, path);
}

static int make_file(int root, const char *path, const char *content, mode_t mode) {
        const char *name;
        _cleanup_close_ int directory = make_parent(root, path, &name);

        if (directory < 0)
                return directory;
        return log_made(root_create(directory, name, content, strlen(content), mode), path);
}

static int make_link(int root, const char *path, const char *target) {
        const char *name;
        _cleanup_close_ int directory = make_parent(root, path, &name);

        if (directory < 0)
                return directory;
        return log_made(root_symlink(directory, name, target), path);
}

static int copy_etc(int root) {
        for (size_t i = 0; i < ELEMENTSOF(etc_copies); i++) {
                char source[PATH_MAX], path[PATH_MAX];
                const char *name;
                int r;

                (void) snprintf(source, sizeof(source), "/etc/%s", etc_copies[i]);
                if (access(source, F_OK) < 0)
                        continue;

                (void) snprintf(path, sizeof(path), "etc/%s", etc_copies[i]);
                _cleanup_close_ int directory = make_parent(root, path, &name);
                if (directory < 0)
                        return directory;

                r = log_made(root_copy(source, directory, name), path);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* A line of passwd(5) or group(5), NAME:PASSWORD:ID:REST. Return: whether it is of the system. */
static bool parse_account(const char *line, size_t n, int *ret_name_length, const char **ret_id) {
        const char *password = memchr(line, ':', n);
        const char *id =
                password ? memchr(password + 1, ':', n - (size_t) (password + 1 - line)) : NULL;

        /* Without a number strtol(3) would pass over the end of the line. */
        if (!id || password == line || strchr("#+-", *line) || id[1] < '0' || id[1] > '9')
                return false;

        *ret_name_length = (int) (password - line);
        *ret_id = id + 1;

        long number = strtol(id + 1, NULL, 10);
        return number <= SYSTEM_UID_MAX || number == NOBODY_UID;
}

/* Whether a user is among the lines of passwd(5) in @users. */
static bool has_user(const char *users, const char *name, size_t n) {
        for (const char *line = users; *line;) {
                size_t k = strcspn(line, "\n");

                if (k > n && strncmp(line, name, n) == 0 && line[n] == ':')
                        return true;
                line += k + (line[k] == '\n');
        }

        return false;
}

/* The members of a group that are users of the system: people's names stay outside. */
static void append_members(Str *s, const char *members, size_t n, const char *users) {
        bool first = true;

        for (const char *p = members, *end = members + n; p < end;) {
                size_t k = MIN(strcspn(p, ",\n"), (size_t) (end - p));

                if (k > 0 && has_user(users, p, k)) {
                        str_appendf(s, "%s%.*s", first ? "" : ",", (int) k, p);
                        first = false;
                }
                p += k + 1;
        }
}

/*
 * One of the two account databases of the host, without people.
 * @users: for group(5), the result for passwd(5); else NULL
 * @locked: what follows the name in the shadow file, which locks all accounts
 */
static int filter_accounts(const char *text, const char *users, const char *locked,
        char **ret_entries, char **ret_shadow) {
        _cleanup_str_ Str entries = {}, shadow = {};
        int r;

        for (const char *line = text; *line;) {
                size_t n = strcspn(line, "\n");
                const char *id;
                int name;

                if (parse_account(line, n, &name, &id)) {
                        const char *end = line + n, *members = memchr(id, ':', (size_t) (end - id));
                        size_t kept = users && members ? (size_t) (members + 1 - id)
                                                       : (size_t) (end - id);

                        str_appendf(&entries, "%.*s:x:%.*s", name, line, (int) kept, id);
                        if (users && members)
                                append_members(
                                        &entries, members + 1, (size_t) (end - members - 1), users);
                        str_append(&entries, "\n");
                        str_appendf(&shadow, "%.*s:%s\n", name, line, locked);
                }
                line += n + (line[n] == '\n');
        }

        r = str_take(&entries, ret_entries);
        return r < 0 ? r : str_take(&shadow, ret_shadow);
}

static int read_accounts(const char *path, const char *users, const char *locked,
        char **ret_entries, char **ret_shadow) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = file_read(AT_FDCWD, path, HOST_FILE_MAX, &text, NULL);
        if (r < 0)
                return log_error_errno(r, "Failed to read '%s': %m", path);
        return filter_accounts(text, users, locked, ret_entries, ret_shadow) < 0 ? log_oom() : 0;
}

/*
 * The users and groups of the host's services, so that those of Services= find theirs and files
 * in /usr keep their owners' names. No password comes along.
 */
static int copy_accounts(int root) {
        _cleanup_free_ char *passwd = NULL, *shadow = NULL, *group = NULL, *gshadow = NULL;
        int r;

        r = read_accounts("/etc/passwd", NULL, "*:::::::", &passwd, &shadow);
        if (r >= 0)
                r = read_accounts("/etc/group", passwd, "*::", &group, &gshadow);
        if (r >= 0)
                r = make_file(root, "etc/shadow", shadow, 0600);
        if (r >= 0)
                r = make_file(root, "etc/gshadow", gshadow, 0600);
        if (r >= 0)
                r = make_file(root, "etc/passwd", passwd, 0644);
        return r < 0 ? r : make_file(root, "etc/group", group, 0644);
}

/*
 * A machine ID of its own. With an empty one systemd would take this for a first boot and enable
 * every unit that the host's /usr has; machine-id(5), "First Boot Semantics".
 */
static int make_machine_id(int root, const char *wanted) {
        uint8_t id[16];
        char text[sizeof(id) * 2 + 2];

        if (wanted)
                return make_file(root, "etc/machine-id", wanted, 0444);

        if (getrandom(id, sizeof(id), 0) != (ssize_t) sizeof(id))
                return log_error_errno(errno, "Failed to make a machine ID: %m");

        id[6] = (uint8_t) ((id[6] & 0x0f) | 0x40); /* a version 4 UUID, as machine-id(5) wants it */
        id[8] = (uint8_t) ((id[8] & 0x3f) | 0x80);
        for (size_t i = 0; i < sizeof(id); i++)
                (void) snprintf(text + i * 2, 3, "%02x", id[i]);
        text[sizeof(id) * 2] = '\n';
        text[sizeof(id) * 2 + 1] = '\0';

        return make_file(root, "etc/machine-id", text, 0444);
}

/* systemd-update-done.service(8): these say for which /usr the ConditionNeedsUpdate= services
 * have run. All they would make of this /usr was made on the host and copied above. */
static int mark_updated(int root) {
        static const char *const paths[] = { "etc/.updated", "var/.updated" };
        struct stat st;

        if (stat("/usr", &st) < 0)
                return log_error_errno(errno, "Failed to look at '/usr': %m");

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                const struct timespec times[] = { st.st_mtim, st.st_mtim };
                const char *name;
                _cleanup_close_ int directory = make_parent(root, paths[i], &name);

                if (directory < 0)
                        return directory;

                int r = root_create(directory, name, "", 0, 0644);
                if (r < 0)
                        return log_made(r, paths[i]);
                if (r > 0 && utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW) < 0)
                        return log_error_errno(
                                errno, "Failed to set the time of '%s': %m", paths[i]);
        }

        return 0;
}

/* Link into /usr what the host links into it. */
static int link_usr(int root) {
        for (size_t i = 0; i < ELEMENTSOF(usr_links); i++) {
                char path[16], target[PATH_MAX];
                struct stat st;
                ssize_t n;
                int r;

                (void) snprintf(path, sizeof(path), "/%s", usr_links[i]);
                if (lstat(path, &st) < 0)
                        continue;

                n = S_ISLNK(st.st_mode) ? readlink(path, target, sizeof(target) - 1) : -1;
                if (n < 0)
                        return log_error_errno(EOPNOTSUPP,
                                "System=host needs a host whose '%s' is a link into '/usr'", path);
                target[n] = '\0';

                r = make_link(root, usr_links[i], target);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Whoever wants one of them puts a link to the generator in the place of ours. */
static int mask_generators(int root) {
        _cleanup_close_ int directory = root_mkdir(root, "etc/systemd/system-generators", 0755);
        int r = log_made(directory, "etc/systemd/system-generators");

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(masked_generators); i++)
                r = log_made(root_symlink(directory, masked_generators[i], "/dev/null"),
                        masked_generators[i]);
        return r;
}

/* Not the host's: that names the host's own neighbours. hosts(5). */
static int make_hosts(int root, const char *machine) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = str_format(&text, "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n", machine);
        return r < 0 ? log_oom() : make_file(root, "etc/hosts", text, 0644);
}

/* Where "spawnlet" belongs in a line "hosts:" of nsswitch.conf(5): behind "files", or first where
 * an action before "files" could end the search. Return: NULL if the line has it, or is another. */
static const char *place_in_hosts(const char *line, size_t n) {
        const char *end = line + n, *p = line + strspn(line, " \t"), *first, *behind_files = NULL;
        bool has_action = false;

        first = p = str_starts_with(p, "hosts:");
        if (!p)
                return NULL;

        for (size_t k; p < end && *p != '#'; p += MAX(k, (size_t) 1)) {
                k = MIN(strcspn(p, " \t[]#"), (size_t) (end - p));
                if (k == strlen("spawnlet") && strncmp(p, "spawnlet", k) == 0)
                        return NULL;
                if (k == strlen("files") && strncmp(p, "files", k) == 0 && !has_action)
                        behind_files = p + k;
                has_action = has_action || *p == '[';
        }

        return behind_files ? behind_files : first;
}

/* Append an nsswitch.conf(5) with "spawnlet" in it. */
static void append_nsswitch(Str *s, const char *text) {
        for (const char *line = text; *line;) {
                size_t n = strcspn(line, "\n");
                const char *place = place_in_hosts(line, n);
                size_t before = place ? (size_t) (place - line) : 0;

                str_append_n(s, line, before);
                if (place) /* "hosts:dns" is as good as "hosts: dns" */
                        str_append(s, strchr(" \t\n[#", *place) ? " spawnlet" : " spawnlet ");
                n += line[n] == '\n';
                str_append_n(s, line + before, n - before);
                line += n;
        }
}

/*
 * The host's, with the module for the names of other containers, also where the host itself does
 * not use it; nss-spawnlet(8). The content, not the link that it is on some distributions.
 */
static int make_nsswitch(int root) {
        _cleanup_free_ char *text = NULL;
        _cleanup_str_ Str s = {};
        int r;

        r = file_read(AT_FDCWD, "/etc/nsswitch.conf", HOST_FILE_MAX, &text, NULL);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return log_error_errno(r, "Failed to read '/etc/nsswitch.conf': %m");

        append_nsswitch(&s, text);
        return str_error(&s) < 0 ? log_oom()
                                 : make_file(root, "etc/nsswitch.conf", s.data ? s.data : "", 0644);
}

static int prepare_host(int root, const char *machine, const char *machine_id) {
        static const struct {
                const char *path;
                mode_t mode;
        } directories[] = {
                { "root", 0700 },
                { "var/lib/private", 0700 },
                /* nspawn makes these itself, but not in a root that is read-only, or will be. */
                { "dev", 0755 },
                { "proc", 0755 },
                { "run", 0755 },
                { "sys", 0755 },
                { "tmp", 01777 },
        };
        int r;

        r = link_usr(root);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(directories); i++)
                r = make_directory(root, directories[i].path, directories[i].mode);
        /* nspawn looks for it before it mounts /usr over the empty one. */
        if (r >= 0)
                r = make_file(root, "usr/lib/os-release", "", 0644);
        if (r >= 0)
                r = make_link(root, "etc/os-release", "../usr/lib/os-release");
        if (r >= 0)
                r = make_machine_id(root, machine_id);
        if (r >= 0)
                r = make_hosts(root, machine);
        if (r >= 0)
                r = copy_etc(root);
        if (r >= 0)
                r = make_nsswitch(root);
        if (r >= 0)
                r = copy_accounts(root);
        if (r >= 0)
                r = mask_generators(root);
        return r < 0 ? r : mark_updated(root);
}

/* The root of a NixOS container, as NixOS itself makes it. */
static int prepare_nix(int root, const char *machine) {
        static const struct {
                const char *path;
                mode_t mode;
        } directories[] = {
                { "etc", 0755 },
                { "usr/bin", 0755 },
                { "var/lib/private", 0700 },
                { "root", 0700 },
        };
        static const char *const shared[] = { "/nix/var/nix/db", "/nix/var/nix/daemon-socket" };
        static const char *const own[] = { "profiles", "gcroots" };
        char path[PATH_MAX];
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(directories); i++)
                r = make_directory(root, directories[i].path, directories[i].mode);
        if (r >= 0)
                r = make_file(root, "etc/os-release", "", 0644);
        if (r >= 0)
                r = make_file(root, "etc/machine-id", "", 0644);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(shared); i++) {
                r = mkdir_parents(shared[i], 0755);
                if (r < 0)
                        return log_error_errno(r, "Failed to make '%s': %m", shared[i]);
        }
        for (size_t i = 0; i < ELEMENTSOF(own); i++) {
                (void) snprintf(path, sizeof(path), "/nix/var/nix/%s", own[i]);
                r = mkdir_parents(path, 0755);
                /* Closed: a set-user-ID program in there would be root's for the host's users. */
                (void) snprintf(path, sizeof(path), "/nix/var/nix/%s/per-container", own[i]);
                if (r >= 0)
                        r = mkdir_parents(path, 0700);
                (void) snprintf(
                        path, sizeof(path), "/nix/var/nix/%s/per-container/%s", own[i], machine);
                if (r >= 0)
                        r = mkdir_parents(path, 0755);
                if (r < 0)
                        return log_error_errno(r, "Failed to make '%s': %m", path);
        }

        return 0;
}

/* nspawn would refuse the root as well, but its words do not say what to do; and it waits at a FIFO. */
static int check_root(int root, const char *path, System system) {
        static const char *const files[] = { "etc/os-release", "usr/lib/os-release" };

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                int r = root_has_file(root, files[i]);

                if (r == -EBADFD)
                        return log_error_errno(r, "Refusing to use '%s/%s': it is no regular file",
                                path, files[i]);
                if (r < 0)
                        return log_error_errno(r, "Failed to look into '%s': %m", path);
                if (r > 0)
                        return 0;
        }

        /* That of NixOS leads into the store, which is not mounted yet. */
        if (system != SYSTEM_IN_ROOT)
                return 0;
        log_error("No operating system is in '%s': neither etc/os-release nor usr/lib/os-release "
                  "exists there. Install one (with debootstrap, dnf --installroot, ...), or share "
                  "the host's with System=host.",
                path);
        return -ENOENT;
}

/*
 * systemd-nspawn itself follows links on the host in two places: it reads the machine ID (252), and makes
 * /var/log/journal/MACHINE-ID, setup_journal() in nspawn.c. The second could be in any directory of the
 * host's, and with private users it would belong to the container.
 */
static int check_links(int root, const char *path, char *const *settings) {
        static const struct {
                const char *path;
                bool is_journal;
        } followed[] = {
                { "etc/machine-id", false },
                { "var", true },
                { "var/log", true },
                { "var/log/journal", true },
        };
        bool has_journal = !strv_contains(settings, "[Exec]LinkJournal=no");

        for (size_t i = 0; i < ELEMENTSOF(followed); i++) {
                int r = !followed[i].is_journal || has_journal
                        ? root_leads_out(root, followed[i].path)
                        : 0;

                if (r < 0)
                        return log_error_errno(r, "Failed to look into '%s': %m", path);
                if (r > 0)
                        return log_error_errno(ELOOP,
                                "Refusing to use '%s/%s', which systemd-nspawn follows: it is a "
                                "link that leads out of the root%s",
                                path, followed[i].path,
                                followed[i].is_journal ? "; with LinkJournal=no it does no harm"
                                                       : "");
        }
        return 0;
}

/* What leads to a root is trusted: so the one who may change that is told. */
static int warn_about_path(const Arguments *a) {
        _cleanup_free_ char *writable = NULL;
        bool reachable;
        int r;

        r = root_look_above(a->root, &writable, &reachable);
        if (r < 0)
                return log_error_errno(r, "Failed to look at what is above '%s': %m", a->root);
        if (writable)
                log_warning("Others than root may write to '%s', and put something else in the "
                            "place of "
                            "the root '%s'. Move it to where only root may.",
                        writable, a->root);
        if (reachable && !strv_contains(a->settings, "[Exec]PrivateUsersOwnership=chown"))
                log_warning("The host's users can reach the root '%s': a set-user-ID program of "
                            "root inside "
                            "is one of root here, too. Close a directory above it (mode 0700).",
                        a->root);
        return 0;
}

static int prepare(const char *machine, const Arguments *a) {
        const char *path = a->root;
        _cleanup_close_ int root = -EBADF;
        int r;

        /* Set-user-ID programs in a root are nothing for the host's users. */
        r = mkdir_parents(MACHINES_DIR, 0700);
        if (r < 0)
                return log_error_errno(r, "Failed to make '" MACHINES_DIR "': %m");

        root = root_open(path);
        if (root == -EXDEV)
                return log_error_errno(root,
                        "Refusing to use '%s' as a container's root: it leads to the host's own",
                        path);
        if (root < 0)
                return log_error_errno(root, "Failed to make or open the root '%s': %m", path);

        r = warn_about_path(a);
        if (r < 0)
                return r;

        switch (a->system) {
        case SYSTEM_OF_HOST:
                r = prepare_host(root, machine, a->machine_id);
                break;
        case SYSTEM_NIX:
                r = prepare_nix(root, machine);
                break;
        default:
                r = 0; /* taken as it is */
        }

        if (r >= 0)
                r = check_root(root, path, a->system);
        if (r >= 0)
                r = check_links(root, path, a->settings);
        if (r >= 0 && a->maps_root && idmap_make_points(root, a->settings) < 0)
                r = log_oom();
        return r;
}

/*
 * A container's resolv.conf, on the host: the unit binds it over the container's own, whose place
 * inside the container may have made a link.
 */
static int write_resolv_conf(const char *machine, const char *text) {
        int r = resolv_make(machine, text);

        return r < 0
                ? log_error_errno(r, "Failed to write '" SPAWNLET_RESOLV_DIR "/%s': %m", machine)
                : 0;
}

/* That of DNS= and Search=. */
static int make_resolv_conf(const char *machine, char *const *servers, char *const *domains) {
        _cleanup_free_ char *text = NULL;

        return resolv_format(servers, domains, &text) < 0 ? log_oom()
                                                          : write_resolv_conf(machine, text);
}

/* Whether a name server can be reached from another network namespace: not so on an address that
 * is each namespace's own, or only on one link of the host. */
static bool name_server_is_of_use(const char *server) {
        Address a;

        return address_parse(server, &a, NULL) >= 0 && address_is_host(&a) &&
                (a.family == AF_INET || !IN6_IS_ADDR_LINKLOCAL(&a.in6));
}

/* The next word of a line, after @p. Return: its length, 0 at the end. */
static size_t next_word(const char **p) {
        *p += strspn(*p, " \t\r");
        return strcspn(*p, " \t\r\n");
}

/* Take over the name servers of a resolv.conf(5) that are of use. Return: whether there are any. */
static bool append_name_servers(Str *s, const char *text) {
        bool found = false;

        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                const char *p = line;
                char server[INET6_ADDRSTRLEN];
                size_t n = next_word(&p);

                if (p != line || n != strlen("nameserver") || strncmp(p, "nameserver", n) != 0)
                        continue;

                p += n;
                n = next_word(&p);
                if (n >= sizeof(server))
                        continue;
                (void) snprintf(server, sizeof(server), "%.*s", (int) n, p);
                if (name_server_is_of_use(server)) {
                        str_append_all(s, "nameserver ", server, "\n");
                        found = true;
                }
        }

        return found;
}

/* Take over the other lines of a resolv.conf(5).
 * @trust: whether its own name servers are used, which is what the option trust-ad is about */
static void append_resolv_options(Str *s, const char *text, bool trust) {
        static const char *const keywords[] = { "domain", "search", "sortlist", "options" };

        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                bool known = false;
                const char *p = line;
                size_t n = next_word(&p);

                for (size_t i = 0; p == line && i < ELEMENTSOF(keywords); i++)
                        known = known ||
                                (n == strlen(keywords[i]) && strncmp(p, keywords[i], n) == 0);
                if (!known)
                        continue;

                str_append_n(s, p, n);
                for (p += n; (n = next_word(&p)) > 0; p += n)
                        if (trust || n != strlen("trust-ad") || strncmp(p, "trust-ad", n) != 0) {
                                str_append_char(s, ' ');
                                str_append_n(s, p, n);
                        }
                str_append_char(s, '\n');
        }
}

/* A resolv.conf(5) of the host; nothing where there is none. */
static int read_resolv_conf(const char *path, char **ret) {
        int r = file_read(AT_FDCWD, path, HOST_FILE_MAX, ret, NULL);

        if (r == -ENOENT) {
                *ret = strdup("");
                return *ret ? 0 : log_oom();
        }
        return r < 0 ? log_error_errno(r, "Failed to read '%s': %m", path) : 0;
}

/*
 * That of the host as ResolvConf= names it, for a network of the container's own. Resolvers that
 * listen on a loopback address, such as 127.0.0.53, are left out: there it is the container's, and
 * nobody listens. systemd-resolved, if it is one of them, keeps the servers that it asks itself in
 * a file.
 */
static int copy_resolv_conf(const char *machine, const char *source) {
        _cleanup_free_ char *text = NULL, *uplink = NULL;
        _cleanup_str_ Str s = {};
        bool own;
        int r;

        r = read_resolv_conf(source, &text);
        if (r < 0)
                return r;

        str_append_all(&s, "# Written by spawnlet from '", source, "' of the host.\n");
        own = append_name_servers(&s, text);
        if (!own) {
                r = read_resolv_conf(RESOLVED_UPLINK, &uplink);
                if (r < 0)
                        return r;
                if (!append_name_servers(&s, uplink)) {
                        log_error("No name server that the container can reach is in '%s' or "
                                  "'" RESOLVED_UPLINK "': one on a loopback or link-local address "
                                  "answers on the host alone. Remove ResolvConf=, and set DNS= in "
                                  "[Network].",
                                source);
                        return -ENOENT;
                }
        }
        append_resolv_options(&s, text, own);

        return str_error(&s) < 0 ? log_oom() : write_resolv_conf(machine, s.data);
}

/* Let machinectl find a root that is elsewhere. */
static int link_machine(const char *machine, const char *path) {
        int r = machine_link(machine, path);

        if (r < 0)
                return log_error_errno(
                        r, "Failed to link '" MACHINES_DIR "/%s' to '%s': %m", machine, path);
        if (r == 0)
                log_warning("'" MACHINES_DIR
                            "/%s' exists and is not ours: machinectl shows it in place "
                            "of '%s'.",
                        machine, path);
        return 0;
}

static void help(void) {
        printf("%1$s --root=PATH [OPTION...] NAME [SETTING...] [-- COMMAND...]\n"
               "%1$s --image [OPTION...] NAME [SETTING...] [-- COMMAND...]\n\n"
               "Make the root of a container ready for its start, and write down what it is\n"
               "started with.\n\n"
               "  -h --help           Show this help\n"
               "     --root=PATH      The container's root directory, made if missing\n"
               "     --image          The root is in a disk image, and taken as it is\n"
               "     --system=KIND    What is in it: a whole system (root), one that shares the\n"
               "                      host's /usr (host), or one of a NixOS profile (nix)\n"
               "     --machine-id=ID  With --system=host, the machine ID where there is none yet\n"
               "     --dns=ADDRESS    Name server for a resolv.conf, may be repeated\n"
               "     --search=DOMAIN  Search domain for it, may be repeated\n"
               "     --resolv-conf=KIND\n"
               "                      Make a resolv.conf of the host's: host, static, uplink or\n"
               "                      stub as in systemd-nspawn(1), without loopback addresses\n"
               "     --idmap=WHAT     Find out if owners can be mapped: of bind mounts (binds), or "
               "of\n"
               "                      the root, too (root)\n"
               "     --low-ports      Let the processes in the unit's cgroup bind ports below "
               "1024\n"
               "     --credential=FILE\n"
               "                      Pass on a credential of the definition, may be repeated\n"
               "     --instance=NAME  What %%i in it stands for\n\n"
               "NAME is the definition's: NAME or TEMPLATE@INSTANCE. A SETTING is a line such as\n"
               "[Network]HostAddress=10.90.0.1. COMMAND is executed at the end. Called by the\n"
               "container's unit; see spawnlet.container(5).\n",
                program_invocation_short_name);
}

static void arguments_done(Arguments *a) {
        strv_free(a->servers);
        strv_free(a->domains);
        strv_free(a->credentials);
}

static int parse_idmap(const char *what, Arguments *a) {
        a->maps_root = strcmp(what, "root") == 0;
        a->maps_binds = a->maps_root || strcmp(what, "binds") == 0;
        return a->maps_binds ? 0
                             : log_error_errno(EINVAL, "--idmap=%s: neither binds nor root", what);
}

static int extend_list(char ***list, const char *value) {
        return strv_extend(list, value) < 0 ? log_oom() : 0;
}

/* Take an option that has a value. Return: 0; negative errno, logged. */
static int take_option(int option, const char *value, Arguments *a) {
        switch (option) {
        case 'r':
                a->root = value;
                return 0;
        case 's':
                a->system = parse_system(value);
                return a->system < 0 ? log_error_errno(EINVAL,
                                               "--system=%s: not one of root, host and nix", value)
                                     : 0;
        case 'm':
                a->machine_id = value;
                return 0;
        case 'd':
                return extend_list(&a->servers, value);
        case 'S':
                return extend_list(&a->domains, value);
        case 'R':
                a->resolv_source = parse_resolv_source(value);
                return a->resolv_source
                        ? 0
                        : log_error_errno(EINVAL,
                                  "--resolv-conf=%s: not one of host, static, uplink and stub",
                                  value);
        case 'M':
                return parse_idmap(value, a);
        case 'C':
                return extend_list(&a->credentials, value);
        case 'I':
                a->instance = value;
                return 0;
        default:
                return -EINVAL;
        }
}

/* Return: 1 to go on, 0 when all is done, negative errno on wrong usage, logged. */
static int parse_argv(int argc, char *argv[], Arguments *a) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "root", required_argument, NULL, 'r' },
                { "image", no_argument, NULL, 'i' },
                { "system", required_argument, NULL, 's' },
                { "machine-id", required_argument, NULL, 'm' },
                { "dns", required_argument, NULL, 'd' },
                { "search", required_argument, NULL, 'S' },
                { "resolv-conf", required_argument, NULL, 'R' },
                { "idmap", required_argument, NULL, 'M' },
                { "low-ports", no_argument, NULL, 'L' },
                { "credential", required_argument, NULL, 'C' },
                { "instance", required_argument, NULL, 'I' },
                {},
        };

        for (int c, r; (c = getopt_long(argc, argv, "h", options, NULL)) >= 0;) {
                if (c == 'h') {
                        help();
                        return 0;
                }
                if (c == 'i') {
                        a->image = true;
                        continue;
                }
                if (c == 'L') {
                        a->low_ports = true;
                        continue;
                }
                r = take_option(c, optarg, a);
                if (r < 0)
                        return r;
        }

        if (!a->root == !a->image || argc == optind || !definition_name_is_valid(argv[optind]))
                return log_error_errno(EINVAL,
                        "Takes one of --root= and --image, and the name of a container, see "
                        "--help");
        a->name = argv[optind];
        a->settings = argv + optind + 1;
        return 1;
}

/* nspawn's own errors come late, and do not say what to do. */
static int check_idmap(const Arguments *a) {
        _cleanup_close_ int root = -EBADF;
        _cleanup_free_ char *error = NULL;
        int r;

        if (a->maps_root) {
                root = root_open(a->root); /* made where it is missing, as prepare() does */
                if (root < 0)
                        return 0; /* which it will say */
        }

        r = idmap_check(a->maps_root ? a->root : NULL, a->system == SYSTEM_OF_HOST ? "/usr" : NULL,
                a->settings, &error);
        if (r < 0 && error)
                log_error("%s", error);
        else if (r < 0)
                (void) log_error_errno(r, "Failed to find out if owners can be mapped: %m");
        return r;
}

/* A container that needs none of these ports is not to be kept from starting: a failure is a warning. */
static void allow_low_ports(void) {
        _cleanup_free_ char *cgroup = NULL, *error = NULL;
        int r = cgroup_of_own_unit(&cgroup);

        if (r >= 0)
                r = lowports_allow(cgroup, &error);
        if (r < 0)
                log_warning_errno(r, "The container cannot use ports below 1024: %s: %m",
                        error ? error : "failed to find the unit's cgroup");
}

static int install_credentials(const Arguments *a, const char *machine) {
        _cleanup_free_ char *error = NULL, *again = NULL;
        int r = credentials_install(machine, a->credentials, a->instance, &error);

        /* During a daemon-reload, until whose end systemd does nothing else. */
        if (r == -ENOENT && notify_barrier(RELOAD_TIMEOUT_MSEC) >= 0)
                r = credentials_install(machine, a->credentials, a->instance, &again);
        if (r < 0 && error)
                (void) log_error_errno(r, "%s: %m", error);
        else if (r < 0)
                log_oom();
        return r;
}

static int run(const Arguments *a) {
        _cleanup_free_ char *machine = NULL;
        int r;

        if (definition_name_to_machine(a->name, &machine) < 0)
                return log_oom();

        r = settings_write(a->name, a->settings);
        if (r < 0)
                return log_error_errno(
                        r, "Failed to make a file in '" SPAWNLET_STARTED_DIR "': %m");

        /* Every container has it mounted, also on a host whose containers have no network. */
        r = mkdir_parents(SPAWNLET_HOSTS_DIR, 0755);
        if (r < 0)
                return log_error_errno(r, "Failed to make '" SPAWNLET_HOSTS_DIR "': %m");

        r = install_credentials(a, machine);
        if (r < 0)
                return r;

        if (a->resolv_source)
                r = copy_resolv_conf(machine, a->resolv_source);
        else if (a->servers || a->domains)
                r = make_resolv_conf(machine, a->servers, a->domains);
        if (r >= 0 && !a->image)
                r = prepare(machine, a);
        if (r >= 0 && !a->image)
                r = link_machine(machine, a->root);
        if (r < 0 || !a->command)
                return r;

        (void) execv(a->command[0], a->command);
        return log_error_errno(errno, "Failed to execute '%s': %m", a->command[0]);
}

/* Do what takes more capabilities than all the rest, and give them up one after the other. */
static int run_confined(const Arguments *a) {
        int r = 0;

        if (a->maps_binds) {
                r = confine("spawnlet-root", "idmap");
                if (r >= 0 && check_idmap(a) < 0)
                        return -ECANCELED; /* logged */
        }
        if (r >= 0 && a->low_ports) {
                r = confine("spawnlet-root", "ports");
                if (r >= 0)
                        allow_low_ports();
        }
        if (r >= 0)
                r = confine("spawnlet-root", a->command ? "network" : NULL);
        return r < 0 ? log_error_errno(r, "Failed to give up capabilities: %m") : run(a);
}

int main(int argc, char *argv[]) {
        _cleanup_(arguments_done) Arguments arguments = { .system = SYSTEM_IN_ROOT };
        int r;

        log_setup("spawnlet-root", log_target_of_service());
        log_on_error(notify_status);
        umask(0);

        arguments.command = argv_cut(&argc, argv);
        r = parse_argv(argc, argv, &arguments);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        r = run_confined(&arguments);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
