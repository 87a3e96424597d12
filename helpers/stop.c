/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet-stop: stops a container in order.
 *
 * Run by ExecStop= of container-NAME.service with the PID of systemd-nspawn, and by
 * spawnlet-stop@NAME.service with --starting=NAME. The latter is for a container that is
 * stopped before its start is complete. systemd then runs no ExecStop=, but sends SIGTERM to
 * nspawn, and nspawn the kill signal to the container's init, once; an init that cannot take it
 * yet never hears of it.
 *
 * Waits on descriptors only: the init's and nspawn's pidfds, and the payload's cgroup.events.
 * Neither the D-Bus daemon nor machined is needed: at shutdown both may be gone.
 */

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "common/base/log.h"
#include "common/base/name.h"
#include "common/base/parse.h"
#include "common/bus/bus.h"
#include "common/kernel/cgroup.h"
#include "common/kernel/init.h"

/* systemd makes a cgroup right after it began to take signals, which wakes us; for other inits
 * we look again in steps that double between these two. */
#define LOOK_AGAIN_MIN_MSEC 10
#define LOOK_AGAIN_MAX_MSEC 500

/* Halt at once, without stopping units: systemd(1), SIGNALS. */
#define SIGNAL_HALT_NOW (SIGRTMIN + 13)

typedef struct Stop {
        int signal;
        uint64_t timeout_usec; /* UINT64_MAX: wait for ever */
        const char *starting;  /* the container, with --starting */
        uint64_t begin_usec;

        char *cgroup;   /* of the container's unit */
        pid_t main_pid; /* systemd-nspawn */
        int main_pidfd;
        pid_t init;
        int init_pidfd;
        int inotify;
} Stop;

static uint64_t now_usec(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * USEC_PER_SEC + (uint64_t) t.tv_nsec / 1000;
}

/* When @tenths of the timeout are over; UINT64_MAX if never. */
static uint64_t deadline(const Stop *s, unsigned tenths) {
        return s->timeout_usec == UINT64_MAX ? UINT64_MAX
                                             : s->begin_usec + s->timeout_usec / 10 * tenths;
}

/* The milliseconds until @until for poll(2), rounded up, at most @max (if not negative). */
static int poll_timeout(uint64_t until, int max) {
        uint64_t now = now_usec();

        if (until == UINT64_MAX)
                return max;
        if (until <= now)
                return 0;

        uint64_t msec =
                MIN((until - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC, (uint64_t) INT32_MAX);
        return max < 0 ? (int) msec : (int) MIN(msec, (uint64_t) max);
}

static int wait_for(struct pollfd *fds, nfds_t n, uint64_t until, int max_msec) {
        int r = poll(fds, n, poll_timeout(until, max_msec));

        return r < 0 && errno != EINTR ? -errno : 0;
}

/* Watch a cgroup's directory, for cgroups made in it, and its cgroup.events. */
static void watch(const Stop *s, const char *below) {
        char path[4096];
        int n;

        n = snprintf(path, sizeof(path), "%s%s", s->cgroup, below);
        if (n < 0 || (size_t) n >= sizeof(path))
                return;
        /* What is not there yet is watched when its parent says that it came. */
        (void) inotify_add_watch(s->inotify, path, IN_CREATE | IN_DELETE_SELF | IN_ONLYDIR);
        (void) snprintf(path + n, sizeof(path) - (size_t) n, "/cgroup.events");
        (void) inotify_add_watch(s->inotify, path, IN_MODIFY);
}

static void drain(int inotify) {
        char buffer[4096];

        while (read(inotify, buffer, sizeof(buffer)) > 0)
                ;
}

/* Look for nspawn and the init. Return: 1 if there is an init that can take the signal; 0 if not
 * yet; -ESRCH if there is nothing to stop any more; other negative errno. */
static int look(Stop *s) {
        if (s->init_pidfd < 0) {
                int r = init_find(s->main_pid, &s->init, &s->init_pidfd);

                if (r <= 0)
                        return r;
        }

        return init_can_take(s->init, s->signal);
}

/* Wait until the init can take the signal. Return: 1 then; 0 at the deadline; -ESRCH if there is
 * nothing to stop any more; other negative errno. */
static int wait_until_ready(Stop *s) {
        for (int pause = LOOK_AGAIN_MIN_MSEC;; pause = MIN(pause * 2, LOOK_AGAIN_MAX_MSEC)) {
                struct pollfd fds[] = {
                        { .fd = s->inotify, .events = POLLIN },
                        { .fd = s->main_pidfd, .events = POLLIN },
                        { .fd = s->init_pidfd, .events = POLLIN },
                };
                int r;

                /* Watched first, looked at then: nothing that comes between is missed. */
                watch(s, "");
                watch(s, "/" CGROUP_PAYLOAD);
                r = look(s);
                if (r != 0)
                        return r;
                if (deadline(s, 8) <= now_usec())
                        return 0;

                fds[2].fd = s->init_pidfd;
                r = wait_for(fds, ELEMENTSOF(fds), deadline(s, 8), pause);
                if (r < 0)
                        return r;
                if (fds[1].revents || fds[2].revents)
                        return -ESRCH;
                drain(s->inotify);
        }
}

static void status(const Stop *s, const char *what) {
        if (s->starting) /* the status of another unit is not ours to set */
                return;
        (void) sd_notifyf(false, "STATUS=%s", what); /* for people only */
}

static int send_signal(const Stop *s, int signal) {
        if (pidfd_send_signal(s->init_pidfd, signal, NULL, 0) < 0 && errno != ESRCH)
                return log_error_errno(
                        errno, "Failed to send signal %i to the container's init: %m", signal);
        return 0;
}

/* Wait until no process of the container is left and nspawn has gone. Return: 1 then; 0 at the
 * deadline; negative errno. */
static int wait_until_empty(const Stop *s, int events, uint64_t until) {
        bool main_gone = false;

        for (;;) {
                struct pollfd fds[] = {
                        { .fd = events, .events = POLLPRI },
                        { .fd = main_gone ? -1 : s->main_pidfd, .events = POLLIN },
                };
                int r;

                r = events < 0 ? 0 : cgroup_is_populated(events);
                if (r < 0)
                        return r;
                if (r == 0)
                        fds[0].fd = -1; /* a removed file is always ready, do not wake for it */
                if (r == 0 && main_gone)
                        return 1;
                if (until <= now_usec())
                        return 0;

                r = wait_for(fds, ELEMENTSOF(fds), until, -1);
                if (r < 0)
                        return r;
                main_gone = main_gone || (fds[1].fd >= 0 && fds[1].revents != 0);
        }
}

static int halt(const Stop *s, bool can_take) {
        static const char *const statuses[] = {
                "Stopping: waiting for the container's services",
                "Stopping: the container did not stop in time, halting it at once",
                "Stopping: killing the container",
        };
        int escalation[] = { s->signal, SIGNAL_HALT_NOW, SIGKILL };
        _cleanup_close_ int events = -EBADF;
        char payload[4096];
        int r;

        (void) snprintf(payload, sizeof(payload), "%s/" CGROUP_PAYLOAD, s->cgroup);
        events = cgroup_open_events(payload);
        if (events < 0 && events != -ENOENT)
                return log_error_errno(events, "Failed to watch '%s': %m", payload);

        /* What cannot take its own signal or is no systemd would not take systemd's either. */
        bool is_systemd = s->signal == parse_signal(SIGNAL_HALT);

        for (unsigned i = can_take ? 0 : 2; i < ELEMENTSOF(escalation); i++) {
                if (i == 1 && !is_systemd)
                        continue;
                if (i > 0)
                        log_warning("%s", statuses[i]);
                status(s, statuses[i]);

                r = send_signal(s, escalation[i]);
                if (r < 0)
                        return r;
                r = wait_until_empty(s, events, deadline(s, 8 + i));
                if (r != 0)
                        return r < 0 ? log_error_errno(r, "Failed to wait for the container: %m")
                                     : 0;
        }

        return log_error_errno(ETIMEDOUT, "The container does not go away, even when killed");
}

/*
 * Send the signal that may have come too early from nspawn. systemd is asked only now that the init
 * can take it: if it has not sent nspawn SIGTERM by now, then what nspawn sends later on is not lost,
 * and maybe the unit is not to be stopped at all, but was restarted after a crash.
 */
static int halt_starting(const Stop *s, const char *unit) {
        _cleanup_(bus_freep) Bus *bus = NULL;
        _cleanup_free_ char *error = NULL;
        int r;

        r = bus_new_direct(&bus);
        if (r < 0)
                return log_error_errno(r, "Failed to connect to systemd: %m");

        r = bus_is_terminating(bus, unit, &error);
        if (r < 0)
                return log_error_errno(r, "Failed to ask for the state of '%s': %s", unit, error);

        /* systemd itself waits for the unit, and knows what to do when it takes too long. */
        return r > 0 ? send_signal(s, s->signal) : 0;
}

/* Find the container. Return: 1; 0 if it does not run; negative errno. */
static int find(Stop *s, const char *unit) {
        int r;

        if (s->starting) {
                r = cgroup_find_unit(unit, &s->cgroup);
                if (r < 0)
                        return r == -ENOENT ? 0 : r;
                /* While nspawn does not run, systemd has nothing to stop but our helpers. */
                s->main_pid = cgroup_supervisor(s->cgroup);
                if (s->main_pid <= 0)
                        return s->main_pid;
                /* The instance of a template does not know the definition, nspawn does. */
                r = init_kill_signal(s->main_pid);
                if (r < 0)
                        return r == -ESRCH || r == -ENODATA ? 0 : r;
                s->signal = r;
        } else {
                r = cgroup_of_own_unit(&s->cgroup);
                if (r < 0)
                        return r;
        }

        s->main_pidfd = pidfd_open(s->main_pid, 0);
        if (s->main_pidfd < 0)
                return errno == ESRCH ? 0 : -errno;
        return 1;
}

static int run(Stop *s) {
        _cleanup_free_ char *unit = NULL;
        int r;

        s->begin_usec = now_usec();
        if (s->starting && unit_name(s->starting, &unit) < 0)
                return log_oom();

        r = find(s, unit);
        if (r < 0)
                return log_error_errno(r, "Failed to find the container: %m");
        if (r == 0)
                return 0;

        s->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        /* Without it (there are few, and containers use them up) we look again in steps. */

        status(s, "Stopping: waiting until the container's init can be told");
        r = wait_until_ready(s);
        if (r == -ESRCH)
                return 0;
        if (r < 0)
                return log_error_errno(r, "Failed to find the container's init: %m");

        if (s->starting)
                return r > 0 ? halt_starting(s, unit) : 0;
        return s->init_pidfd < 0 ? 0 : halt(s, r > 0);
}

static void help(void) {
        printf("%1$s [--signal=SIGNAL] [--timeout=TIME] [PID]\n"
               "%1$s [--signal=SIGNAL] [--timeout=TIME] --starting=NAME\n\n"
               "Stop the container whose systemd-nspawn is process PID; or one that starts yet.\n\n"
               "  -h --help           Show this help\n"
               "     --signal=SIGNAL  Signal to send to the container's init (" SIGNAL_HALT ")\n"
               "     --timeout=TIME   When to have killed it (90s)\n"
               "     --starting=NAME  The container whose start is being cancelled\n\n"
               "Without PID there is nothing to stop. Called by the container's unit.\n",
                program_invocation_short_name);
}

/* Return: 1 to go on, 0 when all is done, negative errno on wrong usage. */
static int parse_argv(int argc, char *argv[], Stop *s) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "signal", required_argument, NULL, 's' },
                { "timeout", required_argument, NULL, 't' },
                { "starting", required_argument, NULL, 'n' },
                {},
        };
        uint64_t pid;

        for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) >= 0;)
                switch (c) {
                case 'h':
                        help();
                        return 0;
                case 's':
                        s->signal = parse_signal(optarg);
                        if (s->signal < 0)
                                return log_error_errno(EINVAL, "--signal=%s: not a signal", optarg);
                        break;
                case 't':
                        if (parse_timespan(optarg, &s->timeout_usec) < 0)
                                return log_error_errno(EINVAL, "--timeout=%s: not a time", optarg);
                        break;
                case 'n':
                        s->starting = optarg;
                        break;
                default:
                        return -EINVAL;
                }

        if (s->starting && !definition_name_is_valid(s->starting))
                return log_error_errno(EINVAL, "'%s' is not the name of a container", s->starting);
        if (argc - optind > (s->starting ? 0 : 1))
                return log_error_errno(EINVAL, "Too many arguments, see --help");
        if (argc == optind)
                return s->starting ? 1 : 0; /* $MAINPID is empty: nspawn has gone by itself */
        if (parse_unsigned(argv[optind], 2, INT32_MAX, &pid) < 0)
                return log_error_errno(
                        EINVAL, "'%s' is not the PID of systemd-nspawn", argv[optind]);

        s->main_pid = (pid_t) pid;
        return 1;
}

int main(int argc, char *argv[]) {
        Stop s = { .signal = parse_signal(SIGNAL_HALT),
                .timeout_usec = 90 * USEC_PER_SEC,
                .main_pidfd = -EBADF,
                .init_pidfd = -EBADF,
                .inotify = -EBADF };
        int r;

        log_setup("spawnlet-stop", log_target_of_service());

        r = parse_argv(argc, argv, &s);
        if (r > 0)
                r = run(&s);

        free(s.cgroup);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
