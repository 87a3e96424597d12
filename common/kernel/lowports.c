/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/lowports.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>

#include "common/base/str.h"

/* include/uapi/linux/bpf.h: bit 0 allows the bind, bit 1 is BPF_RET_BIND_NO_CAP_NET_BIND_SERVICE. */
#define ALLOW_WITHOUT_CAPABILITY 3

static int bpf(int command, union bpf_attr *attributes) {
        int fd = (int) syscall(SYS_bpf, command, attributes, sizeof(*attributes));

        return fd < 0 ? -errno : fd;
}

/* return 3; */
static int load(uint32_t hook) {
        static const struct bpf_insn instructions[] = {
                { .code = BPF_ALU64 | BPF_MOV | BPF_K,
                        .dst_reg = BPF_REG_0,
                        .imm = ALLOW_WITHOUT_CAPABILITY },
                { .code = BPF_JMP | BPF_EXIT },
        };
        union bpf_attr attributes = {
                .prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
                .expected_attach_type = hook,
                .insns = (uintptr_t) instructions,
                .insn_cnt = ELEMENTSOF(instructions),
                .license = (uintptr_t) "LGPL-2.1-or-later",
                .prog_name = "spawnlet_ports", /* in "bpftool prog list" */
        };

        return bpf(BPF_PROG_LOAD, &attributes);
}

/* Beside the programs of others: those of systemd's SocketBindAllow= and SocketBindDeny= have the same hooks. */
static int attach(int cgroup, int program, uint32_t hook) {
        union bpf_attr attributes = {
                .target_fd = (uint32_t) cgroup,
                .attach_bpf_fd = (uint32_t) program,
                .attach_type = hook,
                .attach_flags = BPF_F_ALLOW_MULTI,
        };

        return bpf(BPF_PROG_ATTACH, &attributes);
}

int lowports_allow(const char *cgroup, char **reterr) {
        static const uint32_t hooks[] = { BPF_CGROUP_INET4_BIND, BPF_CGROUP_INET6_BIND };
        _cleanup_close_ int directory = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        *reterr = NULL;
        if (directory < 0) {
                int r = -errno;

                (void) str_format(reterr, "failed to open '%s'", cgroup); /* errno says it, too */
                return r;
        }

        for (size_t i = 0; i < ELEMENTSOF(hooks); i++) {
                _cleanup_close_ int program = load(hooks[i]);
                int r = program < 0 ? program : attach(directory, program, hooks[i]);

                if (r < 0) {
                        (void) str_format(reterr, "failed to %s a BPF program%s",
                                program < 0 ? "load" : "attach",
                                r == -EINVAL ? ", which needs Linux 5.12 with CONFIG_CGROUP_BPF"
                                             : "");
                        return r;
                }
        }

        return 0;
}
