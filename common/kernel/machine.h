/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is to be found of a container on the host outside of its root: its link in
 * /var/lib/machines, and what a killed systemd-nspawn leaves.
 */

#include "common/base/macro.h"

/**
 * machine_link() - let machinectl find a root that is not in /var/lib/machines
 * @machine: the container's name
 * @root: its root
 *
 * That the link is ours is remembered in /run/spawnlet/links, by a link of the same target,
 * so that machine_unlink() removes nobody else's.
 *
 * Return: 1 if linked, or if the root is there; 0 if something else has that name in
 * /var/lib/machines; negative errno.
 */
int machine_link(const char *machine, const char *root);

/** machine_unlink() - undo machine_link(), if it was done. Return: 0 or negative errno. */
int machine_unlink(const char *machine);

/**
 * machine_remove_leftovers() - remove what a killed systemd-nspawn leaves
 *
 * Since 256 it leaves a mount for the container's sockets, and will not start over it.
 *
 * Return: 0 or negative errno.
 */
int machine_remove_leftovers(const char *machine);

/** machine_is_registered() - Return: whether systemd-machined keeps a machine of this name. */
bool machine_is_registered(const char *machine);
