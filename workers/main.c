/* main.c - shardd: options, settings, and then the master. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/version.h"
#include "core/conf/conf.h"
#include "workers/backend/secure.h"
#include "workers/master.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

static const char usage_text[] =
    "Usage: shardd [-c FILE] [-t]\n"
    "The data plane of shardd: a sharding proxy for MariaDB.\n"
    "\n"
    "  -c, --config FILE  read the settings from FILE (default: the built-in ones)\n"
    "  -t, --test         check the settings, name every mistake, and exit\n"
    "  -h, --help         this text and all settings\n"
    "  -V, --version      the version\n"
    "\n"
    "Signals: HUP reloads the settings, TERM lets clients finish and stops,\n"
    "QUIT and INT stop at once. Exit status: 0 stopped as asked, 1 failed or a\n"
    "mistake in the settings, 2 wrong usage.\n";

static int
print_help(void)
{
    struct buf settings = { 0 };

    conf_help(&settings);
    printf("%s\nSettings (name = value; in FILE, see shardd.conf(5)):\n\n%s", usage_text,
           buf_cstr(&settings));
    buf_fini(&settings);
    return EXIT_OK;
}

static int
load(const char *path, bool only_test)
{
    struct conf          conf;
    struct conf_mistakes mistakes = { 0 };
    bool                 good     = conf_load(path, &conf, &mistakes);
    struct secure        secure   = { 0 };
    struct err           err;

    if (!good)
        fputs(buf_cstr(&mistakes.lines), stderr);
    buf_fini(&mistakes.lines);
    if (!good)
        return EXIT_FAILED;
    if (only_test && !secure_load(&secure, &conf, &err)) {
        fprintf(stderr, "%s: %s\n", path != NULL ? path : "built-in", err.text);
        return EXIT_FAILED;
    }
    if (only_test) {
        secure_fini(&secure);
        printf("%s: settings are good\n", path != NULL ? path : "built-in");
        return EXIT_OK;
    }
    log_init("master", conf.log_level, conf_log_format(&conf));
    return master_run(&conf, path) ? EXIT_OK : EXIT_FAILED;
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "test", no_argument, NULL, 't' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    const char *path      = NULL;
    bool        only_test = false;

    for (int c; (c = getopt_long(argc, argv, "c:thV", options, NULL)) != -1;) {
        switch (c) {
        case 'c': path = optarg; break;
        case 't': only_test = true; break;
        case 'h': return print_help();
        case 'V': puts("shardd " SHARDD_VERSION); return EXIT_OK;
        default: fputs("Try shardd --help.\n", stderr); return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "shardd: unexpected argument '%s'; try shardd --help\n", argv[optind]);
        return EXIT_USAGE;
    }
    return load(path, only_test);
}
