/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A container's private network: its namespace, its veth pair, addresses and routes, and
 * the file that its name is resolved with. Made whole or not at all, before the container
 * starts; taken down by the container's name alone.
 */

#include "common/base/address.h"

typedef struct NetworkConfig {
        const char *machine;
        Address host[ADDRESSES_MAX]; /* of the host's end */
        size_t n_host;
        Address local[ADDRESSES_MAX]; /* of the container's end, eth0 */
        size_t n_local;
        Address gateway[2]; /* of the default routes; where there is none of a family that has */
        size_t n_gateway;   /* addresses, the first host address of that family is it */
        bool no_gateway;    /* no default routes at all */
        bool has_mac;
        uint8_t mac[6]; /* of eth0; by default made from machine ID and name */
        unsigned mtu;   /* of both ends; 0: the kernel's default */
} NetworkConfig;

/**
 * network_up() - make the network of a container
 * @reterr: on failure, a sentence that says what failed and why, owned by the caller
 *
 * What a container of this name left behind, after a crash say, is taken down first. After
 * a failure nothing is left. The calling process is in another network namespace
 * afterwards in either case.
 *
 * Return: 0 or negative errno.
 */
int network_up(const NetworkConfig *config, char **reterr);

/**
 * network_down() - take down the network of a container
 * @reterr: as in network_up()
 *
 * Goes on where something fails, and succeeds where there is nothing.
 *
 * Return: 0 or the first negative errno.
 */
int network_down(const char *machine, char **reterr);
