/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Plans for people and for programs.
 */

#include <jansson.h>

#include "cli/facts.h"

/** diff_print() - print the plan of a container, with what has changed. Return: 0 or -ENOMEM. */
int diff_print(const Container *c);

/**
 * diff_json() - the same as JSON
 * @result: what came of it; NULL if nothing was done
 * @reason: why this; may be NULL
 *
 * Return: an object, or NULL out of memory.
 */
json_t *diff_json(const Container *c, const char *result, const char *reason);

/**
 * diff_print_all() - print the plans of containers, or their JSON
 * @json: whether as JSON
 * @wanted: whether one is to be printed
 *
 * Return: the exit code: EXIT_FAILURE also if a definition has errors, which are logged.
 */
int diff_print_all(const Containers *c, bool json, bool (*wanted)(const Plan *p));
