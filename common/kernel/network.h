/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A container's private network: its namespace, its veth pairs with addresses and routes, the
 * interfaces of the host that it gets, its part of the packet filter, and the file that its name is
 * resolved with. Made whole or not at all, before the container starts; changed and repaired while it
 * runs; taken down by the container's name alone.
 */

#include "common/kernel/netconfig.h"

/**
 * network_up() - make the network of a container
 * @pidfd: a process of the container, in whose network namespace it is made; negative to make a
 *         namespace, too
 * @reterr: on failure, a sentence that says what failed and why, owned by the caller
 *
 * What a container of this name left behind, after a crash say, is taken down first. After
 * a failure nothing is left.
 *
 * Return: 0 or negative errno.
 */
int network_up(const NetworkConfig *config, int pidfd, char **reterr);

/**
 * network_reload() - make the network of a running container what it is to be now
 * @config: NULL to repair the network that it has
 * @reterr: as in network_up()
 *
 * What is to be gone is removed, what is missing is made, what is right is not touched. After a
 * failure it is what it was before; if that fails, too, the next call goes on where this one stopped.
 *
 * Return: 0, -ENOENT if the container has no network of its own, other negative errno.
 */
int network_reload(const char *machine, const NetworkConfig *config, char **reterr);

/**
 * network_down() - take down the network of a container
 * @reterr: as in network_up()
 *
 * Goes on where something fails, and succeeds where there is nothing. The host's ends of pairs are
 * taken out of service; the kernel frees them with the namespace, a moment later.
 *
 * Return: 0 or the first negative errno.
 */
int network_down(const char *machine, char **reterr);

/** network_names() - the containers whose network is up. Return: 0 or negative errno. */
int network_names(char ***ret);
