/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Messages to the service manager. Above all what `systemctl status` shows of a unit as its status: a
 * message in the journal may be pushed out of there by later ones, such as those of a restart; the
 * status stays.
 */

#include <sys/types.h>

/**
 * notify_status() - set the status of the unit that this process is of
 * @text: one line
 *
 * sd_notify(3) does the same; it comes with a library whose loading takes as long as all else that a
 * helper does. Without a service manager nothing happens.
 */
void notify_status(const char *text);

/**
 * notify_ready_of() - say that a unit of systemd's has been started
 * @main_pid: its main process, in whose name it is said: sd_pid_notify(3)
 *
 * Without a service manager nothing happens.
 *
 * Return: 0 or negative errno.
 */
int notify_ready_of(pid_t main_pid);

/**
 * notify_barrier() - wait until the service manager has done what it does now
 *
 * So also until the end of a daemon-reload that was going on. As sd_notify_barrier(3).
 *
 * Return: 0; -ENOENT without a service manager; -ETIMEDOUT; other negative errno.
 */
int notify_barrier(int timeout_msec);
