/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * systemd over D-Bus: the state of containers' units, and jobs that start and stop them. The
 * only place that knows its object paths, interfaces and signatures, see
 * org.freedesktop.systemd1(5).
 */

#include <sys/types.h>

#include "common/base/macro.h"

typedef struct Bus Bus;

/** bus_free() - close a connection. Return: NULL. */
Bus *bus_free(Bus *b);
DEFINE_CLEANUP(Bus *, bus_free);

/**
 * bus_new() - connect to the system bus
 *
 * Return: 0 or negative errno.
 */
int bus_new(Bus **ret);

/**
 * bus_new_direct() - connect to systemd itself
 *
 * Works for root only, and also when there is no D-Bus daemon yet or any more.
 *
 * Return: 0 or negative errno.
 */
int bus_new_direct(Bus **ret);

typedef struct BusUnit {
        char *name;   /* container-NAME.service */
        char *active; /* ActiveState: "active", "inactive", "failed", "activating", ... */
        char *sub;    /* SubState: "running", ... */
} BusUnit;

/** bus_units_free() - free an array of @n units. */
void bus_units_free(BusUnit *units, size_t n);

/**
 * bus_list_containers() - the loaded units of containers
 * @ret: the units, in no order, owned by the caller
 * @reterr: on failure, systemd's words for it, owned by the caller
 *
 * Return: 0 or negative errno.
 */
int bus_list_containers(Bus *b, BusUnit **ret, size_t *ret_n, char **reterr);

/**
 * bus_main_pid() - the main process of a unit
 * @ret: its PID; 0 if the unit does not run
 * @reterr: as in bus_list_containers()
 *
 * Return: 0 or negative errno.
 */
int bus_main_pid(Bus *b, const char *unit, pid_t *ret, char **reterr);

/**
 * bus_is_terminating() - whether systemd waits for a service to end that it has sent SIGTERM
 *
 * While ExecStop= commands run, it does not yet.
 *
 * @reterr: as in bus_list_containers()
 *
 * Return: 1 or 0, negative errno.
 */
int bus_is_terminating(Bus *b, const char *unit, char **reterr);

/**
 * bus_unregister_machine() - make systemd-machined forget a machine that is gone
 * @reterr: as in bus_list_containers()
 *
 * Return: 0 also if it does not know the machine, or does not run; negative errno.
 */
int bus_unregister_machine(Bus *b, const char *machine, char **reterr);

/* Called for each job that has ended; @result is systemd's: "done", "failed", "canceled", ... */
typedef void (*BusJobHandler)(const char *unit, const char *result, void *userdata);

/**
 * bus_run_jobs() - start, stop, restart or reload units, and wait until that is done
 * @method: "StartUnit", "StopUnit", "RestartUnit" or "ReloadUnit"
 * @units: the units' names, a list
 * @handler: may be NULL
 * @reterr: as in bus_list_containers()
 *
 * All are started at once. A unit whose job cannot be made is reported to @handler, with
 * systemd's words as result, and does not stop the others.
 *
 * Return: the number of units whose job did not end as "done"; negative errno.
 */
int bus_run_jobs(Bus *b, const char *method, char *const *units, BusJobHandler handler,
        void *userdata, char **reterr);

/**
 * bus_systemd_version() - Return: the version of the running systemd, such as 257; 0 if nobody
 * says, for want of a bus
 */
unsigned bus_systemd_version(void);
