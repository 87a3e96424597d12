/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The values of SetCredential=, which stand in no unit, on no command line, and in no file that
 * anybody but root can read.
 *
 * The generator writes each to a file, as it stands in the definition:
 * /run/systemd/generator/container-NAME.credentials/ID. spawnlet-root decodes them into
 * /run/spawnlet/credentials/MACHINE/ID, where systemd-nspawn loads them from. So a daemon-reload
 * changes nothing for a container that is being started, and it is known what a running one has.
 */

#include "common/base/definition.h"

#define SPAWNLET_CREDENTIALS_DIR                                                                   \
        SPAWNLET_RUN_DIR "/credentials" /* a directory for each container */

/**
 * credential_decode() - the bytes that a VALUE stands for
 * @text: with the C escapes that systemd-nspawn(1) has for --set-credential=
 * @ret: the bytes, with a NUL behind them, owned by the caller; there may be others within
 * @ret_size: how many they are, without that NUL
 *
 * Return: 0; -EINVAL for what is no escape; -ENOMEM.
 */
int credential_decode(const char *text, char **ret, size_t *ret_size);

/**
 * credentials_generate() - write the files of a definition, if it has any
 * @dirfd: the generator's directory
 *
 * All of them show at once: a container may be about to start while systemd runs the generator.
 *
 * Return: 0 or negative errno.
 */
int credentials_generate(int dirfd, const Definition *d);

/** credentials_append_sources() - append the options of spawnlet-root that name those files. */
void credentials_append_sources(Str *s, const Definition *d);

/** credentials_append_options() - append the options of systemd-nspawn that load them. */
void credentials_append_options(Str *s, const Definition *d);

/**
 * credentials_install() - make the files that systemd-nspawn loads
 * @machine: the container's
 * @sources: those that the generator wrote, a list
 * @instance: what "%i" in them and in their names stands for; NULL if it is nothing special
 * @reterr: on failure, what has failed, without the reason; owned by the caller; NULL if out of memory
 *
 * Return: 0; -ENOENT if a source is missing, as it is while systemd runs the generator; other negative
 * errno.
 */
int credentials_install(
        const char *machine, char *const *sources, const char *instance, char **reterr);

/** credentials_remove() - undo credentials_install(). Return: 0, also if there is nothing; negative errno. */
int credentials_remove(const char *machine);

/**
 * credentials_compare() - which credentials of a definition a running container has with another value
 * @ret: their IDs, a list owned by the caller; also of those that it does not have at all
 *
 * Return: 0; -EACCES or -EPERM if this user must not know; other negative errno.
 */
int credentials_compare(const Definition *d, char ***ret);
