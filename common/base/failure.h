/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Why a start failed, as told by a process whose word systemd does not take: the one that makes the network
 * of a container with users of its own is neither started by systemd nor the unit's main process.
 * systemd-nspawn ends in consequence, and leaves its own words as the unit's status. So spawnlet-cleanup
 * says it once more.
 */

#define SPAWNLET_FAILURES_DIR SPAWNLET_RUN_DIR "/failures" /* a file for each container */

/**
 * failure_write() - keep why a start failed
 * @machine: the container's name as a machine
 * @text: one line
 *
 * Return: 0 or negative errno.
 */
int failure_write(const char *machine, const char *text);

/**
 * failure_take() - what failure_write() has kept, and keep it no longer
 * @ret: owned by the caller; NULL if there is nothing
 *
 * Return: 0 or negative errno.
 */
int failure_take(const char *machine, char **ret);
