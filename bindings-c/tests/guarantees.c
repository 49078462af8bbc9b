/* The guarantees of the C interface beyond the shared vectors and scenarios: `guarantees NAME URL`. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <katalys.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

static katalys_fields *options(void) {
    katalys_fields *fields = katalys_fields_new();
    katalys_fields_set_text(fields, TEXT("site_id"), TEXT("abcd.com"));
    katalys_fields_set_text(fields, TEXT("endpoint"), TEXT(endpoint));
    katalys_fields_set_int(fields, TEXT("timeout"), 5);
    return fields;
}

static katalys_client *new_client(void) {
    katalys_fields *fields = options();
    katalys_client *client = NULL;
    HOLDS(katalys_client_new(fields, &client, NULL) == KATALYS_OK);
    HOLDS(client != NULL);
    katalys_fields_free(&fields);
    return client;
}

static katalys_fields *paid(void) {
    katalys_fields *fields = katalys_fields_new();
    HOLDS(katalys_fields_set_text(fields, TEXT("order_status"), TEXT("paid")) == KATALYS_OK);
    return fields;
}

static katalys_code update(katalys_client *client, const char *order_id) {
    katalys_fields *fields = paid();
    katalys_code code = katalys_update_order(client, TEXT(order_id), fields, NULL);
    katalys_fields_free(&fields);
    return code;
}

/* The payload of a check, or the empty text. */
static void expect_payload(katalys_fields *fields, const char *payload) {
    katalys_client *client = new_client();
    katalys_result *result = NULL;
    size_t len = 0;
    HOLDS(katalys_validate_update(client, TEXT("1"), fields, &result) == KATALYS_OK);
    HOLDS(strcmp(katalys_result_payload(result, &len), payload) == 0);
    HOLDS(len == strlen(payload));
    katalys_result_free(&result);
    katalys_client_free(&client);
}

/* A call with fields that were misused fails. Frees the fields. */
static void expect_misuse(katalys_fields *fields) {
    katalys_client *client = new_client();
    katalys_client *none = client;
    katalys_result *result = NULL;
    HOLDS(katalys_update_order(client, TEXT("1"), fields, &result) == KATALYS_MISUSE);
    HOLDS(strcmp(katalys_result_code_name(result), "misuse") == 0);
    HOLDS(*katalys_result_message(result) != '\0');
    katalys_result_free(&result);
    HOLDS(katalys_client_new(fields, &none, NULL) == KATALYS_MISUSE);
    HOLDS(none == NULL);
    katalys_client_free(&client);
    katalys_fields_free(&fields);
}

static void null_is_misuse(void) {
    katalys_client *client = NULL;
    katalys_fields *fields = NULL;
    katalys_result *result = NULL;
    size_t len = 7;
    HOLDS(katalys_update_order(NULL, TEXT("1"), NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_report_order(NULL, NULL, 0, NULL, &result) == KATALYS_MISUSE);
    HOLDS(katalys_result_code(result) == KATALYS_MISUSE);
    katalys_result_free(&result);
    HOLDS(katalys_client_new(NULL, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_client_shared(NULL, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_fields_from_json(NULL, 0, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_fields_from_json(NULL, 5, &fields, NULL) == KATALYS_MISUSE);
    HOLDS(fields == NULL);
    HOLDS(katalys_fields_set_text(NULL, TEXT("a"), TEXT("b")) == KATALYS_MISUSE);
    HOLDS(katalys_fields_set_int(NULL, NULL, 0, 1) == KATALYS_MISUSE);
    HOLDS(katalys_fields_open_list(NULL, TEXT("a")) == KATALYS_MISUSE);
    HOLDS(katalys_fields_close(NULL) == KATALYS_MISUSE);
    HOLDS(katalys_result_code(NULL) == KATALYS_MISUSE);
    HOLDS(katalys_result_payload(NULL, &len) == NULL);
    HOLDS(len == 0);
    HOLDS(katalys_result_payload(NULL, NULL) == NULL);
    HOLDS(*katalys_result_json(NULL, NULL) == '{');
    HOLDS(katalys_result_problem_count(NULL) == 0);
    HOLDS(*katalys_result_problem_path(NULL, 9) == '\0');
    HOLDS(katalys_result_problem_severity(NULL, 0) == KATALYS_SEVERITY_NONE);
    HOLDS(!katalys_result_problem_is_first(NULL, 0));
    HOLDS(katalys_result_retry_after(NULL) < 0);
    client = new_client();
    HOLDS(katalys_update_order(client, NULL, 3, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_update_order(client, "x", (size_t)-1, NULL, NULL) == KATALYS_MISUSE);
    HOLDS(katalys_update_order(client, NULL, 0, NULL, NULL) == KATALYS_VALIDATION);
    katalys_client_free(&client);
}

static void freeing_twice_does_nothing(void) {
    katalys_client *client = new_client();
    katalys_fields *fields = paid();
    katalys_result *result = NULL;
    int round;
    katalys_validate_update(client, TEXT("1"), fields, &result);
    for (round = 0; round < 2; round++) {
        katalys_client_free(&client);
        katalys_fields_free(&fields);
        katalys_result_free(&result);
        HOLDS(client == NULL && fields == NULL && result == NULL);
    }
    katalys_client_free(NULL);
    katalys_fields_free(NULL);
    katalys_result_free(NULL);
}

static void misuse_of_fields_is_remembered(void) {
    katalys_fields *fields = paid();
    int depth;
    HOLDS(katalys_fields_close(fields) == KATALYS_MISUSE);
    HOLDS(katalys_fields_set_text(fields, TEXT("a"), TEXT("b")) == KATALYS_OK);
    expect_misuse(fields);
    fields = paid();
    HOLDS(katalys_fields_open_list(fields, TEXT("discounts")) == KATALYS_OK);
    expect_misuse(fields);
    fields = paid();
    HOLDS(katalys_fields_set_text(fields, TEXT("a"), NULL, 1) == KATALYS_MISUSE);
    expect_misuse(fields);
    fields = paid();
    HOLDS(katalys_fields_set_null(fields, NULL, 0) == KATALYS_MISUSE);
    expect_misuse(fields);
    fields = paid();
    katalys_fields_open_list(fields, TEXT("discounts"));
    HOLDS(katalys_fields_set_int(fields, TEXT("key"), 1) == KATALYS_MISUSE);
    HOLDS(katalys_fields_open_record(fields, TEXT("key")) == KATALYS_MISUSE);
    katalys_fields_close(fields);
    expect_misuse(fields);
    fields = katalys_fields_new();
    for (depth = 0; depth < 100000; depth++) {
        katalys_fields_open_list(fields, depth == 0 ? "a" : NULL, depth == 0 ? 1 : 0);
    }
    expect_misuse(fields);
}

static void text_may_be_anything(void) {
    katalys_fields *fields = katalys_fields_new();
    katalys_client *client = new_client();
    katalys_result *result = NULL;
    katalys_fields_set_text(fields, TEXT("a"), "\xff", 1);
    katalys_fields_set_text(fields, "b\xff", 2, TEXT("x"));
    katalys_fields_set_text(fields, TEXT("c"), "nul\0nul", 7);
    katalys_fields_set_text(fields, "d\0d", 3, TEXT("x"));
    HOLDS(katalys_validate_update(client, "1\xff", 2, fields, &result) == KATALYS_VALIDATION);
    HOLDS(katalys_result_problem_count(result) == 5);
    HOLDS(strcmp(katalys_result_problem_code(result, 0), "invalid_unicode") == 0);
    HOLDS(strcmp(katalys_result_problem_path(result, 0), "order_id") == 0);
    HOLDS(strcmp(katalys_result_problem_code(result, 1), "invalid_unicode") == 0);
    HOLDS(strcmp(katalys_result_problem_code(result, 2), "key_invalid") == 0);
    HOLDS(strcmp(katalys_result_problem_code(result, 3), "control_character") == 0);
    HOLDS(strcmp(katalys_result_problem_code(result, 4), "key_invalid") == 0);
    katalys_result_free(&result);
    katalys_fields_free(&fields);
    katalys_client_free(&client);
}

/* As an empty std::string_view or Rust slice comes. */
static void empty_text_may_be_null(void) {
    katalys_fields *fields = katalys_fields_new();
    katalys_client *client = new_client();
    katalys_result *result = NULL;
    HOLDS(katalys_fields_set_text(fields, TEXT("note"), NULL, 0) == KATALYS_OK);
    HOLDS(katalys_validate_update(client, TEXT("1"), fields, &result) == KATALYS_OK);
    HOLDS(strstr(katalys_result_payload(result, NULL), "note") == NULL);
    HOLDS(katalys_result_problem_count(result) == 1);
    HOLDS(strcmp(katalys_result_problem_code(result, 0), "empty") == 0);
    katalys_result_free(&result);
    katalys_fields_free(&fields);
    katalys_client_free(&client);
}

static void each_kind_of_value_is_sent_as_it_is(void) {
    katalys_fields *fields = katalys_fields_new();
    katalys_fields_set_decimal(fields, TEXT("a"), TEXT("1.5E+3"));
    katalys_fields_set_int(fields, TEXT("b"), INT64_MIN);
    katalys_fields_set_float(fields, TEXT("c"), 1.5);
    katalys_fields_set_null(fields, TEXT("d"));
    katalys_fields_set_time(fields, TEXT("e"), TEXT("2018-01-01T01:23:40Z"));
    katalys_fields_set_text(fields, TEXT("f"), TEXT("text"));
    expect_payload(fields, "{\"site_id\":\"abcd.com\",\"order_id\":\"1\",\"a\":\"1500\","
                           "\"b\":-9223372036854775808,\"c\":1.5,"
                           "\"e\":\"2018-01-01 01:23:40+00:00\",\"f\":\"text\"}");
    katalys_fields_free(&fields);
}

static void json_becomes_fields_in_its_order(void) {
    katalys_fields *fields = NULL;
    katalys_result *result = NULL;
    HOLDS(katalys_fields_from_json(TEXT("{\"z\":1,\"discounts\":[{\"amount\":\"1.50\",\"code\":"
                                        "\"A\"}],\"y\":\"\\u00e9\",\"tax_amount\":"
                                        "12345678901234567.89}"),
                                   &fields, &result) == KATALYS_OK);
    HOLDS(katalys_result_code(result) == KATALYS_OK);
    katalys_result_free(&result);
    katalys_fields_set_int(fields, TEXT("order_count"), 1);
    expect_payload(fields, "{\"site_id\":\"abcd.com\",\"order_id\":\"1\",\"order_count\":1,"
                           "\"tax_amount\":\"12345678901234567.89\","
                           "\"discount_1_code\":\"A\",\"discount_1_amount\":\"1.50\",\"z\":1,"
                           "\"y\":\"\xc3\xa9\"}");
    katalys_fields_free(&fields);
    HOLDS(katalys_fields_from_json(TEXT("{\"a\":"), &fields, &result) == KATALYS_MISUSE);
    HOLDS(fields == NULL);
    HOLDS(strstr(katalys_result_message(result), "line 1, column 5") != NULL);
    katalys_result_free(&result);
    HOLDS(katalys_fields_from_json(TEXT("[\"secret\"]"), &fields, &result) == KATALYS_MISUSE);
    HOLDS(strstr(katalys_result_message(result), "not an object") != NULL);
    katalys_result_free(&result);
}

static void each_kind_of_warning_is_first_once(void) {
    katalys_client *client = new_client();
    katalys_result *result = NULL;
    int round;
    for (round = 0; round < 3; round++) {
        katalys_fields *fields = katalys_fields_new();
        katalys_fields_set_text(fields, TEXT("order_status"), TEXT("canceled"));
        if (round == 0) {
            /* A check does not count: nothing was reported yet. */
            HOLDS(katalys_validate_update(client, TEXT("1"), fields, &result) == KATALYS_OK);
        } else {
            HOLDS(katalys_update_order(client, TEXT("1"), fields, &result) == KATALYS_OK);
        }
        HOLDS(katalys_result_problem_count(result) == 1);
        HOLDS(strcmp(katalys_result_problem_code(result, 0), "status_misspelled") == 0);
        HOLDS(katalys_result_problem_severity(result, 0) == KATALYS_SEVERITY_WARNING);
        HOLDS(katalys_result_problem_is_first(result, 0) == (round == 1));
        katalys_result_free(&result);
        katalys_fields_free(&fields);
    }
    katalys_client_free(&client);
}

static void *send_many(void *client) {
    char order_id[32];
    int i;
    for (i = 0; i < 25; i++) {
        snprintf(order_id, sizeof order_id, "%lx-%d", (unsigned long)pthread_self(), i);
        HOLDS(update((katalys_client *)client, order_id) == KATALYS_OK);
    }
    return NULL;
}

static void threads_share_a_client(void) {
    katalys_client *client = new_client();
    pthread_t threads[8];
    int i;
    for (i = 0; i < 8; i++) {
        HOLDS(pthread_create(&threads[i], NULL, send_many, client) == 0);
    }
    for (i = 0; i < 8; i++) {
        HOLDS(pthread_join(threads[i], NULL) == 0);
    }
    katalys_client_free(&client);
}

/* The parent's connection must outlive a child that sends, one that only frees, and one that exits. */
static void a_forked_child_has_its_own_connections(void) {
    katalys_client *client = new_client();
    int child;
    HOLDS(update(client, "parent") == KATALYS_OK);
    for (child = 0; child < 3; child++) {
        pid_t pid = fork();
        int status = 0;
        HOLDS(pid >= 0);
        if (pid == 0) {
            if (child == 0) {
                HOLDS(update(client, "child") == KATALYS_OK);
                HOLDS(update(client, "child") == KATALYS_OK);
            }
            if (child < 2) {
                katalys_client_free(&client);
            }
            exit(0);
        }
        HOLDS(waitpid(pid, &status, 0) == pid);
        HOLDS(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        HOLDS(update(client, "parent") == KATALYS_OK);
    }
    katalys_client_free(&client);
}

static void equal_options_share_a_client(void) {
    katalys_fields *fields = options();
    katalys_fields *other = options();
    katalys_client *first = NULL;
    katalys_client *second = NULL;
    int i;
    katalys_fields_set_text(other, TEXT("timezone"), TEXT("UTC"));
    HOLDS(katalys_client_shared(fields, &first, NULL) == KATALYS_OK);
    HOLDS(katalys_client_shared(fields, &second, NULL) == KATALYS_OK);
    HOLDS(first == second);
    HOLDS(update(first, "1") == KATALYS_OK);
    katalys_client_free(&first);
    HOLDS(update(second, "1") == KATALYS_OK);
    HOLDS(katalys_client_shared(other, &first, NULL) == KATALYS_OK);
    HOLDS(first != second);
    katalys_client_free(&first);
    /* However many there are in turn, one that is held stays good. */
    for (i = 1; i < 200; i++) {
        katalys_fields *one_more = options();
        katalys_fields_set_int(one_more, TEXT("workers"), i);
        HOLDS(katalys_client_shared(one_more, &first, NULL) == KATALYS_OK);
        katalys_client_free(&first);
        katalys_fields_free(&one_more);
    }
    HOLDS(update(second, "1") == KATALYS_OK);
    katalys_client_free(&second);
    /* The environment is part of what a client was made from. */
    HOLDS(katalys_client_shared(fields, &first, NULL) == KATALYS_OK);
    HOLDS(setenv("NO_PROXY", "example.com", 1) == 0);
    HOLDS(katalys_client_shared(fields, &second, NULL) == KATALYS_OK);
    HOLDS(first != second);
    katalys_client_free(&first);
    katalys_client_free(&second);
    katalys_fields_free(&fields);
    katalys_fields_free(&other);
}

/* `endpoint` is the library's file here. */
static void unloading_is_harmless(void) {
    union {
        void *object;
        const char *(*function)(void);
    } version;
    void *first;
    void *second;
    first = dlopen(endpoint, RTLD_NOW);
    HOLDS(first != NULL);
    version.object = dlsym(first, "katalys_version");
    HOLDS(version.object != NULL);
    HOLDS(dlclose(first) == 0);
    HOLDS(strcmp(version.function(), katalys_version()) == 0);
    second = dlopen(endpoint, RTLD_NOW);
    HOLDS(dlsym(second, "katalys_version") == version.object);
    HOLDS(dlclose(second) == 0);
}

static long resident_pages(void) {
    FILE *statm = fopen("/proc/self/statm", "r");
    long size = 0;
    long resident = 0;
    HOLDS(statm != NULL && fscanf(statm, "%ld %ld", &size, &resident) == 2);
    fclose(statm);
    return resident;
}

static void make_calls(katalys_client *client, int checks, int sends) {
    katalys_fields *good = paid();
    katalys_fields *bad = NULL;
    int i;
    katalys_fields_from_json(TEXT("{\"sale_amount\":\"$1\",\"line_items\":[{\"qty\":0}]}"), &bad, NULL);
    for (i = 0; i < checks; i++) {
        katalys_result *result = NULL;
        katalys_fields *fields = i % 2 == 0 ? good : bad;
        katalys_code code = katalys_validate_update(client, TEXT("1"), fields, &result);
        HOLDS(code == (i % 2 == 0 ? KATALYS_OK : KATALYS_VALIDATION));
        HOLDS(katalys_result_json(result, NULL) != NULL);
        katalys_result_free(&result);
    }
    for (i = 0; i < sends; i++) {
        HOLDS(katalys_update_order(client, TEXT("1"), good, NULL) == KATALYS_OK);
    }
    katalys_fields_free(&good);
    katalys_fields_free(&bad);
}

static void memory_stays_flat(void) {
    katalys_client *client = new_client();
    long warm;
    make_calls(client, 50000, 2000);
    warm = resident_pages();
    make_calls(client, 300000, 6000);
    /* A leak of 8 bytes a call would be 600 pages. */
    HOLDS(resident_pages() - warm < 128);
    katalys_client_free(&client);
}

static const guarantee guarantees[] = {
    {"null_is_misuse", null_is_misuse},
    {"freeing_twice_does_nothing", freeing_twice_does_nothing},
    {"misuse_of_fields_is_remembered", misuse_of_fields_is_remembered},
    {"text_may_be_anything", text_may_be_anything},
    {"empty_text_may_be_null", empty_text_may_be_null},
    {"each_kind_of_value_is_sent_as_it_is", each_kind_of_value_is_sent_as_it_is},
    {"json_becomes_fields_in_its_order", json_becomes_fields_in_its_order},
    {"each_kind_of_warning_is_first_once", each_kind_of_warning_is_first_once},
    {"threads_share_a_client", threads_share_a_client},
    {"a_forked_child_has_its_own_connections", a_forked_child_has_its_own_connections},
    {"equal_options_share_a_client", equal_options_share_a_client},
    {"unloading_is_harmless", unloading_is_harmless},
    {"memory_stays_flat", memory_stays_flat},
};

int main(int argc, char **argv) {
    return show(guarantees, sizeof guarantees / sizeof guarantees[0], argc, argv);
}
