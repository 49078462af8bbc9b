'use strict';
// What JavaScript's own values become.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const vm = require('node:vm');
const { Decimal } = require('decimal.js');
const { Temporal } = require('temporal-polyfill');
const { Client } = require('katalys');

const client = new Client('abcd.com');

/** What is sent as the value of one field, or the codes of what is wrong with it. */
function sent(field, value, orderId = '1001') {
  const { payload, problems } = client.validateUpdate(orderId, { [field]: value });
  return payload === null ? problems.map(({ code }) => code) : JSON.parse(payload)[field];
}

describe('numbers', () => {
  it('are sent as amounts in their shortest form', () => {
    assert.equal(sent('sale_amount', 25), '25');
    assert.equal(sent('sale_amount', 0.1 + 0.2), '0.3');
    assert.equal(sent('sale_amount', -0), '0');
    assert.deepEqual(sent('sale_amount', Number.NaN), ['amount_not_finite']);
    assert.deepEqual(sent('sale_amount', Number.POSITIVE_INFINITY), ['amount_not_finite']);
  });

  it('beyond the safe integers are floats, and bigints are exact', () => {
    assert.equal(sent('sale_amount', 9007199254740993n), '9007199254740993');
    assert.equal(sent('sale_amount', 123456789012345678901234567890n).length, 30);
    assert.deepEqual(sent('order_alias', 2 ** 60), '1152921504606847000');
    assert.equal(sent('order_alias', 2n ** 60n), '1152921504606846976');
  });

  it('may be in boxes', () => {
    assert.equal(sent('sale_amount', Object(25)), '25');
    assert.equal(sent('order_status', Object('paid')), 'paid');
  });

  it('are exact as Decimal, even where that writes an exponent', () => {
    assert.equal(sent('sale_amount', new Decimal('25.670')), '25.67');
    assert.equal(sent('sale_amount', new Decimal('0.0000000001')), '0.0000000001');
    assert.deepEqual(sent('sale_amount', new Decimal('NaN')), ['amount_not_finite']);
  });
});

describe('times', () => {
  const wire = '2018-01-01 09:23:40+00:00';

  it('may be a Date, also of another realm', () => {
    assert.equal(sent('order_time', new Date('2018-01-01T09:23:40.999Z')), wire);
    assert.equal(sent('order_time', vm.runInNewContext('new Date(1514798620000)')), wire);
    assert.deepEqual(sent('order_time', new Date('nonsense')), ['time_format']);
  });

  it('may be of Temporal, which keeps the offset', () => {
    const instant = Temporal.Instant.from('2018-01-01T09:23:40Z');
    const zoned = instant.toZonedDateTimeISO('America/Los_Angeles');
    assert.equal(sent('order_time', instant), wire);
    assert.equal(sent('order_time', zoned), '2018-01-01 01:23:40-08:00');
    assert.deepEqual(sent('order_time', zoned.toPlainDateTime()), ['time_no_offset']);
  });

  it('may be of a library that writes itself with toJSON', () => {
    assert.equal(
      sent('order_time', { toJSON: () => '2018-01-01T10:23:40+01:00' }),
      '2018-01-01 10:23:40+01:00',
    );
  });
});

describe('text', () => {
  it('with half a surrogate pair is an error, wherever it is', () => {
    assert.deepEqual(sent('shipping_city', 'Z\ud83d'), ['invalid_unicode']);
    assert.deepEqual(sent('key\udc00', 'x'), ['key_invalid']);
    assert.deepEqual(sent('shipping_city', 'x', 'id\ud800'), ['invalid_unicode']);
    assert.equal(sent('shipping_city', 'Z\ud83d\ude00'), 'Z\ud83d\ude00');
  });

  it('with a zero byte is an error that does not shift what follows', () => {
    const fields = { shipping_city: 'a\0sorder_status\0spaid', shipping_state: 'OR' };
    const { payload, problems } = client.validateUpdate('1001', fields);
    assert.equal(payload, null);
    assert.deepEqual(
      problems.map(({ path, code }) => [path, code]),
      [['shipping_city', 'control_character']],
    );
    assert.deepEqual(sent('a\0b', 'x'), ['key_invalid']);
  });

  it('with a replacement character is text like any other', () => {
    assert.equal(sent('shipping_city', 'a\ufffdb'), 'a\ufffdb');
    assert.equal(sent('shipping_city', '\ufffd"\\\n'), '\ufffd"\\\n');
  });
});

describe('records and lists', () => {
  const payload =
    '{"site_id":"abcd.com","order_id":"1001","line_item_1_title":"A","line_item_1_sku":"B","line_item_1_price":"1.99"}';
  const item = { title: 'A', sku: 'B', price: 1.99 };

  it('may be objects, maps, class instances and objects without a prototype', () => {
    class Item {
      constructor() {
        Object.assign(this, item);
      }
    }
    Item.prototype.inherited = 'not sent';
    const records = [
      item,
      new Map(Object.entries(item)),
      new Item(),
      Object.assign(Object.create(null), item),
    ];
    for (const record of records) {
      assert.equal(client.validateUpdate('1001', { line_items: [record] }).payload, payload);
    }
    const fields = new Map([['line_items', [{ toJSON: () => item }]]]);
    assert.equal(client.validateUpdate('1001', fields).payload, payload);
  });

  it('leave out null and undefined, and keep the places of others', () => {
    assert.equal(
      client.validateUpdate('1001', { line_items: [null, undefined, item], x: null }).payload,
      payload,
    );
    const { problems } = client.validateUpdate('1001', { discounts: [null, { code: 'A' }] });
    assert.equal(problems[0].path, 'discounts[1].amount');
  });

  it('that hold themselves are refused and not followed', () => {
    const loop = {};
    loop.loop = loop;
    loop.list = [loop];
    assert.deepEqual(sent('x', loop), ['wrong_type']);
    const endless = { toJSON: () => endless };
    assert.deepEqual(sent('x', endless), ['wrong_type']);
  });

  it('have keys that JavaScript treats specially', () => {
    assert.equal(sent('__proto__x', 'a'), 'a');
    const fields = JSON.parse('{"__proto__": "a"}');
    assert.match(client.validateUpdate('1001', fields).payload, /"__proto__":"a"/);
    assert.equal(client.validateUpdate('1001', { [Symbol('s')]: 1 }).problems.length, 0);
  });
});

describe('what cannot be sent', () => {
  const values = [
    true,
    () => 1,
    Symbol('s'),
    Buffer.from('x'),
    new Set([1]),
    Promise.resolve(1),
    /x/,
    new Proxy(() => 1, {}),
  ];

  it('is an error that says so', () => {
    for (const value of values) assert.deepEqual(sent('x', value), ['wrong_type']);
    for (const value of values) assert.deepEqual(sent('sale_amount', value), ['wrong_type']);
  });

  it('and fields that are no object are a TypeError', async () => {
    for (const fields of ['paid', ['paid'], 1, true]) {
      assert.throws(() => client.validateUpdate('1001', fields), TypeError);
      await assert.rejects(client.updateOrder('1001', fields), TypeError);
    }
  });

  it('and an error of the caller passes through, with nothing sent', async () => {
    const mine = new Error('mine');
    const fields = {
      get sale_amount() {
        throw mine;
      },
    };
    assert.throws(() => client.validateUpdate('1001', fields), mine);
    await assert.rejects(client.updateOrder('1001', fields), mine);
    assert.equal(sent('order_status', 'paid'), 'paid', 'and the next call is as ever');
  });
});

describe('key lists that are remembered', () => {
  it('are told apart by every key and its place', () => {
    const lists = [['a', 'b'], ['b', 'a'], ['a'], ['a', 'b', 'c'], [], ['b'], ['a', 'b']];
    for (const list of lists) {
      const fields = Object.fromEntries(list.map((key) => [key, `${key} ${list.length}`]));
      const { payload } = client.validateUpdate('1001', fields);
      assert.deepEqual(Object.entries(JSON.parse(payload)).slice(2), Object.entries(fields));
    }
  });

  it('are forgotten and learned again when there are too many', () => {
    for (let at = 0; at < 5000; at += 1) {
      assert.equal(sent(`key_${at % 1700}`, `value ${at}`), `value ${at}`);
    }
  });

  it('are right although a getter makes a call of its own meanwhile', () => {
    for (let at = 0; at < 3000; at += 1) {
      const fields = {
        [`before_${at}`]: 'a',
        get between() {
          assert.deepEqual(sent('shipping_city', '\ud800'), ['invalid_unicode']);
          return sent(`inner_${at}`, 'b');
        },
        after: 'c\ufffd',
      };
      const { payload } = client.validateUpdate('1001', fields);
      assert.deepEqual(Object.values(JSON.parse(payload)).slice(2), ['a', 'b', 'c\ufffd']);
    }
  });
});

it('fields may be left out altogether', () => {
  const payload = '{"site_id":"abcd.com","order_id":"1001"}';
  for (const fields of [undefined, null, {}, new Map()]) {
    assert.equal(client.validateUpdate('1001', fields).payload, payload);
  }
});

it('validateReport asks for what a report needs', () => {
  const { ok, payload, problems } = client.validateReport('1001', {});
  assert.deepEqual([ok, payload], [false, null]);
  const paths = problems.map(({ path }) => path);
  assert.deepEqual(paths, ['sale_amount', 'subtotal_amount', 'email_address']);
});
