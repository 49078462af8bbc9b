/* Made by cbindgen from bindings-c/src: `make generate` there. */

typedef struct katalys_client katalys_client;

uint32_t katalys_abi_version(void);

const char *katalys_version(void);

uint32_t katalys_php_interface(void);

katalys_client *katalys_php_client(const char *options, size_t len);

void katalys_php_free(katalys_client *client);

const char *katalys_php_call(const katalys_client *client,
                             uint32_t call,
                             const char *update,
                             size_t len);

const char *katalys_php_answer(void);

const char *katalys_php_stats(const katalys_client *client);

const char *katalys_php_flush(const katalys_client *client, double timeout, bool closes);

const char *katalys_php_dead_letters(const katalys_client *client, int64_t after, size_t limit);

const char *katalys_php_dead_letter(const katalys_client *client,
                                    uint32_t what,
                                    int64_t id,
                                    const char *fields,
                                    size_t len);

void katalys_php_observe(const katalys_client *client);

const char *katalys_php_events(const katalys_client *client);

const char *katalys_php_log(bool with_events);
