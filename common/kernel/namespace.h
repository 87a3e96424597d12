/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Namespaces: a network namespace that is kept by a mount while no process is in it yet,
 * and entering those of a running container.
 */

#include <sys/types.h>

#include "common/base/macro.h"

/**
 * namespace_create() - make a network namespace, enter it, and keep it by a mount
 * @path: where it is to be mounted; must not exist, its directory must
 * @pidfd: a process whose network namespace is taken in place of a new one; negative for none
 * @ret_fd: a descriptor of the namespace, owned by the caller
 *
 * The calling process is in the new namespace afterwards, on success.
 *
 * Return: 0, -EEXIST if something is at @path, other negative errno with nothing left.
 */
int namespace_create(const char *path, int pidfd, int *ret_fd);

/**
 * namespace_remove() - take away what namespace_create() made
 *
 * The namespace itself goes when the last process and mount let go of it.
 *
 * Return: 0 also when there is nothing, negative errno.
 */
int namespace_remove(const char *path);

/**
 * namespace_enter() - enter all namespaces of a container and its cgroup
 * @init: the container's init
 * @pidfd: a descriptor of it, which makes sure that it is still the same process
 *
 * The PID namespace holds for children only: the caller forks. The process loses the
 * capabilities that the container's init could not get, and gets no new ones by execve(2) if the init cannot.
 *
 * Return: 0 or negative errno; after a failure the caller can only exit.
 */
int namespace_enter(pid_t init, int pidfd);
