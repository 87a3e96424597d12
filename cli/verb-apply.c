/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `spawnlet apply`: has what is declared run, and touches nothing that runs so already. */

#include "cli/cli.h"
#include "cli/diff.h"
#include "cli/progress.h"
#include "common/base/log.h"
#include "common/base/name.h"

#define TIMER_SUFFIX ".timer"

/* What is done to a container, and came of it. */
typedef struct Step {
        Container *container;
        char *error;   /* why it failed; NULL if it did not */
        size_t n_jobs; /* that have not ended */
        bool is_quiet; /* there is nothing to say of it */
} Step;

typedef struct Apply {
        const Cli *cli;
        Bus *bus;
        Containers containers;
        Step *steps; /* index by index those of containers */
        BusJob *jobs;
        Step **owners; /* index by index those of jobs */
        char **units;  /* that the jobs are for, a list */
        size_t n_jobs;
} Apply;

static void apply_done(Apply *a) {
        for (size_t i = 0; a->steps && i < a->containers.n; i++)
                free(a->steps[i].error);
        free(a->steps);
        free(a->jobs);
        free(a->owners);
        strv_free(a->units);
        containers_done(&a->containers);
        bus_free(a->bus);
}

static bool is_worth_saying(const Plan *p) {
        return plan_says_something(p) || p->reason;
}

/* Results */

/* What nspawn says of itself is about another thing than a failure. */
static bool is_of_nspawn(const char *status) {
        return str_starts_with(status, "Container running") ||
                str_starts_with(status, "Terminating");
}

/* Our helpers tell systemd what failed; the journal has the rest. */
static int explain(Apply *a, const BusJob *job, const char *result, char **ret) {
        _cleanup_free_ char *status = NULL;

        if (strcmp(result, "dependency") == 0)
                return str_join(ret, "another unit that it needs has failed");
        if (strcmp(result, "failed") != 0 || bus_status_text(a->bus, job->unit, &status) < 0 ||
                !*status || is_of_nspawn(status))
                return progress_explain(job, result, ret);

        /* Names of the container's processes may be in it. */
        for (char *p = status; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        *p = '?';
        return str_format(ret, "%s; `journalctl -u %s` shows more.", status, job->unit);
}

static const char *done_word(Action a) {
        static const char *const words[_ACTION_MAX] = {
                [ACTION_NOTHING] = "nothing to do",
                [ACTION_LIVE] = "changed live",
                [ACTION_RELOAD] = "reloaded",
                [ACTION_RESTART] = "restarted",
                [ACTION_START] = "started",
                [ACTION_STOP] = "stopped",
        };

        return words[a];
}

/* What waits for a restart that is not ours to make. */
static void print_left(const Plan *p) {
        const char *separator = "; RestartIfChanged=no, so for a restart wait ";

        for (size_t i = 0; i < p->n_changes; i++) {
                const Change *c = &p->changes[i];

                if (!plan_leaves(p, c))
                        continue;
                printf("%s[%s%s%s] %s=", separator, c->section, c->veth ? " " : "",
                        c->veth ? c->veth : "", c->key);
                separator = ", ";
        }
}

static void print_step(const Apply *a, const Step *s) {
        const Plan *p = &s->container->plan;

        if (a->cli->json || s->is_quiet)
                return;

        printf("%s: ", s->container->name);
        if (s->error)
                printf("failed: %s", s->error);
        else
                fputs(done_word(p->action), stdout);
        if (p->is_pending)
                print_left(p);
        else if (p->reason && !s->error)
                printf(" (%s)", p->reason);
        putchar('\n');
        (void) fflush(stdout); /* others take longer; a failure shows at the end */
}

/* The helpers write down what they have done; systemd does not, nor can what runs inside. */
static bool leaves_record_to_us(const Plan *p) {
        if (p->action == ACTION_RELOAD)
                return plan_changes_system(p);
        if (p->action != ACTION_NOTHING && p->action != ACTION_LIVE)
                return false;

        for (size_t i = 0; i < p->n_changes; i++)
                if (!plan_leaves(p, &p->changes[i]))
                        return true;
        return false;
}

static int write_record(Step *s) {
        _cleanup_strv_ char **lines = NULL, **before = NULL;
        const Container *c = s->container;
        int r;

        /* One that has ended meanwhile runs with nothing. */
        if (!leaves_record_to_us(&c->plan) || settings_read(c->name, &before) == -ENOENT)
                return 0;

        r = plan_record(&c->plan, &c->facts, &lines);
        if (r >= 0)
                r = settings_write(c->name, lines);
        return r < 0 ? str_format(&s->error, "what it runs with could not be written down: %s",
                               strerror(-r))
                     : 0;
}

/* All jobs of a container have ended. */
static int finish_step(Apply *a, Step *s) {
        int r = s->error ? 0 : write_record(s);

        print_step(a, s);
        return r;
}

/* A timer whose unit is gone needs not be stopped, or has failed at the reload for want of what it is
 * to start. */
static bool end_timer(Apply *a, const BusJob *job, const char *result) {
        _cleanup_free_ char *ignored = NULL;

        (void) bus_reset_failed(a->bus, job->unit, &ignored); /* only to be tidy */
        return strcmp(result, "done") == 0 || str_ends_with(result, " not loaded.");
}

static void on_end(const BusJob *job, const char *result, void *userdata) {
        Apply *a = userdata;
        Step *s = a->owners[job - a->jobs];
        bool stops_timer =
                     strcmp(job->method, "StopUnit") == 0 && str_ends_with(job->unit, TIMER_SUFFIX),
             done = stops_timer ? end_timer(a, job, result) : strcmp(result, "done") == 0;

        if (!done && !s->error && explain(a, job, result, &s->error) < 0)
                log_oom();
        if (--s->n_jobs == 0 && finish_step(a, s) < 0)
                log_oom();
}

/* Jobs */

/* @unit: is owned by @a from now on */
static int add_job(Apply *a, Step *s, char *unit, const char *method) {
        int r = strv_consume(&a->units, unit);

        if (r < 0)
                return r;
        a->jobs[a->n_jobs] = (BusJob){ .unit = unit, .method = method };
        a->owners[a->n_jobs++] = s;
        s->n_jobs++;
        return 0;
}

/* The timer of health checks that goes, or has other settings by now. That of a container which starts
 * comes with it. */
static int add_health_job(Apply *a, Step *s) {
        const Container *c = s->container;
        bool wanted = c->definition && c->facts.is_valid &&
                definition_find(c->definition, KEY_HEALTH_COMMAND);
        char *unit;
        int r;

        if (c->plan.action == ACTION_STOP ? !plan_had_health(&c->facts)
                                          : !plan_changes_health(&c->plan))
                return 0;
        if (wanted && c->plan.action == ACTION_RESTART)
                return 0;

        r = str_join(&unit, "spawnlet-health-", c->name, TIMER_SUFFIX);
        return r < 0 ? r : add_job(a, s, unit, wanted ? "RestartUnit" : "StopUnit");
}

static int add_jobs(Apply *a, Step *s) {
        static const char *const methods[_ACTION_MAX] = {
                [ACTION_RELOAD] = "ReloadUnit",
                [ACTION_RESTART] = "RestartUnit",
                [ACTION_START] = "StartUnit",
                [ACTION_STOP] = "StopUnit",
        };
        const Container *c = s->container;
        char *unit;
        int r;

        r = add_health_job(a, s);
        if (r < 0 || !methods[c->plan.action])
                return r;

        r = unit_name(c->name, &unit);
        if (r < 0)
                return r;
        /* What has failed too often is not started any more. */
        if (c->facts.state == RUN_FAILED && bus_reset_failed(a->bus, unit, &s->error) < 0) {
                free(unit);
                return 0;
        }
        return add_job(a, s, unit, methods[c->plan.action]);
}

static int prepare(Apply *a) {
        size_t n = a->containers.n;
        int r = 0;

        a->steps = calloc(n + 1, sizeof(Step));
        a->jobs = calloc(2 * n + 1, sizeof(BusJob)); /* of a container and its timer */
        a->owners = calloc(2 * n + 1, sizeof(Step *));
        if (!a->steps || !a->jobs || !a->owners)
                return -ENOMEM;

        for (size_t i = 0; i < n; i++) {
                a->steps[i].container = &a->containers.items[i];
                a->steps[i].is_quiet = !is_worth_saying(&a->containers.items[i].plan);
        }

        for (size_t i = 0; r >= 0 && i < n; i++) {
                Step *s = &a->steps[i];

                if (s->container->plan.is_invalid)
                        r = str_join(&s->error, s->container->plan.reason);
                else
                        r = add_jobs(a, s);
        }
        return r;
}

/* Have systemd carry out what it has only read at its reload. Return: whether there was any; -ENOMEM. */
static int reapply(Apply *a, Step *s) {
        const Plan *p = &s->container->plan;
        _cleanup_free_ char *unit = NULL;
        int n = 0;

        if (p->action != ACTION_LIVE && p->action != ACTION_RELOAD)
                return 0;
        if (unit_name(s->container->name, &unit) < 0)
                return -ENOMEM;

        for (size_t i = 0; i < p->n_changes && !s->error; i++) {
                const Change *c = &p->changes[i];

                if (c->takes == EFFECT_LIVE && strcmp(c->section, "Service") == 0) {
                        (void) bus_reapply(a->bus, unit, c->key, &s->error);
                        n++;
                }
        }
        return n > 0;
}

/* Resource control of all containers. */
static int reapply_all(Apply *a) {
        _cleanup_free_ char *error = NULL;
        bool any = false;
        int r;

        for (size_t i = 0; i < a->containers.n; i++) {
                r = reapply(a, &a->steps[i]);
                if (r < 0)
                        return r;
                any |= r > 0;
        }

        r = any ? bus_reload(a->bus, &error) : 0;
        return r < 0 ? log_error_errno(r, "Failed to have systemd reload its units: %s", error) : 0;
}

static int carry_out(Apply *a) {
        _cleanup_free_ char *error = NULL;
        int r;

        r = prepare(a);
        if (r >= 0)
                r = reapply_all(a);
        for (size_t i = 0; r >= 0 && i < a->containers.n; i++)
                if (a->steps[i].n_jobs == 0)
                        r = finish_step(a, &a->steps[i]);
        if (r < 0)
                return log_oom();

        r = progress_run_jobs(
                a->bus, &(BusJobs){ a->jobs, a->n_jobs, .on_end = on_end, .userdata = a }, &error);
        return r < 0 ? log_error_errno(r, "Failed to talk to systemd: %s", error) : 0;
}

static const char *result_of(const Step *s) {
        const Plan *p = &s->container->plan;

        return s->error || s->n_jobs > 0         ? "failed"
                : p->is_pending || p->is_unknown ? "pending"
                                                 : "done";
}

static int report(const Apply *a, bool complete) {
        json_t *array = a->cli->json ? json_array() : NULL;
        bool failed = !complete, quiet = true;

        for (size_t i = 0; i < a->containers.n; i++) {
                const Step *s = &a->steps[i];
                const char *reason = s->error ? s->error : s->container->plan.reason;

                if (s->container->plan.is_invalid)
                        cli_log_diags(&s->container->diags);
                failed |= s->error != NULL;
                quiet &= s->is_quiet;
                if (!array || s->is_quiet)
                        continue;
                if (json_array_append_new(array, diff_json(s->container, result_of(s), reason)) <
                        0) {
                        json_decref(array);
                        return cli_print_json(NULL);
                }
        }

        if (array && cli_print_json(array) != EXIT_SUCCESS)
                return EXIT_FAILURE;
        if (!a->cli->json && complete && quiet)
                log_info("Nothing to do.");
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Where definitions cannot be found, containers would seem to have none, and be stopped. */
static int find(Apply *a) {
        _cleanup_diags_ Diags diags = {};
        int r;

        r = containers_find(a->cli->args, a->bus, &diags, &a->containers);
        cli_log_diags(&diags);
        if (r < 0)
                return r;
        if (diags_count(&diags, SEVERITY_ERROR) > 0)
                return log_error_errno(EIO, "Not all definitions can be read: nothing is done.");
        return 0;
}

int verb_apply(const Cli *cli) {
        _cleanup_(apply_done) Apply a = { .cli = cli };
        _cleanup_free_ char *error = NULL;
        int r;

        if (containers_check_names(cli->args) < 0)
                return EXIT_USAGE;
        if (getenv("SPAWNLET_PATH")) {
                log_error("What systemd runs does not come from $SPAWNLET_PATH: unset it, or use "
                          "'diff'.");
                return EXIT_USAGE;
        }

        if (cli_open_bus(&a.bus) < 0)
                return EXIT_FAILURE;
        r = cli->dry_run ? 0 : bus_reload(a.bus, &error);
        if (r < 0) {
                log_error("Failed to have systemd reload its units: %s", error);
                return EXIT_FAILURE;
        }

        if (find(&a) < 0)
                return EXIT_FAILURE;
        if (cli->dry_run)
                return diff_print_all(&a.containers, cli->json, is_worth_saying);
        r = carry_out(&a);
        return a.steps ? report(&a, r >= 0) : EXIT_FAILURE;
}
