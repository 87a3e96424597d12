/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* /dev/kmsg refuses records over 1024 - 32 bytes with EINVAL (kernel/printk/printk.c). */
#define RECORD_MAX 976

static const char *log_program = "spawnlet";
static LogTarget log_target = LOG_TO_STDERR;
static int log_kmsg = -EBADF;
static void (*log_error_function)(const char *text);

void log_setup(const char *program, LogTarget target) {
        log_program = program;
        log_target = target;

        if (target == LOG_TO_KMSG) {
                log_kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
                if (log_kmsg < 0)
                        log_target = LOG_TO_JOURNAL;
        }
}

void log_on_error(void (*function)(const char *text)) {
        log_error_function = function;
}

LogTarget log_target_of_service(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;
        struct stat st;

        /* systemd.exec(5), $JOURNAL_STREAM: it counts only while stderr is still that file. */
        if (stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
                fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode)
                return LOG_TO_JOURNAL;

        return LOG_TO_STDERR;
}

int log_full(int priority, int error, const char *format, ...) {
        char record[RECORD_MAX] = "";
        int saved_errno = errno, n = 0;
        va_list ap;

        error = error < 0 ? -error : error;

        if (log_target != LOG_TO_STDERR)
                n = snprintf(record, sizeof(record), "<%i>", priority);
        if (log_target != LOG_TO_JOURNAL) /* the journal adds name and PID by itself */
                n += snprintf(record + n, sizeof(record) - (size_t) n,
                        log_target == LOG_TO_KMSG ? "%s[%i]: " : "%s: ", log_program,
                        (int) getpid());

        errno = error;
        va_start(ap, format);
        int k = vsnprintf(record + n, sizeof(record) - (size_t) n - 1, format, ap);
        va_end(ap);
        int begin = n;
        n = MIN(n + MAX(k, 0), (int) sizeof(record) - 2);
        if (priority <= LOG_ERR && log_error_function) {
                log_error_function(record + begin);
                log_error_function = NULL;
        }
        record[n++] = '\n';

        int fd = log_target == LOG_TO_KMSG ? log_kmsg : STDERR_FILENO;
        if (write(fd, record, (size_t) n) < 0 && fd != STDERR_FILENO)
                (void) !write(STDERR_FILENO, record, (size_t) n); /* nowhere left to report */

        errno = saved_errno;
        return -error;
}
