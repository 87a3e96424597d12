/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Names: which ones a container may have, and the names of everything that is made for
 * it. Every program that needs one of these names gets it from here, so that teardown
 * finds what setup made from the container's name alone.
 */

#include <net/if.h>

#include "common/base/str.h"

#define MACHINE_NAME_MAX 64U

#define SPAWNLET_RUN_DIR "/run/spawnlet"
#define SPAWNLET_STARTED_DIR SPAWNLET_RUN_DIR "/started" /* a file for each running container */
#define SPAWNLET_LOCK_DIR SPAWNLET_RUN_DIR "/lock"       /* root's alone: to be locked, flock(2) */
#define SPAWNLET_NETWORK_DIR SPAWNLET_RUN_DIR "/network" /* a directory for each network made */
#define SPAWNLET_NETNS_DIR SPAWNLET_RUN_DIR "/netns"     /* mounts of network namespaces */
#define SPAWNLET_HOSTS_DIR SPAWNLET_RUN_DIR "/hosts"     /* addresses, for nss-spawnlet */
#define SPAWNLET_RESOLV_DIR SPAWNLET_RUN_DIR "/resolv"   /* resolv.conf files of DNS= */
#define MACHINES_DIR "/var/lib/machines"

/**
 * machine_name_is_valid() - whether a container may be called @s
 *
 * 1 to 64 letters, digits, '-' and '.', no label empty or with '-' at an end: the
 * rules of systemd's hostname_is_valid(), which nspawn and machined apply.
 */
bool machine_name_is_valid(const char *s);

/**
 * definition_name_is_valid() - whether a definition may be called @s
 *
 * NAME, which is a machine's; TEMPLATE@; or TEMPLATE@INSTANCE, whose machine is TEMPLATE-INSTANCE
 * and has to have a valid name. "getty@" is systemd's: it has a container-getty@.service.
 */
bool definition_name_is_valid(const char *s);

/**
 * definition_name_to_machine() - the machine of a definition
 * @ret: NAME, TEMPLATE-INSTANCE, or TEMPLATE-%i with systemd's specifier, owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int definition_name_to_machine(const char *name, char **ret);

/** definition_name_instance() - Return: what follows the '@' in @name; NULL without one. */
const char *definition_name_instance(const char *name);

/** interface_name_is_valid() - whether the kernel takes @s (dev_valid_name()) and systemd does. */
bool interface_name_is_valid(const char *s);

/** unit_name() - container-NAME.service of a definition. Return: 0 or -ENOMEM. */
int unit_name(const char *definition, char **ret);

/**
 * unit_name_to_definition() - the definition of a unit's name
 * @ret: the definition's name, owned by the caller
 *
 * Return: 0, -EINVAL if @unit is no container's unit, -ENOMEM.
 */
int unit_name_to_definition(const char *unit, char **ret);

#define INTERFACE_FULL_NAME_MAX (2 + MACHINE_NAME_MAX + 1 + IF_NAMESIZE) /* c-NAME-PAIR */
#define OWNER_NAME_MAX (10 + MACHINE_NAME_MAX + 1 + IF_NAMESIZE)         /* container-NAME:PAIR */

/**
 * interface_name_shorten() - make a name that an interface may have
 * @ret: @full where that fits; else its beginning and four characters of its hash, always the same
 *       for one name
 *
 * Return: whether it was shortened.
 */
bool interface_name_shorten(const char *full, char ret[static IF_NAMESIZE]);

/**
 * host_interface_name() - name of the host's end of a veth pair of a container
 * @pair: NULL for the one with eth0; else the name of a [Veth NAME]
 * @ret: "c-NAME" or "c-NAME-PAIR", shortened
 * @ret_full: the same in full when it was shortened, to be set as alternative name; else empty
 */
void host_interface_name(const char *machine, const char *pair, char ret[static IF_NAMESIZE],
        char ret_full[static INTERFACE_FULL_NAME_MAX]);

/**
 * owner_name() - the alternative name that every host interface of a container carries
 * @ret: "container-NAME" or "container-NAME:PAIR"
 *
 * It says whose the interface is. Teardown goes by it, never by a name that someone else's interface
 * may have.
 */
void owner_name(const char *machine, const char *pair, char ret[static OWNER_NAME_MAX]);

/** hash64() - mix @n bytes into @seed; for names and MACs, not against an adversary. */
uint64_t hash64(uint64_t seed, const void *data, size_t n);
