/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet-cleanup: cleans up after a container's end, however it came.
 *
 * Run by ExecStopPost= of container-NAME.service. A systemd-nspawn that ended by itself leaves
 * little to do; one that was killed leaves its mount and its registration with machined, and
 * would find both in its way at the next start.
 */

#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <sys/inotify.h>

#include "common/base/credential.h"
#include "common/base/failure.h"
#include "common/base/file.h"
#include "common/base/health.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/name.h"
#include "common/base/notify.h"
#include "common/base/settings.h"
#include "common/bus/bus.h"
#include "common/kernel/cgroup.h"
#include "common/kernel/confine.h"
#include "common/kernel/copy.h"
#include "common/kernel/machine.h"
#include "common/kernel/network.h"

/* What systemd inside exits with where it cannot begin: EXIT_EXCEPTION in systemd.exec(5). */
#define EXIT_INIT_FAILED "255"

#define SETTING_EPHEMERAL "[Exec]Ephemeral=yes"
#define SETTING_ROOT "[Container]Root="

static int unregister(const char *machine) {
        _cleanup_(bus_freep) Bus *bus = NULL;
        _cleanup_free_ char *error = NULL;
        int r;

        if (!machine_is_registered(machine))
                return 0;

        r = bus_new(&bus);
        /* Without a bus there is no machined that would mind: both may be gone at shutdown. Once it runs
         * again, it forgets what has no process by itself. */
        if (r == -ENOENT || r == -ECONNREFUSED)
                return 0;
        if (r < 0)
                return log_error_errno(r, "Failed to connect to the system bus: %m");

        r = bus_unregister_machine(bus, machine, &error);
        if (r < 0)
                return log_error_errno(r, "Failed to unregister machine '%s': %s", machine, error);
        return 0;
}

/* What was known of its health. If it ended unhealthy, that stays its status. */
static int remove_health(const char *machine) {
        _cleanup_free_ char *status = NULL;
        int r = health_remove(machine, &status);

        if (r < 0)
                return log_error_errno(
                        r, "Failed to remove '" SPAWNLET_HEALTH_DIR "/%s': %m", machine);
        if (status)
                notify_status(status);
        return 0;
}

/* The resolv.conf that spawnlet-root wrote, if it did. */
static int remove_resolv_conf(const char *machine) {
        int r = file_remove(SPAWNLET_RESOLV_DIR, machine);

        return r < 0
                ? log_error_errno(r, "Failed to remove '" SPAWNLET_RESOLV_DIR "/%s': %m", machine)
                : 0;
}

/* systemd.exec(5), $SERVICE_RESULT. Without an exit status systemd-nspawn was never started: then the
 * helper that failed has said why, and knows better. */
static bool init_failed(void) {
        const char *result = getenv("SERVICE_RESULT"), *code = getenv("EXIT_CODE"),
                   *status = getenv("EXIT_STATUS");

        return result && code && status && strcmp(result, "success") != 0 &&
                strcmp(code, "exited") == 0 && strcmp(status, EXIT_INIT_FAILED) == 0;
}

/* Whether as many inotify instances as a container needs are not to be had. Of what it held itself
 * nothing is left by now. */
static bool inotify_is_exhausted(void) {
        int fds[INOTIFY_INSTANCES_EACH];
        size_t n = 0;
        bool exhausted;

        do
                fds[n] = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        while (fds[n] >= 0 && ++n < ELEMENTSOF(fds));
        exhausted = n < ELEMENTSOF(fds) && errno == EMFILE; /* inotify_init(2): the user's limit */

        while (n > 0)
                (void) close(fds[--n]);
        return exhausted;
}

/*
 * systemd inside says why it could not begin, but far up in the journal, and in its own words. Limits
 * of the kernel are nothing that is looked for in a container that has worked for years, before others
 * were added.
 */
static void explain_failure(void) {
        _cleanup_free_ char *text = NULL;
        uint64_t limit;

        if (!init_failed() || !inotify_is_exhausted() ||
                limits_read(LIMIT_INOTIFY_INSTANCES, &limit) < 0)
                return;

        if (str_format(&text,
                    "The kernel has no inotify instances left "
                    "(fs.inotify.max_user_instances=%" PRIu64
                    "), which systemd inside needs: see LIMITS OF THE KERNEL in "
                    "spawnlet.container(5)",
                    limit) < 0) {
                (void) log_oom();
                return;
        }
        log_error("%s", text);
        notify_status(text);
}

/* The copies of a killed systemd-nspawn, if there may be any. One that stays is in nobody's way: it is told,
 * and no failure of the unit. */
static void remove_copies(const char *name, const char *machine) {
        _cleanup_strv_ char **settings = NULL;
        _cleanup_free_ char *usual = NULL;
        const char *root;
        int r;

        if (settings_read(name, &settings) < 0 || !strv_contains(settings, SETTING_EPHEMERAL))
                return;
        if (str_join(&usual, MACHINES_DIR "/", machine) < 0) {
                (void) log_oom();
                return;
        }

        root = usual;
        STRV_FOREACH(line, settings)
                if (str_starts_with(*line, SETTING_ROOT))
                        root = *line + strlen(SETTING_ROOT);
        r = copies_remove(root);
        if (r < 0)
                log_warning_errno(
                        r, "Failed to remove an ephemeral copy of '%s', ignoring: %m", root);
}

static int take_network_down(const char *machine) {
        _cleanup_free_ char *error = NULL;
        int r = network_down(machine, &error);

        return r < 0 ? log_error_errno(r, "%s", error ? error : "Out of memory") : 0;
}

/* What made the start fail, after what systemd-nspawn said when it ended. */
static int tell_failure(const char *machine) {
        _cleanup_free_ char *text = NULL;
        int r = failure_take(machine, &text);

        if (r < 0)
                return log_error_errno(
                        r, "Failed to remove '" SPAWNLET_FAILURES_DIR "/%s': %m", machine);
        if (text)
                notify_status(text);
        return 0;
}

/* What was inside may have made more of them than systemd can remove. Those that stay are in nobody's way. */
static void remove_cgroups(void) {
        _cleanup_free_ char *unit = NULL, *payload = NULL;
        int r = cgroup_of_own_unit(&unit);

        if (r >= 0)
                r = str_join(&payload, unit, "/" CGROUP_PAYLOAD);
        if (r >= 0)
                r = cgroup_remove_below(payload);
        if (r < 0)
                log_warning_errno(r, "Failed to remove the container's cgroups, ignoring: %m");
}

/* Everything is tried, whatever fails before. */
static int clean_up(const char *name) {
        _cleanup_free_ char *machine = NULL;
        int r, q;

        if (definition_name_to_machine(name, &machine) < 0)
                return log_oom();

        r = take_network_down(machine);

        q = unregister(machine);
        if (q < 0)
                r = q;

        q = remove_health(machine);
        if (q < 0)
                r = q;

        q = tell_failure(machine);
        if (q < 0)
                r = q;

        q = remove_resolv_conf(machine);
        if (q < 0)
                r = q;

        q = credentials_remove(machine);
        if (q < 0)
                r = log_error_errno(
                        q, "Failed to remove '" SPAWNLET_CREDENTIALS_DIR "/%s': %m", machine);

        q = machine_remove_leftovers(machine);
        if (q < 0)
                r = log_error_errno(
                        q, "Failed to remove what systemd-nspawn left of '%s': %m", machine);

        remove_copies(name, machine);
        remove_cgroups();

        q = machine_unlink(machine);
        if (q < 0)
                r = log_error_errno(
                        q, "Failed to remove the link '" MACHINES_DIR "/%s': %m", machine);

        q = settings_remove(name);
        if (q < 0)
                r = log_error_errno(q, "Failed to remove '" SPAWNLET_STARTED_DIR "/%s': %m", name);

        return r;
}

static void help(void) {
        printf("%s NAME\n\n"
               "Clean up after the end of a container.\n\n"
               "  -h --help  Show this help\n\n"
               "NAME is the definition's: NAME or TEMPLATE@INSTANCE. Called by the container's "
               "unit; see spawnlet.container(5).\n",
                program_invocation_short_name);
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                {},
        };
        int r;

        log_setup("spawnlet-cleanup", log_target_of_service());
        r = confine("spawnlet-cleanup", NULL);
        if (r < 0) {
                (void) log_error_errno(r, "Failed to give up capabilities: %m");
                return EXIT_FAILURE;
        }

        for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) >= 0;) {
                if (c != 'h')
                        return EXIT_FAILURE;
                help();
                return EXIT_SUCCESS;
        }

        if (argc - optind != 1 || !definition_name_is_valid(argv[optind])) {
                log_error("Takes the name of a container, see --help");
                return EXIT_FAILURE;
        }

        explain_failure();
        return clean_up(argv[optind]) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
