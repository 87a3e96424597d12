/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/bus/bus.h"

#include <systemd/sd-bus.h>

#include "common/base/str.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SYSTEMD_SERVICE "org.freedesktop.systemd1.Service"
#define SYSTEMD_UNIT "org.freedesktop.systemd1.Unit"

#define MACHINED_NAME "org.freedesktop.machine1"
#define MACHINED_PATH "/org/freedesktop/machine1"
#define MACHINED_MANAGER "org.freedesktop.machine1.Manager"

/* Where systemd takes calls of root's without a D-Bus daemon; systemctl(1) uses it, too. */
#define SYSTEMD_PRIVATE "unix:path=/run/systemd/private"

struct Bus {
        sd_bus *bus;
};

Bus *bus_free(Bus *b) {
        if (!b)
                return NULL;

        sd_bus_flush_close_unref(b->bus);
        free(b);
        return NULL;
}

int bus_new(Bus **ret) {
        _cleanup_(bus_freep) Bus *b = calloc(1, sizeof(Bus));
        int r;

        if (!b)
                return -ENOMEM;

        r = sd_bus_open_system(&b->bus);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(b);
        return 0;
}

int bus_new_direct(Bus **ret) {
        _cleanup_(bus_freep) Bus *b = calloc(1, sizeof(Bus));
        int r;

        if (!b)
                return -ENOMEM;

        r = sd_bus_new(&b->bus);
        if (r >= 0)
                r = sd_bus_set_address(b->bus, SYSTEMD_PRIVATE);
        if (r >= 0)
                r = sd_bus_start(b->bus);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(b);
        return 0;
}

/* Hand systemd's words for a failure to the caller. Return: @r. */
static int bus_failed(int r, const sd_bus_error *error, char **reterr) {
        if (str_format(reterr, "%s", error->message ? error->message : strerror(-r)) < 0)
                return -ENOMEM;
        return r;
}

void bus_units_free(BusUnit *units, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(units[i].name);
                free(units[i].active);
                free(units[i].sub);
        }
        free(units);
}

static int read_unit(sd_bus_message *m, BusUnit *ret) {
        const char *name, *active, *sub;
        int r;

        r = sd_bus_message_read(
                m, "(ssssssouso)", &name, NULL, NULL, &active, &sub, NULL, NULL, NULL, NULL, NULL);
        if (r <= 0)
                return r;

        /* The strings belong to the message, sd_bus_message_read_basic(3). */
        *ret = (BusUnit){ strdup(name), strdup(active), strdup(sub) };
        return ret->name && ret->active && ret->sub ? 1 : -ENOMEM;
}

static int read_units(sd_bus_message *m, BusUnit **units, size_t *n) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");
        while (r >= 0) {
                BusUnit *grown = reallocarray(*units, *n + 1, sizeof(BusUnit));

                if (!grown)
                        return -ENOMEM;
                *units = grown;
                grown[*n] = (BusUnit){};

                r = read_unit(m, &grown[*n]);
                if (r == 0)
                        return 0;
                (*n)++; /* also a half-read one, to be freed */
        }

        return r;
}

int bus_list_containers(Bus *b, BusUnit **ret, size_t *ret_n, char **reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        BusUnit *units = NULL;
        size_t n = 0;
        int r;

        r = sd_bus_call_method(b->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                "ListUnitsByPatterns", &error, &reply, "asas", 0, 1, "container-*.service");
        if (r >= 0)
                r = read_units(reply, &units, &n);
        if (r < 0) {
                bus_units_free(units, n);
                return bus_failed(r, &error, reterr);
        }

        *ret = units;
        *ret_n = n;
        return 0;
}

int bus_main_pid(Bus *b, const char *unit, pid_t *ret, char **reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path;
        uint32_t pid;
        int r;

        r = sd_bus_call_method(b->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "GetUnit",
                &error, &reply, "s", unit);
        if (sd_bus_error_has_name(&error, "org.freedesktop.systemd1.NoSuchUnit")) {
                *ret = 0;
                return 0;
        }
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r >= 0)
                r = sd_bus_get_property_trivial(
                        b->bus, SYSTEMD_NAME, path, SYSTEMD_SERVICE, "MainPID", &error, 'u', &pid);
        if (r < 0)
                return bus_failed(r, &error, reterr);

        *ret = (pid_t) pid;
        return 0;
}

int bus_is_terminating(Bus *b, const char *unit, char **reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = NULL, *state = NULL;
        int r;

        r = sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path);
        if (r >= 0)
                r = sd_bus_get_property_string(
                        b->bus, SYSTEMD_NAME, path, SYSTEMD_UNIT, "SubState", &error, &state);
        if (r < 0)
                return bus_failed(r, &error, reterr);

        return strcmp(state, "stop-sigterm") == 0;
}

int bus_unregister_machine(Bus *b, const char *machine, char **reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = sd_bus_message_new_method_call(
                b->bus, &call, MACHINED_NAME, MACHINED_PATH, MACHINED_MANAGER, "UnregisterMachine");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", machine);
        /* At shutdown machined may be gone, and is not wanted back. */
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = sd_bus_call(b->bus, call, 0, &error, NULL);

        if (r >= 0 || sd_bus_error_has_name(&error, "org.freedesktop.machine1.NoSuchMachine") ||
                sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return 0;
        return bus_failed(r, &error, reterr);
}

/* Jobs that have not ended yet. */
typedef struct Jobs {
        char **paths; /* of the jobs, index by index those of the units; "" when ended */
        char *const *units;
        size_t n_waiting;
        int n_failed;
        BusJobHandler handler;
        void *userdata;
} Jobs;

static void job_ended(Jobs *jobs, const char *unit, const char *result) {
        if (strcmp(result, "done") != 0)
                jobs->n_failed++;
        if (jobs->handler)
                jobs->handler(unit, result, jobs->userdata);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *path, *result;
        Jobs *jobs = userdata;
        int r;

        (void) error; /* a signal is not answered */
        r = sd_bus_message_read(m, "uoss", NULL, &path, NULL, &result);
        if (r < 0)
                return 0; /* not from systemd as we know it */

        for (size_t i = 0; i < strv_length(jobs->paths); i++)
                if (strcmp(jobs->paths[i], path) == 0) {
                        jobs->paths[i][0] = '\0';
                        jobs->n_waiting--;
                        job_ended(jobs, jobs->units[i], result);
                }

        return 0;
}

static int make_job(Bus *b, const char *method, const char *unit, Jobs *jobs) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL, *call = NULL;
        const char *path;
        int r;

        r = sd_bus_message_new_method_call(
                b->bus, &call, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, method);
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", unit, "replace");
        if (r < 0)
                return r;

        r = sd_bus_call(b->bus, call, 0, &error, &reply);
        if (r < 0) {
                job_ended(jobs, unit, error.message ? error.message : strerror(-r));
                return strv_extend(&jobs->paths, "");
        }

        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return r;

        jobs->n_waiting++;
        return strv_extend(&jobs->paths, path);
}

static int run_jobs(Bus *b, const char *method, Jobs *jobs) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        int r;

        /* systemd sends its signals only to those who asked. */
        r = sd_bus_match_signal(b->bus, &slot, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                "JobRemoved", on_job_removed, jobs);
        if (r >= 0)
                r = sd_bus_call_method(b->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                        "Subscribe", NULL, NULL, NULL);

        STRV_FOREACH(unit, jobs->units)
                if (r >= 0)
                        r = make_job(b, method, *unit, jobs);

        while (r >= 0 && jobs->n_waiting > 0) {
                r = sd_bus_process(b->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(b->bus, UINT64_MAX);
        }

        return r;
}

int bus_run_jobs(Bus *b, const char *method, char *const *units, BusJobHandler handler,
        void *userdata, char **reterr) {
        Jobs jobs = { .units = units, .handler = handler, .userdata = userdata };
        int r;

        r = run_jobs(b, method, &jobs);
        strv_free(jobs.paths);
        return r < 0 ? bus_failed(r, &(sd_bus_error){}, reterr) : jobs.n_failed;
}

unsigned bus_systemd_version(void) {
        _cleanup_(bus_freep) Bus *b = NULL;
        _cleanup_free_ char *version = NULL;

        if (bus_new(&b) < 0 ||
                sd_bus_get_property_string(b->bus, SYSTEMD_NAME, "/org/freedesktop/systemd1",
                        SYSTEMD_MANAGER, "Version", NULL, &version) < 0)
                return 0;

        /* "257.13-1~deb13u1": what follows the number is the distribution's. */
        return (unsigned) strtoul(version, NULL, 10);
}
