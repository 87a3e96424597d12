/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Messages of the programs. Only the files with a main() and what is private to them log;
 * the libraries return errors, and text where text is known.
 */

#include <syslog.h>

#include "common/base/macro.h"

typedef enum LogTarget {
        LOG_TO_STDERR,  /* "program: text" */
        LOG_TO_JOURNAL, /* stderr with "<PRIORITY>" in front, see sd-daemon(3) */
        LOG_TO_KMSG,    /* /dev/kmsg, for a generator run by PID 1: no journal yet */
} LogTarget;

/**
 * log_setup() - choose where messages go
 * @program: the name in front of each message, borrowed for ever
 *
 * Until then they go to standard error.
 */
void log_setup(const char *program, LogTarget target);

/**
 * log_on_error() - have a function called with the text of the first error
 *
 * What follows from the first failure says less than it.
 */
void log_on_error(void (*function)(const char *text));

/** log_target_of_service() - Return: LOG_TO_JOURNAL if stderr is the journal, else stderr. */
LogTarget log_target_of_service(void);

/**
 * log_full() - write one message
 * @priority: LOG_ERR, LOG_WARNING, ...
 * @error: an errno, its sign ignored, that "%m" in @format stands for; or 0
 *
 * Return: @error as -errno, so that a caller can log and return in one line.
 */
int log_full(int priority, int error, const char *format, ...) _printf_(3, 4);

#define log_error(...) ((void) log_full(LOG_ERR, 0, __VA_ARGS__))
#define log_warning(...) ((void) log_full(LOG_WARNING, 0, __VA_ARGS__))
#define log_info(...) ((void) log_full(LOG_INFO, 0, __VA_ARGS__))
#define log_error_errno(error, ...) log_full(LOG_ERR, error, __VA_ARGS__)
#define log_warning_errno(error, ...) ((void) log_full(LOG_WARNING, error, __VA_ARGS__))
#define log_oom() log_error_errno(ENOMEM, "Out of memory")
