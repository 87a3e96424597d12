/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The init of a running container: found from systemd-nspawn's PID alone, with no help
 * of D-Bus or machined, which may be gone when containers are stopped at shutdown.
 */

#include <sys/types.h>

#include "common/base/macro.h"

/**
 * init_find() - find the container's init
 * @main_pid: systemd-nspawn
 * @ret_pid: the init's PID on the host
 * @ret_pidfd: a descriptor of it, owned by the caller
 *
 * Return: 1 if found; 0 if systemd-nspawn has not made it yet, or it is gone; -ESRCH if
 * there is no process @main_pid; other negative errno.
 */
int init_find(pid_t main_pid, pid_t *ret_pid, int *ret_pidfd);

/**
 * init_kill_signal() - the signal that systemd-nspawn itself would stop the container with
 * @main_pid: systemd-nspawn, whose command line tells
 *
 * Return: the signal; -ENODATA if none is given there; -ESRCH if it is gone; other negative errno.
 */
int init_kill_signal(pid_t main_pid);

/**
 * init_can_take() - whether a signal sent to an init would have an effect
 *
 * The kernel drops signals to the first process of a PID namespace that it neither
 * handles nor blocks, without a trace; pid_namespaces(7). What is blocked stays pending,
 * and systemd blocks what it reads from a signalfd.
 *
 * Return: 1 or 0; -ESRCH if the process is gone; other negative errno.
 */
int init_can_take(pid_t pid, int signal);

/**
 * init_capabilities() - the capabilities that an init can ever have, its bounding set
 *
 * Return: 0 or negative errno.
 */
int init_capabilities(pid_t pid, uint64_t *ret);
