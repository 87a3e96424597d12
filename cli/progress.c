/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli/progress.h"

#include <sys/ioctl.h>

#include "cli/cli.h"
#include "common/base/clock.h"
#include "common/base/health.h"
#include "common/base/name.h"

/* Back to the line's begin, and away with what stands there; ECMA-48, EL. */
#define CLEAR_LINE "\r\x1b[K"

typedef struct Progress {
        const BusJobs *jobs;
        bool shown; /* the line stands on the terminal */
} Progress;

static const char *verb_of(const BusJob *job) {
        static const struct {
                const char *method, *verb;
        } verbs[] = {
                { "StartUnit", "starting" },
                { "StopUnit", "stopping" },
                { "RestartUnit", "restarting" },
                { "ReloadUnit", "reloading" },
        };

        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (strcmp(verbs[i].method, job->method) == 0)
                        return verbs[i].verb;
        return job->method;
}

static unsigned seconds_since(uint64_t usec) {
        uint64_t now = now_usec();

        return now > usec ? (unsigned) ((now - usec) / USEC_PER_SEC) : 0;
}

/* The running jobs of one kind behind each other, with the verb in front of the first. */
static void append_running(Str *s, const BusJobs *jobs, const char *verb) {
        bool first = true;

        for (size_t i = 0; i < jobs->n; i++) {
                const BusJob *job = &jobs->items[i];
                _cleanup_free_ char *name = NULL;

                if (job->ended || job->running_since == 0 || strcmp(verb_of(job), verb) != 0)
                        continue;
                str_append(s, s->data[s->len - 1] == ':' ? " " : ", ");
                if (first)
                        str_append_all(s, verb, " ");
                first = false;
                str_append(s, unit_name_to_definition(job->unit, &name) < 0 ? job->unit : name);
                str_appendf(s, " (%u s)", seconds_since(job->running_since));
        }
}

static int make_line(const BusJobs *jobs, char **ret) {
        static const char *const verbs[] = { "stopping", "restarting", "reloading", "starting" };
        size_t n_done = 0, n_waiting = 0;
        _cleanup_str_ Str s = {};

        for (size_t i = 0; i < jobs->n; i++) {
                n_done += jobs->items[i].ended;
                n_waiting += !jobs->items[i].ended && jobs->items[i].running_since == 0;
        }

        str_appendf(&s, "%zu of %zu done:", n_done, jobs->n);
        if (str_error(&s) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                append_running(&s, jobs, verbs[i]);
        if (n_waiting > 0)
                str_appendf(&s, "%s %zu waiting", s.data[s.len - 1] == ':' ? "" : ",", n_waiting);
        return str_take(&s, ret);
}

static size_t terminal_width(void) {
        struct winsize size = {};

        return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20 ? 80 : size.ws_col;
}

static void clear_line(Progress *p) {
        if (p->shown)
                (void) fputs(CLEAR_LINE, stderr);
        p->shown = false;
}

/* In the last column a terminal may begin a new line, which the next one would not overwrite. */
static void on_tick(void *userdata) {
        size_t width = terminal_width() - 1;
        _cleanup_free_ char *line = NULL;
        Progress *p = userdata;

        if (make_line(p->jobs, &line) < 0)
                return; /* it is only shown */

        clear_line(p);
        if (strlen(line) > width) /* names of units are ASCII */
                memcpy(line + width - 3, "...", 4);
        (void) fputs(line, stderr);
        p->shown = true;
}

static void on_end(const BusJob *job, const char *result, void *userdata) {
        Progress *p = userdata;

        clear_line(p);
        if (p->jobs->on_end)
                p->jobs->on_end(job, result, p->jobs->userdata);
}

int progress_run_jobs(Bus *b, const BusJobs *jobs, char **reterr) {
        Progress p = { .jobs = jobs };
        BusJobs with_line = { jobs->items, jobs->n, on_end, on_tick, &p };
        int r;

        if (!cli_is_terminal(STDERR_FILENO))
                return bus_run_jobs(b, jobs, reterr);

        r = bus_run_jobs(b, &with_line, reterr);
        clear_line(&p);
        return r;
}

/* What nspawn says of itself is about another thing than a failure. */
static bool is_of_nspawn(const char *status) {
        return str_starts_with(status, "Container running") ||
                str_starts_with(status, "Terminating");
}

/* Our helpers tell systemd what failed; the journal has the rest. */
static int explain_failure(Bus *b, const char *unit, char **ret) {
        _cleanup_free_ char *status = NULL;

        if (bus_status_text(b, unit, &status) < 0 || !*status || is_of_nspawn(status))
                return str_format(ret, "`journalctl -u %s` shows why.", unit);

        /* systemd-nspawn passes on what the container says of itself. */
        health_clean_line(status);
        return str_format(ret, "%s; `journalctl -u %s` shows more.", status, unit);
}

int progress_explain(Bus *b, const BusJob *job, const char *result, char **ret) {
        /* The results of jobs are in org.freedesktop.systemd1(5), "JobRemoved". */
        static const struct {
                const char *result, *method /* or any */, *words;
        } explanations[] = {
                { "canceled", "StopUnit", "it was started again before it was gone" },
                { "canceled", "ReloadUnit", "it was stopped before it was reloaded" },
                { "canceled", NULL, "it was stopped before it was up" },
                { "invalid", "ReloadUnit", "it does not run, so it cannot be reloaded" },
                { "dependency", NULL, "another unit that it needs has failed" },
        };

        if (strcmp(result, "failed") == 0)
                return explain_failure(b, job->unit, ret);
        for (size_t i = 0; i < ELEMENTSOF(explanations); i++)
                if (strcmp(explanations[i].result, result) == 0 &&
                        (!explanations[i].method ||
                                strcmp(explanations[i].method, job->method) == 0))
                        return str_join(ret, explanations[i].words);

        /* A single word is a job's result, a sentence is why there is no job. */
        if (str_ends_with(result, "not found."))
                return str_format(ret,
                        "%s After a definition was written, run 'systemctl daemon-reload'.",
                        result);
        if (strchr(result, ' '))
                return str_join(ret, result);
        return str_format(
                ret, "the job ended as '%s'; `journalctl -u %s` shows why.", result, job->unit);
}
