/* Reports that an order was paid.
 *
 *   cc update_order.c $(pkg-config --cflags --libs katalys) \
 *     -Wl,-rpath,"$(pkg-config --variable=libdir katalys)" && ./a.out abcd.com 1001
 */
#include <katalys.h>
#include <stdio.h>
#include <string.h>

/* Most texts of a C program end in a NUL; the library takes their lengths. */
#define TEXT(text) text, strlen(text)

int main(int argc, char **argv) {
    katalys_fields *fields = katalys_fields_new();
    katalys_client *client = NULL;
    katalys_result *result = NULL;
    katalys_code code;
    size_t i;

    if (argc != 3) {
        fprintf(stderr, "usage: %s SITE_ID ORDER_ID\n", argv[0]);
        katalys_fields_free(&fields);
        return 2;
    }
    katalys_fields_set_text(fields, TEXT("site_id"), TEXT(argv[1]));
    code = katalys_client_new(fields, &client, &result);
    katalys_fields_free(&fields);

    if (code == KATALYS_OK) {
        katalys_result_free(&result);
        fields = katalys_fields_new();
        katalys_fields_set_text(fields, TEXT("order_status"), TEXT("paid"));
        katalys_fields_set_text(fields, TEXT("order_time"), TEXT("2018-01-01 01:23:40-08:00"));
        katalys_fields_set_text(fields, TEXT("sale_amount"), TEXT("25.67"));
        katalys_fields_open_list(fields, TEXT("line_items"));
        katalys_fields_open_record(fields, NULL, 0);
        katalys_fields_set_text(fields, TEXT("title"), TEXT("Wellness Bundle #4"));
        katalys_fields_set_text(fields, TEXT("sku"), TEXT("WLNS_BUNDLE_4"));
        katalys_fields_set_text(fields, TEXT("price"), TEXT("1.99"));
        katalys_fields_set_int(fields, TEXT("qty"), 2);
        katalys_fields_close(fields);
        katalys_fields_close(fields);
        code = katalys_update_order(client, TEXT(argv[2]), fields, &result);
    }

    if (code == KATALYS_OK) {
        printf("received after %u attempt(s)\n", (unsigned)katalys_result_attempts(result));
    } else {
        fprintf(stderr, "%s (%s): %s\n", katalys_result_class_name(result),
                katalys_result_code_name(result), katalys_result_message(result));
    }
    for (i = 0; i < katalys_result_problem_count(result); i++) {
        fprintf(stderr, "- %s\n", katalys_result_problem_message(result, i));
    }
    katalys_result_free(&result);
    katalys_fields_free(&fields);
    katalys_client_free(&client);
    return code == KATALYS_OK ? 0 : 1;
}
