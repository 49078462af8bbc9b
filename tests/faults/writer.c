/* The same as writer.py, with the C library: `writer FILE ENDPOINT NAME MODE LOG`. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <katalys.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ORDERS 8
#define TEXT(text) text, strlen(text)

static int log_file;

static void record(const char *line) {
    size_t length = strlen(line);
    if (write(log_file, line, length) != (ssize_t)length || fsync(log_file) != 0) {
        exit(2);
    }
}

static void failed(katalys_result *result) {
    static const char *recorded[16];
    char line[128];
    size_t i = 0;
    const char *code = katalys_result_code_name(result);
    while (i < 15 && recorded[i] != NULL && strcmp(recorded[i], code) != 0) {
        i++;
    }
    if (recorded[i] == NULL) {
        recorded[i] = strdup(code);
        snprintf(line, sizeof line, "error %s\n", code);
        record(line);
    }
    usleep(5000);
}

static katalys_client *make_client(char **arguments) {
    for (;;) {
        katalys_fields *options = katalys_fields_new();
        katalys_client *client = NULL;
        katalys_result *result = NULL;
        katalys_fields_set_text(options, TEXT("site_id"), TEXT("abcd.com"));
        katalys_fields_set_text(options, TEXT("outbox"), TEXT(arguments[1]));
        katalys_fields_set_text(options, TEXT("endpoint"), TEXT(arguments[2]));
        katalys_fields_set_int(options, TEXT("timeout"), 2);
        katalys_fields_set_bool(options, TEXT("deliver"), strcmp(arguments[4], "deliver") == 0);
        katalys_code code = katalys_client_new(options, &client, &result);
        katalys_fields_free(&options);
        if (code == KATALYS_OK) {
            katalys_result_free(&result);
            return client;
        }
        failed(result);
        katalys_result_free(&result);
    }
}

int main(int argc, char **argv) {
    if (argc != 6) {
        return 2;
    }
    log_file = open(argv[5], O_WRONLY | O_CREAT | O_APPEND, 0600);
    srand((unsigned)getpid());
    katalys_client *client = make_client(argv);
    for (long number = 1;; number++) {
        char order[32], note[128], line[256];
        katalys_result *result = NULL;
        katalys_fields *fields = katalys_fields_new();
        snprintf(order, sizeof order, "order-%d", rand() % ORDERS);
        snprintf(note, sizeof note, "%s-%ld", argv[3], number);
        katalys_fields_set_text(fields, TEXT("note"), TEXT(note));
        if (katalys_enqueue_update(client, TEXT(order), fields, &result) == KATALYS_OK) {
            int64_t ticket = katalys_result_ticket(result);
            snprintf(line, sizeof line, "ticket %" PRId64 " %s %s\n", ticket, order, note);
            record(line);
            usleep(2000);
        } else {
            failed(result);
        }
        katalys_result_free(&result);
        katalys_fields_free(&fields);
    }
}
