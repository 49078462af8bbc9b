// The page in a real browser.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, beforeEach, test } from 'node:test';
import { copied, openPage, startBrowser, startSandbox } from './support.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let browser;
let sandbox;

before(async () => {
  browser = await startBrowser();
  sandbox = await startSandbox();
});
after(async () => {
  await browser?.close();
  await sandbox?.end();
});
beforeEach(() => sandbox.clear());

const update = (order_id, fields = {}) => ({ site_id: 'abcd.com', order_id, ...fields });

async function visit(t, options) {
  const opened = await openPage(browser, sandbox.url, options);
  t.after(() => opened.context.close());
  return opened;
}

const rowOf = (page, id) => page.locator('.grid-body .row', { hasText: id });

/** Orders that make the page show everything it can show. */
async function sendExamples() {
  await sandbox.send(update('1001', { order_status: 'fulfilled', sale_amount: '12.00' }));
  await sandbox.send(update('1002', { order_status: 'pending', order_count: 1 }));
  await sandbox.send(
    update('1003', {
      order_status: 'pending',
      email_address: 'email@example.com',
      order_count: 3,
    }),
  );
  await sandbox.send(
    update('1003', {
      order_status: 'paid',
      sale_amount: '84.67',
      currency: 'EUR',
      order_time: '2026-01-02 03:04:05+00:00',
      line_item_1_title: 'Wellness Bundle #4',
      line_item_1_sku: 'WLNS_BUNDLE_4',
      line_item_1_price: '19.20',
      line_item_1_qty: 2,
      discount_1_code: 'REVOFFERS_EXAMPLE',
      discount_1_amount: '1.50',
      gift: true,
      note: null,
    }),
  );
  await sandbox.send(update('1003', { order_alias: 'R-9', sale_ammount: '80' }));
  await sandbox.fault({ status: 503, next: 1, retry_after: 2 });
  await sandbox.send(update('1003', { order_status: 'refunded' }));
  await sandbox.send(update('R-9', { order_status: 'refunded' }));
  await sandbox.send('nonsense');
  await sandbox.fault({ status: 500, probability: 0.25, order_id: 'never' });
}

test('explains how to send the first update, and shows updates as they arrive', async (t) => {
  const { page, problems } = await visit(t);
  await page.getByRole('heading', { name: 'Waiting for the first update' }).waitFor();
  assert.ok((await page.locator('#empty').innerText()).includes(sandbox.endpoint));
  await page.getByRole('button', { name: 'Copy the setting' }).click();
  assert.equal(await copied(page), `export KATALYS_ENDPOINT=${sandbox.endpoint}`);
  await page.getByRole('button', { name: 'Send a sample order' }).click();
  await page.locator('.grid-body .row .badge.paid').waitFor();
  await sandbox.send(update('live-1', { order_status: 'pending' }));
  await rowOf(page, 'live-1').locator('.badge.pending').waitFor();
  await sandbox.send(update('live-1', { order_status: 'paid' }));
  await rowOf(page, 'live-1').locator('.badge.paid').waitFor();
  assert.match(await rowOf(page, 'live-1').getAttribute('class'), /fresh/);
  await page.getByText('2 orders').waitFor();
  assert.deepEqual(problems, []);
});

test('filters by order id, status, site, date and warnings', async (t) => {
  await sendExamples();
  await sandbox.send({ site_id: 'other.com', order_id: '77', order_time: '2020-05-06 12:00:00Z' });
  const { page, problems } = await visit(t);
  const filters = page.locator('#filters');
  const shown = (text) => page.locator('#shown', { hasText: text }).waitFor();
  await shown('4 orders');
  await filters.getByLabel('Order ID').fill('R-9');
  await shown('1 of 4 orders');
  await rowOf(page, '1003').waitFor();
  await page.getByRole('button', { name: 'Reset' }).click();
  await shown(/^4 orders$/);
  await filters.getByLabel('Status').selectOption('pending');
  await shown('1 of 4 orders');
  await rowOf(page, '1002').waitFor();
  await filters.getByLabel('Status').selectOption('');
  await filters.getByLabel('Site').selectOption('other.com');
  await rowOf(page, '77').waitFor();
  await filters.getByLabel('Site').selectOption('');
  await filters.getByLabel('Placed from').fill('2020-05-01');
  await filters.getByLabel('to', { exact: true }).fill('2020-05-31');
  await shown('1 of 4 orders');
  await page.getByRole('button', { name: 'Reset' }).click();
  await filters.getByLabel('Has warnings').check();
  await shown('2 of 4 orders');
  await filters.getByLabel('Order ID').fill('nothing like it');
  await shown('0 of 4 orders');
  assert.deepEqual(problems, []);
});

test('shows the details of an order, and refreshes them', async (t) => {
  await sendExamples();
  const { page, problems } = await visit(t);
  await rowOf(page, '1003').getByRole('button').click();
  const details = page.locator('#details');
  await details.getByText('This order is refunded').waitFor();
  const text = await details.innerText();
  for (const part of ['One order with R-9', 'Returning, 3 orders', '€84.67', 'REVOFFERS_EXAMPLE']) {
    assert.ok(text.includes(part), part);
  }
  const sources = details.locator('.fields tr');
  assert.match(
    await sources.filter({ hasText: 'order_status' }).innerText(),
    /refunded\s+update 5/,
  );
  assert.match(await sources.filter({ hasText: 'order_count' }).innerText(), /3\s+update 1/);
  const items = details.locator('.block', { hasText: 'Line items' }).locator('tbody td');
  assert.deepEqual(await items.allInnerTexts(), [
    '1',
    'Wellness Bundle #4',
    'WLNS_BUNDLE_4',
    '€19.20',
    '2',
  ]);
  const events = details.locator('.event');
  assert.equal(await events.count(), 5);
  assert.match(
    await events.nth(0).innerText(),
    /as\s+R-9[\s\S]*order_status\s+paid\s+→\s+refunded/,
  );
  assert.match(await events.nth(1).innerText(), /not recorded[\s\S]*503[\s\S]*Retry-After 2/);
  assert.match(await events.nth(2).innerText(), /did you mean sale_amount/);
  assert.match(await events.nth(3).innerText(), /gift is a boolean[\s\S]*note is null/);
  await details.getByText('subtotal_amount is required unless').waitFor();
  await events.nth(4).locator('summary').click();
  await events.nth(4).locator('pre').getByText('email@example.com').waitFor();
  await sandbox.send(update('1003', { order_status: 'cancelled' }));
  await details.getByText('This order is cancelled').waitFor();
  await events.nth(5).locator('details[open]').waitFor();
  assert.deepEqual(problems, []);
});

test('copies an update as a curl command and as calls', async (t) => {
  const hostile = `it's "q" \\ $HOME \`x\` \u202e #{1} <?php ?> \n2nd`;
  await sandbox.send(update('o’1\'"', { note: hostile, order_count: 2, flag: true, none: null }));
  const { page, problems } = await visit(t);
  await page.locator('.grid-body .row').first().click();
  const take = async (name) => {
    await page.locator('.copies').last().getByRole('button', { name, exact: true }).click();
    await page.locator('.toast.shown', { hasText: name === 'curl' ? 'curl' : name }).waitFor();
    return copied(page);
  };
  execFileSync('sh', ['-c', await take('curl')], { stdio: 'ignore' });
  const { updates } = await sandbox.get('/_sandbox/updates');
  assert.equal(updates.length, 2);
  assert.deepEqual(updates[1].payload, updates[0].payload);
  const python = (await take('Python')).replace('import katalys', '').replaceAll('katalys.', '');
  const show = `import json
class Client:
    def __init__(self, site, endpoint): self.site = site
    def update_order(self, order, fields): print(json.dumps({"site_id": self.site, "order_id": order, **fields}))
`;
  const fromPython = execFileSync('python3', ['-c', show + python], { encoding: 'utf8' });
  assert.deepEqual(JSON.parse(fromPython), updates[0].payload);
  const node = (await take('Node')).replace(/^import.*\n/, '');
  const calls = [];
  class Client {
    constructor({ siteId }) {
      this.site_id = siteId;
    }
    async updateOrder(order_id, fields) {
      calls.push({ site_id: this.site_id, order_id, ...fields });
    }
  }
  const AsyncFunction = (async () => {}).constructor;
  await new AsyncFunction('Client', node)(Client);
  assert.deepEqual(calls[0], updates[0].payload);
  const php = (await take('PHP'))
    .replace(/<\?php\nrequire.*\n/, '')
    .replace('new Katalys\\', 'new ');
  const shim = `class Client { function __construct(public $site, public $endpoint) {}
    function updateOrder($order, $fields) { echo json_encode(["site_id" => $this->site, "order_id" => $order] + $fields); } }\n`;
  const fromPhp = execFileSync('php', ['-r', shim + php], { encoding: 'utf8' });
  assert.deepEqual(JSON.parse(fromPhp), updates[0].payload);
  const include = new URL('../../include', import.meta.url).pathname;
  execFileSync('cc', ['-std=c99', '-Wall', '-Werror', '-fsyntax-only', '-I', include, '-xc', '-'], {
    input: await take('C'),
  });
  const rust = await take('Rust');
  assert.ok(rust.includes('"it\'s \\"q\\" \\\\ $HOME `x` \\u{202e} #{1} <?php ?> \\n2nd"'), rust);
  assert.ok(rust.includes('.set("none", Value::Null)'), rust);
  assert.deepEqual(problems, []);
});

test('runs no script of a payload', async (t) => {
  const hostile = [
    '<img src=x onerror="window.hacked=1">',
    '<script>window.hacked=1</script>',
    '"><svg onload=window.hacked=1>',
    'javascript:window.hacked=1',
    '{{constructor.constructor("window.hacked=1")()}}',
  ];
  for (const text of hostile) {
    const fields = {
      order_status: text,
      currency: text,
      sale_amount: text,
      order_alias: `${text}2`,
    };
    const keyed = {
      [text]: text,
      line_item_1_title: text,
      discount_1_code: text,
      order_time: text,
    };
    await sandbox.send({ site_id: text, order_id: text, ...fields, ...keyed, __proto__x: text });
  }
  await sandbox.send('{"site_id":"a","order_id":"1","__proto__":{"x":1},"constructor":"y"}');
  await sandbox.send(`<img src=x onerror="window.hacked=1">`);
  await sandbox.fault({ redirect: '/<img/src=x/onerror=window.hacked=1>', order_id: hostile[0] });
  await sandbox.send({ site_id: hostile[0], order_id: hostile[0] });
  const { page, problems } = await visit(t);
  const rows = page.locator('.grid-body .row');
  assert.equal(await rows.count(), 6);
  for (let index = 0; index < 6; index += 1) {
    await rows.nth(index).click();
    await page.locator('.event').first().waitFor();
    for (const summary of await page.locator('.event summary').all()) await summary.click();
  }
  await page.getByRole('link', { name: 'Requests' }).click();
  await page.locator('.requests tr.refused summary').click();
  await page.getByRole('link', { name: /^Faults/ }).click();
  await page.locator('.rule').waitFor();
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator('main img[src="x"], main script, main svg[onload]').count(), 0);
  assert.deepEqual(problems, []);
});

test('works with the keyboard only', async (t) => {
  for (let number = 1; number <= 60; number += 1) {
    await sandbox.send(update(`K-${number}`, { order_status: 'paid' }));
  }
  const { page, problems } = await visit(t);
  const active = () => page.locator('.row.active .id').innerText();
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'filter-order');
  await page.keyboard.press('ArrowDown');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'orders');
  assert.equal(await active(), 'K-60');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  assert.equal(await active(), 'K-58');
  await page.keyboard.press('End');
  assert.equal(await active(), 'K-1');
  assert.equal(
    await page.locator('#orders').getAttribute('aria-activedescendant'),
    await page.locator('.row.active').getAttribute('id'),
  );
  await page.keyboard.press('PageUp');
  await page.keyboard.press('Home');
  await page.keyboard.press('Enter');
  await page.locator('#details h2', { hasText: 'K-60' }).waitFor();
  await page.waitForFunction(() => document.activeElement.classList.contains('details-close'));
  await page.keyboard.press('Escape');
  await page.locator('#details').waitFor({ state: 'hidden' });
  assert.equal(await page.evaluate(() => document.activeElement.id), 'orders');
  await page.getByRole('link', { name: /^Faults/ }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: '503, next three' }).focus();
  await page.keyboard.press('Enter');
  await page.locator('.rule', { hasText: 'Answers 503' }).waitFor();
  await page.getByRole('button', { name: 'Remove: answers 503' }).focus();
  await page.keyboard.press('Enter');
  await page.getByText('None: every update is answered with 204.').waitFor();
  assert.deepEqual(problems, []);
});

test('adds faults, and shows their hits', async (t) => {
  const { page, problems } = await visit(t);
  await page.getByRole('link', { name: /^Faults/ }).click();
  const form = page.locator('#fault-form');
  await form.getByLabel('What happens').selectOption('redirect');
  await form.getByLabel('Location').fill('https://example.com/login');
  await form.getByLabel('Only the next').fill('1');
  await form.getByLabel('Only order').fill('42');
  await form.getByRole('button', { name: 'Add fault' }).click();
  await page.locator('.rule', { hasText: 'order 42 · 1 more' }).waitFor();
  const { faults } = await sandbox.get('/_sandbox/faults');
  assert.deepEqual(faults, [
    { id: faults[0].id, redirect: 'https://example.com/login', next: 1, order_id: '42', hits: 0 },
  ]);
  await fetch(sandbox.endpoint, {
    method: 'POST',
    redirect: 'manual',
    body: JSON.stringify(update('42')),
  });
  await page.locator('.rule.spent', { hasText: '1 hit' }).waitFor();
  await page.getByRole('link', { name: 'Requests' }).click();
  await page.locator('tr.faulted', { hasText: '307 to https://example.com/login' }).waitFor();
  await page.getByRole('link', { name: /^Faults/ }).click();
  await form.getByLabel('What happens').selectOption('status');
  await form.getByLabel('Share of requests, %').fill('50');
  await form.getByRole('button', { name: 'Add fault' }).click();
  await page.locator('.rule', { hasText: '50 % of requests' }).waitFor();
  assert.deepEqual(problems, []);
});

test('clears everything after a confirmation', async (t) => {
  await sendExamples();
  const { page, problems } = await visit(t);
  await page.getByRole('button', { name: 'Clear everything' }).click();
  await page.getByRole('button', { name: 'Really clear?' }).click();
  await page.getByRole('heading', { name: 'Waiting for the first update' }).waitFor();
  assert.equal((await sandbox.get('/_sandbox/orders')).all_orders, 0);
  assert.deepEqual(problems, []);
});

for (const colorScheme of ['light', 'dark']) {
  for (const width of [1440, 390]) {
    test(`is accessible, ${colorScheme}, ${width} pixels wide`, async (t) => {
      const { page, problems } = await visit(t, {
        colorScheme,
        viewport: { width, height: 860 },
      });
      const check = async (what) => {
        // `evaluate` is not subject to the page's policy, which allows no other script.
        await page.evaluate(`${AXE}; undefined`);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        const found = violations.map(
          ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`,
        );
        assert.deepEqual(found, [], what);
      };
      await check('nothing yet');
      await sendExamples();
      await rowOf(page, '1003').waitFor();
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await check('list');
      await rowOf(page, '1003').click();
      await page.locator('.event').first().waitFor();
      await check('details');
      await page.getByRole('link', { name: 'Requests' }).click();
      await page.locator('.requests').waitFor();
      await check('requests');
      await page.getByRole('link', { name: /^Faults/ }).click();
      await page.locator('.rule').first().waitFor();
      await check('faults');
      const isTooWide = await page.evaluate(
        () => document.documentElement.scrollWidth > innerWidth,
      );
      assert.equal(isTooWide, false);
      const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(paper, colorScheme === 'dark' ? 'rgb(14, 17, 23)' : 'rgb(246, 247, 249)');
      assert.deepEqual(problems, []);
    });
  }
}
