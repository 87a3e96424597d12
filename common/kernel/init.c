/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/init.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

#include "common/base/file.h"
#include "common/base/parse.h"
#include "common/base/str.h"

#define PROC_FILE_MAX (256U * 1024U)

static int read_proc(pid_t pid, const char *file, char **ret) {
        char path[96];
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%i/%s", (int) pid, file);
        r = file_read(AT_FDCWD, path, PROC_FILE_MAX, ret, NULL);
        return r == -ENOENT ? -ESRCH : r;
}

/* The value of a line "NAME:\tVALUE" of /proc/PID/status, proc(5). Return: it, or NULL. */
static const char *status_field(const char *status, const char *name) {
        size_t n = strlen(name);

        for (const char *line = status; line && *line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, name, n) == 0 && line[n] == ':')
                        return line + n + 1 + strspn(line + n + 1, "\t ");
        }

        return NULL;
}

static int status_mask(const char *status, const char *name, uint64_t *ret) {
        const char *value = status_field(status, name);
        char *end;

        if (!value)
                return -EBADMSG;

        errno = 0;
        *ret = strtoull(value, &end, 16);
        return end == value || errno > 0 ? -EBADMSG : 0;
}

/* The last of the PIDs that a process has, one for each PID namespace that it is in. */
static long innermost_pid(const char *status) {
        const char *value = status_field(status, "NSpid"), *last = NULL;

        if (!value)
                return -1;

        for (const char *p = value; *p && *p != '\n';) {
                p += strspn(p, "\t ");
                last = p;
                p += strcspn(p, "\t \n");
        }

        return last ? strtol(last, NULL, 10) : -1;
}

/* Return: 1 if @pid is a child of @parent that is PID 1 inside, 0 if not, negative errno. */
static int is_init_of(pid_t pid, pid_t parent) {
        _cleanup_free_ char *status = NULL;
        int r;

        r = read_proc(pid, "status", &status);
        if (r < 0)
                return r == -ESRCH ? 0 : r;

        const char *ppid = status_field(status, "PPid");
        return ppid && strtol(ppid, NULL, 10) == parent && innermost_pid(status) == 1;
}

int init_find(pid_t main_pid, pid_t *ret_pid, int *ret_pidfd) {
        _cleanup_free_ char *children = NULL;
        char file[64];
        int r;

        (void) snprintf(file, sizeof(file), "task/%i/children", (int) main_pid);
        r = read_proc(main_pid, file, &children);
        if (r < 0)
                return r;

        for (char *p = children; *p;) {
                pid_t pid = (pid_t) strtol(p, &p, 10);
                p += strspn(p, " \n");

                _cleanup_close_ int pidfd = pid > 0 ? pidfd_open(pid, 0) : -EBADF;
                if (pid <= 0 || (pidfd < 0 && errno == ESRCH))
                        continue;
                if (pidfd < 0)
                        return -errno;

                /* Looked at after it was opened: the PID may have been another's before. */
                r = is_init_of(pid, main_pid);
                if (r < 0)
                        return r;
                if (r > 0) {
                        *ret_pid = pid;
                        *ret_pidfd = TAKE_FD(pidfd);
                        return 1;
                }
        }

        return 0;
}

int init_kill_signal(pid_t main_pid) {
        _cleanup_free_ char *arguments = NULL;
        char path[64];
        size_t size;
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%i/cmdline", (int) main_pid);
        r = file_read(AT_FDCWD, path, PROC_FILE_MAX, &arguments, &size);
        if (r < 0)
                return r == -ENOENT ? -ESRCH : r;

        for (const char *p = arguments; p < arguments + size; p += strlen(p) + 1) {
                const char *signal = str_starts_with(p, "--kill-signal=");

                if (signal)
                        return parse_signal(signal);
                if (strcmp(p, "--") == 0)
                        break;
        }

        return -ENODATA;
}

/*
 * Whether a process waits in sigwaitinfo(2). The signals that it waits for are not blocked then
 * as far as /proc shows, and still not lost: do_sigtimedwait() of the kernel keeps the real mask
 * aside. nspawn's own init for --as-pid2 is one of these, dumb-init another.
 */
static bool waits_for_signals(pid_t pid) {
        _cleanup_free_ char *text = NULL;

        return read_proc(pid, "syscall", &text) >= 0 &&
                strtol(text, NULL, 10) == SYS_rt_sigtimedwait;
}

int init_can_take(pid_t pid, int signal) {
        _cleanup_free_ char *status = NULL;
        uint64_t blocked, caught, bit = UINT64_C(1) << (signal - 1);
        int r;

        if (signal == SIGKILL) /* never dropped when it comes from outside */
                return 1;

        r = read_proc(pid, "status", &status);
        if (r < 0)
                return r;

        r = status_mask(status, "SigBlk", &blocked);
        if (r >= 0)
                r = status_mask(status, "SigCgt", &caught);
        if (r < 0)
                return r;
        return (blocked & bit) != 0 || (caught & bit) != 0 || waits_for_signals(pid);
}

int init_capabilities(pid_t pid, uint64_t *ret) {
        _cleanup_free_ char *status = NULL;
        int r;

        r = read_proc(pid, "status", &status);
        return r < 0 ? r : status_mask(status, "CapBnd", ret);
}
