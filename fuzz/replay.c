/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Runs a fuzz target on files: its corpus in every test run, with any compiler. */

#include <dirent.h>
#include <fcntl.h>

#include "common/base/file.h"
#include "fuzz/fuzz.h"

static int replay_file(int directory, const char *name) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = file_read(directory, name, 1024 * 1024, &data, &size);
        return r < 0 ? r : LLVMFuzzerTestOneInput((const uint8_t *) data, size);
}

int main(int argc, char *argv[]) {
        unsigned n = 0;

        for (int i = 1; i < argc; i++) {
                _cleanup_closedir_ DIR *d = opendir(argv[i]);

                if (!d) {
                        perror(argv[i]);
                        return EXIT_FAILURE;
                }

                for (const struct dirent *entry; (entry = readdir(d));) {
                        if (entry->d_name[0] == '.')
                                continue;
                        if (replay_file(dirfd(d), entry->d_name) < 0) {
                                (void) fprintf(stderr, "Failed to read '%s'\n", entry->d_name);
                                return EXIT_FAILURE;
                        }
                        n++;
                }
        }

        printf("%u inputs\n", n);
        return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
