'use strict';
// The order to send, and a zod schema that checks each field as strictly as the package.

const { z } = require('zod');

const ORDER = {
  order_status: 'paid',
  order_time: '2018-01-01 01:23:40-08:00',
  order_count: 2,
  sale_amount: '25.67',
  subtotal_amount: '20.00',
  shipping_amount: '4.19',
  tax_amount: '1.48',
  currency: 'EUR',
  email_address: 'email@example.com',
  user_agent: 'Mozilla/5.0 (X11; Linux x86_64)',
  ip_address: '93.184.215.14',
  shipping_city: 'Zürich',
  shipping_state: 'ZH',
  shipping_postal: '8000',
  shipping_country: 'CH',
  discount_1_code: 'REVOFFERS_EXAMPLE',
  discount_1_amount: '1.50',
  line_item_1_title: 'Wellness Bundle #4',
  line_item_1_sku: 'WLNS_BUNDLE_4',
  line_item_1_price: '1.99',
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are refused
const text = z.string().regex(/^[^\x00-\x08\x0b-\x1f\x7f]+$/);
// Text, not a number: the digits must arrive unchanged.
const amount = z.string().regex(/^[+-]?[0-9]{1,30}(\.[0-9]{1,30})?$/);
const currency = z.enum('AUD CAD CHF CNY DKK EUR GBP JPY NOK SEK USD'.split(' '));

// zod's date, which checks the calendar, then a time with an offset.
const date = z.regexes.date.source.slice(1, -1);
const time = z
  .string()
  .regex(new RegExp(`^${date}[ T]\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?([+-]\\d\\d:\\d\\d|Z)$`));

const Order = z.object({
  site_id: text,
  order_id: text,
  order_status: text.optional(),
  order_time: time.optional(),
  order_count: z.int().min(1).optional(),
  sale_amount: amount.optional(),
  subtotal_amount: amount.optional(),
  shipping_amount: amount.optional(),
  tax_amount: amount.optional(),
  currency: currency.optional(),
  email_address: text.optional(),
  user_agent: text.optional(),
  ip_address: z.union([z.ipv4(), z.ipv6()]).optional(),
  shipping_city: text.optional(),
  shipping_state: text.optional(),
  shipping_postal: text.optional(),
  shipping_country: z
    .string()
    .regex(/^[A-Z]{2}$/)
    .optional(),
  discount_1_code: text.optional(),
  discount_1_amount: amount.optional(),
  line_item_1_title: text.optional(),
  line_item_1_sku: text.optional(),
  line_item_1_price: amount.optional(),
});

module.exports = { ORDER, Order };
