/* Two copies of the library in one process, and another SQLite, share an outbox:
 * `copies LIBRARY OTHER_LIBRARY FILE UPDATES`. Every ticket must be counted, and none assigned twice. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <inttypes.h>
#include <katalys.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT(text) text, strlen(text)
#define THREADS 4

/* The functions of one copy. */
typedef struct {
    katalys_fields *(*fields_new)(void);
    void (*fields_free)(katalys_fields **);
    katalys_code (*set_text)(katalys_fields *, const char *, size_t, const char *, size_t);
    katalys_code (*set_bool)(katalys_fields *, const char *, size_t, bool);
    katalys_code (*client_new)(const katalys_fields *, katalys_client **, katalys_result **);
    void (*client_free)(katalys_client **);
    katalys_code (*enqueue)(const katalys_client *, const char *, size_t, const katalys_fields *,
                            katalys_result **);
    katalys_code (*stats)(const katalys_client *, katalys_stats **, katalys_result **);
    uint64_t (*count)(const katalys_stats *, int);
    void (*stats_free)(katalys_stats **);
    int64_t (*ticket)(const katalys_result *);
    const char *(*message)(const katalys_result *);
    void (*result_free)(katalys_result **);
} library;

typedef struct {
    const library *with;
    katalys_client *client;
} worker;

static const char *file;
static long updates_each;
static long most;
/* One byte per number, to detect numbers that are assigned twice. */
static atomic_uchar *given;
static atomic_bool is_over;

static void fail(const char *what, const char *detail) {
    fprintf(stderr, "%s: %s\n", what, detail);
    exit(1);
}

static void *symbol(void *handle, const char *name) {
    void *found = dlsym(handle, name);
    if (found == NULL) {
        fail("missing", name);
    }
    return found;
}

static library load(const char *path) {
    library loaded;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        fail("cannot load", dlerror());
    }
    *(void **)&loaded.fields_new = symbol(handle, "katalys_fields_new");
    *(void **)&loaded.fields_free = symbol(handle, "katalys_fields_free");
    *(void **)&loaded.set_text = symbol(handle, "katalys_fields_set_text");
    *(void **)&loaded.set_bool = symbol(handle, "katalys_fields_set_bool");
    *(void **)&loaded.client_new = symbol(handle, "katalys_client_new");
    *(void **)&loaded.client_free = symbol(handle, "katalys_client_free");
    *(void **)&loaded.enqueue = symbol(handle, "katalys_enqueue_update");
    *(void **)&loaded.stats = symbol(handle, "katalys_client_stats");
    *(void **)&loaded.count = symbol(handle, "katalys_stats_count");
    *(void **)&loaded.stats_free = symbol(handle, "katalys_stats_free");
    *(void **)&loaded.ticket = symbol(handle, "katalys_result_ticket");
    *(void **)&loaded.message = symbol(handle, "katalys_result_message");
    *(void **)&loaded.result_free = symbol(handle, "katalys_result_free");
    return loaded;
}

static katalys_client *open_client(const library *with) {
    katalys_fields *options = with->fields_new();
    katalys_client *client = NULL;
    katalys_result *result = NULL;
    with->set_text(options, TEXT("site_id"), TEXT("abcd.com"));
    with->set_text(options, TEXT("outbox"), TEXT(file));
    with->set_text(options, TEXT("durability"), TEXT("normal"));
    with->set_bool(options, TEXT("deliver"), false);
    if (with->client_new(options, &client, &result) != KATALYS_OK) {
        fail("cannot open", with->message(result));
    }
    with->fields_free(&options);
    with->result_free(&result);
    return client;
}

static void *enqueue(void *argument) {
    const worker *one = argument;
    const library *with = one->with;
    katalys_fields *fields = with->fields_new();
    with->set_text(fields, TEXT("order_status"), TEXT("paid"));
    for (long number = 0; number < updates_each; number++) {
        char order[32];
        katalys_result *result = NULL;
        snprintf(order, sizeof order, "order-%ld", number % 50);
        if (with->enqueue(one->client, TEXT(order), fields, &result) != KATALYS_OK) {
            fail("not accepted", with->message(result));
        }
        int64_t ticket = with->ticket(result);
        if (ticket < 1 || ticket > most || atomic_fetch_add(&given[ticket], 1) != 0) {
            fprintf(stderr, "ticket %" PRId64 " of %ld\n", ticket, most);
            fail("a ticket is wrong", "given twice, or out of range");
        }
        with->result_free(&result);
    }
    with->fields_free(&fields);
    return NULL;
}

/* A copy that opens and closes the outbox repeatedly: closing must not release the locks of other clients. */
static void *open_and_close(void *argument) {
    const library *with = argument;
    while (!is_over) {
        katalys_stats *stats = NULL;
        katalys_client *client = open_client(with);
        if (with->stats(client, &stats, NULL) != KATALYS_OK ||
            with->count(stats, KATALYS_STAT_ACCEPTED) !=
                with->count(stats, KATALYS_STAT_DELIVERED) +
                    with->count(stats, KATALYS_STAT_PENDING) +
                    with->count(stats, KATALYS_STAT_DEAD) +
                    with->count(stats, KATALYS_STAT_DISCARDED)) {
            fail("no stats", "or they do not balance");
        }
        with->stats_free(&stats);
        with->client_free(&client);
        usleep(2000);
    }
    return NULL;
}

/* Opens, reads and closes the file with another SQLite, as a status page does. */
static void *read_with_another(void *unused) {
    int (*open)(const char *, void **, int, const char *);
    int (*exec)(void *, const char *, void *, void *, void *);
    int (*timeout)(void *, int);
    int (*close)(void *);
    void *handle = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        fail("SQLite's own library is missing", dlerror());
    }
    *(void **)&open = symbol(handle, "sqlite3_open_v2");
    *(void **)&exec = symbol(handle, "sqlite3_exec");
    *(void **)&timeout = symbol(handle, "sqlite3_busy_timeout");
    *(void **)&close = symbol(handle, "sqlite3_close");
    while (!is_over) {
        void *connection = NULL;
        /* 1 opens for reading, 2 for reading and writing, as most programs do. */
        if (open(file, &connection, rand() % 2 + 1, NULL) != 0) {
            fail("another SQLite", "cannot open");
        }
        timeout(connection, 10000);
        int code = exec(connection, "SELECT count(*) FROM updates", NULL, NULL, NULL);
        /* 5 is SQLITE_BUSY: the reader may have to wait. */
        if (code != 0 && code != 5) {
            fprintf(stderr, "code %d\n", code);
            fail("another SQLite", "cannot read");
        }
        close(connection);
        usleep(1000);
    }
    return unused;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        return 2;
    }
    library both[2] = {load(argv[1]), load(argv[2])};
    if (both[0].enqueue == both[1].enqueue) {
        fail("the two copies", "are one");
    }
    file = argv[3];
    updates_each = strtol(argv[4], NULL, 10) / THREADS;
    most = 2 * THREADS * updates_each;
    given = calloc((size_t)most + 1, sizeof *given);
    katalys_client *clients[2] = {open_client(&both[0]), open_client(&both[1])};
    worker workers[2] = {{&both[0], clients[0]}, {&both[1], clients[1]}};
    pthread_t writers[2 * THREADS], others[3];
    for (int i = 0; i < 2 * THREADS; i++) {
        pthread_create(&writers[i], NULL, enqueue, &workers[i % 2]);
    }
    pthread_create(&others[0], NULL, open_and_close, &both[0]);
    pthread_create(&others[1], NULL, open_and_close, &both[1]);
    pthread_create(&others[2], NULL, read_with_another, NULL);
    for (int i = 0; i < 2 * THREADS; i++) {
        pthread_join(writers[i], NULL);
    }
    is_over = true;
    for (int i = 0; i < 3; i++) {
        pthread_join(others[i], NULL);
    }
    for (int i = 0; i < 2; i++) {
        katalys_stats *stats = NULL;
        if (both[i].stats(clients[i], &stats, NULL) != KATALYS_OK ||
            (long)both[i].count(stats, KATALYS_STAT_ACCEPTED) != most ||
            (long)both[i].count(stats, KATALYS_STAT_PENDING) != most) {
            fprintf(stderr, "%ld tickets, but accepted %" PRIu64 "\n", most,
                    both[i].count(stats, KATALYS_STAT_ACCEPTED));
            fail("the counters", "are wrong");
        }
        both[i].stats_free(&stats);
    }
    printf("%ld updates through two copies, all counted\n", most);
    return 0;
}
