/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/namespace.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/kernel/cgroup.h"
#include "common/kernel/init.h"

/* @pidfd: of a process in the namespace; negative to make a new one */
static int mount_namespace(const char *path, int pidfd, int *ret_fd) {
        _cleanup_close_ int fd = -EBADF;

        if (pidfd >= 0 ? setns(pidfd, CLONE_NEWNET) < 0 : unshare(CLONE_NEWNET) < 0)
                return -errno;

        fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0)
                return -errno;

        *ret_fd = TAKE_FD(fd);
        return 0;
}

int namespace_create(const char *path, int pidfd, int *ret_fd) {
        int fd, r;

        fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
        if (fd < 0)
                return -errno;
        (void) close(fd);

        r = mount_namespace(path, pidfd, ret_fd);
        if (r < 0)
                (void) unlink(path); /* the failure before is the one to report */
        return r;
}

int namespace_remove(const char *path) {
        /* EINVAL: the file is there, but nothing is mounted on it, after a crash. */
        if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
                return -errno;
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        return 0;
}

/* A process may not enter the user namespace that it is in already, setns(2), EINVAL. */
static int in_own_user_namespace(pid_t init) {
        char path[64];
        struct stat own, other;

        (void) snprintf(path, sizeof(path), "/proc/%i/ns/user", (int) init);
        if (stat("/proc/self/ns/user", &own) < 0 || stat(path, &other) < 0)
                return -errno;

        return own.st_dev != other.st_dev || own.st_ino != other.st_ino;
}

/* The host's root has no name in another user namespace: become that one's. */
static int become_root(void) {
        if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                return -errno;
        return 0;
}

/* What is executed inside is the container's own: it must not get more than its init has. */
/* What root's commands get from the inheritable set the bounding set does not limit: capabilities(7). */
static int drop_inheritable(uint64_t keep) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

        if (syscall(SYS_capget, &header, data) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(data); i++)
                data[i].inheritable &= (uint32_t) (keep >> (32 * i));
        if (syscall(SYS_capset, &header, data) < 0)
                return -errno;
        return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ? -errno : 0;
}

static int drop_capabilities(uint64_t keep) {
        for (int c = 0; c < 64; c++) {
                if (keep & UINT64_C(1) << c)
                        continue;
                if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0 &&
                        errno != EINVAL) /* unknown: not there */
                        return -errno;
        }

        return drop_inheritable(keep);
}

int namespace_enter(pid_t init, int pidfd) {
        int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                CLONE_NEWCGROUP;
        uint64_t capabilities;
        bool no_more;
        int r;

        r = init_privileges(init, &capabilities, &no_more);
        if (r < 0)
                return r;

        r = in_own_user_namespace(init);
        if (r < 0)
                return r;
        if (r > 0)
                flags |= CLONE_NEWUSER;

        /* Before the mounts are the container's, where the path would be another. */
        r = cgroup_join(init);
        if (r < 0)
                return r;

        if (setns(pidfd, flags) < 0)
                return -errno;

        if (flags & CLONE_NEWUSER) {
                r = become_root();
                if (r < 0)
                        return r;
        }

        r = drop_capabilities(capabilities);
        if (r >= 0 && no_more && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return r;
}
