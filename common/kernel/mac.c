/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/mac.h"

#include <fcntl.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/name.h"

void mac_of(const char *name, const char *interface, MacSeed seed, uint8_t ret[static 6]) {
        _cleanup_free_ char *id = NULL;
        uint64_t hash = seed;
        size_t size;

        if (file_read(AT_FDCWD, "/etc/machine-id", 64, &id, &size) == 0)
                hash = hash64(hash, id, size);
        hash = hash64(hash, name, strlen(name));
        if (interface)
                hash = hash64(hash, interface, strlen(interface));

        memcpy(ret, &hash, 6);
        ret[0] = (uint8_t) ((ret[0] & 0xfe) | 0x02);
}
