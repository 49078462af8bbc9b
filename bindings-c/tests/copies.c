/* Two copies of the library in one process, as of two plug-ins, on one outbox: `copies all URL FOLDER`,
 * where the folder has them as 1.so and 2.so. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "support.h"

#define EACH 1000

typedef struct {
    katalys_fields *(*fields_new)(void);
    katalys_code (*set_text)(katalys_fields *, const char *, size_t, const char *, size_t);
    katalys_code (*set_int)(katalys_fields *, const char *, size_t, int64_t);
    void (*fields_free)(katalys_fields **);
    katalys_code (*client_new)(const katalys_fields *, katalys_client **, katalys_result **);
    void (*client_free)(katalys_client **);
    katalys_code (*enqueue)(const katalys_client *, const char *, size_t, const katalys_fields *,
                            katalys_result **);
    katalys_code (*stats)(const katalys_client *, katalys_stats **, katalys_result **);
    uint64_t (*count)(const katalys_stats *, int);
    void (*stats_free)(katalys_stats **);
    katalys_code (*flush)(const katalys_client *, double, uint64_t *, katalys_result **);
    int64_t (*ticket)(const katalys_result *);
    void (*result_free)(katalys_result **);
    const char *(*message)(const katalys_result *);
} library;

typedef struct {
    library api;
    katalys_client *client;
    int64_t tickets[EACH];
} user;

static user users[2];
static volatile bool is_done;

static const char *path_of(const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", argument, name);
    return path;
}

/* A function's address, as POSIX has dlsym() give it. */
static void find(void *handle, const char *name, void *place) {
    *(void **)place = dlsym(handle, name);
    HOLDS(*(void **)place != NULL);
}

static library load(const char *name) {
    library api;
    void *handle = dlopen(path_of(name), RTLD_NOW | RTLD_LOCAL);
    HOLDS(handle != NULL);
    find(handle, "katalys_fields_new", &api.fields_new);
    find(handle, "katalys_fields_set_text", &api.set_text);
    find(handle, "katalys_fields_set_int", &api.set_int);
    find(handle, "katalys_fields_free", &api.fields_free);
    find(handle, "katalys_client_new", &api.client_new);
    find(handle, "katalys_client_free", &api.client_free);
    find(handle, "katalys_enqueue_update", &api.enqueue);
    find(handle, "katalys_client_stats", &api.stats);
    find(handle, "katalys_stats_count", &api.count);
    find(handle, "katalys_stats_free", &api.stats_free);
    find(handle, "katalys_client_flush", &api.flush);
    find(handle, "katalys_result_ticket", &api.ticket);
    find(handle, "katalys_result_free", &api.result_free);
    find(handle, "katalys_result_message", &api.message);
    return api;
}

static void open_client(user *one) {
    const char *path = path_of("katalys.db");
    katalys_fields *fields = one->api.fields_new();
    one->api.set_text(fields, TEXT("site_id"), TEXT("abcd.com"));
    one->api.set_text(fields, TEXT("endpoint"), TEXT(endpoint));
    one->api.set_text(fields, TEXT("outbox"), TEXT(path));
    one->api.set_text(fields, TEXT("durability"), TEXT("normal"));
    one->api.set_int(fields, TEXT("workers"), 4);
    HOLDS(one->api.client_new(fields, &one->client, NULL) == KATALYS_OK);
    one->api.fields_free(&fields);
}

static void *enqueue_all(void *argument_of_thread) {
    user *one = (user *)argument_of_thread;
    int i;
    for (i = 0; i < EACH; i++) {
        char order_id[16];
        katalys_result *result = NULL;
        snprintf(order_id, sizeof order_id, "%d", i % 50);
        if (one->api.enqueue(one->client, TEXT(order_id), NULL, &result) != KATALYS_OK) {
            fprintf(stderr, "%d: %s\n", i, one->api.message(result));
            exit(1);
        }
        one->tickets[i] = one->api.ticket(result);
        one->api.result_free(&result);
    }
    return NULL;
}

/* Closing any descriptor of a file drops every POSIX lock that the process has on it. */
static void *open_and_close(void *unused) {
    char path[1024];
    snprintf(path, sizeof path, "%s/katalys.db", argument);
    while (!is_done) {
        int file = open(path, O_RDONLY);
        HOLDS(file >= 0);
        HOLDS(close(file) == 0);
    }
    return unused;
}

static void every_ticket_is_given_once(void) {
    static bool given[2 * EACH + 1];
    int one;
    int i;
    for (one = 0; one < 2; one++) {
        for (i = 0; i < EACH; i++) {
            int64_t ticket = users[one].tickets[i];
            HOLDS(ticket >= 1 && ticket <= 2 * EACH);
            HOLDS(!given[ticket]);
            HOLDS(i == 0 || ticket > users[one].tickets[i - 1]);
            given[ticket] = true;
        }
    }
}

static void all(void) {
    pthread_t threads[2];
    pthread_t opener;
    uint64_t left = 1;
    katalys_stats *stats = NULL;
    int i;
    users[0].api = load("1.so");
    users[1].api = load("2.so");
    HOLDS(users[0].api.enqueue != users[1].api.enqueue);
    for (i = 0; i < 2; i++) {
        open_client(&users[i]);
    }
    HOLDS(pthread_create(&opener, NULL, open_and_close, NULL) == 0);
    for (i = 0; i < 2; i++) {
        HOLDS(pthread_create(&threads[i], NULL, enqueue_all, &users[i]) == 0);
    }
    for (i = 0; i < 2; i++) {
        HOLDS(pthread_join(threads[i], NULL) == 0);
    }
    every_ticket_is_given_once();
    HOLDS(users[0].api.flush(users[0].client, 60, &left, NULL) == KATALYS_OK && left == 0);
    is_done = true;
    HOLDS(pthread_join(opener, NULL) == 0);
    for (i = 0; i < 2; i++) {
        HOLDS(users[i].api.stats(users[i].client, &stats, NULL) == KATALYS_OK);
        HOLDS(users[i].api.count(stats, KATALYS_STAT_ACCEPTED) == 2 * EACH);
        HOLDS(users[i].api.count(stats, KATALYS_STAT_DELIVERED) == 2 * EACH);
        users[i].api.stats_free(&stats);
        users[i].api.client_free(&users[i].client);
    }
}

static const guarantee guarantees[] = {{"all", all}};

int main(int argc, char **argv) {
    return show(guarantees, 1, argc, argv);
}
