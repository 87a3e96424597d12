/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet-health: makes one health check of a container, or waits for the first that goes well.
 *
 * Run by spawnlet-health-NAME.service, which a timer starts, and with --wait by ExecStartPost= of
 * container-NAME.service. A check runs a command inside, as root. What comes of it is shown as status of
 * container-NAME.service, whose main process, systemd-nspawn, this speaks for; messages are in that
 * unit's journal, too. What is known is kept in a file, see common/base/health.h.
 *
 * What a container that ends makes of a check is no result. When systemd stops the container, it stops
 * the check before; when the container ends by itself, this sees systemd-nspawn or the init go.
 */

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/health.h"
#include "common/base/log.h"
#include "common/base/notify.h"
#include "common/base/parse.h"
#include "common/bus/bus.h"
#include "common/kernel/cgroup.h"
#include "common/kernel/confine.h"
#include "common/kernel/init.h"
#include "common/kernel/inside.h"

/* Of what a command prints, so much of its last line is told. */
#define LINE_MAX_SIZE 256

/* How often what is left of it is read, 4 KiB at a time: others may go on and on. */
#define OUTPUT_REST 16

#define STATUS_HEALTHY "Container running: healthy."

/* A container that starts is looked at more often. */
#define WAIT_INTERVAL_USEC USEC_PER_SEC

/* The process that waits inside kills a command in time. It is frozen with the container, though. */
#define GRACE_USEC USEC_PER_SEC

/* The processes of a container end before its init is seen to be gone. */
#define END_MSEC 200

typedef enum OnFailure {
        ON_FAILURE_NONE,
        ON_FAILURE_RESTART,
        ON_FAILURE_STOP,
        ON_FAILURE_KILL,
        _ON_FAILURE_MAX,
} OnFailure;

static const struct {
        const char *name, *method, *text;
} actions[_ON_FAILURE_MAX] = {
        [ON_FAILURE_NONE] = { "none" },
        [ON_FAILURE_RESTART] = { "restart", "TryRestartUnit", "Restarting the container" },
        [ON_FAILURE_STOP] = { "stop", "StopUnit", "Stopping the container" },
        [ON_FAILURE_KILL] = { "kill", NULL, "Killing the container" },
};

typedef struct Health {
        bool wait;
        uint64_t interval_usec, timeout_usec, start_period_usec;
        uint64_t n_retries;
        OnFailure on_failure;
        const char *name; /* the definition's */
        char **command;

        char *unit, *machine, *cgroup;
        pid_t main_pid; /* systemd-nspawn */
        int main_pidfd;
        uint64_t start_time; /* its, in clock ticks after the boot */
} Health;

/* Where a child that cannot go on says why; global for on_failure() alone. */
static int report_fd = -EBADF;

/* Whether one of two processes ends within some time. */
static bool ends_within(int pidfd, int other_pidfd, int msec) {
        struct pollfd fds[] = {
                { .fd = pidfd, .events = POLLIN },
                { .fd = other_pidfd, .events = POLLIN },
        };

        return poll(fds, ELEMENTSOF(fds), msec) > 0;
}

/* Find the container. Return: 1; 0 if it does not run, or is frozen; negative errno. */
static int find(Health *h) {
        int r;

        r = cgroup_find_unit(h->unit, &h->cgroup);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        h->main_pid = cgroup_supervisor(h->cgroup);
        if (h->main_pid <= 0)
                return h->main_pid;

        h->main_pidfd = pidfd_open(h->main_pid, 0);
        if (h->main_pidfd < 0)
                return errno == ESRCH ? 0 : -errno;
        r = init_start_time(h->main_pid, &h->start_time);
        if (r < 0)
                return r == -ESRCH ? 0 : r;
        /* Looked at after it was opened: the PID may have been another's before. */
        return !ends_within(h->main_pidfd, -EBADF, 0);
}

/* systemctl freeze: nobody inside could answer. */
static bool is_frozen(const Health *h) {
        _cleanup_free_ char *path = NULL, *text = NULL;

        return str_join(&path, h->cgroup, "/cgroup.events") >= 0 &&
                file_read(AT_FDCWD, path, 4096, &text, NULL) >= 0 && strstr(text, "frozen 1");
}

static void on_failure(int error, const char *action) {
        (void) !dprintf(report_fd, "Failed to %s: %s\n", action, strerror(error));
}

/* The last line of what a command prints that is not empty, and not longer than this. */
typedef struct LastLine {
        char last[LINE_MAX_SIZE], current[LINE_MAX_SIZE];
        size_t n_current;
} LastLine;

static void end_line(LastLine *l) {
        if (l->n_current > 0) {
                memcpy(l->last, l->current, l->n_current);
                l->last[l->n_current] = '\0';
        }
        l->n_current = 0;
}

/* Never waits: who has one end of a pipe can open the other, in /proc/self/fd, and read what poll(2) has
 * told us of. Return: whether there may be more. */
static bool read_output(int fd, LastLine *l) {
        char buffer[4096];
        ssize_t n = read(fd, buffer, sizeof(buffer));

        for (ssize_t i = 0; i < n; i++)
                if (buffer[i] == '\n')
                        end_line(l);
                else if (l->n_current < sizeof(l->current) - 1)
                        l->current[l->n_current++] = buffer[i];

        return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

/* Read what the command prints until it has ended, and wait for that. Return: as inside_wait(). */
static int watch(pid_t waiter, int output, uint64_t timeout_usec, LastLine *line) {
        _cleanup_close_ int pidfd = pidfd_open(waiter, 0);
        uint64_t until =
                timeout_usec == UINT64_MAX ? UINT64_MAX : after_usec(timeout_usec + GRACE_USEC);
        bool killed = pidfd < 0;
        struct pollfd fds[] = {
                { .fd = output, .events = POLLIN },
                { .fd = pidfd, .events = POLLIN },
        };

        while (!killed && !fds[1].revents) {
                int r = poll(fds, ELEMENTSOF(fds), poll_timeout(until));

                if (r > 0 && fds[0].revents && !read_output(output, line))
                        fds[0].fd = -1; /* closed by all */
                killed = r == 0 || (r < 0 && errno != EINTR);
        }
        if (killed)
                (void) kill(waiter, SIGKILL); /* which has the command killed */
        for (unsigned i = 0; i < OUTPUT_REST && poll(fds, 1, 0) > 0 && read_output(output, line);
                i++)
                ;
        end_line(line);

        int r = inside_wait(waiter);
        return killed ? -ETIMEDOUT : r;
}

/* What there is to say about a command that failed. @status: as of inside_wait() */
static int describe(const Health *h, int status, char *line, char **ret) {
        _cleanup_str_ Str s = {};

        str_append(&s, h->command[0]);
        if (status == -ETIMEDOUT)
                str_appendf(&s, " did not end within %g s",
                        (double) h->timeout_usec / (double) USEC_PER_SEC);
        else
                str_appendf(&s, " exited with %i", status);
        /* A command that a signal has ended, and one that says so of what it has run, look the same. */
        if (status > INSIDE_SIGNAL_BASE && sigabbrev_np(status - INSIDE_SIGNAL_BASE))
                str_appendf(&s, " (SIG%s)", sigabbrev_np(status - INSIDE_SIGNAL_BASE));

        health_clean_line(line);
        if (*line)
                str_append_all(&s, ": ", line);
        if (s.data)
                health_clean_line(s.data);
        return str_take(&s, ret);
}

/*
 * Run the command once. Return: 1 if it went well; 0 if it failed, with *ret_message; -ESRCH if there is
 * no container to run it in any more; other negative errno.
 */
static int check(const Health *h, char **ret_message) {
        _cleanup_close_ int init_pidfd = -EBADF, output = -EBADF, input = -EBADF;
        LastLine line = {};
        pid_t init;
        int fds[2], r;

        r = init_find(h->main_pid, &init, &init_pidfd);
        if (r <= 0)
                return r == 0 ? -ESRCH : r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        output = fds[0];
        input = report_fd = fds[1];
        if (fcntl(output, F_SETFL, O_NONBLOCK) < 0)
                return -errno;

        InsideCommand command = { .argv = h->command,
                .init = init,
                .init_pidfd = init_pidfd,
                .stdio = { -EBADF, input, input },
                .terminal = -EBADF,
                .is_group = true,
                .timeout_usec = h->timeout_usec,
                .on_failure = on_failure };
        pid_t waiter = inside_start(&command);
        if (waiter < 0)
                return waiter;

        (void) close(TAKE_FD(input));
        r = watch(waiter, output, h->timeout_usec, &line);
        if (r == 0)
                return 1;
        if (r < 0 && r != -ETIMEDOUT)
                return r;
        if (ends_within(h->main_pidfd, init_pidfd, END_MSEC))
                return -ESRCH;

        r = describe(h, r, line.last, ret_message);
        return r < 0 ? r : 0;
}

/*
 * Whether the container is so new that failures do not count. That is so during one interval at least:
 * the first check comes after it, but for a container that was restarted it may come sooner.
 */
static bool may_fail(const Health *h) {
        uint64_t started = h->start_time * USEC_PER_SEC / (uint64_t) sysconf(_SC_CLK_TCK),
                 least = h->interval_usec == UINT64_MAX ? 0 : h->interval_usec;

        return h->start_period_usec == UINT64_MAX ||
                clock_usec(CLOCK_BOOTTIME) < started + MAX(h->start_period_usec, least);
}

/* Set the status of the container's unit. systemd-nspawn is the one that may: systemd takes it from root
 * in its name, sd_pid_notify(3). */
static void set_status(const Health *h, const char *text) {
        (void) sd_pid_notifyf(h->main_pid, false, "STATUS=%s", text); /* for people only */
}

/* A message that `journalctl -u container-NAME` shows: systemd.journal-fields(7), OBJECT_PID=. */
static void tell(const Health *h, int priority, const char *text) {
        (void) sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priority,
                "SYSLOG_IDENTIFIER=container-%s", h->machine, "OBJECT_SYSTEMD_UNIT=%s", h->unit,
                NULL);
}

static int kill_container(const Health *h) {
        _cleanup_close_ int pidfd = -EBADF;
        pid_t init;
        int r;

        r = init_find(h->main_pid, &init, &pidfd);
        if (r <= 0)
                return r == -ESRCH ? 0 : r; /* it is gone */
        return pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH ? -errno : 0;
}

/* Do what is to be done with an unhealthy container. systemd is not waited for: it stops this, too. */
static int act(const Health *h) {
        _cleanup_(bus_freep) Bus *bus = NULL;
        _cleanup_free_ char *error = NULL;
        int r;

        if (h->on_failure == ON_FAILURE_NONE)
                return 0;
        tell(h, LOG_WARNING, actions[h->on_failure].text);

        if (h->on_failure == ON_FAILURE_KILL) {
                r = kill_container(h);
                return r < 0 ? log_error_errno(r, "Failed to kill '%s': %m", h->unit) : 0;
        }

        r = bus_new_direct(&bus);
        if (r < 0)
                return log_error_errno(r, "Failed to connect to systemd: %m");
        r = bus_queue_job(bus, actions[h->on_failure].method, h->unit, &error);
        return r < 0 ? log_error_errno(r, "Failed to %s '%s': %s", actions[h->on_failure].name,
                               h->unit, error)
                     : 0;
}

/* Tell what has changed, in the status and in the journal. */
static int tell_event(const Health *h, const HealthRecord *record, HealthEvent event) {
        _cleanup_free_ char *text = NULL;
        int r = 0;

        switch (event) {
        case HEALTH_SAME:
                return 0;
        case HEALTH_PASSED: /* which is no news for the journal */
                set_status(h, STATUS_HEALTHY);
                return 0;
        case HEALTH_FAILED:
                r = str_format(&text, "Health check failed (%llu of %llu): %s",
                        (unsigned long long) record->n_failures, (unsigned long long) h->n_retries,
                        record->message);
                break;
        case HEALTH_LOST:
        case HEALTH_STILL_BAD:
                r = health_status(record, &text);
                break;
        case HEALTH_RECOVERED:
                r = str_join(&text, "Container running: healthy again.");
                break;
        }
        if (r < 0 || !text)
                return log_oom();

        if (event != HEALTH_FAILED)
                set_status(h, text);
        if (event != HEALTH_STILL_BAD)
                tell(h, event == HEALTH_RECOVERED ? LOG_NOTICE : LOG_WARNING, text);
        return 0;
}

static int run_once(const Health *h) {
        _cleanup_health_ HealthRecord record = {};
        _cleanup_free_ char *message = NULL;
        HealthEvent event;
        int r, q;

        r = check(h, &message);
        if (r == -ESRCH)
                return 0;
        if (r < 0)
                return log_error_errno(r, "Failed to check '%s': %m", h->unit);

        r = health_read(h->machine, (uint64_t) h->main_pid, h->start_time, &record);
        if (r >= 0)
                r = health_judge(&record, message, h->n_retries, may_fail(h), &event);
        /* Written first: a restart stops this. */
        if (r >= 0)
                r = health_write(h->machine, &record);
        if (r < 0)
                return log_error_errno(r,
                        "Failed to keep the record '" SPAWNLET_HEALTH_DIR "/%s': %m", h->machine);

        r = tell_event(h, &record, event);
        q = message && record.state == HEALTH_UNHEALTHY ? act(h) : 0;
        return r < 0 ? r : q;
}

/* Say why a container that starts is not ready yet, if that is something new. */
static void tell_waiting(const char *message, const char *before) {
        char text[LINE_MAX_SIZE * 3];

        if (str_equal(message, before))
                return;
        (void) snprintf(text, sizeof(text), "Starting: not healthy yet: %s", message);
        notify_status(text);
}

/* Have spawnlet-cleanup say it, too: systemd-nspawn has other news when it ends. */
static int give_up(const Health *h, const HealthRecord *record) {
        _cleanup_free_ char *text = NULL;

        (void) health_write(h->machine, record); /* the log has it */
        if (health_status(record, &text) < 0)
                return log_oom();
        return log_error_errno(EIO, "%s", text);
}

/* Check until the first success, or until too many checks that count have failed. */
static int run_wait(const Health *h) {
        _cleanup_health_ HealthRecord record = { .pid = (uint64_t) h->main_pid,
                .start_time = h->start_time };
        _cleanup_free_ char *before = NULL;
        HealthEvent event;
        int r;

        for (;;) {
                _cleanup_free_ char *message = NULL;

                r = check(h, &message);
                if (r == -ESRCH || ends_within(h->main_pidfd, -EBADF, 0))
                        return log_error_errno(ESRCH, "The container ended before it was healthy");
                if (r >= 0)
                        r = health_judge(&record, message, h->n_retries, may_fail(h), &event);
                if (r < 0)
                        return log_error_errno(r, "Failed to check '%s': %m", h->unit);
                if (record.state == HEALTH_UNHEALTHY)
                        return give_up(h, &record);
                if (record.state == HEALTH_HEALTHY)
                        break;

                tell_waiting(message, before);
                free(before);
                before = TAKE_PTR(message);
                (void) ends_within(h->main_pidfd, -EBADF,
                        poll_timeout(after_usec(MIN(h->interval_usec, WAIT_INTERVAL_USEC))));
        }

        notify_status(STATUS_HEALTHY);
        /* The first success ends the time in which failures do not count. */
        r = health_write(h->machine, &record);
        return r < 0
                ? log_error_errno(r, "Failed to write '" SPAWNLET_HEALTH_DIR "/%s': %m", h->machine)
                : 0;
}

static int run(Health *h) {
        int r;

        if (unit_name(h->name, &h->unit) < 0 ||
                definition_name_to_machine(h->name, &h->machine) < 0)
                return log_oom();

        r = find(h);
        if (r < 0)
                return log_error_errno(r, "Failed to find the container: %m");
        if (h->wait)
                return r > 0 ? run_wait(h) : log_error_errno(ESRCH, "The container does not run");
        return r > 0 && !is_frozen(h) ? run_once(h) : 0;
}

static void help(void) {
        printf("%s [OPTION...] NAME -- COMMAND [ARGUMENT...]\n\n"
               "Check whether a container is healthy: whether a command inside succeeds.\n\n"
               "  -h --help               Show this help\n"
               "     --wait               Repeat it until it succeeds\n"
               "     --interval=TIME      Time between two checks (" HEALTH_INTERVAL ")\n"
               "     --retries=NUMBER     Failures in a row that make it unhealthy (" HEALTH_RETRIES
               ")\n"
               "     --timeout=TIME       Time that the command may take (" HEALTH_TIMEOUT ")\n"
               "     --start-period=TIME  Time in which failures do not count (" HEALTH_START_PERIOD
               ")\n"
               "     --on-failure=none|restart|stop|kill\n"
               "                          What to do with an unhealthy container "
               "(" HEALTH_ON_FAILURE ")\n\n"
               "NAME is the definition's: NAME or TEMPLATE@INSTANCE. Called by\n"
               "spawnlet-health-NAME.service; see HEALTH in spawnlet.container(5).\n",
                program_invocation_short_name);
}

/* Return: 0 or negative errno. */
static int parse_time(const char *option, const char *value, uint64_t *ret) {
        return parse_timespan(value, ret) < 0
                ? log_error_errno(EINVAL, "--%s=%s: not a time", option, value)
                : 0;
}

static int parse_action(const char *value, OnFailure *ret) {
        for (OnFailure i = 0; i < _ON_FAILURE_MAX; i++)
                if (strcmp(actions[i].name, value) == 0) {
                        *ret = i;
                        return 0;
                }

        return log_error_errno(EINVAL, "--on-failure=%s: not none, restart, stop or kill", value);
}

/* Return: 1 to go on, 0 when all is done, negative errno on wrong usage. */
static int parse_argv(int argc, char *argv[], Health *h) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "wait", no_argument, NULL, 'w' },
                { "interval", required_argument, NULL, 'i' },
                { "retries", required_argument, NULL, 'r' },
                { "timeout", required_argument, NULL, 't' },
                { "start-period", required_argument, NULL, 's' },
                { "on-failure", required_argument, NULL, 'f' },
                {},
        };
        int r = 0;

        for (int c; r >= 0 && (c = getopt_long(argc, argv, "+h", options, NULL)) >= 0;)
                switch (c) {
                case 'h':
                        help();
                        return 0;
                case 'w':
                        h->wait = true;
                        break;
                case 'i':
                        r = parse_time("interval", optarg, &h->interval_usec);
                        break;
                case 'r':
                        if (parse_unsigned(optarg, 1, INT32_MAX, &h->n_retries) < 0)
                                r = log_error_errno(
                                        EINVAL, "--retries=%s: not a positive number", optarg);
                        break;
                case 't':
                        r = parse_time("timeout", optarg, &h->timeout_usec);
                        break;
                case 's':
                        r = parse_time("start-period", optarg, &h->start_period_usec);
                        break;
                case 'f':
                        r = parse_action(optarg, &h->on_failure);
                        break;
                default:
                        return -EINVAL;
                }
        if (r < 0)
                return r;

        if (h->timeout_usec == 0) /* as in TimeoutStartSec= and the like */
                h->timeout_usec = UINT64_MAX;
        if (argc - optind < 1 || !definition_name_is_valid(argv[optind]))
                return log_error_errno(EINVAL, "Takes the name of a container, see --help");
        h->name = argv[optind++];
        if (optind < argc && strcmp(argv[optind], "--") == 0)
                optind++;
        if (optind == argc)
                return log_error_errno(EINVAL, "No command given, see --help");
        h->command = argv + optind;
        return 1;
}

int main(int argc, char *argv[]) {
        Health h = { .main_pidfd = -EBADF };
        int r;

        log_setup("spawnlet-health", log_target_of_service());
        r = inside_protect(argv);
        if (r < 0) {
                (void) log_error_errno(
                        r, "Failed to execute this program from a read-only mount: %m");
                return EXIT_FAILURE;
        }
        r = confine("spawnlet-health", NULL);
        if (r < 0) {
                (void) log_error_errno(r, "Failed to give up capabilities: %m");
                return EXIT_FAILURE;
        }

        /* The defaults are those of the definition. */
        (void) parse_timespan(HEALTH_INTERVAL, &h.interval_usec);
        (void) parse_timespan(HEALTH_TIMEOUT, &h.timeout_usec);
        (void) parse_timespan(HEALTH_START_PERIOD, &h.start_period_usec);
        (void) parse_unsigned(HEALTH_RETRIES, 1, INT32_MAX, &h.n_retries);

        r = parse_argv(argc, argv, &h);
        if (r > 0) {
                if (h.wait)
                        log_on_error(notify_status);
                r = run(&h);
        }

        free(h.unit);
        free(h.machine);
        free(h.cgroup);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
