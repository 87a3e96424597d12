/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Whole files: read with a limit, written in one write, replaced in one step. For files
 * of the host only; what lies inside a container's root goes through kernel/root.h.
 */

#include <sys/stat.h>

#include "common/base/macro.h"

/**
 * file_read() - read a regular file whole
 * @dirfd, @path: as for openat(2); symbolic links are followed
 * @max: the largest size allowed, in bytes
 * @ret: the content, NUL-terminated, owned by the caller
 * @ret_size: its size without that NUL; may be NULL
 *
 * Never blocks: a FIFO or device is not waited for. /dev/null reads as empty.
 *
 * Return: 0, -EBADFD if it is no regular file, -EFBIG over @max, other negative errno.
 */
int file_read(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size);

/**
 * file_create() - create a file that must not exist, in one write
 * @mode: as for open(2), without what the umask takes away
 *
 * Nothing is left behind on failure.
 *
 * Return: 0, -EEXIST, other negative errno.
 */
int file_create(int dirfd, const char *name, const void *data, size_t size, mode_t mode);

/**
 * file_replace() - put a file in the place of another so that readers see one or the other
 * @mode: the file's, whatever the umask is
 *
 * For one writer at a time. One that is killed leaves a file ".NAME", which the next one, and
 * file_remove(), remove.
 *
 * Return: 0 or negative errno, with the old file untouched.
 */
int file_replace(int dirfd, const char *name, const void *data, size_t size, mode_t mode);

/**
 * file_write() - file_replace() with a text that all may read, in a directory that is made if it is missing
 *
 * Return: 0 or negative errno.
 */
int file_write(const char *directory, const char *name, const char *text);

/**
 * file_remove() - undo file_replace()
 *
 * Return: 0, also if there is no such file or directory; negative errno.
 */
int file_remove(const char *directory, const char *name);

/** mkdir_parents() - make @path and what is missing above it. Return: 0 or negative errno. */
int mkdir_parents(const char *path, mode_t mode);
