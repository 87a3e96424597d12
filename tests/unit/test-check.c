/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-check: what definitions claim for themselves, and which claims meet. The claims of keys
 * that are planned are taken as well: only the definition that has them is refused.
 */

#include "tests/unit/test.h"

typedef struct Text {
        const char *name, *text;
} Text;

/* The findings of claims_check() about some definitions, without the file's name. */
static char *claims_of(const Text *texts, size_t n, const char *name) {
        _cleanup_claims_ Claims claims = {};
        _cleanup_diags_ Diags diags = {};

        for (size_t i = 0; i < n; i++) {
                _cleanup_diags_ Diags ignored = {};
                _cleanup_(definition_freep) Definition *d =
                        define(texts[i].name, texts[i].text, &ignored);

                assert_int_equal(claims_add(&claims, d), 0);
        }

        assert_int_equal(claims_check(&claims, name, &diags), 0);
        return diags_text(&diags);
}

static void assert_claims(const Text *texts, size_t n, const char *name, const char *expected) {
        _cleanup_free_ char *text = claims_of(texts, n, name);

        assert_string_equal(text, expected);
}

#define PAIR(a, b) ((const Text[]){ { "a", a }, { "b", b } }), 2, NULL

static void test_addresses(void **state) {
        (void) state;

        assert_claims(
                PAIR("[Network]\nLocalAddress=10.0.0.2/24\n", "[Network]\nLocalAddress=10.0.0.2\n"),
                "test.container:2: [Network] LocalAddress=10.0.0.2: the same address as that of "
                "'a' in test.container:2\n");
        /* One address, written in two ways. */
        assert_claims(
                PAIR("[Network]\nLocalAddress=fd00::2\n", "[Network]\n\nLocalAddress=FD00:0::2\n"),
                "test.container:3: [Network] LocalAddress=FD00:0::2: the same address as that of "
                "'a' in test.container:2\n");
        /* One host address may be for many, but for no container. */
        assert_claims(
                PAIR("[Network]\nHostAddress=10.0.0.1\n", "[Network]\nHostAddress=10.0.0.1\n"), "");
        assert_claims(
                PAIR("[Network]\nHostAddress=10.0.0.1\n", "[Network]\nLocalAddress=10.0.0.1\n"),
                "test.container:2: [Network] LocalAddress=10.0.0.1: the same address as that of "
                "'a' in test.container:2\n");
        assert_claims(
                PAIR("[Network]\nLocalAddress=10.0.0.2\n", "[Network]\nLocalAddress=10.0.0.3\n"),
                "");
}

/* On two bridges there may be the same address; off a bridge it is the host that routes it. */
static void test_bridges(void **state) {
        static const char *const address = "[Network]\nLocalAddress=10.0.0.2\n";
        static const char *const one = "[Network]\nLocalAddress=10.0.0.2\nBridge=br1\n";
        static const char *const two = "[Network]\nLocalAddress=10.0.0.2\nBridge=br2\n";
        static const char *const found =
                "test.container:2: [Network] LocalAddress=10.0.0.2: the same address as that of "
                "'a' in test.container:2\n";

        (void) state;

        assert_claims(PAIR(one, two), "");
        assert_claims(PAIR(one, one), found);
        assert_claims(PAIR(one, address), found);

        static const char *const mac = "[Network]\nMACAddress=02:00:00:00:00:01\n";
        static const char *const mac_one = "[Network]\nMACAddress=02:00:00:00:00:01\nBridge=br1\n";
        static const char *const mac_two = "[Network]\nMACAddress=02:00:00:00:00:01\nBridge=br2\n";

        assert_claims(PAIR(mac, mac), "");
        assert_claims(PAIR(mac_one, mac_two), "");
        assert_claims(PAIR(mac_one, mac_one),
                "test.container:2: [Network] MACAddress=02:00:00:00:00:01: the same Ethernet "
                "address as that of 'a' in test.container:2\n");

        /* The bridge of a further pair is its own. */
        assert_claims(PAIR("[Veth x]\nLocalAddress=10.0.0.2\nBridge=br1\n[Network]\nBridge=br2\n",
                              "[Network]\nLocalAddress=10.0.0.2\nBridge=br2\n"),
                "");
        assert_claims(PAIR("[Network]\nLocalAddress=10.0.0.2\nBridge=br2\n",
                              "[Veth x]\nLocalAddress=10.0.0.2\nBridge=br2\n"),
                "test.container:2: [Veth x] LocalAddress=10.0.0.2: the same address as that of "
                "'a' in test.container:2\n");
}

static void test_ports(void **state) {
        static const struct {
                const char *a, *b;
                bool meet;
        } cases[] = {
                { "80", "80", true },
                { "80", "81", false },
                { "tcp:80", "80", true },
                { "udp:80", "80", false },
                { "udp:53:1053", "udp:53", true },
                { "80:8080", "8080:80", false }, /* the host's counts, which is the first */
                { "8000-8010:1-11", "8005", true },
                { "8000-8010:1-11", "8010-8020", true },
                { "8000-8010:1-11", "8011", false },
                { "10.0.0.1:80:80", "10.0.0.2:80:80", false },
                { "10.0.0.1:80:80", "10.0.0.1:80:80", true },
                { "10.0.0.1:80:80", "80", true },
                { "0.0.0.0:80:80", "10.0.0.1:80:80", true },
                { "[fd00::1]:80:80", "[fd00::1]:80:80", true },
                { "[fd00::1]:80:80", "[fd00::2]:80:80", false },
                { "[::]:80:80", "[fd00::2]:80:80", true },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *a = NULL, *b = NULL, *found = NULL, *back = NULL;

                assert_int_equal(str_format(&a, "[Network]\nPort=%s\n", cases[i].a), 0);
                assert_int_equal(str_format(&b, "[Network]\nPort=%s\n", cases[i].b), 0);
                found = claims_of(PAIR(a, b));
                back = claims_of(PAIR(b, a));
                if ((*found != '\0') != cases[i].meet || (*back != '\0') != cases[i].meet)
                        fail_msg("%s and %s: '%s', '%s'", cases[i].a, cases[i].b, found, back);
                if (cases[i].meet)
                        assert_contains(found, "the same port as that of 'a' in test.container:2");
        }
}

/* What runs at boot has to go together; what is started by hand may never meet. */
static void test_severity(void **state) {
        static const char *const boot = "[Network]\nLocalAddress=10.0.0.2\n";
        static const char *const hand =
                "[Container]\nAutoStart=no\n[Network]\nLocalAddress=10.0.0.2\n";

        (void) state;

        assert_claims(PAIR(boot, hand),
                "warning: test.container:4: [Network] LocalAddress=10.0.0.2: the same address as "
                "that of 'a' in test.container:2 (they cannot run at the same time)\n");
        assert_claims(PAIR(hand, hand),
                "warning: test.container:4: [Network] LocalAddress=10.0.0.2: the same address as "
                "that of 'a' in test.container:4 (they cannot run at the same time)\n");
}

static void test_users(void **state) {
        static const char *const one = "[Exec]\nPrivateUsers=1000000\n",
                                 *const next = "[Exec]\nPrivateUsers=1065536:1\n",
                                 *const last = "[Exec]\nPrivateUsers=1065535:1\n",
                                 *const hand = "[Container]\nAutoStart=no\n"
                                               "[Exec]\nPrivateUsers=999999:2\n";

        (void) state;

        assert_claims(PAIR(one, next), "");
        assert_claims(PAIR(one, last),
                "test.container:2: [Exec] PrivateUsers=1065535:1: users of 'a' in test.container:2 "
                "are among them (use PrivateUsers=pick, or ranges that do not overlap)\n");
        assert_claims(PAIR(one, one),
                "test.container:2: [Exec] PrivateUsers=1000000: users of 'a' in test.container:2 "
                "are among them (use PrivateUsers=pick, or ranges that do not overlap)\n");
        assert_claims(PAIR(hand, one),
                "warning: test.container:2: [Exec] PrivateUsers=1000000: users of 'a' in "
                "test.container:4 are among them (use PrivateUsers=pick, or ranges that do not "
                "overlap)\n");

        /* The host's numbers are the same for all, and those that are picked for none. */
        for (size_t i = 0; i < 6; i++) {
                static const char *const others[] = { "identity", "0", "0:65536", "pick", "managed",
                        "no" };
                char text[64];

                (void) snprintf(text, sizeof(text), "[Exec]\nPrivateUsers=%s\n", others[i]);
                assert_claims(PAIR(text, text), "");
        }
}

static void test_machines(void **state) {
        const Text texts[] = { { "web-blue", "" }, { "web@blue", "" }, { "web@", "" } };

        (void) state;

        assert_claims(texts, 3, NULL,
                "test.container: the same machine name as that of 'web-blue' in test.container\n");
}

static void test_references(void **state) {
        static const char *const join = "[Network]\nNamespace=container:a\n";

        (void) state;

        assert_claims(PAIR("[Network]\nPrivate=yes\n", join), "");
        assert_claims(PAIR("", join),
                "test.container:2: [Network] Namespace=container:a: 'a' in test.container has no "
                "network namespace of its own (give it Private=yes)\n");
        assert_claims(PAIR("[Network]\nNamespacePath=/run/netns/x\n", join),
                "test.container:2: [Network] Namespace=container:a: 'a' in test.container has no "
                "network namespace of its own (give it Private=yes)\n");
        assert_claims((const Text[]){ { "b", join } }, 1, NULL,
                "warning: test.container:2: [Network] Namespace=container:a: there is no valid "
                "definition of 'a'\n");
}

/* Of one definition only what concerns it, whichever of the two it is. */
static void test_of_one(void **state) {
        static const char *const text = "[Network]\nLocalAddress=10.0.0.2\n";
        const Text texts[] = { { "a", text }, { "b", text }, { "c", "" } };

        (void) state;

        assert_claims(texts, 3, "a",
                "test.container:2: [Network] LocalAddress=10.0.0.2: the same address as that of "
                "'b' in test.container:2\n");
        assert_claims(texts, 3, "b",
                "test.container:2: [Network] LocalAddress=10.0.0.2: the same address as that of "
                "'a' in test.container:2\n");
        assert_claims(texts, 3, "c", "");
}

/* One finding for each but the first, in a time that does not grow with their square. */
static void test_many(void **state) {
        _cleanup_claims_ Claims claims = {};
        _cleanup_diags_ Diags diags = {};
        const size_t n = 4000;

        (void) state;

        for (size_t i = 0; i < n; i++) {
                _cleanup_diags_ Diags ignored = {};
                char name[16];

                (void) snprintf(name, sizeof(name), "c%zu", i);
                _cleanup_(definition_freep) Definition *d =
                        define(name, "[Network]\nLocalAddress=10.0.0.2\n", &ignored);
                assert_int_equal(claims_add(&claims, d), 0);
        }

        assert_int_equal(claims_check(&claims, NULL, &diags), 0);
        assert_int_equal(diags.n, n - 1);
}

/* Addresses of one definition, on all its interfaces. */
static void test_addresses_of_one(void **state) {
        static const struct {
                const char *text, *found;
        } cases[] = {
                { "LocalAddress=10.0.0.1\nLocalAddress=10.0.0.1/24\n",
                        "test.container:3: [Network] LocalAddress=10.0.0.1/24: the address stands "
                        "here twice" },
                { "LocalAddress=fd00::1\nHostAddress=fd00:0::1\n",
                        "both ends of the network have this address" },
                { "HostAddress=10.0.0.1\n[Veth x]\nHostAddress=10.0.0.1\n", NULL },
                { "HostAddress=10.0.0.1\n[Veth x]\nHostAddress=10.0.0.1\n[Network]\n"
                  "HostAddress=10.0.0.1\n",
                        "the address stands here twice" },
                { "HostAddress=10.0.0.1\n[Veth x]\nLocalAddress=10.0.0.1\n",
                        "both ends of the network have this address" },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(definition_freep) Definition *d = NULL;
                _cleanup_free_ char *text = NULL, *found = NULL;
                _cleanup_diags_ Diags diags = {};

                assert_int_equal(str_format(&text, "[Network]\n%s", cases[i].text), 0);
                d = define("a", text, &diags);
                found = diags_text(&diags);
                if (cases[i].found)
                        assert_contains(found, cases[i].found);
                else
                        assert_contains_not(found, "address");
        }
}

/* The limits of a definition: an error, and no work that grows with the square of its lines. */
static void test_too_many(void **state) {
        static const struct {
                const char *line, *found;
        } cases[] = {
                { "[Network]\nLocalAddress=10.0.0.2\n", "more than 32 addresses" },
                { "[Veth v%zu]\nHostAddress=10.0.0.2\n", "more than 64 pairs" },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(definition_freep) Definition *d = NULL;
                _cleanup_diags_ Diags diags = {};
                _cleanup_free_ char *found = NULL;
                _cleanup_str_ Str text = {};

                for (size_t k = 0; k < 4000; k++) {
                        const char *format = strstr(cases[i].line, "%zu");

                        if (format) {
                                str_append_n(
                                        &text, cases[i].line, (size_t) (format - cases[i].line));
                                str_appendf(&text, "%zu%s", k, format + strlen("%zu"));
                        } else {
                                str_append(&text, cases[i].line);
                        }
                }
                d = define("a", text.data, &diags);
                found = diags_text(&diags);
                assert_contains(found, cases[i].found);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_bridges),
                cmocka_unit_test(test_ports),
                cmocka_unit_test(test_severity),
                cmocka_unit_test(test_users),
                cmocka_unit_test(test_machines),
                cmocka_unit_test(test_references),
                cmocka_unit_test(test_of_one),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_addresses_of_one),
                cmocka_unit_test(test_too_many),
        };

        return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
