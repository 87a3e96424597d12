/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Veth pairs of a container: made, changed to what they are to be, and taken out of service, with
 * their addresses and routes on both sides. What network.c does with each of them in turn.
 */

#include "common/kernel/netconfig.h"
#include "common/kernel/record.h"
#include "common/kernel/uplink.h"

/* What is known while a network is being made, changed or taken down. */
typedef struct Network {
        const char *machine;
        const NetworkConfig *config; /* what it is to be; NULL when it is taken down */
        Record record;
        NetworkConfig before[2]; /* what it may have been made with until now */
        size_t n_before;
        Ends ends;
        int lock; /* of what is shared; held from when the firewall forgets it until the record does */
        bool is_new;
} Network;

/**
 * pair_set_up() - make a pair of n->config what it is to be, or make it if it is missing
 * @reterr: on failure, a sentence that says what failed and why, owned by the caller
 *
 * Return: 0 or negative errno.
 */
int pair_set_up(Network *n, const Pair *p, char **reterr);

/**
 * pair_reduce() - remove what n->config no longer has of a pair of a running container
 * @old_config, @old: what the pair was made with
 * @reterr: as above
 *
 * That may be the whole pair.
 *
 * Return: 0, also if it is gone; negative errno.
 */
int pair_reduce(Network *n, const NetworkConfig *old_config, const Pair *old, char **reterr);

/**
 * pair_retire() - take a pair of a container that has stopped out of service
 * @c: the network that it is of
 * @reterr: as above
 *
 * Return: 0, also if it is gone; negative errno.
 */
int pair_retire(Network *n, const NetworkConfig *c, const Pair *p, char **reterr);
