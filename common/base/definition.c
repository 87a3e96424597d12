/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/definition.h"

#include <fcntl.h>

#include "common/base/file.h"
#include "common/base/ini.h"
#include "common/base/name.h"
#include "common/base/parse.h"

/* The sections whose lines go into the unit as they are. */
static const char *const pass_through[] = { "Unit", "Service", "Install" };

/* Lines that make the unit a container's: one more or another of them would break it. */
static const struct {
        const char *section, *name, *hint;
} refused[] = {
        { "Unit", "SourcePath", NULL },
        { "Service", "Type", NULL },
        { "Service", "ExecStart", "use Init= or Parameters=" },
        { "Service", "ExecStop", "use ExecStopPost= for more to do" },
        { "Service", "ExecReload", "use ReloadCommand= in [Container]" },
        { "Service", "ExecCondition", "use a Condition...= in [Unit]" },
        { "Service", "KillMode", NULL },
        { "Service", "KillSignal", "use KillSignal= in [Exec]" },
        { "Service", "Delegate", NULL },
        { "Service", "DelegateSubgroup", NULL },
        { "Service", "NotifyAccess", NULL },
        { "Service", "RemainAfterExit", NULL },
        { "Service", "PIDFile", NULL },
        { "Service", "BusName", NULL },
        { "Service", "GuessMainPID", NULL },
        { "Service", "RootDirectory", "use Root= in [Container]" },
        { "Service", "RootImage", "use Root= in [Container]" },
        { "Service", "User", "systemd-nspawn must run as root" },
        { "Service", "Group", "systemd-nspawn must run as root" },
        { "Service", "DynamicUser", "systemd-nspawn must run as root" },
        { "Service", "PrivateNetwork", "use Private= in [Network]" },
        { "Service", "NetworkNamespacePath", NULL },
};

static const char *const install_keys[] = { "WantedBy", "RequiredBy", "UpheldBy", "Alias" };

static void setting_done(Setting *s) {
        free(s->name);
        free(s->value);
}

Definition *definition_free(Definition *d) {
        if (!d)
                return NULL;

        for (size_t i = 0; i < d->n_settings; i++)
                setting_done(&d->settings[i]);
        free(d->settings);
        strv_free(d->files);
        free(d->name);
        free(d);
        return NULL;
}

int definition_new(const char *name, Definition **ret) {
        _cleanup_(definition_freep) Definition *d = calloc(1, sizeof(Definition));

        if (!d)
                return -ENOMEM;

        d->name = strdup(name);
        if (!d->name)
                return -ENOMEM;

        *ret = TAKE_PTR(d);
        return 0;
}

/* Takes over @name and @value, also on failure. */
static int add_setting(Definition *d, Setting new) {
        if (new.value) {
                Setting *grown = reallocarray(d->settings, d->n_settings + 1, sizeof(Setting));

                if (grown) {
                        d->settings = grown;
                        d->settings[d->n_settings++] = new;
                        return 0;
                }
        }

        setting_done(&new);
        return -ENOMEM;
}

static void reset_key(Definition *d, const Key *key) {
        size_t kept = 0;

        for (size_t i = 0; i < d->n_settings; i++)
                if (d->settings[i].key == key)
                        setting_done(&d->settings[i]);
                else
                        d->settings[kept++] = d->settings[i];
        d->n_settings = kept;
}

/* What the lexer's callback works on. */
typedef struct Reader {
        Definition *definition;
        Diags *diags;
        const char *file; /* borrowed from definition->files */
} Reader;

static Place place_of(const Reader *r, const IniLine *l) {
        return (Place){ .file = r->file,
                .line = l->line,
                .section = l->section,
                .key = l->key,
                .value = l->value };
}

static const char *find_pass_through(const char *section) {
        for (size_t i = 0; i < ELEMENTSOF(pass_through); i++)
                if (strcmp(pass_through[i], section) == 0)
                        return pass_through[i];
        return NULL;
}

static int read_section(const Reader *r, const IniLine *l) {
        _cleanup_free_ char *hint = NULL;

        /* X- is where systemd.syntax(7) lets other programs keep their own. */
        if (key_section_exists(l->section) || find_pass_through(l->section) ||
                str_starts_with(l->section, "X-"))
                return 0;

        const char *suggestion = key_suggest_section(l->section);
        if (suggestion && str_format(&hint, "did you mean '[%s]'?", suggestion) < 0)
                return -ENOMEM;

        Place place = place_of(r, l);
        return diags_add(r->diags, SEVERITY_WARNING, &place, hint,
                "unknown section, everything in it is ignored");
}

static int read_unknown_key(const Reader *r, const IniLine *l) {
        const Key *suggestion = key_suggest(l->section, l->key);
        _cleanup_free_ char *hint = NULL;
        int e = 0;

        if (suggestion && strcmp(suggestion->section, l->section) == 0)
                e = str_format(&hint, "did you mean '%s='?", suggestion->name);
        else if (suggestion)
                e = str_format(
                        &hint, "'%s=' belongs into [%s]", suggestion->name, suggestion->section);
        if (e < 0)
                return e;

        Place place = place_of(r, l);
        return diags_add(r->diags, SEVERITY_WARNING, &place, hint, "unknown key, ignored");
}

static int read_key(const Reader *r, const IniLine *l, const Key *key) {
        Definition *d = r->definition;
        _cleanup_strv_ char **elements = NULL;
        _cleanup_free_ char *error = NULL;
        int e;

        if (!*l->value) {
                reset_key(d, key);
                return 0;
        }

        e = key_parse(key, l->value, &elements, &error);
        if (e == -EINVAL) {
                Place place = place_of(r, l);
                return diags_add(r->diags, SEVERITY_ERROR, &place, NULL, "%s", error);
        }
        if (e < 0)
                return e;

        if (!key->list)
                reset_key(d, key);

        STRV_FOREACH(element, elements) {
                e = add_setting(d,
                        (Setting){ .key = key,
                                .section = key->section,
                                .value = strdup(*element),
                                .file = r->file,
                                .line = l->line });
                if (e < 0)
                        return e;
        }

        return 0;
}

/* An empty assignment of [Install] takes back the earlier ones; in [Unit] and [Service] that is for
 * systemd to do. */
static void reset_install(Definition *d, const char *name) {
        size_t kept = 0;

        for (size_t i = 0; i < d->n_settings; i++) {
                Setting *s = &d->settings[i];

                if (!s->key && strcmp(s->section, "Install") == 0 && strcmp(s->name, name) == 0)
                        setting_done(s);
                else
                        d->settings[kept++] = *s;
        }
        d->n_settings = kept;
}

static int check_install(const Reader *r, const IniLine *l, bool *ret_valid) {
        Place place = place_of(r, l);

        *ret_valid = false;
        for (size_t i = 0; i < ELEMENTSOF(install_keys); i++)
                if (strcmp(install_keys[i], l->key) == 0)
                        *ret_valid = true;
        if (!*ret_valid)
                return diags_add(r->diags, SEVERITY_WARNING, &place,
                        "WantedBy=, RequiredBy=, UpheldBy= and Alias= have an effect",
                        "has no effect in a definition, ignored");

        _cleanup_strv_ char **units = NULL;
        _cleanup_free_ char *error = NULL;
        const Key like = { .type = TYPE_UNITS };
        int e = key_parse(&like, l->value, &units, &error);

        *ret_valid = e >= 0;
        if (e == -EINVAL)
                return diags_add(r->diags, SEVERITY_ERROR, &place, NULL, "%s", error);
        if (e >= 0 && strcmp(l->key, "Alias") == 0)
                STRV_FOREACH(u, units)
                        if (!str_ends_with(*u, ".service")) {
                                *ret_valid = false;
                                return diags_add(r->diags, SEVERITY_ERROR, &place, NULL,
                                        "'%s' is not the name of a service", *u);
                        }
        return e;
}

static const char key_characters[] = "abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

static int read_pass_through(const Reader *r, const IniLine *l, const char *section) {
        bool valid = true;
        int e;

        for (size_t i = 0; i < ELEMENTSOF(refused); i++)
                if (strcmp(refused[i].section, section) == 0 &&
                        strcmp(refused[i].name, l->key) == 0) {
                        Place place = place_of(r, l);

                        return diags_add(r->diags, SEVERITY_ERROR, &place, refused[i].hint,
                                "this line makes the unit a container's and cannot be changed");
                }

        /* systemd would skip a byte order mark in front of a key that is refused above. */
        if (l->key[strspn(l->key, key_characters)] != '\0') {
                Place place = place_of(r, l);

                return diags_add(r->diags, SEVERITY_ERROR, &place, NULL,
                        "a key has only letters, digits and '-'");
        }

        if (strcmp(section, "Service") == 0 && str_starts_with(l->key, "Exec") && !*l->value) {
                Place place = place_of(r, l);

                return diags_add(r->diags, SEVERITY_ERROR, &place, NULL,
                        "an empty assignment would remove spawnlet's own lines");
        }

        if (strcmp(section, "Install") == 0) {
                e = check_install(r, l, &valid);
                if (e < 0 || !valid)
                        return e;
                if (!*l->value) {
                        reset_install(r->definition, l->key);
                        return 0;
                }
        }

        char *name = strdup(l->key);
        if (!name)
                return -ENOMEM;

        return add_setting(r->definition,
                (Setting){ .section = section,
                        .name = name,
                        .value = strdup(l->value),
                        .file = r->file,
                        .line = l->line });
}

static int read_line(const IniLine *l, void *userdata) {
        const Reader *r = userdata;

        if (!l->key)
                return read_section(r, l);

        const char *section = find_pass_through(l->section);
        if (section)
                return read_pass_through(r, l, section);
        if (!key_section_exists(l->section))
                return 0; /* said at its header */

        const Key *key = key_find(l->section, l->key);
        return key ? read_key(r, l, key) : read_unknown_key(r, l);
}

int definition_parse(Definition *d, const char *path, const char *text, size_t size, Diags *diags) {
        int r;

        r = strv_extend(&d->files, path);
        if (r < 0)
                return r;

        Reader reader = {
                .definition = d, .diags = diags, .file = d->files[strv_length(d->files) - 1]
        };
        return ini_parse(reader.file, text, size, diags, read_line, &reader);
}

int definition_read(Definition *d, const char *path, Diags *diags) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = file_read(AT_FDCWD, path, INI_FILE_MAX, &text, &size);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                const Place place = { .file = path };
                const char *reason = r == -EBADFD ? "not a regular file"
                        : r == -EFBIG             ? "larger than 1 MiB"
                                                  : strerror(-r);

                r = strv_extend(&d->files, path);
                return r < 0 ? r : diags_add(diags, SEVERITY_ERROR, &place, NULL, "%s", reason);
        }

        return definition_parse(d, path, text, size, diags);
}

const Setting *definition_next(const Definition *d, KeyId id, const Setting *previous) {
        for (size_t i = previous ? (size_t) (previous - d->settings) + 1 : 0; i < d->n_settings;
                i++)
                if (d->settings[i].key == &keys[id])
                        return &d->settings[i];
        return NULL;
}

const Setting *definition_find(const Definition *d, KeyId id) {
        const Setting *found = NULL;

        for (const Setting *s = NULL; (s = definition_next(d, id, s));)
                found = s;
        return found;
}

const char *definition_value(const Definition *d, KeyId id) {
        const Setting *s = definition_find(d, id);

        return s ? s->value : NULL;
}

bool definition_boolean(const Definition *d, KeyId id, bool otherwise) {
        const char *value = definition_value(d, id);

        return value ? strcmp(value, "yes") == 0 : otherwise;
}

/* The keys that need a network of one's own. */
static const KeyId private_keys[] = { KEY_HOST_ADDRESS, KEY_LOCAL_ADDRESS, KEY_GATEWAY,
        KEY_MAC_ADDRESS, KEY_MTU };

bool definition_private_network(const Definition *d) {
        bool implied = false;

        for (size_t i = 0; i < ELEMENTSOF(private_keys); i++)
                implied = implied || definition_find(d, private_keys[i]);

        return definition_boolean(d, KEY_PRIVATE, implied);
}

SystemKind definition_system(const Definition *d) {
        const char *system = definition_value(d, KEY_SYSTEM);

        if (!system)
                return SYSTEM_ROOT;
        return strcmp(system, "host") == 0 ? SYSTEM_HOST : SYSTEM_PATH;
}

int definition_root(const Definition *d, char **ret) {
        const char *root = definition_value(d, KEY_ROOT);

        return root ? str_format(ret, "%s", root) : str_format(ret, MACHINES_DIR "/%s", d->name);
}

int bind_source(const char *value, char **ret) {
        _cleanup_str_ Str s = {};

        if (*value == '+') {
                *ret = NULL;
                return 0;
        }

        /* "\:" is a colon in the path, "\\" a backslash; systemd-nspawn(1), --bind=. */
        for (const char *p = value; *p && *p != ':'; p++) {
                if (*p == '\\' && (p[1] == ':' || p[1] == '\\'))
                        p++;
                str_append_char(&s, *p);
        }

        return str_take(&s, ret);
}

static int complain(Diags *diags, const Setting *s, const char *hint, const char *message) {
        const Place place = { .file = s->file,
                .line = s->line,
                .section = s->section,
                .key = s->key->name,
                .value = s->value };

        return diags_add(diags, SEVERITY_ERROR, &place, hint, "%s", message);
}

static int check_address_count(const Definition *d, KeyId id, Diags *diags) {
        unsigned n = 0;

        for (const Setting *s = NULL; (s = definition_next(d, id, s));)
                if (++n > ADDRESSES_MAX)
                        return complain(diags, s, NULL, "more than 32 addresses");
        return 0;
}

/* The family that an address of the definition has; AF_UNSPEC for "none". */
static int family_of(const char *value) {
        Address a;

        return address_parse(value, &a, NULL) < 0 ? AF_UNSPEC : a.family;
}

static int check_gateway(const Definition *d, const Setting *gateway, Diags *diags) {
        int family = family_of(gateway->value);
        bool found = family == AF_UNSPEC;

        for (const Setting *l = NULL; (l = definition_next(d, KEY_LOCAL_ADDRESS, l));)
                found = found || family_of(l->value) == family;
        if (!found)
                return complain(diags, gateway,
                        "add a LocalAddress=", "the container has no address of this family");

        for (const Setting *g = NULL; (g = definition_next(d, KEY_GATEWAY, g)) && g != gateway;) {
                if (family == AF_UNSPEC || family_of(g->value) == AF_UNSPEC)
                        return complain(diags, gateway, "remove one of the two",
                                "'none' contradicts another gateway");
                if (family_of(g->value) == family)
                        return complain(diags, gateway, "remove one of the two",
                                "there is a gateway of this family already");
        }

        return 0;
}

static int check_gateways(const Definition *d, Diags *diags) {
        for (const Setting *s = NULL; (s = definition_next(d, KEY_GATEWAY, s));) {
                int r = check_gateway(d, s, diags);

                if (r < 0)
                        return r;
        }

        return 0;
}

static int check_network(const Definition *d, Diags *diags) {
        int r;

        if (!definition_private_network(d))
                for (size_t i = 0; i < ELEMENTSOF(private_keys); i++) {
                        const Setting *s = definition_find(d, private_keys[i]);

                        r = s ? complain(diags, s, "remove this line or Private=no",
                                        "contradicts Private=no")
                              : 0;
                        if (r < 0)
                                return r;
                }

        r = check_address_count(d, KEY_HOST_ADDRESS, diags);
        if (r >= 0)
                r = check_address_count(d, KEY_LOCAL_ADDRESS, diags);
        return r < 0 ? r : check_gateways(d, diags);
}

/* nspawn cannot join a network namespace with private users before systemd 261, and files that are
 * shared with the host would belong to nobody inside without mapped mounts. */
static int check_users(const Definition *d, Diags *diags) {
        const Setting *users = definition_find(d, KEY_PRIVATE_USERS);

        if (!users || parse_boolean(users->value) == 0)
                return 0;
        if (definition_private_network(d))
                return complain(diags, users, "use Private=no in [Network], or PrivateUsers=no",
                        "private users with a private network are not supported by this version");
        if (definition_system(d) != SYSTEM_ROOT)
                return complain(diags, users, "install a system in Root=, or use PrivateUsers=no",
                        "private users with System= are not supported by this version");
        return 0;
}

int definition_check(const Definition *d, Diags *diags) {
        const Setting *s;
        int r;

        s = definition_find(d, KEY_SERVICES);
        if (s && definition_system(d) != SYSTEM_HOST) {
                r = complain(diags, s, "enable the units inside the container",
                        "has a meaning only with System=host");
                if (r < 0)
                        return r;
        }

        if (s && definition_find(d, KEY_INIT)) {
                r = complain(diags, s, "remove this line or Init=",
                        "only the host's systemd starts units, not another init");
                if (r < 0)
                        return r;
        }

        s = definition_find(d, KEY_INIT);
        if (s && definition_system(d) == SYSTEM_PATH) {
                r = complain(diags, s, "remove this line",
                        "contradicts System=, which brings its own init");
                if (r < 0)
                        return r;
        }

        s = definition_find(d, KEY_ROOT);
        if (s && strcmp(s->value, "/") == 0) {
                r = complain(diags, s, "use System=host to share the host's /usr",
                        "the host's own root directory cannot be a container's");
                if (r < 0)
                        return r;
        }

        r = check_users(d, diags);
        return r < 0 ? r : check_network(d, diags);
}
