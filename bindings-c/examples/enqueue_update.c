/* Puts an update into an outbox, and prints its events.
 *
 *   cc enqueue_update.c $(pkg-config --cflags --libs katalys) \
 *     -Wl,-rpath,"$(pkg-config --variable=libdir katalys)" && ./a.out abcd.com 1001 /var/lib/shop/katalys.db
 */
#include <katalys.h>
#include <stdio.h>
#include <string.h>

#define TEXT(text) text, strlen(text)

/* Called on a thread of the library, with one event at a time. */
static void on_event(const katalys_event *event, void *user_data) {
    fprintf((FILE *)user_data, "%s\n", katalys_event_message(event));
}

/* Called from any thread: a damaged file, an update that was refused for good. */
static void on_error(katalys_log_level level, const char *message, void *user_data) {
    (void)level;
    fprintf((FILE *)user_data, "katalys: %s\n", message);
}

static int fail(katalys_result **result) {
    fprintf(stderr, "%s (%s): %s\n", katalys_result_class_name(*result),
            katalys_result_code_name(*result), katalys_result_message(*result));
    katalys_result_free(result);
    return 1;
}

int main(int argc, char **argv) {
    katalys_fields *options = katalys_fields_new();
    katalys_fields *fields = katalys_fields_new();
    katalys_client *client = NULL;
    katalys_result *result = NULL;
    uint64_t left = 0;
    int failed = 0;

    katalys_set_log(KATALYS_LOG_ERROR, on_error, stderr);
    if (argc != 4) {
        fprintf(stderr, "usage: %s SITE_ID ORDER_ID FILE\n", argv[0]);
        failed = 2;
    } else {
        katalys_fields_set_text(options, TEXT("site_id"), TEXT(argv[1]));
        katalys_fields_set_text(options, TEXT("outbox"), TEXT(argv[3]));
        katalys_fields_set_text(fields, TEXT("order_status"), TEXT("paid"));
        if (katalys_client_new(options, &client, &result) != KATALYS_OK) {
            failed = fail(&result);
        }
        katalys_result_free(&result);
    }
    if (client != NULL) {
        katalys_client_observe(client, on_event, stdout, NULL);
        if (katalys_enqueue_update(client, TEXT(argv[2]), fields, &result) == KATALYS_OK) {
            /* The update is on disk: it is sent even if this process is killed. */
            printf("ticket %ld\n", (long)katalys_result_ticket(result));
            katalys_client_flush(client, 10, &left, NULL);
        } else {
            failed = fail(&result);
        }
        katalys_result_free(&result);
    }
    /* Finishes the requests in flight; the rest stays in the file for the next process. */
    katalys_client_free(&client);
    katalys_fields_free(&fields);
    katalys_fields_free(&options);
    return failed;
}
