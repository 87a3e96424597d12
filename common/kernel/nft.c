/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/nft.h"

#include <dlfcn.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>

#include "common/base/str.h"

#define LIBRARY "libnftables.so.1"
#define PACKAGE "libnftables1"

/* libnftables' errors begin with the place, "Error: " and what is wrong; the command follows. */
#define ERROR_PREFIX "Error: "

/* The functions of libnftables. */
typedef struct Library {
        __typeof__(nft_ctx_new) *ctx_new;
        __typeof__(nft_ctx_free) *ctx_free;
        __typeof__(nft_ctx_buffer_error) *ctx_buffer_error;
        __typeof__(nft_ctx_get_error_buffer) *ctx_get_error_buffer;
        __typeof__(nft_run_cmd_from_buffer) *run_cmd_from_buffer;
} Library;

static const struct {
        const char *name;
        size_t offset;
} symbols[] = {
        { "nft_ctx_new", offsetof(Library, ctx_new) },
        { "nft_ctx_free", offsetof(Library, ctx_free) },
        { "nft_ctx_buffer_error", offsetof(Library, ctx_buffer_error) },
        { "nft_ctx_get_error_buffer", offsetof(Library, ctx_get_error_buffer) },
        { "nft_run_cmd_from_buffer", offsetof(Library, run_cmd_from_buffer) },
};

DEFINE_CLEANUP(struct nl_sock *, nl_socket_free);

static int fail(char **reterr, int error, const char *why) {
        *reterr = strdup(why);
        return *reterr ? error : -ENOMEM;
}

/* The library stays loaded: it is used once or twice, and then the process ends. */
static int load(Library *ret, char **reterr) {
        Library library = {};
        void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

        for (size_t i = 0; handle && i < ELEMENTSOF(symbols); i++) {
                void *symbol = dlsym(handle, symbols[i].name);

                if (!symbol)
                        handle = NULL;
                memcpy((char *) &library + symbols[i].offset, &symbol, sizeof(symbol));
        }
        if (!handle) {
                const char *reason = dlerror();

                return str_format(reterr, "%s (install " PACKAGE ")", reason ? reason : LIBRARY) < 0
                        ? -ENOMEM
                        : -ELIBACC;
        }

        *ret = library;
        return 0;
}

/*
 * Whether the kernel answers to nf_tables at all. libnftables is not asked: without a netlink
 * socket it ends the process (mnl.c, netlink_init_error()), and without nf_tables its error is
 * "cache initialization failed: Invalid argument".
 */
static int probe_kernel(char **reterr) {
        struct nfgenmsg header = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0 };
        _cleanup_(nl_socket_freep) struct nl_sock *socket = nl_socket_alloc();
        int r;

        if (!socket)
                return -ENOMEM;

        errno = 0;
        r = nl_connect(socket, NETLINK_NETFILTER);
        if (r < 0 && errno == EPROTONOSUPPORT)
                return fail(reterr, -EPROTONOSUPPORT, "the kernel has no nf_tables");
        if (r >= 0)
                r = nl_send_simple(socket, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, NLM_F_ACK,
                        &header, sizeof(header));
        if (r >= 0)
                r = nl_wait_for_ack(socket);

        switch (-r) {
        case NLE_INVAL: /* no part of the kernel has registered for the number */
        case NLE_OPNOTSUPP:
        case NLE_OBJ_NOTFOUND:
                return fail(reterr, -EPROTONOSUPPORT, "the kernel has no nf_tables");
        case NLE_PERM:
                return fail(reterr, -EPERM, strerror(EPERM));
        default:
                return r < 0 ? fail(reterr, -EIO, nl_geterror(r)) : 0;
        }
}

/* The first line of libnftables' errors that says what is wrong. */
static int first_error(const char *text, char **reterr) {
        const char *start = text ? strstr(text, ERROR_PREFIX) : NULL;

        start = start ? start + strlen(ERROR_PREFIX) : "libnftables does not say why";
        return str_format(reterr, "%.*s", (int) strcspn(start, "\n"), start);
}

static int run(const Library *library, const char *commands, char **reterr) {
        struct nft_ctx *context = library->ctx_new(NFT_CTX_DEFAULT);
        int r;

        if (!context)
                return -ENOMEM;

        r = library->ctx_buffer_error(context) != 0 ? -ENOMEM : 0;
        if (r >= 0 && library->run_cmd_from_buffer(context, commands) != 0) {
                r = first_error(library->ctx_get_error_buffer(context), reterr);
                if (r >= 0)
                        r = -EIO;
        }

        library->ctx_free(context);
        return r;
}

int nft_run(const char *commands, char **reterr) {
        Library library;
        int r;

        *reterr = NULL;
        r = load(&library, reterr);
        if (r >= 0)
                r = probe_kernel(reterr);
        return r < 0 ? r : run(&library, commands, reterr);
}
