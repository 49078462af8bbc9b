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
