/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fuzzes what is kept in /run/spawnlet: what a container was started with, its network, its health. What is
 * read is written as it was, and what is written is read as it was, whatever stands in a value.
 */

#include <assert.h>

#include "common/base/health.c" /* NOLINT: its record is a file of the host's otherwise */
#include "common/base/settings.h"
#include "common/kernel/netconfig.h"
#include "fuzz/fuzz.h"

static void assert_same(char *const *a, char *const *b) {
        assert(strv_length(a) == strv_length(b));
        for (; a && *a; a++, b++)
                assert(strcmp(*a, *b) == 0);
}

/* Write lines, and read them. */
static void check_round_trip(char *const *lines) {
        _cleanup_strv_ char **again = NULL;
        _cleanup_free_ char *text = NULL;

        assert(settings_format(lines, &text) == 0);
        assert(count_lines(text, "") == strv_length(lines) + 2); /* the first, and the end */
        assert(settings_parse(text, &again) == 0);
        assert_same(lines, again);
}

static void check_line(const char *line) {
        SettingLine s = {};
        Effect effect = settings_effect(line);

        if (settings_split(line, &s)) {
                assert(s.section == line + 1 && s.value > s.name && s.value[-1] == '=');
                assert(!memchr(s.section, ']', s.section_size));
                assert(!memchr(s.name, '=', s.name_size) && s.name + s.name_size + 1 == s.value);
                assert(!s.veth || s.veth + s.veth_size + 1 == s.name);
                (void) settings_is_network(&s);
        } else {
                assert(effect == EFFECT_RESTART);
        }
}

static void check_settings(char *text) {
        _cleanup_strv_ char **lines = NULL, **read = NULL;
        _cleanup_free_ char *header = NULL, *record = NULL;
        char *whole[] = { text, text, NULL };

        assert(settings_format(NULL, &header) == 0);
        assert(str_join(&record, header, text) == 0);
        assert(settings_parse(record, &lines) == 0);
        check_round_trip(lines);
        STRV_FOREACH(line, lines)
                check_line(*line);

        check_round_trip(whole);
        check_line(text);
        if (settings_parse(text, &read) >= 0)
                check_round_trip(read);
}

static void check_health(const char *text) {
        _cleanup_health_ HealthRecord h = {}, again = {}, written = {};
        _cleanup_free_ char *record = NULL, *message = strdup(text), *status = NULL;

        if (parse_record(text, &h) >= 0) {
                assert(h.pid > 0 && h.state < _HEALTH_STATE_MAX);
                assert(format_record(&h, &record) == 0 && parse_record(record, &again) == 0);
                assert(h.pid == again.pid && h.start_time == again.start_time);
                assert(h.state == again.state && h.n_failures == again.n_failures);
                assert(str_equal(h.message, again.message));
        }

        /* What a check has printed, as helpers/health.c keeps it. */
        assert(message);
        health_clean_line(message);
        for (const char *p = message; *p; p++) {
                assert((unsigned char) *p >= ' ' && *p != 0x7f);
                assert((unsigned char) *p != 0xc2 || (unsigned char) p[1] >= 0xa0);
        }
        assert(str_is_utf8(message, strlen(message)));
        if (!*message)
                return;

        written = (HealthRecord){ .pid = 7, .state = HEALTH_UNHEALTHY, .message = message };
        message = NULL;
        free(record);
        assert(format_record(&written, &record) == 0);
        health_done(&again);
        assert(parse_record(record, &again) == 0 && again.pid == 7);
        assert(str_equal(again.message, written.message));
        assert(health_status(&again, &status) == 0 && !strchr(status, '\n'));
}

static void check_config(const NetworkConfig *c) {
        char name[IF_NAMESIZE];

        assert(c->no_veth || c->n_pairs > 0);
        for (size_t i = 0; i < c->n_pairs; i++) {
                const Pair *p = &c->pairs[i];

                assert(p->n_host <= ADDRESSES_MAX && p->n_local <= ADDRESSES_MAX);
                assert(interface_name_is_valid(p->inside));
                assert(!*p->bridge || interface_name_is_valid(p->bridge));
                pair_host_interface(c, p, name);
                assert(interface_name_is_valid(name));
                assert(netconfig_find_pair(c, p->inside) == p);
                for (size_t k = 0; k < p->n_local; k++)
                        assert(p->local[k].prefix <= address_length(&p->local[k]) * 8);
        }
        for (size_t i = 0; i < c->n_uplinks; i++)
                assert(interface_name_is_valid(c->uplinks[i].host) &&
                        interface_name_is_valid(c->uplinks[i].inside));
        for (size_t i = 0; i < c->n_forwards; i++) {
                const Forward *f = &c->forwards[i];

                assert(f->first > 0 && f->first <= f->last && f->inside > 0);
                assert((unsigned) f->inside + f->last - f->first <= 65535);
        }
        (void) netconfig_gateway(c, AF_INET);
        (void) netconfig_gateway(c, AF_INET6);
        (void) netconfig_needs_firewall(c);
}

static void check_network(const char *text) {
        _cleanup_netconfig_ NetworkConfig c = {}, again = {};
        _cleanup_free_ char *copy = strdup(text), *written = NULL;
        const char *error = NULL;
        int r;

        assert(copy && netconfig_init(&c, "web") == 0 && netconfig_init(&again, "web") == 0);
        r = netconfig_parse(&c, copy, &error);
        assert(r == 0 || ((r == -EINVAL || r == -E2BIG) && error && *error));

        /* Also what was taken before the fault. */
        assert(str_join(&written, c.text.data ? c.text.data : "") == 0);
        assert(netconfig_parse(&again, written, &error) == 0);
        assert(c.text.len == again.text.len &&
                (c.text.len == 0 || memcmp(c.text.data, again.text.data, c.text.len) == 0));
        assert(c.n_pairs == again.n_pairs && c.n_forwards == again.n_forwards);
        netconfig_complete(&again);
        check_config(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = calloc(1, size + 1);

        assert(text);
        memcpy(text, data, size);
        check_settings(text);
        check_health(text);
        check_network(text);
        free(text);
        return 0;
}
