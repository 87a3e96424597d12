/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "generator/generate.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/check.h"
#include "common/base/credential.h"
#include "common/base/file.h"
#include "common/base/health.h"
#include "common/base/log.h"
#include "common/base/name.h"
#include "common/base/search.h"
#include "common/base/unit.h"

typedef struct Link {
        char *name; /* "UNIT" or "DIRECTORY/UNIT" */
        char *unit; /* what it is to point to */
} Link;

typedef struct Generator {
        int dir;     /* the directory that units are written to */
        Link *links; /* to be made when all units are there, whose names no link may take */
        size_t n_links, n_allocated;
        Claims claims; /* of the definitions so far */
        bool failed;   /* something could not be read or written: the exit status says so */
} Generator;

static void generator_done(Generator *g) {
        for (size_t i = 0; i < g->n_links; i++) {
                free(g->links[i].name);
                free(g->links[i].unit);
        }
        free(g->links);
        claims_done(&g->claims);
        if (g->dir >= 0)
                (void) close(g->dir);
}

static int log_diags(const Diags *diags) {
        for (size_t i = 0; i < diags->n; i++) {
                _cleanup_free_ char *text = NULL;

                if (diag_format(&diags->items[i], &text) < 0)
                        return log_oom();
                if (diags->items[i].severity == SEVERITY_ERROR)
                        log_error("%s", text);
                else
                        log_warning("%s", text);
        }

        return 0;
}

static int add_link(Generator *g, const char *name, const char *unit) {
        Link *links = g->links;

        if (g->n_links == g->n_allocated) {
                links = reallocarray(links, g->n_allocated * 2 + 16, sizeof(Link));
                if (!links)
                        return -ENOMEM;
                g->links = links;
                g->n_allocated = g->n_allocated * 2 + 16;
        }
        links[g->n_links++] = (Link){}; /* from here on freed with the others */

        int r = str_replace(&links[g->n_links - 1].name, name);
        return r < 0 ? r : str_replace(&links[g->n_links - 1].unit, unit);
}

static int make_link(const Generator *g, const Link *l) {
        const char *slash = strchr(l->name, '/');
        _cleanup_free_ char *directory = NULL, *relative = NULL;

        if (!slash)
                return symlinkat(l->unit, g->dir, l->name) < 0 ? -errno : 0;

        directory = strndup(l->name, (size_t) (slash - l->name));
        if (!directory || str_join(&relative, "../", l->unit) < 0)
                return -ENOMEM;
        if (symlinkat(relative, g->dir, l->name) == 0)
                return 0;

        /* Only the first link in a directory finds it missing. */
        if (errno != ENOENT || (mkdirat(g->dir, directory, 0755) < 0 && errno != EEXIST))
                return -errno;
        return symlinkat(relative, g->dir, l->name) < 0 ? -errno : 0;
}

static void make_links(Generator *g) {
        for (size_t i = 0; i < g->n_links; i++) {
                const Link *l = &g->links[i];
                int r = make_link(g, l);

                if (r >= 0)
                        continue;
                if (r == -EEXIST && !strchr(l->name, '/'))
                        log_warning("'%s' is taken already, it does not become an alias of '%s'.",
                                l->name, l->unit);
                else if (r != -EEXIST) { /* written twice in one definition */
                        (void) log_error_errno(
                                r, "Failed to link '%s' to '%s': %m", l->name, l->unit);
                        g->failed = true;
                }
        }
}

static int add_links(Generator *g, const Definition *d, const char *unit) {
        _cleanup_strv_ char **links = NULL;
        int r;

        r = unit_links(d, &links);
        STRV_FOREACH(l, links)
                if (r >= 0)
                        r = add_link(g, *l, unit);
        return r < 0 ? log_oom() : 0;
}

/* Those of its health checks, if it has any. */
static int write_health_units(Generator *g, const Definition *d) {
        for (HealthUnit i = 0; i < _HEALTH_UNIT_MAX; i++) {
                _cleanup_free_ char *unit = NULL, *text = NULL;
                int r;

                if (health_unit(d, i, &unit, &text) < 0)
                        return log_oom();
                if (!unit)
                        return 0;

                r = file_create(g->dir, unit, text, strlen(text), 0644);
                if (r < 0)
                        return log_error_errno(r, "Failed to write unit '%s': %m", unit);
        }

        return 0;
}

/* Without them it has a unit that fails to start, and can stop what runs. */
static void write_credentials(Generator *g, const Definition *d) {
        int r = credentials_generate(g->dir, d);

        if (r >= 0)
                return;
        (void) log_error_errno(r, "Failed to write the credentials of '%s': %m", d->name);
        g->failed = true;
}

static int write_unit(Generator *g, const Definition *d, const Diags *diags) {
        _cleanup_free_ char *unit = NULL, *text = NULL;
        bool valid = diags_count(diags, SEVERITY_ERROR) == 0;
        int r;

        r = unit_name(d->name, &unit);
        if (r >= 0)
                r = valid ? unit_text(d, &text) : unit_stub_text(d, diags, &text);
        if (r < 0)
                return log_oom();

        if (valid)
                write_credentials(g, d);
        r = file_create(g->dir, unit, text, strlen(text), 0644);
        if (r < 0)
                return log_error_errno(r, "Failed to write unit '%s': %m", unit);
        if (valid && write_health_units(g, d) < 0)
                return -EIO;

        return add_links(g, d, unit);
}

static int generate_one(Generator *g, const Search *search, const SearchEntry *candidate) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};
        int r;

        r = search_load(search, candidate, &diags, &d);
        if (r < 0)
                return log_oom();

        r = log_diags(&diags);
        if (r < 0)
                return r;

        if (!d)
                return 0;
        /* What is not valid never runs, and so takes nothing away from others. */
        if (diags_count(&diags, SEVERITY_ERROR) == 0 && claims_add(&g->claims, d) < 0)
                return log_oom();
        return write_unit(g, d, &diags);
}

/* Definitions that want the same thing keep their units, see claims_check(). */
static int log_claims(Generator *g) {
        _cleanup_diags_ Diags diags = {};

        if (claims_check(&g->claims, NULL, &diags) < 0)
                return log_oom();
        return log_diags(&diags);
}

/* Whether there is a unit for a definition's name, or for the template that it is an instance of. */
static int has_unit(const Generator *g, const char *unit, const char *name) {
        const char *instance = definition_name_instance(name);
        _cleanup_free_ char *template = NULL, *template_unit = NULL;

        if (faccessat(g->dir, unit, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return 1;
        if (!instance)
                return 0;

        template = strndup(name, (size_t) (instance - name));
        if (!template || unit_name(template, &template_unit) < 0)
                return -ENOMEM;
        return faccessat(g->dir, template_unit, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A container that runs while its definition is gone or masked needs a unit to be stopped by. */
static int generate_orphan(Generator *g, const char *name) {
        _cleanup_free_ char *unit = NULL, *text = NULL;
        int r;

        if (unit_name(name, &unit) < 0)
                return log_oom();
        r = has_unit(g, unit, name);
        if (r != 0)
                return r < 0 ? log_oom() : 0;

        if (unit_orphan_text(name, &text) < 0)
                return log_oom();

        r = file_create(g->dir, unit, text, strlen(text), 0644);
        return r < 0 ? log_error_errno(r, "Failed to write unit '%s': %m", unit) : 0;
}

static int generate_orphans(Generator *g) {
        _cleanup_closedir_ DIR *d = opendir(SPAWNLET_STARTED_DIR);
        int r = 0;

        if (!d)
                return errno == ENOENT
                        ? 0
                        : log_error_errno(errno, "Failed to open '" SPAWNLET_STARTED_DIR "': %m");

        for (const struct dirent *entry; (entry = readdir(d));)
                if (definition_name_is_valid(entry->d_name) &&
                        generate_orphan(g, entry->d_name) < 0)
                        r = -EIO;

        return r;
}

int generate(const char *directory) {
        _cleanup_(generator_done) Generator g = { .dir = -EBADF };
        _cleanup_(search_freep) Search *search = NULL;
        _cleanup_diags_ Diags diags = {};
        int r;

        g.dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (g.dir < 0)
                return log_error_errno(errno, "Failed to open directory '%s': %m", directory);

        r = search_new(&search, &diags);
        if (r < 0)
                return log_oom();

        g.failed = diags_count(&diags, SEVERITY_ERROR) > 0;
        (void) log_diags(&diags);

        for (size_t i = 0; i < search->n_candidates; i++)
                if (generate_one(&g, search, &search->candidates[i]) < 0)
                        g.failed = true;

        if (log_claims(&g) < 0)
                g.failed = true;

        /* Another search path is for trying things out, apart from what runs. */
        if (!getenv("SPAWNLET_PATH") && generate_orphans(&g) < 0)
                g.failed = true;

        /* machines.target is part of systemd, and may be not enabled: containers that start at boot
         * bring it along. */
        for (size_t i = 0; i < g.n_links; i++)
                if (str_starts_with(g.links[i].name, "machines.target.wants/")) {
                        r = add_link(
                                &g, "multi-user.target.wants/machines.target", "machines.target");
                        if (r < 0)
                                return log_oom();
                        break;
                }

        make_links(&g);
        return g.failed ? -EIO : 0;
}
