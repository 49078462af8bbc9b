/**
 * Order status reporting for Katalys, from C99 and C++.
 *
 * Rules that hold for every function:
 * - Handles are opaque. Who gets one from a function whose name ends in _new, _shared,
 *   _from_json or _dead_letters, or as a result, owns it and frees it with the _free function
 *   of its type. That sets the owner's pointer to NULL, so that freeing it again does nothing.
 * - Inputs come first, outputs last. Inputs stay the caller's, and are not needed after the
 *   call. Outputs are always written, on failure too; an output that is not wanted may be NULL
 *   where its function says so.
 * - Text goes in as a pointer and a length in bytes, without need of a NUL, as UTF-8. Text
 *   comes out as const char *, ends in a NUL, belongs to the handle it came from and lives as
 *   long as that.
 * - NULL for a handle is a mistake that is answered with KATALYS_MISUSE, never a crash.
 * - Nothing is thrown or unwound into the caller.
 * - A signal handler must not call any of the functions: they allocate and take locks. Set a
 *   flag there, and call from the main program. A signal does not end a call early.
 * - After fork(), the child may use every client it has; it opens its own connections and its
 *   own outbox. A child of a process with several threads may call the library like malloc(),
 *   and no handle that another thread was changing at the moment of the fork. vfork() allows
 *   no call.
 * - The library stays in the process once it is loaded: dlclose() does nothing.
 *
 * Settings of a client, for katalys_client_new():
 * - site_id: The script name of the tracking snippet (`abcd.com` of `/js/abcd.com.js`) or a
 *   tracking id. Required. Or KATALYS_SITE_ID.
 * - endpoint: The whole URL that updates are sent to. Default:
 *   https://db.revoffers.com/v2/_tr_offline. Or KATALYS_ENDPOINT.
 * - timeout: The longest a waiting call may take, with all its retries, in seconds, up to 900.
 *   Default: 10. Or KATALYS_TIMEOUT.
 * - connect_timeout: The longest that making one connection may take, in seconds, up to 900.
 *   Default: 3.
 * - ca_file: A PEM file with the only certificate authorities to trust, in place of Mozilla's;
 *   `SSL_CERT_FILE` does the same.
 * - proxy: The URL of an HTTP proxy (`http://user:password@host:port`); empty for none.
 *   Otherwise HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are followed, though never to
 *   this machine itself.
 * - timezone: The IANA time zone in which times without an offset are read, such as
 *   `America/New_York`; without it they are errors.
 * - invalid: What becomes of an invalid optional field: `raise` refuses the update, `drop`
 *   leaves the field out and warns. Default: raise.
 * - allow_http: Allows an endpoint without TLS on another host than this one, or behind a
 *   proxy. Customer data then crosses the network unprotected. Default: false.
 * - workers: The most threads that send in the background, started as they are needed.
 *   Default: 32.
 * - outbox: The file that keeps updates until the endpoint has them, made if it is not there.
 *   On a local disk; processes may share it. Or KATALYS_OUTBOX.
 * - durability: With `full`, an accepted update survives a power failure. `normal` is faster,
 *   and may lose the last ones then, though not when a process is killed. Default: full.
 * - on_rejected: What becomes of an order's later updates when the endpoint refuses one for
 *   good: `continue` sends them, `hold` waits until the dead letter is replayed or discarded.
 *   Default: continue.
 * - max_age: Updates that could not be sent for so many seconds become dead letters; without
 *   it none does.
 * - collapse: Leaves out an update that says exactly what the last waiting one of its order
 *   says. Default: false.
 * - capacity_rows: The most updates that may wait; further ones are refused.
 * - capacity_bytes: The most bytes of updates that may wait; further ones are refused.
 * - deliver: Whether this client sends what is in the outbox; if not, another process has to.
 *   Default: true.
 * - event_order_ids: How events name the order: `hashed` as 16 hexadecimal digits that are the
 *   same for all updates of one order, `plain` as its order_id. The digest has no key: who can
 *   guess an order_id can recognise it. Default: hashed.
 *
 * Fields of an order, for katalys_update_order():
 * - site_id: The script name of the tracking snippet (`abcd.com` of `/js/abcd.com.js`) or a
 *   tracking id. Given by the client unless it is set here. Example: abcd.com
 * - order_id: Exactly the value given on the Thank-You page; globally unique in the shop.
 *   Example: 12345
 * - order_status: What became of the order: pending, paid, refunded, cancelled, or the shop's
 *   own status. Example: paid
 * - order_time: When the order was first placed. Needed whenever it is reported more than 5
 *   minutes after that, or it is counted twice. Example: 2018-01-01 01:23:40-08:00
 * - order_count: How many orders this customer has placed in total; above 1 is a returning
 *   customer. Example: 2
 * - order_alias: This order's id in another system. Merges the two orders and may change the
 *   order id: this cannot be undone. Example: R-10001
 * - sale_amount: The order's total with shipping and tax, without currency sign. Example:
 *   25.67
 * - subtotal_amount: sale_amount minus shipping and tax. Example: 24.95
 * - shipping_amount: What shipping cost, in the currency of sale_amount. Required in a report
 *   without subtotal_amount. Example: 4.99
 * - tax_amount: The tax, in the currency of sale_amount. Required in a report without
 *   subtotal_amount. Example: 1.48
 * - currency: ISO 4217 code of all amounts. The endpoint takes USD where it is missing.
 *   Example: EUR
 * - email_address: The customer's address, or the same digest of it each time; it tells
 *   customers apart. Example: email@example.com
 * - user_agent: The customer's browser, never the shop server's. Example: Mozilla/5.0 (X11;
 *   Linux x86_64)
 * - ip_address: The customer's IPv4 or IPv6 address, never the shop server's. Example:
 *   93.184.215.14
 * - shipping_city: The city the order is shipped to. Example: Springfield
 * - shipping_state: The state or region the order is shipped to. Example: OR
 * - shipping_postal: The postal code the order is shipped to. Example: 97477
 * - shipping_country: The country the order is shipped to, by preference as an ISO 3166-1
 *   alpha-2 code. Example: US
 * - discounts: Every discount or coupon applied to the order; also as discount_1_code,
 *   discount_1_amount, discount_2_code, …
 * - discounts[].code: The coupon's code. Example: REVOFFERS_EXAMPLE
 * - discounts[].amount: What it took off, in the currency of sale_amount. Example: 1.50
 * - line_items: The order's line items; also as line_item_1_title, line_item_1_sku, …
 * - line_items[].title: The product's name. Example: Wellness Bundle #4
 * - line_items[].sku: The product's stock-keeping unit, which SKU-based payouts match.
 *   Example: WLNS_BUNDLE_4
 * - line_items[].price: The price, in the currency of sale_amount. Example: 1.99
 * - line_items[].var: The variant. Example: Blue / L
 * - line_items[].qty: How many. Example: 2
 *
 * Made by cbindgen from bindings-c/src: `make generate` there.
 */

#ifndef KATALYS_H
#define KATALYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * What came of a call: 0, or the number of an error. The hundreds are its class.
 */
typedef enum {
  /**
   * It worked.
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
   * `RejectedError`: the endpoint refused the update for good (most 4xx).
   */
  KATALYS_REJECTED = 301,
  /**
   * `RejectedError`: the endpoint could not take the update now (408, 425, 429, 5xx). The same
   * call may succeed later.
   */
  KATALYS_UNAVAILABLE = 302,
  /**
   * `RejectedError`: the answer was a success other than 204, as from a captive portal. The
   * same call may succeed later.
   */
  KATALYS_NOT_CONFIRMED = 303,
  /**
   * `RejectedError`: the answer was a redirect, which is never followed. The same call may
   * succeed later.
   */
  KATALYS_REDIRECTED = 304,
  /**
   * `TransportError`: the endpoint's name could not be resolved. The same call may succeed
   * later.
   */
  KATALYS_DNS = 401,
  /**
   * `TransportError`: no connection to the endpoint could be made. The same call may succeed
   * later.
   */
  KATALYS_CONNECT = 402,
  /**
   * `TransportError`: the connection ended before an answer came. The same call may succeed
   * later.
   */
  KATALYS_DISCONNECTED = 403,
  /**
   * `TransportError`: the endpoint's certificate is not valid.
   */
  KATALYS_CERTIFICATE = 404,
  /**
   * `TransportError`: no encrypted connection could be agreed on. The same call may succeed
   * later.
   */
  KATALYS_TLS = 405,
  /**
   * `TransportError`: the answer was not HTTP. The same call may succeed later.
   */
  KATALYS_PROTOCOL = 406,
  /**
   * `TransportError`: the proxy did not give a connection. The same call may succeed later.
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
   * Something needs attention: a damaged outbox, an update that became a dead letter.
   */
  KATALYS_LOG_ERROR = 1,
  /**
   * Something is suspicious.
   */
  KATALYS_LOG_WARNING = 2,
  /**
   * Something of interest happened, such as an attempt that failed and is retried.
   */
  KATALYS_LOG_INFO = 3,
  /**
   * Details, for finding a fault.
   */
  KATALYS_LOG_DEBUG = 4,
} katalys_log_level;

/**
 * How grave a problem is.
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
   * It is only suspicious: the update is sent all the same.
   */
  KATALYS_SEVERITY_WARNING = 2,
} katalys_severity;

/**
 * Reports orders of one site.
 *
 * Make one and keep it: it holds the connections. Any number of threads may use it at once. It
 * works across fork(): the child opens its own connections, and its own outbox, on its first
 * call. The only threads it starts are those that look up the name of the endpoint, and those
 * that deliver what is in its outbox.
 *
 * With an outbox, the end of the process by exit() or a return from main() first finishes what
 * is on its way, for 3 seconds at most; the rest stays in the file for the next process.
 */
typedef struct katalys_client katalys_client;

/**
 * A list of dead letters, as they were when it was made. Its owner frees it with
 * katalys_dead_letters_free().
 *
 * It never changes, and any number of threads may read it. Text that its functions return
 * belongs to it and is never NULL. For NULL in place of a list, or an index that is too large,
 * the functions return 0 or empty text.
 */
typedef struct katalys_dead_letters katalys_dead_letters;

/**
 * Keys and values in the order they were set: the fields of an order update, or the options of
 * a client.
 *
 * All text is copied. The first mistake in building it (a NULL key, a list that is closed
 * twice) is remembered, and every call that is given these fields then fails with
 * KATALYS_MISUSE: the return values of the setters need not be checked one by one.
 *
 * One thread may change it at a time; any number may use it while none changes it.
 */
typedef struct katalys_fields katalys_fields;

/**
 * What came of a call. Its owner frees it with katalys_result_free().
 *
 * It never changes, and any number of threads may read it. Text that its functions return
 * belongs to it and lives as long as it does; but for a payload that is not there it is never
 * NULL, and it is empty where there is nothing to say. For NULL in place of a result, the
 * functions answer as for KATALYS_MISUSE.
 */
typedef struct katalys_result katalys_result;

/**
 * What happened to the updates that an outbox accepted, in any process: `accepted` always equals
 * `delivered` + `pending` + `dead` + `discarded`.
 */
typedef struct {
  /**
   * Updates that were ever accepted.
   */
  uint64_t accepted;
  /**
   * Those that the endpoint has.
   */
  uint64_t delivered;
  /**
   * Those that are not settled yet.
   */
  uint64_t pending;
  /**
   * Those of the pending that are being sent.
   */
  uint64_t in_flight;
  /**
   * Those that the endpoint refused for good, kept until they are replayed or discarded.
   */
  uint64_t dead;
  /**
   * Dead letters that were discarded.
   */
  uint64_t discarded;
  /**
   * The age of the oldest pending update in seconds; 0 if there is none.
   */
  double oldest_pending_seconds;
} katalys_stats;

/**
 * Something happened to an update of the outbox, or to the outbox itself. It and its texts live
 * until the observer returns. Later versions may add to its end.
 */
typedef struct {
  /**
   * What happened: "accepted" (it is in the outbox), "delivered" (the endpoint has it),
   * "retried" (an attempt failed, another one follows), "dead_lettered" (it will not be sent
   * unless it is replayed), "discarded" (a dead letter was removed for good) or "failed" (the
   * outbox cannot be read or written, so nothing is delivered). A later version may have others.
   */
  const char *kind;
  /**
   * The update's number, as on its ticket; 0 for "failed".
   */
  int64_t id;
  /**
   * Sixteen hexadecimal digits, the same for all updates of one order; with the setting
   * "event_order_ids" as "plain", the order's id. Empty for "failed".
   */
  const char *order;
  /**
   * How many requests were made so far; 0 where none was.
   */
  uint32_t attempts;
  /**
   * The HTTP status that led to it, or 0.
   */
  uint16_t status;
  /**
   * Why: the name of the error, or the dead letter's code; empty if nothing went wrong.
   */
  const char *code;
  /**
   * A line for a log, in English.
   */
  const char *message;
} katalys_event;

/**
 * Takes an event; `user_data` is what katalys_client_observe() was given.
 */
typedef void (*katalys_observer)(const katalys_event *event, void *user_data);

/**
 * Takes a log record. `message` is one line in English without customer data, and lives until
 * the callback returns; `user_data` is what katalys_set_log() was given.
 */
typedef void (*katalys_log_callback)(katalys_log_level level,
                                     const char *message,
                                     void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes empty fields, which the caller owns and frees with katalys_fields_free(). NULL only if
 * the library fails.
 */
katalys_fields *katalys_fields_new(void);

/**
 * Makes fields from the text of one JSON object, in its order. A key that occurs twice is kept
 * twice, and is then a problem of the update.
 *
 * Writes the fields, which the caller owns and frees with katalys_fields_free(), or NULL; and
 * the result, unless `result` is NULL. KATALYS_MISUSE if the text is not one JSON object.
 *
 * Conditions:
 * `text` points to `len` readable bytes; `fields` and `result` may be written to or are NULL.
 */
katalys_code katalys_fields_from_json(const char *text,
                                      size_t len,
                                      katalys_fields **fields,
                                      katalys_result **result);

/**
 * Frees fields and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is fine.
 *
 * Conditions:
 * `fields` is NULL or points to NULL or to a handle that is not in use.
 */
void katalys_fields_free(katalys_fields **fields);

/**
 * Sets text. It should be UTF-8; text that is not becomes a problem of the update
 * (invalid_unicode). NULL with a length of 0 is empty text; katalys_fields_set_null() leaves a field
 * out. Within a list that is open, `key` is NULL and the text is its next item.
 *
 * Conditions:
 * `fields` is a live handle or NULL; `key` and `value` point to as many readable bytes.
 */
katalys_code katalys_fields_set_text(katalys_fields *fields,
                                     const char *key,
                                     size_t key_len,
                                     const char *value,
                                     size_t value_len);

/**
 * Sets an exact decimal, given in ASCII digits with or without an exponent: "25.67", "1E+2".
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
 * Sets a moment in time, given in ISO 8601 with its offset: "2018-01-01T01:23:40-08:00".
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
 * Sets a binary floating-point number. Amounts are better given as text or decimals, which are
 * exact; a float is rounded to 4 places.
 *
 * Conditions:
 * As for katalys_fields_set_int().
 */
katalys_code katalys_fields_set_float(katalys_fields *fields,
                                      const char *key,
                                      size_t key_len,
                                      double value);

/**
 * Sets true or false, for the options of a client. No field of an order update takes one.
 *
 * Conditions:
 * As for katalys_fields_set_int().
 */
katalys_code katalys_fields_set_bool(katalys_fields *fields,
                                     const char *key,
                                     size_t key_len,
                                     bool value);

/**
 * Sets a field to "not given", which is the same as leaving it out.
 *
 * Conditions:
 * As for katalys_fields_set_int().
 */
katalys_code katalys_fields_set_null(katalys_fields *fields, const char *key, size_t key_len);

/**
 * Begins a list, such as "line_items". What is set next, with NULL for its key, are its items,
 * until katalys_fields_close().
 *
 * Conditions:
 * As for katalys_fields_set_int().
 */
katalys_code katalys_fields_open_list(katalys_fields *fields, const char *key, size_t key_len);

/**
 * Begins a record, such as one line item; within a list, `key` is NULL. What is set next are
 * its fields, until katalys_fields_close().
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
 * Makes a client of its own.
 *
 * `options` are the settings listed at the top of this header, by name. What is not given is
 * taken from the environment or has its default. NULL stands for no options.
 *
 * Writes the client, which the caller owns and frees with katalys_client_free(), or NULL; and
 * the result, unless `result` is NULL. One of the KATALYS_CONFIG codes if a setting cannot be
 * used; the result's message then names it and says how to fix it.
 *
 * Conditions:
 * `options` is a live handle or NULL; `client` and `result` may be written to or are NULL.
 */
katalys_code katalys_client_new(const katalys_fields *options,
                                katalys_client **client,
                                katalys_result **result);

/**
 * Gives the client that this process has for these options, and makes it if there is none yet:
 * everyone who asks with equal options (and an equal environment) shares its connections.
 *
 * As katalys_client_new() otherwise; each handle is freed once. The client outlives its
 * handles, for those who ask again. The process keeps the 64 clients asked for last.
 *
 * Conditions:
 * As for katalys_client_new().
 */
katalys_code katalys_client_shared(const katalys_fields *options,
                                   katalys_client **client,
                                   katalys_result **result);

/**
 * Frees a handle and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is fine.
 *
 * A client of katalys_client_new() with an outbox ends its delivery: this waits for what is on
 * its way, 3 seconds at most, and for its observer to return; the rest stays in the file.
 *
 * Conditions:
 * `client` is NULL or points to NULL or to a handle that no call is using.
 */
void katalys_client_free(katalys_client **client);

/**
 * Reports what became of an order, and waits until the endpoint has it.
 *
 * `order_id` is exactly the value given on the Thank-You page. It may be NULL if `fields` has
 * an "order_id". `fields` may be NULL for none. Both stay the caller's.
 *
 * Writes the result, which the caller owns and frees with katalys_result_free(), unless
 * `result` is NULL. Returns KATALYS_OK when the endpoint has confirmed the update, and the
 * result's code otherwise.
 *
 * Conditions:
 * `client` and `fields` are live handles or NULL, `order_id` points to as many readable bytes,
 * and `result` may be written to or is NULL.
 */
katalys_code katalys_update_order(const katalys_client *client,
                                  const char *order_id,
                                  size_t order_id_len,
                                  const katalys_fields *fields,
                                  katalys_result **result);

/**
 * Reports an order as a whole, with the fields the endpoint requires of it, and waits until the
 * endpoint has it. Without an "order_time", the time of this call is sent. As
 * katalys_update_order() otherwise.
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
 * Puts what became of an order into the outbox, and returns when it is safe on disk. It is sent
 * in the background, after the earlier updates of the same order.
 *
 * As katalys_update_order() otherwise. The result of KATALYS_OK has the ticket, and any
 * warnings. KATALYS_CONFIG_MISSING for a client without the setting "outbox"; one of the
 * KATALYS_OUTBOX codes if the update could not be accepted.
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
 * Puts an order as a whole into the outbox, with the fields the endpoint requires of it. Without
 * an "order_time", the time of this call is sent. As katalys_enqueue_update() otherwise.
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
 * Checks what katalys_update_order() would send, and sends nothing. The result of KATALYS_OK
 * has the payload, the exact bytes that would be sent, and any warnings; that of
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
 * Checks what katalys_report_order() would send, and sends nothing. As
 * katalys_validate_update() otherwise.
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
 * Says what happened to all updates of the outbox.
 *
 * Writes the numbers, or zeros. One of the KATALYS_OUTBOX codes if the file cannot be read;
 * KATALYS_CONFIG_MISSING for a client without the setting "outbox", here as in all functions
 * that need one.
 *
 * Conditions:
 * `client` is a live handle or NULL; `stats` and `result` may be written to or are NULL.
 */
katalys_code katalys_client_stats(const katalys_client *client,
                                  katalys_stats *stats,
                                  katalys_result **result);

/**
 * Waits until every update in the outbox is delivered or a dead letter, up to `timeout` seconds.
 * Another process may deliver them.
 *
 * Writes how many updates are left, unless `left` is NULL. KATALYS_OK also if some are.
 * KATALYS_MISUSE if `timeout` is negative or not a number; INFINITY is fine.
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
 * the requests in flight. The rest stays in the file, where updates are accepted as before, for
 * another client. Ends it for all handles of a client of katalys_client_shared(); the next call of
 * that with the same options makes a new client. Does nothing for a client without an outbox.
 *
 * Writes how many updates are left, unless `left` is NULL. KATALYS_OK also if some are.
 * KATALYS_MISUSE if `timeout` is negative or not a number; INFINITY is fine.
 *
 * Conditions:
 * `client` is a live handle or NULL; `left` and `result` may be written to or are NULL.
 */
katalys_code katalys_client_close(const katalys_client *client,
                                  double timeout,
                                  uint64_t *left,
                                  katalys_result **result);

/**
 * Lists the dead letters whose number is larger than `after`, in order, at most `limit` of them:
 * begin with 0 and go on with the number of the last.
 *
 * Writes the list, which the caller owns and frees with katalys_dead_letters_free(), or NULL.
 *
 * Conditions:
 * `client` is a live handle or NULL; `letters` and `result` may be written to or are NULL.
 */
katalys_code katalys_client_dead_letters(const katalys_client *client,
                                         int64_t after,
                                         size_t limit,
                                         katalys_dead_letters **letters,
                                         katalys_result **result);

/**
 * Puts a dead letter back into its order's lane, at its old place.
 *
 * Writes whether there was one of that number, unless `found` is NULL.
 *
 * Conditions:
 * `client` is a live handle or NULL; `found` and `result` may be written to or are NULL.
 */
katalys_code katalys_client_replay(const katalys_client *client,
                                   int64_t id,
                                   bool *found,
                                   katalys_result **result);

/**
 * Removes a dead letter for good; it is counted.
 *
 * Writes whether there was one of that number, unless `found` is NULL.
 *
 * Conditions:
 * `client` is a live handle or NULL; `found` and `result` may be written to or are NULL.
 */
katalys_code katalys_client_discard(const katalys_client *client,
                                    int64_t id,
                                    bool *found,
                                    katalys_result **result);

/**
 * Changes fields of a dead letter, all others staying as they are; null takes one out. It stays
 * a dead letter until it is replayed.
 *
 * Writes whether there was one of that number, unless `found` is NULL. KATALYS_VALIDATION if the
 * update cannot be right with these fields.
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
 * Frees a list and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is fine.
 *
 * Conditions:
 * `letters` is NULL or points to NULL or to a list that is not in use.
 */
void katalys_dead_letters_free(katalys_dead_letters **letters);

/**
 * How many there are.
 *
 * Conditions:
 * `letters` is a live list or NULL.
 */
size_t katalys_dead_letters_count(const katalys_dead_letters *letters);

/**
 * The update's number, as on its ticket.
 *
 * Conditions:
 * `letters` is a live list or NULL.
 */
int64_t katalys_dead_letters_id(const katalys_dead_letters *letters, size_t index);

/**
 * The order's id.
 *
 * Conditions:
 * `letters` is a live list or NULL.
 */
const char *katalys_dead_letters_order_id(const katalys_dead_letters *letters, size_t index);

/**
 * The site it was reported for.
 *
 * Conditions:
 * `letters` is a live list or NULL.
 */
const char *katalys_dead_letters_site_id(const katalys_dead_letters *letters, size_t index);

/**
 * What was sent, one JSON object. Customer data: keep it out of logs. Writes its length, without
 * the NUL, unless `len` is NULL.
 *
 * Conditions:
 * `letters` is a live list or NULL; `len` may be written to or is NULL.
 */
const char *katalys_dead_letters_payload(const katalys_dead_letters *letters,
                                         size_t index,
                                         size_t *len);

/**
 * The HTTP status with which the endpoint refused it, or 0.
 *
 * Conditions:
 * `letters` is a live list or NULL.
 */
uint16_t katalys_dead_letters_status(const katalys_dead_letters *letters, size_t index);

/**
 * "rejected" (by the endpoint), "interrupted" (sending it never finished, three times) or
 * "expired" (older than the setting "max_age").
 *
 * Conditions:
 * `letters` is a live list or NULL.
 */
const char *katalys_dead_letters_code(const katalys_dead_letters *letters, size_t index);

/**
 * What happened, for people. Holds no customer data.
 *
 * Conditions:
 * `letters` is a live list or NULL.
 */
const char *katalys_dead_letters_reason(const katalys_dead_letters *letters, size_t index);

/**
 * When that was, in Unix seconds.
 *
 * Conditions:
 * `letters` is a live list or NULL.
 */
double katalys_dead_letters_died_at(const katalys_dead_letters *letters, size_t index);

/**
 * Calls `observer` with what happens in this process to the updates of this client's outbox, in
 * order, each on a thread of the library's own and never two at once. A slow observer holds up
 * neither callers nor the delivery; one that is 10,000 events behind misses the oldest. It may
 * call every function of this header but katalys_client_close() and katalys_client_free(), which
 * wait for it.
 *
 * It is called for the last time before katalys_client_free() returns for a client of
 * katalys_client_new(); a client of katalys_client_shared() keeps it for the life of the process.
 * After fork() the child has the same observer, on a thread of its own.
 *
 * A client has one observer: KATALYS_MISUSE if there is one already. A client without an outbox
 * has nothing to tell.
 *
 * Conditions:
 * `client` is a live handle or NULL; `observer` may be called with `user_data` from another
 * thread for as long as said above, and does not unwind; `result` may be written to or is NULL.
 */
katalys_code katalys_client_observe(const katalys_client *client,
                                    katalys_observer observer,
                                    void *user_data,
                                    katalys_result **result);

/**
 * Calls `callback` with log records of the level `most` (a katalys_log_level) and of more severe ones,
 * for all clients of the process; NULL ends that. The last call counts. Without a callback nothing is logged.
 *
 * With an outbox, set one: errors of the delivery in the background have no other way to a log.
 * They also show in the results of katalys_enqueue_update() and katalys_client_stats().
 *
 * The callback is called from any thread, and from several at once, also within a call of this
 * library, whose locks may be held: it must not call this library. When this function returns, a
 * call of the callback set before may still be running on another thread. After fork() the child
 * has the same callback.
 *
 * Conditions:
 * `callback` may be called with `user_data` from any thread until the end of the process or some
 * time after another one was set, and does not unwind.
 */
void katalys_set_log(int most,
                     katalys_log_callback callback,
                     void *user_data);

/**
 * Frees a result and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is fine.
 *
 * Conditions:
 * `result` is NULL or points to NULL or to a result that is not in use.
 */
void katalys_result_free(katalys_result **result);

/**
 * The code: KATALYS_OK, or the number of an error. The same that the call returned.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
katalys_code katalys_result_code(const katalys_result *result);

/**
 * The code's name, the same in every language, such as "config_invalid"; "ok" for KATALYS_OK.
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
 * What went wrong and how to fix it; empty for KATALYS_OK. Holds no customer data.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
const char *katalys_result_message(const katalys_result *result);

/**
 * Whether the same call may succeed later without any change.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
bool katalys_result_is_retryable(const katalys_result *result);

/**
 * The HTTP status of the last answer, where that is why the call failed; otherwise 0.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
uint16_t katalys_result_status(const katalys_result *result);

/**
 * The seconds that the endpoint asked to wait before the next attempt; -1 if it did not.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
double katalys_result_retry_after(const katalys_result *result);

/**
 * How many requests were made.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
uint32_t katalys_result_attempts(const katalys_result *result);

/**
 * How many seconds the call took.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
double katalys_result_elapsed(const katalys_result *result);

/**
 * The number of the update in the outbox; numbers rise in the order of acceptance. 0 if none was
 * accepted. A call that waits, on a client with an outbox, may fail and have one: the update will
 * be sent (KATALYS_TIMEOUT_PENDING) or is a dead letter (KATALYS_REJECTED), so do not send it again.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
int64_t katalys_result_ticket(const katalys_result *result);

/**
 * After a successful check: the exact bytes that would be sent, one JSON object, followed by a
 * NUL. Otherwise NULL. Writes their number, without the NUL, unless `len` is NULL.
 *
 * Conditions:
 * `result` is a live result or NULL; `len` may be written to or is NULL.
 */
const char *katalys_result_payload(const katalys_result *result, size_t *len);

/**
 * All of the result as one JSON object, followed by a NUL: code, class, message, retryable,
 * status, retry_after, attempts, elapsed, payload, ticket, and problems with path, code,
 * message, severity and first. Writes its length, without the NUL, unless `len` is NULL.
 *
 * Conditions:
 * `result` is a live result or NULL; `len` may be written to or is NULL.
 */
const char *katalys_result_json(const katalys_result *result, size_t *len);

/**
 * How many problems were found: all errors and warnings of an update that was refused, or the
 * warnings of one that was not.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
size_t katalys_result_problem_count(const katalys_result *result);

/**
 * Where a problem is, as the caller wrote it: "sale_amount", "discounts[1].amount". Empty for an
 * index that is too large.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
const char *katalys_result_problem_path(const katalys_result *result,
                                        size_t index);

/**
 * The stable name of the rule that was broken, such as "amount_format". Empty for an index that
 * is too large.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
const char *katalys_result_problem_code(const katalys_result *result, size_t index);

/**
 * A sentence that says what is wrong and how to fix it, without customer data. Empty for an
 * index that is too large.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
const char *katalys_result_problem_message(const katalys_result *result, size_t index);

/**
 * Whether a problem stopped the call.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
katalys_severity katalys_result_problem_severity(const katalys_result *result, size_t index);

/**
 * Whether a warning's code occurred for the first time in an update that this client sent. Those
 * are the ones to write to a log, which needs each code once and not at every call.
 *
 * Conditions:
 * `result` is a live result or NULL.
 */
bool katalys_result_problem_is_first(const katalys_result *result,
                                     size_t index);

/**
 * The version of this interface. It grows only when a program that was built with an earlier
 * header would no longer work.
 */
uint32_t katalys_abi_version(void);

/**
 * The version of the library, such as "0.1.0". It lives as long as the program.
 */
const char *katalys_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* KATALYS_H */
