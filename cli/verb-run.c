/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `spawnlet run` and `spawnlet shell`: commands inside a container. */

#include "cli/cli.h"
#include "common/base/log.h"
#include "common/base/name.h"
#include "config.h"

/* As spawnlet-enter has it: the codes below are the command's own. */
#define EXIT_CANNOT_RUN 126

static int execute(char *const *command) {
        (void) execvp(command[0], command);
        (void) log_error_errno(errno, "Failed to run '%s': %m", command[0]);
        return EXIT_CANNOT_RUN;
}

int verb_run(const Cli *cli) {
        _cleanup_(bus_freep) Bus *bus = NULL;
        _cleanup_strv_ char **units = NULL, **command = NULL;
        _cleanup_free_ char *error = NULL;
        char *name[] = { cli->args[0], NULL };
        char **arguments = cli->args + 1;
        pid_t pid;
        int r;

        if (strcmp(arguments[0], "--") == 0)
                arguments++;
        if (!arguments[0]) {
                log_error("A command is missing, see --help.");
                return EXIT_CANNOT_RUN;
        }

        if (cli_units(name, &units) < 0 || cli_open_bus(&bus) < 0)
                return EXIT_CANNOT_RUN;

        r = bus_main_pid(bus, units[0], &pid, &error);
        if (r < 0 || pid == 0) {
                log_error("Container '%s' cannot be entered: %s", name[0],
                        r < 0 ? error : "it is not running");
                return EXIT_CANNOT_RUN;
        }

        r = strv_extend(&command, LIBEXEC_DIR "/spawnlet-enter");
        if (r >= 0)
                r = strv_extendf(&command, "%i", (int) pid);
        if (r >= 0)
                r = strv_extend(&command, "--");
        STRV_FOREACH(a, arguments)
                if (r >= 0)
                        r = strv_extend(&command, *a);
        if (r < 0) {
                log_oom();
                return EXIT_CANNOT_RUN;
        }

        return execute(command);
}

/* A session of its own inside, with PAM and all, is what machinectl has. */
int verb_shell(const Cli *cli) {
        _cleanup_free_ char *machine = NULL;
        _cleanup_strv_ char **command = NULL;
        int r;

        if (!definition_name_is_valid(cli->args[0])) {
                log_error("'%s' is not the name of a container.", cli->args[0]);
                return EXIT_USAGE;
        }

        r = definition_name_to_machine(cli->args[0], &machine);
        if (r >= 0)
                r = strv_extend(&command, "machinectl");
        if (r >= 0)
                r = strv_extend(&command, "--quiet");
        if (r >= 0)
                r = strv_extend(&command, "shell");
        if (r >= 0)
                r = strv_extend(&command, machine);
        STRV_FOREACH(a, cli->args + 1)
                if (r >= 0)
                        r = strv_extend(&command, *a);
        if (r < 0) {
                log_oom();
                return EXIT_FAILURE;
        }

        return execute(command);
}
