/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The generator without its main(): from the definitions of the search path to units in a
 * directory.
 */

/**
 * generate() - write the units of all definitions
 * @directory: where to; the only place that is written to
 *
 * A bad definition gets a unit that fails with the reason, and costs no other its own.
 *
 * Return: 0; negative errno if something could not be read or written, logged.
 */
int generate(const char *directory);
