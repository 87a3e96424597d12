/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/confine.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "common/base/str.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)

/* rtnetlink, nftables and settings of interfaces; namespaces and their mounts. */
#define NETWORK (CAP(NET_ADMIN) | CAP(SYS_ADMIN))

/* Whatever a root or a cgroup that was given to the container's users belongs to. FOWNER: to remove from a
 * directory with the sticky bit. */
#define OTHERS_FILES (CAP(DAC_OVERRIDE) | CAP(FOWNER))

/* setns(2) into all namespaces of a process with more capabilities than ours (SYS_PTRACE), and its
 * bounding set (SETPCAP). Its cgroup is its users' (DAC_OVERRIDE). SIGTERM that the end of a helper sends a
 * process inside is subject to kill(2), too: PR_SET_PDEATHSIG. */
#define ENTER                                                                                      \
        (CAP(SYS_PTRACE) | CAP(SYS_ADMIN) | CAP(SYS_CHROOT) | CAP(SETPCAP) | CAP(DAC_OVERRIDE) |   \
                CAP(KILL))

const Confinement confinements[] = {
        { "spawnlet-root", NULL, OTHERS_FILES },
        /* What it executes gets no more than it has itself: spawnlet-network, which limits the bounding set
         * further (SETPCAP). */
        { "spawnlet-root", "network", OTHERS_FILES | NETWORK | CAP(SETPCAP) },
        /* A BPF program is loaded, and attached to the unit's cgroup: NET_ADMIN and SYS_ADMIN. */
        { "spawnlet-root", "ports", OTHERS_FILES | NETWORK | CAP(SETPCAP) },
        /* A user namespace is made, and clones of mounts, to find out what can be mapped. Then it is one
         * of those above. */
        { "spawnlet-root", "idmap",
                OTHERS_FILES | NETWORK | CAP(SETUID) | CAP(SETGID) | CAP(SETPCAP) },
        { "spawnlet-network", NULL, NETWORK },
        /* In the namespace of an init that has users of its own. */
        { "spawnlet-network", "start", NETWORK | CAP(SYS_PTRACE) },
        { "spawnlet-cleanup", NULL, NETWORK | OTHERS_FILES },
        /* Frozen cgroups inside are thawed (DAC_OVERRIDE). */
        { "spawnlet-stop", NULL, CAP(KILL) | CAP(SYS_PTRACE) | CAP(DAC_OVERRIDE) },
        /* A program that the signal would end is powered off by reboot(2) from inside. */
        { "spawnlet-stop", "command", ENTER | CAP(SYS_BOOT) },
        /* Mount points are made as the container's root: setfsuid(2), setfsgid(2). User namespaces for
         * mapped owners get maps. */
        { "spawnlet-reload", NULL, ENTER | CAP(SETUID) | CAP(SETGID), .runs_commands = true },
        { "spawnlet-enter", NULL, ENTER, .runs_commands = true },
        { "spawnlet-health", NULL, ENTER, .runs_commands = true },
        {},
};

/* The variables that we read. What libraries look at is nobody's to choose for a process of root's: NLDBG,
 * SYSTEMD_LOG_LEVEL, DBUS_SYSTEM_BUS_ADDRESS and the like. */
static const char *const kept_variables[] = {
        "EXIT_CODE=",
        "EXIT_STATUS=",
        "JOURNAL_STREAM=",
        "NOTIFY_SOCKET=",
        "SERVICE_RESULT=",
        "TERM=",
};

const Confinement *confinement_find(const char *program, const char *verb) {
        const Confinement *found = NULL;

        for (const Confinement *c = confinements; c->program; c++)
                if (strcmp(c->program, program) == 0 && (!c->verb || str_equal(c->verb, verb)))
                        found = c; /* those with a verb come after the one without */
        return found;
}

static bool is_kept(const char *variable) {
        for (size_t i = 0; i < ELEMENTSOF(kept_variables); i++)
                if (str_starts_with(variable, kept_variables[i]))
                        return true;
        return false;
}

/* The others are overwritten, too: who enters a container is seen there, with what it was started with as
 * /proc/PID/environ, until it executes the command. */
static void clear_environment(void) {
        static char *kept[ELEMENTSOF(kept_variables) + 1];

        for (size_t i = 0, n = 0; i < ELEMENTSOF(kept_variables); i++)
                for (char **e = environ; e && *e; e++)
                        if (str_starts_with(*e, kept_variables[i])) {
                                kept[n++] = *e;
                                break;
                        }
        for (char **e = environ; e && *e; e++)
                if (!is_kept(*e))
                        explicit_bzero(*e, strlen(*e));
        environ = kept;
}

/* Without SETPCAP the bounding set stays as it is; but then there is nobody who could give us more by it. */
static void limit_bounding_set(uint64_t keep) {
        for (int c = 0; c < 64; c++) {
                int r = prctl(PR_CAPBSET_READ, c, 0, 0, 0);

                if (r < 0) /* EINVAL: there are no more */
                        return;
                if (r > 0 && !(keep & UINT64_C(1) << c))
                        (void) prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
        }
}

static uint64_t bounding_set(void) {
        uint64_t set = 0;

        for (int c = 0; c < 64; c++)
                if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) > 0)
                        set |= UINT64_C(1) << c;
        return set;
}

/* Nothing is inherited: root's programs would get it beside what the bounding set has. With it, the ambient
 * set is emptied, capabilities(7). */
static int limit_sets(uint64_t permitted, uint64_t effective) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

        if (syscall(SYS_capget, &header, data) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(data); i++) {
                data[i].permitted &= (uint32_t) (permitted >> (32 * i));
                data[i].effective &= data[i].permitted & (uint32_t) (effective >> (32 * i));
                data[i].inheritable = 0;
        }
        return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int confine(const char *program, const char *verb) {
        const Confinement *c = confinement_find(program, verb);

        if (!c)
                return -ENOENT;

        clear_environment();
        if (c->runs_commands)
                return limit_sets(UINT64_MAX, c->capabilities);

        limit_bounding_set(c->capabilities); /* while there is SETPCAP */
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return limit_sets(c->capabilities, c->capabilities);
}

int confine_inside(void) {
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return -errno;
        return limit_sets(bounding_set(), UINT64_MAX);
}
