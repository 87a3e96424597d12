/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the verbs of `spawnlet` share: their options, their table row, small helpers.
 */

#include <jansson.h>

#include "common/base/search.h"
#include "common/bus/bus.h"

/* Exit codes beside 0 and 1; spawnlet(1), EXIT STATUS. */
#define EXIT_USAGE 2

typedef struct Cli {
        bool json;            /* --json */
        bool strict;          /* --strict: warnings count as errors */
        bool dry_run;         /* --dry-run: say what would be done, and do nothing */
        bool from_unit;       /* --from-unit: called by the unit of a definition with errors */
        bool no_ask_password; /* --no-ask-password: polkit(8) is not to ask for one */
        char **args;          /* behind the verb, borrowed */
} Cli;

/* Each takes the options and returns the exit code of the program. */
int verb_list(const Cli *cli);
int verb_status(const Cli *cli);
int verb_start(const Cli *cli);
int verb_stop(const Cli *cli);
int verb_restart(const Cli *cli);
int verb_reload(const Cli *cli);
int verb_diff(const Cli *cli);
int verb_apply(const Cli *cli);
int verb_check(const Cli *cli);
int verb_show(const Cli *cli);
int verb_cat(const Cli *cli);
int verb_unit(const Cli *cli);
int verb_keys(const Cli *cli);
int verb_show_ip(const Cli *cli);
int verb_run(const Cli *cli);
int verb_shell(const Cli *cli);

/**
 * cli_is_terminal() - whether a line on a descriptor can be written over, and may be coloured
 *
 * That is a terminal which is not "dumb". For colours see also cli_has_colours().
 */
bool cli_is_terminal(int fd);

/** cli_has_colours() - Return: whether standard output takes colours, and nobody asked for none. */
bool cli_has_colours(void);

/** cli_print_json() - print a value, whose reference it takes over. Return: the exit code. */
int cli_print_json(json_t *value);

/**
 * cli_find_entry() - find a definition by name, or what an instance of a template is made from
 * @instance: room for the second case
 *
 * Return: the entry, whose strings are borrowed from @s and @name; NULL if there is none.
 */
const SearchEntry *cli_find_entry(const Search *s, const char *name, SearchEntry *instance);

/**
 * cli_similar_name() - Return: a defined container that may be meant by a name that none has,
 * borrowed from @s; NULL if none looks like it
 */
const char *cli_similar_name(const Search *s, const char *name);

/**
 * cli_find_definition() - load the definition that an argument of the command line names
 * @argument: the name of a definition, or of an instance of a template; or the path of a file,
 *            which is read by itself, without drop-ins
 * @diags: gets what is wrong with it
 * @ret: the definition, also if it is not valid
 *
 * Return: the exit code; not EXIT_SUCCESS if there is none of that name, which is logged.
 */
int cli_find_definition(const char *argument, Diags *diags, Definition **ret);

/** cli_load_definition() - as cli_find_definition(), with its findings logged. */
int cli_load_definition(const char *argument, Definition **ret, bool *ret_valid);

/** cli_log_diags() - print findings to standard error, as `spawnlet check` prints them. */
void cli_log_diags(const Diags *diags);

/** cli_is_file() - Return: whether an argument is the path of a definition, not its name. */
bool cli_is_file(const char *argument);

/**
 * cli_read_file() - read and check one file by itself
 * @ret: NULL if the file's name is not that of a definition; a finding says so
 *
 * Return: 0 or -ENOMEM.
 */
int cli_read_file(const char *path, Diags *diags, Definition **ret);

/**
 * cli_open_bus() - connect to the system bus
 *
 * Return: 0 or negative errno, logged.
 */
int cli_open_bus(Bus **ret);

/**
 * cli_open_bus_to_act() - connect to the system bus to do what not everybody may
 *
 * So polkit(8) may ask for a password, unless --no-ask-password forbids it.
 *
 * Return: 0 or negative errno, logged.
 */
int cli_open_bus_to_act(const Cli *cli, Bus **ret);

/**
 * cli_units() - the units of the containers named on the command line
 * @ret: a list, owned by the caller
 *
 * Return: 0 or negative errno, logged.
 */
int cli_units(char *const *names, char ***ret);

/**
 * cli_addresses() - the addresses of a container
 * @name: of the definition, NAME or TEMPLATE@INSTANCE
 * @d: its definition; may be NULL
 * @ret: those of the running container, else those declared, without prefix; a list owned by
 *       the caller
 *
 * Return: 0 or -ENOMEM.
 */
int cli_addresses(const char *name, const Definition *d, char ***ret);

/** cli_strings() - a JSON array of a list of strings. Return: it, or NULL out of memory. */
json_t *cli_strings(char *const *l);
