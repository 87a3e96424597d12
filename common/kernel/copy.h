/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The copies of a root that systemd-nspawn makes for Ephemeral=, beside the root. It removes its own at
 * its end; of one that was killed nobody else does, and each crash would leave another one.
 */

/**
 * copies_remove() - remove the copies of a container's root in which nobody runs
 * @path: the root, or a link to it
 *
 * Return: 0, -EBUSY if something is mounted in one of them, other negative errno.
 */
int copies_remove(const char *path);
