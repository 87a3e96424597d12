/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What spawnlet-init, which is linked with nothing of ours, has to know of gate.h: the descriptor is the
 * last of those of sd_listen_fds(3). A byte each: "here", "go on", and back "gone".
 */

#define GATE_VARIABLE "LISTEN_FDS"
#define GATE_FIRST_FD 3 /* SD_LISTEN_FDS_START */

/* Where it is inside, in every container: see also session-protocol.h. Elsewhere below /run than in host/
 * it would show as a failed unmount when the container shuts down. */
#define GATE_INIT "/run/host/spawnlet/init"
