/* The guarantees of the C interface for the outbox: `outbox NAME URL FILE`. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

/* Enough for a slow machine under valgrind; a passing test does not wait for it. */
#define LONG_ENOUGH 60.0

static katalys_fields *options(void) {
    katalys_fields *fields = katalys_fields_new();
    katalys_fields_set_text(fields, TEXT("site_id"), TEXT("abcd.com"));
    katalys_fields_set_text(fields, TEXT("endpoint"), TEXT(endpoint));
    katalys_fields_set_text(fields, TEXT("outbox"), TEXT(argument));
    katalys_fields_set_int(fields, TEXT("timeout"), 8);
    katalys_fields_set_int(fields, TEXT("workers"), 1);
    return fields;
}

static katalys_client *client_of(katalys_fields *fields) {
    katalys_client *client = NULL;
    HOLDS(katalys_client_new(fields, &client, NULL) == KATALYS_OK);
    katalys_fields_free(&fields);
    return client;
}

static katalys_fields *with_status(const char *status) {
    katalys_fields *fields = katalys_fields_new();
    katalys_fields_set_text(fields, TEXT("order_status"), TEXT(status));
    return fields;
}

static int64_t enqueue(katalys_client *client, const char *order_id, const char *status) {
    katalys_fields *fields = with_status(status);
    katalys_result *result = NULL;
    int64_t ticket = 0;
    HOLDS(katalys_enqueue_update(client, TEXT(order_id), fields, &result) == KATALYS_OK);
    ticket = katalys_result_ticket(result);
    HOLDS(ticket > 0);
    katalys_result_free(&result);
    katalys_fields_free(&fields);
    return ticket;
}

/* One statistic; that the counters add up is checked each time. */
static uint64_t count_of(katalys_client *client, katalys_stat stat) {
    katalys_stats *stats = NULL;
    uint64_t sum = 0;
    uint64_t count;
    HOLDS(katalys_client_stats(client, &stats, NULL) == KATALYS_OK);
    sum += katalys_stats_count(stats, KATALYS_STAT_DELIVERED);
    sum += katalys_stats_count(stats, KATALYS_STAT_PENDING);
    sum += katalys_stats_count(stats, KATALYS_STAT_DEAD);
    sum += katalys_stats_count(stats, KATALYS_STAT_DISCARDED);
    HOLDS(katalys_stats_count(stats, KATALYS_STAT_ACCEPTED) == sum);
    count = katalys_stats_count(stats, stat);
    katalys_stats_free(&stats);
    HOLDS(stats == NULL);
    return count;
}

static void expect_flushed(katalys_client *client) {
    uint64_t left = 1;
    HOLDS(katalys_client_flush(client, LONG_ENOUGH, &left, NULL) == KATALYS_OK);
    HOLDS(left == 0);
}

static void pause_shortly(void) {
    struct timespec wait = {0, 5000000};
    nanosleep(&wait, NULL);
}

/* run.py checks the requests. */
static void updates_are_delivered_in_order(void) {
    katalys_client *client = client_of(options());
    katalys_fields *paid = with_status("paid");
    katalys_result *result = NULL;
    HOLDS(enqueue(client, "1", "pending") == 1);
    HOLDS(katalys_update_order(client, TEXT("1"), paid, &result) == KATALYS_OK);
    HOLDS(katalys_result_ticket(result) == 0);
    katalys_result_free(&result);
    HOLDS(enqueue(client, "1", "refunded") == 3);
    HOLDS(katalys_enqueue_report(client, TEXT("1"), paid, NULL) == KATALYS_VALIDATION);
    expect_flushed(client);
    HOLDS(count_of(client, KATALYS_STAT_DELIVERED) == 3);
    katalys_fields_free(&paid);
    katalys_client_free(&client);
}

static void misuse_is_an_error(void) {
    katalys_fields *fields = katalys_fields_new();
    katalys_client *client = NULL;
    katalys_result *result = NULL;
    katalys_dead_letters *letters = NULL;
    katalys_stats *stats = NULL;
    uint64_t left = 7;
    bool found = true;
    size_t len = 7;
    HOLDS(katalys_enqueue_update(NULL, TEXT("1"), NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_client_stats(NULL, &stats, NULL) == KATALYS_MISUSE);
    HOLDS(stats == NULL);
    HOLDS(katalys_stats_count(NULL, KATALYS_STAT_ACCEPTED) == 0);
    HOLDS(katalys_stats_seconds(NULL, KATALYS_STAT_OLDEST_PENDING_SECONDS) == 0.0);
    katalys_stats_free(NULL);
    katalys_stats_free(&stats);
    HOLDS(katalys_event_id(NULL) == 0 && *katalys_event_message(NULL) == '\0');
    HOLDS(katalys_client_flush(NULL, 1, &left, NULL) == KATALYS_MISUSE);
    HOLDS(left == 0);
    HOLDS(katalys_client_close(NULL, 1, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_client_replay(NULL, 1, &found, NULL) == KATALYS_MISUSE);
    HOLDS(!found);
    HOLDS(katalys_client_discard(NULL, 1, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_client_edit(NULL, 1, NULL, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_client_dead_letters(NULL, 0, 1, &letters, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_client_observe(NULL, NULL, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_result_ticket(NULL) == 0);
    HOLDS(katalys_dead_letters_count(NULL) == 0);
    HOLDS(*katalys_dead_letters_payload(NULL, 0, &len) == '\0' && len == 0);
    HOLDS(*katalys_dead_letters_order_id(NULL, 3) == '\0');
    katalys_dead_letters_free(NULL);
    katalys_dead_letters_free(&letters);

    katalys_fields_set_text(fields, TEXT("site_id"), TEXT("abcd.com"));
    client = client_of(fields);
    HOLDS(katalys_enqueue_update(client, TEXT("1"), NULL, &result) == KATALYS_CONFIG_MISSING);
    HOLDS(strncmp(katalys_result_message(result), "outbox is not set", 17) == 0);
    katalys_result_free(&result);
    HOLDS(katalys_client_stats(client, &stats, NULL) == KATALYS_CONFIG_MISSING);
    left = 7;
    HOLDS(katalys_client_close(client, 1, &left, NULL) == KATALYS_OK && left == 0);
    katalys_client_free(&client);

    client = client_of(options());
    HOLDS(katalys_client_stats(client, NULL, NULL) == KATALYS_OK);
    HOLDS(katalys_client_stats(client, &stats, NULL) == KATALYS_OK);
    HOLDS(katalys_stats_seconds(stats, KATALYS_STAT_OLDEST_PENDING_SECONDS) == 0.0);
    HOLDS(katalys_stats_count(stats, 0) == 0 && katalys_stats_count(stats, 1000) == 0);
    katalys_stats_free(&stats);
    HOLDS(katalys_client_dead_letters(client, 0, 1, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_client_observe(client, NULL, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_client_flush(client, -1, NULL, &result) == KATALYS_MISUSE);
    HOLDS(strncmp(katalys_result_message(result), "timeout must be", 15) == 0);
    katalys_result_free(&result);
    HOLDS(katalys_client_flush(client, NAN, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_client_close(client, NAN, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_client_flush(client, 1e300, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_client_flush(client, INFINITY, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_client_flush(client, 31622401, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_client_close(client, -INFINITY, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_client_flush(client, 31622400, NULL, NULL) == KATALYS_OK);
    katalys_client_free(&client);
}

static void a_full_outbox_refuses(void) {
    katalys_fields *fields = options();
    katalys_client *client = NULL;
    katalys_result *result = NULL;
    katalys_fields_set_int(fields, TEXT("capacity_rows"), 1);
    katalys_fields_set_bool(fields, TEXT("deliver"), false);
    client = client_of(fields);
    enqueue(client, "1", "refunded");
    HOLDS(katalys_enqueue_update(client, TEXT("2"), NULL, &result) == KATALYS_OUTBOX_FULL);
    HOLDS(strcmp(katalys_result_class_name(result), "OutboxFullError") == 0);
    HOLDS(katalys_result_is_retryable(result) && katalys_result_ticket(result) == 0);
    katalys_result_free(&result);
    HOLDS(count_of(client, KATALYS_STAT_ACCEPTED) == 1);
    katalys_client_free(&client);
}

static void a_late_state_is_a_warning(void) {
    katalys_fields *fields = options();
    katalys_fields *paid = with_status("paid");
    katalys_client *client = NULL;
    katalys_result *result = NULL;
    katalys_fields_set_bool(fields, TEXT("deliver"), false);
    client = client_of(fields);
    enqueue(client, "1", "refunded");
    HOLDS(katalys_enqueue_update(client, TEXT("1"), paid, &result) == KATALYS_OK);
    HOLDS(katalys_result_problem_count(result) == 1);
    HOLDS(strcmp(katalys_result_problem_code(result, 0), "status_stale") == 0);
    HOLDS(katalys_result_problem_is_first(result, 0));
    HOLDS(strstr(katalys_result_json(result, NULL), "\"ticket\":2") != NULL);
    katalys_result_free(&result);
    katalys_fields_free(&paid);
    katalys_client_free(&client);
}

/* The endpoint refuses three, then takes all. */
static void dead_letters_can_be_edited_and_replayed(void) {
    katalys_client *client = client_of(options());
    katalys_fields *changes = with_status("refunded");
    katalys_dead_letters *letters = NULL;
    bool found = false;
    size_t len = 0;
    enqueue(client, "a", "paid");
    enqueue(client, "b", "paid");
    enqueue(client, "c", "paid");
    expect_flushed(client);
    HOLDS(katalys_client_dead_letters(client, 0, 1000, &letters, NULL) == KATALYS_OK);
    HOLDS(katalys_dead_letters_count(letters) == 3);
    HOLDS(katalys_dead_letters_id(letters, 1) == 2);
    HOLDS(strcmp(katalys_dead_letters_order_id(letters, 1), "b") == 0);
    HOLDS(strcmp(katalys_dead_letters_site_id(letters, 1), "abcd.com") == 0);
    HOLDS(strstr(katalys_dead_letters_payload(letters, 1, &len), "\"paid\"") != NULL);
    HOLDS(len == strlen(katalys_dead_letters_payload(letters, 1, NULL)));
    HOLDS(katalys_dead_letters_status(letters, 1) == 404);
    HOLDS(strcmp(katalys_dead_letters_code(letters, 1), "rejected") == 0);
    HOLDS(strstr(katalys_dead_letters_reason(letters, 1), "404") != NULL);
    HOLDS(katalys_dead_letters_died_at(letters, 1) > 1e9);
    HOLDS(katalys_dead_letters_id(letters, 3) == 0);
    katalys_dead_letters_free(&letters);
    HOLDS(letters == NULL);
    HOLDS(katalys_client_dead_letters(client, 1, 1, &letters, NULL) == KATALYS_OK);
    HOLDS(katalys_dead_letters_count(letters) == 1 && katalys_dead_letters_id(letters, 0) == 2);
    katalys_dead_letters_free(&letters);

    HOLDS(katalys_client_edit(client, 1, changes, &found, NULL) == KATALYS_OK && found);
    HOLDS(katalys_client_replay(client, 1, &found, NULL) == KATALYS_OK && found);
    HOLDS(katalys_client_discard(client, 2, &found, NULL) == KATALYS_OK && found);
    HOLDS(katalys_client_discard(client, 2, &found, NULL) == KATALYS_OK && !found);
    HOLDS(katalys_client_edit(client, 9, changes, &found, NULL) == KATALYS_OK && !found);
    katalys_fields_set_text(changes, TEXT("sale_amount"), TEXT("$1"));
    HOLDS(katalys_client_edit(client, 3, changes, &found, NULL) == KATALYS_VALIDATION && !found);
    expect_flushed(client);
    HOLDS(count_of(client, KATALYS_STAT_ACCEPTED) == 3);
    HOLDS(count_of(client, KATALYS_STAT_DELIVERED) == 1);
    HOLDS(count_of(client, KATALYS_STAT_DEAD) == 1);
    HOLDS(count_of(client, KATALYS_STAT_DISCARDED) == 1);
    katalys_fields_free(&changes);
    katalys_client_free(&client);
}

typedef struct {
    pthread_mutex_t lock;
    char kinds[256];
    int count;
    int levels[KATALYS_LOG_DEBUG + 1];
    bool may_be_called;
} heard;

static void hear(const katalys_event *event, void *user_data) {
    heard *all = (heard *)user_data;
    pthread_mutex_lock(&all->lock);
    HOLDS(all->may_be_called);
    HOLDS(katalys_event_id(event) == 1 && strlen(katalys_event_order(event)) == 16);
    HOLDS(*katalys_event_message(event) != '\0');
    if (strcmp(katalys_event_kind(event), "retried") == 0) {
        HOLDS(katalys_event_status(event) == 503 && katalys_event_attempts(event) == 1);
        HOLDS(strcmp(katalys_event_code(event), "unavailable") == 0);
    } else {
        HOLDS(katalys_event_status(event) == 0 && *katalys_event_code(event) == '\0');
    }
    strcat(strcat(all->kinds, katalys_event_kind(event)), " ");
    all->count++;
    pthread_mutex_unlock(&all->lock);
}

/* The endpoint fails once. */
static void events_reach_the_observer(void) {
    heard all;
    katalys_client *client = client_of(options());
    memset(&all, 0, sizeof all);
    all.may_be_called = true;
    HOLDS(pthread_mutex_init(&all.lock, NULL) == 0);
    HOLDS(katalys_client_observe(client, hear, &all, NULL) == KATALYS_OK);
    HOLDS(katalys_client_observe(client, hear, &all, NULL) == KATALYS_MISUSE);
    enqueue(client, "1", "paid");
    expect_flushed(client);
    HOLDS(katalys_client_close(client, LONG_ENOUGH, NULL, NULL) == KATALYS_OK);
    /* Closing waits for the observer. */
    HOLDS(all.count == 3);
    HOLDS(strcmp(all.kinds, "accepted retried delivered ") == 0);
    katalys_client_free(&client);
}

static void hear_slowly(const katalys_event *event, void *user_data) {
    struct timespec wait = {0, 300000000};
    volatile int *running = (volatile int *)user_data;
    (void)event;
    *running = 1;
    nanosleep(&wait, NULL);
    *running = 2;
}

static void no_event_comes_after_the_client_is_freed(void) {
    volatile int running = 0;
    katalys_client *client = client_of(options());
    int i;
    HOLDS(katalys_client_observe(client, hear_slowly, (void *)&running, NULL) == KATALYS_OK);
    for (i = 0; i < 20; i++) {
        enqueue(client, "1", "paid");
    }
    while (running == 0) {
        pause_shortly();
    }
    katalys_client_free(&client);
    HOLDS(running == 2);
    running = 3;
    for (i = 0; i < 100; i++) {
        pause_shortly();
    }
    HOLDS(running == 3);
}

/* The endpoint is slow, and main() returns: run.py checks the requests, and what is left. */
static void the_exit_finishes_the_requests_in_flight(void) {
    katalys_client *client = client_of(options());
    enqueue(client, "1", "pending");
    enqueue(client, "1", "paid");
    while (count_of(client, KATALYS_STAT_IN_FLIGHT) == 0) {
        pause_shortly();
    }
    /* Not freed: the end of the process finishes the request. */
}

static void the_next_process_delivers_the_rest(void) {
    katalys_client *client = client_of(options());
    expect_flushed(client);
    HOLDS(count_of(client, KATALYS_STAT_DELIVERED) == 2);
    katalys_client_free(&client);
}

static void both_sides_of_a_fork_deliver(void) {
    katalys_client *client = client_of(options());
    int child;
    enqueue(client, "1", "pending");
    for (child = 0; child < 3; child++) {
        pid_t pid = fork();
        int status = 0;
        HOLDS(pid >= 0);
        if (pid == 0) {
            if (child == 0) {
                enqueue(client, "1", "paid");
            }
            if (child < 2) {
                katalys_client_free(&client);
            }
            exit(0);
        }
        HOLDS(waitpid(pid, &status, 0) == pid);
        HOLDS(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    enqueue(client, "1", "refunded");
    expect_flushed(client);
    HOLDS(count_of(client, KATALYS_STAT_DELIVERED) == 3);
    katalys_client_free(&client);
}

static void a_closed_shared_client_is_replaced(void) {
    katalys_fields *fields = options();
    katalys_client *first = NULL;
    katalys_client *second = NULL;
    uint64_t left = 0;
    HOLDS(katalys_client_shared(fields, &first, NULL) == KATALYS_OK);
    HOLDS(katalys_client_close(first, LONG_ENOUGH, &left, NULL) == KATALYS_OK && left == 0);
    enqueue(first, "1", "paid");
    HOLDS(katalys_client_flush(first, 0.2, &left, NULL) == KATALYS_OK && left == 1);
    HOLDS(katalys_client_shared(fields, &second, NULL) == KATALYS_OK);
    HOLDS(first != second);
    expect_flushed(second);
    katalys_client_free(&first);
    katalys_client_free(&second);
    katalys_fields_free(&fields);
}

/* The endpoint does not answer: a caller that follows is_retryable must not send an update twice. */
static void a_call_that_timed_out_has_a_ticket_and_is_not_repeated(void) {
    katalys_fields *fields = options();
    katalys_fields *paid = with_status("paid");
    katalys_client *client = NULL;
    katalys_result *result = NULL;
    int calls = 0;
    bool again = true;
    katalys_fields_set_float(fields, TEXT("timeout"), 0.5);
    client = client_of(fields);
    while (again && calls < 5) {
        calls++;
        HOLDS(katalys_update_order(client, TEXT("1"), paid, &result) == KATALYS_TIMEOUT_PENDING);
        again = katalys_result_is_retryable(result);
        HOLDS(katalys_result_ticket(result) == calls);
        HOLDS(strstr(katalys_result_json(result, NULL), "\"ticket\":1") != NULL);
        katalys_result_free(&result);
    }
    HOLDS(calls == 1);
    HOLDS(count_of(client, KATALYS_STAT_ACCEPTED) == 1);
    katalys_fields_free(&paid);
    katalys_client_free(&client);
}

static void keep_log(katalys_log_level level, const char *message, void *user_data) {
    heard *all = (heard *)user_data;
    pthread_mutex_lock(&all->lock);
    HOLDS(*message != '\0' && strchr(message, '\n') == NULL);
    snprintf(all->kinds, sizeof all->kinds, "%s", message);
    all->levels[level]++;
    pthread_mutex_unlock(&all->lock);
}

static int logged(heard *all, katalys_log_level level) {
    int count;
    pthread_mutex_lock(&all->lock);
    count = all->levels[level];
    pthread_mutex_unlock(&all->lock);
    return count;
}

/* Another program empties the file while an update waits in it. */
static void a_damaged_outbox_is_logged_and_refuses(void) {
    static heard all;
    char command[1024];
    katalys_client *client = client_of(options());
    katalys_result *result = NULL;
    HOLDS(pthread_mutex_init(&all.lock, NULL) == 0);
    katalys_set_log(KATALYS_LOG_ERROR, keep_log, &all);
    enqueue(client, "1", "paid");
    snprintf(command, sizeof command,
             "python3 -c 'import sqlite3\n"
             "db = sqlite3.connect(\"%s\", timeout=60)\n"
             "names = db.execute(\"SELECT name FROM sqlite_master WHERE type = \\\"table\\\"\")\n"
             "for (name,) in names.fetchall(): db.execute(\"DROP TABLE \" + name)\n"
             "db.commit()'",
             argument);
    HOLDS(system(command) == 0);
    HOLDS(katalys_enqueue_update(client, TEXT("2"), NULL, &result) != KATALYS_OK);
    HOLDS(strcmp(katalys_result_class_name(result), "OutboxError") == 0);
    HOLDS(katalys_result_ticket(result) == 0);
    HOLDS(katalys_client_stats(client, NULL, NULL) != KATALYS_OK);
    while (logged(&all, KATALYS_LOG_ERROR) == 0) {
        pause_shortly();
    }
    HOLDS(logged(&all, KATALYS_LOG_WARNING) == 0);
    katalys_set_log(KATALYS_LOG_ERROR, NULL, NULL);
    katalys_result_free(&result);
    katalys_client_free(&client);
}

/* A disk lost all but the first page while no process used the file. */
static void a_damaged_file_is_refused(void) {
    static const char noise[4096] = {1, 2, 3};
    katalys_fields *fields = options();
    katalys_client *client = NULL;
    katalys_result *result = NULL;
    FILE *file = NULL;
    long size;
    katalys_fields_set_bool(fields, TEXT("deliver"), false);
    HOLDS(katalys_client_new(fields, &client, NULL) == KATALYS_OK);
    enqueue(client, "1", "paid");
    katalys_client_free(&client);
    file = fopen(argument, "r+b");
    HOLDS(file != NULL && fseek(file, 0, SEEK_END) == 0);
    for (size = ftell(file); size > 4096; size -= 4096) {
        HOLDS(fseek(file, size - 4096, SEEK_SET) == 0);
        HOLDS(fwrite(noise, sizeof noise, 1, file) == 1);
    }
    HOLDS(fclose(file) == 0);
    HOLDS(katalys_client_new(fields, &client, &result) == KATALYS_OUTBOX_CORRUPT);
    HOLDS(client == NULL && !katalys_result_is_retryable(result));
    HOLDS(strstr(katalys_result_message(result), argument) != NULL);
    katalys_result_free(&result);
    katalys_fields_free(&fields);
}

/* The endpoint refuses the update. */
static void a_dead_letter_is_logged(void) {
    static heard all;
    katalys_client *client = client_of(options());
    HOLDS(pthread_mutex_init(&all.lock, NULL) == 0);
    katalys_set_log(KATALYS_LOG_ERROR, keep_log, &all);
    enqueue(client, "customer-1", "paid");
    expect_flushed(client);
    katalys_client_free(&client);
    HOLDS(logged(&all, KATALYS_LOG_ERROR) == 1);
    HOLDS(strncmp(all.kinds, "update 1 is now a dead letter", 29) == 0);
}

static const guarantee guarantees[] = {
    {"updates_are_delivered_in_order", updates_are_delivered_in_order},
    {"misuse_is_an_error", misuse_is_an_error},
    {"a_full_outbox_refuses", a_full_outbox_refuses},
    {"a_late_state_is_a_warning", a_late_state_is_a_warning},
    {"dead_letters_can_be_edited_and_replayed", dead_letters_can_be_edited_and_replayed},
    {"events_reach_the_observer", events_reach_the_observer},
    {"no_event_comes_after_the_client_is_freed", no_event_comes_after_the_client_is_freed},
    {"the_exit_finishes_the_requests_in_flight", the_exit_finishes_the_requests_in_flight},
    {"the_next_process_delivers_the_rest", the_next_process_delivers_the_rest},
    {"both_sides_of_a_fork_deliver", both_sides_of_a_fork_deliver},
    {"a_closed_shared_client_is_replaced", a_closed_shared_client_is_replaced},
    {"a_call_that_timed_out_has_a_ticket_and_is_not_repeated",
     a_call_that_timed_out_has_a_ticket_and_is_not_repeated},
    {"a_damaged_outbox_is_logged_and_refuses", a_damaged_outbox_is_logged_and_refuses},
    {"a_damaged_file_is_refused", a_damaged_file_is_refused},
    {"a_dead_letter_is_logged", a_dead_letter_is_logged},
};

int main(int argc, char **argv) {
    return show(guarantees, sizeof guarantees / sizeof guarantees[0], argc, argv);
}
