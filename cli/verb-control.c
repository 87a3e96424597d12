/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `spawnlet start`, `stop`, `restart`, `reload`, `status`: systemd does it, we name the units. */

#include "cli/cli.h"
#include "cli/progress.h"
#include "common/base/log.h"
#include "common/base/name.h"

static void report(const BusJob *job, const char *result, void *userdata) {
        _cleanup_free_ char *name = NULL, *why = NULL;

        if (strcmp(result, "done") == 0 || unit_name_to_definition(job->unit, &name) < 0)
                return;
        if (progress_explain(userdata, job, result, &why) < 0)
                log_oom();
        else
                log_error("%s: %s", name, why);
}

/* Who has changed a definition may expect that it counts. */
static void warn_outdated(Bus *bus, char *const *names, char *const *units) {
        for (; names && *names; names++, units++)
                if (bus_needs_reload(bus, *units) > 0)
                        log_warning(
                                "%s: its definition has changed since the last daemon-reload: this "
                                "goes by the old one; 'spawnlet apply %s' takes over the changes",
                                *names, *names);
}

static int run_jobs(const Cli *cli, const char *method) {
        _cleanup_(bus_freep) Bus *bus = NULL;
        _cleanup_strv_ char **units = NULL;
        _cleanup_free_ BusJob *items = NULL;
        _cleanup_free_ char *error = NULL;
        size_t n;
        int r;

        if (cli_units(cli->args, &units) < 0)
                return EXIT_USAGE;
        if (cli_open_bus_to_act(cli, &bus) < 0)
                return EXIT_FAILURE;
        if (strcmp(method, "StopUnit") != 0)
                warn_outdated(bus, cli->args, units);

        n = strv_length(units);
        items = calloc(n, sizeof(BusJob));
        if (!items) {
                log_oom();
                return EXIT_FAILURE;
        }
        for (size_t i = 0; i < n; i++)
                items[i] = (BusJob){ .unit = units[i], .method = method };

        r = progress_run_jobs(
                bus, &(BusJobs){ items, n, .on_end = report, .userdata = bus }, &error);
        if (r < 0)
                log_error("Failed to talk to systemd: %s", error);

        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int verb_start(const Cli *cli) {
        return run_jobs(cli, "StartUnit");
}

int verb_stop(const Cli *cli) {
        return run_jobs(cli, "StopUnit");
}

int verb_restart(const Cli *cli) {
        return run_jobs(cli, "RestartUnit");
}

int verb_reload(const Cli *cli) {
        return run_jobs(cli, "ReloadUnit");
}

int verb_status(const Cli *cli) {
        _cleanup_strv_ char **units = NULL, **command = NULL;

        if (cli_units(cli->args, &units) < 0)
                return EXIT_USAGE;

        /* systemctl shows what administrators know how to read, its exit code included. */
        if (strv_extend(&command, "systemctl") < 0 || strv_extend(&command, "status") < 0 ||
                (!units && strv_extend(&command, "container-*.service") < 0)) {
                log_oom();
                return EXIT_FAILURE;
        }
        STRV_FOREACH(u, units)
                if (strv_extend(&command, *u) < 0) {
                        log_oom();
                        return EXIT_FAILURE;
                }

        (void) execvp(command[0], command);
        (void) log_error_errno(errno, "Failed to run systemctl: %m");
        return EXIT_FAILURE;
}
