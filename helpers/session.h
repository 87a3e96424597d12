/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The inner end of common/base/session-protocol.h.
 */

/**
 * session_run() - execute the command that comes over the terminal, and say there how it has ended
 *
 * Return: an exit status, if the terminal cannot be used or is gone. Else it waits for its hangup.
 */
int session_run(void);
