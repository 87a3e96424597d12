/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet-reload: gives a running container what its definition has now, beside its network.
 *
 * Run by ExecReload= of container-NAME.service, after spawnlet-network and before the reload
 * command. What the container has stands in its record, see settings.h; what it is to have, on the
 * command line. In the end the record says what it has: after a failure the next reload goes on
 * from there.
 */

#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/health.h"
#include "common/base/log.h"
#include "common/base/name.h"
#include "common/base/notify.h"
#include "common/base/parse.h"
#include "common/base/resolv.h"
#include "common/base/settings.h"
#include "common/kernel/confine.h"
#include "common/kernel/init.h"
#include "common/kernel/inside.h"
#include "common/kernel/mount.h"

#define LINE_BIND "[Files]Bind="
#define LINE_BIND_READ_ONLY "[Files]BindReadOnly="
#define LINE_SERVICES "[Container]Services="
#define LINE_DNS "[Network]DNS="
#define LINE_SEARCH "[Network]Search="

/* systemctl's exit status for a unit that does not exist, systemctl(1). */
#define SYSTEMCTL_NOT_LOADED 5

typedef struct Reload {
        const char *name; /* the definition's */
        char *machine;
        bool is_host_system;
        bool has_checks; /* of its health */
        bool service_failed;
        bool failed; /* the mounts: no service is to start without */
        pid_t main_pid, init;
        int pidfd;
        char **record;       /* what the container has */
        bool has_record;     /* else it is not known */
        char *const *wanted; /* what it is to have, borrowed */
        char **missing;      /* of that, what it did not get */
        char **left;         /* and what it has that it should not */
} Reload;

static void reload_done(Reload *r) {
        if (r->pidfd >= 0)
                (void) close(r->pidfd);
        free(r->machine);
        strv_free(r->record);
        strv_free(r->missing);
        strv_free(r->left);
}

typedef struct BindMounts {
        BindMount *items;
        size_t n;
} BindMounts;

static void bind_mounts_done(BindMounts *m) {
        for (size_t i = 0; i < m->n; i++)
                bind_done(&m->items[i].bind);
        free(m->items);
}

/* The value of a line for a mount that can be changed while the container runs, or NULL. */
static const char *bind_value(const char *line, bool *ret_read_only) {
        const char *value = str_starts_with(line, LINE_BIND),
                   *read_only = str_starts_with(line, LINE_BIND_READ_ONLY);

        *ret_read_only = read_only != NULL;
        value = value ? value : read_only;
        return value && bind_is_live(value) ? value : NULL;
}

static int add_mount(BindMounts *m, const char *line, bool is_recorded, bool is_wanted) {
        bool read_only;
        const char *value = bind_value(line, &read_only);
        int r;

        if (!value)
                return 0;
        for (size_t i = 0; i < m->n; i++)
                if (str_equal(m->items[i].line, line)) {
                        m->items[i].is_recorded = m->items[i].is_recorded || is_recorded;
                        m->items[i].is_wanted = m->items[i].is_wanted || is_wanted;
                        return 0;
                }

        BindMount *items = reallocarray(m->items, m->n + 1, sizeof(*items));
        if (!items)
                return log_oom();
        m->items = items;

        BindMount *new = &items[m->n];
        *new = (BindMount){ .line = line,
                .read_only = read_only,
                .is_recorded = is_recorded,
                .is_wanted = is_wanted };
        r = bind_parse(value, &new->bind);
        if (r < 0)
                return r == -ENOMEM ? log_oom()
                                    : log_error_errno(r, "'%s': not an absolute path", line);
        m->n++;
        return 0;
}

static int change_mounts(Reload *reload) {
        _cleanup_(bind_mounts_done) BindMounts mounts = {};
        _cleanup_free_ char *error = NULL;
        int r = 0, q = 0;

        for (char *const *l = reload->record; l && *l && r >= 0; l++)
                r = add_mount(&mounts, *l, true, false);
        for (char *const *l = reload->wanted; *l && r >= 0; l++)
                r = add_mount(&mounts, *l, false, true);
        if (r < 0)
                return r;

        r = mounts_change(
                reload->machine, reload->init, reload->pidfd, mounts.items, mounts.n, &error);
        if (r < 0 && error)
                log_error("%s", error);
        else if (r < 0)
                (void) log_error_errno(
                        r, "Failed to change the mounts of container '%s': %m", reload->machine);

        for (size_t i = 0; i < mounts.n && q >= 0; i++)
                if (mounts.items[i].is_recorded != mounts.items[i].is_wanted)
                        q = strv_extend(
                                mounts.items[i].is_wanted ? &reload->missing : &reload->left,
                                mounts.items[i].line);
        return q < 0 ? log_oom() : r;
}

/* The values of all lines that begin with @prefix; and those lines, added to @lines. */
static int values_of(char *const *list, const char *prefix, char ***ret, char ***lines) {
        STRV_FOREACH(line, list) {
                const char *value = str_starts_with(*line, prefix);

                if (value && (strv_extend(ret, value) < 0 || strv_extend(lines, *line) < 0))
                        return log_oom();
        }
        return 0;
}

static int extend_all(char ***list, char *const *lines) {
        STRV_FOREACH(line, lines)
                if (strv_extend(list, *line) < 0)
                        return log_oom();
        return 0;
}

/*
 * The resolv.conf of DNS= and Search=. Without one at the start there is none mounted inside, and one
 * that is mounted stays: both take a restart, and are no failure.
 */
static int change_resolv_conf(Reload *reload) {
        _cleanup_strv_ char **servers = NULL, **domains = NULL, **wanted = NULL,
                            **old_servers = NULL, **old_domains = NULL, **recorded = NULL;
        _cleanup_free_ char *text = NULL, *old_text = NULL;
        int r;

        if (values_of(reload->wanted, LINE_DNS, &servers, &wanted) < 0 ||
                values_of(reload->wanted, LINE_SEARCH, &domains, &wanted) < 0 ||
                values_of(reload->record, LINE_DNS, &old_servers, &recorded) < 0 ||
                values_of(reload->record, LINE_SEARCH, &old_domains, &recorded) < 0)
                return -ENOMEM;
        if (resolv_format(servers, domains, &text) < 0 ||
                resolv_format(old_servers, old_domains, &old_text) < 0)
                return log_oom();
        if (strcmp(text, old_text) == 0)
                return 0;

        r = servers && old_servers ? resolv_rewrite(reload->machine, text) : -ENOENT;
        if (r >= 0)
                return 0;
        if (r != -ENOENT)
                (void) log_error_errno(
                        r, "Failed to write '" SPAWNLET_RESOLV_DIR "/%s': %m", reload->machine);
        if (extend_all(&reload->missing, wanted) < 0 || extend_all(&reload->left, recorded) < 0)
                return -ENOMEM;
        return r == -ENOENT ? 0 : r;
}

/* Run systemctl inside. Return: its exit status, or negative errno, logged. */
static int run_systemctl(const Reload *reload, const char *verb, const char *unit) {
        char *argv[] = { (char *) "systemctl", (char *) verb, (char *) "--", (char *) unit, NULL };
        const InsideCommand command = {
                .argv = argv,
                .init = reload->init,
                .init_pidfd = reload->pidfd,
                .stdio = { -EBADF, -EBADF, -EBADF },
                .terminal = -EBADF,
                .timeout_usec = UINT64_MAX, /* the unit's own */
        };
        pid_t waiter = inside_start(&command);
        int r = waiter < 0 ? (int) waiter : inside_wait(waiter);

        return r < 0 ? log_error_errno(
                               r, "Failed to run a command in container '%s': %m", reload->machine)
                     : r;
}

/* A failure stays the status, whatever comes after it. */
static void tell_waiting(const Reload *reload, const char *verb, const char *unit) {
        char text[512];

        if (reload->service_failed)
                return;
        (void) snprintf(text, sizeof(text), "Reloading: waiting for '%s' to %s", unit, verb);
        notify_status(text);
}

static int start_service(Reload *reload, const char *unit, const char *line) {
        int r = -ECANCELED;

        if (!reload->failed) {
                tell_waiting(reload, "start", unit);
                r = run_systemctl(reload, "start", unit);
        }
        if (r == 0)
                return 0;
        if (strv_extend(&reload->missing, line) < 0)
                return log_oom();
        if (r < 0)
                return r;
        if (r == SYSTEMCTL_NOT_LOADED)
                return log_error_errno(ENOENT,
                        "Services=%s: there is no such unit in container '%s'", unit,
                        reload->machine);
        return log_error_errno(EIO,
                "Failed to start '%s' in container '%s'; 'spawnlet run %s systemctl status %s' "
                "tells more",
                unit, reload->machine, reload->name, unit);
}

static int stop_service(Reload *reload, const char *unit, const char *line) {
        int r = -ECANCELED;

        if (!reload->failed) {
                tell_waiting(reload, "stop", unit);
                r = run_systemctl(reload, "stop", unit);
        }
        if (r == 0 || r == SYSTEMCTL_NOT_LOADED)
                return 0;
        if (strv_extend(&reload->left, line) < 0)
                return log_oom();
        return r < 0 ? r
                     : log_error_errno(
                               EIO, "Failed to stop '%s' in container '%s'", unit, reload->machine);
}

/* Run a function for each service that is in one list and not in the other. One that fails is not in
 * the way of the others. */
static int for_services(Reload *reload, char *const *list, char *const *others,
        int (*function)(Reload *reload, const char *unit, const char *line)) {
        int r = 0;

        STRV_FOREACH(line, list) {
                const char *unit = str_starts_with(*line, LINE_SERVICES);
                int q = unit && !strv_contains(others, *line) ? function(reload, unit, *line) : 0;

                reload->service_failed = reload->service_failed || q < 0;
                r = r < 0 ? r : q;
        }
        return r;
}

/* Only what has changed: what somebody inside has stopped stays so. */
static int change_services(Reload *reload) {
        int r, q;

        if (!reload->is_host_system || !reload->has_record)
                return 0;

        r = for_services(reload, reload->record, reload->wanted, stop_service);
        q = for_services(reload, reload->wanted, reload->record, start_service);
        return r < 0 ? r : q;
}

static bool is_network(const char *line) {
        SettingLine s;

        return settings_split(line, &s) && settings_is_network(&s);
}

/* What takes a restart stays as it is written down, and what systemd carries out for `spawnlet apply`, which
 * writes that down; all else is what it was to be, but for what
 * failed. So does a network that is to be the host's, or another container's: nobody has touched it. */
static int write_record(const Reload *reload) {
        _cleanup_strv_ char **lines = NULL;
        bool has_network = false;
        int r = 0;

        if (!reload->has_record)
                return 0;

        STRV_FOREACH(line, reload->wanted)
                has_network = has_network || is_network(*line);
        for (char *const *l = reload->record; l && *l && r >= 0; l++)
                if (settings_effect(*l) == EFFECT_RESTART || settings_effect(*l) == EFFECT_LIVE ||
                        strv_contains(reload->left, *l) || (!has_network && is_network(*l)))
                        r = strv_extend(&lines, *l);
        for (char *const *l = reload->wanted; *l && r >= 0; l++)
                if (!strv_contains(reload->missing, *l))
                        r = strv_extend(&lines, *l);
        if (r >= 0)
                r = settings_write(reload->name, lines);
        return r < 0 ? log_error_errno(r, "Failed to write down what container '%s' runs with: %m",
                               reload->machine)
                     : 0;
}

/* After a success there is nothing left of an earlier failure; but a container that is unhealthy stays
 * so. Without health checks, nothing of them is left. */
static int show_status(const Reload *reload) {
        _cleanup_free_ char *status = NULL;
        int r;

        r = reload->has_checks ? health_bad_status(reload->machine, &status)
                               : health_remove(reload->machine, &status);
        if (r < 0)
                return log_error_errno(
                        r, "Failed to handle '" SPAWNLET_HEALTH_DIR "/%s': %m", reload->machine);
        notify_status(reload->has_checks && status ? status : "Container running, reloaded.");
        return 0;
}

static int run(Reload *reload) {
        int r, q;

        if (definition_name_to_machine(reload->name, &reload->machine) < 0)
                return log_oom();

        r = settings_read(reload->name, &reload->record);
        if (r < 0 && r != -ENOENT && r != -ENODATA)
                return log_error_errno(
                        r, "Failed to read what container '%s' runs with: %m", reload->machine);
        reload->has_record = r >= 0;

        r = init_find(reload->main_pid, &reload->init, &reload->pidfd);
        if (r == 0 || r == -ESRCH)
                return log_error_errno(ESRCH, "The container is not running");
        if (r < 0)
                return log_error_errno(r, "Failed to find the container's init: %m");

        r = change_mounts(reload);
        if (r == -ENOMEM)
                return r; /* what was done is not known */
        reload->failed = r < 0;
        q = change_resolv_conf(reload);
        if (q == -ENOMEM)
                return q;
        r = r < 0 ? r : q;
        q = change_services(reload);
        r = r < 0 ? r : q;
        q = write_record(reload);
        r = r < 0 ? r : q;
        return r < 0 ? r : show_status(reload);
}

static void help(void) {
        printf("%s [OPTION...] NAME PID [SETTING...]\n\n"
               "Give a running container, whose systemd-nspawn is process PID, the bind mounts,\n"
               "name servers and services of its definition, and write down what it runs with.\n\n"
               "  -h --help         Show this help\n"
               "     --system=host  The container shares the host's /usr: Services= are started\n"
               "                    and stopped\n"
               "     --health       Its health is checked\n\n"
               "NAME is the definition's: NAME or TEMPLATE@INSTANCE. SETTINGs are those that take\n"
               "no restart, such as '[Files]Bind=/srv/www'. Called by the container's unit; see\n"
               "spawnlet.container(5).\n",
                program_invocation_short_name);
}

/* Return: 1 to go on, 0 when all is done, negative errno on wrong usage, logged. */
static int parse_argv(int argc, char *argv[], Reload *reload) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "system", required_argument, NULL, 's' },
                { "health", no_argument, NULL, 'c' },
                {},
        };
        uint64_t pid;

        for (int c; (c = getopt_long(argc, argv, "+h", options, NULL)) >= 0;)
                switch (c) {
                case 'h':
                        help();
                        return 0;
                case 's':
                        if (strcmp(optarg, "host") != 0)
                                return log_error_errno(EINVAL, "--system=%s: not host", optarg);
                        reload->is_host_system = true;
                        break;
                case 'c':
                        reload->has_checks = true;
                        break;
                default:
                        return -EINVAL;
                }

        if (argc - optind < 2 || !definition_name_is_valid(argv[optind]) ||
                parse_unsigned(argv[optind + 1], 2, INT32_MAX, &pid) < 0)
                return log_error_errno(EINVAL,
                        "Takes the name of a container, the PID of its systemd-nspawn, and "
                        "settings, see --help");

        reload->name = argv[optind];
        reload->main_pid = (pid_t) pid;
        reload->wanted = argv + optind + 2;
        return 1;
}

int main(int argc, char *argv[]) {
        _cleanup_(reload_done) Reload reload = { .pidfd = -EBADF };
        int r;

        log_setup("spawnlet-reload", log_target_of_service());
        log_on_error(notify_status);
        r = inside_protect(argv);
        if (r < 0) {
                (void) log_error_errno(
                        r, "Failed to execute this program from a read-only mount: %m");
                return EXIT_FAILURE;
        }
        r = confine("spawnlet-reload", NULL);
        if (r < 0) {
                (void) log_error_errno(r, "Failed to give up capabilities: %m");
                return EXIT_FAILURE;
        }
        umask(0);

        r = parse_argv(argc, argv, &reload);
        if (r > 0)
                r = run(&reload);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
