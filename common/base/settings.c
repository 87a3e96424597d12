/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/settings.h"

#include <fcntl.h>
#include <sys/file.h>

#include "common/base/file.h"
#include "common/base/name.h"

/* The first line of a record: a file without it was made by another version. */
#define RECORD_HEADER "# What this container was started with, and what was changed since.\n"

#define SIZE_USUAL 1000 /* bytes of lines for a reload, allocated at once */

/* Much more than a definition and its drop-ins can be, whose lines may have been short ones. */
#define RECORD_SIZE_MAX (64U * 1024U * 1024U)

/* Lines of [Service] whose change systemd carries out, for `spawnlet apply`: systemd.resource-control(5).
 * A name that ends in '*' stands for all that begin so. */
static const char *const resource_control[] = { "AllowedCPUs", "AllowedMemoryNodes",
        "CPUAccounting", "CPUQuota*", "CPUWeight", "DefaultMemory*", "DefaultStartupMemory*",
        "DeviceAllow", "DevicePolicy", "IOAccounting", "IODevice*", "IORead*", "IOWeight",
        "IOWrite*", "IPAccounting", "IPAddress*", "IPEgressFilterPath", "IPIngressFilterPath",
        "ManagedOOM*", "Memory*", "RestrictNetworkInterfaces", "SocketBind*", "Startup*", "Tasks*",
        NULL };

/* And those that only count when something ends, fails or starts anew. */
static const char *const of_no_effect[] = { "ExecCondition", "ExecStartPost", "ExecStartPre",
        "ExecStopPost", "ExitType", "FailureAction*", "FinalKillSignal", "OOMPolicy", "Restart*",
        "SendSIGKILL", "SuccessExitStatus", "Timeout*", NULL };

static bool equals(const char *s, const char *text, size_t size) {
        return strlen(s) == size && strncmp(s, text, size) == 0;
}

static bool is_among(const char *const *names, const char *name, size_t size) {
        for (; *names; names++) {
                size_t n = **names == *name ? strlen(*names) : 0; /* mostly another already here */

                if (n == 0)
                        continue;
                bool prefix = (*names)[n - 1] == '*';

                if (equals(*names, name, size) ||
                        (prefix && size >= n - 1 && strncmp(*names, name, n - 1) == 0))
                        return true;
        }
        return false;
}

/* "[SECTION]KEY=VALUE", "[Veth NAME]KEY=VALUE" */
static void append_setting(Str *s, const Setting *setting) {
        str_append_char(s, '[');
        str_append(s, setting->section);
        if (setting->veth)
                str_append_all(s, " ", setting->veth);
        str_append_char(s, ']');
        str_append(s, setting->key ? setting->key->name : setting->name);
        str_append_char(s, '=');
        str_append(s, setting->value);
}

/*
 * A setting as it is written down: of ID:VALUE of a credential, the ID.
 * @id: frees it
 *
 * Return: 0 or -ENOMEM.
 */
static int conceal(Setting *s, char **id) {
        if (s->key != &keys[KEY_SET_CREDENTIAL])
                return 0;
        *id = strndup(s->value, strcspn(s->value, ":"));
        s->value = *id;
        return *id ? 0 : -ENOMEM;
}

bool settings_split(const char *line, SettingLine *ret) {
        const char *end = *line == '[' ? strchr(line, ']') : NULL,
                   *equals = end ? strchr(end, '=') : NULL;

        if (!equals)
                return false;

        SettingLine s = { .section = line + 1,
                .section_size = (size_t) (end - line - 1),
                .name = end + 1,
                .name_size = (size_t) (equals - end - 1),
                .value = equals + 1 };
        const char *blank = memchr(s.section, ' ', s.section_size);

        if (blank) {
                s.veth = blank + 1;
                s.veth_size = (size_t) (end - s.veth);
                s.section_size = (size_t) (blank - s.section);
        }
        *ret = s;
        return true;
}

static Effect key_effect(const Key *key, const char *value) {
        return key->type == TYPE_BIND && !bind_is_live(value) ? EFFECT_RESTART : key->effect;
}

static Effect pass_through_effect(
        const char *section, size_t section_size, const char *name, size_t name_size) {
        if (!equals("Service", section, section_size))
                return EFFECT_NONE; /* [Unit] and [Install] are systemd's alone */
        if (is_among(resource_control, name, name_size))
                return EFFECT_LIVE;
        return is_among(of_no_effect, name, name_size) ? EFFECT_NONE : EFFECT_RESTART;
}

bool settings_is_network(const SettingLine *line) {
        return equals(keys[KEY_PRIVATE].section, line->section, line->section_size) ||
                equals(SECTION_VETH, line->section, line->section_size);
}

/* @own: whether the definition's network is one of the container's own. Only that is reloaded; another
 * kind takes a restart. */
static Effect setting_effect(const Setting *s, bool own) {
        if (!s->key)
                return pass_through_effect(
                        s->section, strlen(s->section), s->name, strlen(s->name));
        return key_id(s->key) >= KEY_PRIVATE && !own ? EFFECT_RESTART
                                                     : key_effect(s->key, s->value);
}

Effect settings_effect(const char *line) {
        bool is_ours = false;
        SettingLine s;

        if (!settings_split(line, &s))
                return EFFECT_RESTART;
        for (KeyId id = 0; id < _KEY_MAX; id++) {
                if (!equals(keys[id].section, s.section, s.section_size))
                        continue;
                if (equals(keys[id].name, s.name, s.name_size))
                        return key_effect(&keys[id], s.value);
                is_ours = true; /* as is a key that another version knows */
        }
        return is_ours ? EFFECT_RESTART
                       : pass_through_effect(s.section, s.section_size, s.name, s.name_size);
}

void settings_append(Str *s, const Definition *d, Str *ret_reloadable) {
        bool own = definition_network(d) == NETWORK_OWN;
        WordFlags flags = definition_word_flags(d);

        (void) str_reserve(ret_reloadable, SIZE_USUAL); /* a failure shows at the end */
        for (size_t i = 0; i < d->n_settings; i++) {
                _cleanup_free_ char *id = NULL;
                Setting setting = d->settings[i];
                size_t begin = s->len;

                if (conceal(&setting, &id) < 0) {
                        s->failed = true;
                        return;
                }
                str_append_char(s, ' ');
                append_setting(s, &setting);
                /* Keys are letters, digits and "-". A specifier in a line for systemd is systemd's, also "%i". */
                if (setting.veth || !word_is_free(setting.value))
                        word_quote_exec(s, begin + 1, setting.key ? flags : 0);
                Effect effect = setting_effect(&setting, own);

                if (effect != EFFECT_RESTART && effect != EFFECT_LIVE && !s->failed)
                        str_append_n(ret_reloadable, s->data + begin, s->len - begin);
        }
}

int settings_of(const Definition *d, char ***ret) {
        _cleanup_strv_ char **lines = NULL;

        for (size_t i = 0; i < d->n_settings; i++) {
                _cleanup_free_ char *id = NULL;
                Setting setting = d->settings[i];
                _cleanup_str_ Str s = {};
                char *line;
                int r;

                r = conceal(&setting, &id);
                if (r < 0)
                        return r;
                append_setting(&s, &setting);
                r = str_take(&s, &line);
                if (r >= 0)
                        r = strv_consume(&lines, line);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(lines);
        return 0;
}

/* A line feed in a value is no end of the line. */
static void append_line(Str *s, const char *line) {
        for (const char *p = line;; p++) {
                size_t n = strcspn(p, "\\\n");

                str_append_n(s, p, n);
                p += n;
                if (!*p)
                        break;
                str_append(s, *p == '\n' ? "\\n" : "\\\\");
        }
        str_append_char(s, '\n');
}

static int add_line(char ***lines, const char *text, size_t size) {
        char *line = strndup(text, size), *to = line;

        if (!line)
                return -ENOMEM;
        for (const char *p = line; *p; p++) {
                bool escape = p[0] == '\\' && p[1];

                p += escape;
                *to++ = (char) (escape && *p == 'n' ? '\n' : *p);
        }
        *to = '\0';
        return strv_consume(lines, line);
}

int settings_format(char *const *lines, char **ret) {
        _cleanup_str_ Str s = {};

        str_append(&s, RECORD_HEADER);
        STRV_FOREACH(line, lines)
                append_line(&s, *line);
        return str_take(&s, ret);
}

int settings_parse(const char *text, char ***ret) {
        const char *p = str_starts_with(text, RECORD_HEADER);
        _cleanup_strv_ char **lines = NULL;

        if (!p)
                return -ENODATA;

        while (*p) {
                size_t n = strcspn(p, "\n");
                int r = add_line(&lines, p, n);

                if (r < 0)
                        return r;
                p += n + (p[n] == '\n');
        }

        *ret = TAKE_PTR(lines);
        return 0;
}

int settings_write(const char *name, char *const *lines) {
        _cleanup_close_ int directory = -EBADF, lock = -EBADF;
        _cleanup_free_ char *text = NULL;
        int r;

        r = settings_format(lines, &text);
        if (r >= 0)
                r = mkdir_parents(SPAWNLET_STARTED_DIR, 0755);
        if (r >= 0)
                r = mkdir_parents(SPAWNLET_LOCK_DIR, 0700);
        if (r < 0)
                return r;

        /* For one writer at a time. Not the directory itself: anybody can open that, and so lock it. */
        lock = open(SPAWNLET_LOCK_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (lock < 0 || flock(lock, LOCK_EX) < 0)
                return -errno;
        directory = open(SPAWNLET_STARTED_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return -errno;
        return file_replace(directory, name, text, strlen(text), 0644);
}

int settings_read(const char *name, char ***ret) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        int r;

        r = str_join(&path, SPAWNLET_STARTED_DIR "/", name);
        if (r >= 0)
                r = file_read(AT_FDCWD, path, RECORD_SIZE_MAX, &text, NULL);
        return r < 0 ? r : settings_parse(text, ret);
}

int settings_remove(const char *name) {
        return file_remove(SPAWNLET_STARTED_DIR, name);
}
