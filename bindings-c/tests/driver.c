/* Executes the commands of run.py, one per line of stdin, and prints each result: run.py uses it to run
 * the shared vectors and scenarios. Texts are in hexadecimal, "-" is NULL.
 *
 *   text|decimal|time KEY VALUE     int|float|bool KEY VALUE     null|list|record KEY     close
 *   client                          a client from the fields set so far
 *   update|report|check-update|check-report ORDER_ID
 *   setenv NAME VALUE               unsetenv NAME
 *
 * A result is two lines: the values of the accessors, separated by tabs, and katalys_result_json(). */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <katalys.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

typedef struct {
    char *bytes; /* NULL for "-" */
    size_t len;
} text;

static void fail(const char *what, const char *detail) {
    fprintf(stderr, "driver: %s: %s\n", what, detail);
    exit(2);
}

static int digit(char c) {
    const char *digits = "0123456789abcdef";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    if (found == NULL) {
        fail("not hex", "");
    }
    return (int)(found - digits);
}

/* Decodes in place. */
static text decode(char *hex) {
    text decoded = {NULL, 0};
    if (hex == NULL) {
        fail("a word is missing", "");
        return decoded;
    }
    if (strcmp(hex, "-") == 0) {
        return decoded;
    }
    decoded.bytes = hex;
    /* A leading "x", so that empty text is a word, too. */
    for (const char *pair = hex + 1; *pair != '\0'; pair += 2) {
        hex[decoded.len++] = (char)(digit(pair[0]) * 16 + digit(pair[1]));
    }
    return decoded;
}

static const char *terminated(text value) {
    value.bytes[value.len] = '\0';
    return value.bytes;
}

static void print_hex(const char *bytes, size_t len) {
    putchar('x');
    for (size_t i = 0; i < len; i++) {
        printf("%02x", (unsigned)(unsigned char)bytes[i]);
    }
}

static void print_text(const char *terminated_text) {
    putchar('\t');
    print_hex(terminated_text, strlen(terminated_text));
}

static void print_result(katalys_code code, katalys_result *result) {
    size_t len = 0;
    const char *payload = katalys_result_payload(result, &len);
    if (code != katalys_result_code(result)) {
        fail("the returned code is not the result's", katalys_result_code_name(result));
    }
    printf("%d", (int)code);
    print_text(katalys_result_code_name(result));
    print_text(katalys_result_class_name(result));
    print_text(katalys_result_message(result));
    printf("\t%d\t%u\t%.17g\t%" PRIu32 "\t%.17g\t", katalys_result_is_retryable(result) ? 1 : 0,
           (unsigned)katalys_result_status(result), katalys_result_retry_after(result),
           katalys_result_attempts(result), katalys_result_elapsed(result));
    if (payload == NULL) {
        putchar('-');
    } else {
        print_hex(payload, len);
    }
    for (size_t i = 0; i < katalys_result_problem_count(result); i++) {
        print_text(katalys_result_problem_path(result, i));
        print_text(katalys_result_problem_code(result, i));
        print_text(katalys_result_problem_message(result, i));
        printf("\t%d", (int)katalys_result_problem_severity(result, i));
        printf("\t%d", katalys_result_problem_is_first(result, i) ? 1 : 0);
    }
    const char *json = katalys_result_json(result, &len);
    if (strlen(json) != len) {
        fail("the length of the JSON is wrong", json);
    }
    printf("\n%s\n", json);
    fflush(stdout);
    katalys_result_free(&result);
}

static void set(katalys_fields *fields, const char *command, char *words) {
    char *rest = NULL;
    text key = decode(strtok_r(words, " ", &rest));
    char *word = strtok_r(NULL, " ", &rest);
    if (strcmp(command, "int") == 0) {
        katalys_fields_set_int(fields, key.bytes, key.len, strtoll(word, NULL, 10));
    } else if (strcmp(command, "float") == 0) {
        katalys_fields_set_float(fields, key.bytes, key.len, strtod(word, NULL));
    } else if (strcmp(command, "bool") == 0) {
        katalys_fields_set_bool(fields, key.bytes, key.len, *word == '1');
    } else if (strcmp(command, "null") == 0) {
        katalys_fields_set_null(fields, key.bytes, key.len);
    } else if (strcmp(command, "list") == 0) {
        katalys_fields_open_list(fields, key.bytes, key.len);
    } else if (strcmp(command, "record") == 0) {
        katalys_fields_open_record(fields, key.bytes, key.len);
    } else {
        text value = decode(word);
        if (strcmp(command, "text") == 0) {
            katalys_fields_set_text(fields, key.bytes, key.len, value.bytes, value.len);
        } else if (strcmp(command, "decimal") == 0) {
            katalys_fields_set_decimal(fields, key.bytes, key.len, value.bytes, value.len);
        } else if (strcmp(command, "time") == 0) {
            katalys_fields_set_time(fields, key.bytes, key.len, value.bytes, value.len);
        } else {
            fail("unknown command", command);
        }
    }
}

typedef katalys_code call(const katalys_client *, const char *, size_t, const katalys_fields *,
                          katalys_result **);

static call *call_named(const char *command) {
    static const struct {
        const char *name;
        call *function;
    } calls[] = {
        {"update", katalys_update_order},
        {"report", katalys_report_order},
        {"check-update", katalys_validate_update},
        {"check-report", katalys_validate_report},
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (strcmp(calls[i].name, command) == 0) {
            return calls[i].function;
        }
    }
    return NULL;
}

static void environment(const char *command, char *words) {
    char *rest = NULL;
    text name = decode(strtok_r(words, " ", &rest));
    char *word = strtok_r(NULL, " ", &rest);
    /* Decoding leaves space for the NUL. */
    if (strcmp(command, "unsetenv") == 0) {
        unsetenv(terminated(name));
    } else {
        setenv(terminated(name), terminated(decode(word)), 1);
    }
}

int main(void) {
    katalys_client *client = NULL;
    katalys_fields *fields = katalys_fields_new();
    char *line = NULL;
    size_t capacity = 0;
    ssize_t len;
    while ((len = getline(&line, &capacity, stdin)) > 0) {
        char *words = NULL;
        if (line[len - 1] == '\n') {
            line[len - 1] = '\0';
        }
        char *command = strtok_r(line, " ", &words);
        katalys_result *result = NULL;
        if (strcmp(command, "client") == 0) {
            katalys_client_free(&client);
            katalys_code code = katalys_client_new(fields, &client, &result);
            print_result(code, result);
            katalys_fields_free(&fields);
            fields = katalys_fields_new();
        } else if (call_named(command) != NULL) {
            text order_id = decode(words);
            katalys_code code =
                call_named(command)(client, order_id.bytes, order_id.len, fields, &result);
            print_result(code, result);
            katalys_fields_free(&fields);
            fields = katalys_fields_new();
        } else if (strcmp(command, "close") == 0) {
            katalys_fields_close(fields);
        } else if (strstr(command, "setenv") != NULL) {
            environment(command, words);
        } else {
            set(fields, command, words);
        }
    }
    free(line);
    katalys_fields_free(&fields);
    katalys_client_free(&client);
    return 0;
}
