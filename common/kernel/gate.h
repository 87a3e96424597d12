/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The moment when a container's namespaces are there, and nothing of it runs yet.
 *
 * With users of its own, a container can administer only a network namespace that is made together with
 * them, by systemd-nspawn. So the network cannot be made before. spawnlet-init is executed as the
 * container's first process, and holds it at the gate: a socket that systemd-nspawn hands on as it does
 * with those of socket activation. A process outside waits at the other end, makes the network, and
 * opens the gate. Nothing of the container ever sees the socket.
 */

#include <sys/types.h>

#include "common/base/macro.h"

/**
 * gate_new() - make both ends of a gate
 * @ret_outside: the end that waits, closed on execution; owned by the caller
 * @ret_inside: the end for gate_hand_on(), owned by the caller
 *
 * Return: 0 or negative errno.
 */
int gate_new(int *ret_outside, int *ret_inside);

/**
 * gate_hand_on() - have the program that this process executes next hand on an end
 * @inside: closed
 *
 * As the last of the descriptors of sd_listen_fds(3).
 *
 * Return: 0 or negative errno.
 */
int gate_hand_on(int inside);

/**
 * gate_wait() - wait until the container is at the gate or, when it is open, has gone through
 *
 * Return: 1 if it is, 0 if it will not come any more, negative errno.
 */
int gate_wait(int outside);

/** gate_open() - let the container go on. Return: 0 or negative errno. */
int gate_open(int outside);
