/* A program that links the static library, its own SQLite and another Rust library, and uses all
 * three at once: `coexist all URL FOLDER`. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <sqlite3.h>

#include "support.h"

/* Defined in other.rs. */
int other_panics_and_recovers(void);

#define ORDERS 20

static sqlite3 *host;

static int run(const char *sql) {
    return sqlite3_exec(host, sql, NULL, NULL, NULL);
}

static void open_the_hosts_database(void) {
    char path[1024];
    snprintf(path, sizeof path, "%s/host.db", argument);
    HOLDS(sqlite3_open(path, &host) == SQLITE_OK);
    HOLDS(run("PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON") == SQLITE_OK);
    HOLDS(run("CREATE TABLE parent(id INTEGER PRIMARY KEY);"
              "CREATE TABLE child(parent REFERENCES parent(id));"
              "INSERT INTO parent VALUES(1)") == SQLITE_OK);
}

/* What the library's own SQLite was built without. */
static void the_hosts_sqlite_is_complete(void) {
    HOLDS(sqlite3_compileoption_used("OMIT_FOREIGN_KEY") == 0);
    HOLDS(run("INSERT INTO child VALUES(1)") == SQLITE_OK);
    HOLDS(run("INSERT INTO child VALUES(2)") == SQLITE_CONSTRAINT);
    HOLDS(run("SELECT json_extract('{\"a\":1}', '$.a'), datetime('now')") == SQLITE_OK);
}

static katalys_client *new_client(void) {
    char path[1024];
    katalys_fields *fields = katalys_fields_new();
    katalys_client *client = NULL;
    snprintf(path, sizeof path, "%s/katalys.db", argument);
    katalys_fields_set_text(fields, TEXT("site_id"), TEXT("abcd.com"));
    katalys_fields_set_text(fields, TEXT("endpoint"), TEXT(endpoint));
    katalys_fields_set_text(fields, TEXT("outbox"), TEXT(path));
    HOLDS(katalys_client_new(fields, &client, NULL) == KATALYS_OK);
    katalys_fields_free(&fields);
    return client;
}

static void *panic_often(void *unused) {
    int i;
    for (i = 0; i < 100; i++) {
        HOLDS(other_panics_and_recovers() == 7);
    }
    return unused;
}

static void all(void) {
    pthread_t other;
    katalys_client *client = NULL;
    uint64_t left = 1;
    int i;
    open_the_hosts_database();
    the_hosts_sqlite_is_complete();
    HOLDS(pthread_create(&other, NULL, panic_often, NULL) == 0);
    client = new_client();
    for (i = 0; i < ORDERS; i++) {
        char order_id[16];
        snprintf(order_id, sizeof order_id, "%d", i);
        HOLDS(katalys_enqueue_update(client, TEXT(order_id), NULL, NULL) == KATALYS_OK);
        the_hosts_sqlite_is_complete();
    }
    HOLDS(katalys_client_flush(client, 60, &left, NULL) == KATALYS_OK && left == 0);
    HOLDS(pthread_join(other, NULL) == 0);
    katalys_client_free(&client);
    the_hosts_sqlite_is_complete();
    HOLDS(sqlite3_close(host) == SQLITE_OK);
}

static const guarantee guarantees[] = {{"all", all}};

int main(int argc, char **argv) {
    return show(guarantees, 1, argc, argv);
}
