/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `spawnlet run` and `spawnlet shell`: commands inside a container.
 *
 * `run` needs nothing inside but the command, for root, who may enter. Anybody else is let in by
 * systemd-machined, if polkit(8) permits it. So is `shell`, for its session.
 */

#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "common/base/log.h"
#include "config.h"

/* As spawnlet-enter has it: the codes below are the command's own. */
#define EXIT_CANNOT_RUN 126

static int enter(pid_t pid, char *const *arguments) {
        _cleanup_strv_ char **command = NULL;
        int r;

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

        (void) execvp(command[0], command);
        (void) log_error_errno(errno, "Failed to run '%s': %m", command[0]);
        return EXIT_CANNOT_RUN;
}

static int run_session(Bus *bus, const Session *s) {
        _cleanup_close_ int pty = -EBADF;
        int r;

        r = session_open(bus, s, &pty);
        agent_stop(); /* the terminal is the command's now */
        if (r >= 0)
                r = session_run(s, pty);
        return r < 0 ? EXIT_CANNOT_RUN : r;
}

/* Return: the PID of systemd-nspawn; 0 if there is none, which is logged. */
static pid_t find(Bus *bus, const char *name, const char *unit) {
        _cleanup_free_ char *error = NULL;
        pid_t pid;
        int r;

        r = bus_main_pid(bus, unit, &pid, &error);
        if (r < 0 || pid == 0) {
                log_error("Container '%s' cannot be entered: %s", name,
                        r < 0 ? error : "it is not running");
                return 0;
        }
        return pid;
}

int verb_run(const Cli *cli) {
        bool is_root = geteuid() == 0;
        _cleanup_(bus_freep) Bus *bus = NULL;
        _cleanup_strv_ char **units = NULL;
        char *name[] = { cli->args[0], NULL };
        char **arguments = cli->args + 1;
        pid_t pid;

        if (strcmp(arguments[0], "--") == 0)
                arguments++;
        if (!arguments[0]) {
                log_error("A command is missing, see --help.");
                return EXIT_CANNOT_RUN;
        }

        if (cli_units(name, &units) < 0 ||
                (is_root ? cli_open_bus(&bus) : cli_open_bus_to_act(cli, &bus)) < 0)
                return EXIT_CANNOT_RUN;
        pid = find(bus, name[0], units[0]);
        if (pid == 0)
                return EXIT_CANNOT_RUN;
        return is_root ? enter(pid, arguments)
                       : run_session(bus, &(Session){ name[0], arguments, false });
}

int verb_shell(const Cli *cli) {
        _cleanup_(bus_freep) Bus *bus = NULL;
        _cleanup_strv_ char **units = NULL;
        char *name[] = { cli->args[0], NULL };

        if (cli_units(name, &units) < 0)
                return EXIT_USAGE;
        if (cli_open_bus_to_act(cli, &bus) < 0 || find(bus, name[0], units[0]) == 0)
                return EXIT_CANNOT_RUN;
        return run_session(bus, &(Session){ name[0], cli->args + 1, true });
}
