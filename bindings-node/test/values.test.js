'use strict';
// How JavaScript's own values are converted.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const vm = require('node:vm');
const { Decimal } = require('decimal.js');
const { Temporal } = require('temporal-polyfill');
const { Client, ValidationError } = require('katalys');

const client = new Client('abcd.com');

/** The value of one field as it is sent, or the codes of its problems. */
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

  it('beyond the safe integers are refused because they may have lost digits; bigints are exact', () => {
    const rounded = Number('9007199254740993');
    for (const field of ['sale_amount', 'order_alias', 'my_own']) {
      assert.deepEqual(sent(field, rounded), ['number_inexact'], field);
      assert.deepEqual(sent(field, -(2 ** 60)), ['number_inexact'], field);
    }
    const [problem] = client.validateUpdate(rounded).problems;
    assert.deepEqual([problem.path, problem.code], ['order_id', 'wrong_type']);
    assert.match(problem.message, /may have lost digits.* give the id as text/);
    const [amount] = client.validateUpdate('1', { sale_amount: 2 ** 60 }).problems;
    assert.match(amount.message, /give it as text.*BigInt/);
    assert.equal(sent('sale_amount', Number.MAX_SAFE_INTEGER), '9007199254740991');
    assert.equal(sent('sale_amount', 9007199254740993n), '9007199254740993');
    assert.equal(sent('sale_amount', 123456789012345678901234567890n).length, 30);
    assert.equal(sent('order_alias', 2n ** 60n), '1152921504606846976');
    const { payload } = client.validateUpdate(9007199254740993n);
    assert.equal(JSON.parse(payload).order_id, '9007199254740993');
  });

  it('may be boxed', () => {
    assert.equal(sent('sale_amount', Object(25)), '25');
    assert.equal(sent('order_status', Object('paid')), 'paid');
  });

  it('are exact as Decimal, even if its text has an exponent', () => {
    assert.equal(sent('sale_amount', new Decimal('25.670')), '25.67');
    assert.equal(sent('sale_amount', new Decimal('0.0000000001')), '0.0000000001');
    assert.deepEqual(sent('sale_amount', new Decimal('NaN')), ['amount_not_finite']);
  });
});

describe('times', () => {
  const wire = '2018-01-01 09:23:40+00:00';

  it('may be a Date of any realm', () => {
    assert.equal(sent('order_time', new Date('2018-01-01T09:23:40.999Z')), wire);
    assert.equal(sent('order_time', vm.runInNewContext('new Date(1514798620000)')), wire);
    assert.deepEqual(sent('order_time', new Date('nonsense')), ['time_format']);
  });

  it('may be of Temporal, and keep their offset', () => {
    const instant = Temporal.Instant.from('2018-01-01T09:23:40Z');
    const zoned = instant.toZonedDateTimeISO('America/Los_Angeles');
    assert.equal(sent('order_time', instant), wire);
    assert.equal(sent('order_time', zoned), '2018-01-01 01:23:40-08:00');
    assert.deepEqual(sent('order_time', zoned.toPlainDateTime()), ['time_no_offset']);
  });

  it('may be of a library with toJSON', () => {
    assert.equal(
      sent('order_time', { toJSON: () => '2018-01-01T10:23:40+01:00' }),
      '2018-01-01 10:23:40+01:00',
    );
  });

  it('that are invalid are errors, although such libraries write them as null', () => {
    const luxon = { isValid: false, toJSON: () => null };
    const dayjs = { isValid: () => false, toJSON: () => null };
    for (const time of [luxon, dayjs]) assert.deepEqual(sent('order_time', time), ['time_format']);
    assert.deepEqual(sent('order_time', { toJSON: () => undefined }), ['wrong_type']);
  });
});

describe('text', () => {
  it('with half a surrogate pair is an error in every position', () => {
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

  it('may hold a replacement character', () => {
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

  it('leave out null and keep the positions of others', () => {
    assert.equal(
      client.validateUpdate('1001', { line_items: [null, item], x: null, y: undefined }).payload,
      payload,
    );
    const { problems } = client.validateUpdate('1001', { discounts: [null, { code: 'A' }] });
    assert.equal(problems[0].path, 'discounts[1].amount');
  });

  it('do not lose an undefined entry, or the hole of a sparse list', () => {
    const sparse = [];
    sparse[1] = item;
    for (const list of [[undefined, item], sparse, new Set([undefined, item])]) {
      const { problems } = client.validateUpdate('1001', { line_items: list });
      assert.deepEqual([problems[0].path, problems[0].code], ['line_items[0]', 'wrong_type']);
      assert.match(problems[0].message, /^line_items\[0\] is undefined/);
    }
  });

  it('may be any iterable in place of a list, also one that can be read only once', () => {
    function* generated() {
      yield item;
    }
    const lists = [new Set([item]), new Map([[17, item]]).values(), generated(), [item].values()];
    for (const list of lists) {
      assert.equal(client.validateUpdate('1001', { line_items: list }).payload, payload);
    }
    function* unclear() {
      yield { ...item, title: '\ufffd' }; // Has to be packed a second time, with care.
      yield item;
    }
    const { line_item_1_title, line_item_2_title } = JSON.parse(
      client.validateUpdate('1001', { line_items: unclear() }).payload,
    );
    assert.deepEqual([line_item_1_title, line_item_2_title], ['\ufffd', 'A']);
  });

  it('may be lists and records of a library with toJSON', () => {
    const written = (value) => ({ toJSON: () => value });
    const lists = written([written(item)]);
    assert.equal(client.validateUpdate('1001', { line_items: lists }).payload, payload);
  });

  it('of a class have its getters, with or without private state, and not its methods', () => {
    class Order {
      #status = 'paid';
      currency = 'EUR';
      get order_status() {
        return this.#status;
      }
      get currency_name() {
        return this.currency;
      }
      static get shared() {
        return 'no';
      }
      pay() {}
    }
    class LateOrder extends Order {
      get order_status() {
        return 'refunded';
      }
    }
    const fields = { currency: 'EUR', order_status: 'refunded', currency_name: 'EUR' };
    const sentFields = JSON.parse(client.validateUpdate('1001', new LateOrder()).payload);
    assert.deepEqual(sentFields, { site_id: 'abcd.com', order_id: '1001', ...fields });
    class Item {
      get title() {
        return 'A';
      }
    }
    const { payload: listed } = client.validateUpdate('1001', { line_items: [new Item()] });
    assert.equal(JSON.parse(listed).line_item_1_title, 'A');
  });

  it('may be returned by toJSON', () => {
    class Document {
      _doc = {};
      toJSON() {
        return { order_status: 'paid' };
      }
    }
    const { payload } = client.validateUpdate('1001', new Document());
    assert.equal(JSON.parse(payload).order_status, 'paid');
  });

  it('that contain themselves are refused', () => {
    const loop = {};
    loop.loop = loop;
    loop.list = [loop];
    assert.deepEqual(sent('x', loop), ['wrong_type']);
    const endless = { toJSON: () => endless };
    assert.deepEqual(sent('x', endless), ['wrong_type']);
  });

  it('may have keys that JavaScript treats specially', () => {
    assert.equal(sent('__proto__x', 'a'), 'a');
    const fields = JSON.parse('{"__proto__": "a"}');
    assert.match(client.validateUpdate('1001', fields).payload, /"__proto__":"a"/);
    assert.equal(client.validateUpdate('1001', { [Symbol('s')]: 1 }).problems.length, 0);
  });
});

describe('a value that cannot be sent', () => {
  const values = [
    true,
    () => 1,
    Symbol('s'),
    Buffer.from('x'),
    new Set([1]),
    new URLSearchParams('a=b'),
    (async function* endless() {})(),
    new ArrayBuffer(8),
    Promise.resolve(1),
    /x/,
    new Proxy(() => 1, {}),
  ];

  it('is an error', () => {
    for (const value of values) assert.deepEqual(sent('x', value), ['wrong_type']);
    for (const value of values) assert.deepEqual(sent('sale_amount', value), ['wrong_type']);
  });

  it('is named in the message', () => {
    const said = (value) =>
      client.validateUpdate('1001', { line_items: value }).problems[0].message;
    assert.match(said(Promise.resolve([])), /^line_items is a Promise, /);
    assert.match(
      said(() => []),
      /^line_items is a function, /,
    );
    assert.match(said(new WeakSet()), /^line_items is a WeakSet, /);
  });

  it('is not sent if reading it throws, and the caller receives that error', async () => {
    const mine = new Error('mine');
    const fields = {
      get sale_amount() {
        throw mine;
      },
    };
    assert.throws(() => client.validateUpdate('1001', fields), mine);
    await assert.rejects(client.updateOrder('1001', fields), mine);
    assert.equal(sent('order_status', 'paid'), 'paid', 'the next call is not affected');
  });
});

describe('fields that are not a record', () => {
  class Empty {
    #status = 'paid';
    status() {
      return this.#status;
    }
  }
  const wrong = [
    [Promise.resolve({ order_status: 'paid' }), 'a Promise; did you forget await?'],
    // biome-ignore lint/suspicious/noThenProperty: this is what is tested
    [{ then: () => {} }, 'a Promise; did you forget await?'],
    [async () => ({}), 'a function; did you forget to call it?'],
    [new Date(), 'a Date; give an object such as { order_status: "paid" }'],
    [new Set(['paid']), 'a Set; give an object'],
    [new FormData(), 'a FormData; Object.fromEntries() makes an object of its entries'],
    [new Headers(), 'a Headers; Object.fromEntries() makes'],
    [new URLSearchParams('order_status=paid'), 'a URLSearchParams; Object.fromEntries() makes'],
    [new Map().entries(), 'a Map Iterator; give'],
    [new Proxy(new Map([['order_status', 'paid']]), {}), 'a Map behind a Proxy; give an object'],
    [['paid'], 'an array; give an object'],
    [[], 'an array; give an object'],
    [Buffer.from('paid'), 'a Buffer; give an object'],
    [new String('paid'), 'a String; give an object'],
    [new Decimal('1'), 'a Decimal; give an object'],
    [new URL('https://abcd.com'), 'a URL; give an object'],
    [new Error('x'), 'an Error; give an object'],
    [new Empty(), 'an Empty without a property that can be read; give an object'],
    [vm.runInNewContext('Promise.resolve({})'), 'a Promise; did you forget await?'],
    ['paid', 'a string; give an object'],
    [1, 'a number; give an object'],
    [true, 'a boolean; give an object'],
    [Symbol('s'), 'a symbol; give an object'],
  ];

  it('are refused by name, and not sent as an empty update', async () => {
    for (const [fields, message] of wrong) {
      const { ok, payload, problems } = client.validateUpdate('1001', fields);
      assert.deepEqual([ok, payload, problems.length], [false, null, 1], message);
      const [{ path, code, severity, message: said }] = problems;
      assert.deepEqual([path, code, severity], ['fields', 'wrong_type', 'error']);
      assert.ok(said.startsWith(`fields is ${message}`), said);
      await assert.rejects(client.updateOrder('1001', fields), (error) => {
        assert.ok(error instanceof ValidationError);
        assert.deepEqual([error.code, error.retryable], ['validation', false]);
        assert.match(error.stack, /values\.test\.js/);
        return error.message.includes(said);
      });
    }
  });

  it('may be maps and records of every kind', () => {
    const pairs = [['order_status', 'paid']];
    /** As in libraries for reactive state: methods have the map itself as `this`. */
    const reactive = new Proxy(new Map(pairs), {
      get(target, key) {
        const property = Reflect.get(target, key, target);
        return typeof property === 'function' ? property.bind(target) : property;
      },
    });
    const foreign = vm.runInNewContext('({ order_status: "paid" })');
    for (const fields of [new Map(pairs), reactive, foreign, new Proxy(foreign, {})]) {
      const { payload } = client.validateUpdate('1001', fields);
      assert.equal(payload, '{"site_id":"abcd.com","order_id":"1001","order_status":"paid"}');
    }
  });
});

describe('an update that is too large', () => {
  const item = { title: 'A' };

  it('is refused early in every form', () => {
    const sparse = [];
    sparse.length = 2 ** 32 - 1;
    function* endless() {
      for (;;) yield item;
    }
    const wide = {};
    for (let at = 0; at < 300_000; at += 1) wide[`key_${at}`] = at;
    const cases = [
      { line_items: sparse },
      { line_items: endless() },
      { line_items: [wide] },
      wide,
      new Map(Object.entries(wide)),
      { note: 'x'.repeat(2 ** 25) },
    ];
    for (const fields of cases) {
      const started = performance.now();
      const { payload, problems } = client.validateUpdate('1001', fields);
      const codes = problems.map(({ code }) => code);
      assert.deepEqual([payload, codes], [null, ['payload_too_large']]);
      const took = performance.now() - started;
      assert.ok(took < 5000, `it took ${took} ms`);
    }
    assert.equal(sent('order_status', 'paid'), 'paid', 'the next call is not affected');
  });

  it('is not one with long but valid text', () => {
    const fields = {};
    for (let at = 0; at < 3000; at += 1) fields[`key_${at}`] = `value ${at}`;
    const { payload } = client.validateUpdate('1001', fields);
    const { site_id, order_id, ...rest } = JSON.parse(payload);
    assert.deepEqual(rest, fields);
  });
});

describe('key lists of earlier records', () => {
  it('are distinguished by every key and its position', () => {
    const lists = [['a', 'b'], ['b', 'a'], ['a'], ['a', 'b', 'c'], [], ['b'], ['a', 'b']];
    for (const list of lists) {
      const fields = Object.fromEntries(list.map((key) => [key, `${key} ${list.length}`]));
      const { payload } = client.validateUpdate('1001', fields);
      assert.deepEqual(Object.entries(JSON.parse(payload)).slice(2), Object.entries(fields));
    }
  });

  it('are cleared when there are too many', () => {
    for (let at = 0; at < 5000; at += 1) {
      assert.equal(sent(`key_${at % 1700}`, `value ${at}`), `value ${at}`);
    }
  });

  it('are correct although a getter makes a call', () => {
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

it('fields are optional', () => {
  const payload = '{"site_id":"abcd.com","order_id":"1001"}';
  for (const fields of [undefined, null, {}, new Map()]) {
    assert.equal(client.validateUpdate('1001', fields).payload, payload);
  }
});

it('validateReport requires the fields of a report', () => {
  const { ok, payload, problems } = client.validateReport('1001', {});
  assert.deepEqual([ok, payload], [false, null]);
  const paths = problems.map(({ path }) => path);
  assert.deepEqual(paths, ['sale_amount', 'subtotal_amount', 'email_address']);
});
