/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet-network: makes, changes, repairs and takes down a container's private network.
 *
 * Run by ExecStartPre=, ExecReload= and ExecStopPost= of container-NAME.service, and by
 * spawnlet-repair.service. All that it needs is on its command line; it reads no definition, and
 * "down" and "repair" need the name alone.
 *
 * Two of its verbs are in front of systemd-nspawn in ExecStart=, for containers that have users of their
 * own: nspawn cannot join a network namespace then, before systemd 261. "start" executes nspawn, which
 * makes a namespace, and leaves a process behind that makes the network in it, gate.h. "join" enters a
 * namespace that is there and executes nspawn in it.
 */

#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/base/failure.h"
#include "common/base/log.h"
#include "common/base/name.h"
#include "common/base/notify.h"
#include "common/kernel/cgroup.h"
#include "common/kernel/confine.h"
#include "common/kernel/gate.h"
#include "common/kernel/init.h"
#include "common/kernel/network.h"

/* The number of options of a network, and what getopt_long() returns for the first of them. */
#define OPTIONS_MAX 32U
#define OPTION_FIRST 256

typedef struct Arguments {
        NetworkConfig config;
        char **command;    /* behind "--" */
        bool any;          /* options of a network */
        bool notify_ready; /* the unit is started when the network is made */
} Arguments;

typedef struct Verb {
        const char *name;
        int (*run)(const char *machine, const NetworkConfig *config, char **reterr);
        /* In place of it: executes the command. Return: negative errno, logged. */
        int (*execute)(const char *argument, const Arguments *a);
        const char *help;
        bool has_options, is_for_all;
} Verb;

static void arguments_done(Arguments *a) {
        netconfig_done(&a->config);
}

static int up(const char *machine, const NetworkConfig *config, char **reterr) {
        (void) machine; /* it is the configuration's */
        return network_up(config, -EBADF, reterr);
}

static int down(const char *machine, const NetworkConfig *config, char **reterr) {
        (void) config;
        return network_down(machine, reterr);
}

static int repair(const char *machine, const NetworkConfig *config, char **reterr) {
        (void) config;
        return network_reload(machine, NULL, reterr);
}

static int execute(char **command) {
        (void) execvp(command[0], command);
        return log_error_errno(errno, "Failed to execute '%s': %m", command[0]);
}

static int failed(const char *machine, int error, const char *text) {
        int r = failure_write(machine, text);

        if (r < 0)
                log_warning_errno(
                        r, "Failed to write '" SPAWNLET_FAILURES_DIR "/%s', ignoring: %m", machine);
        return log_error_errno(error, "%s", text);
}

/* Make the network of the container that @main_pid has started, and let it go on. */
static int make_inside(pid_t main_pid, const Arguments *a, int gate) {
        _cleanup_free_ char *error = NULL;
        _cleanup_close_ int pidfd = -EBADF;
        pid_t init;
        int r;

        umask(0); /* of what it makes: systemd-nspawn keeps that of the unit */
        r = confine("spawnlet-network", "start");
        if (r < 0)
                return log_error_errno(r, "Failed to give up capabilities: %m");

        r = gate_wait(gate);
        if (r > 0) /* else it has failed before, and said why */
                r = init_find(main_pid, &init, &pidfd);
        if (r == 0)
                return 0;
        if (r < 0)
                return log_error_errno(r, "Failed to find the container's first process: %m");

        r = network_up(&a->config, pidfd, &error);
        if (r < 0)
                return failed(a->config.machine, r, error ? error : strerror(-r));
        r = gate_open(gate);
        if (r >= 0 && a->notify_ready)
                r = gate_wait(gate); /* until it has gone through */
        if (r == -EPIPE) /* stopped meanwhile; spawnlet-cleanup takes the network down */
                return 0;
        if (r < 0)
                return log_error_errno(r, "Failed to start the container: %m");
        r = a->notify_ready ? notify_ready_of(main_pid) : 0;
        return r < 0 ? log_error_errno(r, "Failed to tell systemd of the start: %m") : 0;
}

/*
 * Leave a process behind that makes the network. It is no child of systemd-nspawn, which would have to
 * reap it, and in a cgroup of its own: nspawn divides the unit's, which takes that nobody else is in it.
 */
static int leave_behind(const Arguments *a, int gate) {
        pid_t main_pid = getpid(), child;
        int status, r;

        child = fork();
        if (child < 0)
                return log_error_errno(errno, "Failed to start a process: %m");
        if (child == 0) {
                r = cgroup_step_aside("network");
                if (r < 0)
                        (void) log_error_errno(r, "Failed to enter a cgroup: %m");
                else
                        r = fork();
                if (r < 0)
                        _exit(EXIT_FAILURE);
                if (r == 0)
                        (void) make_inside(main_pid, a, gate);
                _exit(EXIT_SUCCESS);
        }

        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return log_error_errno(errno, "Failed to wait for a process: %m");
        return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS ? 0 : -ECHILD;
}

static int start(const char *machine, const Arguments *a) {
        _cleanup_close_ int outside = -EBADF, inside = -EBADF;
        int r;

        (void) machine; /* it is the configuration's */
        r = gate_new(&outside, &inside);
        if (r < 0)
                return log_error_errno(r, "Failed to make a socket: %m");
        r = leave_behind(a, outside);
        if (r < 0)
                return r;
        r = gate_hand_on(TAKE_FD(inside));
        return r < 0 ? log_error_errno(r, "Failed to hand on a socket: %m") : execute(a->command);
}

static int join(const char *path, const Arguments *a) {
        _cleanup_close_ int fd = -EBADF;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
                return log_error_errno(
                        errno, "Failed to enter the network namespace '%s': %m", path);
        return execute(a->command);
}

static const Verb verbs[] = {
        { "up", up, .help = "Make the network of a container", .has_options = true },
        { "start", .execute = start, .has_options = true,
                .help = "Execute a command, and make the network in the container that it starts" },
        { "join", .execute = join, .help = "Execute a command in a network namespace" },
        { "reload", network_reload, .help = "Change that of a running one", .has_options = true },
        { "repair", repair, .help = "Make whole again what others broke, of all without NAME",
                .is_for_all = true },
        { "down", down, .help = "Take it down" },
};

static void help(void) {
        printf("%1$s up|reload NAME [OPTION...]\n"
               "%1$s start NAME [OPTION...] -- COMMAND...\n"
               "%1$s join PATH -- COMMAND...\n"
               "%1$s down NAME\n"
               "%1$s repair [NAME]\n\n"
               "Make, change, repair or take down the private network of a container.\n\n",
                program_invocation_short_name);
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                printf("  %-29s %s\n", verbs[i].name, verbs[i].help);
        printf("\n  %-29s %s\n", "-h --help", "Show this help");
        printf("     %-26s %s\n", "--notify-ready",
                "Tell systemd when the network is made that the unit is started");
        for (const NetworkOption *o = network_options; o->name; o++) {
                char option[64];

                (void) snprintf(option, sizeof(option), "--%s%s%s", o->name, o->value ? "=" : "",
                        o->value ? o->value : "");
                printf("     %-26s %s\n", option, o->help);
        }
        printf("\nOptions of a pair follow its --veth=, those of eth0 come before all of them. "
               "Called by\nthe container's unit; see spawnlet.container(5).\n");
}

static const Verb *find_verb(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
        return NULL;
}

static void fill_options(struct option options[static OPTIONS_MAX + 3]) {
        size_t n = 0;

        for (const NetworkOption *o = network_options; o->name && n < OPTIONS_MAX; o++, n++)
                options[n] = (struct option){ o->name, o->value ? required_argument : no_argument,
                        NULL, OPTION_FIRST + (int) n };
        options[n++] = (struct option){ "notify-ready", no_argument, NULL, 'n' };
        options[n] = (struct option){ "help", no_argument, NULL, 'h' };
}

/* Return: 1 to go on, 0 when all is done, negative errno on wrong usage. */
static int parse_options(int argc, char *argv[], Arguments *a) {
        struct option options[OPTIONS_MAX + 3] = {};
        const char *error = NULL;

        fill_options(options);
        for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) >= 0;) {
                if (c == 'h') {
                        help();
                        return 0;
                }
                if (c == 'n') {
                        a->notify_ready = true;
                        continue;
                }
                if (c < OPTION_FIRST)
                        return -EINVAL; /* getopt_long() has said it */

                const char *option = network_options[c - OPTION_FIRST].name;
                int r = netconfig_set(&a->config, option, optarg, &error);

                a->any = true;
                if (r == -ENOMEM)
                        return log_oom();
                if (r < 0)
                        return log_error_errno(r, "--%s%s%s: %s", option, optarg ? "=" : "",
                                optarg ? optarg : "", error);
        }

        return 1;
}

static int run(const Verb *verb, const char *machine, const NetworkConfig *config) {
        _cleanup_free_ char *error = NULL;
        int r;

        r = verb->run(machine, config, &error);
        return r < 0 ? log_error_errno(r, "%s", error ? error : strerror(-r)) : 0;
}

/* One that cannot be repaired is not in the way of the others. */
static int run_all(const Verb *verb) {
        _cleanup_strv_ char **names = NULL;
        int r;

        r = network_names(&names);
        if (r < 0)
                return log_error_errno(r, "Failed to list the networks of containers: %m");

        STRV_FOREACH(name, names) {
                _cleanup_free_ char *error = NULL;
                int q = verb->run(*name, NULL, &error);

                if (q < 0 && q != -ENOENT) /* not one that starts or stops meanwhile */
                        r = log_error_errno(q, "%s", error ? error : strerror(-q));
        }
        return r;
}

static int run_verb(const Verb *verb, const char *machine, Arguments *a) {
        int r;

        if (!verb->execute) {
                r = confine("spawnlet-network", verb->name);
                if (r < 0)
                        return log_error_errno(r, "Failed to give up capabilities: %m");
        }
        if (!machine)
                return run_all(verb);
        if (verb->execute && !verb->has_options)
                return verb->execute(machine, a);
        if (!machine_name_is_valid(machine))
                return log_error_errno(EINVAL, "'%s' is not the name of a container", machine);
        if (str_replace(&a->config.machine, machine) < 0)
                return log_oom();

        netconfig_complete(&a->config);
        if (verb->execute)
                return verb->execute(machine, a);
        r = run(verb, machine, &a->config);
        if (r >= 0 && strcmp(verb->name, "reload") == 0)
                notify_status("Container running, network reloaded."); /* no failure of before */
        return r;
}

int main(int argc, char *argv[]) {
        _cleanup_(arguments_done) Arguments arguments = {};
        int r;

        log_setup("spawnlet-network", log_target_of_service());
        log_on_error(notify_status);

        arguments.command = argv_cut(&argc, argv);
        /* The name is known only behind the options. */
        r = netconfig_init(&arguments.config, "");
        if (r < 0)
                return log_oom(), EXIT_FAILURE;
        r = parse_options(argc, argv, &arguments);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        const Verb *verb = optind < argc ? find_verb(argv[optind]) : NULL;
        const char *machine = optind + 1 < argc ? argv[optind + 1] : NULL;

        if (!verb || optind + 2 < argc || (!machine && !verb->is_for_all) ||
                (arguments.any && !verb->has_options) || !verb->execute != !arguments.command ||
                (arguments.notify_ready && verb->execute != start)) {
                log_error("Takes up, start, join, reload, down or repair, a name, and options; see "
                          "--help");
                return EXIT_FAILURE;
        }
        r = run_verb(verb, machine, &arguments);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
