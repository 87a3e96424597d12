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

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/name.h"
#include "common/base/notify.h"
#include "common/base/parse.h"
#include "common/base/str.h"
#include "common/bus/bus.h"
#include "common/kernel/cgroup.h"
#include "common/kernel/confine.h"
#include "common/kernel/init.h"
#include "common/kernel/inside.h"

/* systemd makes a cgroup right after it began to take signals, which wakes us; for other inits
 * we look again in steps that double between these two. */
#define LOOK_AGAIN_MIN_MSEC 10
#define LOOK_AGAIN_MAX_MSEC 500

/* How often all signals must be seen blocked by an init that sleeps, one look after the other, until we
 * believe that they stay so: the looks take 0.3 s then. */
#define LOOKS_MIN 5

/* Halt at once, without stopping units: systemd(1), SIGNALS. */
#define SIGNAL_HALT_NOW (SIGRTMIN + 13)

/* How often the unit's status is set, and how many processes are named in it. */
#define STATUS_INTERVAL_USEC USEC_PER_SEC
#define STATUS_NAMES_MAX 4

typedef struct Stop {
        char **argv;           /* the arguments, to execute this program once more */
        int signal;            /* 0: to be found out */
        bool command;          /* no init, but any program */
        uint64_t timeout_usec; /* UINT64_MAX: wait for ever */
        const char *starting;  /* the container, with --starting */
        uint64_t begin_usec;
        uint64_t status_usec; /* when the next status is due; UINT64_MAX: never */

        char *cgroup;   /* of the container's unit */
        pid_t main_pid; /* systemd-nspawn */
        int main_pidfd;
        pid_t init;
        int init_pidfd;
        int inotify;
        unsigned n_blocked; /* looks that saw all signals blocked */
} Stop;

/* What is to be done with an init. */
typedef enum Readiness {
        NOT_READY,   /* it hears no signal yet */
        READY,       /* it hears Stop.signal */
        ENDS_AT_ONCE /* a program that the signal would end, if it was not PID 1 */
} Readiness;

/* When @tenths of the timeout are over; UINT64_MAX if never. */
static uint64_t deadline(const Stop *s, unsigned tenths) {
        return s->timeout_usec == UINT64_MAX ? UINT64_MAX
                                             : s->begin_usec + s->timeout_usec / 10 * tenths;
}

/* Wait until there is something to read, a time has come, or a status is due. */
static int wait_for(const Stop *s, struct pollfd *fds, nfds_t n, uint64_t until, int max_msec) {
        int timeout = poll_timeout(MIN(until, s->status_usec)),
            r = poll(fds, n,
                    timeout < 0 || (max_msec >= 0 && timeout > max_msec) ? max_msec : timeout);

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

/* Names of processes, each once, those of services before that of the init. */
static void append_names(const Stop *s, const CgroupProcesses *processes, Str *text) {
        char names[STATUS_NAMES_MAX][PROCESS_NAME_MAX];
        size_t n = 0, n_shown = 0;

        for (size_t i = 0; i <= ELEMENTSOF(processes->some) && n < ELEMENTSOF(names); i++) {
                pid_t pid = i < ELEMENTSOF(processes->some) ? processes->some[i] : s->init;
                bool known = pid <= 0 || (pid == s->init && i < ELEMENTSOF(processes->some)) ||
                        init_process_name(pid, names[n]) < 0;

                for (size_t k = 0; k < n && !known; k++)
                        known = strcmp(names[k], names[n]) == 0;
                n += !known;
        }

        for (; n_shown < n; n_shown++)
                str_append_all(text, n_shown == 0 ? ": " : ", ", names[n_shown]);
        if (processes->n > ELEMENTSOF(processes->some) || processes->more)
                str_append(text, n > 0 ? ", …" : "");
}

/* Say what is waited for, if it is time to. With @kill_usec, when it will be killed. */
static void show_status(Stop *s, const char *what, uint64_t kill_usec) {
        CgroupProcesses processes = {};
        _cleanup_free_ char *payload = NULL;
        _cleanup_str_ Str text = {};
        uint64_t now = now_usec();

        if (now < s->status_usec)
                return;
        s->status_usec = now + STATUS_INTERVAL_USEC;

        if (str_join(&payload, s->cgroup, "/" CGROUP_PAYLOAD) < 0 ||
                cgroup_processes(payload, &processes) < 0 || processes.n == 0)
                return; /* there is nothing to say, or no memory: for people only */

        str_appendf(&text, "%s: %s%zu process%s left", what, processes.more ? "more than " : "",
                processes.n, processes.n == 1 ? "" : "es");
        append_names(s, &processes, &text);
        if (kill_usec != UINT64_MAX)
                str_appendf(&text, "; %llu s until they are killed",
                        (unsigned long long) ((kill_usec - MIN(now, kill_usec)) / USEC_PER_SEC));
        if (str_error(&text) >= 0)
                notify_status(text.data);
}

/* Thaw the container: what is frozen hears nothing. */
static void thaw(const Stop *s, pid_t pid) {
        int r = cgroup_thaw(s->cgroup, pid);

        if (r < 0)
                log_warning_errno(r, "Failed to thaw the container, ignoring: %m");
}

/* Nor does what somebody on the host has stopped; inside, nobody can. */
static void wake(const Stop *s) {
        thaw(s, s->init);
        if (init_is_stopped(s->init))
                (void) pidfd_send_signal(
                        s->init_pidfd, SIGCONT, NULL, 0); /* at worst it is killed */
}

/* Look for nspawn and the init. Return: a Readiness; -ESRCH if there is nothing to stop any more;
 * other negative errno. */
static int look(Stop *s) {
        InitState init;
        int r;

        if (s->init_pidfd < 0) {
                r = init_find(s->main_pid, &s->init, &s->init_pidfd);
                if (r <= 0)
                        return r < 0 ? r : NOT_READY;
                if (!s->starting)
                        wake(s);
        }

        r = init_look(s->init, s->main_pid, &init);
        if (r < 0)
                return r;

        s->n_blocked = init.blocks_all && init.sleeps ? s->n_blocked + 1 : 0;
        if (init.blocks_all && s->n_blocked <= LOOKS_MIN)
                init.blocked = 0;

        int signal = s->signal > 0 ? s->signal : init_halt_signal(&init);
        if (signal > 0 && init_can_take(&init, signal)) {
                s->signal = signal;
                return READY;
        }

        return s->command && signal > 0 && init_would_end(&init, signal) ? ENDS_AT_ONCE : NOT_READY;
}

/* Wait until the init can take the signal. Return: a Readiness, NOT_READY at the deadline; -ESRCH if
 * there is nothing to stop any more; other negative errno. */
static int wait_until_ready(Stop *s) {
        int r;

        /* Mostly it can. To close an inotify descriptor takes the kernel 10 to 20 ms, which would be in
         * the way when the container has gone. */
        r = look(s);
        if (r != NOT_READY)
                return r;

        s->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        /* Without it (there are few, and containers use them up) we look again in steps. */

        for (int pause = LOOK_AGAIN_MIN_MSEC;; pause = MIN(pause * 2, LOOK_AGAIN_MAX_MSEC)) {
                struct pollfd fds[] = {
                        { .fd = s->inotify, .events = POLLIN },
                        { .fd = s->main_pidfd, .events = POLLIN },
                        { .fd = s->init_pidfd, .events = POLLIN },
                };

                /* Watched first, looked at then: nothing that comes between is missed. */
                watch(s, "");
                watch(s, "/" CGROUP_PAYLOAD);
                r = look(s);
                if (r != NOT_READY)
                        return r;
                if (deadline(s, 8) <= now_usec())
                        return NOT_READY;
                show_status(s,
                        s->command ? "Stopping: the command takes no signal yet"
                                   : "Stopping: the init takes no signal yet",
                        deadline(s, 8));

                fds[2].fd = s->init_pidfd;
                r = wait_for(s, fds, ELEMENTSOF(fds), deadline(s, 8), pause);
                if (r < 0)
                        return r;
                if (fds[1].revents || fds[2].revents)
                        return -ESRCH;
                drain(s->inotify);
        }
}

static int send_signal(const Stop *s, int signal) {
        if (pidfd_send_signal(s->init_pidfd, signal, NULL, 0) < 0 && errno != ESRCH)
                return log_error_errno(
                        errno, "Failed to send signal %i to the container's init: %m", signal);
        return 0;
}

/* Do at once what the signal would do to a program that is not PID 1. */
static int end_at_once(const Stop *s) {
        if (init_power_off(s->init, s->init_pidfd) >= 0)
                return 0;
        /* It has gone meanwhile; or [Service] confines us so that we cannot. */
        return send_signal(s, SIGKILL);
}

/* What is done to a container, one after the other. */
typedef struct Step {
        int signal;
        unsigned tenths;     /* of the timeout, until which it is waited then */
        const char *warning; /* for the journal, NULL for none */
        const char *status;
} Step;

/* Wait until no process of the container is left and nspawn has gone. Return: 1 then; 0 at the
 * deadline; negative errno. */
static int wait_until_empty(Stop *s, int events, const Step *step, uint64_t kill_usec) {
        uint64_t until = deadline(s, step->tenths);
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
                show_status(s, step->status, kill_usec);

                r = wait_for(s, fds, ELEMENTSOF(fds), until, -1);
                if (r < 0)
                        return r;
                main_gone = main_gone || (fds[1].fd >= 0 && fds[1].revents != 0);
        }
}

/*
 * Take over the time that systemd gives us, which a drop-in of the unit may have changed: less than that,
 * as in unit.c. Asked for only now that the container is stopping, so that nobody waits for the answer;
 * without one, the time of the definition counts.
 */
static void update_timeout(Stop *s) {
        const char *unit = strrchr(s->cgroup, '/');
        _cleanup_(bus_freep) Bus *bus = NULL;
        uint64_t timeout;

        if (unit && bus_new_direct(&bus) >= 0 && bus_stop_timeout(bus, unit + 1, &timeout) >= 0)
                s->timeout_usec = timeout == UINT64_MAX ? UINT64_MAX : timeout - timeout / 10;
}

static int halt(Stop *s, Readiness readiness) {
        const Step steps[] = {
                { s->signal, 8, NULL, "Stopping" },
                { SIGNAL_HALT_NOW, 9, "The container did not stop in time, halting it at once",
                        "Stopping at once" },
                { SIGKILL, 10, "The container did not stop in time, killing it", "Killed" },
        };
        _cleanup_free_ char *payload = NULL;
        _cleanup_close_ int events = -EBADF;
        int r;

        if (str_join(&payload, s->cgroup, "/" CGROUP_PAYLOAD) < 0)
                return log_oom();
        events = cgroup_open_events(payload);
        if (events < 0 && events != -ENOENT)
                return log_error_errno(events, "Failed to watch '%s': %m", payload);

        /* What cannot take its own signal or is no systemd would not take systemd's either. */
        bool is_systemd = readiness == READY && s->signal == parse_signal(SIGNAL_HALT);
        uint64_t kill_usec = deadline(s, is_systemd ? 9 : 8);

        for (size_t i = readiness == NOT_READY ? 2 : 0; i < ELEMENTSOF(steps); i++) {
                if (i == 1 && !is_systemd)
                        continue;
                if (steps[i].warning)
                        log_warning("%s", steps[i].warning);

                r = i == 0 && readiness == ENDS_AT_ONCE ? end_at_once(s)
                                                        : send_signal(s, steps[i].signal);
                if (r < 0)
                        return r;
                if (s->inotify >= 0)
                        (void) close(TAKE_FD(s->inotify)); /* while there is time */
                if (i == 0) {
                        update_timeout(s);
                        kill_usec = deadline(s, is_systemd ? 9 : 8);
                }
                r = wait_until_empty(
                        s, events, &steps[i], steps[i].signal == SIGKILL ? UINT64_MAX : kill_usec);
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
static int halt_starting(const Stop *s, const char *unit, Readiness readiness) {
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
        if (r == 0)
                return 0;
        wake(s);
        return readiness == ENDS_AT_ONCE ? end_at_once(s) : send_signal(s, s->signal);
}

/*
 * What the command line of ours does not say, that of nspawn does: for the instance of a template, which does
 * not know the definition, and for a container whose definition is gone. Return: 1; 0 if nspawn has
 * gone; negative errno.
 */
static int complete_options(Stop *s) {
        InitOptions options;
        int r;

        if (s->signal > 0 || s->command)
                return 1;
        r = init_options(s->main_pid, &options);
        if (r < 0)
                return r == -ESRCH ? 0 : r;

        /* This one is there for want of another, in front of an init: what that really takes is to be
         * found out. A program has its own signal. */
        if (options.kill_signal == parse_signal(SIGNAL_HALT))
                return 1;
        s->signal = options.kill_signal;
        s->command = s->signal > 0 && !options.boots;
        return 1;
}

/* Return: 1; 0 if nspawn does not run; negative errno. */
static int find_starting(Stop *s, const char *unit) {
        int r = cgroup_find_unit(unit, &s->cgroup);

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        /* While nspawn does not run, systemd has nothing to stop but our helpers. */
        s->main_pid = cgroup_supervisor(s->cgroup);
        return s->main_pid > 0 ? 1 : (int) s->main_pid;
}

/* Find the container. Return: 1; 0 if it does not run; negative errno. */
static int find(Stop *s, const char *unit) {
        int r;

        r = s->starting ? find_starting(s, unit) : cgroup_of_own_unit(&s->cgroup);
        if (r < 0 || (r == 0 && s->starting))
                return r;
        r = complete_options(s);
        if (r <= 0)
                return r;

        s->main_pidfd = pidfd_open(s->main_pid, 0);
        if (s->main_pidfd < 0)
                return errno == ESRCH ? 0 : -errno;
        return 1;
}

static int run(Stop *s) {
        _cleanup_free_ char *unit = NULL;
        int r;

        s->begin_usec = now_usec();
        /* The status of another unit is not ours to set. */
        s->status_usec = s->starting ? UINT64_MAX : s->begin_usec + STATUS_INTERVAL_USEC;
        if (s->starting && unit_name(s->starting, &unit) < 0)
                return log_oom();

        r = find(s, unit);
        if (r < 0)
                return log_error_errno(r, "Failed to find the container: %m");
        if (r == 0)
                return 0;

        /* Only to power it off is a container entered. A stop goes on without: what is powered off has hardly
         * the time to see us. */
        if (s->command)
                (void) inside_protect(s->argv);
        else
                r = confine("spawnlet-stop", NULL);
        if (r < 0)
                return log_error_errno(r, "Failed to give up capabilities: %m");
        if (!s->starting)
                thaw(s, s->main_pid);
        r = wait_until_ready(s);
        if (r == -ESRCH)
                return 0;
        if (r < 0)
                return log_error_errno(r, "Failed to find the container's init: %m");

        if (s->starting)
                return r == NOT_READY ? 0 : halt_starting(s, unit, r);
        return s->init_pidfd < 0 ? 0 : halt(s, r);
}

static void help(void) {
        printf("%1$s [--signal=SIGNAL] [--command] [--timeout=TIME] [PID]\n"
               "%1$s [--timeout=TIME] --starting=NAME\n\n"
               "Stop the container whose systemd-nspawn is process PID; or one that starts yet.\n\n"
               "  -h --help           Show this help\n"
               "     --signal=SIGNAL  Signal to send to the container's init, instead of the one\n"
               "                      that this kind of init is known to take\n"
               "     --command        What runs is no init: a signal that it does not handle ends "
               "it\n"
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
                { "command", no_argument, NULL, 'c' },
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
                case 'c':
                        s->command = true;
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
        Stop s = { .argv = argv,
                .timeout_usec = 90 * USEC_PER_SEC,
                .main_pidfd = -EBADF,
                .init_pidfd = -EBADF,
                .inotify = -EBADF };
        int r;

        log_setup("spawnlet-stop", log_target_of_service());
        r = confine("spawnlet-stop", "command");
        if (r < 0) {
                (void) log_error_errno(r, "Failed to give up capabilities: %m");
                return EXIT_FAILURE;
        }

        r = parse_argv(argc, argv, &s);
        if (r > 0)
                r = run(&s);

        free(s.cgroup);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
