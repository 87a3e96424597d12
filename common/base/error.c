/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/error.h"

#include <errno.h>
#include <string.h>

#include "common/base/str.h"

int error_explain(char **reterr, int error, const char *what, const char *subject) {
        if (*reterr)
                return error;
        return str_format(reterr, "Failed to %s '%s': %s", what, subject, strerror(-error)) < 0
                ? -ENOMEM
                : error;
}
