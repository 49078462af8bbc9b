/**
 * Order status reporting for Katalys, from C99 and C++.
 *
 * Rules for all functions:
 * - Handles are opaque. The caller owns a handle that a function creates (_new, _shared,
 *   _from_json, _stats, _dead_letters, and every result) and frees it with the _free function
 *   of its type, which sets the caller's pointer to NULL; freeing NULL does nothing.
 * - Inputs come first, outputs last. Inputs remain the caller's and are not used after the
 *   call. Outputs are always written, also after an error; an output may be NULL where its
 *   function says so.
 * - Input text is a pointer and a length in bytes, in UTF-8, and needs no NUL. Output text is
 *   a const char * that ends in a NUL; it belongs to the handle it was read from and is valid
 *   for as long as that handle is.
 * - NULL in place of a handle is an error, KATALYS_MISUSE, and never a crash.
 * - No function throws or unwinds into the caller.
 * - No function is async-signal-safe: they allocate and take locks. Set a flag in the signal
 *   handler, and call from the main program. A signal does not end a call early.
 * - After fork(), the child may use every client; it opens its own connections and its own
 *   outbox. In a child of a process with several threads, the same rules apply as for
 *   malloc(), and handles that another thread was changing at the time of the fork must not be
 *   used. No call is allowed after vfork().
 * - The library stays in the process once it is loaded: dlclose() does nothing.
 *
 * Settings of a client, for katalys_client_new():
 * - site_id: The script name of the tracking snippet (`abcd.com` of `/js/abcd.com.js`) or a
 *   tracking id. Required. Or KATALYS_SITE_ID.
 * - endpoint: The full URL that updates are sent to. Default:
 *   https://db.revoffers.com/v2/_tr_offline. Or KATALYS_ENDPOINT.
 * - timeout: Maximum duration of a waiting call with all its retries, in seconds, up to 900.
 *   Default: 10. Or KATALYS_TIMEOUT.
 * - connect_timeout: Maximum duration of one attempt to connect, in seconds, up to 900.
 *   Default: 3.
 * - ca_file: A PEM file with the only certificate authorities to trust, instead of Mozilla's;
 *   `SSL_CERT_FILE` does the same.
 * - proxy: The URL of an HTTP proxy (`http://user:password@host:port`); empty for none. By
 *   default HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are followed, except for
 *   connections to this machine.
 * - timezone: The IANA time zone of times without an offset, such as `America/New_York`;
 *   without it they are errors.
 * - invalid: What happens to an invalid optional field: `raise` refuses the update, `drop`
 *   leaves the field out and warns. Default: raise.
 * - allow_http: Allows an endpoint without TLS on another host, or behind a proxy. Customer
 *   data then crosses the network unprotected. Default: false.
 * - workers: Maximum number of threads that send in the background, up to 1024. They start
 *   when they are needed. Default: 32.
 * - outbox: The file that keeps updates until they are delivered; created if it does not
 *   exist. It must be on a local disk; processes may share it. Or KATALYS_OUTBOX.
 * - durability: With `full`, an accepted update survives a power failure. `normal` is faster,
 *   but a power failure may lose the last updates; the end of a process does not. Default:
 *   full.
 * - on_rejected: What happens to an order's later updates when the endpoint rejects one
 *   permanently: `continue` sends them, `hold` keeps them until the dead letter is replayed or
 *   discarded. Default: continue.
 * - max_age: The age at which an update that is still not delivered becomes a dead letter, in
 *   seconds, up to 316224000. Without it, updates do not expire.
 * - collapse: Skips an update that is identical to the last pending one of its order. Default:
 *   false.
 * - capacity_rows: Maximum number of pending updates; further ones are refused.
 * - capacity_bytes: Maximum size of all pending updates, in bytes; further ones are refused.
 * - deliver: Whether this client delivers what is in the outbox; if not, another process must.
 *   Default: true.
 * - event_order_ids: How events name the order: `hashed` as 16 hexadecimal digits that are the
 *   same for all updates of one order, `plain` as its order_id. The hash has no key: anyone
 *   who guesses an order_id can verify the guess. Default: hashed.
 *
 * Fields of an order, for katalys_update_order():
 * - site_id: The script name of the tracking snippet (`abcd.com` of `/js/abcd.com.js`) or a
 *   tracking id. Defaults to the client's setting. Example: abcd.com
 * - order_id: Exactly the value given on the Thank-You page; globally unique in the shop.
 *   Example: 12345
 * - order_status: The status of the order: pending, paid, refunded, cancelled, or the shop's
 *   own status. Example: paid
 * - order_time: When the order was first placed. Required if it is reported more than 5
 *   minutes later; otherwise it is counted twice. Example: 2018-01-01 01:23:40-08:00
 * - order_count: Total number of orders of this customer; a returning customer has more than
 *   1. Example: 2
 * - order_alias: The id of this order in another system. Merges the two orders and may change
 *   the order id, which cannot be undone. Example: R-10001
 * - sale_amount: The total of the order with shipping and tax, without a currency sign.
 *   Example: 25.67
 * - subtotal_amount: sale_amount minus shipping and tax. Example: 24.95
 * - shipping_amount: The shipping cost, in the currency of sale_amount. Required in a report
 *   without subtotal_amount. Example: 4.99
 * - tax_amount: The tax, in the currency of sale_amount. Required in a report without
 *   subtotal_amount. Example: 1.48
 * - currency: ISO 4217 code of all amounts. The endpoint assumes USD if it is missing.
 *   Example: EUR
 * - email_address: The customer's email address, or always the same digest of it; identifies
 *   the customer. Example: email@example.com
 * - user_agent: The user agent of the customer's browser, never that of the shop's server.
 *   Example: Mozilla/5.0 (X11; Linux x86_64)
 * - ip_address: The customer's IPv4 or IPv6 address, never that of the shop's server. Example:
 *   93.184.215.14
 * - shipping_city: The city the order is shipped to. Example: Springfield
 * - shipping_state: The state or region the order is shipped to. Example: OR
 * - shipping_postal: The postal code the order is shipped to. Example: 97477
 * - shipping_country: The country the order is shipped to, preferably as an ISO 3166-1 alpha-2
 *   code. Example: US
 * - discounts: Every discount or coupon applied to the order; also as discount_1_code,
 *   discount_1_amount, discount_2_code, …
 * - discounts[].code: The code of the coupon. Example: REVOFFERS_EXAMPLE
 * - discounts[].amount: The amount of the discount, in the currency of sale_amount. Example:
 *   1.50
 * - line_items: The order's line items; also as line_item_1_title, line_item_1_sku, …
 * - line_items[].title: The name of the product. Example: Wellness Bundle #4
 * - line_items[].sku: The stock-keeping unit of the product, used for SKU-based payouts.
 *   Example: WLNS_BUNDLE_4
 * - line_items[].price: The price, in the currency of sale_amount. Example: 1.99
 * - line_items[].var: The variant. Example: Blue / L
 * - line_items[].qty: The quantity. Example: 2
 *
 * Generated by cbindgen from bindings-c/src: `make generate` there.
 */

#ifndef KATALYS_H
#define KATALYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The result of a call: 0, or the number of an error. All errors of a class share the hundreds
 * digit.
 */
typedef enum {
  /**
   * Success.
   */
  KATALYS_OK = 0,
  /**
   * `ConfigError`: a required setting is missing.
   */
  KATALYS_CONFIG_MISSING = 101,
  /**
   * `ConfigError`: a setting has a value that cannot be used.
   */
  KATALYS_CONFIG_INVALID = 102,
  /**
   * `ConfigError`: there is no setting of that name.
   */
  KATALYS_CONFIG_UNKNOWN = 103,
  /**
   * `ValidationError`: the update is invalid and was not sent.
   */
  KATALYS_VALIDATION = 201,
  /**
   * `RejectedError`: the endpoint rejected the update permanently (most 4xx).
   */
  KATALYS_REJECTED = 301,
  /**
   * `RejectedError`: the endpoint could not accept the update now (408, 425, 429, 5xx). The
   * same call may succeed later.
   */
  KATALYS_UNAVAILABLE = 302,
  /**
   * `RejectedError`: the answer was a success other than 204, such as from a captive portal.
   * The same call may succeed later.
   */
  KATALYS_NOT_CONFIRMED = 303,
  /**
   * `RejectedError`: the answer was a redirect, which is never followed. The same call may
   * succeed later.
   */
  KATALYS_REDIRECTED = 304,
  /**
   * `TransportError`: the name of the endpoint could not be resolved. The same call may
   * succeed later.
   */
  KATALYS_DNS = 401,
  /**
   * `TransportError`: no connection to the endpoint could be made. The same call may succeed
   * later.
   */
  KATALYS_CONNECT = 402,
  /**
   * `TransportError`: the connection ended before the answer. The same call may succeed
   * later.
   */
  KATALYS_DISCONNECTED = 403,
  /**
   * `TransportError`: the endpoint's certificate is not valid.
   */
  KATALYS_CERTIFICATE = 404,
  /**
   * `TransportError`: no TLS connection could be established. The same call may succeed
   * later.
   */
  KATALYS_TLS = 405,
  /**
   * `TransportError`: the answer was not HTTP. The same call may succeed later.
   */
  KATALYS_PROTOCOL = 406,
  /**
   * `TransportError`: the proxy did not provide a connection. The same call may succeed
   * later.
   */
  KATALYS_PROXY = 407,
  /**
   * `TimeoutError`: there was no answer within the time limit. The same call may succeed
   * later.
   */
  KATALYS_TIMEOUT = 501,
  /**
   * `TimeoutError`: the update is safe in the outbox and will be sent, but was not delivered
   * within the time limit; do not send it again.
   */
  KATALYS_TIMEOUT_PENDING = 502,
  /**
   * `OutboxError`: the outbox could not be read or written. The same call may succeed later.
   */
  KATALYS_OUTBOX_FAILED = 601,
  /**
   * `OutboxError`: the outbox's file is damaged.
   */
  KATALYS_OUTBOX_CORRUPT = 602,
  /**
   * `OutboxError`: the outbox was written by a newer version of this library.
   */
  KATALYS_OUTBOX_NEWER = 603,
  /**
   * `OutboxError`: the file is not an outbox and was left untouched.
   */
  KATALYS_OUTBOX_FOREIGN = 604,
  /**
   * `OutboxError`: the outbox file was moved, deleted or replaced while in use.
   */
  KATALYS_OUTBOX_MOVED = 605,
  /**
   * `OutboxError`: another process has settled the update, and whether it was delivered is
   * unknown; do not send it again.
   */
  KATALYS_OUTBOX_OUTCOME_UNKNOWN = 606,
  /**
   * `OutboxFullError`: the outbox has reached its capacity. The same call may succeed later.
   */
  KATALYS_OUTBOX_FULL = 611,
  /**
   * `InternalError`: internal error in this library.
   */
  KATALYS_INTERNAL = 901,
  /**
   * `InternalError`: a function was called in a way its documentation forbids.
   */
  KATALYS_MISUSE = 902,
  /**
   * `InternalError`: the compiled library is missing, or cannot be loaded on this platform.
   */
  KATALYS_LIBRARY_UNAVAILABLE = 903,
} katalys_code;

/**
 * The severity of a log record.
 */
typedef enum {
  /**
   * Needs attention: a damaged outbox, an update that became a dead letter.
   */
  KATALYS_LOG_ERROR = 1,
  /**
   * Suspicious.
   */
  KATALYS_LOG_WARNING = 2,
  /**
   * Informative, such as an attempt that failed and is retried.
   */
  KATALYS_LOG_INFO = 3,
  /**
   * Details for debugging.
   */
  KATALYS_LOG_DEBUG = 4,
} katalys_log_level;

/**
 * The severity of a problem.
 */
typedef enum {
  /**
   * There is no such problem.
   */
  KATALYS_SEVERITY_NONE = 0,
  /**
   * It stops the call.
   */
  KATALYS_SEVERITY_ERROR = 1,
  /**
   * It is suspicious; the update is sent.
   */
  KATALYS_SEVERITY_WARNING = 2,
} katalys_severity;

/**
 * The statistics of an outbox. katalys_stats_count() reads them, and katalys_stats_seconds()
 * those in seconds. Later versions may add some.
 *
 * Counters of the updates that an outbox has accepted, in any process: `accepted` always
 * equals `delivered` + `pending` + `dead` + `discarded`.
 */
typedef enum {
  /**
   * Updates accepted since the outbox was created.
   */
  KATALYS_STAT_ACCEPTED = 1,
  /**
   * Updates that the endpoint has received.
   */
  KATALYS_STAT_DELIVERED = 2,
  /**
   * Updates that are neither delivered nor dead letters yet.
   */
  KATALYS_STAT_PENDING = 3,
  /**
   * Pending updates that a process is sending.
   */
  KATALYS_STAT_IN_FLIGHT = 4,
  /**
   * Dead letters: kept until they are replayed or discarded.
   */
  KATALYS_STAT_DEAD = 5,
  /**
   * Dead letters that were discarded.
   */
  KATALYS_STAT_DISCARDED = 6,
  /**
   * Age of the oldest pending update, in seconds; 0 if there is none.
   */
  KATALYS_STAT_OLDEST_PENDING_SECONDS = 7,
} katalys_stat;

/**
 * Reports the orders of one site.
 *
 * Create one client and keep it: it owns the connections. Any number of threads may use it at
 * once. It works across fork(): the child opens its own connections, and its own outbox, with its
 * first call. It starts threads only to resolve the endpoint's name and to deliver the updates of
 * its outbox.
 *
 * With an outbox, exit() and a return from main() first finish the requests in flight, for up to
 * 5 seconds; pending updates stay in the file for the next process.
 */
typedef struct katalys_client katalys_client;

/**
 * A list of dead letters at one point in time. The caller owns it and frees it with
 * katalys_dead_letters_free().
 *
 * It never changes, and any number of threads may read it. Text that an accessor returns belongs
 * to the list and is never NULL. For NULL in place of a list, or an index that is out of range,
 * the accessors return 0 or empty text.
 */
typedef struct katalys_dead_letters katalys_dead_letters;

/**
 * Something happened to an update of the outbox, or to the outbox itself. Contains no customer
 * data. It belongs to the library, and is valid until the observer returns, like its texts.
 *
 * For NULL in place of an event, the accessors return 0 or empty text.
 */
typedef struct katalys_event katalys_event;

/**
 * Keys and values in the order they were set: the fields of an order update, or the options of
 * a client.
 *
 * All text is copied. The first misuse of a setter (a NULL key, a list that is closed twice) is
 * remembered, and every call with these fields then fails with KATALYS_MISUSE: there is no need to
 * check the return value of each setter.
 *
 * Only one thread may change it at a time; any number may use it while none changes it.
 */
typedef struct katalys_fields katalys_fields;

/**
 * The result of a call. The caller owns it and frees it with katalys_result_free().
 *
 * A result never changes, and any number of threads may read it. Text that an accessor returns
 * belongs to the result and is valid until it is freed. Text is never NULL, except for the payload
 * of a result that has none; it is empty where it does not apply. For NULL in place of a result,
 * the accessors return the values of KATALYS_MISUSE.
 */
typedef struct katalys_result katalys_result;

/**
 * The counters of an outbox at one point in time. The caller owns them and frees them with
 * katalys_stats_free().
 *
 * They never change, and any number of threads may read them.
 */
typedef struct katalys_stats katalys_stats;

/**
 * Receives an event; `user_data` is the pointer that was given to katalys_client_observe().
 */
typedef void (*katalys_observer)(const katalys_event *event, void *user_data);

/**
 * Receives a log record. `message` is one line in English without customer data, and is valid until
 * the callback returns; `user_data` is the pointer that was given to katalys_set_log().
 */
typedef void (*katalys_log_callback)(katalys_log_level level,
                                     const char *message,
                                     void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Creates empty fields, which the caller owns and frees with katalys_fields_free(). NULL only after
 * an internal error.
 */
katalys_fields *katalys_fields_new(void);

/**
 * Creates fields from the text of one JSON object, in its order. A key that occurs twice is kept
 * twice, which is a problem of the update. A number keeps all its digits, as with
 * katalys_fields_set_decimal().
 *
 * Writes the fields, which the caller owns and frees with katalys_fields_free(), or NULL; and
 * the result, unless `result` is NULL. Returns KATALYS_MISUSE if the text is not one JSON
 * object, is longer than 16 MiB or nested more than 16 deep; the message says where.
 *
 * Conditions:
 * `text` points to `len` readable bytes; `fields` and `result` may be written to or are NULL.
 */
katalys_code katalys_fields_from_json(const char *text,
                                      size_t len,
                                      katalys_fields **fields,
                                      katalys_result **result);

/**
 * Frees fields and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is allowed.
 *
 * Conditions:
 * `fields` is NULL or points to NULL or to a handle that is not in use.
 */
void katalys_fields_free(katalys_fields **fields);

/**
 * Sets text. It must be UTF-8; other text is a problem of the update (invalid_unicode). NULL with a
 * length of 0 is empty text; katalys_fields_set_null() omits a field. Within an open list, `key` is
 * NULL and the text is the next item.
 *
 * Conditions:
 * `fields` is a live handle or NULL; `key` and `value` point to `key_len` and `value_len`
 * readable bytes.
 */
katalys_code katalys_fields_set_text(katalys_fields *fields,
                                     const char *key,
                                     size_t key_len,
                                     const char *value,
                                     size_t value_len);

/**
 * Sets an exact decimal, in ASCII digits with or without an exponent: "25.67", "1E+2".
 *
 * Conditions:
 * As for katalys_fields_set_text().
 */
katalys_code katalys_fields_set_decimal(katalys_fields *fields,
                                        const char *key,
                                        size_t key_len,
                                        const char *value,
                                        size_t value_len);

/**
 * Sets a point in time, in ISO 8601 with an offset: "2018-01-01T01:23:40-08:00".
 *
 * Conditions:
 * As for katalys_fields_set_text().
 */
katalys_code katalys_fields_set_time(katalys_fields *fields,
                                     const char *key,
                                     size_t key_len,
                                     const char *value,
                                     size_t value_len);

/**
 * Sets a whole number.
 *
 * Conditions:
 * `fields` is a live handle or NULL; `key` points to `key_len` readable bytes.
 */
katalys_code katalys_fields_set_int(katalys_fields *fields,
                                    const char *key,
                                    size_t key_len,
                                    int64_t value);

/**
 * Sets a binary floating-point number. Prefer text or decimals for amounts: they are exact, and a
 * float is rounded to 4 places.
 *
 * Conditions:
 * As for katalys_fields_set_int().
 */
katalys_code katalys_fields_set_float(katalys_fields *fields,
                                      const char *key,
                                      size_t key_len,
                                      double value);

/**
 * Sets true or false, for the options of a client. No field of an order update is a boolean.
 *
 * Conditions:
 * As for katalys_fields_set_int().
 */
katalys_code katalys_fields_set_bool(katalys_fields *fields,
                                     const char *key,
                                     size_t key_len,
                                     bool value);

/**
 * Sets a field to null, which is the same as omitting it.
 *
 * Conditions:
 * As for katalys_fields_set_int().
 */
katalys_code katalys_fields_set_null(katalys_fields *fields, const char *key, size_t key_len);

/**
 * Begins a list, such as "line_items". The values set next, with NULL for the key, are its items,
 * until katalys_fields_close().
 *
 * Conditions:
 * As for katalys_fields_set_int().
 */
katalys_code katalys_fields_open_list(katalys_fields *fields,
                                      const char *key,
                                      size_t key_len);

/**
 * Begins a record, such as one line item; within a list, `key` is NULL. The values set next are its
 * fields, until katalys_fields_close().
 *
 * Conditions:
 * As for katalys_fields_set_int().
 */
katalys_code katalys_fields_open_record(katalys_fields *fields,
                                        const char *key,
                                        size_t key_len);

/**
 * Ends the list or record that was opened last.
 *
 * Conditions:
 * `fields` is a live handle or NULL.
 */
katalys_code katalys_fields_close(katalys_fields *fields);

/**
 * Creates a client.
 *
 * `options` are the settings listed at the top of this header, by name. A setting that is not given
 * is read from its environment variable, or has its default. NULL means no options.
 *
 * Writes the client, which the caller owns and frees with katalys_client_free(), or NULL; and
 * the result, unless `result` is NULL. Returns one of the KATALYS_CONFIG codes if a setting cannot
 * be used; the result's message then names it and says how to fix it.
 *
 * Conditions:
 * `options` is a live handle or NULL; `client` and `result` may be written to or are NULL.
 */
katalys_code katalys_client_new(const katalys_fields *options,
                                katalys_client **client,
                                katalys_result **result);

/**
 * Returns the client that this process has for these options, and creates it if there is none yet:
 * callers with equal options (and an equal environment) share its connections.
 *
 * Otherwise like katalys_client_new(); each handle is freed once. The client outlives its handles,
 * for later callers. The process keeps the 64 clients that were requested last.
 *
 * Conditions:
 * As for katalys_client_new().
 */
katalys_code katalys_client_shared(const katalys_fields *options,
                                   katalys_client **client,
                                   katalys_result **result);

/**
 * Frees a handle and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is allowed.
 *
 * For a client of katalys_client_new() with an outbox, this ends delivery: it waits for the requests
 * in flight, up to 5 seconds, and for the observer to return; pending updates stay in the file.
 *
 * Conditions:
 * `client` is NULL or points to NULL or to a handle that no call is using.
 */
void katalys_client_free(katalys_client **client);

/**
 * Reports the state of an order, and waits until the endpoint has received it.
 *
 * `order_id` is exactly the value given on the Thank-You page. It may be NULL if `fields` has
 * an "order_id". `fields` may be NULL for none. Both remain the caller's.
 *
 * Writes the result, which the caller owns and frees with katalys_result_free(), unless
 * `result` is NULL. Returns KATALYS_OK when the endpoint has confirmed the update, and the
 * result's code otherwise.
 *
 * Conditions:
 * `client` and `fields` are live handles or NULL, `order_id` points to `order_id_len` readable
 * bytes, and `result` may be written to or is NULL.
 */
katalys_code katalys_update_order(const katalys_client *client,
                                  const char *order_id,
                                  size_t order_id_len,
                                  const katalys_fields *fields,
                                  katalys_result **result);

/**
 * Reports a whole order, with the fields that the endpoint requires, and waits until the endpoint
 * has received it. Without an "order_time", the time of this call is sent. Otherwise like
 * katalys_update_order().
 *
 * Conditions:
 * As for katalys_update_order().
 */
katalys_code katalys_report_order(const katalys_client *client,
                                  const char *order_id,
                                  size_t order_id_len,
                                  const katalys_fields *fields,
                                  katalys_result **result);

/**
 * Puts an update into the outbox, and returns once it is stored on disk. It is sent in the
 * background, after the earlier updates of the same order.
 *
 * Otherwise like katalys_update_order(). The result of KATALYS_OK has the ticket, and any warnings.
 * Returns KATALYS_CONFIG_MISSING for a client without the setting "outbox", and one of the
 * KATALYS_OUTBOX codes if the update was not accepted.
 *
 * Conditions:
 * As for katalys_update_order().
 */
katalys_code katalys_enqueue_update(const katalys_client *client,
                                    const char *order_id,
                                    size_t order_id_len,
                                    const katalys_fields *fields,
                                    katalys_result **result);

/**
 * Puts a whole order into the outbox, with the fields that the endpoint requires. Without an
 * "order_time", the time of this call is sent. Otherwise like katalys_enqueue_update().
 *
 * Conditions:
 * As for katalys_update_order().
 */
katalys_code katalys_enqueue_report(const katalys_client *client,
                                    const char *order_id,
                                    size_t order_id_len,
                                    const katalys_fields *fields,
                                    katalys_result **result);

/**
 * Checks what katalys_update_order() would send, and sends nothing. The result of KATALYS_OK has
 * the payload, which is the exact bytes that would be sent, and any warnings; the result of
 * KATALYS_VALIDATION has all problems.
 *
 * Conditions:
 * As for katalys_update_order().
 */
katalys_code katalys_validate_update(const katalys_client *client,
                                     const char *order_id,
                                     size_t order_id_len,
                                     const katalys_fields *fields,
                                     katalys_result **result);

/**
 * Checks what katalys_report_order() would send, and sends nothing. Otherwise like
 * katalys_validate_update().
 *
 * Conditions:
 * As for katalys_update_order().
 */
katalys_code katalys_validate_report(const katalys_client *client,
                                     const char *order_id,
                                     size_t order_id_len,
                                     const katalys_fields *fields,
                                     katalys_result **result);

/**
 * Reads the counters of the outbox, of all processes that share it.
 *
 * Writes the counters, which the caller owns and frees with katalys_stats_free(), or NULL; `stats`
 * may be NULL. Returns one of the KATALYS_OUTBOX codes if the file cannot be read, and
 * KATALYS_CONFIG_MISSING for a client without the setting "outbox", like all functions that need
 * one.
 *
 * Conditions:
 * `client` is a live handle or NULL; `stats` and `result` may be written to or are NULL.
 */
katalys_code katalys_client_stats(const katalys_client *client,
                                  katalys_stats **stats,
                                  katalys_result **result);

/**
 * Waits until every update in the outbox is delivered or a dead letter, up to `timeout` seconds.
 * Another process may deliver them.
 *
 * Writes the number of updates that are left, unless `left` is NULL. Returns KATALYS_OK also if
 * there are some, and KATALYS_MISUSE if `timeout` is negative, not finite or longer than 366 days.
 *
 * Conditions:
 * `client` is a live handle or NULL; `left` and `result` may be written to or are NULL.
 */
katalys_code katalys_client_flush(const katalys_client *client,
                                  double timeout,
                                  uint64_t *left,
                                  katalys_result **result);

/**
 * Ends this client's delivery: no further request is made, and this waits up to `timeout` seconds for
 * the requests in flight. Pending updates stay in the file for another client, and further ones are
 * accepted. For a client of katalys_client_shared(), this affects all its handles, and the next call
 * with the same options creates a new client. Does nothing for a client without an outbox.
 *
 * Writes the number of updates that are left, unless `left` is NULL. Returns KATALYS_OK also if
 * there are some, and KATALYS_MISUSE if `timeout` is negative, not finite or longer than 366 days.
 *
 * Conditions:
 * `client` is a live handle or NULL; `left` and `result` may be written to or are NULL.
 */
katalys_code katalys_client_close(const katalys_client *client,
                                  double timeout,
                                  uint64_t *left,
                                  katalys_result **result);

/**
 * Lists dead letters whose number is greater than `after`, in order, at most `limit` of them. For
 * the first page, `after` is 0; for the next one, the number of the last dead letter.
 *
 * Writes the list, which the caller owns and frees with katalys_dead_letters_free(), or NULL.
 *
 * Conditions:
 * `client` is a live handle or NULL; `dead_letters` and `result` may be written to or are NULL.
 */
katalys_code katalys_client_dead_letters(const katalys_client *client,
                                         int64_t after,
                                         size_t limit,
                                         katalys_dead_letters **dead_letters,
                                         katalys_result **result);

/**
 * Puts a dead letter back into its order's lane, at its original place.
 *
 * Writes whether there is a dead letter of that number, unless `found` is NULL.
 *
 * Conditions:
 * `client` is a live handle or NULL; `found` and `result` may be written to or are NULL.
 */
katalys_code katalys_client_replay(const katalys_client *client,
                                   int64_t id,
                                   bool *found,
                                   katalys_result **result);

/**
 * Removes a dead letter, and counts it as discarded.
 *
 * Writes whether there is a dead letter of that number, unless `found` is NULL.
 *
 * Conditions:
 * `client` is a live handle or NULL; `found` and `result` may be written to or are NULL.
 */
katalys_code katalys_client_discard(const katalys_client *client,
                                    int64_t id,
                                    bool *found,
                                    katalys_result **result);

/**
 * Changes fields of a dead letter; all others keep their values, and null removes one. It remains
 * a dead letter until it is replayed.
 *
 * Writes whether there is a dead letter of that number, unless `found` is NULL. Returns
 * KATALYS_VALIDATION if the update is invalid with these fields.
 *
 * Conditions:
 * `client` and `fields` are live handles or NULL; `found` and `result` may be written to or are
 * NULL.
 */
katalys_code katalys_client_edit(const katalys_client *client,
                                 int64_t id,
                                 const katalys_fields *fields,
                                 bool *found,
                                 katalys_result **result);

/**
 * Frees counters and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is allowed.
 *
 * Conditions:
 * `stats` is NULL or points to NULL or to counters that are not in use.
 */
void katalys_stats_free(katalys_stats **stats);

/**
 * The value of a statistic that is a number of updates. `stat` is a katalys_stat.
 *
 * Returns 0 for NULL in place of counters, for a statistic in seconds, and for a number that this
 * version does not know.
 *
 * Conditions:
 * `stats` are live counters or NULL.
 */
uint64_t katalys_stats_count(const katalys_stats *stats,
                             int stat);

/**
 * The value of a statistic in seconds. `stat` is a katalys_stat.
 *
 * Returns 0 for NULL in place of counters, for a statistic that is a number of updates, and for a
 * number that this version does not know.
 *
 * Conditions:
 * `stats` are live counters or NULL.
 */
double katalys_stats_seconds(const katalys_stats *stats,
                             int stat);

/**
 * Frees a list and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is allowed.
 *
 * Conditions:
 * `dead_letters` is NULL or points to NULL or to a list that is not in use.
 */
void katalys_dead_letters_free(katalys_dead_letters **dead_letters);

/**
 * Number of dead letters in the list.
 *
 * Conditions:
 * `dead_letters` is a live list or NULL.
 */
size_t katalys_dead_letters_count(const katalys_dead_letters *dead_letters);

/**
 * Number of the update, as on its ticket.
 *
 * Conditions:
 * `dead_letters` is a live list or NULL.
 */
int64_t katalys_dead_letters_id(const katalys_dead_letters *dead_letters, size_t index);

/**
 * The order's id.
 *
 * Conditions:
 * `dead_letters` is a live list or NULL.
 */
const char *katalys_dead_letters_order_id(const katalys_dead_letters *dead_letters,
                                          size_t index);

/**
 * The site it was reported for.
 *
 * Conditions:
 * `dead_letters` is a live list or NULL.
 */
const char *katalys_dead_letters_site_id(const katalys_dead_letters *dead_letters,
                                         size_t index);

/**
 * What was sent, as JSON. Customer data.
 * Writes the length, without the NUL, unless `len` is NULL.
 *
 * Conditions:
 * `dead_letters` is a live list or NULL; `len` may be written to or is NULL.
 */
const char *katalys_dead_letters_payload(const katalys_dead_letters *dead_letters,
                                         size_t index,
                                         size_t *len);

/**
 * HTTP status, if the endpoint refused the update. 0 if there is none.
 *
 * Conditions:
 * `dead_letters` is a live list or NULL.
 */
uint16_t katalys_dead_letters_status(const katalys_dead_letters *dead_letters, size_t index);

/**
 * `rejected` (by the endpoint), `interrupted` (three attempts never finished) or `expired`
 * (older than `max_age`).
 *
 * Conditions:
 * `dead_letters` is a live list or NULL.
 */
const char *katalys_dead_letters_code(const katalys_dead_letters *dead_letters, size_t index);

/**
 * A description of what happened. Holds no customer data.
 *
 * Conditions:
 * `dead_letters` is a live list or NULL.
 */
const char *katalys_dead_letters_reason(const katalys_dead_letters *dead_letters, size_t index);

/**
 * When it became a dead letter. In Unix seconds.
 *
 * Conditions:
 * `dead_letters` is a live list or NULL.
 */
double katalys_dead_letters_died_at(const katalys_dead_letters *dead_letters, size_t index);

/**
 * Calls `observer` with the events of this client's outbox in this process, in order, on a thread
 * of the library and never concurrently. A slow observer delays neither callers nor delivery; the
 * oldest events are dropped once it is 10,000 behind. It may call every function of this header
 * except katalys_client_close() and katalys_client_free(), which wait for it.
 *
 * For a client of katalys_client_new(), the last call ends before katalys_client_free() returns; a
 * client of katalys_client_shared() keeps its observer for the life of the process. After fork() the
 * child has the same observer, on a thread of its own.
 *
 * A client has one observer: KATALYS_MISUSE if there is one already. A client without an outbox
 * has no events.
 *
 * Conditions:
 * `client` is a live handle or NULL; `observer` may be called with `user_data` from another
 * thread as described above, and does not unwind; `result` may be written to or is NULL.
 */
katalys_code katalys_client_observe(const katalys_client *client,
                                    katalys_observer observer,
                                    void *user_data,
                                    katalys_result **result);

/**
 * A line for a log, in English.
 *
 * Conditions:
 * `event` is a live event or NULL.
 */
const char *katalys_event_message(const katalys_event *event);

/**
 * What happened.
 *
 * - "accepted": the update is in the outbox.
 * - "delivered": the endpoint has received the update.
 * - "retried": an attempt failed; another one follows.
 * - "dead_lettered": the update will not be sent unless it is replayed.
 * - "discarded": a dead letter was removed for good.
 * - "failed": the outbox cannot be read or written, so nothing is delivered; `code` says
 *   why.
 *
 * Later versions may add others.
 *
 * Conditions:
 * `event` is a live event or NULL.
 */
const char *katalys_event_kind(const katalys_event *event);

/**
 * Number of the update, as on its ticket; 0 for `failed`.
 *
 * Conditions:
 * `event` is a live event or NULL.
 */
int64_t katalys_event_id(const katalys_event *event);

/**
 * Sixteen hexadecimal digits, the same for all updates of one order; with `event_order_ids` as
 * `plain`, the order's id. Empty for `failed`.
 *
 * Conditions:
 * `event` is a live event or NULL.
 */
const char *katalys_event_order(const katalys_event *event);

/**
 * Number of requests made so far; 0 if none was made.
 *
 * Conditions:
 * `event` is a live event or NULL.
 */
uint32_t katalys_event_attempts(const katalys_event *event);

/**
 * HTTP status that led to it, if any. 0 if there is none.
 *
 * Conditions:
 * `event` is a live event or NULL.
 */
uint16_t katalys_event_status(const katalys_event *event);

/**
 * Why: the code of the error, or of the dead letter. Empty if there is none.
 *
 * Conditions:
 * `event` is a live event or NULL.
 */
const char *katalys_event_code(const katalys_event *event);

/**
 * Sets the callback for log records of the level `level` (a katalys_log_level) and of more severe
 * ones, for all clients of the process. It replaces the previous callback; NULL removes it. Without a
 * callback nothing is logged.
 *
 * Set one if there is an outbox: errors of delivery in the background reach a log in no other way.
 * They also appear in the results of katalys_enqueue_update() and katalys_client_stats().
 *
 * The library calls the callback from any thread, from several at once, and within calls of this
 * library while it holds locks: the callback must not call this library. When this function returns,
 * a call of the previous callback may still be running on another thread. After fork() the child has
 * the same callback.
 *
 * Conditions:
 * `callback` may be called with `user_data` from any thread until the end of the process, or until
 * its last call has returned after another callback was set, and does not unwind.
 */
void katalys_set_log(int level,
                     katalys_log_callback callback,
                     void *user_data);

/**
 * Frees a result and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is allowed.
 *
 * Conditions:
 * `result` is NULL or points to NULL or to a result that is not in use.
 */
void katalys_result_free(katalys_result **result);

/**
 * The code: KATALYS_OK, or the number of an error. The call returned the same.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
katalys_code katalys_result_code(const katalys_result *result);

/**
 * The name of the code, the same in every language, such as "config_invalid"; "ok" for KATALYS_OK.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
const char *katalys_result_code_name(const katalys_result *result);

/**
 * The name of the error's class, such as "RejectedError"; empty for KATALYS_OK.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
const char *katalys_result_class_name(const katalys_result *result);

/**
 * What went wrong and how to fix it; empty for KATALYS_OK. Contains no customer data.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
const char *katalys_result_message(const katalys_result *result);

/**
 * Duration of the call, in seconds.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
double katalys_result_elapsed(const katalys_result *result);

/**
 * After a successful check: the exact bytes that would be sent, one JSON object, followed by a
 * NUL. Otherwise NULL. Writes the length, without the NUL, unless `len` is NULL.
 *
 * Conditions:
 * `result` is a live result or NULL; `len` may be written to or is NULL.
 */
const char *katalys_result_payload(const katalys_result *result, size_t *len);

/**
 * The whole result as one JSON object, followed by a NUL: code, class, message, retryable,
 * attempts, ticket, status, retry_after, elapsed, payload, and problems with path, code, message,
 * severity and first. Writes the length, without the NUL, unless `len` is NULL.
 *
 * Conditions:
 * `result` is a live result or NULL; `len` may be written to or is NULL.
 */
const char *katalys_result_json(const katalys_result *result,
                                size_t *len);

/**
 * Number of problems: all errors and warnings of an update that was refused, or the warnings of
 * one that was not.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
size_t katalys_result_problem_count(const katalys_result *result);

/**
 * The path of a problem, as the caller wrote it: "sale_amount", "discounts[1].amount". Empty if
 * `index` is out of range.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
const char *katalys_result_problem_path(const katalys_result *result, size_t index);

/**
 * The stable name of the rule that was broken, such as "amount_format". Empty if `index` is out
 * of range.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
const char *katalys_result_problem_code(const katalys_result *result, size_t index);

/**
 * A sentence that says what is wrong and how to fix it, without customer data. Empty if `index` is
 * out of range.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
const char *katalys_result_problem_message(const katalys_result *result,
                                           size_t index);

/**
 * The severity of a problem; KATALYS_SEVERITY_NONE if `index` is out of range.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
katalys_severity katalys_result_problem_severity(const katalys_result *result, size_t index);

/**
 * Whether a warning's code occurs for the first time in an update that this client sends. Log these
 * warnings: a log needs each code once, not with every call.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
bool katalys_result_problem_is_first(const katalys_result *result,
                                     size_t index);

/**
 * Whether the same call may succeed later without any change.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
bool katalys_result_is_retryable(const katalys_result *result);

/**
 * Number of requests that were made.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
uint32_t katalys_result_attempts(const katalys_result *result);

/**
 * Number of the update; numbers rise in the order of acceptance. After an error: Number of the
 * update in the outbox, if it was accepted before the call failed: it will be sent, or is a
 * dead letter. Do not send it again. Returns 0 if the result has none.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
int64_t katalys_result_ticket(const katalys_result *result);

/**
 * HTTP status of the last answer. Returns 0 if the result has none.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
uint16_t katalys_result_status(const katalys_result *result);

/**
 * How long the endpoint asked to wait, in seconds, at most five minutes. Returns -1 if the
 * result has none.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
double katalys_result_retry_after(const katalys_result *result);

/**
 * The version of this interface. It increases only when a program that was built with an earlier
 * header no longer works.
 */
uint32_t katalys_abi_version(void);

/**
 * The version of the library, such as "0.1.0". The text is static.
 */
const char *katalys_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* KATALYS_H */
