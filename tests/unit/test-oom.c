/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-oom: reading definitions and writing units with every single allocation failing in turn.
 * Either the failure is reported, or the result is what it is otherwise; nothing is leaked.
 */

#include "tests/unit/test.h"

#include <stdarg.h>

#include "common/base/search.h"
#include "common/base/unit.h"

static size_t countdown; /* allocations until one fails; 0: none does */
static bool failed;

static bool fails(void) {
        if (countdown == 0 || --countdown > 0)
                return false;
        failed = true;
        errno = ENOMEM;
        return true;
}

/* The linker puts these in the place of libc's, for calls from our own objects; ld(1), --wrap. */
#define WRAP(type, name, parameters, arguments)                                                    \
        type __real_##name parameters;                                                             \
        type __wrap_##name parameters;                                                             \
        type __wrap_##name parameters {                                                            \
                return fails() ? NULL : __real_##name arguments;                                   \
        }

WRAP(void *, malloc, (size_t n), (n))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *p, size_t n), (p, n))
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP(char *, strdup, (const char *s), (s))
WRAP(char *, strndup, (const char *s, size_t n), (s, n))

int __real_vasprintf(char **ret, const char *format, va_list ap);
int __wrap_vasprintf(char **ret, const char *format, va_list ap);
int __wrap_vasprintf(char **ret, const char *format, va_list ap) {
        return fails() ? -1 : __real_vasprintf(ret, format, ap);
}

static void add(char *out, size_t size, const char *text) {
        size_t n = strlen(out);

        assert_true(n + strlen(text) + 1 < size);
        (void) sprintf(out + n, "%s\n", text);
}

static int add_diags(const Diags *diags, char *out, size_t size) {
        for (size_t i = 0; i < diags->n; i++) {
                _cleanup_free_ char *text = NULL;
                int r = diag_format(&diags->items[i], &text);

                if (r < 0)
                        return r;
                add(out, size, text);
        }
        return 0;
}

static int add_unit(const Definition *d, const Diags *diags, char *out, size_t size) {
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_ char **links = NULL;
        int r;

        r = diags_count(diags, SEVERITY_ERROR) > 0 ? unit_stub_text(d, diags, &text)
                                                   : unit_text(d, &text);
        if (r >= 0)
                r = unit_links(d, &links);
        if (r < 0)
                return r;

        add(out, size, text);
        STRV_FOREACH(l, links)
                add(out, size, *l);
        return 0;
}

/* What the generator does, but writing files. */
static int generate(char *out, size_t size) {
        _cleanup_(search_freep) Search *search = NULL;
        _cleanup_diags_ Diags of_search = {}, of_claims = {};
        _cleanup_claims_ Claims claims = {};
        int r;

        *out = '\0';
        r = search_new(&search, &of_search);
        for (size_t i = 0; r >= 0 && i < search->n_candidates; i++) {
                _cleanup_(definition_freep) Definition *d = NULL;
                _cleanup_diags_ Diags diags = {};

                r = search_load(search, &search->candidates[i], &diags, &d);
                if (r >= 0)
                        r = add_diags(&diags, out, size);
                if (r >= 0 && d && diags_count(&diags, SEVERITY_ERROR) == 0)
                        r = claims_add(&claims, d);
                if (r >= 0 && d)
                        r = add_unit(d, &diags, out, size);
        }
        if (r >= 0)
                r = claims_check(&claims, NULL, &of_claims);
        if (r >= 0)
                r = add_diags(&of_search, out, size);
        return r < 0 ? r : add_diags(&of_claims, out, size);
}

static void test_every_allocation(void **state) {
        static char expected[1 << 20], out[1 << 20];
        size_t n = 0;

        write_text(*state, "web.container",
                "[Container]\nRoot=/srv/a b\nServices=x.service y.service\nSystem=host\n"
                "[Exec]\nEnvironment=A=1 \"B=2 3\" \\\n C=4\nCapability=CAP_NET_RAW\n"
                "MachineID=01234567-89ab-cdef-0123-456789abcdef\nParameters=\"%\\x07\"\n"
                "[Files]\nBind=/a:/b\nOverlay=/a:/b:/c\nDevice=/dev/null rw\n"
                "[Network]\nLocalAddress=10.0.0.2 \nLocalAddress=fd00::2\nDNS=10.0.0.1\n"
                "[Unit]\nAfter=x.service\n[Install]\nWantedBy=a.target\nAlias=b.service\n");
        write_text(*state, "web.container.d/x.conf", "[Container]\nDescription=\nSystem=\n");
        write_text(*state, "command.container",
                "[Container]\nCommand=/bin/a b\nReloadCommand=/bin/c\n[Network]\n"
                "Namespace=container:web\n");
        write_text(*state, "nix.container", "[Container]\nSystem=/nix/var/nix/profiles/a:b\n");
        write_text(*state, "bad.container",
                "x\n[Containr]\n[Veth a]\n[Container]\nSytem=x\nRoot=x\n[Exec]\nUser=x\n"
                "[Network]\nLocalAddress=10.0.0.1\nLocalAddress=10.0.0.1\n");
        write_text(*state, "zone.container",
                "[Network]\nZone=a\nHostAddress=10.1.0.1/24\nLocalAddress=10.1.0.2/24\n"
                "Port=80\nInterface=eth1 eth2:b\n[Veth c]\nBridge=br0\nLocalAddress=10.2.0.2\n");
        write_text(*state, "zone2.container",
                "[Network]\nZone=a\nHostAddress=10.1.0.9/24\nMACVLAN=eth0\nPort=80\n"
                "LocalAddress=10.1.0.3/24\n");
        write_text(*state, "same.container", "[Network]\nLocalAddress=10.0.0.2\n");
        write_text(*state, "t@.container", "[Container]\nRoot=/srv/%i\n");
        write_text(*state, "t@i.container.d/x.conf", "[Exec]\nHostname=%i\n");
        write_text(*state, "no name.container", "");
        write_text(*state, "none@x.container.d/x.conf", "");
        assert_int_equal(setenv("SPAWNLET_PATH", *state, 1), 0);

        assert_int_equal(generate(expected, sizeof(expected)), 0);
        do {
                failed = false;
                countdown = ++n;
                int r = generate(out, sizeof(out));
                countdown = 0;

                if (r != -ENOMEM) {
                        assert_int_equal(r, 0);
                        if (strcmp(out, expected) != 0)
                                fail_msg("allocation %zu: another result", n);
                }
        } while (failed);
        assert_true(n > 300);
        assert_int_equal(unsetenv("SPAWNLET_PATH"), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_every_allocation, directory_setup, directory_teardown),
        };

        return cmocka_run_group_tests_name("oom", tests, NULL, NULL);
}
