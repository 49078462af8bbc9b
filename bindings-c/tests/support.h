/* The harness of the test programs: `PROGRAM` lists its guarantees, `PROGRAM NAME URL …` tests one of
 * them, and reports the line that failed on stderr. */
#include <katalys.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(text) text, strlen(text)
#define HOLDS(condition) holds((condition), #condition, __LINE__)

typedef struct {
    const char *name;
    void (*show)(void);
} guarantee;

static const char *endpoint;
/* The last argument, such as a file. */
static const char *argument;

static inline void holds(bool condition, const char *text, int line) {
    if (!condition) {
        fprintf(stderr, "line %d does not hold: %s\n", line, text);
        exit(1);
    }
}

static inline int show(const guarantee *guarantees, size_t count, int argc, char **argv) {
    size_t i;
    if (argc < 3) {
        for (i = 0; i < count; i++) {
            puts(guarantees[i].name);
        }
        return 0;
    }
    endpoint = argv[2];
    argument = argv[argc - 1];
    for (i = 0; i < count; i++) {
        if (strcmp(guarantees[i].name, argv[1]) == 0) {
            guarantees[i].show();
            return 0;
        }
    }
    fprintf(stderr, "there is no guarantee %s\n", argv[1]);
    return 2;
}
