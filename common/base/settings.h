/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A definition as a list of lines, one for each setting, such as "[Network]HostAddress=10.90.0.1":
 * what a container was started with, to be compared with what is declared now.
 *
 * The unit has them on the command lines of spawnlet-root, which writes them down at the start, and
 * of spawnlet-reload, which writes down what it has changed. So the record is of what runs, whatever
 * has happened to the definition meanwhile.
 *
 * Everybody may read them. So of SetCredential= they have the ID alone; see credential.h for the value.
 */

#include "common/base/definition.h"

/**
 * settings_append() - append a definition's lines to a command line of its unit
 * @ret_reloadable: gets those of the lines whose change a reload carries out, or that take nothing
 */
void settings_append(Str *s, const Definition *d, Str *ret_reloadable);

/**
 * settings_of() - the lines of a definition, in its order
 * @ret: a list owned by the caller; NULL where nothing is set
 *
 * Return: 0 or -ENOMEM.
 */
int settings_of(const Definition *d, char ***ret);

/* A line taken apart. */
typedef struct SettingLine {
        const char *section; /* without brackets and NAME, not terminated: */
        size_t section_size;
        const char *veth; /* of "[Veth NAME]", the NAME, not terminated; else NULL */
        size_t veth_size;
        const char *name; /* the key, not terminated */
        size_t name_size;
        const char *value; /* up to the end of the line */
} SettingLine;

/** settings_split() - take a line apart. Return: whether it is one. */
bool settings_split(const char *line, SettingLine *ret);

/** settings_is_network() - Return: whether a line is of [Network] or a [Veth NAME]. */
bool settings_is_network(const SettingLine *line);

/**
 * settings_effect() - what it takes to have a change of this setting in a running container
 *
 * Looks at one line, whether it has come or gone. What only a whole definition can tell, such as a
 * network that becomes the host's, is not known here. What nobody knows takes a restart.
 */
Effect settings_effect(const char *line);

/** settings_format() - the text of a record; owned by the caller. Return: 0 or -ENOMEM. */
int settings_format(char *const *lines, char **ret);

/** settings_parse() - read it back. Return: 0; -ENODATA if it is none; -ENOMEM. */
int settings_parse(const char *text, char ***ret);

/**
 * settings_write() - write down what a container runs with, in SPAWNLET_STARTED_DIR
 * @name: the definition's
 *
 * While the file is there, the generator makes a unit for the container that can stop it, also when
 * its definition is gone: without one, a daemon-reload would take ExecStop= from a running
 * container.
 *
 * Return: 0 or negative errno.
 */
int settings_write(const char *name, char *const *lines);

/**
 * settings_read() - what a container runs with
 * @ret: the lines, a list owned by the caller
 *
 * Return: 0; -ENOENT if it does not run; -ENODATA if it is not known, as another version of spawnlet
 * has started it; other negative errno.
 */
int settings_read(const char *name, char ***ret);

/** settings_remove() - undo settings_write(). Return: 0, also if there is nothing; negative errno. */
int settings_remove(const char *name);
