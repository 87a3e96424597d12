/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Forwarded ports and masquerading: the nftables table "inet spawnlet", which holds what all
 * running containers need and nothing else. It is replaced as a whole, in one transaction, from
 * the records of all of them: so it is right afterwards whatever was in it before, also when
 * another firewall has flushed everything. Established connections are conntrack's and stay.
 */

#include "common/kernel/netconfig.h"

/**
 * firewall_conflict() - find a port that two containers want, or one container twice
 * @b: @a itself for the second
 *
 * Return: whether there is one; it is in the range of @ret_a, an element of @a, and of @ret_b.
 */
bool firewall_conflict(const NetworkConfig *a, const NetworkConfig *b, const Forward **ret_a,
        const Forward **ret_b);

/**
 * firewall_ruleset() - the table as a text for nft(8)
 * @all: the networks of all running containers, no port in conflict; those that need nothing are
 *       passed over
 * @ret: owned by the caller
 *
 * The text removes the table if none needs anything. Whatever is there before, afterwards the
 * table is as the text says.
 *
 * Return: 0; -EINVAL for the name of a bridge that nft(8) cannot have, with a quotation mark say;
 * -ENOMEM.
 */
int firewall_ruleset(const NetworkConfig *all, size_t n, char **ret);

/**
 * firewall_apply() - put firewall_ruleset() into effect
 * @reterr: on failure, a sentence that says what failed and why, owned by the caller
 *
 * Return: 0 or negative errno, with the table as it was before.
 */
int firewall_apply(const NetworkConfig *all, size_t n, char **reterr);

/**
 * firewall_set_sysctls() - have the kernel forward what a container's network needs forwarded
 * @reterr: as above
 *
 * For the host's interface of the container, and those by which packets come in. To be called after
 * firewall_apply(): the table has the rules that keep the host's loopback closed to containers.
 *
 * Return: 0 or negative errno.
 */
int firewall_set_sysctls(const NetworkConfig *c, char **reterr);

/**
 * firewall_unset_sysctls() - take back what must not stay when the rules for a container go
 * @c: a container that is going down, or that has had these options until now
 * @all: the networks of all running containers, as they are to be
 * @reterr: as above
 *
 * That is route_localnet at a bridge, which outlives the container. To be called before
 * firewall_apply(). Nothing else is ever turned off: others may have come to need it.
 *
 * Return: 0, also if the interface is gone; negative errno.
 */
int firewall_unset_sysctls(
        const NetworkConfig *c, const NetworkConfig *all, size_t n, char **reterr);
