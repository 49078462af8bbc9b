/* Forks while threads open and close clients with an outbox; each child also opens the outbox:
 * `fork FILE FORKS`. An alarm ends a child that hangs, which fails the test. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <katalys.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT(text) text, strlen(text)
#define THREADS 4
/* The number of children at a time, and the seconds that one may take on a busy machine. */
#define AT_ONCE 4
#define LONGEST 60

static const char *file;
static atomic_bool is_over;
static atomic_long accepted;

static void fail(const char *what, katalys_result *result) {
    fprintf(stderr, "%s: %s\n", what, result == NULL ? "" : katalys_result_message(result));
    _exit(1);
}

static katalys_client *open_client(void) {
    katalys_fields *options = katalys_fields_new();
    katalys_client *client = NULL;
    katalys_result *result = NULL;
    katalys_fields_set_text(options, TEXT("site_id"), TEXT("abcd.com"));
    katalys_fields_set_text(options, TEXT("outbox"), TEXT(file));
    katalys_fields_set_text(options, TEXT("durability"), TEXT("normal"));
    katalys_fields_set_bool(options, TEXT("deliver"), false);
    if (katalys_client_new(options, &client, &result) != KATALYS_OK) {
        fail("the outbox cannot be opened", result);
    }
    katalys_fields_free(&options);
    katalys_result_free(&result);
    return client;
}

static void enqueue(katalys_client *client) {
    katalys_result *result = NULL;
    katalys_fields *fields = katalys_fields_new();
    katalys_fields_set_text(fields, TEXT("order_status"), TEXT("paid"));
    if (katalys_enqueue_update(client, TEXT("1001"), fields, &result) != KATALYS_OK) {
        fail("an update was not accepted", result);
    }
    katalys_result_free(&result);
    katalys_fields_free(&fields);
}

static void *open_and_close(void *unused) {
    while (!is_over) {
        katalys_client *client = open_client();
        enqueue(client);
        accepted++;
        katalys_client_free(&client);
    }
    return unused;
}

/* Waits for one child; every fourth used its parent's client. */
static void reap(void) {
    int status = 0;
    if (wait(&status) < 0) {
        perror("wait");
        exit(1);
    }
    if (WIFSIGNALED(status)) {
        const char *how = WTERMSIG(status) == SIGALRM ? "hangs" : strsignal(WTERMSIG(status));
        fprintf(stderr, "a child %s\n", how);
        exit(1);
    }
    if (WEXITSTATUS(status) != 0) {
        exit(1);
    }
    accepted++;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        return 2;
    }
    file = argv[1];
    long forks = strtol(argv[2], NULL, 10), running = 0;
    katalys_client *shared = open_client();
    enqueue(shared);
    accepted++;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, open_and_close, NULL);
    }
    for (long number = 0; number < forks; number++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(LONGEST);
            katalys_client *client = number % 4 == 0 ? shared : open_client();
            enqueue(client);
            _exit(0);
        }
        if (child < 0) {
            perror("fork");
            return 1;
        }
        if (++running == AT_ONCE) {
            reap();
            running--;
        }
    }
    while (running-- > 0) {
        reap();
    }
    is_over = true;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    katalys_stats *stats = NULL;
    if (katalys_client_stats(shared, &stats, NULL) != KATALYS_OK) {
        fail("no stats", NULL);
    }
    uint64_t counted = katalys_stats_count(stats, KATALYS_STAT_ACCEPTED);
    uint64_t pending = katalys_stats_count(stats, KATALYS_STAT_PENDING);
    katalys_stats_free(&stats);
    if ((long)counted != accepted || (long)pending != accepted) {
        fprintf(stderr, "%ld tickets, but accepted %" PRIu64 " and pending %" PRIu64 "\n",
                (long)accepted, counted, pending);
        return 1;
    }
    printf("%ld forks, %ld updates accepted\n", forks, (long)accepted);
    return 0;
}
