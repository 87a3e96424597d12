/* SPDX-License-Identifier: LGPL-2.1-or-later */

#define main reload_main
int reload_main(int argc, char *argv[]);
#include "helpers/reload.c" /* NOLINT: see command-line.h */

#include "fuzz/command-line/command-line.h"

void reload_try(int argc, char *argv[], char *const given[]) {
        _cleanup_(reload_done) Reload r = { .pidfd = -EBADF };

        if (parse_argv(argc, argv, &r) <= 0)
                return;
        assert(definition_name_is_valid(r.name) && r.main_pid > 1);
        assert(is_end_of(r.wanted, argc, given)); /* a setting is no option of ours */

        /* And what is taken of them. */
        _cleanup_(bind_mounts_done) BindMounts mounts = {};
        for (char *const *l = r.wanted; *l; l++) {
                int q = add_mount(&mounts, *l, false, true);

                assert(q == 0 || q == -EINVAL);
                assert(add_mount(&mounts, *l, true, false) == q);
        }
        for (size_t i = 0; i < mounts.n; i++)
                assert(mounts.items[i].is_wanted && mounts.items[i].is_recorded &&
                        mounts.items[i].bind.destination[0] == '/');
}
