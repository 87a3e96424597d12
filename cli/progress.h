/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * systemd's jobs, with a line on the terminal while they run: how many are done, and what is being
 * waited for.
 */

#include "common/bus/bus.h"

/**
 * progress_run_jobs() - bus_run_jobs() with such a line on standard error, if that is a terminal
 * @jobs: on_tick is not looked at
 * @reterr: as in bus_run_jobs()
 *
 * What on_end prints does not get into the line's way, if it has it written out.
 *
 * Return: as bus_run_jobs().
 */
int progress_run_jobs(Bus *b, const BusJobs *jobs, char **reterr);

/**
 * progress_explain() - why a job did not end as "done"
 * @b: asked for what our helpers told systemd of the failure
 * @result: as on_end of BusJobs gets it
 * @ret: the reason, for people, owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int progress_explain(Bus *b, const BusJob *job, const char *result, char **ret);
