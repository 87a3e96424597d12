/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * From a definition to the text of its unit. Pure: looks at nothing but the definition,
 * so that the generator, `spawnlet check` and the tests get the same bytes.
 */

#include "common/base/definition.h"

/**
 * unit_text() - the unit of a definition without errors
 * @ret: the content of container-NAME.service, owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int unit_text(const Definition *d, char **ret);

/**
 * unit_stub_text() - the unit of a definition with errors: its start fails and says why
 * @diags: the findings, at least one of them an error
 * @ret: the content of container-NAME.service, owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int unit_stub_text(const Definition *d, const Diags *diags, char **ret);

/**
 * unit_orphan_text() - the unit of a running container whose definition is gone
 * @name: the definition's name
 * @ret: the content of container-NAME.service, owned by the caller
 *
 * It can stop the container, and says why it cannot start it again.
 *
 * Return: 0 or -ENOMEM.
 */
int unit_orphan_text(const char *name, char **ret);

/**
 * unit_links() - the links that [Install] and AutoStart= ask for
 * @ret: their names relative to the generator's directory, such as
 *       "machines.target.wants/container-web.service" or "alias.service"; a list owned by
 *       the caller. Each is to point to the unit in that directory.
 *
 * Return: 0 or -ENOMEM.
 */
int unit_links(const Definition *d, char ***ret);
