/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Bind mounts of a running container: made and taken away by the kernel's mount API, so that
 * nothing inside has to help and systemd-machined neither.
 *
 * A directory of the host is cloned on the host, and attached inside by descriptors. The
 * container's paths are looked up below its root only, see root.h.
 */

#include <sys/types.h>

#include "common/base/definition.h"

/**
 * mount_make_point() - find or make in a container's root what something can be mounted on
 * @root: a descriptor of it
 * @path: the container's links in it are followed within the root
 * @is_directory: else an empty file is made
 *
 * Return: a descriptor, opened with O_PATH, owned by the caller; negative errno.
 */
int mount_make_point(int root, const char *path, bool is_directory);

typedef struct BindMount {
        Bind bind;
        const char *line; /* for the caller: which setting it is */
        bool read_only;
        bool is_recorded; /* the container was given it */
        bool is_wanted;   /* it is to have it */
} BindMount;

/**
 * mounts_change() - give a running container the bind mounts that it is to have
 * @machine: its name, for messages
 * @init, @pidfd: its init
 * @mounts: what it has and what it is to have; on return is_recorded says what it has then
 * @reterr: what went wrong, a sentence owned by the caller
 *
 * What is there as it should be is not touched. What was taken away inside comes back. So does what
 * was replaced on the host: a bind mount is of a file, not of its name. All sources are opened
 * before anything is changed: if one is missing, or cannot have its owners mapped, nothing is.
 *
 * Return: 0 or negative errno.
 */
int mounts_change(
        const char *machine, pid_t init, int pidfd, BindMount *mounts, size_t n, char **reterr);
